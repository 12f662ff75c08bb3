//! Refused tokens and requests, in the audit log: the first at once, those that follow within a minute as a count, so
//! that whoever guesses tokens or tries doors cannot fill the disk. A count that waits is written by a timer, and when
//! the server stops.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use lockgate_model::ledger::{LedgerEntry, Principal};
use serde_json::json;

use crate::clock;
use crate::state::App;

/// At most one record of a kind in this time. With the timer's period no count waits longer than a minute.
const EVERY_MS: i64 = 55_000;
/// How often the timer looks.
const PERIOD: Duration = Duration::from_secs(5);
/// Kinds that are told apart; what comes beyond counts as one.
const KINDS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<Kind, Counted>>);

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A token that is none. Nobody knows whose.
    SignIn,
    /// A request that this one, by name, may not make.
    Request(String),
    /// The same by more people than are told apart.
    Others,
}

#[derive(Debug, Default)]
struct Counted {
    recorded_wall_ms: Option<i64>,
    /// Refused and not recorded yet.
    waiting: u64,
    /// What was asked for last.
    object: String,
}

impl Counted {
    /// How many to record now; `None` while the last record is too young, or when there is nothing to tell.
    fn due(&mut self, now_wall_ms: i64) -> Option<u64> {
        // A clock that went back must not silence this for long.
        let young = |last: i64| (0..EVERY_MS).contains(&(now_wall_ms - last));
        if self.waiting == 0 || self.recorded_wall_ms.is_some_and(young) {
            return None;
        }
        self.recorded_wall_ms = Some(now_wall_ms);
        Some(std::mem::take(&mut self.waiting))
    }
}

/// A record to write: what was refused, what was asked for last, and how often.
type Due = (Kind, String, u64);

impl Refusals {
    /// Counts one; gives what to record now.
    fn count(&self, kind: Kind, object: &str, now_wall_ms: i64) -> Option<Due> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted.contains_key(&kind) || counted.len() < KINDS_MAX;
        let kind = if known { kind } else { Kind::Others };
        let of_kind = counted.entry(kind.clone()).or_default();
        of_kind.waiting += 1;
        object.clone_into(&mut of_kind.object);
        of_kind.due(now_wall_ms).map(|count| (kind, of_kind.object.clone(), count))
    }

    /// What is to be recorded although nothing more came; with `all`, also what could wait.
    fn due(&self, now_wall_ms: i64, all: bool) -> Vec<Due> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = counted.iter_mut().filter_map(|(kind, of_kind)| {
            if all {
                of_kind.recorded_wall_ms = None;
            }
            let count = of_kind.due(now_wall_ms)?;
            Some((kind.clone(), of_kind.object.clone(), count))
        });
        let due = due.collect();
        // Who has not come for a minute is counted anew.
        let young = |last: i64| (0..EVERY_MS).contains(&(now_wall_ms - last));
        counted.retain(|_, one| one.waiting > 0 || one.recorded_wall_ms.is_some_and(young));
        due
    }

    /// What could not be recorded waits on.
    fn put_back(&self, (kind, object, count): Due) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = counted.entry(kind).or_default();
        of_kind.waiting = of_kind.waiting.saturating_add(count);
        of_kind.object = object;
    }
}

/// Someone came with a token that is none. Refused it is also when this cannot be recorded.
pub(crate) async fn note(app: &App, where_to: &str) {
    let now = clock::wall_ms();
    let due = app.refusals.count(Kind::SignIn, where_to, now);
    record(app, due.into_iter().collect(), now).await;
}

/// Someone who is known asked for a change that their token does not allow. `route` has no names and ids in it.
pub(crate) async fn note_request(app: &App, who: &str, method: &Method, route: &str) {
    let now = clock::wall_ms();
    let due = app.refusals.count(Kind::Request(who.to_owned()), &format!("{method} {route}"), now);
    record(app, due.into_iter().collect(), now).await;
}

/// Records what waits, until the server stops; then the rest of it.
pub(crate) async fn run(app: App) {
    let mut stopping = app.stopping.clone();
    while !*stopping.borrow() {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stopping.changed() => break,
        }
        let now = clock::wall_ms();
        record(&app, app.refusals.due(now, false), now).await;
    }
}

/// Records what is left. For the end, when no request can come any more.
pub(crate) async fn flush(app: &App) {
    let now = clock::wall_ms();
    record(app, app.refusals.due(now, true), now).await;
}

async fn record(app: &App, due: Vec<Due>, now_wall_ms: i64) {
    for (kind, object, count) in due {
        let unknown = || Principal::Part("unknown".into());
        let (who, action) = match &kind {
            Kind::SignIn => (unknown(), "sign_in.refused"),
            Kind::Request(name) => (Principal::named(name.clone()), "request.refused"),
            Kind::Others => (unknown(), "request.refused"),
        };
        let mut entry = LedgerEntry::event(now_wall_ms, who, action, &object);
        entry.labels = vec![("decision", "deny".to_owned())];
        entry.detail = json!({ "refused_since_the_last_record": count });
        if let Err(error) = app.ledger.record(entry).await {
            tracing::warn!(%error, action, "a refusal is not recorded yet");
            app.refusals.put_back((kind, object, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(refusals: &Refusals, at: i64) -> Option<u64> {
        refusals.count(Kind::SignIn, "api", at).map(|(_, _, count)| count)
    }

    #[test]
    fn a_guesser_makes_one_record_a_minute() {
        let refusals = Refusals::default();
        assert_eq!(count(&refusals, 1_000), Some(1));
        for at in 1_001..1_100 {
            assert_eq!(count(&refusals, at), None);
        }
        assert_eq!(count(&refusals, 61_000), Some(100));
        assert_eq!(count(&refusals, 500), Some(1), "the clock went back");
    }

    #[test]
    fn what_waits_is_told_within_a_minute_although_nobody_comes_again() {
        let refusals = Refusals::default();
        let ada = || Kind::Request("ada".into());
        for kind in [Kind::SignIn, ada(), Kind::SignIn, ada(), ada()] {
            refusals.count(kind, "x", 1_000);
        }
        let period_ms = i64::try_from(PERIOD.as_millis()).expect("short");
        assert!(EVERY_MS + period_ms <= 60_000);
        assert!(refusals.due(1_000 + EVERY_MS - 1, false).is_empty());
        let told = refusals.due(1_000 + EVERY_MS, false);
        assert_eq!(told, [(Kind::SignIn, "x".into(), 1), (ada(), "x".into(), 2)]);
        assert!(refusals.due(1_000_000, false).is_empty(), "once");
    }

    #[test]
    fn a_stop_leaves_nothing_untold() {
        let refusals = Refusals::default();
        refusals.count(Kind::SignIn, "x", 1_000);
        refusals.count(Kind::SignIn, "y", 1_001);
        assert_eq!(refusals.due(1_002, true), [(Kind::SignIn, "y".into(), 1)]);
        refusals.put_back((Kind::SignIn, "y".into(), 1));
        assert_eq!(refusals.due(1_003, true).len(), 1, "what was not recorded waits on");
    }

    #[test]
    fn kinds_are_bounded() {
        let refusals = Refusals::default();
        for n in 0..2 * KINDS_MAX {
            refusals.count(Kind::Request(n.to_string()), "x", 1_000);
        }
        assert!(refusals.0.lock().expect("not poisoned").len() <= KINDS_MAX + 1);
    }
}
