//! What a running server knows of an agent's path to production: its plan, its releases, and how it is governed.
//!
//! Not here: what a path asks for, which `readiness` knows.

use serde::{Deserialize, Serialize};

use crate::agent::SignalSource;
use crate::ids::{AgentName, RolloutId, VersionName};
use crate::plan::{Environment, Metric, Plan};

/// The policy that decides about agents' calls, and how fast it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWatch {
    /// Digest of its files.
    pub digest: String,
    /// Its rules.
    pub rules: u64,
    /// Since when it decides, milliseconds since the Unix epoch.
    pub since_wall_ms: i64,
    /// Decisions since the server started.
    pub decisions: u64,
    /// Those of them that took longer than a millisecond.
    pub slow: u64,
}

/// What the last verification of the audit log found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When it ended, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Records that it looked at.
    pub records: u64,
    /// The first thing that is not as it was signed; `None` when the log is intact.
    pub damage: Option<String>,
}

/// How the audit log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditWatch {
    /// Records acknowledged.
    pub records: u64,
    /// Intents that have no outcome: of actions under way.
    pub open_intents: u64,
    /// Why nothing is recorded at the moment; `None` while records are taken.
    pub refuses: Option<String>,
    /// The last verification; `None` until there was one since the start.
    pub verified: Option<Verified>,
}

/// How a server sees to it that agents are governed. Answers at once, from memory.
pub trait Oversight: Send + Sync {
    /// The policy that decides; `None` when there is none.
    fn policy(&self) -> Option<PolicyWatch>;

    /// The audit log; `None` when nothing is known of it.
    fn audit(&self) -> Option<AuditWatch>;
}

/// Nobody watches: there is no policy, and nothing is known of a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOversight;

impl Oversight for NoOversight {
    fn policy(&self) -> Option<PolicyWatch> {
        None
    }

    fn audit(&self) -> Option<AuditWatch> {
        None
    }
}

/// A stage that a release has left by its own merit or by a person's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageShown {
    /// The candidate's share in it, basis points.
    pub weight_bp: u32,
    /// Where its traffic came from.
    pub environment: Environment,
    /// Share of users' requests that were to be copied to it, basis points.
    pub mirror_bp: u32,
    /// Time in it under a confirmed weight, milliseconds.
    pub dwell_ms: u64,
    /// Metrics whose gates passed at its end.
    pub passed: Vec<Metric>,
}

/// What a promoted release shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseShown {
    /// Its id.
    pub rollout: RolloutId,
    /// What was released.
    pub version: VersionName,
    /// When it was promoted, milliseconds since the Unix epoch.
    pub promoted_wall_ms: i64,
    /// Whether a person's word let it past a gate or a stage.
    pub overridden: bool,
    /// Stages that its plan had at its end.
    pub planned: usize,
    /// The stages that it has left, in order.
    pub stages: Vec<StageShown>,
}

/// How releases of an agent have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Promoted.
    pub promoted: u64,
    /// Taken back, by judgement or by a person.
    pub taken_back: u64,
}

/// How one criterion of success came out over the year up to now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// The measure, as reports of value call it.
    pub measure: String,
    /// Whether it is met; `None` when nobody can say.
    pub met: Option<bool>,
    /// Its value and what success asks for, or why nobody can say.
    pub told: String,
}

/// What a server knows of an agent's path. It is the server's own word: no caller gives any of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// The agent.
    pub agent: AgentName,
    /// The plan that its release follows.
    pub plan: Plan,
    /// Signals that the agent gives beyond requests.
    pub sources: Vec<SignalSource>,
    /// Whether gateways find some version of it healthy; `None` while none says so.
    pub answers: Option<bool>,
    /// Other agents of the configuration whose versions answer at the address of one of its own.
    pub shares_address_with: Vec<AgentName>,
    /// The policy that decides; `None` when there is none.
    pub policy: Option<PolicyWatch>,
    /// The audit log; `None` when nothing is known of it.
    pub audit: Option<AuditWatch>,
    /// Its promoted releases, newest first, as many as are looked at.
    pub releases: Vec<ReleaseShown>,
    /// When its first release was promoted, milliseconds since the Unix epoch.
    pub first_promoted_wall_ms: Option<i64>,
    /// How its releases have ended.
    pub ended: Ended,
    /// What it was worth, by the criteria of success.
    #[serde(default)]
    pub worth: Vec<Criterion>,
    /// When this was looked at, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}
