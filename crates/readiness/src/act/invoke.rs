//! From the words of a command to what it does: wrappers are taken off, scripts of the repository are followed.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::command::Unwrapped;
use super::files::TestFiles;
use super::idle::is_idle;
use super::measured::Data;
use super::script::Makefiles;
use super::{Class, Kinds, command, hooks, runner, script, threshold, tool};
use crate::finding::Evidence;
use crate::package::Roots;
use crate::shell::{Blocking, SWAYING, UNKNOWN, Word};
use crate::tree::{Tree, name};

/// Most commands of all pipelines together.
pub(super) const COMMANDS_MAX: usize = 20_000;

/// Scripts that run scripts.
pub(super) const DEPTH_MAX: usize = 5;

/// Most files of tests that are looked at for all commands together.
pub(super) const FILES_MAX: usize = 5_000_000;

/// Programs and variables whose words they take in before their own.
const ADDED: &[(&str, &str)] = &[
    ("pytest|py.test", "PYTEST_ADDOPTS"),
    ("mvn|mvnw", "MAVEN_ARGS"),
    ("mvn|mvnw", "MAVEN_OPTS"),
    ("make|gmake", "MAKEFLAGS"),
];

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
    pub(super) data: Data,
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
            data: Data::None,
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

    pub(super) fn data(mut self, data: Data) -> Self {
        self.data = data;
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
    /// How many files of tests may still be looked at for commands.
    pub(super) files_left: &'a Cell<usize>,
    /// Variables that the command sees and that change what it does.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Makefiles that were read.
    pub(super) makefiles: &'a Makefiles,
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
        let mut unwrapped = command::unwrapped(texts);
        let mut env = self.env.clone();
        let swaying = |(name, _): &(String, String)| SWAYING.contains(&name.as_str());
        env.extend(unwrapped.env.drain(..).filter(swaying));
        let asked = Asked { env: &env, ..*self };
        asked.unwrapped(&unwrapped, dir, depth)
    }

    fn unwrapped(&self, command: &Unwrapped, dir: Option<&str>, depth: usize) -> Vec<Done> {
        let Some(program) = command.words.first() else { return Vec::new() };
        if program.contains(UNKNOWN) {
            return script::elsewhere(program);
        }
        let (words, swayed) = self.with_env(&command.words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if is_idle(&words) {
            return Vec::new();
        }
        let root = dir.unwrap_or_default();
        let mut all = threshold::around(self.tree, &command.wrappers, root);
        match script::followed(self, &words, dir, depth) {
            Some(nested) => all.extend(nested),
            None => all.extend(self.program(&words, dir)),
        }
        // Of coverage.py's verbs only `run` runs another program.
        if command.wrappers.iter().any(|wrapper| name(&wrapper[0]) == "coverage") {
            if all.is_empty() {
                let why =
                    format!("`coverage run` measures `{}`, which is not read", words.join(" "));
                all.push(Done::new(Class::OpaqueTests).why(why));
            }
            for done in &mut all {
                done.data = Data::Made;
            }
        }
        for done in &mut all {
            done.blocking = done.blocking.and(&command.blocking).and(&swayed);
        }
        all
    }

    /// What a program does that is none of the repository's.
    fn program(&self, words: &[&str], dir: Option<&str>) -> Vec<Done> {
        let mut all = runner::done(self, words, dir);
        all.extend(tool::done(self, words, dir));
        all.extend(hooks::done(self, words));
        for done in &mut all {
            if done.dir.is_none() && done.class != Class::Drift {
                done.dir = dir.map(str::to_owned);
            }
        }
        all
    }

    /// The words with those that variables add.
    fn with_env(&self, words: &[String]) -> (Vec<String>, Blocking) {
        let mut all = words.to_vec();
        let mut swayed = Blocking::Yes;
        for (programs, name) in ADDED {
            let is = programs.split('|').any(|program| program == words[0]);
            let Some(value) = self.env.get(*name).filter(|_| is) else { continue };
            if value.contains(UNKNOWN) {
                let why = format!("`{name}` is only known when it runs");
                swayed = swayed.and(&Blocking::Unsure(why));
                continue;
            }
            let mut more = threshold::shell_words(value);
            // Make's own variable has letters alone.
            if let Some(first) = more.first_mut().filter(|_| *name == "MAKEFLAGS")
                && !first.starts_with('-')
                && !first.contains('=')
            {
                first.insert(0, '-');
            }
            all.splice(1..1, more);
        }
        (all, swayed)
    }

    /// Whether so many files of tests may be looked at for one more command.
    pub(super) fn looks_at(&self, files: usize) -> bool {
        let left = self.files_left.get().checked_sub(files);
        self.files_left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Tests beside databases are more than unit tests.
    pub(super) fn kinds(&self, kinds: Kinds) -> Kinds {
        if self.services && kinds.unit { Kinds { integration: true, ..kinds } } else { kinds }
    }
}
