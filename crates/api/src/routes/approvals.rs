//! Questions to people about actions of agents: what waits, and the answers.

use axum::Json;
use axum::extract::State;
use lockgate_model::ids::ApprovalId;
use lockgate_store::{ApprovalRow, ApprovalState, NoVote};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{Approver, Principal, Viewer};
use crate::extract::{JsonBody, PathArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;

/// How many a list has.
const LISTED_MAX: u32 = 1_000;

/// What one rule wants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermView {
    /// The rule.
    rule: String,
    /// How many people must agree.
    approvals: u32,
    /// Whose word counts; anybody's who may approve when empty.
    from: Vec<String>,
}

/// What somebody said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VoteView {
    /// Who.
    by: String,
    /// Yes or no.
    agreed: bool,
    /// Why.
    reason: String,
    /// When, milliseconds since the Unix epoch.
    at_wall_ms: i64,
}

/// A question: may this be done, exactly this, once?
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: ApprovalId,
    /// The agent.
    agent: String,
    /// Its version.
    version: String,
    /// The tool.
    tool: String,
    /// What is to be done with it.
    action: String,
    /// `waiting`, `granted`, `denied`, `used`, `expired`, `lapsed` (a yes that was not used in time) or `over` (a no that
    /// has stood long enough).
    state: &'static str,
    /// When it was asked, milliseconds since the Unix epoch.
    asked_wall_ms: i64,
    /// Until when the state lasts by itself, or when it ended.
    until_wall_ms: i64,
    /// How long that is from now.
    left_ms: i64,
    /// Who had the token issued that asked, and so has no say.
    #[schema(required = true)]
    requester: Option<String>,
    /// What the rules want.
    terms: Vec<TermView>,
    /// What was said so far.
    votes: Vec<VoteView>,
    /// Arguments, facts and the rules' message. For those who may answer, while it can be answered; else null.
    #[schema(required = true, value_type = Option<Object>)]
    shown: Value,
}

impl ApprovalView {
    fn of(row: ApprovalRow, principal: &Principal) -> Self {
        let open = matches!(row.state, ApprovalState::Waiting | ApprovalState::Granted);
        let shown = if open && principal.may_approve() { row.shown } else { Value::Null };
        Self {
            id: row.id,
            agent: row.agent.to_string(),
            version: row.version.to_string(),
            tool: row.tool.to_string(),
            action: row.action,
            state: row.state.as_str(),
            asked_wall_ms: row.asked_wall_ms,
            until_wall_ms: row.until_wall_ms,
            left_ms: row.left_ms,
            requester: row.issued_by,
            terms: row
                .terms
                .into_iter()
                .map(|term| TermView {
                    rule: term.rule,
                    approvals: term.approvals,
                    from: term.from,
                })
                .collect(),
            votes: row
                .votes
                .into_iter()
                .map(|vote| VoteView {
                    by: vote.by,
                    agreed: vote.agreed,
                    reason: vote.reason,
                    at_wall_ms: vote.at_wall_ms,
                })
                .collect(),
            shown,
        }
    }
}

/// Questions without what people are shown, open ones first, then the last that changed: 1,000 at most.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "agents", operation_id = "list_approvals",
    security(("token" = [])), responses(
    (status = 200, description = "Questions.", body = Vec<ApprovalView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<Vec<ApprovalView>>, ApiError> {
    let rows = app.store.approvals(LISTED_MAX).await?;
    let seen = rows.into_iter().filter(|row| principal.sees(&row.agent));
    Ok(Json(seen.map(|row| ApprovalView::of(row, &principal)).collect()))
}

/// One question.
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "agents", operation_id = "get_approval",
    security(("token" = [])), params(("id" = String, Path, description = "The question's id.")), responses(
    (status = 200, description = "The question.", body = ApprovalView),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(id): PathArgs<String>,
) -> Result<Json<ApprovalView>, ApiError> {
    let row = find(&app, &principal, &id).await?;
    Ok(Json(ApprovalView::of(row, &principal)))
}

async fn find(app: &App, principal: &Principal, id: &str) -> Result<ApprovalRow, ApiError> {
    let row = match id.parse() {
        Ok(id) => app.store.approval(id).await?,
        Err(_) => None,
    };
    row.filter(|row| principal.sees(&row.agent)).ok_or_else(|| {
        ApiError::not_found("such question")
            .hint("`GET /api/v1/approvals` lists them.")
            .cli_hint("`lockgate approvals list` shows them")
    })
}

/// An answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// What came of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decided {
    /// `waiting` while more people must agree, `granted` or `denied`.
    state: &'static str,
}

/// Agrees to exactly this action, once. Needs the role approver, and is not for whoever had the agent's token issued.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "agents", operation_id = "approve",
    security(("token" = [])), request_body = Said,
    params(("id" = String, Path, description = "The question's id.")), responses(
    (status = 200, description = "It counts.", body = Decided),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn approve(
    State(app): State<App>,
    Approver(principal): Approver,
    PathArgs(id): PathArgs<String>,
    JsonBody(said): JsonBody<Said>,
) -> Result<Json<Decided>, ApiError> {
    answer(&app, &principal, &id, true, &said.reason).await
}

/// Says no. That is final: no later yes and no lapse of time makes it one.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/deny", tag = "agents", operation_id = "deny",
    security(("token" = [])), request_body = Said,
    params(("id" = String, Path, description = "The question's id.")), responses(
    (status = 200, description = "It counts.", body = Decided),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn deny(
    State(app): State<App>,
    Approver(principal): Approver,
    PathArgs(id): PathArgs<String>,
    JsonBody(said): JsonBody<Said>,
) -> Result<Json<Decided>, ApiError> {
    answer(&app, &principal, &id, false, &said.reason).await
}

async fn answer(
    app: &App,
    principal: &Principal,
    id: &str,
    agreed: bool,
    reason: &Reason,
) -> Result<Json<Decided>, ApiError> {
    let id = find(app, principal, id).await?.id;
    let row = app.store.may_vote(id, &principal.name).await?.map_err(|no| refused(&no))?;
    let verb = if agreed { "approval.approve" } else { "approval.deny" };
    let detail = json!({
        "approval": id, "agent": row.agent, "version": row.version, "tool": row.tool,
        "reason": reason,
    });
    // A word that is not recorded does not count; one that comes too late after this is on record and counts for nothing.
    record(app, principal, verb, format!("{}/{}", row.tool, row.action), detail).await?;
    let state = app
        .store
        .vote(id, &principal.name, agreed, reason.as_str())
        .await?
        .map_err(|no| refused(&no))?;
    Ok(Json(Decided { state: state.as_str() }))
}

fn refused(no: &NoVote) -> ApiError {
    match no {
        NoVote::Unknown => ApiError::not_found("such question"),
        NoVote::Decided(state) => {
            let why = match state {
                ApprovalState::Granted => "It was agreed to already.",
                ApprovalState::Denied | ApprovalState::Over => "Somebody said no, and that is final.",
                ApprovalState::Used => "It was agreed to, and done.",
                ApprovalState::Expired => "Its time is over, and the answer is no.",
                ApprovalState::Lapsed => "It was agreed to, and not done in time.",
                ApprovalState::Waiting => "It waits.",
            };
            ApiError::new(Kind::Conflict, why).hint("The agent asks again when it wants it again.")
        }
        NoVote::Requester => ApiError::new(
            Kind::Forbidden,
            "You had the token issued that asks: you could be the one who asks, and have no say.",
        )
        .hint("Another approver has to answer: `lockgate token create NAME --role approver`."),
        NoVote::RequesterUnknown => ApiError::new(
            Kind::Conflict,
            "Nobody remembers who had the token issued that asks, so nobody can be sure not to be the one.",
        )
        .hint("Issue the agent a new token with `lockgate identity issue`."),
        NoVote::Twice => ApiError::new(Kind::Conflict, "You have answered already."),
        NoVote::NotAsked => ApiError::new(Kind::Forbidden, "The rule asks others, by name.")
            .hint("`lockgate approvals show` says whom."),
    }
}
