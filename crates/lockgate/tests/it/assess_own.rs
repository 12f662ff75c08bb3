//! Where this repository stands by its own measure, and that what its pipelines and templates say of it is so.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::run_in;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What follows the first `mark`, up to one of these.
fn after<'a>(text: &'a str, mark: &str, ends: &[char]) -> &'a str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split(ends).next().unwrap_or_default()
}

/// docs/readiness.md says the same in words.
#[test]
fn it_passes_what_files_can_show_and_what_they_cannot_is_unknown() {
    let ran = run_in(&root(), &["assess", ".", "--output", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let mut open = Vec::new();
    let dimensions = told["dimensions"].as_object().expect("six of them");
    for check in dimensions.values().flat_map(|one| one["checks"].as_array().expect("a list")) {
        if check["outcome"] != "pass" && check["outcome"] != "not_applicable" {
            open.push(format!("{} {}", check["id"], check["outcome"]));
        }
    }
    let unknown = [r#""infrastructure.drift" "unknown""#, r#""observability.owners" "unknown""#];
    assert_eq!(open, unknown, "{:#}", told["dimensions"]);
    let gates = &told["scenario_gates"];
    assert_eq!(
        (&gates["monolith"]["pass"], &gates["serverless"]["pass"]),
        (&true.into(), &true.into())
    );
    let microservices = &gates["microservices"];
    assert_eq!(microservices["pass"], false, "{microservices}");
    assert_eq!(microservices["pass_with_attestations"], false, "nobody said what nobody knows");
    assert_eq!(microservices["short"].as_array().map(Vec::len), Some(1), "{microservices}");
    assert_eq!(microservices["short"][0]["dimension"], "infrastructure");
    assert_eq!(microservices["always"].as_array().map(Vec::len), Some(0), "{microservices}");
    assert_eq!(told["notes"], Value::Array(Vec::new()), "everything was read");
}

#[test]
fn every_target_of_fuzzing_is_run() {
    let workflow = read(".github/workflows/fuzz.yml");
    let listed = after(&workflow, "        target:\n", &[':']);
    let listed = listed.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let listed: Vec<String> = listed.map(str::to_owned).collect();
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).expect("it is there");
    let names = files.map(|file| file.expect("readable").file_name().into_string().expect("UTF-8"));
    let mut there: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).collect();
    there.sort_unstable();
    assert_eq!(listed, there);
}

#[test]
fn what_the_ruleset_requires_are_jobs_of_its_workflows() {
    let ruleset: Value = serde_json::from_str(&read(".github/rulesets/main.json")).expect("JSON");
    let rules = ruleset["rules"].as_array().expect("a list");
    let checks = rules.iter().find(|rule| rule["type"] == "required_status_checks");
    let checks = checks.map(|rule| &rule["parameters"]["required_status_checks"]);
    let checks = checks.and_then(Value::as_array).expect("checks are required");
    assert!(!checks.is_empty());
    for check in checks {
        let context = check["context"].as_str().expect("a name");
        let workflow = read(&format!(".github/workflows/{context}.yml"));
        let job = workflow.split_once(&format!("\n  {context}:\n    name: {context}\n"));
        let (before, job) = job.unwrap_or_else(|| panic!("no job {context}"));
        let (_, jobs) = before.split_once("\njobs:\n").expect("jobs");
        let names = jobs.lines().filter(|line| line.starts_with("  ") && line.ends_with(':'));
        let names =
            names.filter(|line| !line.starts_with("   ")).map(|line| line.trim_matches([' ', ':']));
        let names: Vec<&str> = names.collect();
        assert_eq!(
            after(job, "needs: [", &[']']),
            names.join(", "),
            "{context} waits for all others"
        );
        assert_eq!(after(job, "\"$RESULTS\" = \"", &['"']), vec!["success"; names.len()].join(" "));
    }
}

#[test]
fn the_image_has_the_compiler_and_the_manifests_the_version_of_this_workspace() {
    let channel = read("rust-toolchain.toml");
    let dockerfile = read("Dockerfile");
    assert_eq!(after(&dockerfile, "FROM rust:", &['-']), after(&channel, "channel = \"", &['"']));
    let kustomization = read("deploy/kubernetes/kustomization.yaml");
    assert_eq!(after(&kustomization, "newTag: ", &['\n']), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_configuration_that_is_deployed_is_one() {
    let ran = run_in(&root().join("deploy/kubernetes"), &["check", "lockgate.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
}
