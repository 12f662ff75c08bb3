//! `lockgate simulate`: what a plan would do, and the same again for the same seed.

use std::path::{Path, PathBuf};

use crate::support::{Ran, run};

fn plan(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans").join(name)
}

fn simulate(name: &str, args: &[&str]) -> Ran {
    let plan = plan(name);
    let mut all = vec!["simulate", plan.to_str().expect("a path in this repository is text")];
    all.extend(args);
    run(&all)
}

#[test]
fn a_seed_fixes_a_release_and_another_seed_is_another() {
    let args = ["--seed", "7", "--runs", "2", "--output", "json"];
    let [first, again] = [(); 2].map(|()| simulate("quick.yaml", &args));
    assert_eq!(first.code, 0, "{}", first.shown());
    assert_eq!(first.stdout, again.stdout);
    let releases = first.json()["releases"].clone();
    assert_ne!(releases[0]["requests"], releases[1]["requests"]);
    assert_eq!(releases[1]["seed"], 8);
}

#[test]
fn what_is_bad_is_found_by_its_rule_and_what_is_good_is_promoted() {
    let json =
        |args: &[&str]| simulate("quick.yaml", &[args, &["--output", "json"]].concat()).json();
    let good = json(&["--runs", "3"]);
    assert_eq!(good["summary"]["ends"]["promoted"], 3, "{good}");
    let failing = json(&["--errors", "20%", "--runs", "3"]);
    assert_eq!(failing["summary"]["ends"]["rolled_back"], 3);
    let slow = json(&["--p95-factor", "2"]);
    assert_eq!(slow["releases"][0]["rule"], "trigger p95_ms");
    let dear = json(&["--cost-factor", "1.6"]);
    assert_eq!(dear["releases"][0]["rule"], "trigger cost_usd");
}

#[test]
fn too_little_traffic_waits_for_a_person() {
    let args = ["--rate", "0.2", "--output", "json"];
    let held = simulate("quick.yaml", &args).json();
    assert_eq!(held["releases"][0]["end"], "paused", "{held}");
    let why = held["releases"][0]["why"].as_str().unwrap();
    assert!(why.contains("requests"), "{why}");
}

#[test]
fn arrivals_follow_a_trace() {
    let trace =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/data/azure-llm-2023-conv-sample.csv");
    let args = ["--runs", "2", "--trace", trace.to_str().unwrap()];
    let ran = simulate("quick.yaml", &args);
    assert!(ran.code == 0 && ran.stdout.contains("promoted"), "{}", ran.shown());
    let text = simulate("quick.yaml", &["--trace", plan("quick.yaml").to_str().unwrap()]);
    assert_eq!(text.code, 2);
    assert!(text.stderr.contains("line 2: the time is not like"), "{}", text.stderr);
}

/// What never ends is not begun.
#[cfg(unix)]
#[test]
fn a_device_is_no_file() {
    let ran = simulate("quick.yaml", &["--trace", "/dev/zero"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("/dev/zero is no file"), "{}", ran.stderr);
    let ran = run(&["check", "/dev/zero"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("/dev/zero is no file"), "{}", ran.stderr);
}

#[test]
fn a_plan_that_is_not_there_is_named_with_those_that_are() {
    let ran = simulate("quick.yaml", &["--plan", "slow"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("quick, standard"), "{}", ran.stderr);
}

#[test]
fn every_fault_at_once_breaks_nothing_and_leaves_its_trace() {
    let args = ["--fault", "all", "--runs", "5", "--output", "json"];
    let ran = simulate("quick.yaml", &args);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let told = ran.json();
    assert_eq!(told["failure"], serde_json::Value::Null);
    assert_eq!(told["faults"].as_array().unwrap().len(), 14);
    let struck = |release: &serde_json::Value| release["faults"].as_object().unwrap().len();
    assert!(told["releases"].as_array().unwrap().iter().any(|release| struck(release) > 5));
    let unknown = simulate("quick.yaml", &["--fault", "flood"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("two-controllers"), "{}", unknown.stderr);
}
