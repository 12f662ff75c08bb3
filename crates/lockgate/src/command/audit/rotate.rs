//! `lockgate audit keys rotate`

use std::path::PathBuf;

use clap::Args;
use lockgate_audit::AuditError;
use serde_json::json;

use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::serve::data_dir::DataDir;
use crate::serve::rotate::rotate;

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The server's data directory; the server must be stopped
    #[arg(long, default_value = "lockgate-data", value_name = "DIR")]
    data_dir: PathBuf,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Rotate {
    pub(super) fn run(self, format: Format) -> CliResult {
        if !self.data_dir.join("audit/checkpoint").exists() {
            return Err(CliError::usage(format!(
                "there is no audit log in {}",
                self.data_dir.display()
            ))
            .hint("say where the server keeps its state, with --data-dir"));
        }
        let dir = DataDir::take(&self.data_dir)?;
        let rotated = rotate(&dir, &self.reason).map_err(|error| {
            let hint = match &error {
                AuditError::Locked { .. } => "stop the server first",
                AuditError::Damaged { .. } => "`lockgate audit verify` says what is wrong",
                _ => "nothing is lost: the log opens with the key that it has now; try again",
            };
            CliError::new(Exit::Failed, error).hint(hint)
        })?;
        match format {
            Format::Json => output::print_json(&json!({
                "from": rotated.from.as_ref().map(ToString::to_string),
                "to": rotated.to.to_string(),
            }))?,
            Format::Text => {
                if rotated.from.is_none() {
                    output::note("a change that was cut off before has been finished");
                }
                output::print(&rotated.to.to_string())?;
            }
        }
        Ok(Exit::Done)
    }
}
