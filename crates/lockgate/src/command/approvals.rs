//! `lockgate approvals …`

use clap::{Args, Subcommand};
use lockgate_api::Reason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Answers agents' actions that wait for a person.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// List what waits, and what was answered lately
    List {
        /// What has ended too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show one with its arguments
    Show {
        /// Its id, from `approvals list`
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Agree to exactly this, once
    Approve(Word),
    /// Say no; that is final
    Deny(Word),
}

/// An answer.
#[derive(Debug, Args)]
pub(crate) struct Word {
    /// Its id, from `approvals list`
    id: String,
    /// Why
    #[arg(long, value_parser = reason::parse)]
    reason: Reason,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Deserialize)]
struct Term {
    rule: String,
    approvals: u32,
    from: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Vote {
    by: String,
    agreed: bool,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    agent: String,
    version: String,
    tool: String,
    action: String,
    state: String,
    asked_wall_ms: i64,
    left_ms: i64,
    requester: Option<String>,
    terms: Vec<Term>,
    votes: Vec<Vote>,
    shown: Value,
}

impl Row {
    fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "waiting" | "granted")
    }

    fn left(&self) -> String {
        match u64::try_from(self.left_ms) {
            // Whole seconds: nobody reads the rest.
            Ok(ms) if ms > 0 => output::duration(ms.div_ceil(1_000) * 1_000),
            _ => output::UNKNOWN.into(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let agreed = self.votes.iter().filter(|vote| vote.agreed).count();
        let wanted = self.terms.iter().map(|term| term.approvals).max().unwrap_or(1);
        vec![
            self.id.clone(),
            format!("{}/{}", self.agent, self.version),
            format!("{}/{}", self.tool, self.action),
            self.state.clone(),
            format!("{agreed}/{wanted}"),
            self.left(),
            output::time(self.asked_wall_ms),
        ]
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("{}  {}", self.id, self.state),
            format!("{}/{} wants {}/{}", self.agent, self.version, self.tool, self.action),
            format!("asked {}, {} left", output::time(self.asked_wall_ms), self.left()),
        ];
        for term in &self.terms {
            let from = match &term.from[..] {
                [] => "anybody who may approve".to_owned(),
                names => names.join(", "),
            };
            lines.push(format!("{} wants {} of: {from}", term.rule, term.approvals));
        }
        if let Some(requester) = &self.requester {
            lines.push(format!("no say: {requester}, who had the agent's token issued"));
        }
        for vote in &self.votes {
            let word = if vote.agreed { "yes" } else { "no" };
            lines.push(format!("{word}: {}, {}", vote.by, vote.reason));
        }
        match &self.shown {
            Value::Null => {
                lines.push("its arguments are shown to approvers while it is open".into());
            }
            shown => lines.push(serde_json::to_string_pretty(shown).unwrap_or_default()),
        }
        lines.join("\n")
    }
}

impl Approvals {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::List { all, server } => {
                let listed = Client::new(&server)?.get(&["approvals"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> =
                    rows.iter().filter(|row| all || row.is_open()).map(Row::cells).collect();
                let head = ["ID", "VERSION", "ACTION", "STATE", "AGREED", "LEFT", "ASKED"];
                output::print(&output::table(&head, &cells))?;
            }
            Self::Show { id, server } => {
                let shown = Client::new(&server)?.get(&["approvals", &id]).await?;
                match format {
                    Format::Json => output::print_json(&shown)?,
                    Format::Text => output::print(&client::typed::<Row>(&shown)?.text())?,
                }
            }
            Self::Approve(word) => word.say("approve", format).await?,
            Self::Deny(word) => word.say("deny", format).await?,
        }
        Ok(Exit::Done)
    }
}

impl Word {
    async fn say(&self, verb: &str, format: Format) -> CliResult<()> {
        let Self { id, reason, server } = self;
        let path = ["approvals", id, verb];
        let answer = Client::new(server)?.post(&path, &json!({ "reason": reason })).await?;
        if format == Format::Json {
            return output::print_json(&answer);
        }
        let state = answer.get("state").and_then(Value::as_str).unwrap_or("answered");
        output::print(&format!("{id}  {state}"))
    }
}
