//! What numbers lead to.

use lockgate_model::clock::Now;
use lockgate_model::hook::Confirm;
use lockgate_model::ids::{BootId, SecurityEventId};
use lockgate_model::plan::{
    Assurance, Bound, Judge, Metric, OnInsufficient, Plan, Trigger, WHOLE_BP,
};
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::{Command, Event};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::Phase;
use lockgate_rollout::view::view;
use lockgate_telemetry::arm::Arms;
use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, plan, signals};
use uuid::Uuid;

#[test]
fn s09_after_a_restart_in_mid_analysis_counters_go_on() {
    let mut plan = plan();
    plan.triggers[2].bound = Bound::AboveBaselineBy(0.0);
    let mut world = World::new(plan).to_stage(1);
    world.run(STAGE_MS / 2, &good());
    let id = SecurityEventId(Uuid::from_u128(9));
    let detail = "stable shows it too".into();
    world
        .event(&Event::Security { id, detail, by: "ada".into(), stable_shows_it: Some(true) })
        .unwrap();
    let before = world.rollout.clone();
    world.now = Now { boot: BootId(Uuid::from_u128(2)), monotonic_ms: 0, ..world.now };
    world.event(&Event::Restart).unwrap();
    let after = &world.rollout;
    assert_eq!(after.security_events, 1);
    assert_eq!((after.dwell_ms, after.elapsed_ms), (before.dwell_ms, before.elapsed_ms));
    assert_eq!((after.block, after.epoch), (before.block, before.epoch));
}

/// Runs for so many blocks, and sees that none reaches further back than it may.
fn held_for(world: &mut World, blocks: u64, seen: &Signals) {
    let block_ms = world.rollout.plan.block_ms();
    for _ in 0..blocks * block_ms / TICK_MS {
        world.pass_ms(TICK_MS);
        world.tick(seen);
        let block = world.rollout.block.unwrap();
        let age_ms = u64::try_from(world.now.wall_ms - block.since_wall_ms).unwrap();
        assert!(age_ms < block_ms, "{age_ms} ms in {}", world.phase());
    }
}

/// What judges look back on is read anew at every look: it must not grow with the time that somebody takes.
#[test]
fn a_release_that_is_held_looks_back_no_further_than_a_block() {
    let mut paused = World::new(plan()).to_stage(1);
    paused.command(Command::Pause).unwrap();
    let mut waiting = {
        let mut plan = plan();
        plan.stages[1].confirm = Some(Confirm::Person);
        World::new(plan).to_stage(1)
    };
    waiting.run(STAGE_MS, &good());
    let mut confirming = World::new(plan()).to_stage(1);
    confirming.run(STAGE_MS, &good());
    for (world, phase) in
        [(&mut paused, "paused"), (&mut waiting, "waiting_gate"), (&mut confirming, "confirming")]
    {
        assert_eq!(world.phase(), phase);
        world.tick(&good());
        let before = world.rollout.block.unwrap().number;
        held_for(world, 20, &good());
        assert_eq!(world.rollout.block.unwrap().number, before + 20, "{phase}");
    }
    // No block of an epoch begins before it is applied.
    let epoch = confirming.rollout.epoch;
    assert_ne!(confirming.rollout.block.unwrap().epoch, epoch);
    confirming.apply();
    confirming.tick(&good());
    assert_eq!(confirming.rollout.block.unwrap().epoch, epoch);
}

#[test]
fn a_fault_that_comes_after_a_long_hold_is_found_by_its_minutes() {
    let mut plan = plan();
    for trigger in &mut plan.triggers {
        trigger.judge = Judge::Statistical;
    }
    let planned = plan.blocks_max();
    let mut world = World::new(plan).to_stage(1);
    world.command(Command::Pause).unwrap();
    let epoch = world.rollout.epoch;
    let numbers = |errors: u64| Signals {
        evidence: [(epoch, signals_of(20_000, errors))].into(),
        ..signals(arm(20_000, errors, 100), arm(180_000, 0, 100))
    };
    held_for(&mut world, 20 * planned, &numbers(0));
    assert_eq!(world.phase(), "paused");
    world.pass_ms(TICK_MS);
    world.tick(&Signals { block: signals_of(300, 120), ..numbers(120) });
    assert_eq!(world.phase(), "rolling_back");
    let text = &world.last().causes[0].text;
    assert!(text.contains("seen in the last minutes"), "{text}");
}

/// A candidate with so many errors beside a stable version without.
fn signals_of(requests: u64, errors: u64) -> Arms {
    Arms { candidate: arm(requests, errors, 100), stable: arm(9 * requests, 0, 100) }
}

#[test]
fn s11_failures_at_the_limit_go_on_and_one_more_rolls_back() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(100, 5, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "running");
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn s14_neither_passed_nor_failed_extends_the_stage_and_then_rolls_back() {
    let mut world = World::new(plan()).to_stage(1);
    let few = signals(arm(99, 0, 100), arm(900, 0, 100));
    world.run(STAGE_MS, &few);
    assert_eq!(world.phase(), "extended");
    world.run(STAGE_MS - TICK_MS, &few);
    assert_eq!(world.phase(), "extended");
    world.run(TICK_MS, &few);
    assert_eq!(world.phase(), "rolling_back");
    assert!(world.last().causes[0].text.contains("99 of 100 requests"), "{:?}", world.last());
}

#[test]
fn s14_enough_samples_within_the_extension_pass() {
    let mut world = World::new(plan()).to_stage(1);
    world.run(STAGE_MS, &signals(arm(99, 0, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "extended");
    world.tick(&good());
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn a_proof_waits_for_as_much_as_it_takes() {
    let mut plan = plan();
    let gate = &mut plan.stages[1].gates[0];
    (gate.assurance, gate.judge) = (Assurance::Proved, Judge::Statistical);
    let some = || signals(arm(500, 0, 100), arm(4_500, 0, 100));
    let mut world = World::new(plan).to_stage(1);
    world.run(STAGE_MS, &some());
    assert_eq!(world.phase(), "extended");
    assert!(world.last().causes[0].text.contains("not proved yet"), "{:?}", world.last());
    world.run(TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
}

#[test]
fn a_failed_gate_rolls_back_at_the_end_of_its_stage() {
    let mut world = World::new(plan()).to_stage(1);
    let slow_all = signals(arm(1_000, 0, 230), arm(9_000, 0, 195));
    world.run(STAGE_MS - TICK_MS, &slow_all);
    assert_eq!(world.phase(), "running");
    world.run(TICK_MS, &slow_all);
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.last().causes[0].metric, Some(Metric::P95Ms));
}

#[test]
fn s16_when_one_metric_fails_the_others_are_judged_no_more() {
    let mut world = World::new(plan()).to_stage(1);
    let failing = signals(arm(100, 50, 100), arm(900, 0, 100));
    world.tick(&failing);
    assert_eq!(world.phase(), "rolling_back");
    let steps = world.transitions.len();
    let slow_too = signals(arm(100, 50, 900), arm(900, 0, 100));
    world.run(10 * STAGE_MS, &slow_too);
    assert_eq!(world.transitions.len(), steps);
    let seen = view(&world.rollout, &slow_too);
    assert_eq!((seen.gates, seen.triggers), (vec![], vec![]));
}

#[test]
fn s19_of_several_metrics_the_worst_verdict_wins() {
    let ends = |candidate, stable| {
        let mut world = World::new(calm()).to_stage(1);
        world.run(STAGE_MS, &signals(candidate, stable));
        (world.phase(), world.last().causes[0].metric)
    };
    let pass = ends(arm(1_000, 0, 100), arm(9_000, 0, 100));
    assert_eq!(pass.0, "confirming");
    let insufficient = ends(arm(50, 0, 100), arm(900, 0, 100));
    assert_eq!(insufficient.0, "extended");
    let fail = ends(arm(1_000, 0, 300), arm(9_000, 0, 100));
    assert_eq!(fail, ("rolling_back", Some(Metric::P95Ms)));
}

/// The test plan with nothing that fires on numbers.
fn calm() -> Plan {
    let mut plan = plan();
    plan.triggers.retain(|trigger| trigger.metric == Metric::SecurityEvents);
    plan
}

/// Too bad to pass, and not bad enough to be no chance.
#[test]
fn s20_neither_limit_met_is_inconclusive_and_ends_as_configured() {
    for (configured, phase) in
        [(OnInsufficient::Pause, "paused"), (OnInsufficient::Rollback, "rolling_back")]
    {
        let mut plan = calm();
        plan.on_insufficient = configured;
        let gate = &mut plan.stages[1].gates[0];
        (gate.bound, gate.judge) = (Bound::Below(0.05), Judge::Statistical);
        let mut world = World::new(plan).to_stage(1);
        let unclear = signals(arm(100, 6, 100), arm(900, 40, 100));
        world.run(STAGE_MS, &unclear);
        assert_eq!(world.phase(), "extended");
        assert_eq!(world.last().causes[0].verdict, Some(Verdict::Insufficient));
        world.run(STAGE_MS, &unclear);
        assert_eq!(world.phase(), phase);
    }
}

#[test]
fn s35_no_traffic_empty_and_nan_are_never_a_success() {
    for nothing in [signals(arm(0, 0, 0), arm(0, 0, 0)), Signals::default()] {
        let mut world = World::new(plan()).to_stage(1);
        world.run(2 * STAGE_MS - TICK_MS, &nothing);
        assert_eq!((world.phase(), world.rollout.stage), ("extended", 1));
        world.run(TICK_MS, &nothing);
        assert_eq!(world.phase(), "rolling_back");
    }
}

#[test]
fn s48_a_sick_baseline_pauses_instead_of_blaming_the_candidate() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(200, 20, 100), arm(900, 90, 100)));
    assert_eq!(world.phase(), "paused");
    let Phase::Paused { reason, .. } = &world.rollout.phase else { unreachable!() };
    assert!(reason.contains("stable version"), "{reason}");
    world.tick(&signals(arm(200, 100, 100), arm(900, 90, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn s49_of_two_triggers_in_one_tick_the_most_severe_acts_and_both_are_recorded() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(100, 50, 500), arm(900, 0, 100)));
    assert_eq!(world.mode_back(), Mode::Stopped);
    let metrics: Vec<_> = world.last().causes.iter().map(|cause| cause.metric).collect();
    assert_eq!(metrics, [Some(Metric::ErrorRate), Some(Metric::P95Ms)]);
}

/// Pinned conversations keep the real share at 10 % while the weight says 50 %: the denominator is
/// what was assigned.
#[test]
fn s50_judges_count_what_was_assigned_whatever_the_weight() {
    let mut plan = calm();
    let doubled = Trigger {
        bound: Bound::AboveBaselineBy(0.5),
        metric: Metric::ErrorRate,
        ..self::plan().triggers[0].clone()
    };
    plan.triggers.push(doubled);
    let mut world = World::new(plan).to_stage(2);
    assert!(world.rollout.weight_bp > WHOLE_BP / 10);
    world.tick(&signals(arm(1_000, 20, 100), arm(9_000, 180, 100)));
    assert_eq!(world.phase(), "running");
    world.tick(&signals(arm(1_000, 40, 100), arm(9_000, 180, 100)));
    assert_eq!(world.phase(), "rolling_back");
    let cause = &world.last().causes[0];
    assert_eq!((cause.n, cause.value, cause.baseline), (Some(1_000), Some(0.04), Some(0.02)));
}

#[test]
fn s17_a_dry_run_is_judged_and_shown_and_has_no_effect() {
    let mut plan = plan();
    plan.triggers.iter_mut().for_each(|trigger: &mut Trigger| trigger.dry_run = true);
    plan.stages[1].gates.iter_mut().for_each(|gate| gate.dry_run = true);
    let mut world = World::new(plan).to_stage(1);
    let bad = signals(arm(1_000, 500, 900), arm(900, 0, 100));
    world.tick(&bad);
    let seen = view(&world.rollout, &bad);
    let shown = |causes: &[lockgate_rollout::explain::Cause], rule: &str| {
        causes.iter().any(|cause| cause.rule == rule && cause.verdict == Some(Verdict::Fail))
    };
    assert!(shown(&seen.gates, "gate error_rate of stage ten (dry run)"), "{:?}", seen.gates);
    assert!(shown(&seen.triggers, "trigger error_rate (dry run)"), "{:?}", seen.triggers);
    assert!(seen.why.contains("all its gates pass"), "it waits for none of them: {}", seen.why);
    world.run(STAGE_MS, &bad);
    assert_eq!(world.rollout.stage, 2);
}

/// A plan that bears three failed looks in a row.
fn patient(on_insufficient: OnInsufficient) -> Plan {
    Plan { source_errors_max: 3, on_insufficient, ..plan() }
}

#[test]
fn s12_errors_of_the_source_at_the_limit_go_on_and_one_more_is_inconclusive() {
    for (configured, phase) in
        [(OnInsufficient::Pause, "paused"), (OnInsufficient::Rollback, "rolling_back")]
    {
        let mut world = World::new(patient(configured)).to_stage(1);
        for _ in 0..3 {
            world.source_fails();
        }
        assert_eq!(world.phase(), "running");
        let seen = view(&world.rollout, &good());
        assert!(seen.why.contains("could not be read 3 times in a row"), "{}", seen.why);
        world.source_fails();
        assert_eq!(world.phase(), phase);
        let cause = &world.last().causes[0];
        assert_eq!(cause.verdict, Some(Verdict::Insufficient));
        assert!(cause.text.contains("4 times in a row: connection refused"), "{cause:?}");
    }
}

/// Going on after that is no pass: the stage is judged as before.
#[test]
fn s12_resumed_after_a_failed_source_the_stage_goes_on_where_it_was() {
    let mut world = World::new(patient(OnInsufficient::Pause)).to_stage(1);
    for _ in 0..4 {
        world.source_fails();
    }
    world.command(Command::Resume).unwrap();
    assert_eq!((world.phase(), world.rollout.stage), ("running", 1));
    world.source_fails();
    assert_eq!(world.phase(), "running", "counted anew");
}

#[test]
fn s13_a_success_between_errors_of_the_source_resets_their_count() {
    let mut world = World::new(patient(OnInsufficient::Rollback)).to_stage(1);
    for _ in 0..3 {
        for _ in 0..3 {
            world.source_fails();
        }
        world.tick(&good());
        assert_eq!((world.phase(), world.rollout.source_errors), ("running", 0));
    }
}

/// Time in which nothing could be read is no time of the stage.
#[test]
fn s13_looks_that_failed_are_no_time_of_the_stage() {
    let mut world = World::new(patient(OnInsufficient::Rollback)).to_stage(1);
    world.tick(&good());
    world.source_fails();
    assert_eq!(world.rollout.dwell_ms, 0);
}
