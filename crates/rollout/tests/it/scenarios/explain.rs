//! Plans that are refused, and answers to "why" and "why not yet".

use lockgate_model::config;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::view::view;
use lockgate_testkit::release::{STAGE_MS, World, arm, good, plan, signals};

/// A file whose plan has these weights.
fn file(weights: &[u32]) -> String {
    let stage = |weight: &u32| format!("      - {{ weight: {weight}, duration: 1h }}\n");
    let stages: String = weights.iter().map(stage).collect();
    format!(
        "agents:\n  - name: a\n    plan: own\n    health: off\n    signals: [feedback]\n    versions:\n      - {{ name: v1, endpoint: \"http://127.0.0.1:9001\" }}\n\
         plans:\n  - name: own\n    stages:\n{stages}"
    )
}

#[test]
fn s37_stage_weights_beyond_the_whole_are_refused_at_load() {
    for weights in [[10, 50, 90, 110], [10, 50, 100, 100], [10, 60, 50, 100], [10, 20, 30, 40]] {
        let errors = config::read("f.yaml", &file(&weights)).expect_err("weights");
        assert!(errors.to_string().contains("weight"), "{errors}");
    }
}

#[test]
fn s38_an_invalid_plan_is_refused_whole_and_read_once_it_is_fixed() {
    assert!(config::read("f.yaml", &file(&[10, 50, 90, 110])).is_err());
    let fixed = config::read("f.yaml", &file(&[10, 50, 90, 100])).unwrap();
    let plan = fixed.plan(&"own".parse().unwrap()).unwrap();
    assert_eq!(World::new(plan.clone()).phase(), "confirming");
}

#[test]
fn the_view_says_why_it_is_not_further() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(40, 0, 100), arm(900, 0, 100)));
    let seen = view(&world.rollout, &signals(arm(40, 0, 100), arm(900, 0, 100)));
    assert!(seen.why.contains("40 of 100 requests"), "{}", seen.why);
    assert_eq!(seen.candidate_arm.requests, 40);
    let states: Vec<_> = seen.stages.iter().map(|stage| stage.state.as_str()).collect();
    assert_eq!(states, ["done", "current", "next", "next"]);
    world.tick(&signals(arm(100, 50, 100), arm(900, 0, 100)));
    world.apply();
    let ended = view(&world.rollout, &Signals::default());
    assert!(ended.why.contains("taken back: error_rate is 0.5 over 100 requests"), "{}", ended.why);
}

#[test]
fn s52_every_transition_names_metric_numbers_rule_time_and_what_was_done() {
    let mut world = World::new(plan()).to_stage(2);
    world.run(STAGE_MS / 2, &good());
    world.tick(&signals(arm(100, 50, 100), arm(900, 0, 100)));
    world.apply();
    for transition in &world.transitions {
        assert!(transition.at_wall_ms > 0 && !transition.would_change.is_empty());
        assert!(!transition.causes.is_empty(), "{transition:?}");
        for cause in &transition.causes {
            assert!(!cause.rule.is_empty() && !cause.text.is_empty(), "{cause:?}");
        }
    }
    let fired = world.transitions.iter().find(|step| step.to == "rolling_back").unwrap();
    let cause = &fired.causes[0];
    assert_eq!((cause.n, cause.value), (Some(100), Some(0.5)));
    assert_eq!(
        (cause.rule.as_str(), cause.threshold.as_deref()),
        ("trigger error_rate", Some("> 0.05"))
    );
    assert_eq!((fired.from.as_str(), fired.stage, fired.weight_bp), ("running", 2, 0));
}
