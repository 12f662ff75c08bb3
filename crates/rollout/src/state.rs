//! Where a release is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::drift::DriftGate;
use lockgate_model::ids::{AgentName, Epoch, FuseId, RolloutId, VersionName};
use lockgate_model::measure::Measure;
use lockgate_model::plan::{Action, Environment, Plan, Stage, WHOLE_BP};
use lockgate_model::snapshot::{InTest, Member, Mode, Split};
use lockgate_model::version::Digest;
use lockgate_telemetry::arm::{Arm, Arms};
use serde::{Deserialize, Serialize};

use crate::event::About;
use crate::signals::Signals;

/// The states of a rollout. The last four are ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// Started, nothing done yet: other releases come first, or a freeze window is open.
    Pending,
    /// A new split was ordered and not every gateway has applied it.
    Confirming,
    /// The stage's clock runs.
    Running,
    /// The stage's time is over and a gate is still insufficient.
    Extended,
    /// Held by a person, or by the plan until a person decides. Triggers stay armed.
    Paused {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Whether going on is an override: the stage counts as passed when a person resumes.
        overrides_gate: bool,
    },
    /// Held by an outside gate.
    WaitingGate {
        /// Which.
        gate: String,
    },
    /// Taken back; not every gateway has applied it yet.
    RollingBack {
        /// How.
        action: Action,
        /// The end that follows: rolled back by judgement, or aborted by a person.
        end: RollbackEnd,
    },
    /// The candidate is stable now.
    Promoted,
    /// A trigger or a gate took it back.
    RolledBack,
    /// A person took it back.
    Aborted,
    /// A newer release of the same agent took its place.
    Superseded,
}

/// Which end follows a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackEnd {
    /// Taken back by judgement.
    RolledBack,
    /// Taken back by a person.
    Aborted,
    /// Replaced by a newer release.
    Superseded,
}

impl Phase {
    /// The name used in files, metrics and explanations.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirming => "confirming",
            Self::Running => "running",
            Self::Extended => "extended",
            Self::Paused { .. } => "paused",
            Self::WaitingGate { .. } => "waiting_gate",
            Self::RollingBack { .. } => "rolling_back",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing follows.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack | Self::Aborted | Self::Superseded)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stretch of one weight epoch whose evidence is also judged on its own, so that what was good
/// before does not hide a fault that comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The epoch it lies in.
    pub epoch: Epoch,
    /// When it began, milliseconds since the Unix epoch.
    pub since_wall_ms: i64,
    /// Which of the release it is, from 1: later ones have a smaller part of the error budget.
    #[serde(default)]
    pub number: u64,
}

/// That a version passed its stages before, and until when it was stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedBefore {
    /// The release that it passed.
    pub rollout: RolloutId,
    /// When another version took its place, milliseconds since the Unix epoch.
    pub until_wall_ms: i64,
}

/// One release: its plan and everything that must survive a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// The version being released.
    pub candidate: VersionName,
    /// The version it replaces; `None` for the first version of an agent.
    pub stable: Option<VersionName>,
    /// The plan as it was when the stage under way began.
    pub plan: Arc<Plan>,
    /// The plan as it was edited since; it takes effect at the next stage.
    #[serde(default)]
    pub next_plan: Option<Arc<Plan>>,
    /// Whether units are sticky keys rather than requests.
    pub by_key: bool,
    /// Which latency is judged.
    pub latency: LatencyMeasure,
    /// Signals the agent produces; gates without a source are waived if they say so.
    pub sources: Vec<SignalSource>,
    /// Names of the agent's probes: each is to be run.
    #[serde(default)]
    pub probes: Vec<String>,
    /// The text of their set, which gateways are told it by.
    #[serde(default)]
    pub probes_digest: Option<Digest>,
    /// The first epoch of this set: runs of an earlier one count for nothing.
    #[serde(default)]
    pub probes_since: Epoch,
    /// What its versions report of their answers, besides.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// Who started it.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since the Unix epoch.
    pub started_wall_ms: i64,
    /// When it ended.
    pub ended_wall_ms: Option<i64>,
    /// Where it is.
    pub phase: Phase,
    /// Index into the plan's stages.
    pub stage: usize,
    /// The split that was ordered last.
    pub epoch: Epoch,
    /// The candidate's share in it, basis points.
    pub weight_bp: u32,
    /// Whether every gateway has applied it.
    pub applied: bool,
    /// Time in this stage under a confirmed and observed weight.
    pub dwell_ms: u64,
    /// The same since the start of the release.
    pub elapsed_ms: u64,
    /// The block of evidence under way.
    #[serde(default)]
    pub block: Option<Block>,
    /// The last tick, for measuring time.
    pub last_tick: Option<Now>,
    /// Security events of the candidate so far.
    pub security_events: u64,
    /// Fuses taken over.
    pub fuses: Vec<FuseId>,
    /// Agents whose open releases must end well before it begins.
    #[serde(default)]
    pub waits_for: Vec<AgentName>,
    /// When the candidate was stable before, if it ever was.
    #[serde(default)]
    pub passed_before: Option<PassedBefore>,
    /// Whose word let it past a gate or a stage.
    #[serde(default)]
    pub overridden_by: Option<String>,
    /// The stage that was confirmed by whom the plan asks, while it is under way.
    #[serde(default)]
    pub confirmed_stage: Option<usize>,
    /// Whether the candidate was healthy at the last look.
    #[serde(default)]
    pub candidate_healthy: Option<bool>,
    /// Looks in a row that found no numbers because their source failed.
    #[serde(default)]
    pub source_errors: u32,
    /// Why the last attempt to bring the split to the gateways failed.
    #[serde(default)]
    pub driver_error: Option<String>,
    /// When the freeze window ends that is open, milliseconds since the Unix epoch.
    #[serde(default)]
    pub frozen_until_wall_ms: Option<i64>,
    /// Time of the initial delay so far, under a confirmed and observed weight; `None` when none
    /// is running.
    #[serde(default)]
    pub warming_ms: Option<u64>,
    /// Epochs of initial delays: what was seen in them counts for nothing.
    #[serde(default)]
    pub warm_epochs: Vec<Epoch>,
    /// Epochs of the test environment: what was seen in them counts there, and for nothing after.
    #[serde(default)]
    pub test_epochs: Vec<Epoch>,
    /// Why it was taken back, in one sentence with its numbers.
    #[serde(default)]
    pub taken_back_because: Option<String>,
    /// What its plan wants to know of drift and nobody said lately, at the last look.
    #[serde(default)]
    pub drift_waits: Option<String>,
    /// Whether the candidate's tokens were ordered to be revoked.
    pub revoked: bool,
}

impl Rollout {
    /// The stage under way.
    pub fn stage(&self) -> &Stage {
        &self.plan.stages[self.stage.min(self.plan.stages.len() - 1)]
    }

    /// What gates are asked about now.
    pub fn about(&self) -> About {
        About { stage: self.stage, epoch: self.epoch }
    }

    /// What its plan asks about drift before its share may grow. Once it has all users nothing is left to keep from
    /// them.
    pub fn drift_gate(&self) -> Option<&DriftGate> {
        self.plan.drift.as_ref().filter(|_| self.weight_bp < WHOLE_BP)
    }

    /// Whether its first split was ordered.
    pub fn has_begun(&self) -> bool {
        self.epoch > Epoch::default()
    }

    /// Epochs of the test environment, once it was left: what was seen there counts for nothing
    /// after.
    pub fn test_epochs_left(&self) -> &[Epoch] {
        if self.stage().weight_bp > 0 { &self.test_epochs } else { &[] }
    }

    /// What was seen of the candidate in the test environment: all copies, and the runs of the set of
    /// probes that it is to pass.
    pub fn tested(&self, evidence: &BTreeMap<Epoch, Arms>) -> Arm {
        let mut tested = Arm::default();
        for (epoch, arms) in evidence.iter().filter(|(epoch, _)| self.test_epochs.contains(epoch)) {
            let mut seen = arms.candidate.clone();
            if *epoch < self.probes_since {
                seen.probes.clear();
            }
            tested.merge(&seen);
        }
        tested
    }

    /// Whether it matters what the set of probes is: it is being run, or will be.
    pub fn awaits_probes(&self) -> bool {
        let ends = self.phase.is_end() || matches!(self.phase, Phase::RollingBack { .. });
        !ends && (!self.has_begun() || self.in_test().is_some())
    }

    /// What judges may read of what was seen: nothing from initial delays.
    pub fn counted<'s>(&self, signals: &'s Signals) -> Cow<'s, Signals> {
        if self.warm_epochs.is_empty() {
            return Cow::Borrowed(signals);
        }
        let mut counted = signals.clone();
        counted.evidence.retain(|epoch, _| !self.warm_epochs.contains(epoch));
        if self.warming_ms.is_some() {
            (counted.recent, counted.block) = Default::default();
        }
        Cow::Owned(counted)
    }

    /// The split while it goes forward. `None` for a first version, which has nothing beside it.
    pub fn split_forward(&self) -> Option<Split> {
        Some(Split {
            rollout: Some(self.id),
            epoch: self.epoch,
            stable: self.stable.clone()?,
            candidate: Some(Member {
                version: self.candidate.clone(),
                weight_bp: self.weight_bp,
                mode: Mode::Open,
                test: self.in_test(),
            }),
            retiring: None,
        })
    }

    /// The split that takes it back.
    pub fn split_back(&self, action: Action, now: Now) -> Option<Split> {
        let mode = match action {
            Action::Switch => self.drain(now),
            Action::Stop => Mode::Stopped,
            Action::StopImmediately => Mode::Cut,
        };
        Some(Split {
            rollout: Some(self.id),
            epoch: self.epoch,
            stable: self.stable.clone()?,
            candidate: None,
            retiring: Some(Member {
                version: self.candidate.clone(),
                weight_bp: 0,
                mode,
                test: None,
            }),
        })
    }

    /// The split that makes the candidate stable; conversations of the old one may finish.
    pub fn split_promoted(&self, now: Now) -> Split {
        Split {
            rollout: Some(self.id),
            epoch: self.epoch,
            stable: self.candidate.clone(),
            candidate: None,
            retiring: self.stable.clone().map(|version| Member {
                version,
                weight_bp: 0,
                mode: self.drain(now),
                test: None,
            }),
        }
    }

    /// Begins a block of evidence when an epoch is applied, and when the last one is over: by the wall
    /// clock and in every phase, as triggers are armed in every phase and look back as far as it reaches.
    pub(crate) fn begin_block(&mut self, now_wall_ms: i64) {
        let Self { epoch, applied, block, plan, .. } = self;
        let (is_new, is_over) = match block {
            None => (true, false),
            Some(last) => {
                let age_ms = now_wall_ms.checked_sub(last.since_wall_ms);
                let age_ms = age_ms.and_then(|age_ms| u64::try_from(age_ms).ok());
                (last.epoch != *epoch, age_ms.is_none_or(|age_ms| age_ms >= plan.block_ms()))
            }
        };
        if !(is_new && *applied || is_over) {
            return;
        }
        // What comes before an epoch is applied is in no block of it.
        let epoch = block.filter(|_| !*applied).map_or(*epoch, |last| last.epoch);
        let number = block.map_or(0, |last| last.number) + 1;
        *block = Some(Block { epoch, since_wall_ms: now_wall_ms, number });
    }

    /// What the candidate gets in the test environment; `None` once users are there.
    pub(crate) fn in_test(&self) -> Option<InTest> {
        let stage = self.stage();
        let test = stage.environment == Environment::Test && stage.weight_bp == 0;
        test.then(|| InTest { mirror_bp: stage.mirror_bp, probes: self.probes_digest.clone() })
    }

    fn drain(&self, now: Now) -> Mode {
        let drain_ms = i64::try_from(self.plan.drain_ms).unwrap_or(i64::MAX);
        Mode::Drain { until_wall_ms: now.wall_ms.saturating_add(drain_ms) }
    }
}
