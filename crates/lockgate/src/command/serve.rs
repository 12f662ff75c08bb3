//! `lockgate serve`

use clap::Args;

use crate::error::{CliError, CliResult, Exit};

/// Runs the server.
#[derive(Debug, Args)]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) fn run(self) -> CliResult {
        Err(CliError::text(Exit::Failed, "not wired yet"))
    }
}
