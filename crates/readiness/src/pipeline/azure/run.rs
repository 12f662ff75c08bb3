//! What one reading of a pipeline stands on: the files, the occasion, and how much may still be looked at.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::super::source::document;
use super::super::{Occasion, Unread};
use super::triggers::Started;
use crate::finding::{Evidence, Place};
use crate::tree::{Tree, has_end};
use crate::yaml::Node;

/// Bytes of text that count as one part.
const BYTES_A_PART: usize = 128;

/// Where and why a file is not read, or what it says.
type Parsed = Result<Option<Node>, (Place, String)>;

/// The files that pipelines may be written in, each read once, when it is asked for.
pub(super) struct Files<'t> {
    tree: &'t Tree,
    all: BTreeMap<&'t str, OnceCell<Parsed>>,
}

impl<'t> Files<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        let yaml = |path: &&str| has_end(path, "yml") || has_end(path, "yaml");
        let all = tree.paths().filter(yaml).map(|path| (path, OnceCell::new())).collect();
        Self { tree, all }
    }

    /// The path as the tree has it, and what stands in the file; none when there is no such file.
    pub(super) fn get(&self, path: &str) -> Option<(&'t str, &Parsed)> {
        let (path, cell) = self.all.get_key_value(path)?;
        Some((path, cell.get_or_init(|| document(self.tree, path))))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &'t str> {
        self.all.keys().copied()
    }
}

/// One reading of a pipeline, on one occasion.
pub(super) struct Run<'a> {
    pub(super) tree: &'a Tree,
    pub(super) files: &'a Files<'a>,
    pub(super) main: &'a str,
    pub(super) occasion: Occasion,
    pub(super) started: &'a Started,
    /// How many parts may still be looked at, of all pipelines together.
    pub(super) left: &'a Cell<usize>,
    pub(super) notes: &'a RefCell<BTreeSet<String>>,
    /// Templates that are there and cannot be read.
    pub(super) unread: &'a RefCell<BTreeMap<String, Unread>>,
}

impl Run<'_> {
    /// Takes one from what may still be looked at.
    pub(super) fn spend(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Takes for a text that was made, so that many long ones end.
    pub(super) fn spend_for(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes / BYTES_A_PART));
    }

    pub(super) fn unread(&self, file: &str, place: Place, why: &str) {
        let text = self.tree.text(file).unwrap_or_default();
        let evidence = Evidence::at(file, text, place);
        let unread = Unread { evidence, why: format!("the pipeline {why}") };
        self.unread.borrow_mut().insert(file.to_owned(), unread);
    }
}
