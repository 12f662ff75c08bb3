//! The candidate is a process that dies or hangs.

use std::sync::atomic::Ordering;

use super::{ENOUGH, number, steps_to};
use crate::support::agent::World;
use crate::support::config;
use crate::support::scene::{Scene, causes};
use crate::support::version::Version;

/// A plan without triggers on what a dead version does, so that people and health decide.
fn scene(stages: &str, candidate: &Version) -> Scene {
    let world = World::new();
    let v1 = world.agent();
    let text = config::at_urls(&[("v1", &v1.url), ("v2", &candidate.url)], "60s");
    let (before, _) = text.split_once("    stages:\n").expect("a plan with stages");
    let off = ["error_rate", "errors_vs_baseline", "p95_ms"]
        .map(|trigger| format!("      {trigger}: {{off_because: health decides here}}\n"))
        .concat();
    let text = format!(
        "{before}    stages:\n{stages}    gates: {{security_events: \"= 0\"}}\n    triggers:\n{off}"
    )
    .replace("{name: v2,", &format!("{{name: v2, test_endpoint: \"{}\",", candidate.url))
    .replace("timeout: 2s, unhealthy_after: 20", "timeout: 500ms, unhealthy_after: 2");
    Scene::of(world, vec![("v1", v1)], &text)
}

const STAGES: &str = "      - {weight: 0, duration: 300ms, extension_max: 120s}
      - {weight: 50%, duration: 60s}
      - {weight: 75%, duration: 60s}
      - {weight: 100%}
";

#[test]
fn s30_a_candidate_whose_process_is_gone_gets_no_weight() {
    let mut candidate = Version::start();
    let mut scene = scene(STAGES, &candidate);
    candidate.crash();
    scene.start("v2");
    assert_eq!(scene.end(), "rolled_back");
    let history = scene.history();
    for step in &history {
        assert_eq!(step["transition"]["weight_bp"], 0, "{step}");
    }
    let decided = steps_to(&history, "rolling_back")[0];
    assert!(causes(decided).contains("gate health"), "{decided}");
    assert_eq!(scene.traffic.counts.bad.load(Ordering::Relaxed), 0, "no user met it");
    assert_eq!(scene.stable(), "v1");
}

#[test]
fn s21_s22_s32_a_candidate_that_dies_is_not_promoted_and_an_abort_reaches_zero() {
    let mut candidate = Version::start();
    let mut scene = scene(STAGES, &candidate);
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    candidate.crash();
    scene.server.until("the crash is seen", |server| {
        let v2 = server.json(&["version", "show", "support", "v2"]);
        v2["healthy"] == false
    });
    let seen = number(&scene.view(), "/dwell_ms");
    scene.until("control has looked since", |view| number(view, "/dwell_ms") > seen + 300);
    let refused = scene.server.run(&["rollout", "promote", "--reason", "it was so good"]);
    assert_eq!(refused.code, 1, "{}", refused.shown());
    assert!(refused.stderr.contains("unhealthy"), "{}", refused.shown());
    assert_eq!(scene.view()["weight_bp"], 5_000, "its weight is not raised");
    let told = scene.server.run(&["rollout", "abort", "--reason", "it died"]);
    assert_eq!(told.code, 0, "{}", told.shown());
    assert_eq!(scene.end(), "aborted");
    let history = scene.history();
    let decided = steps_to(&history, "rolling_back")[0];
    assert!(causes(decided).contains("it died"), "the reason is recorded: {decided}");
    assert_eq!(decided["transition"]["weight_bp"], 0);
    assert_eq!(scene.stable(), "v1");
    // Whatever users meant for it was under way when it ended is over now.
    scene.serve(ENOUGH);
    let bad = scene.traffic.counts.bad.load(Ordering::Relaxed);
    scene.serve(ENOUGH);
    assert_eq!(scene.traffic.counts.bad.load(Ordering::Relaxed), bad, "all users are on stable");
}

#[test]
fn s39_a_candidate_that_hangs_is_taken_back_at_the_deadline() {
    let candidate = Version::start();
    // Long enough for health to be seen gone before the stage's time is over.
    let stages = STAGES.replace("duration: 60s}", "duration: 4s, extension_max: 120s}");
    let mut scene = scene(&format!("{stages}    progress_deadline: 10s\n"), &candidate);
    scene.start("v2");
    scene.until("it has its share", |view| view["weight_bp"] == 5_000 && view["applied"] == true);
    candidate.hang();
    assert_eq!(scene.end(), "rolled_back");
    let history = scene.history();
    let decided = steps_to(&history, "rolling_back")[0];
    assert!(causes(decided).contains("deadline"), "{decided}");
    scene.serve(ENOUGH);
    assert_eq!(scene.stable(), "v1");
}
