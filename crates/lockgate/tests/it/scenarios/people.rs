//! What people ask for, and when.

use std::sync::atomic::Ordering;

use super::{ENOUGH, number, steps_to};
use crate::support::scene::{causes, scene, scene_with};

#[test]
fn s01_s29_a_first_version_is_stable_at_once_and_a_completed_release_is_judged_no_more() {
    let mut scene = scene(&["v1", "v2"]);
    let history = scene.history();
    assert_eq!(history.len(), 1, "no stages: {history:?}");
    assert_eq!(history[0]["transition"]["to"], "promoted");
    scene.start("v2");
    assert_eq!(scene.end(), "promoted");
    let steps = scene.history().len();
    scene.server.until("it is stable", |server| {
        server.json(&["agent", "show", "support"])["stable"] == "v2"
    });
    scene.version("v2").behaviour.errors_percent.store(90, Ordering::Relaxed);
    scene.serve(ENOUGH);
    assert_eq!(scene.view()["phase"], "promoted");
    assert_eq!(scene.history().len(), steps, "nobody takes it back by itself");
}

#[test]
fn s25_back_to_the_stable_version_in_mid_release_needs_no_analysis() {
    let mut scene =
        scene_with(&["v1", "v2"], |text| text.replace("duration: 200ms", "duration: 60s"));
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    let back = ["rollout", "start", "support", "v1", "--reason", "as it was", "--replace"];
    let told = scene.server.run(&back);
    assert_eq!(told.code, 0, "{}", told.shown());
    assert_eq!(scene.end(), "superseded");
    assert_eq!(scene.stable(), "v1");
    let v2 = scene.view();
    assert_eq!(v2["candidate"], "v2", "no release of v1 was made");
    let begun = scene.version("v2").behaviour.begun.load(Ordering::Relaxed);
    scene.serve(ENOUGH);
    assert_eq!(scene.version("v2").behaviour.begun.load(Ordering::Relaxed), begun);
}

#[test]
fn s26_what_was_stable_until_lately_comes_back_without_its_stages() {
    let mut scene = scene(&["v1", "v2", "v3"]);
    for version in ["v2", "v3"] {
        scene.start(version);
        assert_eq!(scene.end(), "promoted");
        assert_eq!(steps_to(&scene.history(), "running").len(), 4, "all stages");
        scene.server.until("it is stable", |server| {
            server.json(&["agent", "show", "support"])["stable"] == version
        });
    }
    scene.kill();
    scene.again();
    scene.start("v2");
    assert_eq!(scene.end(), "promoted");
    let history = scene.history();
    assert!(causes(&history[0]).contains("rollback window"), "it is recorded: {history:?}");
    let weights: Vec<_> = history.iter().map(|step| &step["transition"]["weight_bp"]).collect();
    assert!(weights.iter().all(|weight| **weight == 10_000), "{weights:?}");
}
