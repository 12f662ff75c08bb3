//! Events, one or many at a time.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::AgentName;
use lockgate_store::{AlsoCharged, EventRow, Taken};
use lockgate_value::event::{Draft, Event};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{AlsoChargedView, check, check_corrected, check_past, not_taken};
use crate::auth::{Operator, Viewer};
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
    /// 1 to 1,000 of them; all are recorded, or none. One that says no time (`at`, `at_wall_ms`) is of the time of the
    /// event that it `corrects`, or of now; and where its key is there already, it is that event if all else is the same.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Draft>,
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
    /// When each of them happened, in their order, milliseconds since the Unix epoch.
    at_wall_ms: Vec<i64>,
    /// Services of the new charges that other records charge, too, for some of the same time; 20 at most. If these are the
    /// same bill in another form, it counts twice.
    also_charged: Vec<AlsoChargedView>,
    /// Whether nothing was recorded because only that was asked.
    dry_run: bool,
}

impl Told {
    fn of(told: lockgate_store::Told, also: Vec<AlsoCharged>, dry_run: bool) -> Self {
        let lockgate_store::Told { taken: Taken { new, known }, at_wall_ms } = told;
        let also_charged = also.into_iter().map(AlsoChargedView::from).collect();
        Self { new, known, at_wall_ms, also_charged, dry_run }
    }
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
    let about: Vec<_> = events.iter().map(|draft| (draft.agent(), draft.what())).collect();
    check(&app, &principal, &about).await?;
    let corrected = events.iter().map(|draft| (draft.key(), draft.corrects()));
    check_corrected(&app, &principal, corrected).await?;
    let now_wall_ms = clock::wall_ms();
    let times = events.iter().map(|draft| (draft.at_wall_ms(), draft.what()));
    check_past(times, now_wall_ms, None)?;
    let would_be = app.store.try_events(&events, now_wall_ms).await;
    let would_be = would_be.map_err(|error| not_taken(error, None))?;
    let also = app.store.also_charged(&events).await?;
    if dry_run {
        return Ok((StatusCode::OK, Json(Told::of(would_be, also, dry_run))));
    }
    let Taken { new, known } = would_be.taken;
    if new > 0 {
        // Keys are anyone's words; how many there are of each kind is ours.
        let mut kinds = std::collections::BTreeMap::<&str, u64>::new();
        for event in &events {
            *kinds.entry(event.what().kind()).or_default() += 1;
        }
        let detail = json!({ "new": new, "known": known, "kinds": kinds });
        record(&app, &principal, "value.record", "events", detail).await?;
    }
    let told = app.store.tell_events(&events, &principal.name, now_wall_ms).await;
    let told = told.map_err(|error| not_taken(error, None))?;
    Ok((StatusCode::CREATED, Json(Told::of(told, also, dry_run))))
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
    // What names no agent concerns all of them: who is limited to some does not see it.
    let agents = which.agent.as_ref().map(std::slice::from_ref).or(principal.agents());
    let rows = app.store.events_told(agents, which.before, limit).await?;
    Ok(Json(rows.into_iter().map(EventView::from).collect()))
}
