//! Weights: what is ordered, what is read back, and what keeps them from being raised.

use lockgate_model::ids::Epoch;
use lockgate_model::plan::WHOLE_BP;
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, good, plan};

#[test]
fn s02_the_clock_of_a_stage_starts_only_when_its_weight_is_read_back() {
    let mut world = World::new(plan());
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.dwell_ms), ("confirming", 0));
    world.apply();
    world.run(STAGE_MS - TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("running", 0));
}

/// Time between the last tick and the read-back was under a weight that nobody had confirmed.
#[test]
fn s02_what_went_by_before_the_read_back_does_not_count() {
    let mut world = World::new(plan());
    world.tick(&good());
    world.pass_ms(TICK_MS);
    world.apply();
    world.tick(&good());
    assert_eq!(world.rollout.dwell_ms, 0);
}

#[test]
fn an_old_read_back_confirms_nothing() {
    let mut world = World::new(plan()).to_stage(0);
    world.run(STAGE_MS, &good());
    let old = Epoch(world.rollout.epoch.0 - 1);
    world.event(&Event::Applied { epoch: old }).unwrap();
    assert_eq!(world.phase(), "confirming");
}

#[test]
fn s10_a_restart_with_a_split_on_its_way_orders_it_once() {
    let mut world = World::new(plan());
    let ordered = world.effects.len();
    world.event(&Event::Restart).unwrap();
    world.run(STAGE_MS, &good());
    assert_eq!(world.effects.len(), ordered);
    world.apply();
    let steps = world.transitions.len();
    world.apply();
    assert_eq!((world.phase(), world.transitions.len()), ("running", steps));
}

#[test]
fn s30_no_weight_is_raised_while_the_candidate_is_unhealthy() {
    let mut world = World::new(plan()).to_stage(1);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.run(STAGE_MS, &sick);
    assert_eq!((world.phase(), world.rollout.stage), ("extended", 1));
    world.tick(&good());
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn s32_a_candidate_that_gets_sick_at_the_end_is_not_promoted() {
    let mut world = World::new(plan()).to_stage(3);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.run(2 * STAGE_MS, &sick);
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!((world.split().stable.as_str(), &world.split().candidate), ("v1", &None));
    world.apply();
    assert_eq!(world.phase(), "rolled_back");
}

#[test]
fn s36_weights_are_never_negative_and_sum_to_the_whole() {
    let promoted = {
        let mut world = World::new(plan()).to_stage(3);
        world.run(STAGE_MS, &good());
        world
    };
    let mut aborted = World::new(plan()).to_stage(2);
    aborted.command(Command::Abort).unwrap();
    let mut seen = 0;
    for effect in promoted.effects.iter().chain(&aborted.effects) {
        let Effect::SetSplit { split } = effect else { continue };
        let others: u32 =
            [&split.candidate, &split.retiring].into_iter().flatten().map(|m| m.weight_bp).sum();
        assert!(WHOLE_BP.checked_sub(others).is_some(), "{split:?}");
        assert!(split.retiring.iter().all(|retiring| retiring.weight_bp == 0));
        seen += 1;
    }
    assert_eq!(seen, 9);
}
