//! Versions that come back, plans that change on the way, and releases that come after others.

use std::sync::Arc;

use lockgate_model::ids::RolloutId;
use lockgate_model::plan::{Bound, Metric, Plan, Trigger, WHOLE_BP};
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::state::PassedBefore;
use lockgate_rollout::view::view;
use lockgate_testkit::release::{
    STAGE_MS, WINDOW_MS, World, arm, good, new_rollout, plan, signals,
};
use uuid::Uuid;

const HOUR_MS: i64 = 3_600_000;
const NOW_MS: i64 = 1_000 * HOUR_MS;

/// A release of a version that was stable until so long ago, with a rollback window of a day.
fn comes_back(hours: i64, plan: Plan) -> World {
    let plan = Plan { rollback_window_ms: Some(24 * HOUR_MS.unsigned_abs()), ..plan };
    let until_wall_ms = NOW_MS - hours * HOUR_MS;
    let passed = PassedBefore { rollout: RolloutId(Uuid::from_u128(3)), until_wall_ms };
    let new = NewRollout { passed_before: Some(passed), ..new_rollout(plan, Some("v1")) };
    World::begin(new, NOW_MS)
}

#[test]
fn s26_a_version_that_passed_before_skips_its_stages_within_the_rollback_window() {
    let mut world = comes_back(24, plan());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 3));
    assert_eq!(world.rollout.weight_bp, WHOLE_BP);
    let recorded = world.last().causes.iter().find(|cause| cause.rule == "rollback window");
    let text = &recorded.unwrap().text;
    assert!(text.contains("00000003") && text.contains("stable until 1 d ago"), "{text}");
    world.apply();
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "promoted");
}

#[test]
fn s26_triggers_are_armed_on_the_short_way_too() {
    let mut world = comes_back(1, plan());
    world.apply();
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn s26_outside_the_rollback_window_all_stages_run() {
    assert_eq!(comes_back(25, plan()).rollout.stage, 0);
    let no_window = {
        let mut world = comes_back(1, plan());
        let mut rollout = new_rollout(plan(), Some("v1"));
        rollout.passed_before = world.rollout.passed_before.take();
        World::begin(rollout, NOW_MS)
    };
    assert_eq!(no_window.rollout.stage, 0, "the plan has none");
    let of_the_future = comes_back(-1, plan());
    assert_eq!(of_the_future.rollout.stage, 0, "a clock that jumped opens no door");
}

/// At night, on a weekend, the way back is open.
#[test]
fn s26_a_freeze_window_does_not_hold_up_the_way_back() {
    let mut plan = plan();
    plan.freeze = vec!["1970-01-01 00:00 - 1980-01-01 00:00 UTC".parse().unwrap()];
    assert_eq!(comes_back(25, plan.clone()).phase(), "pending");
    assert_eq!(comes_back(1, plan).phase(), "confirming");
}

#[test]
fn s29_when_it_has_ended_analysis_is_over_and_the_old_version_may_finish() {
    let mut world = World::new(plan()).to_stage(3);
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "promoted");
    let retiring = world.split().retiring.clone().unwrap();
    assert_eq!((retiring.version.as_str(), retiring.weight_bp), ("v1", 0));
    assert_eq!(world.rollout.overridden_by, None, "it may come back without its stages");
    let ended = world.rollout.clone();
    world.run(WINDOW_MS, &signals(arm(1_000, 1_000, 900), arm(9_000, 0, 100)));
    assert_eq!(world.rollout, ended);
}

#[test]
fn s28_who_forced_a_version_through_is_remembered_with_it() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Promote).unwrap();
    assert_eq!(world.rollout.overridden_by.as_deref(), Some("ada"));
}

/// The test plan with one stage more, and another gate in the stage of 50 %.
fn edited() -> Arc<Plan> {
    let mut plan = plan();
    let mut between = plan.stages[1].clone();
    (between.name, between.weight_bp) = ("quarter".into(), 2_500);
    plan.stages.insert(2, between);
    plan.stages[1].gates.clear();
    Arc::new(plan)
}

fn edit(world: &mut World, plan: &Arc<Plan>) {
    let event = Event::PlanChanged { plan: plan.clone(), by: "eve".into() };
    world.event(&event).unwrap();
}

#[test]
fn s27_an_edited_plan_takes_effect_at_the_next_stage() {
    let mut world = World::new(plan()).to_stage(1);
    let new = edited();
    edit(&mut world, &new);
    assert_eq!(world.last().causes[0].rule, "plan changed by eve");
    let text = &world.last().causes[0].text;
    assert!(text.contains("at the next stage, quarter; stage ten keeps its own"), "{text}");
    assert_eq!((world.phase(), world.rollout.stage().gates.len()), ("running", 2));
    let steps = world.transitions.len();
    edit(&mut world, &new);
    assert_eq!(world.transitions.len(), steps, "told once");
    world.run(STAGE_MS, &good());
    assert_eq!(world.rollout.plan, new);
    assert_eq!((world.rollout.stage().name.as_str(), world.rollout.weight_bp), ("quarter", 2_500));
    assert!(world.last().causes.iter().any(|cause| cause.rule == "plan changed"));
}

#[test]
fn s27_the_stage_under_way_is_judged_by_its_own_plan() {
    let mut world = World::new(plan()).to_stage(1);
    edit(&mut world, &edited());
    world.run(STAGE_MS, &signals(arm(1_000, 0, 230), arm(9_000, 0, 195)));
    assert_eq!(world.phase(), "rolling_back", "the edited plan has no gates there");
}

#[test]
fn s27_what_is_edited_back_changes_nothing_and_in_the_last_stage_there_is_no_next() {
    let mut world = World::new(plan()).to_stage(1);
    edit(&mut world, &edited());
    edit(&mut world, &Arc::new(plan()));
    world.run(STAGE_MS, &good());
    assert_eq!((world.rollout.stage().name.as_str(), world.rollout.stage), ("half", 2));
    let mut last = World::new(plan()).to_stage(3);
    edit(&mut last, &edited());
    assert!(last.last().causes[0].text.contains("takes no effect"), "{:?}", last.last());
    let steps = last.transitions.len();
    edit(&mut last, &edited());
    assert_eq!(last.transitions.len(), steps, "told once");
    last.run(STAGE_MS, &good());
    assert_eq!(last.phase(), "promoted");
}

/// A release that comes after those of two others.
fn dependent() -> World {
    let after = ["tools", "search"].map(|name| name.parse().unwrap()).to_vec();
    World::begin(NewRollout { waits_for: after, ..new_rollout(plan(), Some("v1")) }, NOW_MS)
}

fn ahead(world: &mut World, agent: &str, well: bool) {
    let detail = if well { "promoted" } else { "rolled_back" }.into();
    world.event(&Event::Ahead { agent: agent.parse().unwrap(), well, detail }).unwrap();
}

#[test]
fn a_release_begins_when_those_that_come_first_have_ended_well() {
    let mut world = dependent();
    assert_eq!((world.phase(), world.effects.len()), ("pending", 0));
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.elapsed_ms), ("pending", 0));
    let seen = view(&world.rollout, &good());
    assert!(seen.why.contains("tools, search"), "{}", seen.why);
    ahead(&mut world, "tools", true);
    ahead(&mut world, "tools", true);
    assert_eq!(world.phase(), "pending");
    ahead(&mut world, "search", true);
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 0));
    assert!(matches!(world.effects[0], Effect::SetSplit { .. }));
}

/// Its endpoint may not even be there yet.
#[test]
fn nothing_is_measured_of_a_release_that_has_not_begun() {
    let mut plan = plan();
    let fires =
        Trigger { metric: Metric::Health, bound: Bound::Equal(0.0), ..plan.triggers[0].clone() };
    plan.triggers.push(Trigger { min_samples: 1, ..fires });
    let after = vec!["tools".parse().unwrap()];
    let new = NewRollout { waits_for: after, ..new_rollout(plan, Some("v1")) };
    let mut world = World::begin(new, NOW_MS);
    let mut absent = good();
    (absent.candidate_healthy, absent.candidate_test_healthy) = (Some(false), Some(false));
    world.tick(&absent);
    assert_eq!(world.phase(), "pending");
    world.source_fails();
    ahead(&mut world, "tools", true);
    world.apply();
    world.tick(&absent);
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn a_release_whose_forerunner_failed_waits_for_a_person() {
    let mut world = dependent();
    ahead(&mut world, "tools", false);
    assert_eq!(world.phase(), "paused");
    assert!(world.last().causes[0].text.contains("tools: rolled_back"), "{:?}", world.last());
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "paused");
    world.command(Command::Resume).unwrap();
    assert_eq!(world.phase(), "confirming");
}

#[test]
fn a_pending_release_may_be_held_aborted_or_begun_by_a_person() {
    let mut held = dependent();
    held.command(Command::Pause).unwrap();
    held.command(Command::Resume).unwrap();
    assert_eq!(held.phase(), "pending", "what it waits for still comes first");
    held.command(Command::Resume).unwrap();
    assert_eq!(held.phase(), "confirming");
    let mut aborted = dependent();
    aborted.command(Command::Abort).unwrap();
    assert_eq!((aborted.split().stable.as_str(), &aborted.split().candidate), ("v1", &None));
    aborted.apply();
    assert_eq!(aborted.phase(), "aborted");
}
