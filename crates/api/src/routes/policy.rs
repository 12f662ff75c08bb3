//! Which policy decides about agents' actions.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Viewer;
use crate::problem::{ApiError, Problem};
use crate::state::App;

/// The policy in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyView {
    /// Whether there is one. Without one everything is denied.
    in_force: bool,
    /// Digest of its files.
    #[schema(required = true)]
    digest: Option<String>,
    /// Its rules.
    #[schema(required = true)]
    rules: Option<usize>,
    /// The tools that it declares.
    #[schema(required = true)]
    tools: Option<usize>,
    /// Since when, milliseconds since the Unix epoch.
    #[schema(required = true)]
    since_wall_ms: Option<i64>,
    /// Decisions since the server started.
    #[schema(required = true)]
    decisions: Option<u64>,
    /// Those of them that took longer than a millisecond.
    #[schema(required = true)]
    decisions_slow: Option<u64>,
}

/// Which policy decides, and since when.
#[utoipa::path(get, path = "/api/v1/policy", tag = "configuration", operation_id = "policy_in_force",
    security(("token" = [])), responses(
    (status = 200, description = "The policy in force.", body = PolicyView),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn in_force(
    State(app): State<App>,
    _: Viewer,
) -> Result<Json<PolicyView>, ApiError> {
    let status = app.decisions.status();
    Ok(Json(PolicyView {
        in_force: status.is_some(),
        digest: status.as_ref().map(|status| status.digest.as_str().to_owned()),
        rules: status.as_ref().map(|status| status.rules),
        tools: status.as_ref().map(|status| status.tools),
        decisions: status.as_ref().map(|status| status.decisions),
        decisions_slow: status.as_ref().map(|status| status.slow),
        since_wall_ms: status.map(|status| status.since_wall_ms),
    }))
}
