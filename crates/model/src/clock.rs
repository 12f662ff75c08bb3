//! Time as a parameter.

use serde::{Deserialize, Serialize};

use crate::ids::BootId;

/// The time at which something is decided. Wall time is for people and leases; durations come
/// from `monotonic_ms`, which only compares within one `boot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds since the Unix epoch. May jump.
    pub wall_ms: i64,
    /// Milliseconds since an arbitrary moment of this boot. Never goes back.
    pub monotonic_ms: u64,
    /// Which start of the process `monotonic_ms` belongs to.
    pub boot: BootId,
}

impl Now {
    /// Milliseconds since `earlier`, or `None` when it belongs to another boot.
    pub fn since_ms(&self, earlier: &Now) -> Option<u64> {
        (self.boot == earlier.boot).then(|| self.monotonic_ms.saturating_sub(earlier.monotonic_ms))
    }
}
