//! A plan of Terraform or `OpenTofu`: `plan -detailed-exitcode -json`, then `show -json` of the plan file
//! (JSON output format 1.x, <https://developer.hashicorp.com/terraform/internals/json-format>).
//!
//! Noise is what a plan has to do, or to tell, without any resource being other than its template says:
//! - outputs that change while no resource does;
//! - data sources that are read when the plan is applied;
//! - what a refresh found changed outside, where the templates ask for nothing else (`ignore_changes`, computed values);
//! - resources that only move to another address, or are imported as they are;
//! - updates that change no value, such as of what is marked as sensitive.
//!
//! It is counted and listed apart, and alone it is no drift.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::drift::{Difference, Drift, Root, RootKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Ended, Ran, counted, listed, root, unknown};

/// Resources that are looked at in one plan.
const RESOURCES_MAX: usize = 100_000;

/// The part of a plan that is read.
#[derive(Debug, Deserialize)]
struct Plan {
    format_version: String,
    terraform_version: Option<String>,
    #[serde(default)]
    resource_changes: Vec<Resource>,
    #[serde(default)]
    resource_drift: Vec<Resource>,
    #[serde(default)]
    output_changes: BTreeMap<String, Change>,
    prior_state: Option<PriorState>,
    complete: Option<bool>,
    #[serde(default)]
    errored: bool,
}

#[derive(Debug, Deserialize)]
struct PriorState {
    values: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    address: String,
    previous_address: Option<String>,
    mode: Option<String>,
    deposed: Option<String>,
    change: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    actions: Vec<String>,
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    after_unknown: Value,
    importing: Option<Value>,
}

/// What a plan comes to. `show` is what its plan file holds, and is asked for after exit codes 0 and 2 alone.
pub fn judge(path: &str, program: &str, plan: &Ran, show: Option<&Ran>) -> Root {
    let unknown = |why: String| unknown(RootKind::Terraform, path, why);
    let code = match (plan.useless(program), &plan.ended) {
        (Some(why), _) => return unknown(why),
        (None, Ended::Exited(code @ (0 | 2))) => *code,
        (None, _) => return unknown(failed(program, plan)),
    };
    let Some(show) = show else {
        return unknown(format!("{program} made a plan, and it was not read"));
    };
    if let Some(why) = show.useless(program) {
        return unknown(why);
    }
    if show.ended != Ended::Exited(0) {
        return unknown(format!("{program} made a plan and cannot show it"));
    }
    let mut judged = match serde_json::from_str::<Plan>(&show.stdout) {
        Ok(read) => of_plan(path, code, &read),
        Err(error) => return unknown(format!("the plan is not in the form that is read: {error}")),
    };
    judged.program.get_or_insert_with(|| program.to_owned());
    if let Some(version) = judged.program.as_mut().filter(|text| !text.starts_with(program)) {
        *version = format!("{program} {version}");
    }
    judged
}

fn of_plan(path: &str, code: i32, plan: &Plan) -> Root {
    let (changes, noise) = sorted(plan);
    let unknown = |why: &str| unknown(RootKind::Terraform, path, why);
    let mut judged = if !plan.format_version.starts_with("1.") {
        unknown("the plan is of a format that is not read")
    } else if plan.errored {
        unknown("the plan ended with errors, and is not whole")
    } else if plan.complete == Some(false) {
        unknown("the plan is not complete: some of it waits for what is applied first")
    } else if plan.resource_changes.len() > RESOURCES_MAX {
        unknown("the plan has more resources than are looked at")
    } else if plan.prior_state.as_ref().is_none_or(|state| state.values.is_none()) {
        unknown("there is no state: nothing was applied from here, or the state is elsewhere")
    } else if code == 0 && !changes.is_empty() {
        unknown("the exit code says that nothing differs, and the plan says that something does")
    } else if changes.is_empty() {
        let beside = match noise.len() as u64 {
            0 => String::new(),
            n => format!("; {} for nothing", counted(n, "entry counts", "entries count")),
        };
        root(RootKind::Terraform, path, Drift::None, format!("the plan changes nothing{beside}"))
    } else {
        let n = counted(changes.len() as u64, "thing", "things");
        root(RootKind::Terraform, path, Drift::Drifted, format!("the plan changes {n}"))
    };
    (judged.changes_total, judged.changes) = listed(changes);
    (judged.noise_total, judged.noise) = listed(noise);
    let version = plan.terraform_version.as_deref();
    judged.program = version.map(|version| crate::finding::cut(version, 40));
    judged
}

/// What a plan changes, and what only seems so.
fn sorted(plan: &Plan) -> (Vec<Difference>, Vec<Difference>) {
    let (mut changes, mut noise) = (Vec::new(), Vec::new());
    for resource in &plan.resource_changes {
        match of_resource(resource) {
            Some((one, true)) => changes.push(one),
            Some((one, false)) => noise.push(one),
            None => {}
        }
    }
    // Where the plan does something about it, it is told there.
    let is_changed = |resource: &&Resource| matches!(of_resource(resource), Some((_, true)));
    let told: BTreeSet<(&str, bool)> =
        plan.resource_changes.iter().filter(is_changed).map(Resource::id).collect();
    for resource in &plan.resource_drift {
        if !told.contains(&resource.id()) {
            noise.push(Difference {
                what: told_as(resource),
                how: "changed outside, and its template asks for nothing else".into(),
                attributes: differing(&resource.change),
            });
        }
    }
    let outputs = plan.output_changes.iter().filter(|(_, change)| !is_no_op(change));
    noise.extend(outputs.map(|(name, change)| Difference {
        what: format!("output.{name}"),
        how: format!("an output: {}", change.actions.join(", ")),
        attributes: Vec::new(),
    }));
    (changes, noise)
}

impl Resource {
    /// Its address as it is, and whether it is what a replacement left behind.
    fn id(&self) -> (&str, bool) {
        (&self.address, self.deposed.is_some())
    }
}

/// What is to be done to a resource, and whether that is drift.
fn of_resource(resource: &Resource) -> Option<(Difference, bool)> {
    let Resource { change, .. } = resource;
    let attributes = differing(change);
    let noise = |how: &str, attributes| {
        let how = how.to_owned();
        Some((Difference { what: told_as(resource), how, attributes }, false))
    };
    if is_no_op(change) {
        return match &resource.previous_address {
            Some(before) => noise(&format!("only moves, from {}", shown(before)), Vec::new()),
            None if change.importing.is_some() => noise("is imported as it is", Vec::new()),
            None => None,
        };
    }
    let actions: Vec<&str> = change.actions.iter().map(String::as_str).collect();
    match actions.as_slice() {
        ["read"] => return noise("a data source, read when it is applied", Vec::new()),
        _ if resource.mode.as_deref() == Some("data") => {
            return noise("a data source", Vec::new());
        }
        ["update"] if attributes.is_empty() => {
            return noise("an update that changes no value", Vec::new());
        }
        _ => {}
    }
    let how = match actions.as_slice() {
        ["create"] => "create: it is written, and is not there".to_owned(),
        ["delete"] => "delete: it is there, and is not written".to_owned(),
        ["delete", "create"] | ["create", "delete"] => "replace".to_owned(),
        ["forget"] => "forget: it is in the state, and is not written".to_owned(),
        other => other.join(", "),
    };
    // All of what comes or goes differs.
    let attributes = if matches!(actions.as_slice(), ["create" | "delete" | "forget"]) {
        Vec::new()
    } else {
        attributes
    };
    Some((Difference { what: told_as(resource), how, attributes }, true))
}

fn is_no_op(change: &Change) -> bool {
    change.actions.iter().all(|action| action == "no-op")
}

fn told_as(resource: &Resource) -> String {
    let address = shown(&resource.address);
    if resource.deposed.is_some() { format!("{address} (deposed)") } else { address }
}

/// An address without the keys of `for_each`, which are values: `a.b["…"]`. Numbers of `count` stay.
fn shown(address: &str) -> String {
    let mut out = String::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once("[\"") {
        out.push_str(before);
        out.push_str("[\"…\"]");
        rest = after_key(after);
    }
    out + rest
}

/// What follows a key and its bracket; nothing where none closes it.
fn after_key(text: &str) -> &str {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => {
                let after = &text[at + 1..];
                return after.strip_prefix(']').unwrap_or_default();
            }
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    ""
}

/// Names of the attributes that differ or are not known before it is applied.
fn differing(change: &Change) -> Vec<String> {
    let none = Map::new();
    let [before, after, unknown] = [&change.before, &change.after, &change.after_unknown]
        .map(|value| value.as_object().unwrap_or(&none));
    let mut names: Vec<String> = before
        .keys()
        .chain(after.keys())
        .chain(unknown.keys())
        .filter(|name| {
            let [was, is] = [before, after].map(|all| all.get(*name).unwrap_or(&Value::Null));
            was != is || unknown.get(*name).is_some_and(is_unknown)
        })
        .cloned()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether anything in it is not known yet.
fn is_unknown(value: &Value) -> bool {
    match value {
        Value::Bool(unknown) => *unknown,
        Value::Array(all) => all.iter().any(is_unknown),
        Value::Object(all) => all.values().any(is_unknown),
        _ => false,
    }
}

/// One line of `plan -json`.
#[derive(Deserialize)]
struct Line {
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    severity: String,
    summary: String,
    range: Option<Range>,
}

#[derive(Deserialize)]
struct Range {
    filename: String,
    start: Start,
}

#[derive(Deserialize)]
struct Start {
    line: u64,
    column: u64,
}

/// Why there is no plan: the summary of the first error and its place. Its details are left out, as they may quote values.
fn failed(program: &str, plan: &Ran) -> String {
    let code = match plan.ended {
        Ended::Exited(code) => code,
        _ => -1,
    };
    let first = plan.stdout.lines().find_map(|line| {
        let found = serde_json::from_str::<Line>(line).ok()?.diagnostic?;
        (found.severity == "error").then_some(found)
    });
    let Some(Diagnostic { summary, range, .. }) = first else {
        return format!("{program} ended with exit code {code}, and says no reason that is read");
    };
    let place = range.map_or_else(String::new, |range| {
        format!("{}:{}:{}: ", range.filename, range.start.line, range.start.column)
    });
    format!("{program} ended with exit code {code}: {place}{summary}")
}

#[cfg(test)]
mod tests;
