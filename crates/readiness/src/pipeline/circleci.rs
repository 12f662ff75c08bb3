//! `.circleci/config.yml`, read once for each occasion, with the commands, executors and orbs that stand in it.
//! Published orbs are known by their names or not at all, and what a setup workflow generates is unknown.
//!
//! CircleCI builds what is pushed to branches of the repository, and shows that on their pull requests. Whether it
//! builds those from forks too is a setting of the project, and nothing is said of it.

mod condition;
mod expression;
mod filter;
mod job;
mod orb;
mod scope;
mod step;
mod workflow;

use std::cell::Cell;

use self::scope::Run;
use super::gather::Gathered;
use super::source::document;
use super::{Does, Job, Occasion, Occasions, Pipeline, Pipelines, Runs, Step, Unread};
use crate::finding::{Evidence, Place};
use crate::shell::Blocking;
use crate::tree::Tree;
use crate::yaml::Node;

const FILES: [&str; 2] = [".circleci/config.yml", ".circleci/config.yaml"];

/// Most steps, counted with what matrices, commands and occasions repeat.
const STEPS_MAX: usize = 100_000;

/// Reads the pipeline, when there is one. `main` is the name of the main branch, when it is known.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let Some(file) = FILES.into_iter().find(|file| tree.has(file)) else { return };
    let text = tree.text(file).unwrap_or_default();
    let unread = |place: Place, why: &str| Unread {
        evidence: Evidence::at(file, text, place),
        why: format!("the pipeline {why}"),
    };
    let root = match document(tree, file) {
        Ok(Some(root)) => root,
        Ok(None) => return found.notes.push(format!("{file}: the file is empty")),
        Err((place, why)) => return found.unread.push(unread(place, &why)),
    };
    let has_jobs = ["jobs", "workflows"].iter().any(|key| root.get(key).is_some());
    if !has_jobs {
        return found.unread.push(unread(root.place, "has no jobs that are understood"));
    }
    let main = main.map_or_else(|| filter::main_branch(&root), str::to_owned);
    let release = filter::release_branch(&root);
    let left = Cell::new(STEPS_MAX);
    let mut triggers = Occasions::never();
    let mut gathered = Gathered::default();
    for occasion in Occasion::ALL.into_iter().filter(|occasion| exists(*occasion, text)) {
        let run =
            Run { tree, file, root: &root, main: &main, release: &release, occasion, left: &left };
        let (runs, jobs) = workflow::all(&run);
        triggers.set(occasion, runs);
        for job in jobs {
            gathered.add(job);
        }
    }
    if left.get() == 0 {
        let why = format!("has more than {STEPS_MAX} steps with what is repeated");
        found.unread.push(unread(Place::START, &why));
    }
    let mut jobs = gathered.jobs();
    if let Some(setup) = root.entry("setup").filter(|setup| setup.value.truth() == Some(true)) {
        jobs.push(generated(file, setup.key_place, &triggers));
    }
    found.all.push(Pipeline { file: file.to_owned(), triggers, jobs });
}

/// Whether CircleCI has such an occasion. A merge queue pushes branches, which it builds as any other; only where the
/// file speaks of them is there one to be seen.
fn exists(occasion: Occasion, text: &str) -> bool {
    match occasion {
        Occasion::MergeQueue => text.contains("gh-readonly-queue"),
        Occasion::Release | Occasion::Other => false,
        _ => true,
    }
}

/// What a setup workflow makes of the pipeline.
fn generated(file: &str, place: Place, triggers: &Occasions) -> Job {
    let why = "`setup: true`: the rest of the pipeline is generated when it runs".to_owned();
    let runs =
        Occasions::from_fn(
            |occasion| {
                if *triggers.on(occasion) == Runs::No { Runs::No } else { Runs::Yes }
            },
        );
    let step = Step {
        file: file.to_owned(),
        place,
        runs,
        blocking: Blocking::Yes,
        does: Does::Opaque(why),
    };
    Job { steps: vec![step], ..Job::new("setup", file, place) }
}

/// The texts of a node and of all in it.
fn texts<'a>(node: &'a Node, all: &mut Vec<&'a str>) {
    all.extend(node.text());
    node.items().iter().for_each(|item| texts(item, all));
    node.entries().iter().for_each(|entry| texts(&entry.value, all));
}
