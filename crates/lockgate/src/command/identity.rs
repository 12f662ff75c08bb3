//! `lockgate identity …`

use clap::Subcommand;
use lockgate_api::Reason;
use lockgate_model::config;
use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Manages tokens of agents' versions.
#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Issue a token with which a version calls its tools; it is printed once and kept nowhere
    Issue {
        /// The agent
        agent: String,
        /// Its version
        version: String,
        /// How long it lasts
        #[arg(long, default_value = "90d", value_name = "DURATION", value_parser = seconds)]
        expires: u64,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List tokens of versions
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a token useless, or all that a version has
    Revoke {
        /// A token's id, from `identity list`, or AGENT/VERSION
        what: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
}

fn seconds(text: &str) -> Result<u64, String> {
    let ms = config::duration_ms(text)
        .map_err(|problem| format!("it {problem}; write it like `90d`"))?;
    Ok(ms / 1_000)
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    agent: String,
    version: String,
    issued_wall_s: i64,
    expires_wall_s: i64,
    by: String,
    revoked_wall_ms: Option<i64>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let when = |at_s: i64| output::time(at_s.saturating_mul(1_000));
        vec![
            self.id.clone(),
            format!("{}/{}", self.agent, self.version),
            when(self.issued_wall_s),
            when(self.expires_wall_s),
            self.by.clone(),
            self.revoked_wall_ms
                .map_or_else(|| "good".into(), |at| format!("revoked {}", output::time(at))),
        ]
    }
}

impl Identity {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Issue { agent, version, expires, reason, server } => {
                let body = json!({ "expires_s": expires, "reason": reason });
                let path = ["agents", &agent, "versions", &version, "identities"];
                let issued = Client::new(&server)?.post(&path, &body).await?;
                if format == Format::Json {
                    output::print_json(&issued)?;
                    return Ok(Exit::Done);
                }
                let token = issued.get("token").and_then(|token| token.as_str());
                let token = token.ok_or_else(|| {
                    CliError::text(Exit::Failed, "the server's answer holds no token")
                })?;
                output::note("keep it: it cannot be shown again");
                output::print(token)?;
            }
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["identities"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows.iter().map(Row::cells).collect();
                let head = ["ID", "VERSION", "ISSUED", "EXPIRES", "BY", "STATE"];
                output::print(&output::table(&head, &cells))?;
            }
            Self::Revoke { what, reason, server } => {
                let client = Client::new(&server)?;
                let path = match what.split_once('/') {
                    Some((agent, version)) => {
                        vec!["agents", agent, "versions", version, "identities"]
                    }
                    None => vec!["identities", &what],
                };
                let answer = client.delete(&path, reason.as_str()).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                } else {
                    output::print(&format!("{what} is revoked"))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}
