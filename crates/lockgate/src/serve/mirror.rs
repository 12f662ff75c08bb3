//! The copy of the audit log.

use std::path::PathBuf;

use lockgate_mirror::{Mirror, Pace, Target};
use lockgate_model::config::Config;

use crate::error::{CliError, CliResult, Exit};

/// Begins to copy the log, if the configuration says where.
pub(super) fn start(config: &Config, log: PathBuf) -> CliResult<Option<Mirror>> {
    let Some(url) = &config.audit.mirror else { return Ok(None) };
    let target = Target::parse(url, std::env::vars()).map_err(|error| {
        CliError::new(Exit::Usage, error).context("the audit log cannot be copied".into()).hint(
            "see `audit.mirror` in the file, and AWS_…, GOOGLE_… or AZURE_… in the environment",
        )
    })?;
    Ok(Some(Mirror::start(log, target, Pace::default())))
}
