//! Which events count: each key once, and none that another event corrects.
//!
//! The rule needs no order, so that a store can ask it of two columns: an event counts when no event's `corrects` names
//! it. A correction that comes before what it corrects counts from the start, and the late original never does. A
//! correction can be corrected in turn; only the last of such a chain counts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;

use crate::event::{Event, Key, What};

/// What became of an event that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is new.
    New,
    /// The same event is there already; nothing changed.
    Duplicate,
}

/// Why an event was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another event has its key.
    #[error(
        "key: `{0}` is there with other content; an event is never changed: send a new one with a new key and `corrects: {0}`"
    )]
    Key(Key),
    /// The event that is there under its key is the same at another time.
    #[error(
        "at: `{key}` is there as of {at}, else the same; leave the time out or say that one, and to change it send a new event with a new key and `corrects: {key}`"
    )]
    Time {
        /// Its key.
        key: Key,
        /// Its time.
        at: Timestamp,
    },
    /// The event that it corrects is corrected by another.
    #[error("corrects: `{corrected}` is corrected by `{by}` already; correct `{by}`")]
    Corrected {
        /// What both correct.
        corrected: Key,
        /// The one that was first.
        by: Key,
    },
    /// The event that it corrects is about another agent.
    #[error(
        "corrects: `{0}` is about another agent; withdraw it as an event of that agent, and record it anew"
    )]
    Agent(Key),
    /// The event that it corrects is of another kind.
    #[error(
        "corrects: `{corrected}` is of kind `{kind}`; correct it by one of that kind, or withdraw it"
    )]
    Kind {
        /// What it corrects.
        corrected: Key,
        /// Of which kind that is.
        kind: &'static str,
    },
    /// It withdraws a withdrawal.
    #[error(
        "corrects: `{0}` is a withdrawal; to undo it, record what it withdrew again, with `corrects: {0}`"
    )]
    Withdrawal(Key),
    /// It corrects an event that corrects it, over others perhaps.
    #[error("corrects: `{0}` would correct itself over other corrections")]
    Circle(Key),
}

impl Conflict {
    /// Why an event of one kind cannot correct this one of another: only one of the same kind does, or a withdrawal; and
    /// after a withdrawal anything.
    pub fn of_kinds(by: &'static str, corrected: &Key, kind: &'static str) -> Option<Self> {
        match (by == What::WITHDRAWN, kind == What::WITHDRAWN) {
            (true, true) => Some(Self::Withdrawal(corrected.clone())),
            (false, false) if by != kind => Some(Self::Kind { corrected: corrected.clone(), kind }),
            _ => None,
        }
    }

    /// Why an event cannot be the one that is there under its key.
    pub fn with(known: &Event, event: &Event) -> Self {
        let key = event.key.clone();
        let moved = Event { at_wall_ms: known.at_wall_ms, ..event.clone() };
        match Timestamp::from_millisecond(known.at_wall_ms) {
            Ok(at) if moved == *known => Self::Time { key, at },
            _ => Self::Key(key),
        }
    }
}

/// All events, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    events: BTreeMap<Key, Event>,
    /// Corrected event → the one that corrects it.
    corrected: BTreeMap<Key, Key>,
}

impl Ledger {
    /// Takes an event in, whatever came before it.
    pub fn admit(&mut self, event: Event) -> Result<Admitted, Conflict> {
        if let Some(known) = self.events.get(&event.key) {
            let same = *known == event;
            return same
                .then_some(Admitted::Duplicate)
                .ok_or_else(|| Conflict::with(known, &event));
        }
        let by = self.corrected.get(&event.key).and_then(|by| self.events.get(by));
        if by.is_some_and(|by| by.agent != event.agent) {
            return Err(Conflict::Agent(event.key));
        }
        if let Some(why) =
            by.and_then(|by| Conflict::of_kinds(by.what.kind(), &event.key, event.what.kind()))
        {
            return Err(why);
        }
        if let Some(corrects) = &event.corrects {
            if self.events.get(corrects).is_some_and(|known| known.agent != event.agent) {
                return Err(Conflict::Agent(corrects.clone()));
            }
            let known = self.events.get(corrects).map(|known| known.what.kind());
            if let Some(why) =
                known.and_then(|kind| Conflict::of_kinds(event.what.kind(), corrects, kind))
            {
                return Err(why);
            }
            if self.leads_to(&event.key, corrects) {
                return Err(Conflict::Circle(event.key));
            }
            match self.corrected.entry(corrects.clone()) {
                Entry::Vacant(place) => place.insert(event.key.clone()),
                Entry::Occupied(by) => {
                    return Err(Conflict::Corrected {
                        corrected: corrects.clone(),
                        by: by.get().clone(),
                    });
                }
            };
        }
        self.events.insert(event.key.clone(), event);
        Ok(Admitted::New)
    }

    /// Whether corrections of `from` come to `to`. No circle was let in, so this ends.
    fn leads_to(&self, from: &Key, to: &Key) -> bool {
        let mut at = from;
        while let Some(by) = self.corrected.get(at) {
            if by == to {
                return true;
            }
            at = by;
        }
        false
    }

    /// The events that count, by key.
    pub fn effective(&self) -> impl Iterator<Item = &Event> {
        let counts = |event: &&Event| {
            !self.corrected.contains_key(&event.key)
                && !matches!(event.what, What::Withdrawn { .. })
        };
        self.events.values().filter(counts)
    }

    /// All that were taken in.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn survey(key: &str, score: u8, corrects: Option<&str>) -> Event {
        let event = json!({"key": key, "at": "2026-03-01T09:30:00Z", "source": "s", "corrects": corrects, "kind": "survey", "score": score});
        Event::from_json(event).unwrap()
    }

    const T0_MS: i64 = 1_772_357_400_000;

    fn effective(ledger: &Ledger) -> Vec<&str> {
        ledger.effective().map(|event| event.key.as_str()).collect()
    }

    #[test]
    fn the_same_event_counts_once_and_another_with_its_key_is_refused() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.admit(survey("a", 9, None)), Ok(Admitted::New));
        assert_eq!(ledger.admit(survey("a", 9, None)), Ok(Admitted::Duplicate));
        assert!(matches!(ledger.admit(survey("a", 8, None)), Err(Conflict::Key(_))));
        let later = Event { at_wall_ms: T0_MS + 1, ..survey("a", 9, None) };
        let refused = ledger.admit(later).unwrap_err().to_string();
        assert!(refused.starts_with("at: `a` is there as of 2026-03-01T09:30:00Z"), "{refused}");
        assert_eq!((ledger.len(), effective(&ledger)), (1, vec!["a"]));
    }

    #[test]
    fn only_the_last_of_a_chain_of_corrections_counts_in_any_order_of_arrival() {
        let [a, b, c] =
            [survey("a", 9, None), survey("b", 8, Some("a")), survey("c", 7, Some("b"))];
        for order in
            [[&a, &b, &c], [&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]]
        {
            let mut ledger = Ledger::default();
            for event in order {
                ledger.admit(event.clone()).unwrap();
            }
            assert_eq!(effective(&ledger), ["c"]);
        }
    }

    #[test]
    fn a_correction_counts_before_what_it_corrects_is_there() {
        let mut ledger = Ledger::default();
        ledger.admit(survey("b", 8, Some("a"))).unwrap();
        assert_eq!(effective(&ledger), ["b"]);
        ledger.admit(survey("a", 9, None)).unwrap();
        assert_eq!(effective(&ledger), ["b"]);
    }

    #[test]
    fn only_the_same_kind_corrects_or_a_withdrawal_and_that_is_not_withdrawn() {
        let other = |key: &str, kind: &str, corrects: &str| {
            let mut event = json!({"key": key, "at": "2026-03-01T09:30:00Z", "source": "s", "corrects": corrects, "kind": kind});
            if kind == "withdrawn" {
                event["reason"] = "r".into();
            } else {
                event["detected"] = "2026-03-01T09:00:00Z".into();
            }
            Event::from_json(event).unwrap()
        };
        let mut ledger = Ledger::default();
        ledger.admit(survey("a", 9, None)).unwrap();
        let refused = ledger.admit(other("i", "incident", "a")).unwrap_err();
        assert!(matches!(refused, Conflict::Kind { kind: "survey", .. }), "{refused}");
        // Also when the correction came first.
        ledger.admit(other("j", "incident", "b")).unwrap();
        assert!(matches!(ledger.admit(survey("b", 9, None)), Err(Conflict::Kind { .. })));
        ledger.admit(other("w", "withdrawn", "a")).unwrap();
        let refused = ledger.admit(other("x", "withdrawn", "w")).unwrap_err();
        assert!(matches!(refused, Conflict::Withdrawal(_)), "{refused}");
        ledger.admit(survey("again", 9, Some("w"))).unwrap();
        assert_eq!(effective(&ledger), ["again", "j"]);
    }

    #[test]
    fn two_corrections_of_one_event_and_circles_are_refused() {
        let mut ledger = Ledger::default();
        ledger.admit(survey("b", 8, Some("a"))).unwrap();
        assert!(matches!(ledger.admit(survey("c", 8, Some("a"))), Err(Conflict::Corrected { .. })));
        ledger.admit(survey("c", 8, Some("b"))).unwrap();
        assert!(matches!(ledger.admit(survey("a", 8, Some("c"))), Err(Conflict::Circle(_))));
        assert_eq!(effective(&ledger), ["c"]);
    }

    #[test]
    fn a_withdrawal_takes_an_event_away_and_counts_as_nothing() {
        let mut ledger = Ledger::default();
        ledger.admit(survey("a", 9, None)).unwrap();
        let withdrawn = json!({"key": "w", "at": "2026-03-01T09:30:00Z", "source": "s", "corrects": "a", "kind": "withdrawn", "reason": "twice"});
        ledger.admit(Event::from_json(withdrawn).unwrap()).unwrap();
        assert!(effective(&ledger).is_empty());
        assert!(!ledger.is_empty());
    }
}
