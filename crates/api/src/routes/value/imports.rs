//! Files of events: sent in parts, taken up again where they stopped, counted once they are whole.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::version::Digest;
use lockgate_store::{Import, NewImport};
use lockgate_value::event::{Event, What};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{AlsoChargedView, check, check_corrected, check_past, not_imported};
use crate::auth::{Operator, Principal, Viewer};
use crate::clock;
use crate::extract::{JsonBody, PathArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record::record;
use crate::state::App;

/// Events of one file, at most.
const ROWS_MAX: u64 = 10_000_000;

/// Imports in one answer.
const LISTED_MAX: u32 = 100;

/// Characters of a file's name that are kept.
const NAME_CHARS_MAX: usize = 200;

/// Imports that are not whole, of a token that is limited to some agents: there are few places for all.
const OPEN_OF_LIMITED_MAX: i64 = 5;

/// Events that one transaction takes away.
const DISCARDED_AT_ONCE: u32 = 5_000;

/// A file to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeginImport {
    /// The digest of its events, `sha256:…`: the same file is the same import.
    #[schema(value_type = String)]
    digest: Digest,
    /// What the file is called.
    name: String,
    /// How many events it holds.
    rows: u64,
}

/// Some of a file's events, in their order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportRows {
    /// The place of the first one in the file, from 0. Those that were taken before are passed over.
    first: u64,
    /// 1 to 1,000 of them.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
}

/// Why an import is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscardImport {
    /// Why.
    #[schema(value_type = String)]
    reason: Reason,
}

/// How far an import is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportView {
    /// The digest of its events.
    digest: String,
    /// What the file is called.
    name: String,
    /// How many events it holds.
    rows: u64,
    /// The first so many are taken.
    taken: u64,
    /// Of those, so many were recorded before, and count once.
    known: u64,
    /// Whether it is whole. Before that none of it counts.
    done: bool,
    /// Whose token began it.
    by: String,
    /// With the answer that makes it whole: services of its charges that other records charge, too, for some of the same
    /// time; 20 at most. If these are the same bill in another form, it counts twice.
    also_charged: Vec<AlsoChargedView>,
}

impl From<Import> for ImportView {
    fn from(import: Import) -> Self {
        let Import { id, name, rows, taken, known, is_done, by } = import;
        let digest = id.split_once(OF).map_or(id.as_str(), |(digest, _)| digest).to_owned();
        Self { digest, name, rows, taken, known, done: is_done, by, also_charged: Vec::new() }
    }
}

/// Between a digest and the token whose import it is.
const OF: char = '/';

/// What an import is kept as. Nobody looks whether a digest is that of the events that come, so that of a token that is
/// limited to some agents is its own: another's file is never taken for imported because of it.
fn id_of(principal: &Principal, digest: &Digest) -> String {
    if principal.sees_all() {
        digest.to_string()
    } else {
        format!("{digest}{OF}{}", principal.name)
    }
}

/// Whether there is such an import. A token that is limited to some agents has its own imports and no others.
async fn own(app: &App, principal: &Principal, id: &str) -> Result<bool, ApiError> {
    match app.store.import(id).await? {
        Some(import) if import.by != principal.name && !principal.sees_all() => {
            Err(ApiError::new(Kind::Forbidden, "Another token began this import.")
                .hint("Use that token, or one that is not limited to named agents."))
        }
        known => Ok(known.is_some()),
    }
}

/// Begins an import, or says how far it is.
#[utoipa::path(post, path = "/api/v1/value/imports", tag = "value", operation_id = "begin_import",
    security(("token" = [])), request_body = BeginImport, responses(
    (status = 200, description = "How far it is: go on after `taken`.", body = ImportView),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn begin(
    State(app): State<App>,
    Operator(principal): Operator,
    JsonBody(BeginImport { digest, name, rows }): JsonBody<BeginImport>,
) -> Result<Json<ImportView>, ApiError> {
    if rows == 0 || rows > ROWS_MAX {
        let text = format!("A file has 1 to {ROWS_MAX} events, not {rows}.");
        return Err(ApiError::new(Kind::Invalid, text));
    }
    let id = id_of(&principal, &digest);
    let known = own(&app, &principal, &id).await?;
    if !known {
        let detail = json!({ "digest": id, "rows": rows });
        record(&app, &principal, "value.import", "imports", detail).await?;
    }
    let name = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let by = principal.name.clone();
    let open_max = (!principal.sees_all()).then_some(OPEN_OF_LIMITED_MAX);
    let new = NewImport { id, name, rows, by, at_wall_ms: clock::wall_ms(), open_max };
    let import = app.store.begin_import(&new).await.map_err(|error| not_imported(error, None))?;
    Ok(Json(import.into()))
}

/// Takes the next events of an import. With the last one all of it counts.
#[utoipa::path(post, path = "/api/v1/value/imports/{digest}/rows", tag = "value",
    operation_id = "import_rows", security(("token" = [])), request_body = ImportRows,
    params(("digest" = String, Path, description = "Which import.")), responses(
    (status = 200, description = "On disk.", body = ImportView),
    (status = 409, description = "Rows before these are missing, or one of them cannot be taken; none was.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn rows(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(digest): PathArgs<Digest>,
    JsonBody(ImportRows { first, events }): JsonBody<ImportRows>,
) -> Result<Json<ImportView>, ApiError> {
    let id = id_of(&principal, &digest);
    own(&app, &principal, &id).await?;
    let taken = take(&app, &principal, &id, ImportRows { first, events }).await;
    if taken.is_err() {
        // What was refused at its first rows holds nothing, and takes no place.
        app.store.forget_untaken(&id).await?;
    }
    taken.map(Json)
}

async fn take(
    app: &App,
    principal: &Principal,
    id: &str,
    ImportRows { first, events }: ImportRows,
) -> Result<ImportView, ApiError> {
    let about: Vec<_> = events.iter().map(|event| (event.agent.as_ref(), &event.what)).collect();
    check(app, principal, &about).await?;
    let corrected = events.iter().map(|event| (&event.key, event.corrects.as_ref()));
    check_corrected(app, principal, corrected).await?;
    let now_wall_ms = clock::wall_ms();
    let times = events.iter().map(|event| (Some(event.at_wall_ms), &event.what));
    check_past(times, now_wall_ms, Some(first))?;
    let taken = app.store.import_rows(id, first, &events, &principal.name, now_wall_ms).await;
    let import = taken.map_err(|error| not_imported(error, Some(first)))?;
    // A bill has charges to its end; of other files nothing is looked through.
    let is_bill = events.iter().any(|event| matches!(event.what, What::ExternalCost { .. }));
    let also = if import.is_done && is_bill {
        app.store.import_also_charged(id).await?
    } else {
        Vec::new()
    };
    let also_charged = also.into_iter().map(AlsoChargedView::from).collect();
    Ok(ImportView { also_charged, ..import.into() })
}

/// Imports, the newest first.
#[utoipa::path(get, path = "/api/v1/value/imports", tag = "value", operation_id = "imports",
    security(("token" = [])), responses(
    (status = 200, description = "How far each is.", body = Vec<ImportView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<Vec<ImportView>>, ApiError> {
    principal.need_all_agents("An import")?;
    let imports = app.store.imports(LISTED_MAX).await?;
    Ok(Json(imports.into_iter().map(ImportView::from).collect()))
}

/// Which import a digest names: one's own, or for who sees all agents that of a limited token.
async fn given_up(app: &App, principal: &Principal, digest: &Digest) -> Result<String, ApiError> {
    let id = id_of(principal, digest);
    if own(app, principal, &id).await? || !principal.sees_all() {
        return Ok(id);
    }
    let of_others = format!("{digest}{OF}");
    let all = app.store.imports(LISTED_MAX).await?;
    let other = all.into_iter().find(|one| !one.is_done && one.id.starts_with(&of_others));
    Ok(other.map_or(id, |one| one.id))
}

/// Gives up an import that is not whole: what was taken of it is forgotten.
#[utoipa::path(delete, path = "/api/v1/value/imports/{digest}", tag = "value",
    operation_id = "discard_import", security(("token" = [])), request_body = DiscardImport,
    params(("digest" = String, Path, description = "Which import.")), responses(
    (status = 204, description = "It is gone."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn discard(
    State(app): State<App>,
    Operator(principal): Operator,
    PathArgs(digest): PathArgs<Digest>,
    JsonBody(DiscardImport { reason }): JsonBody<DiscardImport>,
) -> Result<StatusCode, ApiError> {
    let id = given_up(&app, &principal, &digest).await?;
    let detail = json!({ "digest": id, "reason": reason });
    record(&app, &principal, "value.import.discard", "imports", detail).await?;
    while !app
        .store
        .discard_import(&id, DISCARDED_AT_ONCE)
        .await
        .map_err(|error| not_imported(error, None))?
    {}
    Ok(StatusCode::NO_CONTENT)
}
