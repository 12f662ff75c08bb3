//! `lockgate man`

use std::path::PathBuf;

use clap::Args;

use crate::cli;
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output;

/// Prints or writes manual pages.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page per command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> CliResult {
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(cli::tree())
                .render(&mut page)
                .or_exit(Exit::Failed, "cannot render the manual page")?;
            output::print(&String::from_utf8_lossy(&page))?;
            return Ok(Exit::Done);
        };
        std::fs::create_dir_all(&dir)
            .and_then(|()| clap_mangen::generate_to(cli::tree(), &dir))
            .or_exit(Exit::Failed, format!("cannot write manual pages to {}", dir.display()))?;
        output::note(format!("manual pages are in {}", dir.display()));
        Ok(Exit::Done)
    }
}
