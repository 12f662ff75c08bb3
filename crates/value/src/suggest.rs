//! Suggestions for rollback thresholds and policy: what was seen, what a change would have done to it, and the change, for
//! a person to accept (docs/value.md). Nothing changes by itself.
//!
//! Not here: judging. What a bound would have done to past releases is told by whoever can replay them.

pub mod effect;
pub mod question;
pub mod threshold;

use lockgate_model::ids::{AgentName, PlanName, RolloutId, VersionName};
use lockgate_model::plan::Bound;
use serde::{Deserialize, Serialize};

use crate::window::Window;
use effect::Effect;
use question::Asked;

/// Of the JSON; another number when a reader would have to change.
pub const SCHEMA: u32 = 1;

/// What all suggestions go by. The same for every agent, and part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Healthy look-back windows, at least.
    pub windows_min: u64,
    /// Samples of a window that counts, at least: what the rule itself wants, and not fewer than this.
    pub samples_min: u64,
    /// The same for votes.
    pub votes_min: u64,
    /// Different days of UTC among them, at least.
    pub days_min: u64,
    /// Releases that can be replayed, at least.
    pub releases_min: u64,
    /// The quantile of healthy windows, by nearest rank.
    pub quantile: f64,
    /// A bound lies this much further from the best value than the quantile does.
    pub margin: f64,
    /// A bound is loose when it lies further than this from where it would be proposed.
    pub loose_ratio: f64,
    /// Answered questions of a rule, at least.
    pub questions_min: u64,
    /// Where the lower end of Wilson's 95 % interval has to lie for "practically always".
    pub always_above: f64,
    /// Where it has to lie for "often not answered in time".
    pub unanswered_above: f64,
}

/// See [`Basis`].
pub const BASIS: Basis = Basis {
    windows_min: 50,
    samples_min: 100,
    votes_min: 30,
    days_min: 14,
    releases_min: 3,
    quantile: 0.99,
    margin: 1.5,
    loose_ratio: 2.0,
    questions_min: 50,
    always_above: 0.95,
    unanswered_above: 0.1,
};

/// All that is suggested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestions {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What it was made of.
    pub window: Window,
    /// What it goes by.
    pub basis: Basis,
    /// Agents, by name.
    pub agents: Vec<OfAgent>,
    /// Every rule that asked a person about an action of these agents.
    pub questions: Vec<Asked>,
    /// What nothing could be suggested for, and what is not kept for longer.
    pub notes: Vec<String>,
}

/// What concerns one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfAgent {
    /// Its name.
    pub agent: AgentName,
    /// The plan that its releases follow now.
    pub plan: PlanName,
    /// Other agents that follow it too: a change is one for them as well.
    pub plan_also_of: Vec<AgentName>,
    /// Whether agents that may not be seen follow it too.
    pub plan_also_of_others: bool,
    /// Releases that ended in the window, the oldest first.
    pub releases: Vec<Release>,
    /// Every trigger and gate on numbers.
    pub thresholds: Vec<Threshold>,
}

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its version became stable.
    Promoted,
    /// A trigger, a gate or a deadline took it back.
    RolledBack,
    /// A person took it back.
    Aborted,
    /// A newer one took its place.
    Superseded,
}

/// A release of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Its id.
    pub rollout: RolloutId,
    /// The version.
    pub version: VersionName,
    /// How it ended.
    pub ended: Ended,
    /// When, milliseconds since the Unix epoch.
    pub ended_wall_ms: i64,
    /// Whether an incident names it or its version as the cause.
    pub incident: bool,
    /// The rule that took it back, or held it last.
    pub because: Option<String>,
    /// Why it cannot be replayed; none when it can.
    pub not_replayed: Option<String>,
    /// The longest time between two looks of its replay.
    pub looked_every_ms: Option<u64>,
    /// Requests of users that the candidate was given.
    pub exposed: Option<u64>,
}

/// Whether a release should have been let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Promoted, and nothing came of it.
    Good,
    /// Taken back, or the cause of an incident.
    Bad,
    /// Nobody can say.
    Unknown,
}

impl Release {
    /// Whether it should have been let through, as it turned out.
    pub fn worth(&self) -> Worth {
        match self.ended {
            _ if self.incident => Worth::Bad,
            Ended::Promoted => Worth::Good,
            Ended::RolledBack | Ended::Aborted => Worth::Bad,
            Ended::Superseded => Worth::Unknown,
        }
    }
}

/// What was found about a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Not enough is known. No suggestion.
    Insufficient,
    /// It is where it should be. No suggestion.
    Fine,
    /// A closer bound is suggested.
    Tighten,
    /// A wider bound is suggested.
    Loosen,
    /// Another bound would have been worse for a release of the window: it is shown, and not suggested.
    Worse,
}

/// A trigger or a gate, and what was found about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// `trigger p95_ms`, `gate error_rate`.
    pub rule: String,
    /// Of a gate: the stages that have it with this bound.
    pub stages: Vec<String>,
    /// The bound as it is.
    pub present: String,
    /// What was found.
    pub finding: Finding,
    /// In a sentence.
    pub why: String,
    /// What is missing for a suggestion.
    pub missing: Vec<String>,
    /// The bound that was looked at, if there is another than the present one.
    pub proposed: Option<String>,
    /// What was seen of it.
    pub evidence: Evidence,
    /// What the proposed bound would have done to the releases of the window.
    pub effect: Option<Effect>,
    /// What to change for it, when it is suggested.
    pub change: Option<Change>,
}

/// What healthy windows showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whose windows.
    pub of: Of,
    /// The length of one, milliseconds; none where they are stages of releases.
    pub window_ms: Option<u64>,
    /// Windows that count.
    pub windows: u64,
    /// Windows with fewer samples than the rule wants.
    pub few: u64,
    /// Different days of UTC.
    pub days: u64,
    /// Samples in all.
    pub samples: u64,
    /// Releases that can be replayed.
    pub releases: u64,
    /// The middle value.
    pub median: Option<f64>,
    /// The value at the quantile, on the bad side.
    pub quantile: Option<f64>,
    /// The worst value.
    pub worst: Option<f64>,
    /// Windows beyond the present bound.
    pub beyond: u64,
}

/// Whose windows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The stable version's, for a fixed bound.
    Stable,
    /// The candidate's of good releases beside the stable version's at the same time, for one that compares both.
    Beside,
}

/// A change of `lockgate.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The plan.
    pub plan: PlanName,
    /// Where in the plan: `triggers.p95_ms`, `gates.error_rate`.
    pub path: String,
    /// The bound as it is.
    pub from: String,
    /// The bound as it would be.
    pub to: String,
    /// The first as a number.
    pub before: Bound,
    /// The second.
    pub bound: Bound,
}
