//! `filters`: which branches and tags a job is for.

use std::rc::Rc;

use super::super::{Occasion, Runs};
use super::expression::{evaluate, fits};
use super::scope::{Run, Scope};
use super::texts;
use crate::yaml::Node;

/// Branches for releases, the likeliest first.
const RELEASES: [&str; 5] =
    ["release/1.0", "release-1.0", "releases/1.0", "release/v1.0.0", "release"];

/// Whether the filters of a job let it run.
pub(super) fn runs<'a>(filters: Option<&'a Node>, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Runs {
    if let Some(text) = filters.and_then(Node::text) {
        return match evaluate(text, scope, run).truth() {
            Ok(true) => Runs::Yes,
            Ok(false) => Runs::No,
            Err(why) => {
                Runs::Unsure(format!("`filters: {}`: {why}", crate::finding::cut(text, 80)))
            }
        };
    }
    let part = |key: &str| filters.and_then(|filters| filters.get(key));
    if let Some(branch) = run.branch() {
        return named(part("branches"), &branch).map_or_else(Runs::Unsure, yes);
    }
    // Without a word about tags none is built. Which names a pattern asks for does not matter.
    let Some(tags) = part("tags") else { return Runs::No };
    let ignored =
        tags.get("only").is_none() && named(Some(tags), run.tag().unwrap_or_default()) == Ok(false);
    yes(!ignored)
}

fn yes(holds: bool) -> Runs {
    if holds { Runs::Yes } else { Runs::No }
}

/// Whether a filter of branches lets one through.
pub(super) fn named(filter: Option<&Node>, branch: &str) -> Result<bool, String> {
    let Some(filter) = filter else { return Ok(true) };
    let any = |key: &str| -> Result<Option<bool>, String> {
        let Some(patterns) = filter.get(key) else { return Ok(None) };
        let mut found = false;
        for pattern in patterns.texts() {
            found |= match pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
                Some(pattern) => fits(pattern, branch, true)?,
                None => pattern == branch,
            };
        }
        Ok(Some(found))
    };
    Ok(any("only")?.unwrap_or(true) && !any("ignore")?.unwrap_or(false))
}

/// When a workflow with schedules of its own runs.
pub(super) fn scheduled(triggers: &Node, run: &Run<'_>) -> Runs {
    let has = |item: &Node| item.get("schedule").is_some();
    let any = run.occasion == Occasion::Schedule && triggers.items().iter().any(has);
    yes(any)
}

/// The name that the filters speak of.
pub(super) fn main_branch(root: &Node) -> String {
    let mut all = Vec::new();
    root.get("workflows").into_iter().for_each(|node| texts(node, &mut all));
    let names = super::super::github::MAIN_NAMES;
    let speaks = |name: &&str| {
        all.iter().any(|text| text == name || text.contains(&format!("branch == \"{name}\"")))
    };
    names.into_iter().find(speaks).unwrap_or(names[0]).to_owned()
}

/// The branch for releases that the filters speak of.
pub(super) fn release_branch(root: &Node) -> String {
    let mut all = Vec::new();
    root.get("workflows").into_iter().for_each(|node| texts(node, &mut all));
    let patterns = all.iter().filter_map(|text| text.strip_prefix('/')?.strip_suffix('/'));
    let patterns: Vec<&str> = patterns.filter(|text| text.contains("release")).collect();
    let speaks = |name: &&str| patterns.iter().any(|pattern| fits(pattern, name, true) == Ok(true));
    RELEASES.into_iter().find(speaks).unwrap_or(RELEASES[0]).to_owned()
}
