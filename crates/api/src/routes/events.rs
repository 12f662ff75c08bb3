//! What happens, as it happens: server-sent events from the store's feed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream;
use http::HeaderMap;
use lockgate_model::ids::{AgentName, RolloutId};
use lockgate_store::FeedRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{self, Principal, Viewer};
use crate::extract::QueryArgs;
use crate::fleet;
use crate::problem::{ApiError, Kind, Problem};
use crate::state::App;

/// Rows that are read at once.
const BATCH_ROWS: u32 = 200;
/// Silence after which a comment is sent, so that nobody in between thinks it is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a silent stream makes sure that its token is still good.
const RECHECK: Duration = Duration::from_secs(10);

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Of this agent only.
    #[param(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// Of this rollout only.
    #[param(value_type = Option<String>)]
    rollout: Option<RolloutId>,
    /// From after this event on, as `Last-Event-ID`. Without either: from now on.
    after: Option<i64>,
}

/// The `data` of an event; its `event` is `kind` and its `id` is `id`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedEvent {
    /// Grows with every event.
    id: i64,
    /// Milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// `transition`, `command`, `config`, `security_event`, `fuse`, `split`.
    kind: String,
    /// The agent; null when it concerns all of them.
    #[schema(value_type = Option<String>, required = true)]
    agent: Option<AgentName>,
    /// The rollout.
    #[schema(value_type = Option<String>, format = Uuid, required = true)]
    rollout: Option<RolloutId>,
    /// What happened.
    body: Value,
}

impl From<FeedRow> for FeedEvent {
    fn from(row: FeedRow) -> Self {
        Self {
            id: row.id,
            at_wall_ms: row.at_wall_ms,
            kind: row.kind,
            agent: row.agent,
            rollout: row.rollout,
            body: row.body,
        }
    }
}

/// A stream of everything that happens to the agents this token sees.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "events",
    security(("token" = [])),
    params(Filter, ("Last-Event-ID" = Option<i64>, Header, description = "Resume after this event.")),
    responses(
    (status = 200, description = "Server-sent events, each with a `FeedEvent` as data.", body = FeedEvent, content_type = "text/event-stream"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn stream(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(filter): QueryArgs<Filter>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    if let Some(agent) = &filter.agent {
        fleet::known(&app, &principal, agent).await?;
    }
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::Unavailable, "Too many event streams are open.")
            .hint("Close one, or poll instead.")
    })?;
    let changed = app.store.changed();
    let after = match last_event_id(&headers)?.or(filter.after) {
        Some(after) => after,
        None => app.store.feed_newest().await?,
    };
    let stopping = app.stopping.clone();
    let feed = Feed { app, principal, filter, after, changed, stopping, _permit: permit };
    let events = stream::unfold((feed, Vec::new().into_iter()), next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    match id {
        Some(id) if id >= 0 => Ok(Some(id)),
        _ => Err(ApiError::new(Kind::BadRequest, "`Last-Event-ID` is not an id of this stream.")),
    }
}

struct Feed {
    app: App,
    principal: Principal,
    filter: Filter,
    after: i64,
    changed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

type Batch = std::vec::IntoIter<FeedRow>;

/// The next event; `None` ends the stream: the server goes down, the token was revoked, or the
/// store does not answer. Clients come back with `Last-Event-ID`.
async fn next(
    (mut feed, mut batch): (Feed, Batch),
) -> Option<(Result<Event, Infallible>, (Feed, Batch))> {
    loop {
        if let Some(row) = batch.find(|row| feed.wants(row)) {
            let event = feed_event(row)?;
            return Some((Ok(event), (feed, batch)));
        }
        batch = feed.read().await?.into_iter();
    }
}

fn feed_event(row: FeedRow) -> Option<Event> {
    let event = Event::default().id(row.id.to_string()).event(&row.kind);
    event.json_data(FeedEvent::from(row)).ok()
}

impl Feed {
    fn wants(&self, row: &FeedRow) -> bool {
        let seen = match &row.agent {
            Some(agent) => self.principal.sees(agent),
            None => self.principal.sees_all(),
        };
        let of_agent = self.filter.agent.is_none() || self.filter.agent == row.agent;
        let of_rollout = self.filter.rollout.is_none() || self.filter.rollout == row.rollout;
        seen && of_agent && of_rollout
    }

    /// Waits for rows.
    async fn read(&mut self) -> Option<Vec<FeedRow>> {
        loop {
            self.changed.borrow_and_update();
            if *self.stopping.borrow() {
                return None;
            }
            let rows = self.app.store.feed_since(self.after, BATCH_ROWS).await.ok()?;
            if let Some(last) = rows.last() {
                self.after = last.id;
                self.still_valid().await?;
                return Some(rows);
            }
            let silent = tokio::select! {
                changed = self.changed.changed() => {
                    changed.ok()?;
                    false
                }
                _ = self.stopping.changed() => return None,
                () = tokio::time::sleep(RECHECK) => true,
            };
            if silent {
                self.still_valid().await?;
            }
        }
    }

    async fn still_valid(&self) -> Option<()> {
        let principal = auth::principal_by_id(&self.app, &self.principal.token).await;
        principal.ok().flatten().map(|_| ())
    }
}
