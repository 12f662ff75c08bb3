//! Orders that stop an agent, a version, a tool, a user or all calls, until they are lifted.
//!
//! An order is in force before it is recorded: paper must not delay it. Lifting one is recorded first.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::{AgentName, QuarantineId, Revision, ToolName, VersionName};
use lockgate_model::quarantine::{Quarantine, Stopped};
use lockgate_store::QuarantineRow;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::{Operator, Principal, Viewer};
use crate::extract::{JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;
use crate::{clock, fleet, gateways};

/// How many a list has.
const LISTED_MAX: u32 = 1_000;
/// The longest key of a user.
const USER_BYTES_MAX: usize = 1_024;

/// What is to be stopped: `calls` alone, `agent` alone or with `version` or `user`, or `tool` alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewQuarantine {
    /// True stops every call of every agent; users' requests go on.
    #[serde(default)]
    calls: bool,
    /// Stops an agent: users' requests to it, and its calls.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agent: Option<AgentName>,
    /// Only this version of the agent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    version: Option<VersionName>,
    /// Only this user of the agent: the key as the agent's requests carry it. It is kept as a salted hash.
    #[serde(default)]
    #[schema(max_length = 1024)]
    user: Option<String>,
    /// Stops a tool, for every agent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tool: Option<ToolName>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// An order that is in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InForce {
    /// Its id. That of an earlier order when the same was stopped already.
    #[schema(value_type = String, format = Uuid)]
    id: QuarantineId,
    /// Whether every gateway that is up has it. Others follow as soon as they are heard of.
    everywhere: bool,
}

/// An order, in force or lifted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: QuarantineId,
    /// `calls`, `agent`, `version`, `tool` or `user`.
    what: &'static str,
    /// The agent, if it is about one.
    #[schema(required = true, value_type = Option<String>)]
    agent: Option<AgentName>,
    /// The version, if it is about one.
    #[schema(required = true, value_type = Option<String>)]
    version: Option<VersionName>,
    /// The tool, if it is about one.
    #[schema(required = true, value_type = Option<String>)]
    tool: Option<ToolName>,
    /// Salted hash of the user's key, in hex, if it is about one.
    #[schema(required = true)]
    user: Option<String>,
    /// Whose order.
    by: String,
    /// Why.
    reason: String,
    /// Since when, milliseconds since the Unix epoch.
    begun_wall_ms: i64,
    /// When it was lifted.
    #[schema(required = true)]
    lifted_wall_ms: Option<i64>,
    /// Who lifted it.
    #[schema(required = true)]
    lifted_by: Option<String>,
    /// Why.
    #[schema(required = true)]
    lifted_reason: Option<String>,
}

impl From<QuarantineRow> for QuarantineView {
    fn from(row: QuarantineRow) -> Self {
        let mut view = Self {
            id: row.order.id,
            what: "calls",
            agent: row.order.stopped.agent().cloned(),
            version: None,
            tool: None,
            user: None,
            by: row.by,
            reason: row.reason,
            begun_wall_ms: row.begun_wall_ms,
            lifted_wall_ms: row.lifted_wall_ms,
            lifted_by: row.lifted_by,
            lifted_reason: row.lifted_reason,
        };
        match row.order.stopped {
            Stopped::Calls => {}
            Stopped::Agent { .. } => view.what = "agent",
            Stopped::Version { version, .. } => {
                (view.what, view.version) = ("version", Some(version));
            }
            Stopped::Tool { tool } => (view.what, view.tool) = ("tool", Some(tool)),
            Stopped::User { user, .. } => {
                (view.what, view.user) = ("user", Some(format!("{user:016x}")));
            }
        }
        view
    }
}

/// Stops something at once, on every gateway, until it is lifted; a restart changes nothing about it. What is under
/// way is cut off.
#[utoipa::path(post, path = "/api/v1/quarantines", tag = "agents", operation_id = "quarantine",
    security(("token" = [])), request_body = NewQuarantine, responses(
    (status = 201, description = "In force.", body = InForce),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn begin(
    State(app): State<App>,
    Operator(principal): Operator,
    JsonBody(new): JsonBody<NewQuarantine>,
) -> Result<(StatusCode, Json<InForce>), ApiError> {
    let stopped = stopped(&app, &principal, &new).await?;
    let order = Quarantine { id: QuarantineId(Uuid::now_v7()), stopped };
    // Whoever asked may leave meanwhile: an order in force is recorded all the same.
    let begun = {
        let (app, reason) = (app.clone(), new.reason.clone());
        tokio::spawn(async move { in_force(&app, &principal, &order, reason.as_str()).await })
    };
    let (id, revision) = begun.await.map_err(|error| {
        tracing::error!(%error, "an order may not be in force");
        ApiError::new(Kind::Internal, "It is not known whether the order is in force.")
            .hint("`GET /api/v1/quarantines` lists those that are.")
    })??;
    let everywhere = gateways::have(&app, revision).await?;
    Ok((StatusCode::CREATED, Json(InForce { id, everywhere })))
}

/// Puts an order in force, and records it then.
async fn in_force(
    app: &App,
    principal: &Principal,
    order: &Quarantine,
    reason: &str,
) -> Result<(QuarantineId, Revision), ApiError> {
    let (id, revision) =
        app.store.quarantine(order, &principal.name, reason, clock::wall_ms()).await?;
    let detail = detail(id, &order.stopped, reason);
    let subject = order.stopped.to_string();
    record(app, principal, "quarantine.begin", subject, detail).await.map_err(|_| {
        let why = format!("Order {id} is in force, and could not be recorded in the audit log.");
        ApiError::new(Kind::Unavailable, why).hint(
            "See to the audit log: is its disk full? `/readyz` says when it takes records again.",
        )
    })?;
    Ok((id, revision))
}

fn detail(id: QuarantineId, stopped: &Stopped, reason: &str) -> serde_json::Value {
    let mut detail = json!({ "quarantine": id, "reason": reason });
    match stopped {
        Stopped::Calls => {}
        Stopped::Agent { agent } | Stopped::User { agent, .. } => detail["agent"] = json!(agent),
        Stopped::Version { agent, version } => {
            detail["agent"] = json!(agent);
            detail["version"] = json!(version);
        }
        Stopped::Tool { tool } => detail["tool"] = json!(tool),
    }
    detail
}

async fn stopped(
    app: &App,
    principal: &Principal,
    new: &NewQuarantine,
) -> Result<Stopped, ApiError> {
    let NewQuarantine { calls, agent, version, user, tool, .. } = new;
    match (calls, agent, version, user, tool) {
        (true, None, None, None, None) => {
            principal.need_all_agents("Stopping every call")?;
            Ok(Stopped::Calls)
        }
        (false, None, None, None, Some(tool)) => {
            principal.need_all_agents("Stopping a tool")?;
            let config = app.config().await?;
            let tools = config.iter().flat_map(|config| &config.tools);
            let names: Vec<&str> = tools.map(|tool| tool.name.as_str()).collect();
            if !names.contains(&tool.as_str()) {
                return Err(ApiError::unknown("tool", tool.as_str(), &names));
            }
            Ok(Stopped::Tool { tool: tool.clone() })
        }
        (false, Some(agent), version, user, None) if version.is_none() || user.is_none() => {
            let defined = fleet::defined(app, principal, agent).await?;
            let agent = agent.clone();
            if let Some(version) = version {
                if defined.version(version).is_none() {
                    return Err(fleet::no_version(&defined, version));
                }
                return Ok(Stopped::Version { agent, version: version.clone() });
            }
            let Some(user) = user else { return Ok(Stopped::Agent { agent }) };
            if user.is_empty() || user.len() > USER_BYTES_MAX {
                let why = format!("`user` must be 1 to {USER_BYTES_MAX} bytes long.");
                return Err(ApiError::new(Kind::Invalid, why));
            }
            if defined.sticky.is_none() {
                let why = format!("Requests to agent `{agent}` do not say which user they are of.");
                return Err(ApiError::new(Kind::Conflict, why).hint(
                    "Name the header with the user in `sticky` of the agent, or stop the agent.",
                ));
            }
            let user = app.users.user(&agent, user);
            Ok(Stopped::User { agent, user })
        }
        _ => Err(ApiError::new(
            Kind::Invalid,
            "Name one thing: `calls`, `tool`, or `agent`, the last alone or with `version` or `user`.",
        )),
    }
}

/// Orders, those in force first, then the newest that were lifted: 1,000 at most.
#[utoipa::path(get, path = "/api/v1/quarantines", tag = "agents", operation_id = "list_quarantines",
    security(("token" = [])), responses(
    (status = 200, description = "Orders.", body = Vec<QuarantineView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<Vec<QuarantineView>>, ApiError> {
    let rows = app.store.quarantines(LISTED_MAX).await?;
    let seen = rows.into_iter().filter(|row| concerns(&principal, &row.order.stopped));
    Ok(Json(seen.map(QuarantineView::from).collect()))
}

/// What stops everybody stops those too whom a token is limited to.
fn concerns(principal: &Principal, stopped: &Stopped) -> bool {
    stopped.agent().is_none_or(|agent| principal.sees(agent))
}

/// Why an order is lifted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftArgs {
    /// Why.
    #[param(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// Lifts an order. What is lifted was decided by a person; nothing lifts one by itself.
#[utoipa::path(delete, path = "/api/v1/quarantines/{id}", tag = "agents", operation_id = "lift_quarantine",
    security(("token" = [])),
    params(("id" = String, Path, description = "The order's id."), LiftArgs), responses(
    (status = 204, description = "Lifted."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn lift(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(id): PathArgs<String>,
    QueryArgs(args): QueryArgs<LiftArgs>,
) -> Result<StatusCode, ApiError> {
    let row = match id.parse() {
        Ok(id) => app.store.one_quarantine(id).await?,
        Err(_) => None,
    };
    let Some(row) =
        row.filter(|row| row.lifted_wall_ms.is_none() && concerns(&principal, &row.order.stopped))
    else {
        return Err(ApiError::not_found("such order in force")
            .hint("`GET /api/v1/quarantines` lists them.")
            .cli_hint("`lockgate quarantine list` shows them"));
    };
    if row.order.stopped.agent().is_none() {
        principal.need_all_agents("This order")?;
    }
    let (id, stopped) = (row.order.id, &row.order.stopped);
    let reason = args.reason.as_str();
    record(&app, &principal, "quarantine.lift", stopped.to_string(), detail(id, stopped, reason))
        .await?;
    app.store.lift_quarantine(id, &principal.name, reason, clock::wall_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}
