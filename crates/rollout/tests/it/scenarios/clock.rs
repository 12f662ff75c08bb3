//! Time: stages last as long as they should, whatever clocks, restarts and calendars do.

use std::sync::Arc;

use lockgate_model::clock::Now;
use lockgate_model::ids::BootId;
use lockgate_model::ids::Epoch;
use lockgate_model::plan::Plan;
use lockgate_rollout::event::{Command, Event};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::view::view;
use lockgate_telemetry::arm::Arms;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, new_rollout, plan, signals};
use uuid::Uuid;

/// 2026-11-26 12:00 UTC, a Thursday.
const THURSDAY_MS: i64 = 1_795_694_400_000;
/// 2026-11-27 16:00 in Berlin.
const FREEZE_MS: i64 = 1_795_791_600_000;
/// 2026-11-30 08:00 in Berlin.
const THAW_MS: i64 = 1_796_022_000_000;

#[test]
fn s05_when_its_time_is_over_and_its_gates_pass_the_next_stage_follows() {
    let mut world = World::new(plan()).to_stage(1);
    world.run(STAGE_MS - TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
    world.run(TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage, world.rollout.dwell_ms), ("confirming", 2, 0));
    assert_eq!(world.split().candidate.as_ref().unwrap().weight_bp, 5_000);
}

#[test]
fn time_that_nobody_watched_does_not_count() {
    let mut world = World::new(plan()).to_stage(1);
    for _ in 0..20 {
        world.pass_ms(TICK_MS);
        let signals = Box::new(good());
        world.event(&Event::Tick { signals, observed: false }).unwrap();
    }
    assert_eq!((world.rollout.stage, world.rollout.dwell_ms), (1, 0));
}

#[test]
fn s08_after_a_restart_the_remaining_time_is_left_not_the_whole() {
    let mut world = World::new(plan()).to_stage(1);
    world.run(STAGE_MS / 2, &good());
    let dwell_ms = world.rollout.dwell_ms;
    world.now = Now { boot: BootId(Uuid::from_u128(2)), monotonic_ms: 0, ..world.now };
    world.tick(&good());
    assert_eq!(world.rollout.dwell_ms, dwell_ms);
    world.run(STAGE_MS / 2, &good());
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn s39_the_progress_deadline_rolls_back() {
    let mut plan = plan();
    plan.progress_deadline_ms = Some(3 * STAGE_MS);
    let mut world = World::new(plan);
    world.run(3 * STAGE_MS, &good());
    assert_eq!(world.phase(), "confirming");
    world.run(TICK_MS, &good());
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.last().causes[0].rule, "progress deadline");
}

#[test]
fn s44_clock_jumps_end_no_stage_early_and_make_none_last_for_ever() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&good());
    world.now.wall_ms += 1_000 * i64::try_from(STAGE_MS).unwrap();
    world.now.monotonic_ms += 1_000 * STAGE_MS;
    world.tick(&good());
    assert_eq!((world.rollout.stage, world.rollout.dwell_ms), (1, 2 * TICK_MS));
    world.now.wall_ms = 0;
    world.run(STAGE_MS, &good());
    assert_eq!(world.rollout.stage, 2);
}

/// Numbers by the epoch that they were seen in; nothing lately.
fn by_epoch(seen: &[(u64, Arms)]) -> Signals {
    Signals {
        evidence: seen.iter().map(|(epoch, arms)| (Epoch(*epoch), arms.clone())).collect(),
        recent: [].into(),
        ..good()
    }
}

#[test]
fn s18_nothing_is_measured_before_the_initial_delay_is_over() {
    let mut plan = plan();
    plan.initial_delay_ms = 3 * TICK_MS;
    let mut world = World::new(plan).to_stage(1);
    let delayed = world.rollout.epoch;
    world.run(2 * TICK_MS, &signals(arm(1_000, 900, 900), arm(9_000, 0, 100)));
    assert_eq!((world.phase(), world.rollout.dwell_ms), ("running", 0), "the start is no fault");
    let seen = view(&world.rollout, &good());
    assert!(seen.why.contains("10 s left of the initial delay"), "{}", seen.why);
    world.run(TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.epoch), ("confirming", delayed.next()));
    assert_eq!(world.last().causes[0].rule, "initial delay");
    world.apply();
    let cold = Arms { candidate: arm(1_000, 900, 900), stable: arm(9_000, 0, 100) };
    let warm = Arms { candidate: arm(1_000, 0, 100), stable: arm(9_000, 0, 100) };
    let counted = by_epoch(&[(delayed.0, cold.clone()), (delayed.0 + 1, warm)]);
    world.run(STAGE_MS - TICK_MS, &counted);
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1), "the delay is no stage time");
    world.run(TICK_MS, &counted);
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
}

#[test]
fn s18_what_is_seen_after_the_delay_counts() {
    let mut plan = plan();
    plan.initial_delay_ms = TICK_MS;
    let mut world = World::new(plan).to_stage(1);
    world.run(TICK_MS, &good());
    world.apply();
    world.tick(&signals(arm(1_000, 900, 900), arm(9_000, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

fn frozen_at_weekends() -> Plan {
    let mut plan = plan();
    plan.freeze = vec!["fri 16:00 - mon 08:00 Europe/Berlin".parse().unwrap()];
    plan
}

/// A release in its stage of 10 %, half a minute before the freeze.
fn before_the_freeze() -> World {
    let mut world =
        World::begin(new_rollout(frozen_at_weekends(), Some("v1")), THURSDAY_MS).to_stage(1);
    world.now.wall_ms = FREEZE_MS - 30_000;
    world
}

#[test]
fn s42_nothing_advances_within_a_freeze_window() {
    let mut world = before_the_freeze();
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
    assert!(world.rollout.elapsed_ms <= 2 * STAGE_MS, "no deadline runs in it");
    let seen = view(&world.rollout, &good());
    assert!(seen.why.contains("before 2026-11-30 07:00 UTC"), "{}", seen.why);
    assert!(seen.would_change.contains("the freeze window ends"), "{}", seen.would_change);
    world.now.wall_ms = THAW_MS - 1;
    world.tick(&good());
    assert_eq!(world.rollout.stage, 1);
    world.now.wall_ms = THAW_MS;
    world.tick(&good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
}

/// Whoever adds a freeze in an emergency, or lifts one, means now.
#[test]
fn s27_s42_a_freeze_that_is_added_or_lifted_counts_at_once() {
    let edited = |freeze: Vec<_>| {
        let plan = Arc::new(Plan { freeze, ..frozen_at_weekends() });
        Event::PlanChanged { plan, by: "eve".into() }
    };
    let mut world = before_the_freeze();
    world.now.wall_ms = FREEZE_MS;
    world.run(2 * STAGE_MS, &good());
    assert_eq!(world.rollout.stage, 1);
    world.event(&edited(vec![])).unwrap();
    world.run(STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));

    let mut world = World::begin(new_rollout(plan(), Some("v1")), THURSDAY_MS).to_stage(1);
    let always = "2020-01-01 00:00 - 2100-01-01 00:00 UTC".parse().unwrap();
    world.event(&edited(vec![always])).unwrap();
    world.run(3 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
}

#[test]
fn s42_triggers_and_failed_gates_take_back_also_within_a_freeze_window() {
    let mut world = before_the_freeze();
    world.now.wall_ms = FREEZE_MS;
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
    let mut world = before_the_freeze();
    world.run(STAGE_MS, &signals(arm(1_000, 0, 230), arm(9_000, 0, 195)));
    assert_eq!(world.phase(), "rolling_back");
    assert!(world.last().causes[0].rule.starts_with("gate p95_ms"));
    let mut world = before_the_freeze();
    world.now.wall_ms = FREEZE_MS;
    world.tick(&good());
    world.security();
    assert!(world.rollout.revoked);
}

#[test]
fn s42_a_release_that_is_started_within_a_freeze_window_begins_after_it() {
    let start = || World::begin(new_rollout(frozen_at_weekends(), Some("v1")), FREEZE_MS);
    let mut world = start();
    assert_eq!((world.phase(), world.effects.len()), ("pending", 0));
    world.run(STAGE_MS, &good());
    let seen = view(&world.rollout, &good());
    assert!(seen.why.contains("end of a freeze window"), "{}", seen.why);
    world.now.wall_ms = THAW_MS;
    world.tick(&good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 0));
    let mut told = start();
    told.command(Command::Resume).unwrap();
    assert_eq!(told.phase(), "confirming");
}
