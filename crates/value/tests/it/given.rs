//! Short ways to give a report something.

use lockgate_model::ids::{AgentName, Epoch, InteractionId, SecurityEventId};
use lockgate_model::interaction::{Interaction, Usage};
use lockgate_model::security::{SecurityCause, SecurityEvent};
use lockgate_value::event::Event;
use lockgate_value::gather::{Deployment, End, Gathered};
use lockgate_value::ledger::Ledger;
use lockgate_value::report::{ValueReport, report};
use lockgate_value::rollup::{Bucket, Slot};
use lockgate_value::window::Window;
use serde_json::{Value, json};
use uuid::Uuid;

/// 2026-03-01T00:00:00Z.
pub(crate) const MARCH: i64 = 1_772_323_200_000;

pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}

/// `days` from the first of March 2026 on, all agents.
pub(crate) fn march(days: i64) -> Gathered {
    Gathered::new(Window::new(MARCH, MARCH + days * DAY, "UTC").unwrap(), None)
}

pub(crate) fn interaction(at_wall_ms: i64) -> Interaction {
    Interaction {
        id: InteractionId(Uuid::from_u128(1)),
        agent: agent("support"),
        version: Some("v1".parse().unwrap()),
        rollout: None,
        epoch: Epoch(0),
        user: None,
        conversation: None,
        started_wall_ms: at_wall_ms,
        status: Some(200),
        error: None,
        outcome: None,
        first_byte_us: None,
        total_us: None,
        usage: Usage::default(),
        model: None,
        cost_nanousd: None,
        price_table: None,
        unpriced: None,
    }
}

pub(crate) fn take(gathered: &mut Gathered, interaction: &Interaction) {
    let mut bucket = Bucket::default();
    bucket.record(interaction);
    gathered.rollup(&Slot::of(interaction), &bucket);
}

/// An event on the second of March; `what` adds to it or says otherwise.
pub(crate) fn event(key: &str, what: &Value) -> Event {
    let mut event =
        json!({"key": key, "at_wall_ms": MARCH + DAY, "agent": "support", "source": "a test"});
    event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    Event::from_json(event).unwrap()
}

/// Takes in events as a store would: those that count.
pub(crate) fn tell<'a>(gathered: &mut Gathered, events: impl IntoIterator<Item = &'a Value>) {
    let mut ledger = Ledger::default();
    for (at, what) in events.into_iter().enumerate() {
        ledger.admit(event(&format!("e{at}"), what)).unwrap();
    }
    for event in ledger.effective() {
        gathered.event(event);
    }
}

pub(crate) fn deployment(id: &str, end: End) -> Deployment {
    Deployment {
        finished_wall_ms: MARCH + DAY,
        id: id.into(),
        agent: agent("support"),
        version: Some("v1".parse().unwrap()),
        end,
        in_production: true,
        started_wall_ms: None,
        committed_wall_ms: None,
        detected_wall_ms: None,
        recovered_wall_ms: None,
    }
}

pub(crate) fn security(number: u128, at_wall_ms: i64) -> SecurityEvent {
    SecurityEvent {
        id: SecurityEventId(Uuid::from_u128(number)),
        agent: agent("support"),
        version: "v1".parse().unwrap(),
        cause: SecurityCause::Operator,
        rule: None,
        principal: "ops".into(),
        detail: "seen".into(),
        stable_shows_it: None,
        at_wall_ms,
    }
}

pub(crate) fn value(report: &ValueReport, id: &str) -> Option<f64> {
    let measured = report.measures.iter().find(|measured| measured.id.spec().id == id).expect(id);
    assert!(
        measured.value.is_some() != measured.missing.is_some(),
        "{id} has a value or says why not"
    );
    measured.value
}

pub(crate) fn reported(gathered: &Gathered) -> ValueReport {
    report(gathered)
}
