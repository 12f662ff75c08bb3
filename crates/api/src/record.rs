//! Writing down who changed what, before it is acknowledged.

use lockgate_model::ledger::{Kept, LedgerEntry, Principal as Who};
use lockgate_store::JournalEntry;
use serde_json::{Value, json};

use crate::auth::Principal;
use crate::clock;
use crate::problem::{ApiError, Kind};
use crate::state::App;

/// Where a detail holds what someone wrote: a reason, that of an override, the rule of a security event, and what a change
/// of configuration is about, in which people are named too.
const WRITTEN: [&str; 5] = ["/reason", "/override", "/rule", "/diff", "/not_none"];

/// Adds an entry to the audit log, and to the list of changes that people page through. Without
/// it, nothing is acknowledged.
pub(crate) async fn record(
    app: &App,
    principal: &Principal,
    action: &str,
    subject: impl Into<String>,
    detail: Value,
) -> Result<(), ApiError> {
    let entry = JournalEntry {
        at_wall_ms: clock::wall_ms(),
        principal: principal.name.clone(),
        action: action.to_owned(),
        subject: subject.into(),
        detail,
    };
    audit(app, &entry).await?;
    Ok(app.store.journal(&entry).await?)
}

/// Someone was not forgotten, because a legal hold forbids it. Who, is not said.
pub(crate) async fn refused_erasure(
    app: &App,
    principal: &Principal,
    reason: &str,
) -> Result<(), ApiError> {
    let entry = JournalEntry {
        at_wall_ms: clock::wall_ms(),
        principal: principal.name.clone(),
        action: "audit.erase.refused".to_owned(),
        subject: "audit".to_owned(),
        detail: json!({ "reason": reason, "why": "a legal hold lasts" }),
    };
    audit(app, &entry).await
}

/// Someone signed in or out.
pub(crate) async fn session(app: &App, who: &str, action: &str) -> Result<(), ApiError> {
    let entry = JournalEntry {
        at_wall_ms: clock::wall_ms(),
        principal: who.to_owned(),
        action: action.to_owned(),
        subject: "console".to_owned(),
        detail: Value::Null,
    };
    audit(app, &entry).await
}

async fn audit(app: &App, entry: &JournalEntry) -> Result<(), ApiError> {
    let text = |name: &str| entry.detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let labels = ["agent", "version", "tool", "rollout"]
        .into_iter()
        .filter_map(|name| Some((name, text(name)?)))
        .collect();
    let who = Who::named(&entry.principal);
    let mut recorded =
        LedgerEntry::event(entry.at_wall_ms, who.clone(), &entry.action, &entry.subject);
    recorded.labels = labels;
    recorded.detail = entry.detail.clone();
    // What someone wrote is that person's; the one whom a token is for is another person.
    for written in WRITTEN {
        recorded.mark(written, &who, Kept::Sealed);
    }
    if let Some(name) = text("name").filter(|_| entry.action.starts_with("token.")) {
        recorded.mark("/name", &Who::named(name), Kept::Name);
    }
    app.ledger.record(recorded).await.map(drop).map_err(|error| {
        tracing::error!(%error, action = entry.action, "refused: it cannot be recorded");
        ApiError::new(
            Kind::Unavailable,
            format!("It cannot be recorded, so it is not done: {error}."),
        )
        .hint("See to the audit log: is its disk full? `/readyz` says when it takes records again.")
    })
}
