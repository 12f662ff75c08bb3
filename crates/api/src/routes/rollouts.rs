//! Releases: lists, the view, history, explanation, and starting one.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use lockgate_model::ids::PlanName;
use lockgate_readiness::path;
use lockgate_rollout::view::RolloutView;
use lockgate_rollout::view::TestView;
use lockgate_store::{InboxBody, TransitionRecord};
use serde_json::json;

use crate::auth::{Operator, Principal, Viewer};
use crate::doc;
use crate::extract::{JsonBody, PathArgs, QueryArgs};
use crate::fleet;
use crate::problem::{ApiError, Problem};
use crate::record::record;
use crate::release;
use crate::routes::command;
use crate::routes::query::{AgentLimit, OfAgent};
use crate::shapes::{
    CommandAnswer, CommandState, ExplainedEffect, ExplainedNow, ExplainedStep, Explanation,
    Replaced, RolloutSummary, StartRollout,
};
use crate::state::App;
use crate::submit::{self, Command};

/// Releases, newest first.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts", operation_id = "list_rollouts",
    security(("token" = [])), params(AgentLimit), responses(
    (status = 200, description = "Releases, newest first.", body = Vec<RolloutSummary>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(args): QueryArgs<AgentLimit>,
) -> Result<Json<Vec<RolloutSummary>>, ApiError> {
    if let Some(agent) = &args.agent {
        fleet::known(&app, &principal, agent).await?;
    }
    release::recent(&app, &principal, args.agent.as_ref(), args.rows()).await.map(Json)
}

/// Starts a release. Waits up to 5 s for control.
#[utoipa::path(post, path = "/api/v1/rollouts", tag = "rollouts", operation_id = "start_rollout",
    security(("token" = [])), request_body = StartRollout,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key means the same request.")),
    responses(
    (status = 202, description = "Written down; `state` says whether it has started.", body = CommandAnswer),
    (status = 409, description = "Control refused it, such as for an open release and no `replace`.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn start(
    State(app): State<App>,
    Operator(principal): Operator,
    headers: HeaderMap,
    JsonBody(start): JsonBody<StartRollout>,
) -> Result<(StatusCode, Json<CommandAnswer>), ApiError> {
    if start.in_spite_because.is_some() {
        principal.need_admin("Starting a release although its path is blocked (`override`)")?;
    }
    let agent = fleet::defined(&app, &principal, &start.agent).await?;
    if agent.version(&start.version).is_none() {
        return Err(fleet::no_version(&agent, &start.version));
    }
    if let Some(plan) = &start.plan {
        need_plan(&app, plan).await?;
    }
    let subject = format!("{}/{}", start.agent, start.version);
    let detail = json!({
        "agent": start.agent, "version": start.version, "plan": start.plan,
        "reason": start.reason, "replace": start.replace, "override": start.in_spite_because,
    });
    record(&app, &principal, "rollout.start", &subject, detail).await?;
    let command = Command {
        key: command::idempotency_key(&principal, &headers)?,
        agent: start.agent.clone(),
        rollout: None,
        body: InboxBody::Start {
            agent: start.agent,
            candidate: start.version,
            plan: start.plan,
            reason: start.reason.into(),
            retry_of: None,
            replace: start.replace,
            in_spite_because: start.in_spite_because.map(String::from),
        },
    };
    submit_start(&app, &principal, subject, command).await
}

async fn need_plan(app: &App, name: &PlanName) -> Result<(), ApiError> {
    let config = app.config().await?;
    let plans = config.iter().flat_map(|config| &config.plans);
    let names: Vec<&str> = plans.map(|plan| plan.name.as_str()).collect();
    if names.contains(&name.as_str()) {
        return Ok(());
    }
    Err(ApiError::unknown("plan", name.as_str(), &names))
}

/// Hands a start to control and answers it: 202, or 409 with control's reason.
pub(crate) async fn submit_start(
    app: &App,
    principal: &Principal,
    subject: String,
    command: Command,
) -> Result<(StatusCode, Json<CommandAnswer>), ApiError> {
    let replaces = matches!(command.body, InboxBody::Start { replace: true, .. });
    let starts = match &command.body {
        InboxBody::Start { candidate, .. } => Some(candidate.clone()),
        _ => None,
    };
    let open = fleet::open_release(app, &command.agent).await?;
    let mut answer = submit::submit(app, principal, command).await?;
    if answer.state == CommandState::Refused {
        let of_path = answer.result.as_deref().and_then(path::says_blocked);
        let is_blocked = of_path.is_some();
        let why = json!({ "reason": of_path.or_else(|| answer.result.clone()) });
        record(app, principal, "rollout.start.refused", subject, why).await?;
        let refused = submit::refused(&answer);
        if is_blocked {
            return Err(blocked(refused));
        }
        return Err(match open {
            Some(open) if starts == Some(open.version.clone()) => on_its_way(refused, &open),
            Some(open) if !replaces => needs_replace(refused, &open),
            _ => refused,
        });
    }
    answer.replaces = open.filter(|_| replaces);
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Its path to production is not open.
fn blocked(refused: ApiError) -> ApiError {
    refused
        .hint("`GET /api/v1/agents/{agent}/path` says what is missing. An admin may start it all the same with `\"override\": REASON`, which is recorded.")
        .cli_hint("`lockgate path --agent NAME` says what is missing; an admin may start it all the same with `--override REASON`, which is recorded")
}

/// It would take its own place.
fn on_its_way(refused: ApiError, open: &Replaced) -> ApiError {
    let Replaced { rollout, version } = open;
    let already = format!("{version} is being released already");
    refused
        .hint(format!("{already}: `GET /api/v1/rollouts/{rollout}` shows where it stands."))
        .cli_hint(format!("{already}; `lockgate rollout watch {rollout}` follows it"))
}

fn needs_replace(refused: ApiError, open: &Replaced) -> ApiError {
    let Replaced { rollout, version } = open;
    let effect = format!("takes the place of release of {version}, which goes back to 0 % first");
    refused
        .hint(format!("A start with `\"replace\": true` {effect}."))
        .cli_hint(format!(
            "`lockgate rollout start … --replace` {effect}; `lockgate rollout watch {rollout}` follows it"
        ))
}

/// A release now: stages, numbers of both versions, gates and triggers.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}", tag = "rollouts", operation_id = "rollout",
    security(("token" = [])),
    params(("id" = String, Path, description = "Its id, or `latest` with `?agent=`."), OfAgent), responses(
    (status = 200, description = "The release, judged now.", body = doc::RolloutViewDoc),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(id): PathArgs<String>,
    QueryArgs(of): QueryArgs<OfAgent>,
) -> Result<Json<RolloutView>, ApiError> {
    let rollout = release::find(&app, &principal, &id, of.agent.as_ref()).await?;
    release::view(&app, &rollout).await.map(Json)
}

/// Every transition of a release and the effects it asked for, oldest first.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/history", tag = "rollouts",
    operation_id = "rollout_history", security(("token" = [])),
    params(("id" = String, Path, description = "Its id, or `latest` with `?agent=`."), OfAgent), responses(
    (status = 200, description = "Transitions.", body = Vec<doc::TransitionRecordDoc>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn history(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(id): PathArgs<String>,
    QueryArgs(of): QueryArgs<OfAgent>,
) -> Result<Json<Vec<TransitionRecord>>, ApiError> {
    let rollout = release::find(&app, &principal, &id, of.agent.as_ref()).await?;
    Ok(Json(app.store.transitions(rollout.id).await?))
}

/// Why a release stands where it stands.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/explain", tag = "rollouts",
    operation_id = "explain_rollout", security(("token" = [])),
    params(("id" = String, Path, description = "Its id, or `latest` with `?agent=`."), OfAgent), responses(
    (status = 200, description = "The present and the way here.", body = Explanation),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn explain(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(id): PathArgs<String>,
    QueryArgs(of): QueryArgs<OfAgent>,
) -> Result<Json<Explanation>, ApiError> {
    let rollout = release::find(&app, &principal, &id, of.agent.as_ref()).await?;
    let view = release::view(&app, &rollout).await?;
    let transitions = app.store.transitions(rollout.id).await?;
    Ok(Json(Explanation {
        now: ExplainedNow {
            phase: view.phase,
            why: view.why,
            would_change: view.would_change,
            warnings: view.warnings,
            tested: view.test.iter().flat_map(TestView::told).collect(),
            gates: view.gates,
            triggers: view.triggers,
        },
        transitions: transitions.into_iter().map(step).collect(),
    }))
}

fn step(record: TransitionRecord) -> ExplainedStep {
    let transition = record.transition;
    let mut causes = transition.causes.into_iter();
    ExplainedStep {
        at: transition.at_wall_ms,
        from: transition.from,
        to: transition.to,
        cause: causes.next(),
        also: causes.collect(),
        effects: record.effects.iter().map(ExplainedEffect::from).collect(),
        would_change: transition.would_change,
    }
}
