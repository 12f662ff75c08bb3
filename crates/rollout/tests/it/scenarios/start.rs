//! How releases begin, make way for one another, and end well.

use lockgate_model::plan::WHOLE_BP;
use lockgate_rollout::event::{Command, Event};
use lockgate_rollout::view::view;
use lockgate_testkit::release::{STAGE_MS, World, good, plan};

#[test]
fn s01_first_version_is_stable_at_once() {
    let world = World::start(plan(), None);
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.split().stable.as_str(), "v2");
    assert_eq!(world.transitions.len(), 1);
    assert!(world.last().causes[0].text.contains("no stages"), "{:?}", world.last());
    let seen = view(&world.rollout, &good());
    assert!(seen.stages.iter().all(|stage| stage.state == "skipped"), "{:?}", seen.stages);
}

#[test]
fn a_good_version_passes_every_stage_and_is_promoted() {
    let mut world = World::new(plan()).to_stage(3);
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.split().stable.as_str(), "v2");
    let weights: Vec<u32> = world.transitions.iter().map(|t| t.weight_bp).collect();
    assert_eq!(weights, [0, 0, 1_000, 1_000, 5_000, 5_000, WHOLE_BP, WHOLE_BP, WHOLE_BP]);
}

#[test]
fn s23_retry_after_abort_begins_at_stage_0_with_its_clocks_at_zero() {
    let mut world = World::new(plan()).to_stage(2);
    world.run(STAGE_MS / 2, &good());
    world.command(Command::Abort).unwrap();
    world.apply();
    assert_eq!(world.phase(), "aborted");
    let again = World::new(plan());
    let rollout = &again.rollout;
    assert_eq!((rollout.stage, rollout.dwell_ms, rollout.elapsed_ms), (0, 0, 0));
    assert_eq!((again.phase(), rollout.weight_bp, rollout.block), ("confirming", 0, None));
}

#[test]
fn s24_a_newer_version_first_brings_the_weight_to_zero() {
    let mut world = World::new(plan()).to_stage(2);
    world.event(&Event::Superseded { by: "v3".parse().unwrap() }).unwrap();
    assert_eq!((world.phase(), world.rollout.weight_bp), ("rolling_back", 0));
    assert_eq!(world.split().candidate, None);
    assert!(!world.rollout.phase.is_end(), "the newer one waits for the read-back");
    world.apply();
    assert_eq!(world.phase(), "superseded");
    let newer = World::new(plan());
    assert_eq!((newer.rollout.elapsed_ms, newer.rollout.security_events), (0, 0));
}

#[test]
fn s25_back_to_the_stable_version_needs_no_analysis() {
    let mut world = World::new(plan()).to_stage(2);
    world.event(&Event::Superseded { by: "v1".parse().unwrap() }).unwrap();
    assert_eq!((world.split().stable.as_str(), world.rollout.weight_bp), ("v1", 0));
    let steps = world.transitions.len();
    world.run(10 * STAGE_MS, &good());
    assert_eq!(world.transitions.len(), steps, "nothing is judged on the way back");
    world.apply();
    assert_eq!(world.phase(), "superseded");
}

#[test]
fn a_promoted_release_shows_the_stages_that_it_left() {
    let shown = |world: &World| lockgate_rollout::shown::shown(&world.rollout, &world.transitions);
    let mut world = World::new(plan()).to_stage(3);
    assert_eq!(shown(&world), None, "it is under way");
    world.run(STAGE_MS, &good());
    let told = shown(&world).unwrap();
    assert_eq!((told.planned, told.overridden), (4, false));
    let weights: Vec<u32> = told.stages.iter().map(|stage| stage.weight_bp).collect();
    assert_eq!(weights, [0, 1_000, 5_000, WHOLE_BP]);
    assert!(told.stages.iter().all(|stage| stage.dwell_ms >= STAGE_MS), "{:?}", told.stages);
    assert!(!told.stages[1].passed.is_empty());
    let mut skipped = World::new(plan()).to_stage(1);
    skipped.command(Command::Promote).unwrap();
    let told = shown(&skipped).unwrap();
    assert!(told.overridden);
    assert_eq!(told.stages.len(), 2, "the ones after are not shown: {:?}", told.stages);
    let mut back = World::new(plan()).to_stage(2);
    back.command(Command::Abort).unwrap();
    back.apply();
    assert_eq!(shown(&back), None);
}
