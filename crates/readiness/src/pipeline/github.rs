//! Workflows of GitHub Actions, with what they call in the same repository.

mod action;
mod condition;
pub(super) mod expression;
mod job;
mod known;
mod matrix;
mod number;
mod refused;
mod scope;
mod shell;
mod triggers;

use std::collections::BTreeMap;
use std::rc::Rc;

use self::expression::Value;
use self::known::Known;
use super::source::document;
use super::{Job, Occasion, Occasions, Pipeline, Pipelines, Runs, Unread, gather};
use crate::finding::Evidence;
use crate::shell::Blocking;
use crate::tree::{Tree, dir};
use crate::yaml::{self, Node};

/// Most steps of all workflows together, with what matrices and calls repeat.
const STEPS_MAX: usize = 20_000;

/// Workflows that call each other; GitHub itself stops at ten.
const CALLS_MAX: usize = 10;

/// Names that main branches have, the likeliest first.
pub(crate) const MAIN_NAMES: [&str; 6] = ["main", "master", "trunk", "develop", "dev", "next"];

/// Reads every workflow. `main` is the name of the main branch, when it is known.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let files: Vec<&str> = tree
        .under(".github/workflows")
        .filter(|path| {
            dir(path) == ".github/workflows"
                && std::path::Path::new(path)
                    .extension()
                    .is_some_and(|end| end == "yml" || end == "yaml")
        })
        .collect();
    let known = Rc::new(Known::of(tree, &files));
    let mut parsed = Vec::new();
    for file in files {
        let read =
            document(tree, file).and_then(|root| match root.as_ref().and_then(refused::why) {
                Some(refused) => Err(refused),
                None => Ok(root),
            });
        match read {
            Ok(Some(root)) => parsed.push((file, root)),
            Ok(None) => found.notes.push(format!("{file}: the file is empty")),
            Err((place, why)) => {
                let text = tree.text(file).unwrap_or_default();
                let evidence = Evidence::at(file, text, place);
                found.unread.push(Unread { evidence, why: format!("the workflow {why}") });
            }
        }
    }
    let main = main.map_or_else(|| main_branch(&parsed), str::to_owned);
    let mut reader = Reader { tree, main, steps: 0, found, files: BTreeMap::new(), known };
    let mut read = Vec::new();
    for (file, root) in &parsed {
        let triggers = triggers::read(root, tree, &reader.main);
        if let Some(paths) = triggers::paths(root) {
            reader.found.paths.insert((*file).to_owned(), paths);
        }
        read.push((*file, root, triggers));
    }
    let after = followed(&read);
    for (file, root, mut triggers) in read {
        if let Some(names) = triggers::followed(root)
            && names
                .iter()
                .any(|name| after.get(*name).is_some_and(|on| *on.on(Occasion::Main) == Runs::Yes))
        {
            triggers.set(Occasion::Main, Runs::Yes);
        }
        let call = Call {
            runs: triggers.clone(),
            blocking: Blocking::Yes,
            inputs: None,
            depth: 0,
            prefix: String::new(),
        };
        let mut jobs = reader.jobs(file, root, &call);
        if is_by_push(&triggers) {
            let steps = jobs.iter_mut().flat_map(|job| &mut job.steps);
            steps.for_each(|step| step.runs = as_of_push(&step.runs));
            triggers = as_of_push(&triggers);
        }
        reader.found.all.push(Pipeline { file: file.to_owned(), triggers, jobs });
    }
    if reader.steps >= STEPS_MAX {
        reader
            .found
            .notes
            .push(format!("more than {STEPS_MAX} steps of workflows; the rest is not read"));
    }
}

/// Whether it looks at what is pushed to any branch, and not at pull requests.
fn is_by_push(triggers: &Occasions) -> bool {
    *triggers.on(Occasion::PullRequest) == Runs::No && *triggers.on(Occasion::Branch) == Runs::Yes
}

/// What a push to a branch starts is shown on the pull request of that branch, when the branch is in this repository.
fn as_of_push(runs: &Occasions) -> Occasions {
    let mut all = runs.clone();
    if *runs.on(Occasion::Branch) == Runs::Yes {
        let why = "it runs on pushes, and so on no pull request from a fork: start it `on: pull_request` too";
        all.set(Occasion::PullRequest, Runs::Unsure(why.into()));
    } else {
        all.set(Occasion::PullRequest, runs.on(Occasion::Branch).clone());
    }
    all
}

/// The name that the filters of the workflows speak of.
fn main_branch(parsed: &[(&str, Node)]) -> String {
    let mut named: Vec<&str> = Vec::new();
    for (_, root) in parsed {
        for event in ["push", "pull_request"] {
            if let Some(branches) = root.at(&["on", event, "branches"]) {
                named.extend(branches.texts());
            }
        }
    }
    MAIN_NAMES.into_iter().find(|name| named.contains(name)).unwrap_or(MAIN_NAMES[0]).to_owned()
}

/// When workflows run, by the name that `workflow_run` calls them.
fn followed(read: &[(&str, &Node, Occasions)]) -> BTreeMap<String, Occasions> {
    read.iter()
        .map(|(file, root, triggers)| {
            let name = root.get("name").and_then(Node::text).unwrap_or(file);
            (name.to_owned(), triggers.clone())
        })
        .collect()
}

/// How a workflow comes to run.
#[derive(Debug, Clone)]
struct Call {
    runs: Occasions,
    blocking: Blocking,
    /// What the caller gives; `None` for a workflow that was not called.
    inputs: Option<BTreeMap<String, Value>>,
    depth: usize,
    /// The caller's job, before the name of its own.
    prefix: String,
}

struct Reader<'a> {
    tree: &'a Tree,
    main: String,
    steps: usize,
    found: &'a mut Pipelines,
    /// Files that were called and are read already.
    files: BTreeMap<String, Option<Node>>,
    known: Rc<Known>,
}

impl Reader<'_> {
    /// The jobs of a workflow, with those of the workflows that it calls.
    fn jobs(&mut self, file: &str, root: &Node, call: &Call) -> Vec<Job> {
        let Some(jobs) = root.get("jobs") else {
            self.found.notes.push(format!("{file}: no jobs"));
            return Vec::new();
        };
        let mut all = Vec::new();
        let mut runs: BTreeMap<&str, Occasions> = BTreeMap::new();
        for entry in in_order(jobs) {
            if self.steps >= STEPS_MAX {
                break;
            }
            let needed = entry.value.get("needs").map(Node::texts).unwrap_or_default();
            let needed: Vec<&Occasions> = needed.iter().filter_map(|name| runs.get(name)).collect();
            let (own, jobs) = self.job(file, root, entry, &needed, call);
            runs.insert(&entry.key, own);
            all.extend(jobs);
        }
        all
    }

    /// A file that a workflow calls, read once.
    fn called(&mut self, file: &str) -> Option<Node> {
        if let Some(read) = self.files.get(file) {
            return read.clone();
        }
        let read = match document(self.tree, file) {
            Ok(root) => root,
            Err((_, why)) => {
                self.found.notes.push(format!("{file}: {why}"));
                None
            }
        };
        self.files.insert(file.to_owned(), read.clone());
        read
    }
}

/// Jobs, each after those that it needs as far as the file lets them be put so.
fn in_order(jobs: &Node) -> Vec<&yaml::Entry> {
    let named = |entry: &yaml::Entry| {
        let needs = entry.value.get("needs").map(Node::texts).unwrap_or_default();
        (entry.key.clone(), needs.into_iter().map(str::to_owned).collect())
    };
    let entries = jobs.entries();
    let all: Vec<(String, Vec<String>)> = entries.iter().map(named).collect();
    gather::in_order(&all).into_iter().map(|at| &entries[at]).collect()
}
