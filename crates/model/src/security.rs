//! Security events and the fuse.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, FuseId, GatewayName, RolloutId, SecurityEventId, VersionName};

/// Who or what raised a security event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityCause {
    /// An operator, or a program with an operator's token.
    Operator,
    /// A rule marked `security_event: true`.
    Rule,
    /// A pinned tool changed.
    ToolChanged,
    /// A forged or replayed identity.
    Identity,
}

/// Something that must not happen, seen on a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// Its id.
    pub id: SecurityEventId,
    /// The agent.
    pub agent: AgentName,
    /// The version that it was seen on.
    pub version: VersionName,
    /// Who or what raised it.
    pub cause: SecurityCause,
    /// The rule's id, for [`SecurityCause::Rule`].
    pub rule: Option<String>,
    /// Who acted or reported.
    pub principal: String,
    /// What was seen.
    pub detail: String,
    /// Whether the stable version shows the same; `None` when not known.
    pub stable_shows_it: Option<bool>,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}

/// Why a fuse latched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FuseCause {
    /// A security event.
    SecurityEvent {
        /// Which.
        event: SecurityEventId,
    },
    /// A ceiling of the plan.
    HardLimit {
        /// The ceiling in words, with the number seen.
        limit: String,
    },
}

/// A latch: from now on, this gateway sends the version no request. It outlives restarts and
/// yields only to a snapshot that acknowledges its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fuse {
    /// Its id.
    pub id: FuseId,
    /// The gateway that latched.
    pub gateway: GatewayName,
    /// The agent.
    pub agent: AgentName,
    /// The version cut off.
    pub version: VersionName,
    /// The rollout that was under way.
    pub rollout: Option<RolloutId>,
    /// Why.
    pub cause: FuseCause,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}
