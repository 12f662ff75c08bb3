//! Which files are pipelines of Azure Pipelines. Azure DevOps knows, and no file says: names, directories and what
//! stands in a file are what there is to go by.

use std::collections::BTreeSet;

use super::super::{Pipelines, Unread};
use super::run::Files;
use super::template::included;
use super::triggers::Forge;
use crate::finding::Evidence;
use crate::tree::{Tree, dir, is_aside, join, name};
use crate::yaml::Node;

/// Files whose templates are looked for.
const FILES_MAX: usize = 2_000;

/// Directories that people keep such pipelines in.
const DIRECTORIES: [&str; 8] = [
    ".azure-pipelines",
    "azure-pipelines",
    ".azuredevops",
    ".azure-devops",
    ".azdo",
    ".ado",
    ".vsts",
    ".pipelines",
];

/// Keys of a root that has something to run.
const BODIES: [&str; 4] = ["extends", "stages", "jobs", "steps"];

/// Keys that say when a pipeline starts.
const TRIGGERS: [&str; 3] = ["trigger", "pr", "schedules"];

/// Kinds of parts that only this system has.
const KINDS: [&str; 9] =
    ["stage", "job", "deployment", "template", "script", "task", "bash", "pwsh", "checkout"];

/// A file that is a pipeline, or may be one.
pub(super) struct Candidate<'a> {
    pub(super) file: &'a str,
    pub(super) root: &'a Node,
    /// Its name alone shows that it is one.
    pub(super) is_named: bool,
}

/// The pipelines. Files that look like one and cannot be read are told.
pub(super) fn pipelines<'a>(
    tree: &'a Tree,
    files: &'a Files<'a>,
    found: &mut Pipelines,
) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    // Pipelines of tests are pipelines; those of examples are not.
    let aside = |path: &str| is_aside(&path.replace("tests/", "").replace("test/", ""));
    let paths = files.paths().filter(|path| !aside(path) && !path.starts_with(".github/"));
    for path in paths {
        let is_named = is_named(path);
        let by_place = dir(path).split('/').any(|part| DIRECTORIES.contains(&part));
        if !is_named && !by_place && !may_be(tree.text(path).unwrap_or_default()) {
            continue;
        }
        let Some((file, parsed)) = files.get(path) else { continue };
        match parsed {
            Ok(Some(root)) => {
                let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
                if has(&BODIES) && (is_named || by_place || has(&TRIGGERS) && is_azure(root)) {
                    all.push(Candidate { file, root, is_named });
                } else if is_named && has(&TRIGGERS) {
                    found.notes.push(format!("{file}: no jobs"));
                }
            }
            Ok(None) => found.notes.push(format!("{file}: the file is empty")),
            Err((place, why)) if is_named || by_place => {
                let evidence = Evidence::at(file, tree.text(file).unwrap_or_default(), *place);
                found.unread.push(Unread { evidence, why: format!("the pipeline {why}") });
            }
            Err(_) => {}
        }
    }
    let templates = templates(files, &all);
    all.retain(|one| {
        let starts = TRIGGERS.iter().any(|key| one.root.get(key).is_some());
        // A map of parameters is what only templates have.
        let is_template = one.root.get("parameters").is_some_and(Node::is_map);
        starts || !templates.contains(one.file) && !is_template
    });
    all
}

fn is_named(path: &str) -> bool {
    let name = name(path).to_ascii_lowercase();
    name.trim_start_matches('.').starts_with("azure-pipeline")
}

/// Whether a text may be a pipeline, before it is read.
fn may_be(text: &str) -> bool {
    let starts = |line: &str| TRIGGERS.iter().any(|key| line.starts_with(&format!("{key}:")));
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    text.lines().any(starts)
        && has(&[
            "vmImage",
            "- task:",
            "- script:",
            "- template:",
            "- bash:",
            "- pwsh:",
            "extends:",
        ])
}

fn is_azure(root: &Node) -> bool {
    if root.get("kind").is_some() || root.get("on").is_some() {
        return false;
    }
    let part = |item: &Node| {
        item.entries()
            .iter()
            .any(|entry| KINDS.contains(&entry.key.as_str()) || entry.key.starts_with("${{"))
    };
    let lists = ["stages", "jobs", "steps"];
    root.at(&["extends", "template"]).is_some()
        || lists.iter().filter_map(|key| root.get(key)).any(|list| list.items().iter().any(part))
}

/// The files that others include.
fn templates<'a>(files: &'a Files<'a>, all: &[Candidate<'a>]) -> BTreeSet<&'a str> {
    let mut known = BTreeSet::new();
    let mut waiting: Vec<(&str, &Node)> = all.iter().map(|one| (one.file, one.root)).collect();
    while let Some((file, root)) = waiting.pop() {
        let mut names = Vec::new();
        included(root, &mut names);
        for name in names.iter().filter_map(|name| name.split('@').next()) {
            let near = join(dir(file), name).and_then(|path| files.get(&path));
            let there = near.or_else(|| files.get(&join("", name)?));
            if let Some((path, parsed)) = there
                && known.len() < FILES_MAX
                && known.insert(path)
                && let Ok(Some(root)) = parsed
            {
                waiting.push((path, root));
            }
        }
    }
    known
}

/// The name that the filters of the pipelines speak of.
pub(super) fn main_branch(roots: &[&Node]) -> String {
    let mut named = Vec::new();
    for root in roots {
        for key in ["trigger", "pr"] {
            let Some(filter) = root.get(key) else { continue };
            let branches =
                if filter.is_map() { filter.at(&["branches", "include"]) } else { Some(filter) };
            named.extend(branches.map(Node::texts).unwrap_or_default());
        }
    }
    let usual = super::super::github::MAIN_NAMES;
    let bare = |name: &&str| name.trim_start_matches("refs/heads/").to_owned();
    let named: Vec<String> = named.iter().map(bare).collect();
    let found = usual.into_iter().find(|name| named.iter().any(|one| one == name));
    found.unwrap_or(usual[0]).to_owned()
}

/// Where the repository is kept, as far as its files show.
pub(super) fn forge(tree: &Tree, roots: &[&Node]) -> Forge {
    // What is written for assistants is in `.github` wherever the repository is.
    let for_assistants = ["copilot", "instructions", "prompts", "agents", "skills", "chatmodes"];
    let of_github = |path: &str| !for_assistants.iter().any(|part| path.contains(part));
    let written =
        roots.iter().any(|root| root.get("pr").is_some_and(|pr| pr.text() != Some("none")));
    let runs_there = tree.under(".github/workflows").next().is_some();
    if written || runs_there || tree.has("bitbucket-pipelines.yml") {
        return Forge::Hosted;
    }
    match (tree.under(".azuredevops").next(), tree.under(".github").any(of_github)) {
        (Some(_), _) => Forge::AzureRepos,
        (None, true) => Forge::Hosted,
        (None, false) => Forge::Unknown,
    }
}
