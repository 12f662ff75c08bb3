//! What plans come to.

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
        &format!("module.m[\"{STATE}\"].aws_db.main[\"a\\\"]{STATE}\"]"),
        &["update"],
        json!({"password": STATE, "size": 1, "same": STATE, "tags": {"a": STATE}}),
        json!({"password": "other", "size": 1, "same": STATE, "tags": {}}),
    );
    update["change"]["after_unknown"] = json!({"endpoint": true, "tags": {"b": false}});
    let root = plan(2, json!({"resource_changes": [update]}));
    assert_eq!(root.changes[0].what, "module.m[\"…\"].aws_db.main[\"…\"]");
    assert_eq!(root.changes[0].attributes, ["endpoint", "password", "tags"]);
    assert_eq!(root.program.as_deref(), Some("terraform 1.11.4"));
}

#[test]
fn noise_alone_is_no_drift_and_is_told() {
    let outputs = json!({"name": {"actions": ["create"], "before": null, "after": STATE}});
    let seen = change("a.seen", &["update"], json!({"tags": STATE}), json!({"tags": "x"}));
    let mut moved = change("a.new", &["no-op"], json!({}), json!({}));
    moved["previous_address"] = json!(format!("a.old[\"{STATE}\"]"));
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
    let [x, y] = ["x", "y"].map(|key| {
        change(&format!("a.b[\"{key}\"]"), &["update"], json!({"n": 1}), json!({"n": 2}))
    });
    let root = plan(2, json!({"resource_drift": [x], "resource_changes": [y]}));
    assert_eq!((root.changes_total, root.noise_total), (1, 1), "two instances are two");
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
