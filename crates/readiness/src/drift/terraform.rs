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

use std::collections::BTreeMap;

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
    for resource in &plan.resource_drift {
        // Where the plan does something about it, it is told there.
        let told = |one: &Difference| one.what == told_as(resource);
        if !changes.iter().any(told) {
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
            Some(before) => noise(&format!("only moves, from {before}"), Vec::new()),
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
    match &resource.deposed {
        Some(_) => format!("{} (deposed)", resource.address),
        None => resource.address.clone(),
    }
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
mod tests {
    use serde_json::json;

    use super::*;

    const STATE: &str = "hunter2-example";

    fn ran(code: i32, stdout: &str) -> Ran {
        let stdout = stdout.to_owned();
        Ran { ended: Ended::Exited(code), stdout, stderr: String::new(), cut: false }
    }

    fn plan(code: i32, more: Value) -> Root {
        let mut whole = json!({
            "format_version": "1.2", "terraform_version": "1.11.4", "complete": true, "errored": false,
            "prior_state": {"values": {"root_module": {}}},
        });
        let Value::Object(more) = more else { panic!("fields of a plan") };
        whole.as_object_mut().unwrap().extend(more);
        let root = judge("infra", "terraform", &ran(code, ""), Some(&ran(0, &whole.to_string())));
        assert!(!serde_json::to_string(&root).unwrap().contains(STATE), "a value is shown");
        root
    }

    fn change(address: &str, actions: &[&str], before: Value, after: Value) -> Value {
        let mut change = json!({"actions": actions, "after_unknown": {}});
        change["before"] = before;
        change["after"] = after;
        json!({"address": address, "mode": "managed", "change": change})
    }

    #[test]
    fn exit_codes_are_told_apart() {
        let update = change("a.b", &["update"], json!({"n": 1}), json!({"n": 2}));
        let same = change("a.b", &["no-op"], json!({"n": 1}), json!({"n": 1}));
        assert_eq!(plan(0, json!({"resource_changes": [same]})).outcome, Drift::None);
        assert_eq!(plan(2, json!({"resource_changes": [update]})).outcome, Drift::Drifted);
        assert_eq!(plan(0, json!({"resource_changes": [update]})).outcome, Drift::Unknown);
        for code in [1, 3, 127] {
            let root = plan(code, json!({"resource_changes": [same]}));
            assert_eq!(root.outcome, Drift::Unknown, "{code}");
        }
    }

    #[test]
    fn what_changes_is_named_without_its_values() {
        let mut update = change(
            "aws_db.main[\"eu\"]",
            &["update"],
            json!({"password": STATE, "size": 1, "same": STATE, "tags": {"a": STATE}}),
            json!({"password": "other", "size": 1, "same": STATE, "tags": {}}),
        );
        update["change"]["after_unknown"] = json!({"endpoint": true, "tags": {"b": false}});
        let root = plan(2, json!({"resource_changes": [update]}));
        assert_eq!(root.changes[0].what, "aws_db.main[\"eu\"]");
        assert_eq!(root.changes[0].attributes, ["endpoint", "password", "tags"]);
        assert_eq!(root.program.as_deref(), Some("terraform 1.11.4"));
    }

    #[test]
    fn noise_alone_is_no_drift_and_is_told() {
        let outputs = json!({"name": {"actions": ["create"], "before": null, "after": STATE}});
        let seen = change("a.seen", &["update"], json!({"tags": STATE}), json!({"tags": "x"}));
        let mut moved = change("a.new", &["no-op"], json!({}), json!({}));
        moved["previous_address"] = json!("a.old");
        let mut imported = change("a.there", &["no-op"], json!({}), json!({}));
        imported["change"]["importing"] = json!({"id": "i-1"});
        let mut read = change("data.a.b", &["read"], Value::Null, json!({"id": STATE}));
        read["mode"] = json!("data");
        let marked = change("a.marked", &["update"], json!({"n": STATE}), json!({"n": STATE}));
        let root = plan(
            2,
            json!({"output_changes": outputs, "resource_drift": [seen],
                "resource_changes": [moved, imported, read, marked]}),
        );
        assert_eq!((root.outcome, root.changes_total, root.noise_total), (Drift::None, 0, 6));
        let told: Vec<&str> = root.noise.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(told, ["a.new", "a.there", "data.a.b", "a.marked", "a.seen", "output.name"]);
    }

    #[test]
    fn what_changed_outside_and_is_put_back_is_drift_once() {
        let seen = change("a.b", &["update"], json!({"n": 1}), json!({"n": 2}));
        let back = change("a.b", &["update"], json!({"n": 2}), json!({"n": 1}));
        let root = plan(2, json!({"resource_drift": [seen], "resource_changes": [back]}));
        assert_eq!((root.outcome, root.changes_total, root.noise_total), (Drift::Drifted, 1, 0));
    }

    #[test]
    fn all_that_comes_or_goes_is_drift() {
        let before = json!({"n": 1});
        for (actions, how) in [
            (vec!["create"], "create: it is written, and is not there"),
            (vec!["delete"], "delete: it is there, and is not written"),
            (vec!["delete", "create"], "replace"),
            (vec!["create", "delete"], "replace"),
            (vec!["forget"], "forget: it is in the state, and is not written"),
            (vec!["something-new"], "something-new"),
        ] {
            let one = change("a.b", &actions, before.clone(), json!({"n": 2}));
            let root = plan(2, json!({"resource_changes": [one]}));
            assert_eq!((root.outcome, root.changes_total), (Drift::Drifted, 1), "{actions:?}");
            assert_eq!(root.changes[0].how, how);
        }
    }

    #[test]
    fn what_is_not_whole_is_unknown() {
        let update = change("a.b", &["update"], json!({"n": 1}), json!({"n": 2}));
        for (code, more, why) in [
            (0, json!({"prior_state": null}), "no state"),
            (2, json!({"prior_state": null, "resource_changes": [update]}), "no state"),
            (0, json!({"prior_state": {}}), "no state"),
            (0, json!({"errored": true}), "errors"),
            (0, json!({"complete": false}), "not complete"),
            (0, json!({"format_version": "2.0"}), "format"),
            (0, json!({"resource_changes": "none"}), "form that is read"),
        ] {
            let root = plan(code, more.clone());
            assert_eq!(root.outcome, Drift::Unknown, "{more}");
            assert!(root.reason.contains(why), "{more}: {}", root.reason);
        }
        let broken = [
            (ran(0, ""), None),
            (ran(0, ""), Some(ran(1, ""))),
            (ran(0, ""), Some(ran(0, ""))),
            (ran(2, ""), Some(Ran { cut: true, ..ran(0, "{}") })),
            (Ran { ended: Ended::TimedOut(60), ..ran(0, "") }, Some(ran(0, "{}"))),
            (Ran { ended: Ended::Killed, ..ran(0, "") }, None),
            (Ran::not_started("no such program"), None),
        ];
        for (plan, show) in &broken {
            let root = judge("infra", "terraform", plan, show.as_ref());
            assert_eq!(root.outcome, Drift::Unknown, "{plan:?} {show:?}");
        }
    }

    #[test]
    fn an_error_is_told_by_its_summary_and_place_alone() {
        let lines = format!(
            "not JSON\n{}\n{}\n",
            json!({"@level": "info", "type": "version"}),
            json!({"@level": "error", "type": "diagnostic", "diagnostic": {
                "severity": "error", "summary": "Invalid value", "detail": STATE,
                "range": {"filename": "main.tf", "start": {"line": 3, "column": 7}},
                "snippet": {"code": STATE}}}),
        );
        let root = judge("infra", "tofu", &ran(1, &lines), None);
        assert_eq!(root.reason, "tofu ended with exit code 1: main.tf:3:7: Invalid value");
    }

    #[test]
    fn a_great_many_differences_are_counted_and_the_first_are_listed() {
        let all: Vec<Value> = (0..1_000)
            .map(|n| change(&format!("a.b[{n}]"), &["create"], Value::Null, json!({})))
            .collect();
        let root = plan(2, json!({"resource_changes": all}));
        assert_eq!((root.changes_total, root.changes.len()), (1_000, 50));
    }
}
