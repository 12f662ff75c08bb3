//! Collects what is wrong while a file is read.

use std::collections::HashSet;

use super::diagnostic::{Diagnostic, Severity};
use super::field::Field;
use super::node::Node;
use super::place::{Path, Place};

/// More findings than this are only counted.
const FOUND_MAX: usize = 1_000;

/// Findings so far. A path with an error takes no second one: the first is the cause. Nor does
/// anything inside a value that is of the wrong kind altogether.
pub(super) struct Report<'a> {
    file: &'a str,
    root: &'a Node,
    found: Vec<Diagnostic>,
    wrong: HashSet<Path>,
    spoiled: HashSet<Path>,
    dropped: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str, root: &'a Node, spoiled: HashSet<Path>) -> Self {
        Self { file, root, found: Vec::new(), wrong: spoiled.clone(), spoiled, dropped: 0 }
    }

    /// Whether further findings are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= FOUND_MAX
    }

    /// Whether an error at `path` tells something new; further ones there do not.
    fn is_news(&mut self, path: &Path) -> bool {
        if self.is_full() {
            self.dropped += 1;
            return false;
        }
        let spoiled =
            !self.spoiled.is_empty() && path.ancestors().any(|outer| self.spoiled.contains(&outer));
        !spoiled && self.wrong.insert(path.clone())
    }

    /// A value of the wrong kind altogether: what is inside it says nothing.
    pub(super) fn wrong_kind(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.error(path, message, hint);
        self.spoiled.insert(path.clone());
    }

    /// An error at the value at `path`.
    pub(super) fn error(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.is_news(path) {
            let place = self.root.place_of(path);
            self.push(place, Severity::Error, path, message.into(), hint.into());
        }
    }

    /// An error at the key at the end of `path`.
    pub(super) fn key_error(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.is_news(path) {
            let place = self.root.key_place_of(path);
            self.push(place, Severity::Error, path, message.into(), hint.into());
        }
    }

    /// Something missing in the map at `path`.
    pub(super) fn missing(
        &mut self,
        path: &Path,
        field: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let missing = path.key(field);
        if self.is_news(&missing) {
            let place = self.root.place_of(path);
            self.push(place, Severity::Error, &missing, message.into(), hint.into());
        }
    }

    /// Something allowed that should be known.
    pub(super) fn warning(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let place = self.root.place_of(path);
        self.push(place, Severity::Warning, path, message.into(), hint.into());
    }

    /// An error in a file that this one names.
    pub(super) fn error_in(&mut self, file: &str, place: Place, message: String, hint: &str) {
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        self.push_in(file, place, Severity::Error, message, hint);
    }

    /// Something in a file that this one names that is allowed and should be known.
    pub(super) fn warning_in(&mut self, file: &str, place: Place, message: String, hint: &str) {
        self.push_in(file, place, Severity::Warning, message, hint);
    }

    fn push_in(
        &mut self,
        file: &str,
        place: Place,
        severity: Severity,
        message: String,
        hint: &str,
    ) {
        self.found.push(Diagnostic {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            severity,
            message,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            path: String::new(),
        });
    }

    fn push(
        &mut self,
        place: Place,
        severity: Severity,
        path: &Path,
        message: String,
        hint: String,
    ) {
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            severity,
            message,
            hint: (!hint.is_empty()).then_some(hint),
            path: path.to_string(),
        });
    }

    /// The field's value if it is there and right. One that is wrong has an error from here on,
    /// if the schema let it through.
    pub(super) fn take<'f, T>(&mut self, field: &'f Field<T>, path: &Path) -> Option<&'f T> {
        match field {
            Field::Is(value) => Some(value),
            Field::Missing => None,
            Field::Wrong(why) => {
                if !self.is_wrong_within(path) {
                    self.error(path, format!("this cannot be used: {why}"), "");
                }
                None
            }
        }
    }

    /// The same by value, with what stands for a missing or wrong one.
    pub(super) fn take_or<T: Copy>(&mut self, field: &Field<T>, path: &Path, default: T) -> T {
        self.take(field, path).copied().unwrap_or(default)
    }

    /// Whether something at `path` or inside it is wrong.
    pub(super) fn is_wrong_within(&self, path: &Path) -> bool {
        self.wrong.iter().any(|wrong| path.holds(wrong))
    }

    /// What was found, errors and warnings, and how many errors more.
    pub(super) fn finish(self) -> (Vec<Diagnostic>, usize) {
        (self.found, self.dropped)
    }
}
