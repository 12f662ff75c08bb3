//! The server is killed, stopped for a while, or there are two.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::{ENOUGH, number, steps_to};
use crate::support::scene::{scene, scene_with};

/// A release whose first stage does not end by itself while a test looks.
fn long_stages(text: &str) -> String {
    let longer = text.replace("duration: 200ms", "duration: 60s");
    assert_ne!(longer, text);
    longer
}

#[test]
fn s08_s09_a_restart_in_mid_stage_keeps_its_time_and_its_counts() {
    let mut scene = scene_with(&["v1", "v2"], |text| long_stages(&text));
    scene.start("v2");
    let requests = |view: &Value| number(view, "/candidate_arm/requests");
    let dwell = |view: &Value| number(view, "/dwell_ms");
    scene.until("something was measured", |view| requests(view) >= 20 && dwell(view) >= 1_000);
    let before = scene.view();
    scene.kill();
    scene.again();
    let after = scene.view();
    assert!(dwell(&after) >= dwell(&before), "its time goes on: {before} {after}");
    assert!(requests(&after) >= requests(&before), "its counts go on: {before} {after}");
    assert_eq!(after["stage"], 0);
    let so_far = [dwell(&after), requests(&after)];
    scene.until("it goes on", |view| dwell(view) > so_far[0] && requests(view) > so_far[1]);
}

#[test]
fn s06_s07_what_a_person_holds_is_held_over_a_restart_and_over_its_time() {
    let mut scene = scene(&["v1", "v2"]);
    // Silence keeps the first stage open until it is held.
    scene.version("v2").behaviour.delay_ms.store(60_000, Ordering::Relaxed);
    scene.start("v2");
    let held = scene.server.run(&["rollout", "pause", "--reason", "lunch"]);
    assert_eq!(held.code, 0, "{}", held.shown());
    scene.version("v2").behaviour.delay_ms.store(0, Ordering::Relaxed);
    let before = scene.view();
    scene.kill();
    scene.again();
    scene.serve(ENOUGH);
    let after = scene.view();
    assert_eq!([&after["phase"], &after["detail"]], [&before["phase"], &before["detail"]]);
    assert_eq!(after["phase"], "paused");
    assert_eq!(after["dwell_ms"], before["dwell_ms"], "held time does not count");
    assert_eq!(scene.server.run(&["rollout", "resume", "--reason", "back"]).code, 0);
    assert_eq!(scene.end(), "promoted");
}

#[test]
fn s10_a_rollback_that_a_kill_interrupts_is_finished_once() {
    let mut scene = scene_with(&["v1", "v2"], |text| long_stages(&text));
    for wait_ms in [0, 5, 30] {
        scene.start("v2");
        scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
        let told = scene.server.run(&["rollout", "abort", "--reason", "a test"]);
        assert_eq!(told.code, 0, "{}", told.shown());
        std::thread::sleep(Duration::from_millis(wait_ms));
        scene.kill();
        scene.again();
        assert_eq!(scene.end(), "aborted");
        scene.server.until("its effects are done", |server| {
            let history = server.json(&["rollout", "history", "--agent", "support"]);
            effects(history.as_array().expect("a list")).all(|effect| effect["state"] == "done")
        });
        let history = scene.history();
        for phase in ["rolling_back", "aborted"] {
            assert_eq!(steps_to(&history, phase).len(), 1, "{phase}: {history:?}");
        }
        for effect in effects(&history) {
            assert!(number(effect, "/applied_count") <= 1, "{effect}");
        }
        let begun = scene.version("v2").behaviour.begun.load(Ordering::Relaxed);
        scene.serve(ENOUGH);
        let now = scene.version("v2").behaviour.begun.load(Ordering::Relaxed);
        assert_eq!(now, begun, "stopped means zero");
    }
}

fn effects(history: &[Value]) -> impl Iterator<Item = &Value> {
    history.iter().filter_map(|step| step["effects"].as_array()).flatten()
}

#[test]
fn s43_of_two_servers_one_acts_and_the_other_takes_over_when_it_is_gone() {
    let mut scene =
        scene_with(&["v1", "v2"], |text| text.replace("duration: 200ms", "duration: 2s"));
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    let second = scene.server.serve().output().expect("the binary starts");
    assert_eq!(second.status.code(), Some(2), "the directory is taken");
    assert!(scene.view()["ended_wall_ms"].is_null(), "the first goes on");
    scene.kill();
    scene.again();
    assert_eq!(scene.end(), "promoted");
    let history = scene.history();
    let weights: Vec<u64> = steps_to(&history, "running")
        .iter()
        .map(|step| number(step, "/transition/weight_bp"))
        .collect();
    assert_eq!(weights, [1_000, 2_500, 5_000, 10_000], "each stage once");
    for effect in effects(&history) {
        assert!(number(effect, "/applied_count") <= 1, "{effect}");
    }
}

#[test]
fn s44_a_process_that_stood_still_ends_no_stage_early() {
    const STAGE_MS: u64 = 2_000;
    const STALL_MS: u64 = 3_000;
    /// One look adds at most two ticks of 100 ms, whatever the clock says.
    const COUNTED_MS: u64 = 200;
    let mut scene = scene_with(&["v1", "v2"], |text| {
        text.replace("duration: 200ms", &format!("duration: {STAGE_MS}ms"))
    });
    scene.start("v2");
    scene.until("its first stage runs", |view| number(view, "/dwell_ms") > 0);
    assert_eq!(scene.view()["stage"], 0, "the machine is too slow for this test");
    scene.server.signal("STOP");
    std::thread::sleep(Duration::from_millis(STALL_MS));
    scene.server.signal("CONT");
    assert_eq!(scene.end(), "promoted", "and none lasts for ever");
    let history = scene.history();
    let began = number(steps_to(&history, "running")[0], "/transition/at_wall_ms");
    let left = number(steps_to(&history, "confirming")[1], "/transition/at_wall_ms");
    let needed = STAGE_MS + STALL_MS - COUNTED_MS;
    assert!(left - began >= needed, "{} of {needed} ms: {history:?}", left - began);
}
