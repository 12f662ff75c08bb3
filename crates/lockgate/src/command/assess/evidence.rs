//! Evidence that is handed in, `--evidence FILE`, and what `zizmor` finds.

use std::path::Path;

use jiff::civil::Date;
use lockgate_collectors::program::Environment;
use lockgate_collectors::{ZizmorError, zizmor};
use lockgate_readiness::given::{BYTES_MAX, FILES_MAX, Given};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::text_file;

const HINT: &str = "hand in a report of coverage (LCOV, Cobertura XML, JaCoCo XML), a SARIF 2.1.0 log of a scanner, or what `lockgate drift --output json` printed";

/// Reads all files, in the order in which they are named.
pub(super) fn read(paths: &[impl AsRef<Path>]) -> CliResult<Vec<Given>> {
    if paths.len() > FILES_MAX {
        return Err(CliError::usage(format!("more than {FILES_MAX} files of evidence")));
    }
    paths.iter().map(|path| one(path.as_ref())).collect()
}

fn one(path: &Path) -> CliResult<Given> {
    let text = text_file::read(path, BYTES_MAX)?;
    let doing = format!("cannot take {} as evidence", path.display());
    Given::read(&name(path), &text).or_exit(Exit::Usage, doing).map_err(|error| error.hint(HINT))
}

/// What `zizmor` finds in the workflows of a checkout today; nothing when there are none.
pub(super) fn of_zizmor(root: &Path, today: Date) -> CliResult<Option<Given>> {
    // Nothing of ours is its business, tokens for the forge least of all.
    let environment = Environment::of(std::env::vars_os(), &[], &[]);
    let found = zizmor(root, &environment).map_err(|error| {
        let is_missing = matches!(error, ZizmorError::NotInstalled);
        let kind = if is_missing { Exit::Usage } else { Exit::Failed };
        let error = CliError::new(kind, error).context("cannot let zizmor look".into());
        if is_missing {
            error.hint("install it (`pip install zizmor`), or leave out `--zizmor`")
        } else {
            error.hint("leave out `--zizmor`, or see what `zizmor --offline` says by itself")
        }
    })?;
    let Some(text) = found else { return Ok(None) };
    let given =
        Given::read("zizmor", &text).or_exit(Exit::Failed, "cannot read what zizmor found")?;
    Ok(Some(given.made_on(today)))
}

/// What it is called in findings: as it was named, but without directories of the machine.
fn name(path: &Path) -> String {
    let shown = if path.is_absolute() { path.file_name().map(Path::new) } else { Some(path) };
    shown.unwrap_or(path).to_string_lossy().into_owned()
}
