//! Bodies of this API that no other room has a shape for.

use lockgate_model::ids::{AgentName, PlanName, RolloutId, VersionName};
use lockgate_model::plan::Action;
use lockgate_model::snapshot::Split;
use lockgate_rollout::event::Effect;
use lockgate_rollout::explain::Cause;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::{EffectRecord, EffectState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::doc;
use crate::extract::Reason;

/// An agent and how its traffic stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentSummary {
    /// Its name.
    #[schema(value_type = String)]
    pub name: AgentName,
    /// The version that gets everything that no one else gets; null before the first one.
    #[schema(value_type = Option<String>, required = true)]
    pub stable: Option<VersionName>,
    /// Who gets what; null while no version is stable.
    #[schema(value_type = Option<doc::SplitDoc>, required = true)]
    pub split: Option<Split>,
    /// Its versions, in the order of the configuration.
    pub versions: Vec<VersionSummary>,
    /// The plan its releases follow.
    #[schema(value_type = String)]
    pub plan: PlanName,
    /// The rollout under way.
    #[schema(value_type = Option<String>, format = Uuid, required = true)]
    pub open_rollout: Option<RolloutId>,
}

/// What a version is to its agent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Gets everything that no one else gets.
    Stable,
    /// Being released.
    Candidate,
    /// On its way out.
    Retiring,
    /// Gets nothing.
    Idle,
}

impl VersionState {
    /// As written in answers and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Candidate => "candidate",
            Self::Retiring => "retiring",
            Self::Idle => "idle",
        }
    }
}

/// A version and how it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionSummary {
    /// Its name.
    #[schema(value_type = String)]
    pub name: VersionName,
    /// Digest of its manifest: its identity.
    pub digest: String,
    /// What it is to its agent now.
    pub state: VersionState,
    /// Its share of new keys, basis points.
    pub weight_bp: u32,
    /// Whether every gateway finds the production endpoint healthy; null when not known.
    #[schema(required = true)]
    pub healthy: Option<bool>,
    /// The same for the test endpoint; null also when there is none.
    #[schema(required = true)]
    pub test_healthy: Option<bool>,
}

/// A release in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutSummary {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: RolloutId,
    /// The agent.
    #[schema(value_type = String)]
    pub agent: AgentName,
    /// The version being released.
    #[schema(value_type = String)]
    pub candidate: VersionName,
    /// The version it replaces; null for the first version of an agent.
    #[schema(value_type = Option<String>, required = true)]
    pub stable: Option<VersionName>,
    /// Its plan's name.
    #[schema(value_type = String)]
    pub plan: PlanName,
    /// Where it is, see `RolloutView`.
    pub phase: String,
    /// How it is taken back, while it is.
    #[schema(value_type = Option<String>, required = true)]
    pub action: Option<Action>,
    /// Index of the stage.
    pub stage: usize,
    /// The stage's name.
    pub stage_name: String,
    /// How many stages the plan has.
    pub stages: usize,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Who started it.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// Milliseconds since the Unix epoch.
    pub started_wall_ms: i64,
    /// When it ended.
    #[schema(required = true)]
    pub ended_wall_ms: Option<i64>,
}

impl From<&Rollout> for RolloutSummary {
    fn from(rollout: &Rollout) -> Self {
        let action = match rollout.phase {
            Phase::RollingBack { action, .. } => Some(action),
            _ => None,
        };
        Self {
            id: rollout.id,
            agent: rollout.agent.clone(),
            candidate: rollout.candidate.clone(),
            stable: rollout.stable.clone(),
            plan: rollout.plan.name.clone(),
            phase: rollout.phase.as_str().to_owned(),
            action,
            stage: rollout.stage,
            stage_name: rollout.stage().name.clone(),
            stages: rollout.plan.stages.len(),
            weight_bp: rollout.weight_bp,
            started_by: rollout.started_by.clone(),
            reason: rollout.reason.clone(),
            started_wall_ms: rollout.started_wall_ms,
            ended_wall_ms: rollout.ended_wall_ms,
        }
    }
}

/// Starts a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRollout {
    /// The agent.
    #[schema(value_type = String)]
    pub agent: AgentName,
    /// The version to release.
    #[schema(value_type = String)]
    pub version: VersionName,
    /// Another plan than the agent's own.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub plan: Option<PlanName>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    pub reason: Reason,
    /// Whether an open release of the agent is taken back for it. Refused without, if one is open.
    #[serde(default)]
    pub replace: bool,
    /// Why it starts although its path to production is blocked. For admins.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub in_spite_because: Option<Reason>,
}

/// The reason for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    pub reason: Reason,
}

/// Whether control has handled a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Written down; control will handle it.
    Pending,
    /// Done.
    Done,
    /// Control refused it.
    Refused,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandAnswer {
    /// The command's id, for `GET /api/v1/commands/{command}`.
    pub command: i64,
    /// Whether control has handled it.
    pub state: CommandState,
    /// The rollout that it started or concerned, when known.
    #[schema(value_type = Option<String>, format = Uuid, required = true)]
    pub rollout: Option<RolloutId>,
    /// What control says.
    #[schema(required = true)]
    pub result: Option<String>,
    /// The release whose place a new one takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
}

/// An open release that goes back to 0 % before another one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replaced {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub rollout: RolloutId,
    /// Its version.
    #[schema(value_type = String)]
    pub version: VersionName,
}

/// Why a release stands where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The present.
    pub now: ExplainedNow,
    /// The way here, oldest first.
    pub transitions: Vec<ExplainedStep>,
}

/// The present of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedNow {
    /// Where it is.
    pub phase: String,
    /// Why it is not further, or why it ended.
    pub why: String,
    /// What would lead on from here.
    #[serde(default)]
    pub would_change: String,
    /// What is not as it was declared, such as a signal that never comes.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What was seen in the test environment, a sentence each.
    #[serde(default)]
    pub tested: Vec<String>,
    /// Gates of the stage, judged now.
    #[schema(value_type = Vec<doc::CauseDoc>)]
    pub gates: Vec<Cause>,
    /// Triggers, judged now.
    #[schema(value_type = Vec<doc::CauseDoc>)]
    pub triggers: Vec<Cause>,
}

/// One step of a release and what it led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedStep {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// The phase before.
    pub from: String,
    /// The phase after.
    pub to: String,
    /// What decided; null when nothing was recorded.
    #[schema(value_type = Option<doc::CauseDoc>, required = true)]
    pub cause: Option<Cause>,
    /// What else was true at the same time.
    #[schema(value_type = Vec<doc::CauseDoc>)]
    pub also: Vec<Cause>,
    /// What it asked for and what became of that.
    pub effects: Vec<ExplainedEffect>,
    /// What would have led elsewhere.
    pub would_change: String,
}

/// An effect and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedEffect {
    /// Its outbox id.
    pub id: i64,
    /// What kind of effect: `set_split`, `acknowledge_fuses`, `revoke`, `notify`.
    pub effect: String,
    /// What became of it: `pending`, `done`, `failing` (it is tried again), or `recorded` (written
    /// down, and nothing enforces it yet).
    pub state: String,
    /// What was noted with it.
    #[schema(required = true)]
    pub note: Option<String>,
}

impl From<&EffectRecord> for ExplainedEffect {
    fn from(record: &EffectRecord) -> Self {
        let effect = match record.effect {
            Effect::SetSplit { .. } => "set_split",
            Effect::AcknowledgeFuses { .. } => "acknowledge_fuses",
            Effect::Revoke { .. } => "revoke",
            Effect::Notify { .. } => "notify",
        };
        let state = match (record.state, &record.effect) {
            (EffectState::Done, Effect::Revoke { .. }) => "recorded",
            (EffectState::Done, _) => "done",
            (EffectState::Pending, _) if record.attempts > 0 => "failing",
            (EffectState::Pending, _) => "pending",
        };
        Self {
            id: record.id,
            effect: effect.into(),
            state: state.into(),
            note: record.note.clone(),
        }
    }
}
