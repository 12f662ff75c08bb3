//! Time: stages last as long as they should, whatever clocks, restarts and calendars do.

use lockgate_model::clock::Now;
use lockgate_model::ids::BootId;
use lockgate_rollout::event::Event;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, good, plan};
use uuid::Uuid;

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
