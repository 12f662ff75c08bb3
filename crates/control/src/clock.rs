//! The one place in this room that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lockgate_model::clock::Now;
use lockgate_model::ids::BootId;
use uuid::Uuid;

/// The clock of this start of the process.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    boot: BootId,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), boot: BootId(Uuid::now_v7()) }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall_ms: wall_ms(), monotonic_ms: millis(self.start.elapsed()), boot: self.boot }
    }
}

/// Milliseconds since the Unix epoch; 0 on a clock set before it.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
