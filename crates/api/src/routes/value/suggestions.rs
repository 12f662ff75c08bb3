//! Suggestions for rollback thresholds and policy.

use axum::extract::State;
use jiff::civil::Date;
use lockgate_model::ids::AgentName;
use lockgate_value::suggest::Suggestions;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use super::reports::days;
use crate::auth::Viewer;
use crate::canonical::Canonical;
use crate::extract::QueryArgs;
use crate::problem::{ApiError, Problem};
use crate::state::App;
use crate::{fleet, suggest};

/// Days that are looked at when no first one is named, the last one included: half a year.
const DAYS_DEFAULT: i32 = 180;

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichSuggestions {
    /// About this agent; left out, about all that the token sees.
    #[param(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// The first day, such as `2026-03-01`; left out, 179 days before the last.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// The last day; left out, today.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// Whose days, by a name of the IANA database such as `Europe/Berlin`; left out, `UTC`.
    time_zone: Option<String>,
}

/// Releases are judged again for one caller at a time, as that takes a processor.
static SUGGESTIONS: Semaphore = Semaphore::const_new(1);

/// What rollback thresholds and rules that ask people could be instead, from what was seen, and what that would have done
/// to the releases and questions of the window. Nothing changes by it.
#[utoipa::path(get, path = "/api/v1/value/suggestions", tag = "value", operation_id = "value_suggestions",
    security(("token" = [])), params(WhichSuggestions), responses(
    (status = 200, description = "Canonical JSON (RFC 8785) and a line's end: the same window of the same data is the same bytes.", body = serde_json::Value),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn look(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(which): QueryArgs<WhichSuggestions>,
) -> Result<Canonical<Suggestions>, ApiError> {
    if let Some(agent) = &which.agent {
        fleet::defined(&app, &principal, agent).await?;
    }
    // Ends with the server, never closed.
    let _place = SUGGESTIONS.acquire().await;
    let window = days(which.from, which.to, which.time_zone.as_deref(), DAYS_DEFAULT)?;
    Ok(Canonical(suggest::suggestions(&app, &principal, window, which.agent.as_ref()).await?))
}
