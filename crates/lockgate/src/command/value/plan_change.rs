//! A suggested bound as a change of `lockgate.yaml`. The changed text is read again, and must say what was there before
//! but for this bound: a patch that nobody could check is not shown.

use std::path::Path;

use lockgate_model::config::document::{Kind, Limits, Node, parse_within};
use lockgate_model::config::{self, Config, Source};
use lockgate_model::plan::{Bound, Metric, Plan};
use lockgate_value::suggest::Change;

use super::edit::{Edit, apply, entry, items, value, word};
use crate::config_file;

const LIMITS: Limits = Limits { bytes: 4 * 1024 * 1024, depth: 32, values: 50_000, when_empty: "" };

/// A file that can be changed.
pub(super) struct File {
    name: String,
    source: Source,
    config: Config,
}

impl File {
    /// `None` when there is none that can be read; `check` says why.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let read = config_file::load(path).ok()?;
        let name = path.display().to_string();
        Some(Self { name, source: read.source, config: read.config })
    }

    /// The patch that makes a change, if it can be made line by line.
    pub(super) fn patch(&self, change: &Change) -> Option<String> {
        let root = parse_within(&self.source.text, LIMITS).root?;
        // Stages may have gates of their own; and one bound can be written in several ways.
        [true, false].into_iter().find_map(|as_told| {
            let edits = edits(&root, &self.source.text, change, as_told)?;
            let edited = apply(&self.name, &self.source.text, edits)?;
            let source = Source { text: edited.text, files: self.source.files.clone() };
            let after = config::read_with(&self.name, &source).ok()?;
            self.is_meant(&after, change).then_some(edited.patch)
        })
    }

    /// Whether all is as before but for the bound.
    fn is_meant(&self, after: &Config, change: &Change) -> bool {
        let others = |config: &Config| {
            let mut config = config.clone();
            config.digest = self.config.digest.clone();
            config.warnings = self.config.warnings.clone();
            config.plans.retain(|plan| plan.name != change.plan);
            config
        };
        let plan = |config: &Config| config.plan(&change.plan).cloned();
        let (Some(before), Some(now)) = (plan(&self.config), plan(after)) else { return false };
        others(&self.config) == others(after) && with(&before, change) == now
    }
}

/// The plan as it is meant to be.
fn with(plan: &Plan, change: &Change) -> Plan {
    let mut plan = plan.clone();
    let is_it = |metric: Metric, bound: Bound, group: &str| {
        let own = change.path.strip_prefix(group).unwrap_or_default();
        let own = own.strip_prefix("measures.").unwrap_or(own);
        let compares = metric == Metric::ErrorRate && bound.is_relative();
        let name = if compares { "errors_vs_baseline" } else { metric.as_str() };
        own == name && bound == change.before
    };
    for trigger in &mut plan.triggers {
        if is_it(trigger.metric, trigger.bound, "triggers.") {
            trigger.bound = change.bound;
        }
    }
    for gate in plan.stages.iter_mut().flat_map(|stage| &mut stage.gates) {
        if is_it(gate.metric, gate.bound, "gates.") {
            *gate = config::rebound(gate, change.bound);
        }
    }
    plan
}

/// `as_told`: only bounds that are written as the server tells them.
fn edits(root: &Node, text: &str, change: &Change, as_told: bool) -> Option<Vec<Edit>> {
    let plans = entry(root, "plans");
    let is_it = |node: &&Node| {
        entry(node, "name").and_then(|name| word(&name.value)) == Some(change.plan.as_str())
    };
    let found = plans.and_then(|plans| items(&plans.value).iter().find(is_it));
    let steps: Vec<&str> = change.path.split('.').collect();
    let new = format!("\"{}\"", change.to);
    if let Some(plan) = found {
        let stages = entry(plan, "stages").map(|stages| items(&stages.value)).unwrap_or_default();
        let mut edits = Vec::new();
        for place in std::iter::once(plan).chain(stages) {
            edits.extend(replaced(place, &steps, text, as_told.then_some(change), &new)?);
        }
        return if edits.is_empty() { Some(vec![added(plan, &steps, &new)?]) } else { Some(edits) };
    }
    let [group, own @ ..] = steps.as_slice() else { return None };
    // The built-in plan, written with one thing that differs. Gates would take the place of all others.
    if *group != "triggers" {
        return None;
    }
    let lines = |indent: &str| {
        let mut lines = vec![format!("{indent}- name: {}", change.plan)];
        lines.push(format!("{indent}  {group}:"));
        lines.extend(nested(&format!("{indent}    "), own, &new));
        lines
    };
    let last = text.lines().count();
    match plans {
        None => {
            let added = [vec!["plans:".to_owned()], lines("  ")].concat();
            Some(vec![Edit { line: last, removed: 0, added }])
        }
        Some(plans) => {
            let first = items(&plans.value).first()?;
            let dash = usize::try_from(first.place.column).ok()?.checked_sub(3)?;
            let line = usize::try_from(plans.key_place.line).ok()?;
            Some(vec![Edit { line, removed: 0, added: lines(&" ".repeat(dash)) }])
        }
    }
}

/// The bound where it is written under `node`, if it is; none written is no edit.
fn replaced(
    node: &Node,
    steps: &[&str],
    text: &str,
    as_told: Option<&Change>,
    new: &str,
) -> Option<Vec<Edit>> {
    let mut at = node;
    for step in steps {
        match entry(at, step) {
            Some(found) => at = &found.value,
            None => return Some(Vec::new()),
        }
    }
    if let Kind::Map(_) = at.kind {
        match entry(at, "bound") {
            Some(bound) => at = &bound.value,
            None => return Some(Vec::new()),
        }
    }
    let plain = |text: &str| text.replace(' ', "");
    let is_it = |change: &Change| word(at).is_some_and(|text| plain(text) == plain(&change.from));
    if as_told.is_some_and(|change| !is_it(change)) {
        return Some(Vec::new());
    }
    Some(vec![value(text, at.place, new)?])
}

/// A trigger that the plan does not write yet.
fn added(plan: &Node, steps: &[&str], new: &str) -> Option<Edit> {
    let [group, own @ ..] = steps else { return None };
    if *group != "triggers" {
        return None;
    }
    let Some(triggers) = entry(plan, group) else {
        let name = entry(plan, "name")?;
        let indent = " ".repeat(usize::try_from(name.key_place.column).ok()? - 1);
        let mut lines = vec![format!("{indent}{group}:")];
        lines.extend(nested(&format!("{indent}  "), own, new));
        return Some(Edit {
            line: usize::try_from(name.key_place.line).ok()?,
            removed: 0,
            added: lines,
        });
    };
    let Kind::Map(entries) = &triggers.value.kind else { return None };
    let (first, key) = (entries.first()?, triggers.key_place);
    // In one line with its key: braces.
    if first.key_place.line == key.line || entry(&triggers.value, own.first()?).is_some() {
        return None;
    }
    let indent = " ".repeat(usize::try_from(first.key_place.column).ok()? - 1);
    let line = usize::try_from(key.line).ok()?;
    Some(Edit { line, removed: 0, added: nested(&indent, own, new) })
}

/// `measures.x` as two lines, `x` as one.
fn nested(indent: &str, own: &[&str], new: &str) -> Vec<String> {
    match own {
        [] => Vec::new(),
        [key] => vec![format!("{indent}{key}: {new}")],
        [key, rest @ ..] => {
            let mut lines = vec![format!("{indent}{key}:")];
            lines.extend(nested(&format!("{indent}  "), rest, new));
            lines
        }
    }
}

/// The change as a part of a file, for where no patch can be made.
pub(super) fn snippet(change: &Change) -> String {
    let steps: Vec<&str> = change.path.split('.').collect();
    let new = format!("\"{}\"", change.to);
    let mut lines = vec!["plans:".to_owned(), format!("  - name: {}", change.plan)];
    lines.extend(nested("    ", &steps, &new));
    lines.join("\n") + "\n"
}

#[cfg(test)]
#[path = "plan_change/tests.rs"]
mod tests;
