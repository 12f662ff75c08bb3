//! The configuration changes while a release is under way.

use std::sync::atomic::Ordering;

use super::{ENOUGH, number, steps_to};
use crate::support::scene::{Scene, causes, scene_with};

#[test]
fn s27_s41_s42_an_edited_plan_rules_the_next_stage_freezes_it_there_and_triggers_stay_armed() {
    let mut file = String::new();
    let mut scene = scene_with(&["v1", "v2"], |text| {
        file = text.replace("duration: 200ms", "duration: 2s");
        file.clone()
    });
    scene.start("v2");
    scene.until("its first stage runs", |view| number(view, "/dwell_ms") > 0);
    assert_eq!(scene.view()["stage"], 0, "the machine is too slow for this test");
    let edit = |scene: &Scene, to: &str| {
        scene.server.write_config(to);
        scene.server.signal("HUP");
    };
    let narrower = file.replace("{weight: 25%, duration: 2s,", "{weight: 20%, duration: 6s,");
    assert_ne!(narrower, file);
    edit(&scene, &narrower);
    scene.until("it is in the second stage of the new plan", |view| {
        view["weight_bp"] == 2_000 && number(view, "/dwell_ms") > 0
    });
    let always = "    drain: 1s\n    freeze: [\"2020-01-01 00:00 - 2100-01-01 00:00 UTC\"]\n";
    edit(&scene, &narrower.replace("    drain: 1s\n", always));
    // Half as much again as the stage's time: it would have gone on long ago.
    scene.until("it stands there", |view| number(view, "/dwell_ms") > 9_000);
    assert_eq!(scene.view()["weight_bp"], 2_000);
    let view = scene.view();
    assert_eq!(view["phase"], "running");
    assert!(view["why"].as_str().expect("a text").contains("freeze window"), "{view}");
    let history = scene.history();
    let changed: Vec<_> =
        history.iter().filter(|step| causes(step).contains("plan chang")).collect();
    assert_eq!(changed.len(), 3, "heard of, taken up, and heard of again: {history:?}");
    assert_eq!(changed[0]["transition"]["weight_bp"], 1_000, "the stage under way keeps its own");
    assert_eq!(changed[1]["transition"]["weight_bp"], 2_000);
    let told = ["version", "security-event", "support", "v2", "--detail", "it read a file"];
    assert_eq!(scene.server.run(&told).code, 0);
    let begun = scene.version("v2").behaviour.begun.load(Ordering::Relaxed);
    assert_eq!(scene.end(), "rolled_back", "frozen or not");
    scene.serve(ENOUGH);
    assert_eq!(scene.version("v2").behaviour.begun.load(Ordering::Relaxed), begun);
    let history = scene.history();
    let decided = steps_to(&history, "rolling_back")[0];
    assert!(causes(decided).contains("trigger security_events"), "{decided}");
}

#[test]
fn s40_an_agent_that_is_being_released_cannot_be_removed_before_its_traffic_is_on_stable() {
    let mut other = String::new();
    let mut scene = scene_with(&["v1", "v2"], |text| {
        let longer = text.replace("duration: 200ms", "duration: 60s");
        other =
            longer.replace("  - name: support\n", "  - name: other\n    match: [{path: /other}]\n");
        let (agents, plans) = longer.split_once("plans:\n").expect("a file with plans");
        let (more, _) = other.split_once("plans:\n").expect("the same");
        let more = more.strip_prefix("agents:\n").expect("agents come first");
        format!("{agents}{more}plans:\n{plans}")
    });
    let agents = |scene: &crate::support::scene::Scene| {
        scene.server.json(&["agent", "list"]).as_array().map(Vec::len)
    };
    assert_eq!(agents(&scene), Some(2));
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    scene.server.write_config(&other);
    scene.server.signal("HUP");
    scene.server.until("the refusal is logged", |server| {
        server.log().contains("what is in force stays so")
    });
    assert_eq!(agents(&scene), Some(2), "nothing was removed");
    scene.serve(ENOUGH);
    assert_eq!(scene.server.run(&["rollout", "abort", "--reason", "it is to go"]).code, 0);
    assert_eq!(scene.end(), "aborted");
    scene.server.signal("HUP");
    scene.server.until("it is gone", |server| {
        server.json(&["agent", "list"]).as_array().map(Vec::len) == Some(1)
    });
}
