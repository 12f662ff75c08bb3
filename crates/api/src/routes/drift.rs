//! What was found of drift, on behalf of agents: plans may ask for it before releases go on.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::drift::{Drift, Report, Root};
use lockgate_model::ids::{AgentName, DriftSource};
use lockgate_store::DriftRow;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::auth::{Operator, Viewer};
use crate::extract::{JsonBody, PathArgs};
use crate::problem::{ApiError, Kind, Problem, sentence};
use crate::record::record;
use crate::state::App;
use crate::{clock, doc, fleet};

/// The clock of whoever reports may be ahead by so much.
const AHEAD_MS: i64 = 5 * 60 * 1_000;

/// Roots that are named in the audit log because they did not come out as `none`.
const NAMED_MAX: usize = 10;

/// The last result of one source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftView {
    /// Who looked.
    source: String,
    /// How it came out.
    #[schema(value_type = doc::DriftDoc)]
    outcome: Drift,
    /// When what was compared was looked at, milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// When it was heard of.
    received_wall_ms: i64,
    /// Whose token said it.
    by: String,
    /// What was compared.
    #[schema(value_type = Vec<doc::DriftRootDoc>)]
    roots: Vec<Root>,
}

impl From<DriftRow> for DriftView {
    fn from(row: DriftRow) -> Self {
        let DriftRow { source, outcome, at_wall_ms, received_wall_ms, by, roots, .. } = row;
        let source = source.to_string();
        Self { source, outcome, at_wall_ms, received_wall_ms, by, roots }
    }
}

/// The last results for an agent, one of each source.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/drift", tag = "agents", operation_id = "drift",
    security(("token" = [])),
    params(("agent" = String, Path, description = "The agent.")), responses(
    (status = 200, description = "Results, by the names of their sources.", body = Vec<DriftView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(agent): PathArgs<AgentName>,
) -> Result<Json<Vec<DriftView>>, ApiError> {
    fleet::defined(&app, &principal, &agent).await?;
    let rows = app.store.drift(&agent).await?;
    Ok(Json(rows.into_iter().map(DriftView::from).collect()))
}

/// Takes what `lockgate drift --output json` printed, for the releases of an agent. What differs one by one is not kept.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/drift/{source}", tag = "agents",
    operation_id = "report_drift", security(("token" = [])), request_body = doc::DriftReportDoc,
    params(
        ("agent" = String, Path, description = "The agent."),
        ("source" = String, Path, description = "Who looked; plans ask by this name."),
    ), responses(
    (status = 201, description = "Recorded, and taken in the place of what this source said before.", body = DriftView),
    (status = 409, description = "This source has said something as new, or newer.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn report(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs((agent, source)): PathArgs<(AgentName, DriftSource)>,
    JsonBody(report): JsonBody<Report>,
) -> Result<(StatusCode, Json<DriftView>), ApiError> {
    fleet::defined(&app, &principal, &agent).await?;
    report.check().map_err(|error| {
        ApiError::new(Kind::Invalid, sentence(&error))
            .hint("Send what `lockgate drift --output json` printed.")
    })?;
    let now_ms = clock::wall_ms();
    let at_wall_ms = report.at.as_millisecond();
    if at_wall_ms > now_ms.saturating_add(AHEAD_MS) {
        let text = "The report is of a time that is still to come.";
        return Err(ApiError::new(Kind::Invalid, text).hint("Set the clock of whoever looked."));
    }
    let outcome = report.outcome;
    let counts = json!({
        "none": report.count(Drift::None), "drifted": report.count(Drift::Drifted),
        "unknown": report.count(Drift::Unknown),
    });
    let row = DriftRow {
        agent,
        source,
        outcome,
        // What was looked at later than it is heard of was looked at now.
        at_wall_ms: at_wall_ms.min(now_ms),
        received_wall_ms: now_ms,
        by: principal.name.clone(),
        roots: report.summary().roots,
    };
    let known = app.store.drift(&row.agent).await?;
    let newer = |known: &DriftRow| known.source == row.source && known.at_wall_ms >= row.at_wall_ms;
    if known.iter().any(newer) {
        return Err(not_newer());
    }
    let not_none = row.roots.iter().filter(|root| root.outcome != Drift::None);
    let paths: Vec<String> =
        not_none.take(NAMED_MAX).map(|root| root.path.chars().take(200).collect()).collect();
    let detail = json!({
        "agent": row.agent, "source": row.source, "outcome": outcome, "looked_at_wall_ms": row.at_wall_ms,
        "roots": counts, "not_none": paths,
    });
    record(&app, &principal, "drift.report", format!("{}/{}", row.agent, row.source), detail)
        .await?;
    if !app.store.keep_drift(&row).await? {
        return Err(not_newer());
    }
    Ok((StatusCode::CREATED, Json(row.into())))
}

fn not_newer() -> ApiError {
    ApiError::new(Kind::Conflict, "This source has said something as new, or newer.")
        .hint("Look again, and send that result: an old one takes the place of none.")
}
