//! What is given beside rollups and events.

use lockgate_model::ids::{AgentName, VersionName};
use serde::{Deserialize, Serialize};

use super::Party;
use crate::event::Key;

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its version became the stable one.
    Promoted,
    /// Taken back by a trigger or a gate.
    RolledBack,
    /// Taken back by a person.
    Aborted,
    /// A newer release took its place; it came to no end of its own.
    Superseded,
}

/// A release that is over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Deployment {
    /// When it ended, milliseconds since the Unix epoch.
    pub finished_wall_ms: i64,
    /// Tells it from others: the rollout's id, or the event's key.
    pub id: String,
    /// The agent.
    pub agent: AgentName,
    /// The version that was released.
    pub version: Option<VersionName>,
    /// How it ended.
    pub end: End,
    /// Whether users met it; a release that ended in the test environment is none to production.
    pub in_production: bool,
    /// When it started.
    pub started_wall_ms: Option<i64>,
    /// When its oldest change was committed.
    pub committed_wall_ms: Option<i64>,
    /// When what it broke was noticed: the trigger or the gate.
    pub detected_wall_ms: Option<i64>,
    /// When every user was served by the stable version again.
    pub recovered_wall_ms: Option<i64>,
}

/// A release that began: of which version, and instead of which. It tells which version was stable at what time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Release {
    /// When it began; none when that is not known.
    pub started_wall_ms: Option<i64>,
    /// The version that was released.
    pub version: VersionName,
    /// The one that was stable when it began; none for the first of an agent, and where that is not known.
    pub stable: Option<VersionName>,
    /// When its version became the stable one, if it did.
    pub promoted_wall_ms: Option<i64>,
}

impl Release {
    /// One that Lockgate did not do: only its end is known.
    pub fn elsewhere(version: VersionName, promoted_wall_ms: i64) -> Self {
        Self {
            started_wall_ms: None,
            version,
            stable: None,
            promoted_wall_ms: Some(promoted_wall_ms),
        }
    }
}

/// Something that was broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incident {
    /// When it was noticed.
    pub detected_wall_ms: i64,
    /// The event's key.
    pub key: Key,
    /// Whose.
    pub agent: Party,
    /// When it was over.
    pub recovered_wall_ms: Option<i64>,
    /// The version that caused it.
    pub version: Option<VersionName>,
    /// The release that caused it, by its id.
    pub release: Option<String>,
}

/// Firsts of an agent, over all time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestones {
    /// When it was first tried: the first release's start or probe, a use case or a system in `test`.
    pub first_test_wall_ms: Option<i64>,
    /// When something of worth was first measured: an interaction that resolved something, or time saved.
    pub first_value_wall_ms: Option<i64>,
    /// Whether its stable version answers users now.
    pub in_production: bool,
}
