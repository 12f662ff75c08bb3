//! What nobody can see in traffic: how work was done before the agent, and for how many people. Invented for the demo, and
//! said to be, so that its value report is whole as soon as a day is over.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Where the facts are from.
const SOURCE: &str = "invented for the demo";

/// Since when they are so.
const SINCE: &str = "2026-01-01T00:00:00Z";

/// Events as the API takes them, of a demo that runs at `now_wall_ms`. The same on the same day: told again, they count once.
pub(crate) fn events(agent: &str, now_wall_ms: i64) -> Vec<Value> {
    let today = Timestamp::from_millisecond(now_wall_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let today = today.strftime("%Y-%m-%d").to_string();
    let of_all = of_all().into_iter().map(|event| (event, SINCE.to_owned(), "always"));
    let of_agent = of_agent().into_iter().map(|mut event| {
        event["agent"] = agent.into();
        (event, SINCE.to_owned(), "always")
    });
    let visits = visits().into_iter().map(|mut event| {
        event["agent"] = agent.into();
        (event, format!("{today}T00:00:00Z"), today.as_str())
    });
    let told = |(number, (mut event, at, when)): (usize, (Value, String, &str))| {
        event["key"] = format!("demo-{agent}-{number}-{when}").into();
        event["at"] = at.into();
        event["source"] = SOURCE.into();
        event
    };
    of_all.chain(of_agent).chain(visits).enumerate().map(told).collect()
}

/// How the work was done before, and by how many: of the whole of the company, so that the report of all agents has it too.
fn of_all() -> Vec<Value> {
    let baseline = |measure: &str, value: &str, unit: &str| json!({ "kind": "baseline", "measure": measure, "value": value, "unit": unit, "as_of": "2026-01-01" });
    vec![
        baseline("minutes_per_task", "9", "minutes"),
        baseline("minutes_with_agent", "0.5", "minutes"),
        baseline("labour_cost_per_hour", "42", "USD"),
        baseline("error_rate_by_hand", "3", "percent"),
        baseline("cost_per_error", "5", "USD"),
        baseline("yearly_cost", "12000000", "USD"),
        baseline("nps", "31", "points"),
        baseline("investment", "60000", "USD"),
        json!({ "kind": "headcount", "employees": 40_000, "seats": 20_000 }),
    ]
}

fn of_agent() -> Vec<Value> {
    vec![
        json!({ "kind": "use_case", "name": "questions of guests", "stage": "production" }),
        json!({ "kind": "use_case", "name": "bookings", "stage": "test" }),
    ]
}

/// Of the day: what lies before the window of a report is not in it.
fn visits() -> Vec<Value> {
    vec![
        json!({ "kind": "conversion", "arm": "control", "visitors": 4_000, "converted": 120 }),
        json!({ "kind": "conversion", "arm": "agent", "visitors": 4_000, "converted": 168 }),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lockgate_value::event::Event;

    use super::*;

    #[test]
    fn each_is_an_event() {
        let events = events("harbour", 1_795_824_000_000);
        let keys: BTreeSet<String> = events.iter().map(|event| event["key"].to_string()).collect();
        assert_eq!(keys.len(), events.len());
        for event in events {
            let read = Event::from_json(event.clone());
            read.unwrap_or_else(|error| panic!("{event}: {error}"));
        }
    }
}
