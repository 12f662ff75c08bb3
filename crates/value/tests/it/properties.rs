//! The order in which things come does not matter, nor does what comes twice.

use std::collections::BTreeMap;

use lockgate_model::interaction::{Interaction, Outcome};
use lockgate_value::event::Event;
use lockgate_value::gather::Gathered;
use lockgate_value::ledger::{Admitted, Ledger};
use lockgate_value::render;
use lockgate_value::rollup::{Bucket, Slot};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::given::{DAY, HOUR, MARCH, event, interaction, march, reported};

fn what() -> impl Strategy<Value = Value> {
    let at = MARCH - DAY..MARCH + 9 * DAY;
    (at, 0..11u64, 0..7u8, any::<bool>()).prop_map(|(at, number, kind, switch)| {
        let mut what = match kind {
            0 => json!({"kind": "survey", "score": number}),
            1 => json!({"kind": "time_saved", "minutes": format!("-{number}.1"), "tasks": number + 1}),
            2 => json!({"kind": "conversion", "arm": if switch { "agent" } else { "control" }, "visitors": 20, "converted": number}),
            3 => json!({"kind": "incident", "detected_wall_ms": at, "recovered_wall_ms": switch.then_some(at + 7)}),
            4 => json!({"kind": "headcount", "employees": number + 1, "seats": 3}),
            5 => json!({"kind": "use_case", "name": format!("u{}", number % 3), "stage": if switch { "test" } else { "production" }}),
            _ => json!({"kind": "external_cost", "billed_cost": format!("{number}.333"), "billing_currency": "USD", "service_name": "s",
                "charge_period_start_wall_ms": at, "charge_period_end_wall_ms": at + 50 * HOUR}),
        };
        what.as_object_mut().unwrap().insert("at_wall_ms".into(), at.into());
        what
    })
}

/// Events of which some correct an earlier one, each at most once.
fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((what(), any::<bool>()), 0..24).prop_map(|all| {
        let mut events = Vec::new();
        // The last one of each kind, which the next one of it may correct.
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for (at, (mut what, corrects)) in all.into_iter().enumerate() {
            let before = last.insert(what["kind"].to_string(), at);
            if let Some(before) = before.filter(|_| corrects) {
                what.as_object_mut()
                    .unwrap()
                    .insert("corrects".into(), format!("k{before}").into());
            }
            events.push(event(&format!("k{at}"), &what));
        }
        events
    })
}

fn rollups() -> impl Strategy<Value = Vec<(Slot, Bucket)>> {
    let one =
        (0..7 * 24i64, 0..3u8, prop::option::of(0..9u64), prop::option::of(any::<u32>()), 0..2u8);
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let of = |(hour, outcome, user, cost, version): (i64, u8, Option<u64>, Option<u32>, u8)| {
            let outcome =
                [None, Some(Outcome::Resolved), Some(Outcome::Escalated)][usize::from(outcome)];
            let version = Some(format!("v{version}").parse().unwrap());
            let cost_nanousd = cost.map(u64::from);
            let interaction = Interaction {
                outcome,
                user,
                cost_nanousd,
                version,
                ..interaction(MARCH + hour * HOUR)
            };
            let mut bucket = Bucket::default();
            bucket.record(&interaction);
            (Slot::of(&interaction), bucket)
        };
        all.into_iter().map(of).collect()
    })
}

fn json_of(events: &[Event], rollups: &[(Slot, Bucket)]) -> String {
    let mut gathered: Gathered = march(7);
    let mut ledger = Ledger::default();
    for event in events {
        ledger.admit(event.clone()).unwrap();
    }
    for (slot, bucket) in rollups {
        gathered.rollup(slot, bucket);
    }
    for event in ledger.effective() {
        gathered.event(event);
    }
    render::json(&reported(&gathered)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_in_another_order_gives_the_same_bytes(events in events(), rollups in rollups(), turn in any::<prop::sample::Index>()) {
        let (mut other, mut hours) = (events.clone(), rollups.clone());
        other.reverse();
        if !hours.is_empty() {
            let at = turn.index(hours.len());
            hours.rotate_left(at);
        }
        let twice: Vec<Event> = other.iter().chain(&events).cloned().collect();
        prop_assert_eq!(json_of(&twice, &hours), json_of(&events, &rollups));
    }

    #[test]
    fn events_taken_in_any_order_are_the_same_events(events in events()) {
        let mut gathered = [march(7), march(7)];
        for (event, last) in events.iter().zip(events.iter().rev()) {
            gathered[0].event(event);
            gathered[1].event(last);
        }
        let [one, other] = gathered.map(|gathered| render::json(&reported(&gathered)).unwrap());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_second_time_is_a_duplicate(events in events()) {
        let mut ledger = Ledger::default();
        for event in &events {
            prop_assert_eq!(ledger.admit(event.clone()), Ok(Admitted::New));
        }
        for event in &events {
            prop_assert_eq!(ledger.admit(event.clone()), Ok(Admitted::Duplicate));
        }
        prop_assert_eq!(ledger.len(), events.len());
    }

    #[test]
    fn every_text_is_an_event_or_refused(text in "\\PC{0,80}") {
        let defaults = lockgate_value::import::Defaults::default();
        if let Ok(Some(event)) = lockgate_value::import::jsonl(1, &text, &defaults) {
            prop_assert!(event.check().is_ok());
        }
    }

    #[test]
    fn rollups_merged_beforehand_are_the_same(rollups in rollups()) {
        let mut merged: std::collections::BTreeMap<Slot, Bucket> = std::collections::BTreeMap::new();
        for (slot, bucket) in &rollups {
            merged.entry(slot.clone()).or_default().merge(bucket);
        }
        let merged: Vec<(Slot, Bucket)> = merged.into_iter().collect();
        prop_assert_eq!(json_of(&[], &merged), json_of(&[], &rollups));
    }
}
