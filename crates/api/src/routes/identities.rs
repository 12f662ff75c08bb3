//! Tokens of agents' versions, for their own calls: issued, listed, revoked.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::identity::{Identity, Voucher};
use lockgate_model::ids::{AgentName, IdentityId, VersionName};
use lockgate_store::{IdentityKeyRow, IdentityRow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::{Operator, Principal, Viewer};
use crate::extract::{JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::routes::identity_keys;
use crate::state::App;
use crate::{clock, fleet, gateways};

/// Tokens that are not over, at most: each that is revoked is told to every gateway.
const LIVE_MAX: u64 = 10_000;
/// How many a list has.
const LISTED_MAX: u32 = 1_000;
const DAY_S: i64 = 86_400;
const EXPIRES_DEFAULT_S: i64 = 90 * DAY_S;
const EXPIRES_MIN_S: i64 = 60;
const EXPIRES_MAX_S: i64 = 366 * DAY_S;

/// A token of a version, without the token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityView {
    /// Its id, the token's `jti`.
    #[schema(value_type = String, format = Uuid)]
    id: IdentityId,
    /// The agent.
    #[schema(value_type = String)]
    agent: AgentName,
    /// The version.
    #[schema(value_type = String)]
    version: VersionName,
    /// Digest of the version's manifest that it is bound to.
    manifest: String,
    /// When it was issued, seconds since the Unix epoch.
    issued_wall_s: i64,
    /// When it is over, seconds since the Unix epoch.
    expires_wall_s: i64,
    /// Who had it issued.
    by: String,
    /// The key that signed it.
    key: String,
    /// When it was revoked, by itself, with its version or with its key, milliseconds since the Unix epoch.
    #[schema(required = true)]
    revoked_wall_ms: Option<i64>,
}

impl IdentityView {
    fn new(row: IdentityRow, keys: &[IdentityKeyRow], now_wall_ms: i64) -> Self {
        let IdentityRow { identity, by, revoked_wall_ms } = row;
        let kid = identity.voucher.key();
        let key = keys.iter().find(|key| Some(&key.kid) == kid);
        let void = key.and_then(|key| key.void_since(now_wall_ms));
        Self {
            id: identity.id,
            agent: identity.agent,
            version: identity.version,
            manifest: identity.manifest.as_str().to_owned(),
            issued_wall_s: identity.issued_wall_s,
            expires_wall_s: identity.expires_wall_s,
            by,
            key: kid.map(ToString::to_string).unwrap_or_default(),
            revoked_wall_ms: revoked_wall_ms.into_iter().chain(void).min(),
        }
    }
}

/// Asks for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewIdentity {
    /// How long it lasts, seconds: a minute to 366 days, 90 days when left out.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 31_622_400)]
    expires_s: Option<i64>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Issued {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: IdentityId,
    /// The token. It is shown this once and kept nowhere.
    token: String,
    /// When it is over, seconds since the Unix epoch.
    expires_wall_s: i64,
}

/// Issues a token for a version: who has it may call tools as that version.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/versions/{version}/identities", tag = "administration",
    operation_id = "issue_identity", security(("token" = [])), request_body = NewIdentity,
    params(
        ("agent" = String, Path, description = "The agent."),
        ("version" = String, Path, description = "The version."),
    ),
    responses(
    (status = 201, description = "The token, shown this once.", body = Issued),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn issue(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs((agent, version)): PathArgs<(AgentName, VersionName)>,
    JsonBody(new): JsonBody<NewIdentity>,
) -> Result<(StatusCode, Json<Issued>), ApiError> {
    let defined = fleet::defined(&app, &principal, &agent).await?;
    let Some(manifest) = defined.version(&version) else {
        return Err(fleet::no_version(&defined, &version));
    };
    let expires_s = new.expires_s.unwrap_or(EXPIRES_DEFAULT_S);
    if !(EXPIRES_MIN_S..=EXPIRES_MAX_S).contains(&expires_s) {
        let why = "`expires_s` must be from 60 (a minute) to 31622400 (366 days).";
        return Err(ApiError::new(Kind::Invalid, why));
    }
    let now_s = clock::wall_ms().div_euclid(1_000);
    if app.store.live_identities(now_s).await? >= LIVE_MAX {
        let why = format!("There are {LIVE_MAX} tokens of versions that are not over.");
        return Err(ApiError::new(Kind::Conflict, why).hint("Let tokens last less long."));
    }
    // A token of the second in which all others were revoked would be one of them.
    let floor = app.store.identity_floor(&agent, &version).await?.unwrap_or(i64::MIN);
    let issued_wall_s = now_s.max(floor);
    let _turn = app.signing.lock().await;
    let identity = Identity {
        id: IdentityId(Uuid::now_v7()),
        manifest: manifest.digest(),
        agent,
        version,
        issued_wall_s,
        expires_wall_s: issued_wall_s + expires_s,
        voucher: Voucher::Key(identity_keys::signing(&app).await?),
        acting: None,
    };
    let detail = json!({
        "agent": identity.agent, "version": identity.version, "identity": identity.id,
        "manifest": identity.manifest, "expires_wall_s": identity.expires_wall_s, "reason": new.reason,
    });
    let subject = format!("{}/{}", identity.agent, identity.version);
    record(&app, &principal, "identity.issue", subject, detail).await?;
    app.store.insert_identity(&identity, &principal.name).await?;
    let token = identity_keys::sign(&app, &identity).await?;
    let issued = Issued { id: identity.id, token, expires_wall_s: identity.expires_wall_s };
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Tokens of versions, newest first, those that are over or revoked too: the last 1,000.
#[utoipa::path(get, path = "/api/v1/identities", tag = "administration", operation_id = "list_identities",
    security(("token" = [])), responses(
    (status = 200, description = "Tokens.", body = Vec<IdentityView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<Vec<IdentityView>>, ApiError> {
    let rows = app.store.identities(LISTED_MAX).await?;
    let (keys, now_ms) = (app.store.identity_keys().await?, clock::wall_ms());
    let seen = rows.into_iter().filter(|row| principal.sees(&row.identity.agent));
    Ok(Json(seen.map(|row| IdentityView::new(row, &keys, now_ms)).collect()))
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

/// Revokes one token. Waits up to 2 s for every gateway that is up to refuse it; it stays so after a restart.
#[utoipa::path(delete, path = "/api/v1/identities/{id}", tag = "administration",
    operation_id = "revoke_identity", security(("token" = [])),
    params(("id" = String, Path, description = "The token's id."), RevokeArgs), responses(
    (status = 204, description = "Revoked."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(id): PathArgs<String>,
    QueryArgs(args): QueryArgs<RevokeArgs>,
) -> Result<StatusCode, ApiError> {
    let row = match id.parse() {
        Ok(id) => app.store.identity(id).await?,
        Err(_) => None,
    };
    let live =
        |row: &IdentityRow| principal.sees(&row.identity.agent) && row.revoked_wall_ms.is_none();
    let Some(row) = row.filter(live) else { return Err(no_such_token()) };
    let Identity { id, agent, version, .. } = &row.identity;
    let detail = json!({
        "agent": agent, "version": version, "identity": id, "reason": args.reason,
    });
    let subject = format!("{agent}/{version}");
    record(&app, &principal, "identity.revoke", subject, detail).await?;
    app.store.revoke_identity(*id, clock::wall_ms()).await?;
    gateways::have_newest(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_token() -> ApiError {
    ApiError::not_found("such live token of a version")
        .hint("`GET /api/v1/identities` lists them.")
        .cli_hint("`lockgate identity list` shows them")
}

/// What was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokedAll {
    /// How many were remembered and good until now.
    revoked: u64,
}

/// Revokes every token that a version has, also those that nobody remembers. Later ones are good.
#[utoipa::path(delete, path = "/api/v1/agents/{agent}/versions/{version}/identities", tag = "administration",
    operation_id = "revoke_identities", security(("token" = [])),
    params(
        ("agent" = String, Path, description = "The agent."),
        ("version" = String, Path, description = "The version."),
        RevokeArgs,
    ),
    responses(
    (status = 200, description = "Revoked.", body = RevokedAll),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn revoke_all(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs((agent, version)): PathArgs<(AgentName, VersionName)>,
    QueryArgs(args): QueryArgs<RevokeArgs>,
) -> Result<Json<RevokedAll>, ApiError> {
    known(&app, &principal, &agent, &version).await?;
    let detail = json!({ "agent": agent, "version": version, "reason": args.reason });
    let subject = format!("{agent}/{version}");
    record(&app, &principal, "identity.revoke_all", subject, detail).await?;
    let at_wall_ms = clock::wall_ms();
    let revoked = app.store.revoke_identities_of(&agent, &version, at_wall_ms).await?;
    gateways::have_newest(&app).await?;
    Ok(Json(RevokedAll { revoked }))
}

/// Why issuers outside are let again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdmitOutside {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// Takes tokens of issuers outside again, for a version that a release has cut off.
#[utoipa::path(post, path = "/api/v1/agents/{agent}/versions/{version}/identities/outside",
    tag = "administration", operation_id = "admit_outside_identities", security(("token" = [])),
    request_body = AdmitOutside,
    params(
        ("agent" = String, Path, description = "The agent."),
        ("version" = String, Path, description = "The version."),
    ),
    responses(
    (status = 204, description = "They are taken."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn admit_outside(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs((agent, version)): PathArgs<(AgentName, VersionName)>,
    JsonBody(new): JsonBody<AdmitOutside>,
) -> Result<StatusCode, ApiError> {
    known(&app, &principal, &agent, &version).await?;
    if !app.store.is_outside_barred(&agent, &version).await? {
        let why = format!("Tokens of issuers outside are taken for `{agent}/{version}`.");
        return Err(ApiError::new(Kind::Conflict, why));
    }
    let detail = json!({ "agent": agent, "version": version, "reason": new.reason });
    let subject = format!("{agent}/{version}");
    record(&app, &principal, "identity.admit_outside", subject, detail).await?;
    app.store.admit_outside(&agent, &version, clock::wall_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A version that is gone from the file may still have tokens.
async fn known(
    app: &App,
    principal: &Principal,
    agent: &AgentName,
    version: &VersionName,
) -> Result<(), ApiError> {
    let defined = fleet::defined(app, principal, agent).await?;
    let is_known =
        defined.version(version).is_some() || app.store.has_identities(agent, version).await?;
    if is_known { Ok(()) } else { Err(fleet::no_version(&defined, version)) }
}
