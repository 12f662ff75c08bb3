//! Drift: a release whose plan asks begins, and gets more users, on a fresh `none` alone. The way back never waits.

use std::sync::Arc;

use lockgate_model::drift::{Drift, DriftGate, DriftSeen};
use lockgate_model::ids::RolloutId;
use lockgate_model::plan::{Plan, WHOLE_BP};
use lockgate_rollout::event::{Command, Event};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::state::PassedBefore;
use lockgate_rollout::view::view;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, new_rollout, plan, signals};
use uuid::Uuid;

const HOUR_MS: u64 = 3_600_000;

fn asks(of: &[&str]) -> Plan {
    let of = of.iter().map(|name| name.parse().unwrap()).collect();
    Plan { drift: Some(DriftGate { max_age_ms: HOUR_MS, of }), ..plan() }
}

/// What `infra` said so many milliseconds ago, with good numbers.
fn said(world: &World, outcome: Drift, ago_ms: i64) -> Signals {
    let at_wall_ms = world.now.wall_ms - ago_ms;
    let seen = DriftSeen { source: "infra".parse().unwrap(), outcome, at_wall_ms };
    Signals { drift: vec![seen], ..good() }
}

/// As many ticks with such news each.
fn run(world: &mut World, ms: u64, outcome: Drift) {
    for _ in 0..ms / TICK_MS {
        world.pass_ms(TICK_MS);
        let signals = Box::new(said(world, outcome, 0));
        world.event(&Event::Tick { signals, observed: true }).unwrap();
    }
}

/// Begun, and in its first stage with users.
fn under_way(plan: Plan) -> World {
    let mut world = World::new(plan);
    run(&mut world, TICK_MS, Drift::None);
    assert_eq!(world.phase(), "confirming");
    while world.rollout.stage < 1 {
        world.apply();
        run(&mut world, STAGE_MS, Drift::None);
    }
    world.apply();
    world
}

#[test]
fn a_release_begins_on_a_fresh_none_alone() {
    let hour_ms = i64::try_from(HOUR_MS).unwrap();
    for (outcome, ago_ms, why) in [
        (Drift::Drifted, 0, "`infra` saw drift"),
        (Drift::Unknown, 0, "`infra` could not tell"),
        (Drift::None, hour_ms + 60_000, "older than 1 h"),
        (Drift::None, -hour_ms, "not yet"),
    ] {
        let mut world = World::new(asks(&["infra"]));
        assert_eq!(world.phase(), "pending");
        for _ in 0..10 {
            let signals = said(&world, outcome, ago_ms);
            world.tick(&signals);
        }
        assert_eq!(world.phase(), "pending", "{outcome:?} {ago_ms}");
        let seen = view(&world.rollout, &said(&world, outcome, ago_ms));
        assert!(seen.why.contains(why), "{}", seen.why);
        assert!(seen.would_change.contains("lockgate drift"), "{}", seen.would_change);
        let fresh = said(&world, Drift::None, hour_ms - 60_000);
        world.tick(&fresh);
        assert_eq!(world.phase(), "confirming", "{outcome:?} {ago_ms}");
    }
}

#[test]
fn no_result_is_not_none_and_each_source_must_say_it() {
    let mut world = World::new(asks(&["infra", "cluster"]));
    world.tick(&good());
    let why = view(&world.rollout, &good()).why;
    assert_eq!(why, "not begun: drift: no result of `infra`; no result of `cluster`");
    let one = said(&world, Drift::None, 0);
    world.tick(&one);
    assert_eq!(view(&world.rollout, &one).why, "not begun: drift: no result of `cluster`");
    let mut both = said(&world, Drift::None, 0);
    both.drift.push(DriftSeen { source: "cluster".parse().unwrap(), ..both.drift[0].clone() });
    world.tick(&both);
    assert_eq!(world.phase(), "confirming");
}

#[test]
fn a_stage_is_left_when_a_fresh_none_comes_and_the_history_says_so() {
    let mut world = under_way(asks(&["infra"]));
    run(&mut world, 3 * STAGE_MS, Drift::Drifted);
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
    assert_eq!(world.rollout.dwell_ms, STAGE_MS, "no extension is used up");
    let drifted = said(&world, Drift::Drifted, 0);
    let seen = view(&world.rollout, &drifted);
    let gate = seen.gates.iter().find(|gate| gate.rule == "gate drift").unwrap();
    assert_eq!(gate.verdict, Some(Verdict::Insufficient));
    assert!(seen.why.contains("drift: `infra` saw drift at"), "{}", seen.why);
    run(&mut world, TICK_MS, Drift::None);
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
    let cause = world.last().causes.iter().find(|cause| cause.rule == "gate drift").unwrap();
    assert!(cause.text.starts_with("drift: none, as said by `infra` at"), "{}", cause.text);
}

#[test]
fn time_spent_waiting_for_it_counts_towards_no_deadline() {
    let mut world =
        under_way(Plan { progress_deadline_ms: Some(5 * STAGE_MS), ..asks(&["infra"]) });
    run(&mut world, 20 * STAGE_MS, Drift::Unknown);
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
}

#[test]
fn no_way_back_waits_for_it() {
    let bad = || signals(arm(300, 120, 100), arm(900, 0, 100));
    let mut world = under_way(asks(&["infra"]));
    run(&mut world, 2 * STAGE_MS, Drift::Drifted);
    world.tick(&bad());
    assert_eq!(world.phase(), "rolling_back", "a trigger, while it waits");

    let mut world = under_way(asks(&["infra"]));
    world.command(Command::Abort).unwrap();
    assert_eq!(world.phase(), "rolling_back", "a person");

    let until_wall_ms = 900_000;
    let passed = PassedBefore { rollout: RolloutId(Uuid::from_u128(3)), until_wall_ms };
    let plan = Plan { rollback_window_ms: Some(24 * HOUR_MS), ..asks(&["infra"]) };
    let new = NewRollout { passed_before: Some(passed), ..new_rollout(plan, Some("v1")) };
    let mut world = World::begin(new, 1_000_000);
    assert_eq!((world.phase(), world.rollout.weight_bp), ("confirming", WHOLE_BP));
    world.apply();
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "promoted", "a version that was stable lately comes back");
}

#[test]
fn a_person_goes_past_it_and_is_named() {
    let mut world = under_way(asks(&["infra"]));
    run(&mut world, 2 * STAGE_MS, Drift::Drifted);
    world.command(Command::Promote).unwrap();
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.rollout.overridden_by.as_deref(), Some("ada"));
}

#[test]
fn nothing_begins_while_what_was_said_cannot_be_read() {
    let mut world = World::new(asks(&["infra"]));
    world.source_fails();
    assert_eq!(world.phase(), "pending");
    assert!(view(&world.rollout, &good()).why.contains("not read yet"));
}

#[test]
fn a_pending_release_whose_plan_is_changed_to_ask_is_asked() {
    let ahead = vec!["tools".parse().unwrap()];
    let new = NewRollout { waits_for: ahead, ..new_rollout(plan(), Some("v1")) };
    let mut world = World::begin(new, 1_000_000);
    let changed = Arc::new(asks(&["infra"]));
    world.event(&Event::PlanChanged { plan: changed, by: "ada".into() }).unwrap();
    let agent = "tools".parse().unwrap();
    world.event(&Event::Ahead { agent, well: true, detail: "promoted".into() }).unwrap();
    assert_eq!(world.phase(), "pending");
    let fresh = said(&world, Drift::None, 0);
    world.tick(&fresh);
    assert_eq!(world.phase(), "confirming");
}
