//! Measures of an agent's own.

use super::{Unique, items, name};
use crate::config::field::Field;
use crate::config::file::MeasureFile;
use crate::config::place::Path;
use crate::config::report::Report;
use crate::measure::{MEASURES_MAX, Measure, MeasureName};

/// Bounds on the ends of a range: what lies beyond says nothing that a unit would not say better.
const END_MAX: f64 = 1e12;

pub(super) fn measures(
    report: &mut Report<'_>,
    list: &Field<Vec<Field<MeasureFile>>>,
    path: &Path,
) -> Vec<Measure> {
    let mut names = Unique::of("measure");
    let mut measures = Vec::new();
    for (path, file) in items(report, list, path) {
        if let Some(name) = file.name.ok() {
            names.check(report, &name.0, &path.key("name"));
        }
        measures.extend(measure(report, file, &path));
    }
    // The schema refuses more.
    measures.truncate(MEASURES_MAX);
    measures
}

fn measure(report: &mut Report<'_>, file: &MeasureFile, path: &Path) -> Option<Measure> {
    let name: Option<MeasureName> = name(report, &file.name, &path.key("name"));
    let better = report.take(&file.better, &path.key("better")).copied();
    let (from_path, to_path) = (path.key("from"), path.key("to"));
    let from = end(report, &file.from, &from_path, 0.0)?;
    let to = end(report, &file.to, &to_path, 1.0)?;
    if from >= to {
        let at = if file.to.is_missing() { &from_path } else { &to_path };
        let message = format!("the range from {from} to {to} is empty");
        report.error(at, message, "`to` is more than `from`; they are 0 and 1 when left out");
        return None;
    }
    Some(Measure { name: name?, better: better?, from, to })
}

fn end(report: &mut Report<'_>, field: &Field<f64>, path: &Path, default: f64) -> Option<f64> {
    let value = report.take_or(field, path, default);
    if value.abs() <= END_MAX {
        return Some(value);
    }
    let message = format!("`{}` is beyond {END_MAX:e}", path.name().unwrap_or_default());
    report.error(path, message, "use a larger unit");
    None
}
