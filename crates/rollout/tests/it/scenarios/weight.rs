//! Weights: what is ordered, what is read back, and what keeps them from being raised.

use lockgate_model::ids::Epoch;
use lockgate_model::plan::{OnInsufficient, WHOLE_BP};
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::view::view;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, plan, signals};

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
fn s03_a_driver_that_fails_is_visible_and_nothing_advances() {
    let mut world = World::new(plan());
    let ordered = world.effects.len();
    for _ in 0..3 {
        world.event(&Event::DriverFailed { error: "429 too many requests".into() }).unwrap();
        world.run(STAGE_MS, &good());
    }
    assert_eq!((world.phase(), world.rollout.dwell_ms), ("confirming", 0));
    assert_eq!(world.effects.len(), ordered, "trying again is the driver's, with the same effect");
    let why = |world: &World| view(&world.rollout, &good()).why;
    assert!(why(&world).contains("failed, it is tried again: 429"), "{}", why(&world));
    world.apply();
    assert!(!why(&world).contains("429"), "{}", why(&world));
}

#[test]
fn s04_a_read_back_that_differs_advances_nothing_and_is_written_again() {
    let mut world = World::new(plan()).to_stage(0);
    world.run(STAGE_MS, &good());
    let ordered = world.rollout.epoch;
    assert_eq!(world.phase(), "confirming");
    world.drifts("50 %");
    assert_eq!((world.phase(), world.rollout.epoch), ("confirming", ordered.next()));
    assert_eq!(world.split().candidate.as_ref().unwrap().weight_bp, 1_000);
    world.event(&Event::Applied { epoch: ordered }).unwrap();
    assert_eq!(world.phase(), "confirming", "the old one confirms nothing any more");
    world.apply();
    assert_eq!((world.phase(), world.rollout.dwell_ms), ("running", 0));
}

#[test]
fn s31_a_weight_that_was_changed_from_outside_is_corrected_and_reported() {
    let mut world = World::new(plan()).to_stage(1);
    world.run(STAGE_MS / 2, &good());
    let (epoch, dwell_ms) = (world.rollout.epoch, world.rollout.dwell_ms);
    world.drifts("80 %");
    assert_eq!((world.phase(), world.rollout.epoch), ("confirming", epoch.next()));
    assert_eq!(world.split().candidate.as_ref().unwrap().weight_bp, 1_000);
    let text = &world.last().causes[0].text;
    assert!(text.contains("10 % was written and 80 % is read back"), "{text}");
    assert!(matches!(world.effects.last(), Some(Effect::Notify { .. })));
    world.run(STAGE_MS, &good());
    assert_eq!(world.rollout.dwell_ms, dwell_ms, "no time of the stage until it is read back");
    world.apply();
    world.run(STAGE_MS / 2, &good());
    assert_eq!(world.rollout.stage, 2, "what was left, not the whole");
}

#[test]
fn s31_on_the_way_back_zero_is_written_again_in_the_same_way() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    world.drifts("10 %");
    assert_eq!((world.phase(), world.mode_back()), ("rolling_back", Mode::Stopped));
    world.apply();
    assert_eq!(world.phase(), "rolled_back");
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
fn s30_nor_by_a_person() {
    let mut plan = plan();
    plan.on_insufficient = OnInsufficient::Pause;
    let mut world = World::new(plan).to_stage(1);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.run(2 * STAGE_MS, &sick);
    assert_eq!(world.phase(), "paused");
    let refused = world.command(Command::Resume).unwrap_err();
    assert!(refused.to_string().contains("unhealthy"), "{refused}");
    world.tick(&good());
    world.command(Command::Resume).unwrap();
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn s32_a_sick_candidate_is_not_promoted_by_force_either() {
    let mut world = World::new(plan()).to_stage(1);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.tick(&sick);
    let refused = world.command(Command::Promote).unwrap_err();
    assert!(refused.to_string().contains("unhealthy"), "{refused}");
    assert_eq!((world.phase(), world.split().stable.as_str()), ("running", "v1"));
    world.tick(&good());
    world.command(Command::Promote).unwrap();
    assert_eq!(world.phase(), "promoted");
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
