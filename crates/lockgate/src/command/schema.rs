//! `lockgate schema`

use lockgate_model::config;

use crate::error::{CliResult, Exit};
use crate::output;

/// Prints the JSON Schema of `lockgate.yaml`.
pub(crate) fn run() -> CliResult {
    output::print_json(&config::schema())?;
    Ok(Exit::Done)
}
