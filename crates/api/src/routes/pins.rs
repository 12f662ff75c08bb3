//! What agents are told of tools, pinned, and what was told otherwise since.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::ToolName;
use lockgate_model::version::Digest;
use lockgate_store::PinRow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{Approver, Viewer};
use crate::clock;
use crate::extract::{JsonBody, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;

/// An action of a tool, as it was first seen or accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PinView {
    /// The tool.
    tool: String,
    /// The action.
    action: String,
    /// Digest of what agents are told of it.
    digest: String,
    /// What that is.
    #[schema(value_type = Object)]
    shape: Value,
    /// Since when, milliseconds since the Unix epoch.
    since_wall_ms: i64,
    /// Digest of what was told otherwise since; the action is not called while there is one.
    #[schema(required = true)]
    changed_digest: Option<String>,
    /// What that is.
    #[schema(required = true, value_type = Option<Object>)]
    changed_shape: Option<Value>,
    /// When that was seen first.
    #[schema(required = true)]
    changed_wall_ms: Option<i64>,
}

impl From<PinRow> for PinView {
    fn from(row: PinRow) -> Self {
        let (changed_digest, changed_shape) = row.changed.unzip();
        Self {
            tool: row.tool.to_string(),
            action: row.action,
            digest: row.digest.as_str().to_owned(),
            shape: row.shape,
            since_wall_ms: row.since_wall_ms,
            changed_digest: changed_digest.map(|digest| digest.as_str().to_owned()),
            changed_shape,
            changed_wall_ms: row.changed_wall_ms,
        }
    }
}

/// All pins, those that were told otherwise since first.
#[utoipa::path(get, path = "/api/v1/pins", tag = "agents", operation_id = "list_pins",
    security(("token" = [])), responses(
    (status = 200, description = "Pins.", body = Vec<PinView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Viewer,
) -> Result<Json<Vec<PinView>>, ApiError> {
    let rows = app.store.pins().await?;
    Ok(Json(rows.into_iter().map(PinView::from).collect()))
}

/// Which of both is accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    /// The tool.
    #[schema(value_type = String)]
    tool: ToolName,
    /// The action.
    #[schema(max_length = 256)]
    action: String,
    /// Digest of what is accepted: what is pinned, or what was told since.
    #[schema(value_type = String)]
    digest: Digest,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// Accepts what agents are told of a tool, by its digest: exactly what was looked at. It may be called again then.
#[utoipa::path(post, path = "/api/v1/pins/accept", tag = "agents", operation_id = "accept_pin",
    security(("token" = [])), request_body = Accept, responses(
    (status = 204, description = "Accepted."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn accept(
    State(app): State<App>,
    Approver(principal): Approver,
    JsonBody(accept): JsonBody<Accept>,
) -> Result<StatusCode, ApiError> {
    principal.need_all_agents("What agents are told of a tool")?;
    let Accept { tool, action, digest, reason } = &accept;
    let is_asked = app.store.pins().await?.into_iter().any(|row| {
        row.tool == *tool
            && row.action == *action
            && row.changed.is_some_and(|(changed, _)| changed == *digest || row.digest == *digest)
    });
    let nothing = || {
        ApiError::new(Kind::Conflict, "Nothing with this digest waits to be accepted there.")
            .hint("`GET /api/v1/pins` shows what does; it may have changed again.")
            .cli_hint("`lockgate pins list` shows what does; it may have changed again")
    };
    if !is_asked {
        return Err(nothing());
    }
    let detail = json!({ "tool": tool, "digest": digest.as_str(), "reason": reason });
    record(&app, &principal, "tool.accept", format!("{tool}/{action}"), detail).await?;
    if !app.store.accept_pin(tool, action, digest, clock::wall_ms()).await? {
        return Err(nothing());
    }
    Ok(StatusCode::NO_CONTENT)
}
