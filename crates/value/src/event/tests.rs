use serde_json::json;

use super::*;

fn refused(value: Value) -> (String, String) {
    let Invalid { field, reason } = Event::from_json(value).unwrap_err();
    (field, reason)
}

fn with(what: &Value) -> Value {
    let mut event = json!({"key": "k-1", "at": "2026-03-01T09:30:00Z", "agent": "support", "source": "survey of March"});
    event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    event
}

#[test]
fn an_event_is_one_flat_object_and_comes_back_as_it_was() {
    let event = Event::from_json(with(&json!({"kind": "survey", "score": 9}))).unwrap();
    assert_eq!(event.at_wall_ms, 1_772_357_400_000);
    assert_eq!(event.what, What::Survey { score: 9 });
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(
        text,
        r#"{"key":"k-1","at_wall_ms":1772357400000,"agent":"support","source":"survey of March","kind":"survey","score":9}"#
    );
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}

#[test]
fn every_kind_is_read_and_written() {
    let id = "0190b6c4-7e1d-7000-8000-000000000001";
    let kinds = [
        json!({"kind": "survey", "score": 0}),
        json!({"kind": "baseline", "measure": "minutes_per_task", "value": 12.5, "unit": "minutes", "as_of": "2026-01-31"}),
        json!({"kind": "headcount", "employees": 1200, "seats": 40}),
        json!({"kind": "time_saved", "minutes": "-3", "tasks": 20, "user": "9f"}),
        json!({"kind": "conversion", "arm": "control", "visitors": 100, "converted": 100}),
        json!({"kind": "incident", "detected": "2026-03-01T09:00:00Z", "recovered": "2026-03-01T09:00:00Z", "caused_by": "v2", "release": id}),
        json!({"kind": "external_cost", "billed_cost": "-1.25", "billing_currency": "USD", "charge_period_start": "2026-03-01T00:00:00Z", "charge_period_end": "2026-03-02T00:00:00Z", "service_name": "Search", "model_usage": true}),
        json!({"kind": "use_case", "name": "refunds", "stage": "production"}),
        json!({"kind": "system", "name": "desk", "stage": "retired"}),
        json!({"kind": "deployment", "outcome": "failed", "finished": "2026-03-01T09:00:00Z", "committed": "2026-02-28T09:00:00Z", "detected": "2026-03-01T09:00:00Z"}),
        json!({"kind": "replacement_check", "interaction": id, "verified": false}),
        json!({"kind": "error_introduced", "count": 2, "detail": "wrong refund"}),
        json!({"kind": "withdrawn", "corrects": "k-0", "reason": "counted twice"}),
    ];
    let names: Vec<&str> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, What::KINDS);
    for kind in kinds {
        let event = Event::from_json(with(&kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(event.what.kind(), kind["kind"]);
        let again = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
        assert_eq!(event, again);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    for (what, field, word) in [
        (json!({"kind": "survey", "score": 11}), "score", "0 to 10"),
        (json!({"kind": "survey", "score": -1}), "score", "expected u8"),
        (json!({"kind": "survey", "score": 7.5}), "score", "expected u8"),
        (json!({"kind": "survey"}), "score", "missing"),
        (json!({"kind": "survey", "score": 1, "scroe": 2}), "scroe", "unknown field"),
        (json!({"kind": "survey", "score": 1, "": 2}), "event", "unknown field"),
        (json!({"kind": "poll"}), "kind", "survey, baseline"),
        (json!({"kind": "survey", "score": 1, "key": "a b"}), "key", "without spaces"),
        (json!({"kind": "survey", "score": 1, "key": null}), "key", "missing"),
        (json!({"kind": "survey", "score": 1, "agent": "Not A Name"}), "agent", "not a valid name"),
        (json!({"kind": "survey", "score": 1, "source": "x".repeat(513)}), "source", "512 bytes"),
        (json!({"kind": "survey", "score": 1, "at": "2026-03-01T09:30:00"}), "at", "RFC 3339"),
        (json!({"kind": "survey", "score": 1, "at_wall_ms": 5}), "at", "not both"),
        (json!({"kind": "survey", "score": 1, "corrects": "k-1"}), "corrects", "itself"),
        (
            json!({"kind": "survey", "score": 1, "agent": null, "version": "v1"}),
            "agent",
            "name the agent",
        ),
        (
            json!({"kind": "conversion", "arm": "agent", "visitors": 1, "converted": 1, "agent": null}),
            "agent",
            "one agent",
        ),
        (
            json!({"kind": "conversion", "arm": "agent", "visitors": 5, "converted": 6}),
            "converted",
            "more than all",
        ),
        (
            json!({"kind": "conversion", "arm": "agent", "visitors": 0, "converted": 0}),
            "visitors",
            "between 1",
        ),
        (
            json!({"kind": "conversion", "arm": "both", "visitors": 1, "converted": 0}),
            "arm",
            "unknown variant",
        ),
        (json!({"kind": "headcount"}), "employees", "at least one"),
        (json!({"kind": "headcount", "seats": 0}), "seats", "between 1"),
        (json!({"kind": "time_saved", "minutes": "NaN"}), "minutes", "no number"),
        (json!({"kind": "time_saved", "minutes": 525_601}), "minutes", "not between"),
        (
            json!({"kind": "baseline", "measure": "nps", "value": 101, "unit": "points", "as_of": "2026-01-01"}),
            "value",
            "not between",
        ),
        (
            json!({"kind": "baseline", "measure": "nps", "value": 1, "unit": "USD", "as_of": "2026-01-01"}),
            "unit",
            "points",
        ),
        (
            json!({"kind": "baseline", "measure": "yearly_cost", "value": 1, "unit": "usd", "as_of": "2026-01-01"}),
            "unit",
            "currency",
        ),
        (
            json!({"kind": "baseline", "measure": "yearly_cost", "value": 1, "unit": "USD", "as_of": "01/02/2026"}),
            "as_of",
            "date",
        ),
        (
            json!({"kind": "incident", "detected": "2026-03-01T09:00:00Z", "recovered": "2026-03-01T08:59:59Z"}),
            "recovered_wall_ms",
            "before detected",
        ),
        (
            json!({"kind": "incident", "detected_wall_ms": 1_772_357_400}),
            "detected_wall_ms",
            "seconds",
        ),
        (
            json!({"kind": "deployment", "outcome": "failed", "finished": "2026-03-01T09:00:00Z", "recovered": "2026-03-01T09:00:00Z"}),
            "detected_wall_ms",
            "noticed",
        ),
        (json!({"kind": "withdrawn", "reason": "x"}), "corrects", "withdrawn"),
    ] {
        let (at, reason) = refused(with(&what));
        assert_eq!(at, field, "{what}: {reason}");
        assert!(reason.contains(word), "{what}: {reason}");
    }
    assert_eq!(refused(json!([1])).0, "event");
}

#[test]
fn an_offset_makes_a_time_the_same_everywhere() {
    let at = |text: &str| {
        Event::from_json(with(&json!({"kind": "survey", "score": 1, "at": text})))
            .unwrap()
            .at_wall_ms
    };
    assert_eq!(at("2026-03-29T02:30:00+01:00"), at("2026-03-29T01:30:00Z"));
    assert_eq!(at("2026-03-29T03:30:00+02:00"), at("2026-03-29T01:30:00Z"));
}
