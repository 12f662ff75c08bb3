//! A release whose plan asks about drift waits for a fresh `none`, and goes on when it comes.

use std::fs;

use serde_json::Value;

use crate::support::scene::{Scene, causes, scene_with};

/// A scene whose plan asks, and in whose directory the file is what the server has.
fn asking() -> Scene {
    let mut written = String::new();
    let scene = scene_with(&["v1", "v2"], |text| {
        written = text.replace("    drain: 1s\n", "    drain: 1s\n    drift: {max_age: 1h}\n");
        written.clone()
    });
    fs::write(scene.server.dir().join("lockgate.yaml"), written).expect("takes files");
    scene
}

/// Looks for drift and tells the server.
fn report(scene: &Scene, source: &str) -> i32 {
    let dir = scene.server.dir().to_str().expect("UTF-8");
    let args = ["drift", dir, "--lockgate", "lockgate.yaml", "--report-to", source];
    let ran = scene.server.run(&args);
    assert!(ran.stderr.contains("the server was told"), "{}", ran.shown());
    ran.code
}

/// Another plan in the file than the server has.
fn differ(scene: &Scene) {
    let file = scene.server.dir().join("lockgate.yaml");
    let text = fs::read_to_string(&file).expect("it is there");
    fs::write(file, text.replace("tick: 100ms", "tick: 250ms")).expect("takes files");
}

fn says(view: &Value, what: &str) -> bool {
    view["why"].as_str().is_some_and(|why| why.contains(what))
}

#[test]
fn it_waits_says_for_what_and_goes_on_when_a_fresh_none_arrives() {
    let mut scene = asking();
    scene.start("v2");
    scene.until("it says what it waits for", |view| {
        view["phase"] == "pending" && says(view, "no result of `default`")
    });
    assert_eq!(report(&scene, "support/other"), 0, "another source says nothing for this one");
    scene.server.until("two looks went by", {
        let mut looks = 0;
        move |_| {
            looks += 1;
            looks > 30
        }
    });
    assert_eq!(scene.view()["phase"], "pending");
    assert_eq!(report(&scene, "support"), 0);
    assert_eq!(scene.end(), "promoted");
    let history = scene.history();
    let text: Vec<String> = history.iter().map(causes).collect();
    assert!(text.join("\n").contains("drift: none, as said by `default`"), "{text:?}");
    scene.server.stop();
    let records = scene.server.records();
    let reports = records.iter().filter(|record| record.action == "drift.report").count();
    assert_eq!(reports, 2);
}

#[test]
fn drift_keeps_it_and_the_way_back_waits_for_nothing() {
    let mut scene = asking();
    differ(&scene);
    assert_eq!(report(&scene, "support"), 1);
    scene.start("v2");
    scene.until("it says what was seen", |view| {
        view["phase"] == "pending" && says(view, "`default` saw drift")
    });
    let aborted = scene.server.run(&["rollout", "abort", "--reason", "it drifted"]);
    assert!(aborted.code == 0 || aborted.code == 3, "{}", aborted.shown());
    assert_eq!(scene.end(), "aborted");
}
