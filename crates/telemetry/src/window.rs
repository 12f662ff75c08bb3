//! One second of one version under one split, as one gateway saw it.

use lockgate_model::ids::{AgentName, BootId, Epoch, GatewayName, RolloutId, VersionName};
use serde::{Deserialize, Serialize};

use crate::arm::Arm;

/// A sticky key that a window saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeySeen {
    /// Salted hash of the key.
    pub key: u64,
    /// Whether an error charged to the version ended one of its requests in this window.
    pub error: bool,
}

/// The most keys that one window lists; further ones are counted in `keys_dropped`.
pub const KEYS_MAX: usize = 20_000;

/// Unique by `(gateway, boot, seq)`: a window that arrives twice counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Which start of it.
    pub boot: BootId,
    /// Grows by one with every window of this boot.
    pub seq: u64,
    /// The second it covers, milliseconds since the Unix epoch.
    pub second_wall_ms: i64,
    /// The agent.
    pub agent: AgentName,
    /// The version.
    pub version: VersionName,
    /// The rollout under way, if any.
    pub rollout: Option<RolloutId>,
    /// The weight epoch stamped at routing.
    pub epoch: Epoch,
    /// What was seen. `keys` in it is zero: only who sees all windows can count distinct keys.
    pub arm: Arm,
    /// Distinct keys of this second.
    pub keys: Vec<KeySeen>,
    /// Keys beyond [`KEYS_MAX`]; by-key counts are then too low, and judges are told.
    pub keys_dropped: u64,
}
