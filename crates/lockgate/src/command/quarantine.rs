//! `lockgate quarantine …`

use clap::{Args, Subcommand};
use lockgate_api::Reason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Stops agents, versions, tools or users at once, until someone lifts it.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// Stop something now, on every gateway; what is under way is cut off
    Begin {
        #[command(flatten)]
        what: What,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List what is stopped, and what was
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Let it go on
    Lift {
        /// The order's id, from `quarantine list`
        id: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// What is to be stopped.
#[derive(Debug, Args)]
#[group(required = true)]
pub(crate) struct What {
    /// An agent: users' requests to it, and its calls
    #[arg(long, conflicts_with_all = ["tool", "calls"])]
    agent: Option<String>,
    /// Only this version of the agent
    #[arg(long, requires = "agent", conflicts_with = "user")]
    version: Option<String>,
    /// Only this user of the agent, by the key that requests carry
    #[arg(long, requires = "agent", value_name = "KEY")]
    user: Option<String>,
    /// A tool, for every agent
    #[arg(long, conflicts_with = "calls")]
    tool: Option<String>,
    /// Every call of every agent; users' requests go on
    #[arg(long)]
    calls: bool,
}

impl What {
    fn body(&self, reason: &Reason) -> Value {
        let mut body = json!({ "reason": reason });
        if self.calls {
            body["calls"] = json!(true);
        }
        for (name, value) in [
            ("agent", &self.agent),
            ("version", &self.version),
            ("user", &self.user),
            ("tool", &self.tool),
        ] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        body
    }
}

#[derive(Debug, Deserialize)]
struct Begun {
    id: String,
    everywhere: bool,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    what: String,
    agent: Option<String>,
    version: Option<String>,
    tool: Option<String>,
    user: Option<String>,
    by: String,
    reason: String,
    begun_wall_ms: i64,
    lifted_wall_ms: Option<i64>,
}

impl Row {
    fn cells(self) -> Vec<String> {
        let all = [self.agent, self.version, self.tool, self.user];
        let named: Vec<String> = all.into_iter().flatten().collect();
        let state = self
            .lifted_wall_ms
            .map_or_else(|| "in force".into(), |at| format!("lifted {}", output::time(at)));
        vec![
            self.id,
            format!("{} {}", self.what, named.join("/")).trim_end().to_owned(),
            output::time(self.begun_wall_ms),
            self.by,
            state,
            self.reason,
        ]
    }
}

impl Quarantine {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Begin { what, reason, server } => {
                let answer =
                    Client::new(&server)?.post(&["quarantines"], &what.body(&reason)).await?;
                let begun: Begun = client::typed(&answer)?;
                match format {
                    Format::Json => output::print_json(&answer)?,
                    Format::Text => output::print(&format!("{}  in force", begun.id))?,
                }
                if !begun.everywhere {
                    return Err(CliError::text(Exit::Failed, "not every gateway has confirmed it yet")
                        .hint("it is in force, and a gateway applies it as soon as it is heard of; `/metrics` shows which are up"));
                }
            }
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["quarantines"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows.into_iter().map(Row::cells).collect();
                let head = ["ID", "STOPPED", "SINCE", "BY", "STATE", "REASON"];
                output::print(&output::table(&head, &cells))?;
            }
            Self::Lift { id, reason, server } => {
                let path = ["quarantines", &id];
                let answer = Client::new(&server)?.delete(&path, reason.as_str()).await?;
                match format {
                    Format::Json => output::print_json(&answer)?,
                    Format::Text => output::print(&format!("{id}  lifted"))?,
                }
            }
        }
        Ok(Exit::Done)
    }
}
