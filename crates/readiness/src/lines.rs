//! A file whose lines are shown as evidence. Its lines are found once, and not again for each that is shown.

use crate::finding::{Evidence, Place};
use crate::yaml::Node;

#[derive(Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    lines: &'a [&'a str],
    /// Something is put into it before it is used.
    pub(crate) has_actions: bool,
    /// Lines before what is read, where that stands in another file.
    before: u32,
}

impl<'a> File<'a> {
    /// `lines` are those of the text.
    pub(crate) fn new(path: &'a str, text: &'a str, lines: &'a [&'a str]) -> Self {
        Self { path, text, lines, has_actions: text.contains("{{"), before: 0 }
    }

    /// The same file, for what stands in it from a line on.
    pub(crate) fn begun_at(self, line: u32) -> Self {
        Self { before: line.saturating_sub(1), ..self }
    }

    /// The line at a place.
    pub(crate) fn at(&self, mut place: Place) -> Evidence {
        place.line = place.line.saturating_add(self.before);
        let index = usize::try_from(place.line).unwrap_or(usize::MAX).saturating_sub(1);
        Evidence::shown(self.path, self.lines.get(index).copied().unwrap_or_default(), place)
    }

    /// The line that a value begins on.
    pub(crate) fn shown(&self, node: &Node) -> Evidence {
        self.at(node.place)
    }
}
