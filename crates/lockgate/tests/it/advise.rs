//! `lockgate advise`

use std::fs;

use serde_json::{Value, json};

use crate::support::{run, run_in};

const ANSWERS: &str = "\
purpose: queries
agents: 3
state: none
load: random
budget: by_execution
longest_request_s: 45
";

#[test]
fn answers_of_a_file_and_of_options_give_one_advice() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    fs::write(dir.path().join("answers.yaml"), ANSWERS).expect("written");
    let ran = run_in(dir.path(), &["advise", "--answers", "answers.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("advise", ran.stdout);
    let json = ["advise", "--answers", "answers.yaml", "--output", "json"];
    let told = run_in(dir.path(), &json);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("advise-json", told.stdout);
    assert_eq!(told.stdout, run_in(dir.path(), &json).stdout, "the same bytes");
    let by_options: Vec<String> = ANSWERS
        .lines()
        .map(|line| format!("--{}", line.replace(": ", "=").replace('_', "-")))
        .map(|option| option.replace("by-execution", "by_execution"))
        .collect();
    let args: Vec<&str> = ["advise", "--output", "json"]
        .into_iter()
        .chain(by_options.iter().map(String::as_str))
        .collect();
    assert_eq!(run(&args).stdout, told.stdout);
}

#[test]
fn an_option_goes_before_the_file() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    fs::write(dir.path().join("answers.yaml"), ANSWERS).expect("written");
    let args = ["advise", "--answers", "answers.yaml", "--state", "shared", "--output", "json"];
    let told: Value = serde_json::from_str(&run_in(dir.path(), &args).stdout).expect("JSON");
    assert_eq!(told["answers"]["state"], "shared");
    assert_eq!(told["answers"]["load"], "random");
    assert_eq!(told["next"], json!({ "require": "scenario=microservices" }));
    assert_eq!(told["ranked"][2]["shape"], "serverless");
    assert_eq!(told["ranked"][2]["excluded_by"], json!(["state"]));
}

#[test]
fn the_gate_that_follows_is_one_that_assess_knows() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    for (purpose, shape) in
        [("prototype", "monolith"), ("enterprise", "microservices"), ("queries", "serverless")]
    {
        let ran = run(&["advise", "--purpose", purpose, "--output", "json"]);
        let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let require = told["next"]["require"].as_str().expect("one shape is first");
        assert_eq!(require, format!("scenario={shape}"));
        let gate = run_in(dir.path(), &["assess", "--require", require]);
        assert_eq!(gate.code, 1, "{}", gate.shown());
        assert!(gate.stderr.contains(&format!("the gate of {shape}")), "{}", gate.stderr);
    }
}

#[test]
fn a_tie_asks_for_no_gate() {
    let ran = run(&["advise", "--agents", "1", "--output", "json"]);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["first"], json!(["monolith", "serverless"]));
    assert_eq!(told["next"], json!({ "require": null }));
    let text = run(&["advise", "--agents", "1"]).stdout;
    assert!(text.contains("next: monolith and serverless tied"), "{text}");
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    fs::write(dir.path().join("a.yaml"), "laod: steady\nstate: some\nagents: 0\n")
        .expect("written");
    let ran = run_in(dir.path(), &["advise", "--answers", "a.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    for part in [
        "a.yaml:1:1: error: there is no question `laod`",
        "a.yaml:2:8: error: `some` does not answer `state`",
        "none, internal, shared",
        "a.yaml:3:9: error: `0` does not answer `agents`",
        "a.yaml has 3 errors",
    ] {
        assert!(ran.stderr.contains(part), "{part} is missing:\n{}", ran.stderr);
    }
}

#[test]
fn what_gives_no_answer_is_a_mistake_in_usage() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    fs::write(dir.path().join("large.yaml"), "# ".repeat(40_000)).expect("written");
    for (args, part) in [
        (&["advise"][..], "no terminal"),
        (&["advise", "--answers", "gone.yaml"], "cannot read gone.yaml"),
        (&["advise", "--answers", "large.yaml"], "larger than"),
        (&["advise", "--state", "some"], "possible values: none, internal, shared"),
        (&["advise", "--agents", "0"], "`0` does not answer `agents`"),
        (&["advise", "--longest-request-s", "1m"], "`1m` does not answer"),
    ] {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
}
