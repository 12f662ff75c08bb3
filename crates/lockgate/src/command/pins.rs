//! `lockgate pins …`

use clap::Subcommand;
use lockgate_api::Reason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::reason;

/// Looks at what agents are told of tools, and accepts changes.
#[derive(Debug, Subcommand)]
pub(crate) enum Pins {
    /// List what is pinned; what has changed since is not called, and comes first
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show what agents are told of an action, and what was told otherwise since
    Show {
        /// TOOL/ACTION
        what: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Accept what was looked at, so that the action may be called again
    Accept {
        /// TOOL/ACTION
        what: String,
        /// Its digest, from `pins show`
        #[arg(long)]
        digest: String,
        /// Why
        #[arg(long, value_parser = reason::parse)]
        reason: Reason,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Row {
    tool: String,
    action: String,
    digest: String,
    shape: Value,
    since_wall_ms: i64,
    changed_digest: Option<String>,
    changed_shape: Option<Value>,
    changed_wall_ms: Option<i64>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let state = self
            .changed_wall_ms
            .map_or_else(|| "as pinned".into(), |at| format!("changed {}", output::time(at)));
        vec![
            format!("{}/{}", self.tool, self.action),
            state,
            output::time(self.since_wall_ms),
            self.digest.clone(),
        ]
    }

    fn text(&self) -> String {
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let pinned = format!(
            "{}/{}\npinned {}  {}\n{}",
            self.tool,
            self.action,
            output::time(self.since_wall_ms),
            self.digest,
            pretty(&self.shape)
        );
        let (Some(digest), Some(shape)) = (&self.changed_digest, &self.changed_shape) else {
            return pinned;
        };
        let at = self.changed_wall_ms.map(output::time).unwrap_or_default();
        format!("{pinned}\n\nchanged {at}  {digest}\n{}", pretty(shape))
    }
}

fn parts(what: &str) -> CliResult<(&str, &str)> {
    what.split_once('/').ok_or_else(|| {
        CliError::usage(format!("`{what}` is not TOOL/ACTION"))
            .hint("`lockgate pins list` shows them")
    })
}

impl Pins {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["pins"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows.iter().map(Row::cells).collect();
                output::print(&output::table(&["ACTION", "STATE", "SINCE", "DIGEST"], &cells))?;
            }
            Self::Show { what, server } => {
                let (tool, action) = parts(&what)?;
                let listed = Client::new(&server)?.get(&["pins"]).await?;
                let rows: Vec<Row> = client::typed(&listed)?;
                let at = rows.iter().position(|row| row.tool == tool && row.action == action);
                let Some(at) = at else {
                    return Err(CliError::text(Exit::Failed, format!("nothing is pinned of `{what}`"))
                        .hint("a tool is pinned when an agent lists it the first time; `lockgate pins list` shows all"));
                };
                match format {
                    Format::Json => output::print_json(&listed[at])?,
                    Format::Text => output::print(&rows[at].text())?,
                }
            }
            Self::Accept { what, digest, reason, server } => {
                let (tool, action) = parts(&what)?;
                let is_digest = digest.strip_prefix("sha256:").is_some_and(|hex| {
                    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
                });
                if !is_digest {
                    return Err(CliError::usage(format!("`{digest}` is no digest")).hint(format!(
                        "`lockgate pins show {what}` shows both: sha256: and 64 digits"
                    )));
                }
                let body =
                    json!({ "tool": tool, "action": action, "digest": digest, "reason": reason });
                let answer = Client::new(&server)?.post(&["pins", "accept"], &body).await?;
                match format {
                    Format::Json => output::print_json(&answer)?,
                    Format::Text => output::print(&format!("{what}  accepted"))?,
                }
            }
        }
        Ok(Exit::Done)
    }
}
