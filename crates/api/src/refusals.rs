//! Refused tokens, in the audit log: the first at once, those that follow within a minute as a count, so that whoever
//! guesses tokens cannot fill the disk.

use std::sync::{Mutex, PoisonError};

use lockgate_model::ledger::{LedgerEntry, Principal};
use serde_json::json;

use crate::clock;
use crate::state::App;

/// At most one record in this time.
const EVERY_MS: i64 = 60_000;

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    recorded_wall_ms: Option<i64>,
    /// Refused and not recorded yet.
    waiting: u64,
}

impl Refusals {
    /// How many to record now; `None` while the last record is too young.
    fn count(&self, now_wall_ms: i64) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.waiting += 1;
        // A clock that went back must not silence this for long.
        let young = |last: i64| (0..EVERY_MS).contains(&(now_wall_ms - last));
        if counted.recorded_wall_ms.is_some_and(young) {
            return None;
        }
        counted.recorded_wall_ms = Some(now_wall_ms);
        Some(std::mem::take(&mut counted.waiting))
    }
}

/// Someone came with a token that is none. Refused it is also when this cannot be recorded.
pub(crate) async fn note(app: &App, where_to: &str) {
    let at_wall_ms = clock::wall_ms();
    let Some(count) = app.refusals.count(at_wall_ms) else { return };
    let unknown = Principal::Part("unknown".into());
    let mut entry = LedgerEntry::event(at_wall_ms, unknown, "sign_in.refused", where_to);
    entry.labels = vec![("decision", "deny".to_owned())];
    entry.detail = json!({ "refused_since_the_last_record": count });
    if let Err(error) = app.ledger.record(entry).await {
        tracing::warn!(%error, "a refused sign-in is not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_makes_one_record_a_minute() {
        let refusals = Refusals::default();
        assert_eq!(refusals.count(1_000), Some(1));
        for at in 1_001..1_100 {
            assert_eq!(refusals.count(at), None);
        }
        assert_eq!(refusals.count(61_000), Some(100));
        assert_eq!(refusals.count(500), Some(1), "the clock went back");
    }
}
