//! The header of a file, and the cells under it.

use std::collections::BTreeSet;

use super::{LINE_BYTES_MAX, RowError};
use crate::event::Invalid;

/// The most columns of a CSV file.
const COLUMNS_MAX: usize = 512;

/// What else files separate cells by, and what it is called.
const OTHER_SEPARATORS: [(char, &str); 3] =
    [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];

/// What is wrong with the header, which is line 1.
pub(super) fn refused(field: &str, reason: impl Into<String>) -> RowError {
    RowError { line: 1, invalid: Invalid::new(field, reason) }
}

/// The names of the columns; `is_known` says which names mean something here.
pub(super) fn names<'a>(
    header: impl IntoIterator<Item = &'a str>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<String>, RowError> {
    let names: Vec<String> = header
        .into_iter()
        .take(COLUMNS_MAX + 1)
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    if let Some(what) = other_separator(&names, is_known) {
        return Err(refused(
            "header",
            format!(
                "its columns are separated by {what}; save the file with commas between them, and points in numbers"
            ),
        ));
    }
    if names.len() > COLUMNS_MAX {
        return Err(refused("header", format!("a file has at most {COLUMNS_MAX} columns")));
    }
    let names: Vec<String> =
        names.into_iter().map(|name| name.chars().take(128).collect()).collect();
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        let field = if name.is_empty() { "header" } else { name };
        return Err(refused(field, "this column is there twice"));
    }
    Ok(names)
}

/// What separates the columns, when it is no comma: no name means anything, and split at it they do.
fn other_separator(names: &[String], is_known: impl Fn(&str) -> bool) -> Option<&'static str> {
    if names.iter().any(|name| is_known(name)) {
        return None;
    }
    let known = |separator: char| {
        let cells = names.iter().flat_map(|name| name.split(separator));
        cells.filter(|cell| is_known(cell.trim_matches([' ', '"', '\'']))).count()
    };
    let most = OTHER_SEPARATORS.into_iter().max_by_key(|(separator, _)| known(*separator))?;
    (known(most.0) > 0).then_some(most.1)
}

/// Names with their cells; a record has as many as the header.
pub(super) fn cells<'a, 'b>(
    names: &'b [String],
    record: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<(&'b str, &'a str)>, Invalid> {
    let record: Vec<&str> = record.into_iter().take(COLUMNS_MAX + 1).collect();
    if record.len() != names.len() {
        let (there, wanted) = (record.len(), names.len());
        return Err(Invalid::new("event", format!("{there} cells where the header has {wanted}")));
    }
    if record.iter().map(|cell| cell.len()).sum::<usize>() > LINE_BYTES_MAX {
        return Err(Invalid::new("event", format!("a record has at most {LINE_BYTES_MAX} bytes")));
    }
    Ok(names.iter().map(String::as_str).zip(record).collect())
}
