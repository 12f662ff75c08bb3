//! Writing down who changed what, before it is acknowledged.

use lockgate_store::JournalEntry;
use serde_json::Value;

use crate::auth::Principal;
use crate::clock;
use crate::problem::ApiError;
use crate::state::App;

/// Adds an entry to the journal. Without it, nothing is acknowledged.
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
    Ok(app.store.journal(&entry).await?)
}
