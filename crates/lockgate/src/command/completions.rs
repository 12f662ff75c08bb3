//! `lockgate completions SHELL`

use clap::Args;
use clap_complete::Shell;

use crate::cli;
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output;

/// Prints a completion script.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> CliResult {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::tree(), "lockgate", &mut script);
        let script = String::from_utf8(script).or_exit(Exit::Failed, "the script is not UTF-8")?;
        output::print(&script)?;
        Ok(Exit::Done)
    }
}
