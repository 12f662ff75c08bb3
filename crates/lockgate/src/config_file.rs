//! Reads a configuration file and says everything that is wrong with it at once.

use std::collections::BTreeMap;
use std::path::Path;

use lockgate_model::config::{self, Config, Diagnostics, Source};

use crate::error::{CliError, CliResult};
use crate::{output, text_file};

/// The file that commands take when none is named.
pub(crate) const DEFAULT: &str = "lockgate.yaml";

/// Larger files are refused.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// A file that was read without errors.
#[derive(Debug)]
pub(crate) struct Read {
    /// As it stands in the file, with the files that it names.
    pub(crate) source: Source,
    /// What it says.
    pub(crate) config: Config,
}

/// The text of a file that can be a configuration.
pub(crate) fn text(path: &Path) -> CliResult<String> {
    text_file::read(path, BYTES_MAX).map_err(|error| {
        if path.exists() {
            error
        } else {
            error.hint("`lockgate init` writes a first configuration file")
        }
    })
}

/// The same with the files that it names, from beside it. One that is not there is left out: it
/// is missed where it is named.
pub(crate) fn source(path: &Path) -> CliResult<Source> {
    let text = text(path)?;
    let mut files = BTreeMap::new();
    for name in config::names_files(&text) {
        let beside = path.parent().unwrap_or(Path::new("")).join(&name);
        if beside.exists() {
            files.insert(name, text_file::read(&beside, config::FILE_BYTES_MAX)?);
        }
    }
    Ok(Source { text, files })
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
    let source = source(path).map_err(Unusable::Unreadable)?;
    match config::read_with(&path.display().to_string(), &source) {
        Ok(config) => Ok(Read { source, config }),
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
    let wrong: Vec<_> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == config::Severity::Error)
        .collect();
    let mut files: Vec<&str> = wrong.iter().map(|diagnostic| diagnostic.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    let errors = match wrong.len() + diagnostics.omitted() {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    let has = match files.as_slice() {
        [] => format!("{} has", path.display()),
        [only] => format!("{only} has"),
        [first @ .., last] => format!("{} and {last} have", first.join(", ")),
    };
    CliError::usage(format!("{has} {errors}")).hint(
        "each is named above with its line and column; `lockgate schema` describes every field",
    )
}
