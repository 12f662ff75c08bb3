//! `lockgate version …`

use clap::Subcommand;
use lockgate_api::Reason;
use lockgate_api::shapes::VersionSummary;
use lockgate_model::config::did_you_mean;
use serde_json::{Value, json};

use crate::client::{self, Client, ServerArgs};
use crate::command::agent::{VERSION_HEAD, version_cells};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Looks at versions.
#[derive(Debug, Subcommand)]
pub(crate) enum Version {
    /// List the versions of an agent
    List {
        /// The agent
        agent: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show a version
    Show {
        /// The agent
        agent: String,
        /// Its version
        version: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Report something that must not happen; a candidate is cut off at once and taken back
    SecurityEvent {
        /// The agent
        agent: String,
        /// The version that it was seen on
        version: String,
        /// What was seen
        #[arg(long, visible_alias = "reason", value_parser = reason::parse)]
        detail: Reason,
        /// The rule that it broke
        #[arg(long)]
        rule: Option<String>,
        /// Whether the stable version shows the same
        #[arg(long, value_name = "BOOL")]
        stable_shows_it: Option<bool>,
        #[command(flatten)]
        server: ServerArgs,
    },
}

impl Version {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::List { agent, server } => {
                let listed = versions(&server, &agent).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<VersionSummary> = client::typed(&listed)?;
                let cells: Vec<_> = rows.iter().map(version_cells).collect();
                output::print(&output::table(&VERSION_HEAD, &cells))?;
            }
            Self::Show { agent, version, server } => {
                let listed = versions(&server, &agent).await?;
                let rows: Vec<&Value> = listed.as_array().into_iter().flatten().collect();
                let found = rows.iter().find(|row| row["name"] == version).ok_or_else(|| {
                    let names: Vec<&str> =
                        rows.iter().filter_map(|row| row["name"].as_str()).collect();
                    let list = || format!("`lockgate version list {agent}` shows them");
                    CliError::usage(format!("agent `{agent}` has no version `{version}`"))
                        .hint(did_you_mean(&version, &names).unwrap_or_else(list))
                })?;
                if format == Format::Json {
                    output::print_json(found)?;
                } else {
                    output::print(&fields(found))?;
                }
            }
            Self::SecurityEvent { agent, version, detail, rule, stable_shows_it, server } => {
                let body = json!({
                    "detail": detail,
                    "rule": rule,
                    "stable_shows_it": stable_shows_it,
                });
                let path = ["agents", &agent, "versions", &version, "security-events"];
                let answer = Client::new(&server)?.post(&path, &body).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                    return Ok(Exit::Done);
                }
                let id = answer.get("id").and_then(Value::as_str).unwrap_or(output::UNKNOWN);
                let latched = answer.get("latched").and_then(Value::as_bool) == Some(true);
                let effect =
                    if latched { "the version is cut off" } else { "recorded; nothing to cut off" };
                output::print(&format!("{id}  {effect}"))?;
            }
        }
        Ok(Exit::Done)
    }
}

async fn versions(server: &ServerArgs, agent: &str) -> CliResult<Value> {
    Client::new(server)?.get(&["agents", agent, "versions"]).await
}

/// Every field of a flat object, one a line.
fn fields(object: &Value) -> String {
    let shown = |value: &Value| match value {
        Value::Null => output::UNKNOWN.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key:<14}{}", shown(value)))
        .collect::<Vec<_>>()
        .join("\n")
}
