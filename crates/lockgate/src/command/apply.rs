//! `lockgate apply FILE`

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::client::{Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::{changes, config_file};

/// Makes the server run a file. Applying the same file again changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// Why
    #[arg(long)]
    reason: String,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Apply {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let file = config_file::read(&self.file)?;
        let client = Client::new(&self.server)?;
        let mut url = client.url(&["config"])?;
        url.query_pairs_mut()
            .append_pair("reason", &self.reason)
            .append_pair("dry_run", if self.dry_run { "true" } else { "false" });
        let answer = client.put_yaml(url, file.text).await?;
        if format == Format::Json {
            output::print_json(&answer)?;
            return Ok(Exit::Done);
        }
        let differs = answer.get("changed").and_then(Value::as_bool) == Some(true);
        let revision = answer
            .get("revision")
            .map_or_else(String::new, |revision| format!(" (revision {revision})"));
        let changes = changes::from_answer(&answer)?;
        if !changes.is_empty() {
            output::note(changes::lines(&changes));
        }
        output::print(&match (differs, self.dry_run) {
            (false, _) => format!("unchanged{revision}"),
            (true, true) => "would change".into(),
            (true, false) => format!("applied{revision}"),
        })?;
        Ok(Exit::Done)
    }
}
