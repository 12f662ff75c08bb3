//! Releases from the command line to their ends, with real traffic.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::agent::World;
use crate::support::config;
use crate::support::scene::{scene, scene_with};
use crate::support::server::Server;

#[test]
fn a_good_version_is_promoted_and_a_bad_one_taken_back() {
    let scene = scene(&["v1", "v2", "v3"]);
    let good = scene.release("v2", &["--timeout", "5m"]);
    assert_eq!(good.code, 0, "{}\n{}", good.shown(), scene.server.log());
    assert_eq!(scene.stable(), "v2");
    let history = scene.server.json(&["rollout", "history", "--agent", "support"]);
    let weights: Vec<_> = history
        .as_array()
        .expect("a list")
        .iter()
        .filter(|record| record["transition"]["to"] == "running")
        .filter_map(|record| record["transition"]["weight_bp"].as_u64())
        .collect();
    assert_eq!(weights[..3], [1_000, 2_500, 5_000], "no stage is skipped");

    scene.version("v3").behaviour.errors_percent.store(100, Ordering::Relaxed);
    let bad = scene.release("v3", &["--timeout", "5m", "--output", "json"]);
    assert_eq!(bad.code, 3, "{}\n{}", bad.shown(), scene.server.log());
    assert_eq!(bad.json()["phase"], "rolled_back");
    assert_eq!(scene.stable(), "v2");
    let watched = scene.server.run(&["rollout", "watch", "--agent", "support", "--output", "json"]);
    assert_eq!(watched.code, 3);
    assert_eq!(watched.stdout.lines().count(), 1, "one line a change: {}", watched.stdout);
    let explained = scene.server.run(&["rollout", "explain", "--agent", "support"]);
    assert!(explained.stdout.contains("error_rate"), "{}", explained.stdout);
}

#[test]
fn a_person_may_hold_and_finish_and_take_back() {
    let scene = scene(&["v1", "v2", "v3"]);
    let run = |args: &[&str]| scene.server.run(args);
    // Silence keeps the first stage insufficient, so that the release waits for the test.
    scene.version("v2").behaviour.delay_ms.store(60_000, Ordering::Relaxed);
    let late = scene.release("v2", &["--timeout", "300ms"]);
    assert_eq!(late.code, 5, "{}", late.shown());
    assert!(late.stderr.contains("\n\nhint: it goes on"), "{}", late.stderr);
    assert_eq!(run(&["rollout", "pause", "--reason", "lunch"]).code, 0);
    let held = run(&["rollout", "status"]);
    assert_eq!(held.code, 4, "{}", held.shown());
    assert!(held.stdout.contains("lunch"), "{}", held.stdout);
    assert_eq!(run(&["rollout", "resume", "--reason", "back"]).code, 0);
    assert_eq!(run(&["rollout", "abort", "--reason", "not today"]).code, 0);
    assert_eq!(run(&["rollout", "watch", "--agent", "support"]).code, 3);
    let refused = run(&["rollout", "pause", "--agent", "support", "--reason", "too late"]);
    assert_eq!(refused.code, 1, "{}", refused.shown());
    assert!(refused.stderr.contains("\n\nhint: `lockgate rollout status "), "{}", refused.stderr);
    let ended = run(&["rollout", "status", "--agent", "support"]);
    assert!(ended.stdout.contains("✕ 10%") && !ended.stdout.contains('▶'), "{}", ended.stdout);
    scene.version("v2").behaviour.delay_ms.store(0, Ordering::Relaxed);
    let retried = run(&["rollout", "retry", "--agent", "support", "--reason", "it is well now"]);
    assert_eq!(retried.code, 0, "{}", retried.shown());
    let latest = scene.server.json(&["rollout", "list", "--limit", "1"])[0]["id"].clone();
    let latest = latest.as_str().expect("an id");
    assert_eq!(retried.stdout, format!("{latest}  started\n"));
    assert_eq!(run(&["rollout", "promote", "--reason", "checked by hand"]).code, 0);
    assert_eq!(run(&["rollout", "watch", "--agent", "support"]).code, 0);
    assert_eq!(scene.stable(), "v2");
    let list = scene.server.json(&["rollout", "list", "--agent", "support"]);
    assert_eq!(list.as_array().map(Vec::len), Some(3), "the first version, aborted, promoted");
    let unknown = run(&["rollout", "start", "support", "v9", "--reason", "r"]);
    assert!([1, 2].contains(&unknown.code), "{}", unknown.shown());
}

#[test]
fn a_stage_that_needs_a_person_goes_on_when_one_confirms() {
    let scene = scene_with(&["v1", "v2"], |text| {
        let held = text.replace("{weight: 25%,", "{weight: 25%, confirm: {by: person},");
        assert_ne!(held, text);
        held
    });
    let run = |args: &[&str]| scene.server.run(args);
    let waits = scene.release("v2", &["--timeout", "5m"]);
    assert_eq!(waits.code, 4, "{}", waits.shown());
    let explained = run(&["rollout", "explain"]);
    assert!(explained.stdout.contains("a person to confirm stage 25%"), "{}", explained.stdout);
    assert!(explained.stdout.contains("next     a person confirms"), "{}", explained.stdout);
    let confirmed = run(&["rollout", "confirm", "--reason", "looked at it"]);
    assert_eq!(confirmed.code, 0, "{}", confirmed.shown());
    assert_eq!(run(&["rollout", "watch", "--agent", "support"]).code, 0);
    // It is promoted before its last split is published.
    let published = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        scene.stable() == "v2"
    });
    assert!(published, "v2 is promoted and not stable");
    let explained = run(&["rollout", "explain", "--agent", "support"]);
    assert!(
        explained.stdout.contains("looked at it (gate confirm of stage 25%"),
        "{}",
        explained.stdout
    );
}

#[test]
fn a_release_takes_the_place_of_another_only_when_told_to() {
    let scene = scene(&["v1", "v2", "v3"]);
    let run = |args: &[&str]| scene.server.run(args);
    // Silence keeps the first stage open.
    scene.version("v2").behaviour.delay_ms.store(60_000, Ordering::Relaxed);
    let old = run(&["rollout", "start", "support", "v2", "--reason", "first"]);
    assert_eq!(old.code, 0, "{}", old.shown());
    let start = ["rollout", "start", "support", "v3", "--reason", "newer"];
    let refused = run(&start);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.shown());
    let effect = "takes the place of release of v2, which goes back to 0 % first";
    assert!(refused.stderr.contains(&format!("--replace` {effect}")), "{}", refused.stderr);
    assert!(!refused.stderr.contains("/api/"), "{}", refused.stderr);
    assert_eq!(run(&["rollout", "status", old.stdout.trim()]).code, 0, "it goes on");
    let told = run(&[start.as_slice(), &["--replace", "--wait", "--timeout", "5m"]].concat());
    assert_eq!(told.code, 0, "{}", told.shown());
    assert!(told.stderr.starts_with(effect), "{}", told.stderr);
    assert_eq!(run(&["rollout", "status", old.stdout.trim()]).code, 3);
    assert_eq!(scene.stable(), "v3");
}

#[test]
fn a_name_that_nobody_knows_is_answered_with_the_known_ones() {
    let world = World::new();
    let v1 = world.agent();
    let mut server = Server::start(&config::quick(&[("v1", &v1)]));
    server.until_served(&world);
    for (args, hint) in [
        (vec!["agent", "show", "suport"], "did you mean `support`?"),
        (vec!["rollout", "status", "--agent", "suport"], "did you mean `support`?"),
        (vec!["version", "show", "support", "v11"], "did you mean `v1`?"),
        (vec!["rollout", "start", "support", "v11", "--reason", "r"], "did you mean `v1`?"),
        (
            vec!["rollout", "start", "support", "v1", "--reason", "r", "--plan", "quik"],
            "did you mean `quick`?",
        ),
        (vec!["rollout", "status", "0192"], "`lockgate rollout list` shows them"),
        (vec!["token", "revoke", "x", "--reason", "r"], "`lockgate token list` shows them"),
    ] {
        let ran = server.run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains(&format!("\n\nhint: {hint}")), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_security_event_ends_it_at_once() {
    let mut scene = scene(&["v1", "v2"]);
    let started = scene.server.run(&["rollout", "start", "support", "v2", "--reason", "a test"]);
    assert_eq!(started.code, 0, "{}", started.shown());
    let v2 = Arc::clone(&scene.version("v2").behaviour);
    scene.server.until("it gets traffic", |_| v2.answered.load(Ordering::Relaxed) > 0);
    let told = scene.server.run(&[
        "version",
        "security-event",
        "support",
        "v2",
        "--detail",
        "it read a private file",
    ]);
    assert_eq!(told.code, 0, "{}", told.shown());
    let begun = scene.version("v2").behaviour.begun.load(Ordering::Relaxed);
    let served = scene.version("v1").behaviour.answered.load(Ordering::Relaxed);
    let v1 = Arc::clone(&scene.version("v1").behaviour);
    scene.server.until("traffic goes on", |_| v1.answered.load(Ordering::Relaxed) > served + 100);
    assert_eq!(
        scene.version("v2").behaviour.begun.load(Ordering::Relaxed),
        begun,
        "nothing is routed to it after the acknowledgement"
    );
    assert_eq!(scene.server.run(&["rollout", "watch", "--agent", "support"]).code, 3);
    assert_eq!(scene.stable(), "v1");
}
