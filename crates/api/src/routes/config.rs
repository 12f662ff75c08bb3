//! The active configuration: reading it, trying another one, applying it.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use lockgate_model::agent::Agent;
use lockgate_model::config::{
    self, Change, Config, Diagnostic, Diagnostics, FILE_BYTES_MAX, FILES_MAX, Severity, Source,
};
use lockgate_model::ids::AgentName;
use lockgate_model::plan::Plan;
use lockgate_store::{ConfigOrigin, NewConfig};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Viewer;
use crate::extract::{self, QueryArgs, Reason};
use crate::problem::{ApiError, Kind, Problem, ProblemItem};
use crate::record::record;
use crate::state::App;
use crate::{clock, doc, redact};

/// The name that findings in a body carry.
const BODY_NAME: &str = "lockgate.yaml";

/// A configuration with the files that it names, as JSON.
const BODY_BYTES_MAX: usize = 2 * FILE_BYTES_MAX + 4 * 1024 * 1024;

/// Configurations that are read at the same time.
const READ_AT_ONCE_MAX: usize = 2;

/// The configuration that is active.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveConfig {
    /// Grows with every change.
    revision: i64,
    /// SHA-256 of the text, and of the files that it names.
    digest: String,
    /// The text.
    text: String,
    /// The files that it names, by name.
    files: BTreeMap<String, String>,
    /// Who made it active.
    by: String,
    /// Why.
    reason: String,
    /// When, milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// `file` or `api`.
    #[schema(value_type = String)]
    source: ConfigOrigin,
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
        text: record.source.text,
        files: record.source.files,
        by: record.by,
        reason: record.reason,
        at_wall_ms: record.at_wall_ms,
        source: record.origin,
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
    /// Fields that differ and take effect only when the server starts again.
    #[schema(value_type = Vec<String>)]
    at_next_start: Vec<&'static str>,
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
    #[error("the body is not a configuration with its files: {0}")]
    NotSource(serde_json::Error),
    #[error("there are {0} files, and a configuration names {FILES_MAX} at most")]
    TooManyFiles(usize),
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
            ApplyError::TooManyFiles(_) => problem.hint("Send those that it names."),
            ApplyError::NotText => problem.hint("Send the file as it is."),
            ApplyError::NotSource(_) => problem
                .hint("Send `{\"text\": …, \"files\": {NAME: …}}`, or the file as `text/yaml`."),
        }
    }
}

/// Makes another configuration the active one; the same text again changes nothing. With `dry_run`
/// it changes nothing either, is refused for the same reasons, and any role may ask.
#[utoipa::path(put, path = "/api/v1/config", tag = "configuration", operation_id = "apply_config",
    security(("token" = [])), params(ApplyArgs),
    request_body(description = "The file `lockgate.yaml`, or as JSON with the files that it names.",
        content((String = "text/yaml"), (doc::SourceDoc = "application/json"))),
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
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Applied>, ApiError> {
    if !args.dry_run {
        principal.need_operator()?;
    }
    principal.need_all_agents("The configuration")?;
    // Read once it is known who sends it: it may be large.
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| extract::too_large())?;
    let (source, new) = read(headers, body).await?;
    let old = app.config().await?;
    let mut applied = compared(&app, old.as_deref(), &new).await?;
    for (field, what) in for_admins(old.as_deref(), &new) {
        let Err(refused) = principal.need_admin(what) else { continue };
        if !args.dry_run {
            return Err(refused);
        }
        applied.warnings.push(ProblemItem {
            path: Some(field.into()),
            severity: Some("warning".into()),
            message: refused.detail().to_owned(),
            hint: refused.hint_text().map(str::to_owned),
            ..ProblemItem::default()
        });
    }
    let egress = new.egress();
    let activation = |reason| NewConfig {
        source: &source,
        digest: new.digest.as_str(),
        by: &principal.name,
        reason,
        at_wall_ms: clock::wall_ms(),
        agents: &new.agents,
        candidate_stale_max_ms: new.candidate_stale_max_ms,
        egress: &egress,
        origin: ConfigOrigin::Api,
    };
    if args.dry_run {
        app.store.try_config(activation("a dry run")).await?;
        return Ok(Json(applied));
    }
    let reason = args.reason.ok_or(ApplyError::NoReason)?;
    let diff = redact::changes(&applied.diff);
    let detail = json!({ "digest": applied.digest, "reason": reason, "diff": diff });
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

/// What of a change is for admins: fields, and what it is.
fn for_admins(old: Option<&Config>, new: &Config) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let before = old.map(|old| old.audit.clone()).unwrap_or_default();
    if before != new.audit {
        found.push(("audit", "Changing how the audit log is kept (`audit`)"));
    }
    // An agent that goes loses what its plan asked for as well: it could come back without it.
    let before = || old.iter().flat_map(|old| &old.agents);
    let plans = |agent: &Agent| Some((old?.plan(&agent.plan)?, own_plan(new, &agent.name)));
    let loses_path = |agent: &Agent| {
        plans(agent).is_some_and(|(was, is)| {
            was.path.is_some() && was.path != is.and_then(|plan| plan.path)
        })
    };
    if before().any(loses_path) {
        found.push(("plans", "Taking the path to production out of an agent's plan (`path`)"));
    }
    let loses_drift = |agent: &Agent| {
        plans(agent).is_some_and(|(was, is)| {
            let is = is.and_then(|plan| plan.drift.as_ref());
            was.drift.as_ref().is_some_and(|was| is.is_none_or(|is| !is.covers(was)))
        })
    };
    if before().any(loses_drift) {
        found.push(("plans", "Asking less about drift in an agent's plan (`drift`)"));
    }
    found
}

/// The plan of an agent, if both are there.
fn own_plan<'a>(config: &'a Config, agent: &AgentName) -> Option<&'a Plan> {
    config.agent(agent).and_then(|agent| config.plan(&agent.plan))
}

/// Reads a configuration, apart from what must not wait: one can be large.
async fn read(headers: HeaderMap, body: Bytes) -> Result<(Source, Config), ApplyError> {
    static PLACES: Semaphore = Semaphore::const_new(READ_AT_ONCE_MAX);
    // Never closed.
    let place = PLACES.acquire().await;
    let reading = tokio::task::spawn_blocking(move || {
        // Held to the end, also when whoever sent it has left.
        let _place = place;
        let source = sent(&headers, &body)?;
        let new = config::read_with(BODY_NAME, &source);
        new.map(|new| (source, new)).map_err(|diagnostics| invalid(&diagnostics))
    });
    match reading.await {
        Ok(read) => read,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The text alone, or as JSON with the files that it names.
fn sent(headers: &HeaderMap, body: &[u8]) -> Result<Source, ApplyError> {
    let json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().starts_with("application/json"));
    if json {
        let source: Source = serde_json::from_slice(body).map_err(ApplyError::NotSource)?;
        if source.files.len() > FILES_MAX {
            return Err(ApplyError::TooManyFiles(source.files.len()));
        }
        return Ok(source);
    }
    Ok(Source::from(std::str::from_utf8(body).map_err(|_| ApplyError::NotText)?))
}

/// A configuration beside the active one.
async fn compared(app: &App, old: Option<&Config>, new: &Config) -> Result<Applied, ApiError> {
    let before = app.store.active_config().await?;
    Ok(Applied {
        revision: before.as_ref().map(|record| record.revision),
        digest: new.digest.as_str().to_owned(),
        changed: before.is_none_or(|record| record.digest != new.digest.as_str()),
        diff: match old {
            Some(old) => config::diff(old, new),
            None => new.agents.iter().map(|agent| added(agent.name.as_str())).collect(),
        },
        weaker: old.map(|old| config::weakened(old, new)).unwrap_or_default(),
        at_next_start: old.map(|old| config::at_next_start(old, new)).unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(agents: &str, plan: &str) -> Config {
        let text = format!(
            "agents: [{agents}]\nplans:\n  - name: gated\n    stages: [{{weight: 0, duration: 24h, gates: {{}}}}, {{weight: 10, duration: 4h, gates: {{}}}}, {{weight: 50, duration: 4h, gates: {{}}}}, {{weight: 100}}]\n{plan}"
        );
        config::read("lockgate.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    const SUPPORT: &str = "{name: support, plan: gated, health: off, versions: [{name: v1, endpoint: \"http://127.0.0.1:9\"}]}";
    const RENAMED: &str = "{name: other, plan: gated, health: off, versions: [{name: v1, endpoint: \"http://127.0.0.1:9\"}]}";

    /// What an operator may not take away in one step must not go in two.
    #[test]
    fn what_a_plan_asks_before_releases_goes_by_an_admin_alone() {
        let (path, drift) = ("    path: monolith\n", "    drift: {max_age: 1h}\n");
        let told = |old: (&str, &str), new: (&str, &str)| {
            let (old, new) = (config(old.0, old.1), config(new.0, new.1));
            for_admins(Some(&old), &new).into_iter().map(|(_, what)| what).collect::<Vec<_>>()
        };
        for (of_plan, named) in [(path, "path to production"), (drift, "drift")] {
            let before = (SUPPORT, of_plan);
            assert!(told(before, before).is_empty());
            assert!(told((SUPPORT, ""), before).is_empty(), "asking for more is anyone's");
            for after in [(SUPPORT, ""), (RENAMED, of_plan), (RENAMED, "")] {
                let told = told(before, after);
                assert!(told.len() == 1 && told[0].contains(named), "{after:?}: {told:?}");
            }
        }
        let older = told((SUPPORT, drift), (SUPPORT, "    drift: {max_age: 2h}\n"));
        assert_eq!(older.len(), 1, "older results are less");
        assert!(told((SUPPORT, drift), (SUPPORT, "    drift: {max_age: 30m}\n")).is_empty());
    }
}
