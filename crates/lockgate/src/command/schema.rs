//! `lockgate schema`

use clap::{Args, ValueEnum};
use lockgate_model::{config, drift};
use lockgate_readiness::JSON_SCHEMA;

use crate::error::{CliResult, Exit};
use crate::output;

/// Prints the JSON Schema of a file that Lockgate reads or writes.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which file
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Of {
    // Plain comments: help then lists the values in one line.
    // `lockgate.yaml`.
    #[default]
    Configuration,
    // What `lockgate drift` reports.
    Drift,
    // What `lockgate assess --output json` prints.
    Assessment,
}

impl Schema {
    pub(crate) fn run(self) -> CliResult {
        match self.of {
            Of::Configuration => output::print_json(&config::schema())?,
            Of::Drift => output::print_json(&drift::schema())?,
            // As it is published.
            Of::Assessment => output::print_exact(JSON_SCHEMA)?,
        }
        Ok(Exit::Done)
    }
}
