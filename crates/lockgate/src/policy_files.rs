//! Reads a directory of policies and says everything that is wrong with it at once.

use std::fs;
use std::path::Path;

use lockgate_model::config::{Diagnostics, Severity};
use lockgate_policy::{Bundle, FILES_MAX};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::{output, text_file};

/// The largest file. The bundle has limits of its own for each kind.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The most entries of a directory, whatever they are.
const ENTRIES_MAX: usize = 100_000;

/// Endings of files that are taken; of others, those that look as if they were meant to be.
const TAKEN: [&str; 2] = ["yaml", "cedar"];
const MEANT: [&str; 4] = ["yml", "YAML", "YML", "CEDAR"];

/// Why a directory cannot be taken.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It cannot be read at all.
    Unreadable(CliError),
    /// It says something wrong.
    Invalid(Diagnostics),
}

/// Reads and checks a directory without a word.
pub(crate) fn load(directory: &Path) -> Result<Bundle, Unusable> {
    let files = files(directory).map_err(Unusable::Unreadable)?;
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Bundle::load(&borrowed).map_err(Unusable::Invalid)
}

/// Reads and checks a directory. Warnings and errors go to standard error, with their places.
pub(crate) fn read(directory: &Path) -> CliResult<Bundle> {
    match load(directory) {
        Ok(bundle) => {
            for warning in &bundle.warnings {
                output::note(warning);
            }
            Ok(bundle)
        }
        Err(Unusable::Unreadable(error)) => Err(error),
        Err(Unusable::Invalid(diagnostics)) => Err(refused(directory, &diagnostics)),
    }
}

/// Prints what is wrong and makes the error that follows.
pub(crate) fn refused(directory: &Path, diagnostics: &Diagnostics) -> CliError {
    output::note(format!("{diagnostics}\n"));
    let wrong = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
    let errors = match wrong + diagnostics.omitted() {
        1 => "1 error".to_owned(),
        errors => format!("{errors} errors"),
    };
    CliError::usage(format!("the policies in {} have {errors}", directory.display()))
        .hint("each is named above with its line and column; docs/policy.md describes every field")
}

/// Names and texts of the policy files in a directory. Directories in it are not looked into.
pub(crate) fn files(directory: &Path) -> CliResult<Vec<(String, String)>> {
    let doing = || format!("cannot read {}", directory.display());
    let mut files = Vec::new();
    let mut below = None;
    let entries = fs::read_dir(directory)
        .or_exit(Exit::Usage, doing())
        .map_err(|error| error.hint("name the directory that holds the policy files"))?;
    for (count, entry) in entries.enumerate() {
        let path = entry.or_exit(Exit::Usage, doing())?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        if MEANT.contains(&extension) {
            return Err(CliError::usage(format!("{} is not read", path.display()))
                .hint("a policy file ends in .yaml or .cedar; rename it or move it away"));
        }
        if count >= ENTRIES_MAX || files.len() > FILES_MAX {
            return Err(CliError::usage(format!("{} has too many files", directory.display())));
        }
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if TAKEN.contains(&extension) && !hidden {
            let name = path.display().to_string();
            files.push((name, text_file::read(&path, BYTES_MAX)?));
        } else if path.is_dir() && !hidden {
            below = below.min(Some(path.clone())).or(Some(path));
        }
    }
    if files.is_empty() {
        let hint = match below {
            Some(below) => format!(
                "a policy file ends in .yaml or .cedar; directories below are not looked into: name one, such as {}",
                below.display()
            ),
            None => "a policy file ends in .yaml or .cedar".to_owned(),
        };
        return Err(
            CliError::usage(format!("{} has no policy files", directory.display())).hint(hint)
        );
    }
    Ok(files)
}
