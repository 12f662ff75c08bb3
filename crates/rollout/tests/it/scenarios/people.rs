//! What people say, and what only people may do.

use lockgate_model::clock::Now;
use lockgate_model::hook::Confirm;
use lockgate_model::ids::BootId;
use lockgate_model::plan::{OnInsufficient, Plan};
use lockgate_rollout::event::{Command, Effect, Event, OutsideGate};
use lockgate_rollout::signals::Signals;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, plan, signals};
use uuid::Uuid;

#[test]
fn s06_paused_by_a_person_stays_paused_when_its_time_is_over() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Pause).unwrap();
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage, world.rollout.dwell_ms), ("paused", 1, 0));
}

#[test]
fn s07_paused_stays_paused_over_a_restart() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Pause).unwrap();
    world.now = Now { boot: BootId(Uuid::from_u128(2)), monotonic_ms: 5, ..world.now };
    world.event(&Event::Restart).unwrap();
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("paused", 1));
    world.command(Command::Resume).unwrap();
    assert_eq!(world.phase(), "running");
}

/// What went by while it was held is no time of the stage.
#[test]
fn time_on_hold_does_not_count_when_it_goes_on() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&good());
    world.command(Command::Pause).unwrap();
    world.pass_ms(TICK_MS);
    world.command(Command::Resume).unwrap();
    world.tick(&good());
    assert_eq!(world.rollout.dwell_ms, 0);
}

#[test]
fn triggers_stay_armed_while_paused() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Pause).unwrap();
    world.tick(&signals(arm(100, 50, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn s15_resume_after_inconclusive_is_an_override_that_advances_once() {
    let mut plan = plan();
    plan.on_insufficient = OnInsufficient::Pause;
    let mut world = World::new(plan).to_stage(1);
    world.run(2 * STAGE_MS + TICK_MS, &Signals::default());
    assert_eq!(world.phase(), "paused");
    let steps = world.transitions.len();
    world.run(STAGE_MS, &Signals::default());
    assert_eq!((world.phase(), world.transitions.len()), ("paused", steps), "not judged again");
    world.command(Command::Resume).unwrap();
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
    assert!(world.last().causes[0].rule.contains("resume by ada"));
    assert_eq!(world.last().causes[0].text, "because");
}

#[test]
fn s21_abort_brings_the_weight_to_0_ends_the_analysis_and_keeps_the_reason() {
    let mut world = World::new(plan()).to_stage(2);
    world.command(Command::Abort).unwrap();
    assert_eq!((world.rollout.weight_bp, &world.split().candidate), (0, &None));
    assert_eq!(world.last().causes[0].rule, "command abort by ada");
    let steps = world.transitions.len();
    world.run(STAGE_MS, &signals(arm(100, 100, 900), arm(900, 0, 100)));
    assert_eq!(world.transitions.len(), steps);
    world.apply();
    assert_eq!(world.phase(), "aborted");
    assert_eq!(world.rollout.taken_back_because.as_deref(), Some("because"));
}

#[test]
fn s22_abort_reaches_zero_also_when_the_candidate_is_unhealthy() {
    let mut world = World::new(plan()).to_stage(2);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.tick(&sick);
    world.command(Command::Abort).unwrap();
    assert_eq!(world.rollout.weight_bp, 0);
    world.apply();
    assert_eq!(world.phase(), "aborted");
    assert!(world.command(Command::Resume).is_err());
}

#[test]
fn s28_promote_skips_what_is_left_and_says_who_and_why() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Promote).unwrap();
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.last().causes[0].rule, "command promote by ada");
    assert_eq!(world.last().causes[0].text, "because");
    assert_eq!(world.split().stable.as_str(), "v2");
}

#[test]
fn commands_that_make_no_sense_are_refused_with_a_reason() {
    let mut world = World::new(plan()).to_stage(1);
    assert!(world.command(Command::Resume).is_err());
    world.command(Command::Pause).unwrap();
    assert!(world.command(Command::Pause).is_err());
    world.command(Command::Abort).unwrap();
    for command in [Command::Pause, Command::Resume, Command::Promote, Command::Abort] {
        assert!(world.command(command).is_err(), "{command:?} while rolling back");
    }
}

#[test]
fn a_pause_before_the_read_back_resumes_where_it_was() {
    let mut world = World::new(plan());
    world.command(Command::Pause).unwrap();
    world.command(Command::Resume).unwrap();
    assert_eq!(world.phase(), "confirming");
    world.command(Command::Pause).unwrap();
    world.apply();
    world.command(Command::Resume).unwrap();
    assert_eq!(world.phase(), "running");
}

/// The stage of 10 % needs a person.
fn confirmed() -> Plan {
    let mut plan = plan();
    plan.stages[1].confirm = Some(Confirm::Person);
    plan
}

/// A release whose stage has passed and waits.
fn waiting() -> World {
    let mut world = World::new(confirmed()).to_stage(1);
    world.run(STAGE_MS, &good());
    assert_eq!(world.phase(), "waiting_gate");
    world
}

#[test]
fn s33_a_closed_confirm_gate_waits_and_an_opened_one_goes_on() {
    let mut world = World::new(confirmed()).to_stage(1);
    let early = world.gate(OutsideGate::Confirm, true).unwrap_err();
    assert!(early.to_string().contains("no stage of it waits"), "{early}");
    world.run(STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("waiting_gate", 1));
    assert!(matches!(world.effects.last(), Some(Effect::Notify { .. })), "someone must know");
    world.run(10 * STAGE_MS, &good());
    world.gate(OutsideGate::Confirm, false).unwrap();
    assert_eq!((world.phase(), world.rollout.stage), ("waiting_gate", 1));
    world.gate(OutsideGate::Confirm, true).unwrap();
    assert_eq!(world.last().causes[0].rule, "gate confirm of stage ten opened by bob");
    assert_eq!(world.last().causes[0].text, "looked at it");
    world.tick(&good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
    world.apply();
    world.run(STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 3), "one yes, one stage");
}

/// A webhook that was asked about one stage and answers when the next one waits.
#[test]
fn s33_a_late_yes_opens_no_stage_that_it_was_not_asked_about() {
    let mut plan = confirmed();
    plan.stages[2].confirm = Some(Confirm::Person);
    let mut world = World::new(plan).to_stage(1);
    world.run(STAGE_MS, &good());
    let first = world.rollout.about();
    world.gate(OutsideGate::Confirm, true).unwrap();
    world.tick(&good());
    world.apply();
    world.run(STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("waiting_gate", 2));
    let late = world.answer(OutsideGate::Confirm, Some(first), true).unwrap_err();
    assert!(late.to_string().contains("about what is over"), "{late}");
    assert_eq!(world.phase(), "waiting_gate");
    // The same stage under a weight that was written again is another question.
    let before = world.rollout.about();
    world.event(&Event::Drifted { found: "80 %".into() }).unwrap();
    world.apply();
    world.tick(&good());
    assert_eq!(world.phase(), "waiting_gate");
    assert!(world.answer(OutsideGate::Confirm, Some(before), true).is_err());
    let now = world.rollout.about();
    world.answer(OutsideGate::Confirm, Some(now), true).unwrap();
    assert_eq!(world.phase(), "running");
    // To take back is about the whole release.
    world.answer(OutsideGate::Rollback, Some(first), true).unwrap();
    assert_eq!(world.phase(), "rolling_back");
}

/// What was good on Friday may be bad on Monday.
#[test]
fn s33_gates_must_still_hold_when_the_stage_was_confirmed() {
    let mut world = waiting();
    world.gate(OutsideGate::Confirm, true).unwrap();
    world.tick(&signals(arm(1_000, 0, 230), arm(9_000, 0, 195)));
    assert_eq!(world.phase(), "rolling_back");
    let mut world = waiting();
    world.gate(OutsideGate::Confirm, true).unwrap();
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.tick(&sick);
    assert_eq!((world.phase(), world.rollout.stage), ("extended", 1));
}

#[test]
fn s33_triggers_stay_armed_while_it_waits() {
    let mut world = waiting();
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn s34_a_rollback_gate_that_opens_while_it_waits_rolls_back() {
    let mut world = waiting();
    world.gate(OutsideGate::Rollback, false).unwrap();
    assert_eq!(world.phase(), "waiting_gate");
    world.gate(OutsideGate::Rollback, true).unwrap();
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.last().causes[0].rule, "rollback gate opened by bob");
    let steps = world.transitions.len();
    world.gate(OutsideGate::Rollback, true).unwrap();
    assert_eq!(world.transitions.len(), steps, "once is enough");
    world.apply();
    assert_eq!(world.phase(), "rolled_back");
}

#[test]
fn s34_at_any_other_moment_too() {
    let paused = {
        let mut world = World::new(plan()).to_stage(1);
        world.command(Command::Pause).unwrap();
        world
    };
    for mut world in [World::new(plan()), World::new(plan()).to_stage(2), paused] {
        world.gate(OutsideGate::Rollback, true).unwrap();
        assert_eq!((world.phase(), world.rollout.weight_bp), ("rolling_back", 0));
    }
}
