//! The probes of an agent, from the file that its configuration names.

use std::collections::BTreeMap;

use crate::config::field::Field;
use crate::config::file::ProbesFile;
use crate::config::place::{Path, Place};
use crate::config::report::Report;
use crate::config::source::PROBES_BYTES_MAX;
use crate::config::text::FileNameText;
use crate::probe::{self, Probe, Probes};
use crate::version::Digest;

const PER_SECOND_DEFAULT: f64 = 1.0;

/// What an agent's candidates are asked in the test environment. Wrong ones are none, so that the
/// rest is checked.
pub(super) fn probes(
    report: &mut Report<'_>,
    field: &Field<ProbesFile>,
    path: &Path,
    files: &BTreeMap<String, String>,
) -> Option<Probes> {
    let file = match field {
        Field::Missing => return None,
        field => report.take(field, path),
    };
    let every_ms = file.map_or(0, |file| every_ms(report, &file.per_second, path));
    let set = file.and_then(|file| set(report, &file.file, &path.key("file"), files));
    let (set, digest) = set.unzip();
    Some(Probes { every_ms, set: set.unwrap_or_default(), digest })
}

fn every_ms(report: &mut Report<'_>, field: &Field<f64>, path: &Path) -> u64 {
    let path = path.key("per_second");
    let per_second = report.take(field, &path).copied().unwrap_or(PER_SECOND_DEFAULT);
    if !(0.001..=100.0).contains(&per_second) {
        let message = format!("`per_second` must be between 0.001 and 100, not {per_second}");
        report.error(&path, message, "1 sends one probe a second");
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10 to 1,000,000")]
    let every_ms = (1_000.0 / per_second).round() as u64;
    every_ms
}

fn set(
    report: &mut Report<'_>,
    field: &Field<FileNameText>,
    path: &Path,
    files: &BTreeMap<String, String>,
) -> Option<(Vec<Probe>, Digest)> {
    let name = &report.take(field, path)?.0;
    let Some(text) = files.get(name) else {
        let hint =
            "it is read from beside the configuration file; send it along when you use the API";
        report.error(path, format!("there is no file `{name}`"), hint);
        return None;
    };
    if text.len() > PROBES_BYTES_MAX {
        let message = format!("`{name}` is larger than {PROBES_BYTES_MAX} bytes");
        report.error(path, message, "keep fewer probes, or shorter ones");
        return None;
    }
    let errors = match probe::read(text) {
        Ok(set) => return Some((set, probe::digest(text))),
        Err(errors) => errors,
    };
    for error in errors {
        let place = Place { line: error.line, column: error.column };
        report.error_in(name, place, error.message, error.hint);
    }
    None
}
