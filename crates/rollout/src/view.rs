//! A release as people see it: what the API serves, the CLI and the console show.

use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_telemetry::arm::Arm;
use serde::{Deserialize, Serialize};

use crate::explain::Cause;

/// One version's numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmView {
    /// Requests routed.
    pub requests: u64,
    /// Distinct sticky keys.
    pub keys: u64,
    /// Errors charged to the version.
    pub errors: u64,
    /// Of the judged units, 0 to 1.
    pub error_rate: Option<f64>,
    /// Milliseconds.
    pub p50_ms: Option<f64>,
    /// Milliseconds.
    pub p95_ms: Option<f64>,
    /// Mean of the known costs, US dollars.
    pub cost_usd: Option<f64>,
    /// Requests whose cost cannot be known.
    pub cost_unknown: u64,
    /// Votes.
    pub feedback: u64,
    /// 0 to 1.
    pub satisfied_share: Option<f64>,
    /// 0 to 1.
    pub negative_share: Option<f64>,
    /// −100 to 100.
    pub nps: Option<f64>,
}

impl From<&Arm> for ArmView {
    fn from(arm: &Arm) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let mut latency = arm.plain.total.clone();
        latency.merge(&arm.sse.first_byte);
        let votes = arm.feedback.count();
        Self {
            requests: arm.assigned,
            keys: arm.keys.assigned,
            errors: arm.errors_charged(),
            error_rate: share(arm.errors_charged(), arm.judged()),
            p50_ms: latency.quantile_us(0.5).map(|us| us / 1e3),
            p95_ms: latency.quantile_us(0.95).map(|us| us / 1e3),
            cost_usd: arm.cost.mean_usd(),
            cost_unknown: arm.cost.unknown,
            feedback: votes,
            satisfied_share: share(arm.feedback.positive, votes),
            negative_share: share(arm.feedback.negative, votes),
            nps: arm.feedback.nps(),
        }
    }
}

/// One stage of the bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// Its name.
    pub name: String,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Its length.
    pub duration_ms: u64,
    /// `done`, `current`, `next` or `skipped`.
    pub state: String,
}

/// A release now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its id.
    pub id: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// The version being released.
    pub candidate: VersionName,
    /// The version it replaces.
    pub stable: Option<VersionName>,
    /// Its plan's name.
    pub plan: String,
    /// Its phase, see `state::Phase::as_str`.
    pub phase: String,
    /// Who holds it and why, or how it is taken back.
    pub detail: Option<String>,
    /// Index of the stage.
    pub stage: usize,
    /// All stages.
    pub stages: Vec<StageView>,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Whether every gateway has applied it.
    pub applied: bool,
    /// Time in the stage under a confirmed weight.
    pub dwell_ms: u64,
    /// What is left of the stage; 0 when it waits for gates.
    pub left_ms: u64,
    /// Who started it.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since the Unix epoch.
    pub started_wall_ms: i64,
    /// When it ended.
    pub ended_wall_ms: Option<i64>,
    /// Security events of the candidate.
    pub security_events: u64,
    /// Whether the candidate's identity was ordered to be revoked (not enforced yet).
    pub revoked: bool,
    /// The candidate's numbers since the start.
    pub candidate_arm: ArmView,
    /// The stable version's, at the same time.
    pub stable_arm: ArmView,
    /// Gates of the stage, judged now.
    pub gates: Vec<Cause>,
    /// Triggers, judged now.
    pub triggers: Vec<Cause>,
    /// Why it is not further, or why it ended, in one sentence.
    pub why: String,
}
