//! Collects what is wrong while files are read, so that all of it comes out at once.

use std::fmt::Write as _;

use lockgate_model::config::document::Place;
use lockgate_model::config::{Diagnostic, Diagnostics, Severity};

/// More findings than this are only counted.
const FOUND_MAX: usize = 1_000;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Findings {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    dropped: usize,
}

/// What is being read: a file, and what in it.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) file: &'a str,
    /// Such as `rules[3]`.
    pub(crate) path: &'a str,
}

impl Findings {
    pub(crate) fn error(&mut self, at: At<'_>, place: Place, message: String, hint: String) {
        if self.errors.len() >= FOUND_MAX {
            self.dropped += 1;
            return;
        }
        self.errors.push(diagnostic(Severity::Error, at, place, message, hint));
    }

    pub(crate) fn warning(&mut self, at: At<'_>, place: Place, message: String, hint: String) {
        if self.warnings.len() < FOUND_MAX {
            self.warnings.push(diagnostic(Severity::Warning, at, place, message, hint));
        }
    }

    pub(crate) fn add(&mut self, error: Diagnostic) {
        if self.errors.len() < FOUND_MAX {
            self.errors.push(error);
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings, if nothing is wrong; else what is wrong.
    pub(crate) fn finish(self) -> Result<Diagnostics, Diagnostics> {
        if self.errors.is_empty() {
            return Ok(Diagnostics::from(self.warnings));
        }
        Err(Diagnostics::with_dropped(self.errors, self.dropped))
    }
}

fn diagnostic(
    severity: Severity,
    at: At<'_>,
    place: Place,
    message: String,
    hint: String,
) -> Diagnostic {
    Diagnostic {
        file: at.file.to_owned(),
        line: place.line,
        column: place.column,
        severity,
        message,
        hint: (!hint.is_empty()).then_some(hint),
        path: at.path.to_owned(),
    }
}

/// Words in a row: `` `a`, `b` and `c` ``.
pub(crate) fn words<T: AsRef<str>>(words: &[T]) -> String {
    let mut shown = String::new();
    for (i, word) in words.iter().enumerate() {
        let before = match i {
            0 => "",
            _ if i + 1 == words.len() => " and ",
            _ => ", ",
        };
        // Writing to a text cannot fail.
        let _ = write!(shown, "{before}`{}`", word.as_ref());
    }
    shown
}
