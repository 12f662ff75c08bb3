//! Keys that sign tokens of agents' versions: changed, listed, retired.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::identity::{Identity, IdentityKey, KeyId, SigningKeys};
use lockgate_model::ports::PortError;
use lockgate_store::{IDENTITY_KEYS_MAX, IdentityKeyRow, NotRotated};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Operator, Principal, Viewer};
use crate::extract::{JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;
use crate::{clock, gateways};

/// No token lasts longer, so neither must its key.
const RETIRE_AFTER_MAX_S: i64 = 366 * 86_400;
const CONCERNS: &str = "A key that signs tokens";

/// A key that signs tokens, or did; never its private half.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityKeyView {
    /// Its name, the `kid` of tokens.
    kid: String,
    /// The Ed25519 public key, base64url.
    public: String,
    /// `signs`, `good` (signs no more, and its tokens are good), or `retired` (they are void).
    state: &'static str,
    /// Since when it signs, milliseconds since the Unix epoch.
    since_wall_ms: i64,
    /// Until when it did.
    #[schema(required = true)]
    until_wall_ms: Option<i64>,
    /// From when on its tokens are void, or since when; none when they are good as long as they last.
    #[schema(required = true)]
    void_wall_ms: Option<i64>,
    /// Who brought it into use.
    by: String,
}

impl IdentityKeyView {
    fn new(row: IdentityKeyRow, now_wall_ms: i64) -> Self {
        let void = row.void_since(now_wall_ms);
        let state = match (void, row.until_wall_ms) {
            (Some(_), _) => "retired",
            (None, Some(_)) => "good",
            (None, None) => "signs",
        };
        Self {
            kid: row.kid.to_string(),
            public: row.public,
            state,
            since_wall_ms: row.since_wall_ms,
            until_wall_ms: row.until_wall_ms,
            void_wall_ms: void.or(row.ends_wall_ms),
            by: row.by,
        }
    }
}

/// Keys that sign tokens of versions, the one that signs now first.
#[utoipa::path(get, path = "/api/v1/identity-keys", tag = "administration",
    operation_id = "list_identity_keys", security(("token" = [])), responses(
    (status = 200, description = "Keys.", body = Vec<IdentityKeyView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Viewer,
) -> Result<Json<Vec<IdentityKeyView>>, ApiError> {
    let (rows, now_ms) = (app.store.identity_keys().await?, clock::wall_ms());
    Ok(Json(rows.into_iter().map(|row| IdentityKeyView::new(row, now_ms)).collect()))
}

/// Asks for a new key.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// How long tokens of the former key are good, seconds: 0 for not at all, up to 366 days. As long as they last when
    /// left out.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 31_622_400)]
    retire_after_s: Option<i64>,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// A change of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RotatedKey {
    /// The key that signs from now on.
    kid: String,
    /// The one that did.
    former: String,
    /// From when on tokens of the former one are void; none when they are good as long as they last.
    #[schema(required = true)]
    former_void_wall_ms: Option<i64>,
}

/// Has a new key sign tokens from now on. Those of the former one stay good for as long as it is asked for.
#[utoipa::path(post, path = "/api/v1/identity-keys", tag = "administration",
    operation_id = "rotate_identity_key", security(("token" = [])), request_body = NewKey, responses(
    (status = 201, description = "The new key signs.", body = RotatedKey),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn rotate(
    State(app): State<App>,
    Operator(principal): Operator,
    JsonBody(new): JsonBody<NewKey>,
) -> Result<(StatusCode, Json<RotatedKey>), ApiError> {
    principal.need_all_agents(CONCERNS)?;
    if new.retire_after_s.is_some_and(|after| !(0..=RETIRE_AFTER_MAX_S).contains(&after)) {
        let why = "`retire_after_s` must be from 0 to 31622400 (366 days).";
        return Err(ApiError::new(Kind::Invalid, why));
    }
    // Whoever asked may leave meanwhile: a change is not left half done.
    let rotated = tokio::spawn(async move { change(&app, &principal, &new).await });
    let rotated = rotated.await.map_err(|error| {
        tracing::error!(%error, "the key of tokens may not have been changed");
        ApiError::new(Kind::Internal, "It is not known whether the key was changed.")
            .hint("`GET /api/v1/identity-keys` says which one signs.")
    })??;
    Ok((StatusCode::CREATED, Json(rotated)))
}

async fn change(app: &App, principal: &Principal, new: &NewKey) -> Result<RotatedKey, ApiError> {
    let _turn = app.signing.lock().await;
    let former = signing(app).await?;
    let from = former.clone();
    let key: IdentityKey = keys(app, move |keys| keys.prepare(&from)).await?;
    let now_ms = clock::wall_ms();
    let ends_ms = new.retire_after_s.map(|after| now_ms.saturating_add(after * 1_000));
    let detail = json!({
        "key": key.kid, "public": key.public, "former": former, "former_void_wall_ms": ends_ms,
        "reason": new.reason,
    });
    record(app, principal, "identity.rotate_key", key.kid.as_str(), detail).await?;
    app.store
        .rotate_identity_key(&former, ends_ms, &key, &principal.name, now_ms)
        .await
        .map_err(not_rotated)?;
    let kid = key.kid.clone();
    // The next start sees to it, and signing finds it where it is.
    if let Err(error) = keys(app, move |keys| keys.settle(&kid)).await {
        tracing::warn!(?error, "the former key of tokens is still there");
    }
    Ok(RotatedKey {
        kid: key.kid.to_string(),
        former: former.to_string(),
        former_void_wall_ms: ends_ms,
    })
}

fn not_rotated(error: NotRotated) -> ApiError {
    match error {
        NotRotated::Other => ApiError::new(Kind::Conflict, "Another key signs by now.")
            .hint("`GET /api/v1/identity-keys` says which one."),
        NotRotated::TooMany => {
            let why = format!("There are {IDENTITY_KEYS_MAX} keys whose tokens are good.");
            ApiError::new(Kind::Conflict, why)
                .hint("Retire those that are not needed any more.")
                .cli_hint("`lockgate identity keys` shows them, `lockgate identity retire-key` retires one")
        }
        NotRotated::Store(error) => error.into(),
    }
}

/// Why a key is retired.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetireArgs {
    /// Why.
    #[param(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// Voids every token of a key that signs no more, at once and for good.
#[utoipa::path(delete, path = "/api/v1/identity-keys/{id}", tag = "administration",
    operation_id = "retire_identity_key", security(("token" = [])),
    params(("id" = String, Path, description = "The key's `kid`."), RetireArgs), responses(
    (status = 204, description = "Retired."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn retire(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(id): PathArgs<String>,
    QueryArgs(args): QueryArgs<RetireArgs>,
) -> Result<StatusCode, ApiError> {
    principal.need_all_agents(CONCERNS)?;
    let now_ms = clock::wall_ms();
    let rows = app.store.identity_keys().await?;
    let row = rows.into_iter().find(|row| row.kid.as_str() == id);
    let Some(row) = row.filter(|row| row.void_since(now_ms).is_none()) else {
        return Err(no_such_key());
    };
    if row.until_wall_ms.is_none() {
        let why = "This key signs tokens now, and none would be good after.";
        return Err(ApiError::new(Kind::Conflict, why)
            .hint("Have another one sign first: `POST /api/v1/identity-keys`.")
            .cli_hint("have another one sign first: `lockgate identity rotate-key`"));
    }
    let detail = json!({ "key": row.kid, "reason": args.reason });
    record(&app, &principal, "identity.retire_key", row.kid.as_str(), detail).await?;
    app.store.retire_identity_key(&row.kid, now_ms).await?;
    gateways::have_newest(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_key() -> ApiError {
    ApiError::not_found("such key whose tokens are good")
        .hint("`GET /api/v1/identity-keys` lists them.")
        .cli_hint("`lockgate identity keys` shows them")
}

/// The key that signs.
pub(super) async fn signing(app: &App) -> Result<KeyId, ApiError> {
    let row = app.store.signing_key().await?;
    row.map(|row| row.kid).ok_or_else(|| {
        ApiError::new(Kind::Unavailable, "There is no key that signs tokens yet.")
            .hint("Try again in a moment.")
    })
}

/// Signs a token. The caller holds `app.signing`: the key must be there until it has signed.
pub(super) async fn sign(app: &App, identity: &Identity) -> Result<String, ApiError> {
    let identity = identity.clone();
    keys(app, move |keys| keys.issue(&identity)).await
}

/// Does something with private keys, which waits for a disk.
async fn keys<T: Send + 'static>(
    app: &App,
    with: impl FnOnce(&dyn SigningKeys) -> Result<T, PortError> + Send + 'static,
) -> Result<T, ApiError> {
    let all = std::sync::Arc::clone(&app.issuer);
    let done = tokio::task::spawn_blocking(move || with(&*all)).await;
    let done = done.map_err(|error| error.to_string());
    done.and_then(|done| done.map_err(|error| error.to_string())).map_err(|error| {
        tracing::error!(error, "the key that signs tokens cannot be used");
        ApiError::new(Kind::Internal, "The key that signs tokens cannot be used.")
            .hint("The server's log says why. A new key takes its place.")
            .cli_hint("the server's log says why; `lockgate identity rotate-key` makes a new one")
    })
}
