//! Erasing people from the audit log, and legal holds. For admins.
//!
//! Both are recorded in the audit log alone: the journal is a list for people, and must not name who was erased.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lockgate_model::custody::{CustodyError, LegalHold};
use lockgate_model::ledger::Principal as Who;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Admin;
use crate::extract::{self, JsonBody, PathArgs, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem};
use crate::record;
use crate::shapes::Because;
use crate::state::App;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Whom to erase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erase {
    /// The person's name, as tokens and records have it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Why, without the name.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// What was erased.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erased {
    /// The pseudonym that the person's records keep; null when there was nothing to erase.
    #[schema(required = true)]
    subject: Option<String>,
    /// Rows of the list of changes that named the person.
    journal_rows: u64,
}

/// A hold to place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHold {
    /// What people call it, such as a case's number; each is given once.
    #[schema(min_length = 1, max_length = 63)]
    name: String,
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// A legal hold: while one lasts, nobody is erased and nothing is pruned.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldView {
    /// What people call it.
    name: String,
    /// Why.
    reason: String,
    /// Who placed it.
    by: String,
    /// When, milliseconds since the Unix epoch.
    at_wall_ms: i64,
}

impl From<LegalHold> for HoldView {
    fn from(LegalHold { name, reason, by, at_wall_ms }: LegalHold) -> Self {
        Self { name, reason, by, at_wall_ms }
    }
}

impl From<CustodyError> for ApiError {
    fn from(error: CustodyError) -> Self {
        let said = crate::problem::sentence(&error);
        match error {
            CustodyError::Held { .. } => Self::new(Kind::Conflict, said)
                .hint("`DELETE /api/v1/audit/holds/{name}` lifts a hold.")
                .cli_hint("`lockgate audit hold list` shows the holds, `hold remove` lifts one"),
            CustodyError::Refused(_) => Self::new(Kind::Invalid, said),
            CustodyError::Failed(_) => {
                tracing::error!(error = ?error, "the audit log's people and holds stay as they are");
                Self::new(Kind::Unavailable, said)
                    .hint("See to the disk, and ask again; asking twice does no harm.")
            }
        }
    }
}

/// Erases a person from the audit log: the keys are destroyed, the records and their proofs stay.
#[utoipa::path(post, path = "/api/v1/audit/erase", tag = "administration", operation_id = "erase_person",
    security(("token" = [])), request_body = Erase, responses(
    (status = 200, description = "Erased, or there was nothing to erase.", body = Erased),
    (status = 409, description = "A legal hold forbids it.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn erase(
    State(app): State<App>,
    Admin(principal): Admin,
    JsonBody(Erase { name, reason }): JsonBody<Erase>,
) -> Result<Json<Erased>, ApiError> {
    principal.need_all_agents("Erasing a person")?;
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let why = format!("`name` must be 1 to {NAME_CHARS_MAX} characters.");
        return Err(ApiError::new(Kind::Invalid, why));
    }
    let by = Who::named(&principal.name);
    let erased = app.custody.erase(&by, &name, reason.as_str()).await;
    if let Err(CustodyError::Held { .. }) = erased {
        // The reason was looked at before, and does not name the person; nothing else here does.
        record::refused_erasure(&app, &principal, reason.as_str()).await?;
    }
    let subject = erased?;
    let journal_rows = app.store.forget_person(&name).await?;
    Ok(Json(Erased { subject, journal_rows }))
}

/// The legal holds that last, oldest first.
#[utoipa::path(get, path = "/api/v1/audit/holds", tag = "administration", operation_id = "list_holds",
    security(("token" = [])), responses(
    (status = 200, description = "Holds.", body = Vec<HoldView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn holds(
    State(app): State<App>,
    Admin(principal): Admin,
) -> Result<Json<Vec<HoldView>>, ApiError> {
    principal.need_all_agents("The list of holds")?;
    let holds = app.custody.holds().await?;
    Ok(Json(holds.into_iter().map(HoldView::from).collect()))
}

/// Places a legal hold.
#[utoipa::path(post, path = "/api/v1/audit/holds", tag = "administration", operation_id = "place_hold",
    security(("token" = [])), request_body = NewHold, responses(
    (status = 204, description = "It lasts from now on."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn hold(
    State(app): State<App>,
    Admin(principal): Admin,
    JsonBody(NewHold { name, reason }): JsonBody<NewHold>,
) -> Result<StatusCode, ApiError> {
    principal.need_all_agents("Placing a hold")?;
    if [".", ".."].contains(&name.as_str()) || name.chars().any(extract::deceives) {
        let why = "`name` must be printable, and neither `.` nor `..`.";
        return Err(ApiError::new(Kind::Invalid, why)
            .hint("Say what people call it, such as a case's number."));
    }
    app.custody.hold(&Who::named(&principal.name), &name, reason.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a hold is lifted, in the address: for those who cannot send a body.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftArgs {
    /// Why. Better in the body: addresses are kept by whatever stands between.
    #[param(value_type = Option<String>, min_length = 1, max_length = 500)]
    reason: Option<Reason>,
}

/// Lifts a legal hold.
#[utoipa::path(delete, path = "/api/v1/audit/holds/{name}", tag = "administration",
    operation_id = "lift_hold", security(("token" = [])),
    params(("name" = String, Path, description = "The hold's name."), LiftArgs),
    request_body(content = Option<Because>, description = "Why; or `?reason=`."), responses(
    (status = 204, description = "Lifted."),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn lift(
    State(app): State<App>,
    Admin(principal): Admin,
    PathArgs(name): PathArgs<String>,
    QueryArgs(args): QueryArgs<LiftArgs>,
    body: Option<JsonBody<Because>>,
) -> Result<StatusCode, ApiError> {
    principal.need_all_agents("Lifting a hold")?;
    let by = Who::named(&principal.name);
    let reason = body.map(|JsonBody(because)| because.reason).or(args.reason).ok_or_else(|| {
        ApiError::new(Kind::Invalid, "Lifting a hold needs a reason.")
            .hint("Send `{\"reason\": …}`, 1 to 500 characters.")
    })?;
    if app.custody.lift(&by, &name, reason.as_str()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found(format_args!("hold `{name}`"))
        .hint("`GET /api/v1/audit/holds` lists them.")
        .cli_hint("`lockgate audit hold list` shows them"))
}
