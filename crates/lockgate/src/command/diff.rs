//! `lockgate diff FILE`

use std::path::PathBuf;

use clap::Args;

use crate::changes::{self, Answer};
use crate::client::{Client, ServerArgs};
use crate::config_file;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Compares a file with what runs, in the words of the file; in full with `--output json`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The file
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// End with exit code 1 when there are changes
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Diff {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let file = config_file::read(&self.file)?;
        // The same question as `apply --dry-run`, so that what the server refuses shows here too.
        let Answer { changes, told, .. } =
            Answer::to(&Client::new(&self.server)?, &file, None).await?;
        match format {
            Format::Json => output::print_json(&changes)?,
            Format::Text if told.is_empty() => output::note("no changes"),
            Format::Text => output::print(&changes::lines(&told))?,
        }
        if self.exit_code && !changes.is_empty() {
            return Ok(Exit::Failed);
        }
        Ok(Exit::Done)
    }
}
