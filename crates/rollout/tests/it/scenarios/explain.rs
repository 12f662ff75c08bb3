//! Plans that are refused, and answers to "why" and "why not yet".

use lockgate_model::config;
use lockgate_model::hook::Confirm;
use lockgate_model::ids::Epoch;
use lockgate_model::plan::{Judge, OnInsufficient};
use lockgate_rollout::event::{Command, Event};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::view::view;
use lockgate_telemetry::arm::Arms;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, new_rollout, plan, signals};

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
    assert!(
        ended.why.contains("taken back: error_rate is 50 % over 100 requests"),
        "{}",
        ended.why
    );
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

#[test]
fn s52_every_state_says_why_it_is_not_further_and_what_would_change_it() {
    let mut plan = plan();
    plan.stages[1].confirm = Some(Confirm::Person);
    plan.on_insufficient = OnInsufficient::Pause;
    let mut worlds = Vec::new();
    let after = vec!["tools".parse().unwrap()];
    let new = NewRollout { waits_for: after, ..new_rollout(plan.clone(), Some("v1")) };
    worlds.push(World::begin(new, 1_000_000));
    worlds.push(World::new(plan.clone()));
    worlds.push(World::new(plan.clone()).to_stage(1));
    let then = |change: &dyn Fn(&mut World)| {
        let mut world = World::new(plan.clone()).to_stage(1);
        change(&mut world);
        world
    };
    worlds.push(then(&|world| world.run(STAGE_MS, &Signals::default())));
    worlds.push(then(&|world| world.run(2 * STAGE_MS, &Signals::default())));
    worlds.push(then(&|world| world.run(STAGE_MS, &good())));
    worlds.push(then(&|world| world.security()));
    worlds.push(then(&|world| {
        world.security();
        world.apply();
    }));
    worlds.push(then(&|world| world.command(Command::Promote).unwrap()));
    worlds.push(then(&|world| {
        world.command(Command::Abort).unwrap();
        world.apply();
    }));
    worlds.push(then(&|world| {
        world.event(&Event::Superseded { by: "v3".parse().unwrap() }).unwrap();
        world.apply();
    }));
    let said: Vec<[String; 3]> = worlds
        .iter()
        .map(|world| {
            let seen = view(&world.rollout, &Signals::default());
            [seen.phase, seen.why, seen.would_change]
        })
        .collect();
    let expected = [
        ["pending", "releases of tools come first", "ends well"],
        ["confirming", "not every gateway has applied 0 %", "every gateway reports"],
        ["running", "1 min left in this stage; open: error_rate", "its time is over|a trigger"],
        ["extended", "nothing seen yet", "within 1 min; otherwise it waits for a person"],
        ["paused", "still insufficient", "past what holds it"],
        ["waiting_gate", "a person to confirm stage ten", "a person confirms"],
        ["rolling_back", "taken back (stop_immediately)", "every gateway applies weight 0"],
        ["rolled_back", "read outside its documents", "`retry`"],
        ["promoted", "version v2 is stable", "nothing"],
        ["aborted", "because", "`retry`"],
        ["superseded", "version v3", "`retry`"],
    ];
    assert_eq!(said.len(), expected.len());
    for (said, [phase, why, would_change]) in said.iter().zip(expected) {
        assert_eq!(said[0], phase);
        assert!(said[1].contains(why), "{said:?}");
        assert!(would_change.split('|').any(|part| said[2].contains(part)), "{said:?}");
    }
}

/// A fault that comes late is diluted by what was well before it: the numbers shown are those that
/// decided, and say since when.
#[test]
fn a_late_fault_is_explained_by_the_minutes_that_showed_it() {
    let mut plan = plan();
    for trigger in &mut plan.triggers {
        trigger.judge = Judge::Statistical;
    }
    let mut world = World::new(plan).to_stage(1);
    let late = Arms { candidate: arm(300, 120, 100), stable: arm(2_700, 0, 100) };
    let mut seen = signals(arm(20_000, 120, 100), arm(180_000, 0, 100));
    seen.evidence = [(world.rollout.epoch, seen.evidence[&Epoch(1)].clone())].into();
    seen.block = late;
    world.run(TICK_MS, &seen);
    assert_eq!(world.phase(), "rolling_back");
    let cause = &world.last().causes[0];
    assert_eq!((cause.n, cause.value), (Some(300), Some(0.4)), "{}", cause.text);
    assert!(cause.text.contains("seen in the last minutes"), "{}", cause.text);
    assert!(cause.interval.is_some_and(|[low, high]| low > 0.3 && high < 0.5), "{cause:?}");
}
