//! Every measure against what pandas finds in the same cases (`tests/oracle/measures.py`).

use std::collections::BTreeMap;

use lockgate_model::interaction::{Interaction, Score};
use lockgate_value::event::Event;
use lockgate_value::gather::Gathered;
use lockgate_value::ledger::Ledger;
use lockgate_value::report::report;
use lockgate_value::rollup::{Bucket, Slot};
use lockgate_value::window::Window;
use serde::Deserialize;
use serde_json::Value;

use crate::given::{self, value};

const ORACLE: &str = include_str!("../oracle/measures.json");

type Row = (String, String, i64, Value, Value, Option<u64>, Option<u64>, Option<i64>);

#[derive(Deserialize)]
struct Case {
    name: String,
    time_zone: String,
    from_wall_ms: i64,
    to_wall_ms: i64,
    agent: Option<String>,
    interactions: Vec<Row>,
    events: Vec<Value>,
    deployments: Vec<Value>,
    security: Vec<String>,
    taken_in_wall_ms: Option<i64>,
    expect: BTreeMap<String, Option<f64>>,
}

/// Rollups of an hour, as a store keeps them.
fn rollups(rows: &[Row]) -> BTreeMap<Slot, Bucket> {
    let mut rollups: BTreeMap<Slot, Bucket> = BTreeMap::new();
    for (agent, version, at, outcome, error, user, cost_nanousd, score) in rows {
        let interaction = Interaction {
            agent: agent.parse().unwrap(),
            version: Some(version.parse().unwrap()),
            outcome: serde_json::from_value(outcome.clone()).unwrap(),
            error: serde_json::from_value(error.clone()).unwrap(),
            user: *user,
            cost_nanousd: *cost_nanousd,
            ..given::interaction(*at)
        };
        let bucket = rollups.entry(Slot::of(&interaction)).or_default();
        bucket.record(&interaction);
        if interaction.error.is_none_or(|error| error.as_str() != "gateway_refused")
            && let Some(score) = score.and_then(Score::from_sign)
        {
            bucket.vote(score);
        }
    }
    rollups
}

fn gathered(case: &Case) -> Gathered {
    let window = Window::new(case.from_wall_ms, case.to_wall_ms, &case.time_zone).unwrap();
    let mut gathered =
        Gathered::new(window, case.agent.as_ref().map(|agent| agent.parse().unwrap()));
    if let Some(at) = case.taken_in_wall_ms {
        gathered.taken_in(at);
    }
    for (slot, bucket) in rollups(&case.interactions) {
        gathered.rollup(&slot, &bucket);
    }
    let mut ledger = Ledger::default();
    for event in &case.events {
        ledger.admit(Event::from_json(event.clone()).unwrap()).unwrap();
    }
    ledger.effective().for_each(|event| gathered.event(event));
    for deployment in &case.deployments {
        gathered.deployment(serde_json::from_value(deployment.clone()).unwrap());
    }
    for number in 0..case.security.len() {
        gathered.security(&given::security(number as u128, case.from_wall_ms));
    }
    gathered
}

#[test]
fn every_measure_is_what_pandas_finds() {
    let cases: Vec<Case> = serde_json::from_str(ORACLE).unwrap();
    assert!(cases.len() >= 12);
    let mut numbers = 0;
    for case in &cases {
        let report = report(&gathered(case));
        for (id, expected) in &case.expect {
            let found = value(&report, id);
            let same = match (found, expected) {
                (Some(found), Some(expected)) => {
                    numbers += 1;
                    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
                }
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(same, "{}: {id} is {found:?} and must be {expected:?}", case.name);
        }
    }
    assert!(numbers > 150, "{numbers}");
}
