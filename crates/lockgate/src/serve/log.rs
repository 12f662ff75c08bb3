//! Structured logs on standard error.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::error::{CliResult, Exit, OrExit as _};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    // One JSON object a line.
    Json,
    // For people.
    Text,
}

/// Which lines are written, in the syntax of `tracing`'s filters.
const FILTER: &str = "LOCKGATE_LOG";
const FILTER_DEFAULT: &str = "info,sqlx=warn";

/// Starts logging. Without a choice, a terminal gets text and anything else JSON.
pub(crate) fn start(format: Option<LogFormat>) -> CliResult<()> {
    let directives = std::env::var(FILTER).unwrap_or_else(|_| FILTER_DEFAULT.into());
    let filter = EnvFilter::try_new(&directives)
        .or_exit(Exit::Usage, format!("{FILTER} is not a valid filter"))?;
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    // A line that cannot be written, as on a full disk, is lost. Complaining of it on the same
    // stream would be a panic, and the end of whoever logs.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => {
            let colours =
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            builder.with_ansi(colours).with_target(false).try_init()
        }
    };
    started.map_err(anyhow::Error::from_boxed).or_exit(Exit::Failed, "cannot start logging")
}
