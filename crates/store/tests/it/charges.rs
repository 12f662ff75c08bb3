//! Charges that may be there twice are told.

use lockgate_store::{AlsoCharged, Store};
use lockgate_value::event::{Draft, Event};
use serde_json::{Value, json};

use crate::value::{file, tell};
use crate::world::{Database, T0, agent_a};

const DAY_MS: i64 = 86_400_000;

fn charge(key: &str, day: i64, more: &Value) -> Event {
    let start = T0 + day * DAY_MS;
    let mut event = json!({
        "key": key, "at_wall_ms": start, "agent": "agent-a", "source": "bill",
        "kind": "external_cost", "billed_cost": "1", "billing_currency": "USD",
        "charge_period_start_wall_ms": start, "charge_period_end_wall_ms": start + DAY_MS,
        "service_name": "Search", "provider_name": "Cloud",
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Event::from_json(event).unwrap()
}

fn search(days: std::ops::Range<i64>) -> AlsoCharged {
    AlsoCharged {
        agent: Some(agent_a()),
        provider: Some("Cloud".into()),
        service: "Search".into(),
        from_wall_ms: T0 + days.start * DAY_MS,
        to_wall_ms: T0 + days.end * DAY_MS,
    }
}

async fn also(store: &Store, events: &[Event]) -> Vec<AlsoCharged> {
    let drafts: Vec<Draft> = events.iter().cloned().map(Draft::from).collect();
    store.also_charged(&drafts).await.unwrap()
}

pub(crate) async fn the_same_bill_in_another_form_is_told(db: &Database) {
    let none = json!({});
    let first = [charge("a", 0, &none), charge("b", 1, &none)];
    assert_eq!(also(db, &first).await, [], "nothing else is there");
    db.begin_import(&file("first", 2)).await.unwrap();
    db.import_rows("first", 0, &first[..1], "ada", T0).await.unwrap();
    assert_eq!(also(db, &[charge("c", 0, &none)]).await, [], "it is not whole");
    db.import_rows("first", 1, &first[1..], "ada", T0).await.unwrap();
    assert_eq!(db.import_also_charged("first").await.unwrap(), [], "its own are no others");
    assert_eq!(also(db, &first).await, [], "they are the same");
    let other = [charge("c", 0, &none), charge("d", 1, &none), charge("b", 1, &none)];
    assert_eq!(also(db, &other).await, [search(0..2)]);
    for (more, why) in [
        (json!({ "service_name": "Vectors" }), "another service"),
        (json!({ "agent": "agent-b" }), "another agent"),
        (json!({ "model_usage": true }), "it is not added"),
        (json!({ "corrects": "a" }), "it takes the place of one"),
    ] {
        assert_eq!(also(db, &[charge("e", 0, &more)]).await, [], "{why}");
    }
    assert_eq!(also(db, &[charge("e", 2, &none)]).await, [], "another time");
    // An export may leave the provider out, call it otherwise, or write the service in other letters.
    for more in [
        json!({ "provider_name": null }),
        json!({ "provider_name": "Other" }),
        json!({ "service_name": "SEARCH" }),
    ] {
        assert_eq!(also(db, &[charge("e", 0, &more)]).await.len(), 1, "{more}");
    }
    // So it is when somebody recorded it later, without a time of its own.
    let later = Event { at_wall_ms: T0 + 400 * 86_400_000, ..charge("late", 5, &none) };
    db.tell_events(&[later.into()], "ada", T0).await.unwrap();
    assert_eq!(also(db, &[charge("e", 5, &none)]).await.len(), 1);
    db.begin_import(&file("other", 3)).await.unwrap();
    db.import_rows("other", 0, &other, "ada", T0).await.unwrap();
    assert_eq!(db.import_also_charged("other").await.unwrap(), [search(0..2)]);
    // Once one of the two is withdrawn, it is told no more.
    let gone = |key: &str, corrects: &str| {
        Event::from_json(json!({
            "key": key, "at_wall_ms": T0, "agent": "agent-a", "source": "ada",
            "kind": "withdrawn", "corrects": corrects, "reason": "twice",
        }))
        .unwrap()
    };
    tell(db, &[gone("x", "a"), gone("y", "b")]).await.unwrap();
    assert_eq!(db.import_also_charged("other").await.unwrap(), []);
}
