//! Who changed what, and why.

use axum::Json;
use axum::extract::State;
use lockgate_store::JournalEntry;

use crate::auth::{Principal, Viewer};
use crate::doc;
use crate::extract::QueryArgs;
use crate::problem::{ApiError, Problem};
use crate::routes::query::Limit;
use crate::state::App;

/// The newest changes first.
#[utoipa::path(get, path = "/api/v1/journal", tag = "administration", operation_id = "journal",
    security(("token" = [])), params(Limit), responses(
    (status = 200, description = "Changes that concern the agents this token sees.", body = Vec<doc::JournalEntryDoc>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn recent(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(limit): QueryArgs<Limit>,
) -> Result<Json<Vec<JournalEntry>>, ApiError> {
    let entries = app.store.journal_recent(limit.rows()).await?;
    Ok(Json(entries.into_iter().filter(|entry| visible(&principal, entry)).collect()))
}

/// What names no agent concerns all of them.
fn visible(principal: &Principal, entry: &JournalEntry) -> bool {
    let agent = entry.detail.get("agent").and_then(|agent| agent.as_str());
    match agent.and_then(|agent| agent.parse().ok()) {
        Some(agent) => principal.sees(&agent),
        None => principal.sees_all(),
    }
}
