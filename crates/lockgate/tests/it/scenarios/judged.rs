//! What judges make of real traffic.

use std::sync::atomic::Ordering;

use super::steps_to;
use crate::support::scene::{Scene, causes, scene_with};

/// From 10 to 25 %, while conversations that began before keep the real share near 10 %. Twice as many
/// errors in a tenth of the requests are fewer than a quarter of all errors: who takes the weight for
/// the share finds nothing wrong.
#[test]
fn s50_doubled_errors_are_found_while_conversations_keep_the_share_low() {
    let mut scene = scene_with(&["v1", "v2"], |text| {
        let stages = text.replacen("duration: 200ms", "duration: 1s", 1);
        stages
            .replace("duration: 200ms", "duration: 120s")
            .replace("error_rate: \"< 20%\"", "security_events: \"= 0\"")
            .replace(
                "error_rate: {bound: \"> 30%\", judge: threshold, window: 10s, min_samples: 20}",
                "error_rate: {off_because: the comparison is looked at}",
            )
    });
    let [v1, v2] = ["v1", "v2"].map(|name| scene.version(name).behaviour.clone());
    for version in [&v1, &v2] {
        version.errors_percent.store(20, Ordering::Relaxed);
    }
    // Only those who go on from the first stage.
    scene.lead_traffic(None);
    scene.start("v2");
    scene.until("the first weight is set", |view| {
        view["weight_bp"] == 1_000 && view["applied"] == true
    });
    let users = scene.world.conversations(200, 4, &scene.server.ingress());
    scene.until("the second one is", |view| view["weight_bp"] == 2_500 && view["applied"] == true);
    let begun = || [&v1, &v2].map(|version| version.begun.load(Ordering::Relaxed));
    let before = begun();
    v2.errors_percent.store(40, Ordering::Relaxed);
    assert_eq!(scene.end(), "rolled_back", "{}", scene.view());
    let after = begun();
    drop(users);

    let [stable, candidate] = [0, 1].map(|at: usize| (after[at] - before[at]) as f64);
    let share = candidate / (stable + candidate);
    assert!(share < 0.2, "the real share is {share}");
    let history = scene.history();
    let back = steps_to(&history, "rolling_back")[0];
    assert!(causes(back).contains("trigger errors_vs_baseline"), "{back}");
    assert_eq!(back["transition"]["stage"], 1, "{back}");
}

/// A release whose versions report how well their answers are grounded.
fn measured() -> Scene {
    scene_with(&["v1", "v2"], |text| {
        let text = text.replace("duration: 200ms", "duration: 2s");
        text.replace(
            "    plan: quick\n",
            "    measures: [{name: grounded, better: higher}]\n    plan: quick\n",
        )
        .replace(
            "      error_rate: \"< 20%\"\n",
            "      measures: {grounded: {bound: \"> 0.6\", min_samples: 60}}\n      security_events: \"= 0\"\n",
        )
        .replace(
            "    triggers:\n",
            "    triggers:\n      measures: {grounded: {bound: \"< baseline - 10%\", min_samples: 60}}\n",
        )
    })
}

#[test]
fn a_version_that_reports_worse_answers_is_taken_back_and_an_equal_one_is_not() {
    let mut scene = measured();
    let grounded = |scene: &Scene, name: &str, percent| {
        scene.version(name).behaviour.grounded_percent.store(percent, Ordering::Relaxed);
    };
    grounded(&scene, "v1", 90);
    grounded(&scene, "v2", 75);
    scene.start("v2");
    assert_eq!(scene.end(), "rolled_back");
    let history = scene.history();
    let back = steps_to(&history, "rolling_back")[0];
    assert!(causes(back).contains("trigger grounded"), "{back}");
    let reported = scene.view()["candidate_arm"]["measures"][0].clone();
    assert_eq!(reported["name"], "grounded");
    let mean = reported["mean"].as_f64().expect("a mean");
    assert!((mean - 0.75).abs() < 0.005, "{reported}");

    grounded(&scene, "v2", 90);
    scene.start("v2");
    assert_eq!(scene.end(), "promoted", "{}", scene.view());
}

/// A release that is held to what its answers are worth.
fn worth() -> Scene {
    scene_with(&["v1", "v2"], |text| {
        let text = text.replace("duration: 200ms", "duration: 2s");
        text.replace("    plan: quick\n", "    signals: [cost, outcome]\n    plan: quick\n")
            .replace(
                "      error_rate: \"< 20%\"\n",
                "      replacement_rate: {bound: \"> 50%\", min_samples: 60}\n      security_events: \"= 0\"\n",
            )
            .replace(
                "    triggers:\n",
                "    triggers:\n      cost_per_resolved_usd: {bound: \"> baseline + 30%\", min_samples: 60}\n",
            )
    })
}

#[test]
fn a_version_that_resolves_less_for_its_cost_is_taken_back_and_one_that_says_nothing_is_held() {
    let mut scene = worth();
    let resolved = |scene: &Scene, name: &str, percent| {
        scene.version(name).behaviour.resolved_percent.store(percent, Ordering::Relaxed);
    };
    resolved(&scene, "v1", 90);
    resolved(&scene, "v2", 30);
    scene.start("v2");
    assert_eq!(scene.end(), "rolled_back");
    let history = scene.history();
    let back = steps_to(&history, "rolling_back")[0];
    assert!(causes(back).contains("trigger cost_per_resolved_usd"), "{back}");
    let arm = scene.view()["candidate_arm"].clone();
    let rate = arm["replacement_rate"].as_f64().expect("a rate");
    let price = arm["cost_per_resolved_usd"].as_f64().expect("a price");
    assert!((rate - 0.3).abs() < 0.1 && (price * rate - 0.01).abs() < 1e-9, "{arm}");

    resolved(&scene, "v2", 0);
    scene.start("v2");
    scene.until("it is extended", |view| view["phase"] == "extended");
    let why = scene.view()["why"].to_string();
    assert!(why.contains("replacement_rate: nothing seen yet"), "{why}");
    scene.until("it is told", |view| {
        view["warnings"].to_string().contains("outcome: not known of any of")
    });
    // It begins to say what became of its answers.
    resolved(&scene, "v2", 90);
    assert_eq!(scene.end(), "promoted", "{}", scene.view());
}

#[test]
fn a_measure_that_nobody_reports_passes_nothing() {
    let mut scene = measured();
    scene.version("v1").behaviour.grounded_percent.store(90, Ordering::Relaxed);
    scene.start("v2");
    scene.until("it is extended", |view| view["phase"] == "extended");
    let view = scene.view();
    assert!(view["why"].to_string().contains("grounded: nothing seen yet"), "{view}");
    scene.until("it is told", |view| {
        let told = view["warnings"].to_string();
        told.contains("none of") && told.contains("answers of v2 reports it")
    });
}
