//! The active configuration: reading it, trying another one, applying it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use lockgate_model::config::{self, Change, Config, Diagnostic, Diagnostics, Severity};
use lockgate_store::{ConfigSource, NewConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Viewer;
use crate::extract::{self, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem, ProblemItem};
use crate::record::record;
use crate::state::App;
use crate::{clock, doc};

/// The name that findings in a body carry.
const BODY_NAME: &str = "lockgate.yaml";

/// The configuration that is active.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveConfig {
    /// Grows with every change.
    revision: i64,
    /// SHA-256 of the text.
    digest: String,
    /// The text.
    text: String,
    /// Who made it active.
    by: String,
    /// Why.
    reason: String,
    /// When, milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// `file` or `api`.
    #[schema(value_type = String)]
    source: ConfigSource,
}

/// The active configuration. Secrets are not in it, only where they are found.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration", operation_id = "config",
    security(("token" = [])), responses(
    (status = 200, description = "The active configuration.", body = ActiveConfig),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn active(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<ActiveConfig>, ApiError> {
    principal.need_all_agents("The configuration")?;
    let record = app
        .store
        .active_config()
        .await?
        .ok_or_else(|| ApiError::new(Kind::NotFound, "No configuration is active yet."))?;
    Ok(Json(ActiveConfig {
        revision: record.revision,
        digest: record.digest,
        text: record.text,
        by: record.by,
        reason: record.reason,
        at_wall_ms: record.at_wall_ms,
        source: record.source,
    }))
}

/// How a configuration is applied.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyArgs {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// Why. Not needed with `dry_run`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 500)]
    reason: Option<Reason>,
}

/// What applying changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Applied {
    /// The revision that is active now; null when none is.
    #[schema(required = true)]
    revision: Option<i64>,
    /// SHA-256 of the text that was sent.
    digest: String,
    /// Whether it differs from what was active.
    changed: bool,
    /// What differs.
    #[schema(value_type = Vec<doc::ChangeDoc>)]
    diff: Vec<Change>,
    /// Where less is looked at than before.
    weaker: Vec<String>,
    /// What is allowed but should be known.
    warnings: Vec<ProblemItem>,
}

/// Why a configuration is not applied.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("the configuration is not valid: {errors} errors")]
    Invalid { errors: usize, items: Vec<ProblemItem> },
    #[error("a change needs a reason")]
    NoReason,
    #[error("the body is not UTF-8 text")]
    NotText,
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        let problem = Self::new(Kind::Invalid, crate::problem::sentence(&error));
        match error {
            ApplyError::Invalid { items, .. } => {
                problem.hint("`lockgate check` shows the same before sending.").errors(items)
            }
            ApplyError::NoReason => problem
                .hint("Add `?reason=…`, 1 to 500 characters, or `?dry_run=true`.")
                .cli_hint("say why with --reason"),
            ApplyError::NotText => problem.hint("Send the file as it is."),
        }
    }
}

/// Makes another configuration the active one; the same text again changes nothing. With `dry_run`
/// it changes nothing either, is refused for the same reasons, and any role may ask.
#[utoipa::path(put, path = "/api/v1/config", tag = "configuration", operation_id = "apply_config",
    security(("token" = [])), params(ApplyArgs),
    request_body(content = String, content_type = "text/yaml", description = "The file `lockgate.yaml`."),
    responses(
    (status = 200, description = "What changed, or would change.", body = Applied),
    (status = 409, description = "A version changed, or an agent is being released.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Not valid; `errors` has every finding with its place.", body = Problem, content_type = "application/problem+json"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn apply(
    State(app): State<App>,
    Viewer(principal): Viewer,
    QueryArgs(args): QueryArgs<ApplyArgs>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Applied>, ApiError> {
    if !args.dry_run {
        principal.need_operator()?;
    }
    principal.need_all_agents("The configuration")?;
    let body = body.map_err(|_| extract::too_large())?;
    let text = std::str::from_utf8(&body).map_err(|_| ApplyError::NotText)?;
    let new = config::read(BODY_NAME, text).map_err(|diagnostics| invalid(&diagnostics))?;
    let mut applied = compared(&app, &new).await?;
    let activation = |reason| NewConfig {
        text,
        digest: new.digest.as_str(),
        by: &principal.name,
        reason,
        at_wall_ms: clock::wall_ms(),
        agents: &new.agents,
        candidate_stale_max_ms: new.candidate_stale_max_ms,
        source: ConfigSource::Api,
    };
    if args.dry_run {
        app.store.try_config(activation("a dry run")).await?;
        return Ok(Json(applied));
    }
    let reason = args.reason.ok_or(ApplyError::NoReason)?;
    let detail = json!({ "digest": applied.digest, "reason": reason, "diff": applied.diff });
    record(&app, &principal, "config.apply", "config", detail).await?;
    let active = app.store.activate_config(activation(reason.as_str())).await?;
    if applied.changed
        && let Some(on_config) = &app.on_config
    {
        on_config(&new);
    }
    applied.revision = Some(active.revision);
    Ok(Json(applied))
}

/// A configuration beside the active one.
async fn compared(app: &App, new: &Config) -> Result<Applied, ApiError> {
    let old = app.config().await?;
    let before = app.store.active_config().await?;
    Ok(Applied {
        revision: before.as_ref().map(|record| record.revision),
        digest: new.digest.as_str().to_owned(),
        changed: before.is_none_or(|record| record.digest != new.digest.as_str()),
        diff: match &old {
            Some(old) => config::diff(old, new),
            None => new.agents.iter().map(|agent| added(agent.name.as_str())).collect(),
        },
        weaker: old.as_ref().map(|old| config::weakened(old, new)).unwrap_or_default(),
        warnings: new.warnings.iter().map(item).collect(),
    })
}

fn added(agent: &str) -> Change {
    Change { path: format!("agents.{agent}"), from: None, to: Some(json!("new")) }
}

fn invalid(diagnostics: &Diagnostics) -> ApplyError {
    let errors =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    ApplyError::Invalid {
        errors: errors + diagnostics.omitted(),
        items: diagnostics.iter().map(item).collect(),
    }
}

fn item(diagnostic: &Diagnostic) -> ProblemItem {
    ProblemItem {
        file: Some(diagnostic.file.clone()),
        line: Some(diagnostic.line),
        column: Some(diagnostic.column),
        path: (!diagnostic.path.is_empty()).then(|| diagnostic.path.clone()),
        severity: Some(diagnostic.severity.to_string()),
        message: diagnostic.message.clone(),
        hint: diagnostic.hint.clone(),
    }
}
