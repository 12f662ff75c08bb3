//! Whether it lives, whether it is ready, and the document of this API.

use axum::Json;
use axum::extract::State;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, Kind, Problem};
use crate::state::App;

/// The answer of a probe.
#[derive(Serialize, ToSchema)]
pub(crate) struct Probe {
    /// `alive` or `ready`.
    status: &'static str,
}

/// The process lives.
#[utoipa::path(get, path = "/livez", tag = "operations", responses(
    (status = 200, description = "Alive.", body = Probe),
))]
pub(crate) async fn livez() -> Json<Probe> {
    Json(Probe { status: "alive" })
}

/// The store answers, changes can be recorded, and the server is not going down.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "Ready.", body = Probe),
    (status = 503, description = "Not ready.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Probe>, ApiError> {
    if *app.stopping.borrow() {
        return Err(ApiError::new(Kind::Unavailable, "The server is going down."));
    }
    app.store.check().await?;
    if let Some(why) = app.ledger.refuses() {
        return Err(ApiError::new(Kind::Unavailable, format!("Nothing can be recorded: {why}.")));
    }
    Ok(Json(Probe { status: "ready" }))
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value),
))]
pub(crate) async fn openapi() -> impl axum::response::IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi_json())
}
