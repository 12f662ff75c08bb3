//! Events, one or many at a time.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::AgentName;
use lockgate_store::EventRow;
use lockgate_value::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{check, not_taken};
use crate::auth::{Operator, Principal, Viewer};
use crate::clock;
use crate::extract::{JsonBody, QueryArgs};
use crate::fleet;
use crate::problem::{ApiError, Problem};
use crate::record::record;
use crate::state::App;

/// Rows of one answer, at most.
const ROWS_MAX: u32 = 500;

/// Events to record together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TellEvents {
    /// 1 to 1,000 of them; all are recorded, or none.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
    /// Only say whether they would be.
    #[serde(default)]
    dry_run: bool,
}

/// What became of events that were sent together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Told {
    /// Recorded now, or, in a dry run, such as would be.
    new: u64,
    /// There already with the same key and content: they count once.
    known: u64,
    /// Whether nothing was recorded because only that was asked.
    dry_run: bool,
}

/// Records what other systems and people know of agents' worth. The same key is the same event, so that a request may be
/// sent again; a correction is a new event that names the one it `corrects`.
#[utoipa::path(post, path = "/api/v1/value/events", tag = "value", operation_id = "tell_events",
    security(("token" = [])), request_body = TellEvents, responses(
    (status = 201, description = "On disk.", body = Told),
    (status = 200, description = "Of a dry run: they would be taken.", body = Told),
    (status = 409, description = "One of them cannot be taken; none was.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn tell(
    State(app): State<App>,
    Operator(principal): Operator,
    JsonBody(TellEvents { events, dry_run }): JsonBody<TellEvents>,
) -> Result<(StatusCode, Json<Told>), ApiError> {
    check(&app, &principal, &events).await?;
    let would_be = app.store.try_events(&events).await.map_err(|error| not_taken(error, None))?;
    if dry_run {
        let told = Told { new: would_be.new, known: would_be.known, dry_run };
        return Ok((StatusCode::OK, Json(told)));
    }
    if would_be.new > 0 {
        // Keys are anyone's words; how many there are of each kind is ours.
        let mut kinds = std::collections::BTreeMap::<&str, u64>::new();
        for event in &events {
            *kinds.entry(event.what.kind()).or_default() += 1;
        }
        let detail = json!({ "new": would_be.new, "known": would_be.known, "kinds": kinds });
        record(&app, &principal, "value.record", "events", detail).await?;
    }
    let taken = app
        .store
        .tell_events(&events, &principal.name, clock::wall_ms())
        .await
        .map_err(|error| not_taken(error, None))?;
    let told = Told { new: taken.new, known: taken.known, dry_run };
    Ok((StatusCode::CREATED, Json(told)))
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichEvents {
    /// Of this agent only.
    #[param(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// Those that were told before this one (`id`).
    before: Option<i64>,
    /// At most this many, 50 by default, 500 at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// An event as it was told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its place in the order in which they were told.
    id: i64,
    /// Whose token told it.
    by: String,
    /// When, milliseconds since the Unix epoch.
    received_wall_ms: i64,
    /// The event.
    #[schema(value_type = Object)]
    event: Event,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        let EventRow { id, event, by, received_wall_ms } = row;
        Self { id, by, received_wall_ms, event }
    }
}

/// Events as they were told, newest first, with those that others correct.
#[utoipa::path(get, path = "/api/v1/value/events", tag = "value", operation_id = "value_events",
    security(("token" = [])), params(WhichEvents), responses(
    (status = 200, description = "Those that this token may see.", body = Vec<EventView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(which): QueryArgs<WhichEvents>,
) -> Result<Json<Vec<EventView>>, ApiError> {
    if let Some(agent) = &which.agent {
        fleet::known(&app, &principal, agent).await?;
    }
    let limit = which.limit.unwrap_or(50).clamp(1, ROWS_MAX);
    let rows = app.store.events_told(which.agent.as_ref(), which.before, limit).await?;
    let seen = rows.into_iter().filter(|row| sees(&principal, &row.event));
    Ok(Json(seen.map(EventView::from).collect()))
}

/// What names no agent concerns all of them.
fn sees(principal: &Principal, event: &Event) -> bool {
    event.agent.as_ref().map_or(principal.sees_all(), |agent| principal.sees(agent))
}
