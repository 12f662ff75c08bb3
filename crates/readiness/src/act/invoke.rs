//! From the words of a command to what it does: wrappers are taken off, scripts of the repository are followed.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::files::TestFiles;
use super::{Class, Kinds, command, hooks, runner, script, tool};
use crate::finding::Evidence;
use crate::package::Roots;
use crate::shell::{Blocking, Word};
use crate::tree::Tree;

/// Most commands of all pipelines together.
pub(super) const COMMANDS_MAX: usize = 20_000;

/// Scripts that run scripts.
pub(super) const DEPTH_MAX: usize = 5;

/// What a command was found to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Done {
    pub(super) class: Class,
    pub(super) blocking: Blocking,
    pub(super) why: String,
    pub(super) also: Vec<Evidence>,
    pub(super) dir: Option<String>,
    /// The packages whose tests are run, and which kinds of them; empty when they are not told apart.
    pub(super) packages: BTreeMap<String, Kinds>,
    /// It changes a cluster, or compares with one, whichever that is.
    pub(super) to_cluster: bool,
}

impl Done {
    pub(super) fn new(class: Class) -> Self {
        Self {
            class,
            blocking: Blocking::Yes,
            why: String::new(),
            also: Vec::new(),
            dir: None,
            packages: BTreeMap::new(),
            to_cluster: false,
        }
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn also(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.also.extend(evidence);
        self
    }

    pub(super) fn blocks(mut self, blocking: Blocking) -> Self {
        self.blocking = blocking;
        self
    }

    pub(super) fn in_dir(mut self, dir: Option<&str>) -> Self {
        self.dir = dir.map(str::to_owned);
        self
    }
}

/// What a command of a step's script was found to do, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Invoked {
    pub(super) done: Done,
    pub(super) line: usize,
    pub(super) blocking: Blocking,
}

/// What surrounds a command.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) tree: &'a Tree,
    pub(super) tests: &'a TestFiles,
    pub(super) roots: &'a Roots,
    /// How many commands may still be looked at, with those of scripts that scripts run.
    pub(super) left: &'a Cell<usize>,
    /// Databases and the like run beside the job.
    pub(super) services: bool,
    /// The job hands its findings to the forge.
    pub(super) uploads: bool,
}

impl Asked<'_> {
    /// What a command does in a directory; `None` for one that is not known.
    pub(super) fn command(&self, words: &[Word], dir: Option<&str>, depth: usize) -> Vec<Done> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if depth > DEPTH_MAX || left == 0 {
            return vec![
                Done::new(Class::OpaqueTests).why("scripts run scripts deeper than is followed"),
            ];
        }
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        let (texts, unwrapped) = command::unwrapped(texts);
        let Some(program) = texts.first() else { return Vec::new() };
        if program.contains(crate::shell::UNKNOWN) {
            return Vec::new();
        }
        let words: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut all = Vec::new();
        if let Some(nested) = script::followed(self, &words, dir, depth) {
            all.extend(nested);
            return all;
        }
        all.extend(runner::done(self, &words, dir, &unwrapped));
        all.extend(tool::done(self, &words, dir));
        all.extend(hooks::done(self, &words));
        for done in &mut all {
            if done.dir.is_none() && done.class != Class::Drift {
                done.dir = dir.map(str::to_owned);
            }
        }
        all
    }

    /// Tests beside databases are more than unit tests.
    pub(super) fn kinds(&self, kinds: Kinds) -> Kinds {
        if self.services && kinds.unit { Kinds { integration: true, ..kinds } } else { kinds }
    }
}
