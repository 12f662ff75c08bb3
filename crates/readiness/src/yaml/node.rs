//! A value of a YAML file with its place, and how it is asked.

use std::collections::HashSet;

use crate::finding::Place;

/// A value and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) tag: Option<String>,
    pub(crate) kind: Kind,
}

/// What a value is. A word without quotes means what the one who asks takes it for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar { text: String, plain: bool, literal: bool },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Default for Node {
    fn default() -> Self {
        Self::null(Place::START)
    }
}

impl Node {
    pub(crate) fn null(place: Place) -> Self {
        let kind = Kind::Scalar { text: String::new(), plain: true, literal: false };
        Self { place, tag: None, kind }
    }

    /// The entry of a key; of a repeated one, the last.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value behind several keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a map; of anything else, none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else, none.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The texts of a list, or the one text that stands in its place.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match &self.kind {
            Kind::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar, kept.
    pub(crate) fn into_text(self) -> Option<String> {
        match self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A yes or no.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The line, from 1, on which a script's own first line stands. The lines of a literal follow one by one; what is
    /// folded or quoted over several lines does not say.
    pub(crate) fn lines_start(&self, source: &str) -> u32 {
        let Kind::Scalar { text, literal: true, .. } = &self.kind else { return self.place.line };
        // The place is that of the `|`, or of the first character after it.
        let index = usize::try_from(self.place.line).unwrap_or(usize::MAX).saturating_sub(1);
        let first = text.lines().next().unwrap_or_default();
        let mut lines = source.lines().skip(index);
        let here = lines.next().unwrap_or_default();
        let is_header =
            here.trim_end().rsplit([' ', ':']).next().is_some_and(|last| last.starts_with('|'))
                || here.contains('|')
                    && here
                        .split(" #")
                        .next()
                        .is_some_and(|code| code.trim_end().ends_with(['|', '-', '+']));
        if is_header || here.trim() != first.trim() { self.place.line + 1 } else { self.place.line }
    }

    /// Whether the lines of this text are lines of the file.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.kind, Kind::Scalar { literal: true, .. })
    }

    /// Puts in place what `<<` refers to. Keys that are there win, and of several sources the first.
    pub(crate) fn merge(&mut self) {
        let Kind::Map(entries) = &mut self.kind else { return };
        if entries.iter().all(|entry| entry.key != "<<") {
            return;
        }
        let (merged, mut all): (Vec<Entry>, Vec<Entry>) =
            std::mem::take(entries).into_iter().partition(|entry| entry.key == "<<");
        let mut own: HashSet<String> = all.iter().map(|entry| entry.key.clone()).collect();
        for entry in merged.into_iter().flat_map(|entry| entry.value.sources()) {
            if own.insert(entry.key.clone()) {
                all.push(entry);
            }
        }
        *entries = all;
    }

    /// The entries of a map, or of all maps of a list.
    fn sources(self) -> Vec<Entry> {
        match self.kind {
            Kind::Map(entries) => entries,
            Kind::List(items) => {
                let maps = items.into_iter().filter_map(|item| match item.kind {
                    Kind::Map(entries) => Some(entries),
                    _ => None,
                });
                maps.flatten().collect()
            }
            Kind::Scalar { .. } => Vec::new(),
        }
    }
}
