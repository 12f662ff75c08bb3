//! `lockgate policy`: policies checked, tested and asked from the outside.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Ran, run, run_in};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies/support")
}

/// A directory with a copy of the example in `policies`, some of it replaced.
fn copy(replaced: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let policies = dir.path().join("policies");
    fs::create_dir(&policies).expect("the directory takes files");
    for entry in fs::read_dir(example()).expect("the example is there") {
        let path = entry.expect("the example can be read").path();
        fs::copy(&path, policies.join(path.file_name().expect("it has a name")))
            .expect("the directory takes files");
    }
    for (name, text) in replaced {
        fs::write(policies.join(name), text).expect("the directory takes files");
    }
    dir
}

fn ask(dir: &Path, command: &[&str], request: &serde_json::Value) -> Ran {
    fs::write(dir.join("request.json"), request.to_string()).expect("the directory takes files");
    run_in(dir, &[command, &["--request", "request.json"]].concat())
}

fn refund(arguments: &serde_json::Value, labels: &[&str]) -> serde_json::Value {
    json!({
        "agent": "support", "tool": "orders", "action": "refund", "arguments": arguments,
        "session": {"done": ["orders/look_up"], "labels": labels}, "delegation": {"depth": 0},
    })
}

#[test]
fn the_example_is_valid_and_its_tests_cover_every_rule() {
    let dir = copy(&[]);
    let checked = run_in(dir.path(), &["policy", "check", "policies"]);
    assert_eq!(checked.code, 0, "{}", checked.shown());
    insta::assert_snapshot!("policy-check", checked.shown());
    let tested = run_in(dir.path(), &["policy", "test", "policies", "--require-coverage"]);
    assert_eq!(tested.code, 0, "{}", tested.shown());
    insta::assert_snapshot!("policy-test", tested.shown());
    let json = run_in(dir.path(), &["policy", "test", "policies", "--output", "json"]).json();
    assert_eq!((&json["failed"], &json["untested"]), (&json!(0), &json!([])));
}

#[test]
fn decisions_end_with_their_codes() {
    let dir = copy(&[]);
    let decide =
        |request| ask(dir.path(), &["policy", "decide", "--policies", "policies"], &request);
    let late = json!({"number": "10023344", "reason": "late"});
    let allowed = decide(refund(&late, &["user"]));
    assert_eq!(allowed.code, 0, "{}", allowed.shown());
    assert_eq!(allowed.json()["rules"], json!(["refund"]));
    let denied = decide(refund(&late, &["web"]));
    assert_eq!(denied.code, 1, "{}", denied.shown());
    let json = denied.json();
    assert_eq!((&json["risk"], &json["security_event"]), (&json!("ASI01"), &json!(true)));
    assert_eq!(json["facts"]["reason.value"], "late");
    let asks = decide(refund(&json!({"number": "10023344"}), &["user"]));
    assert_eq!((asks.code, &asks.json()["verdict"]), (4, &json!("ask")));
    let mut unknown = refund(&late, &["user"]);
    unknown["tool"] = json!("shell");
    let undeclared = decide(unknown);
    assert_eq!(undeclared.code, 1);
    assert_eq!(undeclared.json()["reason"]["kind"], "undeclared_tool");
}

#[test]
fn a_request_that_says_a_thing_twice_is_refused() {
    let dir = copy(&[]);
    let text = r#"{"agent": "support", "tool": "orders", "action": "look_up", "arguments": {"number": "10023344", "number": "1"}}"#;
    fs::write(dir.path().join("r.json"), text).expect("the directory takes files");
    let args = ["policy", "decide", "--policies", "policies", "--request", "r.json"];
    let ran = run_in(dir.path(), &args);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
    assert!(ran.stderr.contains("the key `number` is there twice"), "{}", ran.stderr);
    fs::write(dir.path().join("r.json"), r#"{"agent": "a", "tol": "b"}"#).expect("a file");
    let ran = run_in(dir.path(), &args);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("unknown field `tol`"), "{}", ran.stderr);
}

#[test]
fn an_explanation_shows_clauses_facts_and_cedar() {
    let dir = copy(&[]);
    let request = refund(&json!({"number": "10023344", "reason": 7}), &["user"]);
    let told = ask(dir.path(), &["policy", "explain", "policies"], &request);
    assert_eq!(told.code, 0, "{}", told.shown());
    insta::assert_snapshot!("policy-explain", told.shown());
    let json = ask(dir.path(), &["policy", "explain", "policies", "--output", "json"], &request);
    let rules = json.json()["rules"].clone();
    assert_eq!((&rules[0]["id"], &rules[0]["matched"]), (&json!("refund"), &json!(true)));
}

#[test]
fn a_test_that_fails_shows_what_the_rules_saw() {
    let tests = "tests:\n  - name: all may look\n    request: {agent: support, tool: orders, action: look_up, arguments: {number: \"1\"}}\n    expect: allow\n    rules: [look-up]\n";
    let dir = copy(&[("tests.yaml", tests)]);
    let ran = run_in(dir.path(), &["policy", "test", "policies"]);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    insta::assert_snapshot!("policy-test-failed", ran.shown());
    let dir = copy(&[("tests.yaml", "tests: []\n")]);
    let none = run_in(dir.path(), &["policy", "test", "policies"]);
    assert_eq!(none.code, 1, "no test is no pass: {}", none.shown());
    let one = "tests:\n  - name: a\n    request: {agent: a, tool: shell, action: run}\n    expect: deny\n";
    let dir = copy(&[("tests.yaml", one)]);
    assert_eq!(run_in(dir.path(), &["policy", "test", "policies"]).code, 0);
    let covered = run_in(dir.path(), &["policy", "test", "policies", "--require-coverage"]);
    assert_eq!(covered.code, 1, "{}", covered.shown());
    assert!(covered.stderr.contains("8 of 8 rules decide no test"), "{}", covered.stderr);
}

#[test]
fn mistakes_in_policies_are_named_with_their_places() {
    let rules = "rules:\n  - {id: a, tool: order, action: look_up, effect: alow}\n  - {id: b, tool: orders, action: look_up, when: {number.bytes: {is: six}}, effect: deny}\n";
    let cedar = "@id(\"c\")\npermit (principal, action == Action::\"orders/look_up\", resource)\nwhen { context.arguments.nummer.bytes > 1 };\n";
    let dir = copy(&[("rules.yaml", rules), ("more.cedar", cedar)]);
    let first = run_in(dir.path(), &["policy", "check", "policies"]);
    assert_eq!((first.code, first.stdout.as_str()), (2, ""), "{}", first.shown());
    insta::assert_snapshot!("policy-check-errors", first.shown());
    let json = run_in(dir.path(), &["policy", "check", "policies", "--output", "json"]);
    assert_eq!((json.code, &json.json()["valid"]), (2, &json!(false)));
    let dir = copy(&[("more.cedar", cedar), ("tests.yaml", "tests: []\n")]);
    let native = run_in(dir.path(), &["policy", "check", "policies"]);
    assert_eq!(native.code, 2);
    assert!(native.stderr.contains("policies/more.cedar:3:8: error: "), "{}", native.stderr);
    for command in [vec!["decide", "--policies", "policies"], vec!["explain", "policies"]] {
        let ran = ask(dir.path(), &[&["policy"], command.as_slice()].concat(), &json!({}));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
    }
}

#[test]
fn a_file_that_looks_like_a_policy_is_not_passed_over() {
    let dir = copy(&[("deny.yml", "rules: []\n")]);
    let ran = run_in(dir.path(), &["policy", "check", "policies"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("policies/deny.yml is not read"), "{}", ran.stderr);
    let empty = tempfile::tempdir().expect("a directory for the test");
    let ran = run(&["policy", "check", empty.path().to_str().expect("a path that is text")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("has no policy files"), "{}", ran.stderr);
}

#[test]
fn a_directory_that_is_not_there_is_told_with_a_hint() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let ran = run_in(dir.path(), &["policy", "check", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("hint: name the directory"), "{}", ran.stderr);
}

#[test]
fn imported_policies_pass_the_check_and_differences_are_told() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let theirs = "apiVersion: governance.toolkit/v1\nname: p\nagents: [\"*\"]\ndefault_action: deny\nrules:\n  - name: read\n    condition: \"tool_name in ['search', 'fetch']\"\n    action: allow\n  - name: no-secrets\n    condition: \"tool_name == 'fetch' and (args.url contains 'secret' or not args.public)\"\n    action: deny\n  - name: mail\n    condition: \"tool_name == 'send_mail'\"\n    action: require_approval\n    approvers: [a@example.com]\n";
    fs::write(dir.path().join("theirs.yaml"), theirs).expect("the directory takes files");
    fs::create_dir(dir.path().join("ours")).expect("the directory takes files");
    let args = ["policy", "import", "theirs.yaml", "--tool", "web", "--out", "ours/imported.yaml"];
    let ran = run_in(dir.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let yaml = fs::read_to_string(dir.path().join("ours/imported.yaml")).expect("it was written");
    insta::assert_snapshot!("policy-import", format!("{yaml}{}", ran.stderr));
    assert_eq!(run_in(dir.path(), &["policy", "check", "ours"]).code, 0);
    assert_eq!(run_in(dir.path(), &args).code, 2, "a file that is there is not written over");
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let theirs = "apiVersion: governance.toolkit/v1\nname: p\nagents: [\"*\"]\ndefault_action: allow\nextends: [base.yaml]\nrules:\n  - name: a\n    condition: \"acton.type == 'drop'\"\n  - name: b\n    stage: post_tool\n    condition: \"user.role == 'admin'\"\n";
    fs::write(dir.path().join("theirs.yaml"), theirs).expect("the directory takes files");
    let ran = run_in(dir.path(), &["policy", "import", "theirs.yaml", "--tool", "db"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
    insta::assert_snapshot!("policy-import-errors", ran.shown());
}
