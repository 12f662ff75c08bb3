//! `lockgate token …`

use clap::{Subcommand, ValueEnum};
use lockgate_api::Reason;
use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// What a token may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Look
    Viewer,
    /// Start and steer releases
    Operator,
    /// Decide what waits for a person
    Approver,
    /// Everything, tokens and configuration included
    Admin,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

/// Manages tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token; it is printed once and stored as a hash only
    Create {
        /// Who or what it is for
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
        /// Only for this agent; may be given several times
        #[arg(long = "agent", value_name = "AGENT")]
        agents: Vec<String>,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List tokens
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make a token useless
    Revoke {
        /// Its id, from `token list`
        id: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    name: String,
    role: String,
    agents: Option<Vec<String>>,
    created_wall_ms: Option<i64>,
    revoked_wall_ms: Option<i64>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let when = |at: Option<i64>| at.map_or_else(|| output::UNKNOWN.into(), output::time);
        vec![
            self.id.clone(),
            self.name.clone(),
            self.role.clone(),
            self.agents.as_ref().map_or_else(|| "all".into(), |agents| agents.join(",")),
            when(self.created_wall_ms),
            self.revoked_wall_ms
                .map_or_else(|| "valid".into(), |at| format!("revoked {}", output::time(at))),
        ]
    }
}

impl Token {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Create { name, role, agents, reason, server } => {
                let agents = (!agents.is_empty()).then_some(agents);
                let body = json!({ "name": name, "role": role.as_str(), "agents": agents, "reason": reason });
                let made = Client::new(&server)?.post(&["tokens"], &body).await?;
                if format == Format::Json {
                    output::print_json(&made)?;
                    return Ok(Exit::Done);
                }
                let token =
                    made.get("token").and_then(|token| token.as_str()).ok_or_else(|| {
                        CliError::text(Exit::Failed, "the server's answer holds no token")
                    })?;
                output::note("keep it: it cannot be shown again");
                output::print(token)?;
            }
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["tokens"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows.iter().map(Row::cells).collect();
                output::print(&output::table(
                    &["ID", "NAME", "ROLE", "AGENTS", "CREATED", "STATE"],
                    &cells,
                ))?;
            }
            Self::Revoke { id, reason, server } => {
                let answer =
                    Client::new(&server)?.delete(&["tokens", &id], reason.as_str()).await?;
                if format == Format::Json {
                    output::print_json(&answer)?;
                } else {
                    output::print(&format!("{id} is revoked"))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}
