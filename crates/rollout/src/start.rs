//! The first step of a release.

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{AgentName, Epoch, FuseId, RolloutId, VersionName};
use lockgate_model::plan::{Plan, WHOLE_BP};

use crate::event::Effect;
use crate::explain::{Cause, Transition};
use crate::machine::Step;
use crate::state::{Phase, Rollout};

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
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Latched fuses of the candidate from earlier releases: starting again takes them over.
    pub fuses: Vec<FuseId>,
}

/// Starts a release. The first version of an agent has nothing to be compared with and nowhere
/// else to send traffic, so it becomes stable at once.
pub fn start(new: NewRollout, now: Now) -> Step {
    let first = new.stable.is_none();
    let mut rollout = Rollout {
        id: new.id,
        agent: new.agent,
        candidate: new.candidate,
        stable: new.stable,
        plan: new.plan.into(),
        by_key: new.by_key,
        latency: new.latency,
        sources: new.sources,
        started_by: new.by,
        reason: new.reason,
        started_wall_ms: now.wall_ms,
        ended_wall_ms: None,
        phase: Phase::Pending,
        stage: 0,
        epoch: Epoch(1),
        weight_bp: 0,
        applied: false,
        dwell_ms: 0,
        elapsed_ms: 0,
        block: None,
        last_tick: None,
        security_events: 0,
        fuses: new.fuses.clone(),
        taken_back_because: None,
        revoked: false,
    };
    let mut effects = Vec::new();
    let (to, cause, next) = if first {
        effects.push(Effect::SetSplit { split: rollout.split_promoted(now) });
        rollout.stage = rollout.plan.stages.len() - 1;
        rollout.weight_bp = WHOLE_BP;
        rollout.ended_wall_ms = Some(now.wall_ms);
        let text = "first version of the agent: stable at once, no stages";
        (Phase::Promoted, text, "nothing: it is stable")
    } else {
        rollout.weight_bp = rollout.stage().weight_bp;
        effects.extend(rollout.split_forward().map(|split| Effect::SetSplit { split }));
        let text = "started";
        (Phase::Confirming, text, "every gateway applies the split of the first stage")
    };
    if !new.fuses.is_empty() {
        effects.push(Effect::AcknowledgeFuses { ids: new.fuses });
    }
    rollout.phase = to;
    let cause = Cause::plain(
        format!("command start by {}", rollout.started_by),
        format!("{text}: {reason}", text = cause, reason = rollout.reason),
    );
    let transition = Transition {
        at_wall_ms: now.wall_ms,
        from: Phase::Pending.as_str().into(),
        to: rollout.phase.as_str().into(),
        stage: rollout.stage,
        weight_bp: rollout.weight_bp,
        dwell_ms: 0,
        causes: vec![cause],
        would_change: next.into(),
    };
    Step { rollout, transition: Some(transition), effects }
}
