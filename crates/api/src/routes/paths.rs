//! Paths to production: what the server knows of an agent's, and reports of what its repository shows.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::agent::Agent;
use lockgate_model::config::{Config, Scenario};
use lockgate_model::ids::{AgentName, PlanName, VersionName};
use lockgate_model::plan::Plan;
use lockgate_model::version::Manifest;
use lockgate_readiness::path::{self, Asked, Findings, Posted, Release, check_report};
use lockgate_store::PathReport;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Operator, Viewer};
use crate::extract::{JsonBody, PathArgs, QueryArgs};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;
use crate::{clock, fleet};

/// Of which release.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathQuery {
    /// The version to release; left out, the last one of the configuration.
    #[param(value_type = Option<String>)]
    version: Option<VersionName>,
    /// Another plan than the agent's own.
    #[param(value_type = Option<String>)]
    plan: Option<PlanName>,
}

/// A report that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportView {
    /// The version that it is a report of.
    #[schema(value_type = String)]
    version: VersionName,
    /// The path: `monolith`, `microservices` or `serverless`.
    #[schema(value_type = String)]
    path: Scenario,
    /// The commit that was looked at.
    commit: String,
    /// Who posted it.
    by: String,
    /// When, milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// What it says, by step.
    #[schema(value_type = Object)]
    findings: Value,
}

impl From<PathReport> for ReportView {
    fn from(report: PathReport) -> Self {
        let PathReport { version, path, commit, by, at_wall_ms, findings, .. } = report;
        Self { version, path, commit, by, at_wall_ms, findings }
    }
}

/// Whether the path lets a release start now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReleaseView {
    /// Whether it does.
    open: bool,
    /// What stands in the way, a sentence each.
    blocked_by: Vec<String>,
}

/// What the server knows of an agent's path to production.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PathView {
    /// The agent.
    #[schema(value_type = String)]
    agent: AgentName,
    /// The version that would be released.
    #[schema(value_type = String)]
    version: VersionName,
    /// The plan that its release would follow.
    #[schema(value_type = String)]
    plan: PlanName,
    /// The path that must be open; null when none is asked for.
    #[schema(value_type = Option<String>, required = true)]
    path: Option<Scenario>,
    /// What the server sees by itself: plan, policy, audit log, releases.
    #[schema(value_type = Object)]
    facts: Value,
    /// The newest report; null when there is none.
    #[schema(required = true)]
    report: Option<ReportView>,
    /// Whether the path lets the release start; null when none is asked for.
    #[schema(required = true)]
    release: Option<ReleaseView>,
}

/// What the server knows of an agent's path to production, and whether it lets a release start.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/path", tag = "agents", operation_id = "agent_path",
    security(("token" = [])),
    params(("agent" = String, Path, description = "The agent."), PathQuery), responses(
    (status = 200, description = "What is known.", body = PathView),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn look(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(agent): PathArgs<AgentName>,
    QueryArgs(query): QueryArgs<PathQuery>,
) -> Result<Json<PathView>, ApiError> {
    let agent = fleet::defined(&app, &principal, &agent).await?;
    let config = app.config().await?;
    let config = config.as_deref().ok_or_else(|| ApiError::not_found("configuration"))?;
    let version = version_of(&agent, query.version.as_ref())?;
    let own = config.plan(&agent.plan);
    let plan = match &query.plan {
        None => own.ok_or_else(|| ApiError::not_found(format_args!("plan `{}`", agent.plan)))?,
        Some(name) => plan_of(config, name)?,
    };
    let now_wall_ms = clock::wall_ms();
    let oversight = app.oversight.as_ref();
    let facts = app.store.path_facts(config, &agent, plan, oversight, now_wall_ms).await?;
    // That of the agent's own plan binds also where another plan is named.
    let path = own.and_then(|own| own.path).or(plan.path);
    let of = path.unwrap_or_default();
    let report = app.store.path_report(&agent.name, &version.name, of).await?;
    let release = path.map(|path| {
        let asked = Asked {
            path,
            agent: &agent.name,
            version: &version.name,
            commit: version.commit.as_deref(),
            now_wall_ms,
        };
        let Release { open, blocked_by, .. } =
            path::release(&asked, report.clone().and_then(posted).as_ref(), &facts);
        ReleaseView { open, blocked_by }
    });
    let facts = serde_json::to_value(&facts).map_err(|error| {
        tracing::error!(%error, "what is known of a path cannot be told");
        ApiError::new(Kind::Internal, "What is known of the path cannot be told.")
    })?;
    Ok(Json(PathView {
        agent: agent.name.clone(),
        version: version.name.clone(),
        plan: plan.name.clone(),
        path,
        facts,
        report: report.map(ReportView::from),
        release,
    }))
}

/// A report that this program cannot read is none.
fn posted(report: PathReport) -> Option<Posted> {
    let PathReport { version, path, commit, at_wall_ms, findings, .. } = report;
    let findings = serde_json::from_value(findings).ok()?;
    Some(Posted { path, version, commit, at_wall_ms, findings })
}

fn version_of<'a>(agent: &'a Agent, name: Option<&VersionName>) -> Result<&'a Manifest, ApiError> {
    match name {
        Some(name) => agent.version(name).ok_or_else(|| fleet::no_version(agent, name)),
        None => agent.versions.last().ok_or_else(|| ApiError::not_found("version")),
    }
}

fn plan_of<'a>(config: &'a Config, name: &PlanName) -> Result<&'a Plan, ApiError> {
    let names: Vec<&str> = config.plans.iter().map(|plan| plan.name.as_str()).collect();
    config.plan(name).ok_or_else(|| ApiError::unknown("plan", name.as_str(), &names))
}

/// What a repository shows of a path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReport {
    /// The version that was built from it.
    #[schema(value_type = String)]
    version: VersionName,
    /// The path: `monolith`, `microservices` or `serverless`.
    #[schema(value_type = String)]
    path: Scenario,
    /// The commit that was looked at, in full.
    #[schema(pattern = "^([0-9a-f]{40}|[0-9a-f]{64})$")]
    commit: String,
    /// What it shows, by step: `outcome` (`pass`, `fail`, `unknown`, `not_applicable`), `reason`, `evidence`, `attested`.
    #[schema(value_type = Object)]
    findings: Findings,
}

/// Keeps a report of what a repository shows. It is evidence for releases of this version for 7 days.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/path/reports", tag = "agents", operation_id = "report_path",
    security(("token" = [])), request_body = NewReport,
    params(("agent" = String, Path, description = "The agent.")), responses(
    (status = 201, description = "It is kept.", body = ReportView),
    (status = 422, description = "It says what no repository shows.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn report(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(agent): PathArgs<AgentName>,
    JsonBody(new): JsonBody<NewReport>,
) -> Result<(StatusCode, Json<ReportView>), ApiError> {
    let agent = fleet::defined(&app, &principal, &agent).await?;
    let NewReport { version, path, commit, findings } = new;
    version_of(&agent, Some(&version))?;
    if !is_commit(&commit) {
        return Err(ApiError::new(Kind::Invalid, "`commit` is no commit in full.")
            .hint("Send 40 or 64 lowercase hex digits, as `git rev-parse HEAD` prints them."));
    }
    check_report(path, &findings).map_err(|why| {
        ApiError::new(Kind::Invalid, format!("The report cannot be taken: {why}."))
            .hint("`lockgate path --report` makes and posts one.")
            .cli_hint("the server and this command may be of different versions")
    })?;
    let outcomes: Value = findings
        .iter()
        .map(|(step, finding)| (step.clone(), json!(finding.outcome)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let attested: Vec<&str> =
        findings.values().flat_map(|one| &one.attested).map(|word| word.of.as_str()).collect();
    let detail = json!({
        "agent": agent.name, "version": version, "path": path, "commit": commit,
        "outcomes": outcomes, "attested": attested,
    });
    let subject = format!("{}/{version}", agent.name);
    record(&app, &principal, "path.report", subject, detail).await?;
    let report = PathReport {
        agent: agent.name,
        version,
        path,
        commit,
        by: principal.name,
        at_wall_ms: clock::wall_ms(),
        findings: json!(findings),
    };
    app.store.add_path_report(&report).await?;
    Ok((StatusCode::CREATED, Json(report.into())))
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
