//! What ends a release before its time, and how hard.

use lockgate_model::hook::Confirm;
use lockgate_model::ids::{FuseId, SecurityEventId};
use lockgate_model::plan::{AlertLevel, Bound, Metric};
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::NewRollout;
use lockgate_testkit::release::{STAGE_MS, World, arm, good, new_rollout, plan, signals};
use uuid::Uuid;

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

/// The gateway then does to a running conversation what the mode says: see `docs/scenarios.md`.
#[test]
fn s46_each_action_has_its_own_mode_for_running_conversations() {
    let mut switched = World::new(plan()).to_stage(1);
    switched.tick(&signals(arm(100, 0, 130), arm(900, 0, 100)));
    let until_wall_ms = switched.now.wall_ms + 600_000;
    assert_eq!(switched.mode_back(), Mode::Drain { until_wall_ms });
    let mut stopped = World::new(plan()).to_stage(1);
    stopped.tick(&signals(arm(100, 6, 100), arm(900, 0, 100)));
    assert_eq!(stopped.mode_back(), Mode::Stopped);
    let mut cut = World::new(plan()).to_stage(1);
    cut.security();
    assert_eq!(cut.mode_back(), Mode::Cut);
}

#[test]
fn s41_a_security_event_stops_immediately_in_every_state_before_the_end() {
    let paused = |mut world: World| {
        world.command(Command::Pause).unwrap();
        world
    };
    let extended = |mut world: World| {
        world.run(STAGE_MS, &Signals::default());
        world
    };
    let waiting = {
        let mut plan = plan();
        plan.stages[1].confirm = Some(Confirm::Person);
        let mut world = World::new(plan).to_stage(1);
        world.run(STAGE_MS, &good());
        assert_eq!(world.phase(), "waiting_gate");
        world
    };
    let frozen = {
        let mut plan = plan();
        plan.freeze = vec!["1970-01-01 00:00 - 1971-01-01 00:00 UTC".parse().unwrap()];
        let mut world = World::new(plan);
        assert_eq!(world.phase(), "pending");
        world.command(Command::Resume).unwrap();
        world.to_stage(0)
    };
    let pending = {
        let after = vec!["tools".parse().unwrap()];
        let new = NewRollout { waits_for: after, ..new_rollout(plan(), Some("v1")) };
        World::begin(new, 1_000_000)
    };
    let worlds = [
        waiting,
        frozen,
        pending,
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
fn s40_a_release_has_ended_only_when_all_traffic_is_known_to_be_on_stable() {
    let mut world = World::new(plan()).to_stage(2);
    world.command(Command::Abort).unwrap();
    world.run(10 * STAGE_MS, &good());
    assert!(!world.rollout.phase.is_end(), "the agent cannot be removed yet");
    world.apply();
    assert!(world.rollout.phase.is_end());
    assert_eq!((world.split().stable.as_str(), &world.split().candidate), ("v1", &None));
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

/// A gateway cut the candidate off by itself while control or the store was away.
#[test]
fn s45_a_fuse_takes_the_release_back_before_it_may_yield() {
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
fn security_events_that_stable_shows_too_only_count_when_the_plan_says_excess() {
    let mut plan = plan();
    plan.triggers[2].bound = Bound::AboveBaselineBy(0.0);
    let mut world = World::new(plan).to_stage(1);
    let id = SecurityEventId(Uuid::from_u128(9));
    let event = |stable_shows_it| Event::Security {
        id,
        detail: "seen".into(),
        by: "ada".into(),
        stable_shows_it,
    };
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
