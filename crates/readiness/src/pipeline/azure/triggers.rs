//! `trigger`, `pr`, `schedules` and `resources`: what starts a pipeline of Azure Pipelines.

use super::super::{Occasion, Occasions, Runs, TOO_MUCH, glob_matches, is_prose};
use crate::tree::{Tree, has_end};
use crate::yaml::Node;

/// Where the repository is kept, as far as its files show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forge {
    /// GitHub or Bitbucket, where `pr` counts and is on when it is absent.
    Hosted,
    /// Azure Repos, where branch policies start what looks at pull requests.
    AzureRepos,
    Unknown,
}

/// When a pipeline starts, and what the occasions look like from inside.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) on: Occasions,
    pub(super) batch: bool,
    /// The main branch is reached only by following another pipeline.
    pub(super) main_follows: bool,
    /// The branch for releases that its filters speak of.
    pub(super) release: String,
    /// The branch that schedules run on.
    pub(super) scheduled: String,
}

const POLICY: &str =
    "in Azure Repos a branch policy says whether pull requests are built, and no file shows it";

/// When a pipeline starts. `is_named` says that its name alone shows that it is one.
pub(super) fn read(root: &Node, tree: &Tree, main: &str, forge: Forge, is_named: bool) -> Started {
    let mut started = Started {
        on: Occasions::never(),
        batch: root.at(&["trigger", "batch"]).and_then(Node::truth) == Some(true),
        main_follows: false,
        release: release(root.get("trigger")),
        scheduled: main.to_owned(),
    };
    pushes(&mut started, root.get("trigger"), tree, main);
    started.on.set(Occasion::PullRequest, pull_request(root.get("pr"), tree, main, forge));
    schedules(&mut started, root.get("schedules"), main);
    resources(&mut started, root.get("resources"));
    outside(&mut started.on, root);
    started.on.set(Occasion::Manual, Runs::Yes);
    let is_written =
        ["trigger", "pr", "schedules", "resources"].iter().any(|key| root.get(key).is_some());
    if !is_named && !is_written {
        let why = "no trigger is written; whether it is a pipeline Azure DevOps says, and no file";
        let on = &started.on;
        started.on = Occasions::from_fn(|occasion| on.on(occasion).and(&Runs::Unsure(why.into())));
    }
    started
}

/// What nothing in its file starts may be started by triggers and schedules that are set in Azure DevOps.
fn outside(on: &mut Occasions, root: &Node) {
    let is_none = |key: &str| root.get(key).is_some_and(|node| node.text() == Some("none"));
    let asks = root.get("pr").is_some() && !is_none("pr") || root.get("schedules").is_some();
    if !is_none("trigger") || asks || on.possible().any(|one| *on.on(one) == Runs::Yes) {
        return;
    }
    let why = "nothing in the file starts it, and triggers may be set in Azure DevOps";
    for occasion in [
        Occasion::PullRequest,
        Occasion::Main,
        Occasion::Branch,
        Occasion::ReleaseBranch,
        Occasion::Tag,
        Occasion::Schedule,
    ] {
        if *on.on(occasion) == Runs::No {
            on.set(occasion, Runs::Unsure(why.into()));
        }
    }
}

fn pushes(started: &mut Started, trigger: Option<&Node>, tree: &Tree, main: &str) {
    let Some(trigger) = trigger else {
        for occasion in [Occasion::Main, Occasion::Branch, Occasion::ReleaseBranch] {
            started.on.set(occasion, Runs::Yes);
        }
        return;
    };
    if trigger.text() == Some("none") {
        return;
    }
    let branches = if trigger.is_map() { trigger.get("branches") } else { Some(trigger) };
    let tags = trigger.get("tags");
    let release = started.release.clone();
    let queue = format!("gh-readonly-queue/{main}/pr-1");
    let relevant = touches_code(trigger.get("paths"), tree);
    if relevant != Runs::No {
        for (occasion, branch) in [
            (Occasion::Main, main),
            (Occasion::Branch, "topic"),
            (Occasion::ReleaseBranch, &release),
            (Occasion::MergeQueue, &queue),
        ] {
            // Without a word about branches all count, but not beside tags.
            let named = branches.map_or(tags.is_none(), |filter| names_branch(filter, branch));
            let asked = occasion != Occasion::MergeQueue
                || include(branches).iter().any(|name| name.contains("gh-readonly-queue"));
            if named && asked {
                started.on.set(occasion, relevant.clone());
            }
        }
    }
    let by_branches = include(branches).iter().any(|name| name.starts_with("refs/tags/"));
    if by_branches || tags.is_some_and(|tags| !include(Some(tags)).is_empty()) {
        started.on.set(Occasion::Tag, Runs::Yes);
    }
}

fn pull_request(pr: Option<&Node>, tree: &Tree, main: &str, forge: Forge) -> Runs {
    if forge == Forge::AzureRepos {
        return Runs::Unsure(POLICY.to_owned());
    }
    let Some(pr) = pr else {
        return match forge {
            Forge::Hosted => Runs::Yes,
            _ => Runs::Unsure(format!("`pr` is absent, which GitHub takes for yes; {POLICY}")),
        };
    };
    if pr.text() == Some("none") {
        return Runs::No;
    }
    let branches = if pr.is_map() { pr.get("branches") } else { Some(pr) };
    let named = branches.is_none_or(|filter| names_branch(filter, main));
    if named { touches_code(pr.get("paths"), tree) } else { Runs::No }
}

fn schedules(started: &mut Started, schedules: Option<&Node>, main: &str) {
    for schedule in schedules.map(Node::items).unwrap_or_default() {
        let branches = schedule.get("branches");
        if branches.is_some_and(|filter| !names_branch(filter, main))
            && let Some(first) = include(branches).first()
        {
            started.scheduled = bare(first).replace('*', "1.0");
        }
        let always = schedule.get("always").and_then(Node::truth) == Some(true);
        let runs = if always {
            Runs::Yes
        } else {
            Runs::Unsure(
                "the schedule starts it only when something changed, without `always: true`".into(),
            )
        };
        let runs = runs.min(started.on.on(Occasion::Schedule).clone());
        started.on.set(Occasion::Schedule, runs);
    }
}

/// Other pipelines, repositories and hooks that start it.
fn resources(started: &mut Started, resources: Option<&Node>) {
    let Some(resources) = resources else { return };
    for kind in ["pipelines", "repositories", "containers", "packages", "webhooks"] {
        for resource in resources.get(kind).map(Node::items).unwrap_or_default() {
            let trigger = resource.get("trigger");
            let is_on = trigger.is_some_and(|trigger| {
                trigger.truth() != Some(false) && trigger.text() != Some("none")
            });
            if !is_on && kind != "webhooks" {
                continue;
            }
            started.on.set(Occasion::Other, Runs::Yes);
            let branches = trigger.and_then(|trigger| trigger.get("branches"));
            let takes_main = branches.is_none_or(|filter| names_branch(filter, "main"))
                || branches.is_some_and(|filter| names_branch(filter, "master"));
            if kind == "pipelines" && takes_main && *started.on.on(Occasion::Main) != Runs::Yes {
                let name = resource.get("source").and_then(Node::text).unwrap_or("another one");
                let why = format!("it follows the pipeline `{name}`, whose file is not named");
                started.on.set(Occasion::Main, Runs::Unsure(why));
                started.main_follows = true;
            }
        }
    }
}

/// What a filter lets in by name.
fn include(filter: Option<&Node>) -> Vec<&str> {
    let Some(filter) = filter else { return Vec::new() };
    if filter.is_map() {
        filter.get("include").map(Node::texts).unwrap_or_default()
    } else {
        filter.texts()
    }
}

fn exclude(filter: &Node) -> Vec<&str> {
    filter.get("exclude").map(Node::texts).unwrap_or_default()
}

/// Whether a filter lets a branch in: by a name or pattern, or because nothing is named; and does not take it out.
fn names_branch(filter: &Node, branch: &str) -> bool {
    let named = |patterns: &[&str]| patterns.iter().any(|pattern| fits(bare(pattern), branch));
    let included = include(Some(filter));
    let all = filter.is_map() && filter.get("include").is_none();
    (all || named(&included)) && !named(&exclude(filter))
}

fn bare(pattern: &str) -> &str {
    pattern.strip_prefix("refs/heads/").unwrap_or(pattern)
}

/// A star is any text, also across parts.
fn fits(pattern: &str, text: &str) -> bool {
    glob_matches(&across(pattern), text)
}

fn across(pattern: &str) -> String {
    pattern.replace("**", "*").replace('*', "**")
}

/// Whether an ordinary change of code passes a filter of paths.
fn touches_code(filter: Option<&Node>, tree: &Tree) -> Runs {
    let Some(filter) = filter else { return Runs::Yes };
    let (included, excluded) = (include(Some(filter)), exclude(filter));
    let named = |patterns: &[&str], path: &str| {
        for pattern in patterns {
            if below(pattern, path, tree)? {
                return Some(true);
            }
        }
        Some(false)
    };
    let passes = |path: &str| {
        let is_in = included.is_empty() || named(&included, path)?;
        Some(is_in && !named(&excluded, path)?)
    };
    for path in tree.paths().filter(|path| !is_prose(path) && !has_end(path, "yml")) {
        match passes(path) {
            Some(true) => return Runs::Yes,
            Some(false) => {}
            None => return Runs::Unsure(TOO_MUCH.into()),
        }
    }
    Runs::No
}

/// A pattern of paths names a file, a directory with all below it, or what its stars fit.
fn below(pattern: &str, path: &str, tree: &Tree) -> Option<bool> {
    let pattern = pattern.trim_start_matches('/');
    let dir = pattern.trim_end_matches("**").trim_end_matches('*').trim_end_matches('/');
    if dir.contains('*') {
        return tree.fits(&across(pattern), path);
    }
    tree.compares(1)?;
    let is_below = |rest: &str| dir.is_empty() || rest.is_empty() || rest.starts_with('/');
    Some(path.strip_prefix(dir).is_some_and(is_below))
}

/// The branch for releases, by the pattern that speaks of it.
fn release(trigger: Option<&Node>) -> String {
    let branches =
        trigger.and_then(|node| if node.is_map() { node.get("branches") } else { Some(node) });
    let named = include(branches).into_iter().find(|name| name.to_lowercase().contains("release"));
    named.map_or("release/1.0".to_owned(), |name| bare(name).replace('*', "1.0"))
}
