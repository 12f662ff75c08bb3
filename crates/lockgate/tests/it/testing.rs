//! The test environment from the command line: probes beside the configuration, and copies of
//! users' requests.

use std::fs;
use std::sync::atomic::Ordering;

use crate::support::config;
use crate::support::scene::{Scene, causes, scene_with};

/// The quick plan after a second in the test environment, which probes are a gate of.
fn tested(text: &str) -> String {
    let text = text.replace(
        "    stages:\n",
        "    stages:\n      - {weight: 0%, duration: 1s, extension_max: 60s, mirror: 50%, gates: {probes: \"= 100%\"}}\n",
    );
    let text = text.replace("name: v2,", "name: v2, side_effects: none,");
    text.replace(
        "    plan: quick\n",
        "    plan: quick\n    probes: {file: probes.jsonl, per_second: 20}\n",
    )
}

impl Scene {
    /// Applies the tested configuration with these probes beside it.
    fn apply_with(&self, probes: &str) -> crate::support::Ran {
        let dir = tempfile::tempdir().expect("a directory");
        let versions: Vec<_> = ["v1", "v2"].map(|name| (name, self.version(name))).into();
        let file = dir.path().join("lockgate.yaml");
        fs::write(&file, tested(&config::quick(&versions))).expect("writable");
        fs::write(dir.path().join("probes.jsonl"), probes).expect("writable");
        self.server.run(&["apply", file.to_str().expect("UTF-8"), "--reason", "probes"])
    }
}

/// Versions that differ in what they say of side effects are different versions.
fn scene() -> Scene {
    scene_with(&["v1", "v2"], |text| text.replace("name: v2,", "name: v2, side_effects: none,"))
}

const GOOD: &str = concat!(
    "{\"name\":\"answers\",\"request\":{\"path\":\"/ask\",\"body\":\"hello\"},\"expect\":{\"contains\":[\"an answer\"]}}\n",
    "{\"name\":\"is well\",\"request\":{\"path\":\"/healthz\"},\"expect\":{\"matches\":\"^well$\"},\"latency_ms_max\":20000}\n",
);

#[test]
fn a_candidate_that_keeps_its_probes_goes_on_to_users() {
    let scene = scene();
    let applied = scene.apply_with(GOOD);
    assert_eq!(applied.code, 0, "{}", applied.shown());
    let released = scene.release("v2", &["--timeout", "5m", "--output", "json"]);
    assert_eq!(released.code, 0, "{}\n{}", released.shown(), scene.server.log());
    let test = &released.json()["test"];
    for probe in test["probes"].as_array().expect("a list") {
        assert!(probe["passed"].as_u64() > Some(0) && probe["failed"] == 0, "{test}");
    }
    assert_eq!(test["probes"].as_array().map(Vec::len), Some(2));
    assert!(test["mirrored"].as_u64() > Some(0), "{test}");
    assert!(test["same_body"].as_u64() > Some(0), "{test}");
    let explained = scene.server.run(&["rollout", "explain", "--agent", "support"]);
    assert!(
        explained.stdout.contains("2 of 2 probes as expected at every run"),
        "{}",
        explained.shown()
    );
}

#[test]
fn one_that_fails_a_probe_never_meets_a_user() {
    let scene = scene();
    let probes = GOOD.replace("[\"an answer\"]", "[\"the right answer\"]");
    assert_eq!(scene.apply_with(&probes).code, 0);
    let released = scene.release("v2", &["--timeout", "5m"]);
    assert_eq!(released.code, 3, "{}\n{}", released.shown(), scene.server.log());
    let explained = scene.server.run(&["rollout", "explain", "--agent", "support"]).stdout;
    assert!(explained.contains("`answers` failed"), "{explained}");
    assert!(explained.contains("does not contain `the right answer`"), "{explained}");
    let history = scene.history();
    let met = history.iter().any(|step| step["transition"]["weight_bp"].as_u64() > Some(0));
    assert!(!met, "{history:?}");
}

/// More probes than there is time for, and then fewer.
#[test]
fn probes_that_are_edited_under_way_are_those_that_count() {
    let mut scene = scene();
    let line = |n: u32| format!("{{\"name\":\"p{n}\",\"request\":{{\"path\":\"/healthz\"}}}}\n");
    let many: String = (0..1_000).map(line).collect();
    assert_eq!(scene.apply_with(&many).code, 0);
    scene.start("v2");
    scene.until("some have run", |view| view["test"]["probes"].get(3).is_some());
    assert_eq!(scene.apply_with(GOOD).code, 0);
    assert_eq!(scene.end(), "promoted", "{}", scene.server.log());
    let history = scene.history();
    assert!(history.iter().any(|step| causes(step).contains("probes changed")), "{history:?}");
    let test = &scene.view()["test"];
    assert_eq!(test["probes"].as_array().map(Vec::len), Some(2), "{test}");
}

#[test]
fn copies_that_fail_take_it_back_and_users_see_nothing_of_it() {
    let scene = scene();
    assert_eq!(scene.apply_with(GOOD.lines().last().expect("two lines")).code, 0);
    scene.version("v2").behaviour.errors_percent.store(100, Ordering::Relaxed);
    let bad = || scene.traffic.counts.bad.load(Ordering::Relaxed);
    let before = bad();
    let released = scene.release("v2", &["--timeout", "5m"]);
    assert_eq!(released.code, 3, "{}\n{}", released.shown(), scene.server.log());
    let explained = scene.server.run(&["rollout", "explain", "--agent", "support"]).stdout;
    assert!(
        explained.contains("trigger error_rate") || explained.contains("errors_vs_baseline"),
        "{explained}"
    );
    assert_eq!(bad(), before, "users are served by v1");
}

#[test]
fn a_wrong_probe_file_is_refused_with_its_place() {
    let scene = scene();
    let refused =
        scene.apply_with("{\"name\":\"a\",\"request\":{\"path\":\"/\"}}\n{\"name\":\"b\"}\n");
    assert_eq!(refused.code, 2, "{}", refused.shown());
    assert!(refused.stderr.contains("probes.jsonl:2:"), "{}", refused.shown());
    assert!(refused.stderr.contains("missing field `request`"), "{}", refused.shown());
    assert!(refused.stderr.contains("hint:"), "{}", refused.shown());
}
