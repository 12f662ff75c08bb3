//! `on`: what starts a workflow.

use super::super::{Occasion, Occasions, Paths, Runs, TOO_MUCH, glob_matches, is_prose};
use crate::tree::Tree;
use crate::yaml::Node;

/// When a workflow starts.
pub(super) fn read(root: &Node, tree: &Tree, main: &str) -> Occasions {
    let mut on = Occasions::never();
    let Some(events) = root.get("on") else { return on };
    for event in events.texts() {
        add(&mut on, event, None, tree, main);
    }
    for entry in events.entries() {
        add(&mut on, &entry.key, Some(&entry.value), tree, main);
    }
    on
}

/// The names of the workflows that it follows.
pub(super) fn followed(root: &Node) -> Option<Vec<&str>> {
    root.at(&["on", "workflow_run", "workflows"]).map(Node::texts)
}

fn add(on: &mut Occasions, event: &str, filter: Option<&Node>, tree: &Tree, main: &str) {
    match event {
        "pull_request" => {
            if is_every_change(filter) && names_branch(filter, main) {
                on.set(Occasion::PullRequest, touches_code(filter, tree));
            }
        }
        "push" => push(on, filter, tree, main),
        "merge_group" => on.set(Occasion::MergeQueue, Runs::Yes),
        "release" => on.set(Occasion::Release, Runs::Yes),
        "schedule" => on.set(Occasion::Schedule, Runs::Yes),
        "workflow_dispatch" => on.set(Occasion::Manual, Runs::Yes),
        "workflow_call" | "workflow_run" => {}
        _ => on.set(Occasion::Other, Runs::Yes),
    }
}

fn push(on: &mut Occasions, filter: Option<&Node>, tree: &Tree, main: &str) {
    let has = |key: &str| filter.is_some_and(|filter| filter.get(key).is_some());
    let branches = has("branches") || has("branches-ignore");
    let tags = has("tags") || has("tags-ignore");
    if branches || !tags {
        let relevant = touches_code(filter, tree);
        for (occasion, branch) in [
            (Occasion::Main, main),
            (Occasion::Branch, "topic"),
            (Occasion::ReleaseBranch, "release/1.0"),
        ] {
            if names_branch(filter, branch) {
                on.set(occasion, relevant.clone());
            }
        }
        let patterns =
            filter.and_then(|filter| filter.get("branches")).map(Node::texts).unwrap_or_default();
        if patterns.iter().any(|pattern| pattern.to_lowercase().contains("release")) {
            on.set(Occasion::ReleaseBranch, relevant);
        }
    }
    if tags || !branches {
        on.set(Occasion::Tag, Runs::Yes);
    }
}

/// Whether it runs for what is pushed to a pull request, and not only for labels or for its end.
fn is_every_change(filter: Option<&Node>) -> bool {
    let types = filter.and_then(|filter| filter.get("types")).map(Node::texts);
    types.is_none_or(|types| types.is_empty() || types.contains(&"synchronize"))
}

/// Whether the filter of branches lets a branch through.
fn names_branch(filter: Option<&Node>, branch: &str) -> bool {
    let Some(filter) = filter else { return true };
    if let Some(ignored) = filter.get("branches-ignore") {
        return !ignored.texts().iter().any(|pattern| glob_matches(pattern, branch));
    }
    match filter.get("branches") {
        Some(patterns) => last_says(&patterns.texts(), branch),
        None => true,
    }
}

/// The last pattern that names it decides; `!` takes it out.
fn last_says(patterns: &[&str], text: &str) -> bool {
    patterns.iter().fold(false, |named, pattern| match pattern.strip_prefix('!') {
        Some(pattern) if glob_matches(pattern, text) => false,
        None if glob_matches(pattern, text) => true,
        _ => named,
    })
}

/// Which files a pull request has to change.
pub(super) fn paths(root: &Node) -> Option<Paths> {
    of_paths(root.at(&["on", "pull_request"])?)
}

fn of_paths(filter: &Node) -> Option<Paths> {
    let texts = |key: &str| {
        let list = filter.get(key)?;
        Some(list.texts().into_iter().map(str::to_owned).collect())
    };
    texts("paths-ignore").map(Paths::Ignored).or_else(|| texts("paths").map(Paths::Only))
}

/// Whether the filter of paths lets through a change of any file that is no text for people and no pipeline.
fn touches_code(filter: Option<&Node>, tree: &Tree) -> Runs {
    let Some(paths) = filter.and_then(of_paths) else { return Runs::Yes };
    let is_code = |path: &&str| !path.starts_with(".github/") && !is_prose(path);
    for path in tree.paths().filter(is_code) {
        match paths.let_through(tree, path) {
            Some(true) => return Runs::Yes,
            Some(false) => {}
            None => return Runs::Unsure(TOO_MUCH.into()),
        }
    }
    Runs::No
}
