//! Security events raised by people and programs.
//!
//! The order is the point: the event is durable, then the gateway's fuse latches, then the latch
//! is durable, and only then does the caller hear that it worked.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::{AgentName, SecurityEventId, VersionName};
use lockgate_model::ports::{Events as _, PortError};
use lockgate_model::security::{SecurityCause, SecurityEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::Operator;
use crate::extract::{JsonBody, PathArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;
use crate::{clock, fleet};

/// What was seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raise {
    /// In words; it is also the reason that is written to the journal.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    detail: Reason,
    /// The rule that saw it, if one did.
    #[serde(default)]
    #[schema(max_length = 200)]
    rule: Option<String>,
    /// Whether the stable version shows the same; null when not known.
    #[serde(default)]
    stable_shows_it: Option<bool>,
}

/// The event is durable, and the version is cut off if it was being released.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Raised {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: SecurityEventId,
    /// Whether a gateway cut the version off; false when it was not being released.
    latched: bool,
}

/// Why a security event is not acknowledged.
#[derive(Debug, thiserror::Error)]
enum RaiseError {
    #[error("the event could not be written down")]
    NotWritten(#[source] PortError),
    #[error("the event is written down, but the gateway could not cut the version off")]
    NotLatched(#[source] PortError),
    #[error("the version is cut off, but the latch could not be written down")]
    LatchNotWritten(#[source] PortError),
    #[error("the event was acted upon, and could not be recorded in the audit log")]
    NotRecorded,
}

impl From<RaiseError> for ApiError {
    fn from(error: RaiseError) -> Self {
        tracing::error!(error = ?error, "a security event is not acknowledged");
        Self::new(Kind::Unavailable, crate::problem::sentence(&error))
            .hint("Raise it again; nothing was acknowledged.")
    }
}

/// Raises a security event. When this answers 201, no further request reaches the version if it
/// was being released.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/versions/{version}/security-events",
    tag = "agents", operation_id = "raise_security_event", security(("token" = [])),
    request_body = Raise,
    params(
        ("agent" = String, Path, description = "The agent."),
        ("version" = String, Path, description = "The version that it was seen on."),
    ),
    responses(
    (status = 201, description = "Durable, and acted upon.", body = Raised),
    (status = 503, description = "Not acknowledged.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn raise(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs((agent, version)): PathArgs<(AgentName, VersionName)>,
    JsonBody(raise): JsonBody<Raise>,
) -> Result<(StatusCode, Json<Raised>), ApiError> {
    let defined = fleet::defined(&app, &principal, &agent).await?;
    if defined.version(&version).is_none() {
        return Err(fleet::no_version(&defined, &version));
    }
    if raise.rule.as_ref().is_some_and(|rule| rule.is_empty() || rule.len() > 200) {
        return Err(ApiError::new(Kind::Invalid, "`rule` must be 1 to 200 characters."));
    }
    let event = SecurityEvent {
        id: SecurityEventId(Uuid::now_v7()),
        agent,
        version,
        cause: match raise.rule {
            Some(_) => SecurityCause::Rule,
            None => SecurityCause::Operator,
        },
        rule: raise.rule,
        principal: principal.name.clone(),
        detail: raise.detail.into(),
        stable_shows_it: raise.stable_shows_it,
        at_wall_ms: clock::wall_ms(),
    };
    let latched = cut_off(&app, &event).await?;
    let detail = json!({
        "agent": event.agent, "version": event.version, "event": event.id, "rule": event.rule, "reason": event.detail,
        "stable_shows_it": event.stable_shows_it, "latched": latched,
    });
    let subject = format!("{}/{}", event.agent, event.version);
    // The record comes after the cut-off here: paper must not delay it.
    let recorded = record(&app, &principal, "security_event.raise", subject, detail).await;
    recorded.map_err(|_| RaiseError::NotRecorded)?;
    Ok((StatusCode::CREATED, Json(Raised { id: event.id, latched })))
}

async fn cut_off(app: &App, event: &SecurityEvent) -> Result<bool, RaiseError> {
    app.store.security(event.clone()).await.map_err(RaiseError::NotWritten)?;
    let Some(fuses) = &app.fuses else {
        return Ok(false);
    };
    let Some(fuse) = fuses.latch(event).await.map_err(RaiseError::NotLatched)? else {
        return Ok(false);
    };
    app.store.fuse(fuse).await.map_err(RaiseError::LatchNotWritten)?;
    Ok(true)
}
