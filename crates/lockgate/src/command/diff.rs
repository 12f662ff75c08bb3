//! `lockgate diff FILE`

use std::path::PathBuf;

use clap::Args;

use crate::client::{Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::{changes, config_file};

/// Compares a file with what runs.
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
        let new = config_file::read(&self.file)?.config;
        let changes = changes::against_server(&Client::new(&self.server)?, &new).await?;
        match format {
            Format::Json => output::print_json(&changes)?,
            Format::Text if changes.is_empty() => output::note("no changes"),
            Format::Text => output::print(&changes::lines(&changes))?,
        }
        if self.exit_code && !changes.is_empty() {
            return Ok(Exit::Failed);
        }
        Ok(Exit::Done)
    }
}
