//! What nobody can see in traffic: how work was done before the agent, and for how many people. Invented for the demo, and
//! said to be, so that its value report is whole.

use serde_json::{Value, json};

/// Where the facts are from.
const SOURCE: &str = "invented for the demo";

/// Since when they are so.
const AT: &str = "2026-01-01T00:00:00Z";

/// Events as the API takes them. Their keys are fixed: told again, they count once.
pub(crate) fn events(agent: &str) -> Vec<Value> {
    let baseline = |measure: &str, value: &str, unit: &str| json!({ "kind": "baseline", "measure": measure, "value": value, "unit": unit, "as_of": "2026-01-01" });
    let all = [
        baseline("minutes_per_task", "9", "minutes"),
        baseline("minutes_with_agent", "0.5", "minutes"),
        baseline("labour_cost_per_hour", "42", "USD"),
        baseline("error_rate_by_hand", "3", "percent"),
        baseline("cost_per_error", "5", "USD"),
        baseline("yearly_cost", "12000000", "USD"),
        baseline("nps", "31", "points"),
        baseline("investment", "60000", "USD"),
        json!({ "kind": "headcount", "employees": 40_000, "seats": 20_000 }),
        json!({ "kind": "use_case", "name": "questions of guests", "stage": "production" }),
        json!({ "kind": "use_case", "name": "bookings", "stage": "test" }),
        json!({ "kind": "conversion", "arm": "control", "visitors": 4_000, "converted": 120 }),
        json!({ "kind": "conversion", "arm": "agent", "visitors": 4_000, "converted": 168 }),
    ];
    let common = |(number, mut event): (usize, Value)| {
        event["key"] = format!("demo-{agent}-{number}").into();
        event["at"] = AT.into();
        event["source"] = SOURCE.into();
        event["agent"] = agent.into();
        event
    };
    all.into_iter().enumerate().map(common).collect()
}

#[cfg(test)]
mod tests {
    use lockgate_value::event::Event;

    use super::*;

    #[test]
    fn each_is_an_event() {
        for event in events("harbour") {
            let read = Event::from_json(event.clone());
            read.unwrap_or_else(|error| panic!("{event}: {error}"));
        }
    }
}
