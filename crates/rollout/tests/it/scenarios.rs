//! What a rollout controller must do, scenario by scenario.

use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, FuseId};
use lockgate_model::plan::{
    AlertLevel, Assurance, Bound, Judge, Metric, OnInsufficient, Trigger, WHOLE_BP,
};
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::Phase;
use lockgate_rollout::view::view;
use uuid::Uuid;

use lockgate_testkit::release::{STAGE_MS, TICK_MS, World, arm, good, plan, signals};

#[test]
fn first_version_is_stable_at_once_without_stages() {
    let world = World::start(plan(), None);
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.split().stable.as_str(), "v2");
    assert_eq!(world.transitions.len(), 1);
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
fn the_clock_of_a_stage_starts_only_when_its_weight_is_read_back() {
    let mut world = World::new(plan());
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.dwell_ms), ("confirming", 0));
    world.apply();
    world.run(STAGE_MS - TICK_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("running", 0));
}

#[test]
fn an_old_read_back_confirms_nothing() {
    let mut world = World::new(plan()).to_stage(0);
    world.run(STAGE_MS, &good());
    let old = lockgate_model::ids::Epoch(world.rollout.epoch.0 - 1);
    world.event(&Event::Applied { epoch: old }).unwrap();
    assert_eq!(world.phase(), "confirming");
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
fn paused_by_a_person_stays_paused_whatever_the_time_and_over_a_restart() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Pause).unwrap();
    world.run(10 * STAGE_MS, &good());
    world.now = Now { boot: BootId(Uuid::from_u128(2)), monotonic_ms: 5, ..world.now };
    world.event(&Event::Restart).unwrap();
    world.run(10 * STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("paused", 1));
    world.command(Command::Resume).unwrap();
    assert_eq!(world.phase(), "running");
}

#[test]
fn triggers_stay_armed_while_paused() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Pause).unwrap();
    world.tick(&signals(arm(100, 50, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn after_a_restart_the_remaining_time_is_left_not_the_whole() {
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
fn clock_jumps_end_no_stage_early_and_make_none_last_for_ever() {
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

#[test]
fn no_traffic_and_nan_extend_the_stage_and_then_roll_back() {
    let mut world = World::new(plan()).to_stage(1);
    let nothing = signals(arm(0, 0, 0), arm(0, 0, 0));
    world.run(STAGE_MS, &nothing);
    assert_eq!(world.phase(), "extended");
    world.run(STAGE_MS, &nothing);
    assert_eq!(world.phase(), "rolling_back");
    assert!(world.last().causes[0].text.contains("100 requests needed"), "{:?}", world.last());
}

#[test]
fn enough_samples_within_the_extension_pass() {
    let mut world = World::new(plan()).to_stage(1);
    world.run(STAGE_MS, &signals(arm(99, 0, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "extended");
    world.tick(&good());
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn insufficient_pauses_when_the_plan_says_so_and_resume_is_an_override_that_advances() {
    let mut plan = plan();
    plan.on_insufficient = OnInsufficient::Pause;
    let mut world = World::new(plan).to_stage(1);
    world.run(2 * STAGE_MS + TICK_MS, &Signals::default());
    assert_eq!(world.phase(), "paused");
    world.run(STAGE_MS, &Signals::default());
    assert_eq!(world.phase(), "paused");
    world.command(Command::Resume).unwrap();
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 2));
    assert!(world.last().causes[0].rule.contains("resume by ada"));
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
fn every_trigger_acts_as_the_plan_says() {
    let cases = [
        (signals(arm(100, 6, 100), arm(900, 0, 100)), Metric::ErrorRate, Mode::Stopped),
        (
            signals(arm(100, 0, 130), arm(900, 0, 100)),
            Metric::P95Ms,
            Mode::Drain { until_wall_ms: 0 },
        ),
    ];
    for (bad, metric, mode) in cases {
        let mut world = World::new(plan()).to_stage(1);
        world.tick(&bad);
        assert_eq!(world.phase(), "rolling_back", "{metric}");
        assert_eq!(world.last().causes[0].metric, Some(metric));
        assert_eq!(
            std::mem::discriminant(&world.mode_back()),
            std::mem::discriminant(&mode),
            "{metric}"
        );
        world.apply();
        assert_eq!(world.phase(), "rolled_back");
    }
}

#[test]
fn errors_at_the_limit_go_on_and_one_more_rolls_back() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(100, 5, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "running");
    world.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn a_dry_run_trigger_and_gate_have_no_effect() {
    let mut plan = plan();
    plan.triggers.iter_mut().for_each(|trigger: &mut Trigger| trigger.dry_run = true);
    plan.stages[1].gates.iter_mut().for_each(|gate| gate.dry_run = true);
    let mut world = World::new(plan).to_stage(1);
    world.run(STAGE_MS, &signals(arm(1_000, 500, 900), arm(900, 0, 100)));
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn two_triggers_in_one_tick_the_most_severe_acts_and_both_are_recorded() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(100, 50, 500), arm(900, 0, 100)));
    assert_eq!(world.mode_back(), Mode::Stopped);
    let metrics: Vec<_> = world.last().causes.iter().map(|cause| cause.metric).collect();
    assert_eq!(metrics, [Some(Metric::ErrorRate), Some(Metric::P95Ms)]);
}

#[test]
fn security_event_stops_immediately_in_every_state_before_the_end() {
    let paused = |mut world: World| {
        world.command(Command::Pause).unwrap();
        world
    };
    let extended = |mut world: World| {
        world.run(STAGE_MS, &Signals::default());
        world
    };
    let worlds = [
        World::new(plan()),
        World::new(plan()).to_stage(1),
        paused(World::new(plan()).to_stage(2)),
        extended(World::new(plan()).to_stage(1)),
    ];
    for mut world in worlds {
        world.security();
        assert_eq!(world.mode_back(), Mode::Cut);
        assert!(world.rollout.revoked);
        let revoked = world.effects.iter().any(|effect| matches!(effect, Effect::Revoke { .. }));
        assert!(revoked);
        world.apply();
        assert_eq!(world.phase(), "rolled_back");
    }
}

#[test]
fn a_rollback_under_way_only_becomes_more_severe() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Abort).unwrap();
    assert!(matches!(world.mode_back(), Mode::Drain { .. }));
    let epoch = world.rollout.epoch;
    world.security();
    assert_eq!(world.mode_back(), Mode::Cut);
    assert_eq!(world.rollout.epoch, epoch.next());
    world.tick(&signals(arm(100, 50, 100), arm(900, 0, 100)));
    assert_eq!(world.mode_back(), Mode::Cut);
}

#[test]
fn a_fuse_takes_the_release_back_before_it_may_yield() {
    let mut world = World::new(plan()).to_stage(1);
    let id = FuseId(Uuid::from_u128(3));
    let event = Event::Fuse { id, cause: "20 errors in a row".into(), security: false };
    world.event(&event).unwrap();
    world.event(&event).unwrap();
    assert_eq!(world.mode_back(), Mode::Stopped);
    let order: Vec<_> = world
        .effects
        .iter()
        .skip_while(|e| !matches!(e, Effect::SetSplit { split } if split.candidate.is_none()))
        .collect();
    assert!(matches!(order.last(), Some(Effect::AcknowledgeFuses { ids }) if *ids == [id]));
    assert_eq!(
        world.effects.iter().filter(|e| matches!(e, Effect::AcknowledgeFuses { .. })).count(),
        1
    );
}

#[test]
fn abort_reaches_zero_also_when_the_candidate_is_unhealthy() {
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
fn a_newer_version_first_brings_the_weight_to_zero() {
    let mut world = World::new(plan()).to_stage(2);
    world.event(&Event::Superseded { by: "v3".parse().unwrap() }).unwrap();
    assert_eq!((world.phase(), world.rollout.weight_bp), ("rolling_back", 0));
    world.apply();
    assert_eq!(world.phase(), "superseded");
}

#[test]
fn promote_skips_what_is_left_and_says_who_and_why() {
    let mut world = World::new(plan()).to_stage(1);
    world.command(Command::Promote).unwrap();
    assert_eq!(world.phase(), "promoted");
    assert_eq!(world.last().causes[0].rule, "command promote by ada");
    assert_eq!(world.last().causes[0].text, "because");
    assert_eq!(world.split().stable.as_str(), "v2");
}

#[test]
fn no_weight_is_raised_while_the_candidate_is_unhealthy() {
    let mut world = World::new(plan()).to_stage(1);
    let mut sick = good();
    sick.candidate_healthy = Some(false);
    world.run(STAGE_MS, &sick);
    assert_eq!((world.phase(), world.rollout.stage), ("extended", 1));
    world.tick(&good());
    assert_eq!(world.rollout.stage, 2);
}

#[test]
fn a_sick_baseline_pauses_instead_of_blaming_the_candidate() {
    let mut world = World::new(plan()).to_stage(1);
    world.tick(&signals(arm(200, 20, 100), arm(900, 90, 100)));
    assert_eq!(world.phase(), "paused");
    let Phase::Paused { reason, .. } = &world.rollout.phase else { unreachable!() };
    assert!(reason.contains("stable version"), "{reason}");
    world.tick(&signals(arm(200, 100, 100), arm(900, 90, 100)));
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn the_progress_deadline_rolls_back() {
    let mut plan = plan();
    plan.progress_deadline_ms = Some(3 * STAGE_MS);
    let mut world = World::new(plan);
    world.run(4 * STAGE_MS, &good());
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.last().causes[0].rule, "progress deadline");
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

#[test]
fn security_events_that_stable_shows_too_only_count_when_the_plan_says_excess() {
    let mut plan = plan();
    plan.triggers[2].bound = Bound::AboveBaselineBy(0.0);
    let mut world = World::new(plan).to_stage(1);
    let id = lockgate_model::ids::SecurityEventId(Uuid::from_u128(9));
    let event = |stable_shows_it| Event::Security { id, detail: "seen".into(), stable_shows_it };
    world.event(&event(Some(true))).unwrap();
    assert_eq!((world.phase(), world.rollout.security_events), ("running", 1));
    world.event(&event(None)).unwrap();
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn every_alert_level_comes_from_what_fired() {
    let mut world = World::new(plan()).to_stage(1);
    world.security();
    let alerts: Vec<_> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify { alert } => Some((alert.level, alert.title.as_str())),
            _ => None,
        })
        .collect();
    let title = "support: version v2 rolled back (stop_immediately)";
    assert_eq!(alerts, [(AlertLevel::Highest, title)]);
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
    assert!(ended.why.contains("taken back: error_rate is 0.5 over 100 requests"), "{}", ended.why);
}
