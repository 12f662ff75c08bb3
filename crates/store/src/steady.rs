//! The time that questions to people and counts of actions go by: a clock that was moved back gives nobody more of it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use sqlx::SqliteConnection;

use crate::error::StoreError;
use crate::store::{Store, now_wall_ms};

/// A clock that never goes back: the wall's while that goes on, else the time that has passed since.
#[derive(Debug, Default)]
pub(crate) struct Steady(Mutex<Option<(i64, Instant)>>);

impl Steady {
    /// Now, when the wall's clock says `wall_ms`, and `seen_ms` was a time already.
    fn now_ms(&self, wall_ms: i64, seen_ms: i64) -> i64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = last.as_ref().map_or(i64::MIN, |(ms, at)| {
            ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
        });
        let now_ms = wall_ms.max(passed).max(seen_ms);
        *last = Some((now_ms, Instant::now()));
        now_ms
    }
}

impl Store {
    /// The time that questions and counts go by.
    pub(crate) async fn steady_ms(&self, conn: &mut SqliteConnection) -> Result<i64, StoreError> {
        let seen: Option<i64> = sqlx::query_scalar("SELECT MAX(changed_wall_ms) FROM approval")
            .fetch_one(&mut *conn)
            .await?;
        let wall_ms = now_wall_ms(conn).await?;
        Ok(self.inner.steady.now_ms(wall_ms, seen.unwrap_or(i64::MIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_when_the_walls_goes_back() {
        let steady = Steady::default();
        assert_eq!(steady.now_ms(1_000, i64::MIN), 1_000);
        assert!((1_000..2_000).contains(&steady.now_ms(0, i64::MIN)));
        assert_eq!(steady.now_ms(5_000, i64::MIN), 5_000);
        assert_eq!(steady.now_ms(5_000, 9_000), 9_000, "what was a time already");
        assert!(steady.now_ms(5_000, i64::MIN) >= 9_000);
    }
}
