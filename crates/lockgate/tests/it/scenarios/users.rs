//! What users see of a release.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{ENOUGH, number, steps_to};
use crate::support::scene::{causes, scene_with};

#[test]
fn s46_a_switch_lets_requests_finish_and_an_immediate_stop_cuts_them() {
    let mut scene = scene_with(&["v1", "v2"], |text| {
        text.replace("duration: 200ms", "duration: 60s").replace("drain: 1s", "drain: 60s")
    });
    let v2 = scene.version("v2").behaviour.clone();
    let under_way = || v2.begun.load(Ordering::Relaxed) - v2.answered.load(Ordering::Relaxed);
    let counts = scene.traffic.counts.clone();
    let [bad, cut] = [&counts.bad, &counts.cut].map(|count| count.load(Ordering::Relaxed));
    assert_eq!([bad, cut], [0, 0]);

    v2.delay_ms.store(2_000, Ordering::Relaxed);
    scene.start("v2");
    scene.server.until("a request is with it", |_| under_way() > 0);
    assert_eq!(scene.server.run(&["rollout", "abort", "--reason", "a switch"]).code, 0);
    assert_eq!(scene.end(), "aborted");
    let seen = || counts.bad.load(Ordering::Relaxed) + counts.cut.load(Ordering::Relaxed);
    scene.server.until("they are answered", |_| under_way() == 0 || seen() > 0);
    scene.serve(ENOUGH);
    let [bad, cut] = [&counts.bad, &counts.cut].map(|count| count.load(Ordering::Relaxed));
    assert_eq!([bad, cut], [0, 0], "nobody saw the switch");

    v2.delay_ms.store(15_000, Ordering::Relaxed);
    scene.start("v2");
    scene.server.until("a request is with it", |_| under_way() > 0);
    let told = ["version", "security-event", "support", "v2", "--detail", "it read a file"];
    assert_eq!(scene.server.run(&told).code, 0);
    assert!(under_way() > 0, "it has not answered");
    scene.server.until("the user hears of it", |_| seen() > 0);
    assert!(under_way() > 0, "cut before the answer was there");
    assert_eq!(scene.end(), "rolled_back");
}

#[test]
fn s47_raising_the_weight_moves_nobody_back() {
    let mut scene = scene_with(&["v1", "v2"], |text| {
        let sticky = "    sticky: {header: x-user}\n    plan: quick\n";
        text.replace("    plan: quick\n", sticky).replace("duration: 200ms", "duration: 1s")
    });
    let ingress = scene.server.ingress();
    let ask = |world: &crate::support::agent::World| -> BTreeSet<u32> {
        let on_v2 = |user: &u32| world.answer(&ingress, &format!("keeps-{user}")).version == "v2";
        (0..60).filter(on_v2).collect()
    };
    scene.start("v2");
    let mut before = BTreeSet::new();
    let mut sizes = Vec::new();
    loop {
        let on_v2 = ask(&scene.world);
        assert!(on_v2.is_superset(&before), "{before:?} → {on_v2:?}");
        sizes.push(on_v2.len());
        before = on_v2;
        if before.len() == 60 {
            break;
        }
    }
    assert!(sizes.iter().any(|size| (1..60).contains(size)), "some were first: {sizes:?}");
    assert_eq!(scene.end(), "promoted");
}

#[test]
fn s48_a_fault_that_both_versions_have_is_not_laid_to_the_candidate() {
    let mut scene =
        scene_with(&["v1", "v2"], |text| text.replace("duration: 200ms", "duration: 60s"));
    for version in ["v1", "v2"] {
        scene.version(version).behaviour.errors_percent.store(60, Ordering::Relaxed);
    }
    scene.start("v2");
    scene.until("it is held", |view| view["phase"] == "paused" || view["ended_wall_ms"].is_i64());
    let view = scene.view();
    assert_eq!(view["phase"], "paused", "{view}");
    let history = scene.history();
    let held = steps_to(&history, "paused")[0];
    assert!(causes(held).contains("trigger error_rate"), "{held}");
    let why = view["why"].as_str().expect("a text");
    assert!(why.contains("the stable version fails the same bound"), "{why}");
    assert!(number(&view, "/weight_bp") > 0, "it keeps its share");
}
