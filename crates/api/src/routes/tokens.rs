//! API tokens: made, listed, revoked. For admins.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::ids::AgentName;
use lockgate_model::ledger::{ERASED, LOCAL, PARTS};
use lockgate_store::{Role, TokenRecord};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Admin;
use crate::extract::{self, JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;
use crate::{clock, doc, token};

/// The longest name of a token.
const NAME_CHARS_MAX: usize = 63;
/// The most live tokens: each request compares with all of them.
const TOKENS_MAX: usize = 1_000;

/// A token, without the token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its id.
    id: String,
    /// Its name: what the journal calls the one who acted.
    name: String,
    /// What it may do.
    #[schema(value_type = doc::RoleDoc)]
    role: Role,
    /// The agents it is limited to; null for all.
    #[schema(value_type = Option<Vec<String>>, required = true)]
    agents: Option<Vec<AgentName>>,
    /// When it was made, milliseconds since the Unix epoch.
    created_wall_ms: i64,
    /// When it was revoked.
    #[schema(required = true)]
    revoked_wall_ms: Option<i64>,
}

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            role: record.role,
            agents: record.agents,
            created_wall_ms: record.created_wall_ms,
            revoked_wall_ms: record.revoked_wall_ms,
        }
    }
}

/// Asks for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// 1 to 63 characters.
    #[schema(min_length = 1, max_length = 63)]
    name: String,
    /// What it may do.
    #[schema(value_type = doc::RoleDoc)]
    role: Role,
    /// The agents it is limited to; left out for all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    agents: Option<Vec<AgentName>>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Minted {
    /// Its id.
    id: String,
    /// The token. It is shown this once and kept nowhere.
    token: String,
}

/// All tokens, revoked ones too.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "administration", operation_id = "list_tokens",
    security(("token" = [])), responses(
    (status = 200, description = "Tokens.", body = Vec<TokenView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Admin(principal): Admin,
) -> Result<Json<Vec<TokenView>>, ApiError> {
    principal.need_all_agents("The list of tokens")?;
    let records = app.store.tokens().await?;
    Ok(Json(records.into_iter().map(TokenView::from).collect()))
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "administration",
    operation_id = "create_token", security(("token" = [])), request_body = NewToken, responses(
    (status = 201, description = "The token, shown this once.", body = Minted),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn create(
    State(app): State<App>,
    Admin(principal): Admin,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<Minted>), ApiError> {
    principal.need_all_agents("Making tokens")?;
    let name = new.name.trim();
    let printable = !name.chars().any(extract::deceives);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !printable {
        let why = format!("`name` must be 1 to {NAME_CHARS_MAX} printable characters.");
        return Err(ApiError::new(Kind::Invalid, why));
    }
    if PARTS.contains(&name) || [LOCAL, ERASED].contains(&name) {
        let why = format!("`{name}` is what someone else is called in the audit log.");
        return Err(ApiError::new(Kind::Invalid, why).hint("Choose another name."));
    }
    if new.agents.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::new(Kind::Invalid, "`agents` is empty: such a token sees nothing.")
            .hint("Name at least one agent, or leave `agents` out for all."));
    }
    let tokens = app.store.tokens().await?;
    let live = || tokens.iter().filter(|token| token.revoked_wall_ms.is_none());
    if live().any(|token| token.name == name) {
        return Err(ApiError::new(Kind::Conflict, format!("A token called `{name}` exists."))
            .hint("Names tell people apart in the journal: choose another one."));
    }
    if live().count() >= TOKENS_MAX {
        return Err(ApiError::new(Kind::Conflict, format!("There are {TOKENS_MAX} tokens."))
            .hint("Revoke what is not used any more."));
    }
    let (plaintext, token) = token::mint(name, new.role, new.agents);
    let detail = json!({
        "name": token.name, "role": token.role, "agents": token.agents,
        "reason": new.reason,
    });
    record(&app, &principal, "token.create", &token.id, detail).await?;
    app.store.insert_token(&token).await?;
    let minted = Minted { id: token.id, token: plaintext };
    Ok((StatusCode::CREATED, Json(minted)))
}

/// Why a token is revoked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeArgs {
    /// Why.
    #[param(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// Revokes a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "administration",
    operation_id = "revoke_token", security(("token" = [])),
    params(("id" = String, Path, description = "The token's id."), RevokeArgs), responses(
    (status = 204, description = "Revoked."),
    (status = 409, description = "It is the last admin token.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Admin(principal): Admin,
    PathArgs(id): PathArgs<String>,
    QueryArgs(args): QueryArgs<RevokeArgs>,
) -> Result<StatusCode, ApiError> {
    principal.need_all_agents("Revoking tokens")?;
    let tokens = app.store.tokens().await?;
    let live = |token: &&TokenRecord| token.revoked_wall_ms.is_none();
    let Some(token) = tokens.iter().filter(live).find(|token| token.id == id) else {
        return Err(ApiError::not_found("such live token")
            .hint("`GET /api/v1/tokens` lists them.")
            .cli_hint("`lockgate token list` shows them"));
    };
    let keeps_admin = tokens
        .iter()
        .filter(live)
        .any(|other| other.id != id && other.role == Role::Admin && other.agents.is_none());
    if !keeps_admin {
        return Err(ApiError::new(Kind::Conflict, "This is the last admin token.")
            .hint("Make another admin token for all agents first."));
    }
    let detail = json!({ "name": token.name, "reason": args.reason });
    record(&app, &principal, "token.revoke", &id, detail).await?;
    app.store.revoke_token(&id, clock::wall_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}
