//! Pipelines of Buildkite, with the files of the repository that they upload. Which builds there are is set in Buildkite
//! and in the forge's webhook: the files show it only where they ask for it.

mod condition;
mod plugin;
mod starts;
mod step;
mod upload;

use std::collections::{BTreeMap, BTreeSet};

use self::condition::Build;
use super::{Does, Job, Occasions, Pipeline, Pipelines, Runs, Step, Unread};
use crate::finding::{Evidence, Place};
use crate::shell::Blocking;
use crate::tree::{Contents, Tree, dir, has_end};
use crate::yaml::{self, Node};

/// What the agent uploads when it is told no file, the first that is there.
const DEFAULTS: [&str; 9] = [
    "buildkite.yml",
    "buildkite.yaml",
    "buildkite.json",
    ".buildkite/pipeline.yml",
    ".buildkite/pipeline.yaml",
    ".buildkite/pipeline.json",
    "buildkite/pipeline.yml",
    "buildkite/pipeline.yaml",
    "buildkite/pipeline.json",
];

/// Most steps of all pipelines together, with what matrices repeat.
const STEPS_MAX: usize = 10_000;

/// Files that upload each other.
const UPLOADS_MAX: usize = 10;

/// Reads the pipeline that the agent uploads by itself, and the others beside it.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let first = DEFAULTS.into_iter().find(|file| tree.has(file));
    let is_pipeline = |path: &str| {
        dir(path) == ".buildkite"
            && (has_end(path, "yml") || has_end(path, "yaml") || has_end(path, "json"))
    };
    let mut files: Vec<String> = first.map(str::to_owned).into_iter().collect();
    // Whoever is uploaded by one before is a part of that one.
    let others = tree.paths().filter(|path| is_pipeline(path) && Some(*path) != first);
    files.extend(others.map(str::to_owned));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut left = STEPS_MAX;
    for file in files {
        if taken.contains(&file) {
            continue;
        }
        let default = Some(file.as_str()) == first;
        let root = match parsed(tree, &file) {
            Ok(Some(root)) => root,
            Ok(None) if !default => continue,
            Ok(None) => {
                let why = "has no steps: those that Buildkite runs are kept in Buildkite";
                found.unread.push(unread(tree, &file, Place::START, why));
                continue;
            }
            Err((place, why)) => {
                found.unread.push(unread(tree, &file, place, &why));
                continue;
            }
        };
        let shown = starts::Shown::of(tree, &file, &root);
        let main = main.unwrap_or_else(|| shown.main());
        let triggers = shown.triggers(&file, default);
        let mut reader = Reader {
            tree,
            main,
            env: BTreeMap::new(),
            gates: BTreeMap::new(),
            jobs: Vec::new(),
            files: Vec::new(),
            left,
            cut: false,
        };
        reader.pipeline(&file, &root, &triggers, &Blocking::Yes);
        left = reader.left;
        if reader.cut {
            let why =
                format!("brings more steps than are read: all pipelines together {STEPS_MAX}");
            found.unread.push(unread(tree, &file, Place::START, &why));
        }
        taken.extend(reader.files);
        found.all.push(Pipeline { file, triggers, jobs: reader.jobs });
    }
}

fn unread(tree: &Tree, file: &str, place: Place, why: &str) -> Unread {
    let text = tree.text(file).unwrap_or_default();
    Unread { evidence: Evidence::at(file, text, place), why: format!("the pipeline {why}") }
}

/// A file that has steps; none for one that is something else, such as a file of compose.
fn parsed(tree: &Tree, file: &str) -> Result<Option<Node>, (Place, String)> {
    match tree.contents(file) {
        Some(Contents::Text(text)) => match yaml::document(text) {
            Ok(Some(root)) => Ok((!steps(&root).is_empty()).then_some(root)),
            Ok(None) => Ok(None),
            Err(unread) => Err((unread.place, unread.why)),
        },
        Some(Contents::Unread(why)) => Err((Place::START, format!("was not read: {why}"))),
        Some(Contents::Binary | Contents::NotWanted) => Err((Place::START, "is no text".into())),
        None => Err((Place::START, "is not in the repository".into())),
    }
}

/// The steps of a pipeline, which may stand there without their key.
fn steps(root: &Node) -> &[Node] {
    root.get("steps").map_or_else(|| root.items(), Node::items)
}

struct Reader<'a> {
    tree: &'a Tree,
    main: &'a str,
    env: BTreeMap<String, String>,
    /// On which occasions nobody has to say yes before what waits for a step goes on, by the step's key.
    gates: BTreeMap<String, Occasions>,
    jobs: Vec<Job>,
    /// Files that are read, each once.
    files: Vec<String>,
    left: usize,
    cut: bool,
}

impl Reader<'_> {
    /// Reads a file that runs on some occasions.
    fn pipeline(&mut self, file: &str, root: &Node, runs: &Occasions, blocking: &Blocking) {
        self.files.push(file.to_owned());
        let before = self.env.clone();
        step::extend(&mut self.env, root.get("env"));
        let mut gate = Occasions::from_fn(|_| Runs::Yes);
        self.list(file, steps(root), runs, blocking, &mut gate);
        self.env = before;
    }

    fn build(&self) -> Build<'_> {
        Build { env: &self.env, main: self.main }
    }

    fn push(&mut self, job: &mut Job, step: Step) {
        if self.left == 0 {
            self.cut = true;
            return;
        }
        // The cells of a matrix repeat most steps as they are.
        if !job.steps.iter().rev().take(64).any(|known| *known == step) {
            self.left -= 1;
            job.steps.push(step);
        }
    }

    fn opaque(
        &mut self,
        file: &str,
        place: Place,
        runs: &Occasions,
        blocking: &Blocking,
        why: String,
    ) {
        let mut job = Job::new(String::new(), file, place);
        let step = Step {
            file: file.to_owned(),
            place,
            runs: runs.clone(),
            blocking: blocking.clone(),
            does: Does::Opaque(why),
        };
        self.push(&mut job, step);
        self.jobs.push(job);
    }
}
