//! Reads a configuration file and says everything that is wrong with it at once.

use std::path::Path;

use lockgate_model::config::{self, Config, Diagnostics};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output;

/// The file that commands take when none is named.
pub(crate) const DEFAULT: &str = "lockgate.yaml";

/// Larger files are refused unread.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file that was read without errors.
#[derive(Debug)]
pub(crate) struct Read {
    /// As it stands in the file.
    pub(crate) text: String,
    /// What it says.
    pub(crate) config: Config,
}

/// The text of a file that can be a configuration.
pub(crate) fn text(path: &Path) -> CliResult<String> {
    let name = path.display();
    let metadata = std::fs::metadata(path)
        .or_exit(Exit::Usage, format!("cannot read {name}"))
        .map_err(|error| error.hint("`lockgate init` writes a first configuration file"))?;
    if metadata.len() > BYTES_MAX {
        return Err(CliError::usage(format!("{name} is larger than {BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).or_exit(Exit::Usage, format!("cannot read {name}"))
}

/// Why a file cannot be taken.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It cannot be read at all.
    Unreadable(CliError),
    /// It says something wrong.
    Invalid(Diagnostics),
}

/// Reads and validates a file without a word.
pub(crate) fn load(path: &Path) -> Result<Read, Unusable> {
    let text = text(path).map_err(Unusable::Unreadable)?;
    match config::read(&path.display().to_string(), &text) {
        Ok(config) => Ok(Read { text, config }),
        Err(diagnostics) => Err(Unusable::Invalid(diagnostics)),
    }
}

/// Reads and validates a file. Warnings and errors go to standard error, with their places.
pub(crate) fn read(path: &Path) -> CliResult<Read> {
    match load(path) {
        Ok(read) => {
            for warning in &read.config.warnings {
                output::note(warning);
            }
            Ok(read)
        }
        Err(Unusable::Unreadable(error)) => Err(error),
        Err(Unusable::Invalid(diagnostics)) => Err(refused(path, &diagnostics)),
    }
}

/// Prints what is wrong and makes the error that follows.
fn refused(path: &Path, diagnostics: &Diagnostics) -> CliError {
    output::note(format!("{diagnostics}\n"));
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == config::Severity::Error)
        .count()
        + diagnostics.omitted();
    let noun = if errors == 1 { "error" } else { "errors" };
    CliError::usage(format!("{} has {errors} {noun}", path.display())).hint(
        "each is named above with its line and column; `lockgate schema` describes every field",
    )
}
