//! `rules`, `only` and `except`: when a job of GitLab runs.

use std::collections::BTreeMap;

use super::super::{Occasion, Occasions, Runs, TOO_MUCH};
use super::condition::{condition, matches};
use crate::tree::{Tree, has_end};
use crate::yaml::Node;

/// Whether GitLab has such an occasion at all.
pub(super) fn exists(occasion: Occasion) -> bool {
    !matches!(occasion, Occasion::MergeQueue | Occasion::Release | Occasion::Other)
}

/// Variables whose values the files give.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    given: BTreeMap<String, String>,
    main: String,
}

/// What a variable holds on an occasion.
pub(super) enum Value {
    Text(String),
    Null,
    /// Set outside the files, or not.
    Unknown,
}

impl Variables {
    pub(super) fn of(node: Option<&Node>, main: &str) -> Self {
        Self { given: BTreeMap::new(), main: main.to_owned() }.with(node)
    }

    pub(super) fn main(&self) -> &str {
        &self.main
    }

    /// With those of a job.
    pub(super) fn with(&self, node: Option<&Node>) -> Self {
        let mut all = self.clone();
        for entry in node.map(Node::entries).unwrap_or_default() {
            let value = entry.value.get("value").unwrap_or(&entry.value);
            all.given.insert(entry.key.clone(), value.text().unwrap_or_default().to_owned());
        }
        all
    }

    pub(super) fn known(&self) -> BTreeMap<String, String> {
        self.given
            .iter()
            .filter(|(_, value)| !value.contains('$'))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    pub(super) fn value(&self, name: &str, occasion: Occasion) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let is_request = occasion == Occasion::PullRequest;
        let is_tag = occasion == Occasion::Tag;
        let branch = match occasion {
            Occasion::Branch => "topic",
            Occasion::ReleaseBranch => "release/1.0",
            _ => &self.main,
        };
        match name {
            "CI_PIPELINE_SOURCE" => text(match occasion {
                Occasion::PullRequest => "merge_request_event",
                Occasion::Schedule => "schedule",
                Occasion::Manual => "web",
                _ => "push",
            }),
            "CI_DEFAULT_BRANCH" => text(&self.main),
            "CI_COMMIT_BRANCH" if is_request || is_tag => Value::Null,
            "CI_COMMIT_BRANCH" => text(branch),
            "CI_COMMIT_TAG" if is_tag => text("v1.0.0"),
            "CI_COMMIT_TAG" | "CI_OPEN_MERGE_REQUESTS" | "CI_MERGE_REQUEST_LABELS" => Value::Null,
            "CI_COMMIT_REF_NAME" | "CI_COMMIT_REF_SLUG" => text(if is_tag {
                "v1.0.0"
            } else if is_request {
                "topic"
            } else {
                branch
            }),
            "CI_COMMIT_REF_PROTECTED" => {
                text(if occasion == Occasion::Branch || is_request { "false" } else { "true" })
            }
            "CI_COMMIT_MESSAGE" | "CI_COMMIT_TITLE" | "CI_MERGE_REQUEST_TITLE" => {
                text("Change something")
            }
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME" if is_request => text(&self.main),
            "CI" | "GITLAB_CI" => text("true"),
            _ if name.starts_with("CI_MERGE_REQUEST_") => {
                if is_request {
                    text("1")
                } else {
                    Value::Null
                }
            }
            _ => match self.given.get(name) {
                Some(value) if !value.contains('$') => text(value),
                _ => Value::Unknown,
            },
        }
    }
}

/// When a job runs.
#[derive(Debug, Clone)]
pub(super) struct When {
    pub(super) runs: Occasions,
    /// It waits for a person, and what is behind it waits too.
    pub(super) waits: Occasions,
    /// The rule that lets it run on changes lets it fail.
    pub(super) is_soft: bool,
}

impl When {
    /// Without rules: by `when` of the job itself, on these occasions.
    pub(super) fn plain(on: &Occasions, when: Option<&str>, holds_up: bool) -> Self {
        let never = Occasions::never();
        let is_run = is_run(when);
        let waits = if when == Some("manual") && holds_up { on.clone() } else { never.clone() };
        Self { runs: if is_run { on.clone() } else { never }, waits, is_soft: false }
    }
}

/// Whether a job with this `when` runs when all before it passed.
fn is_run(when: Option<&str>) -> bool {
    !matches!(when, Some("never" | "manual" | "on_failure"))
}

/// When a pipeline runs, by the rules of `workflow`.
pub(super) fn of_workflow(rules: &Node, variables: &Variables, tree: &Tree) -> Occasions {
    let first = |occasion| first(rules, variables, tree, occasion);
    Occasions::from_fn(|occasion| match first(occasion) {
        First::Rule(rule) if when_of(rule) == Some("never") => Runs::No,
        First::Unsure(why, rule) if rule.and_then(when_of) == Some("never") => Runs::Unsure(why),
        First::Rule(_) | First::Unsure(_, Some(_)) => Runs::Yes,
        First::Unsure(why, None) => Runs::Unsure(why),
        First::None => Runs::No,
    })
}

/// When the first rule that holds lets a job run. `own` is the job's own `when`, for rules without one.
pub(super) fn when(rules: &Node, own: Option<&str>, variables: &Variables, tree: &Tree) -> When {
    let mut all = When { runs: Occasions::never(), waits: Occasions::never(), is_soft: false };
    for occasion in Occasion::ALL {
        let (rule, unsure) = match first(rules, variables, tree, occasion) {
            First::Rule(rule) => (rule, None),
            First::Unsure(why, Some(rule)) => (rule, Some(why)),
            First::Unsure(why, None) => {
                all.runs.set(occasion, Runs::Unsure(why));
                continue;
            }
            First::None => continue,
        };
        let is_soft = rule.get("allow_failure").and_then(Node::truth) == Some(true);
        let when = when_of(rule).or(own);
        if is_run(when) {
            // Whatever an earlier rule says, it runs.
            all.runs.set(occasion, Runs::Yes);
            all.is_soft |= is_soft && matches!(occasion, Occasion::PullRequest | Occasion::Branch);
        } else if let Some(why) = unsure {
            all.runs.set(occasion, Runs::Unsure(why));
        } else if when == Some("manual") && !is_soft {
            all.waits.set(occasion, Runs::Yes);
        }
    }
    all
}

/// Which rule decides.
enum First<'a> {
    Rule(&'a Node),
    /// One that nobody can answer is before it.
    Unsure(String, Option<&'a Node>),
    None,
}

fn when_of(rule: &Node) -> Option<&str> {
    rule.get("when").and_then(Node::text)
}

fn first<'a>(rules: &'a Node, variables: &Variables, tree: &Tree, occasion: Occasion) -> First<'a> {
    if !exists(occasion) {
        return First::None;
    }
    let mut unsure = None;
    for rule in rules.items() {
        let condition_text = rule.get("if").and_then(Node::text);
        let holds = condition_text.map_or(Some(true), |text| condition(text, variables, occasion));
        if holds == Some(false) {
            continue;
        }
        let is_touched = touched(rule, tree);
        if is_touched == Some(false) {
            continue;
        }
        if holds == Some(true) && is_touched == Some(true) {
            return match unsure {
                Some(why) => First::Unsure(why, Some(rule)),
                None => First::Rule(rule),
            };
        }
        if is_touched.is_none() {
            unsure = Some(TOO_MUCH.to_owned());
            continue;
        }
        // What nobody can answer decides nothing where it would let nothing run.
        unsure = Some(format!(
            "`if: {}` asks for a variable outside the files",
            crate::finding::excerpt(condition_text.unwrap_or_default())
        ));
    }
    unsure.map_or(First::None, |why| First::Unsure(why, None))
}

/// Whether an ordinary change touches what a rule asks for; `None` when too much was compared before.
fn touched(rule: &Node, tree: &Tree) -> Option<bool> {
    let patterns = |key: &str| {
        let node = rule.get(key)?;
        Some(node.get("paths").unwrap_or(node).texts())
    };
    let is_code = |path: &str| !has_end(path, "md") && !path.starts_with("docs/");
    let asked = |key: &str, of: &dyn Fn(&str) -> bool| {
        patterns(key).map_or(Some(true), |patterns| tree.has_fitting(&patterns, of))
    };
    match (asked("changes", &is_code), asked("exists", &|_| true)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// `only` and `except`, as they are without a word: branches and tags, and no merge requests.
pub(super) fn only(only: Option<&Node>, except: Option<&Node>, main: &str) -> Occasions {
    let (only, except) = (references(only), references(except));
    Occasions::from_fn(|occasion| {
        let named = |refs: &[&str]| refs.iter().any(|name| names(name, occasion, main));
        let inside = only.as_deref().map_or_else(
            || occasion != Occasion::PullRequest,
            |refs| refs.is_empty() || named(refs),
        );
        let outside = except.as_deref().is_some_and(named);
        if exists(occasion) && inside && !outside { Runs::Yes } else { Runs::No }
    })
}

fn references(node: Option<&Node>) -> Option<Vec<&str>> {
    node.map(|node| node.get("refs").unwrap_or(node).texts())
}

fn names(name: &str, occasion: Occasion, main: &str) -> bool {
    let branch = match occasion {
        Occasion::Branch => "topic",
        Occasion::ReleaseBranch => "release/1.0",
        Occasion::Main | Occasion::Schedule | Occasion::Manual => main,
        Occasion::Tag => "v1.0.0",
        _ => "",
    };
    match name {
        "merge_requests" => occasion == Occasion::PullRequest,
        "branches" => !matches!(occasion, Occasion::Tag | Occasion::PullRequest),
        "tags" => occasion == Occasion::Tag,
        "schedules" => occasion == Occasion::Schedule,
        "web" => occasion == Occasion::Manual,
        "pushes" => matches!(
            occasion,
            Occasion::Main | Occasion::Branch | Occasion::ReleaseBranch | Occasion::Tag
        ),
        _ if name.starts_with('/') => matches(name, branch).unwrap_or(false) && !branch.is_empty(),
        _ => name == branch,
    }
}
