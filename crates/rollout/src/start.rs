//! The first step of a release.

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{AgentName, Epoch, FuseId, RolloutId, VersionName};
use lockgate_model::measure::Measure;
use lockgate_model::plan::{Plan, WHOLE_BP};
use lockgate_model::version::Digest;

use crate::event::Effect;
use crate::explain::{Cause, Transition};
use crate::machine::{self, Step};
use crate::state::{PassedBefore, Phase, Rollout};

/// A release to start.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRollout {
    /// Its id.
    pub id: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// The version to release.
    pub candidate: VersionName,
    /// The stable version; `None` for the first version of an agent.
    pub stable: Option<VersionName>,
    /// The plan to follow.
    pub plan: Plan,
    /// Whether units are sticky keys rather than requests.
    pub by_key: bool,
    /// Which latency is judged.
    pub latency: LatencyMeasure,
    /// Signals the agent produces.
    pub sources: Vec<SignalSource>,
    /// Names of its probes.
    pub probes: Vec<String>,
    /// The text of their set.
    pub probes_digest: Option<Digest>,
    /// What its versions report of their answers, besides.
    pub measures: Vec<Measure>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Latched fuses of the candidate from earlier releases: starting again takes them over.
    pub fuses: Vec<FuseId>,
    /// Agents whose open releases must end well before this one begins.
    pub waits_for: Vec<AgentName>,
    /// When the candidate was stable before, if it passed all its stages then.
    pub passed_before: Option<PassedBefore>,
}

/// Starts a release. The first version of an agent has nothing to be compared with and nowhere
/// else to send traffic, so it becomes stable at once. Others begin unless they must wait.
pub fn start(new: NewRollout, now: Now) -> Step {
    let rollout = pending(new, now);
    let cause = |text: &str| {
        let Rollout { started_by, reason, .. } = &rollout;
        let rule = format!("command start by {started_by}");
        Cause::said(started_by, rule, format!("{text}: {reason}"))
    };
    if rollout.stable.is_some() {
        return machine::begin(&rollout, cause("started"), now);
    }
    let cause = cause("first version of the agent: stable at once, no stages");
    first(rollout, cause, now)
}

fn first(mut rollout: Rollout, cause: Cause, now: Now) -> Step {
    rollout.epoch = Epoch(1);
    let mut effects = vec![Effect::SetSplit { split: rollout.split_promoted(now) }];
    if !rollout.fuses.is_empty() {
        effects.push(Effect::AcknowledgeFuses { ids: rollout.fuses.clone() });
    }
    rollout.stage = rollout.plan.stages.len() - 1;
    rollout.weight_bp = WHOLE_BP;
    rollout.ended_wall_ms = Some(now.wall_ms);
    rollout.phase = Phase::Promoted;
    let transition = Transition {
        at_wall_ms: now.wall_ms,
        from: Phase::Pending.as_str().into(),
        to: rollout.phase.as_str().into(),
        stage: rollout.stage,
        weight_bp: rollout.weight_bp,
        dwell_ms: 0,
        causes: vec![cause],
        would_change: "nothing: it is stable".into(),
    };
    Step { rollout, transition: Some(transition), effects }
}

fn pending(new: NewRollout, now: Now) -> Rollout {
    Rollout {
        id: new.id,
        agent: new.agent,
        candidate: new.candidate,
        stable: new.stable,
        plan: new.plan.into(),
        next_plan: None,
        by_key: new.by_key,
        latency: new.latency,
        sources: new.sources,
        probes: new.probes,
        probes_digest: new.probes_digest,
        probes_since: Epoch::default(),
        measures: new.measures,
        started_by: new.by,
        reason: new.reason,
        started_wall_ms: now.wall_ms,
        ended_wall_ms: None,
        phase: Phase::Pending,
        stage: 0,
        epoch: Epoch::default(),
        weight_bp: 0,
        applied: false,
        dwell_ms: 0,
        elapsed_ms: 0,
        block: None,
        last_tick: None,
        security_events: 0,
        fuses: new.fuses,
        waits_for: new.waits_for,
        passed_before: new.passed_before,
        overridden_by: None,
        confirmed_stage: None,
        candidate_healthy: None,
        source_errors: 0,
        driver_error: None,
        frozen_until_wall_ms: None,
        warming_ms: None,
        warm_epochs: Vec::new(),
        test_epochs: Vec::new(),
        taken_back_because: None,
        drift_waits: None,
        revoked: false,
    }
}
