//! `lockgate plan check`: whether a plan can be decided, before anybody is released by it.

use std::path::Path;

use crate::support::{Ran, run};

fn check(name: &str, args: &[&str]) -> Ran {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans").join(name);
    let mut all = vec!["plan", "check", plan.to_str().expect("a path here is text")];
    all.extend(args);
    run(&all)
}

#[test]
fn a_plan_with_enough_traffic_is_decidable() {
    let ran = check("quick.yaml", &["--runs", "10", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let json = ran.json();
    assert_eq!(json["verdict"], "decidable", "{json}");
    let first = &json["stages"][0];
    assert_eq!(first["gates"][0]["needed"], 500);
    assert_eq!(first["gates"][0]["expected"], serde_json::json!([900, 2_700]));
    assert_eq!(first["simulated"]["reached"], 10);
    let slow = json["triggers"].as_array().unwrap().iter();
    let mut slow = slow.filter(|trigger| trigger["metric"] == "p95_ms");
    assert!(slow.next().unwrap()["candidate_requests"].as_u64().unwrap() < 3_000, "{json}");
}

#[test]
fn too_little_traffic_is_said_with_numbers_and_exits_with_1() {
    let ran = check("quick.yaml", &["--rate", "0.05", "--runs", "2"]);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.stdout.contains("impossible") && ran.stdout.contains("500"), "{}", ran.stdout);
}

#[test]
fn a_version_beyond_the_bound_is_never_enough() {
    let ran = check("quick.yaml", &["--errors", "2%", "--runs", "0"]);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.stdout.contains("never enough"), "{}", ran.stdout);
    let wrong = check("quick.yaml", &["--plan", "none"]);
    assert_eq!(wrong.code, 2, "{}", wrong.shown());
}
