//! `lockgate apply FILE`

use std::path::PathBuf;

use clap::Args;
use lockgate_api::Reason;
use serde_json::Value;

use crate::changes::{self, Answer};
use crate::client::{Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::{config_file, reason};

/// Makes the server run a file. Applying the same file again changes nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// Why
    #[arg(long, value_parser = reason::parse)]
    reason: Reason,
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
        let reason = (!self.dry_run).then_some(self.reason.as_str());
        let Answer { body, told, .. } = Answer::to(&client, &file, reason).await?;
        if format == Format::Json {
            output::print_json(&body)?;
            return Ok(Exit::Done);
        }
        let differs = body.get("changed").and_then(Value::as_bool) == Some(true);
        let revision = body
            .get("revision")
            .map_or_else(String::new, |revision| format!(" (revision {revision})"));
        if !told.is_empty() {
            output::note(changes::lines(&told));
        }
        output::print(&match (differs, self.dry_run) {
            (false, _) => format!("unchanged{revision}"),
            (true, true) => "would change".into(),
            (true, false) => format!("applied{revision}"),
        })?;
        Ok(Exit::Done)
    }
}
