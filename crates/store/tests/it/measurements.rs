//! Windows, and the signals that judges read from them.

use lockgate_model::ids::Epoch;
use lockgate_model::interaction::ErrorClass;
use lockgate_model::plan::Environment;
use lockgate_model::ports::Snapshots as _;
use lockgate_rollout::state::Rollout;
use lockgate_store::ReleaseKeys;
use lockgate_telemetry::arm::{Arm, Keys, Probed};
use lockgate_telemetry::ports::Windows as _;

use crate::world::{
    Database, LONG_MS, SHORT_MS, T0, agent_a, arm, ended, health, keys, report, rollout, window,
};

/// Keys that nobody has met before.
fn counted(assigned: u64, erroring: u64) -> Keys {
    Keys {
        assigned,
        erroring,
        at_risk: assigned,
        first_errors: erroring,
        first_assigned: assigned,
        keys_dropped: 0,
    }
}

/// Keys of an epoch of a release that all of them were in before.
fn met_again(assigned: u64, erroring: u64, at_risk: u64, first_errors: u64) -> Keys {
    Keys { at_risk, first_errors, first_assigned: 0, ..counted(assigned, erroring) }
}

pub(crate) async fn a_window_counts_once(db: &Database) {
    let rollout = rollout("agent-a");
    let one = window("gw-1", 1, "v2", &rollout);
    let two = window("gw-1", 2, "v2", &rollout);
    db.publish(vec![one.clone(), one.clone()]).await.unwrap();
    db.publish(vec![one, two.clone()]).await.unwrap();
    let mut other_boot = two.clone();
    other_boot.boot.0 = uuid::Uuid::max();
    let mut other_gateway = two;
    other_gateway.gateway = "gw-2".parse().unwrap();
    db.publish(vec![other_boot, other_gateway]).await.unwrap();

    let signals = db.signals(&rollout, T0).await.unwrap();
    let candidate = &signals.evidence[&Epoch(1)].candidate;
    assert_eq!((candidate.assigned, candidate.completed), (4, 4));
    assert_eq!(candidate.plain.total.count(), 4);
    assert_eq!(candidate.cost.sum_squares, 4 * 10_u128.pow(18));
    assert_eq!(signals.recent[&SHORT_MS].candidate, *candidate);
    assert_eq!(signals.evidence[&Epoch(1)].stable, Arm::default());
}

pub(crate) async fn evidence_is_by_epoch_and_version_of_one_rollout(db: &Database) {
    let (ours, theirs) = (rollout("agent-a"), rollout("agent-a"));
    let mut windows = vec![
        window("gw-1", 1, "v1", &ours),
        window("gw-1", 2, "v2", &ours),
        window("gw-1", 3, "v2", &ours),
        window("gw-1", 4, "v0", &ours),
        window("gw-1", 5, "v2", &theirs),
        window("gw-1", 6, "v2", &ours),
    ];
    windows[2].epoch = Epoch(2);
    windows[2].arm = arm(Some(ErrorClass::Timeout));
    windows[5].rollout = None;
    db.publish(windows).await.unwrap();

    let signals = db.signals(&ours, T0).await.unwrap();
    assert_eq!(signals.evidence.len(), 2);
    let first = &signals.evidence[&Epoch(1)];
    assert_eq!((first.candidate.assigned, first.stable.assigned), (1, 1));
    let second = &signals.evidence[&Epoch(2)];
    assert_eq!((second.candidate.errors_charged(), second.stable.assigned), (1, 0));
    let recent = &signals.recent[&SHORT_MS];
    assert_eq!((recent.candidate.assigned, recent.stable.assigned), (2, 1));
    // outside rollouts everything of a version counts
    let arm = db.arm_since(&agent_a(), &ours.candidate, T0).await.unwrap();
    assert_eq!(arm.assigned, 4);
    let later = db.arm_since(&agent_a(), &ours.candidate, T0 + 1).await.unwrap();
    assert_eq!(later, Arm::default());
}

pub(crate) async fn keys_are_distinct_across_gateways_and_seconds(db: &Database) {
    let rollout = rollout("agent-a");
    let mut first = window("gw-1", 1, "v2", &rollout);
    first.keys = keys(&[(1, false), (2, false), (u64::MAX, true)]);
    let mut second = window("gw-2", 1, "v2", &rollout);
    second.keys = keys(&[(1, true), (2, false), (4, false)]);
    // an error after a good answer, and a good answer after an error
    let mut third = window("gw-1", 2, "v2", &rollout);
    third.keys = keys(&[(2, true), (u64::MAX, false)]);
    third.second_wall_ms = T0 - 20_000;
    let mut next_epoch = window("gw-1", 3, "v2", &rollout);
    next_epoch.epoch = Epoch(2);
    next_epoch.keys = keys(&[(1, false)]);
    db.publish(vec![first.clone(), second]).await.unwrap();
    db.publish(vec![third, next_epoch, first]).await.unwrap();

    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.evidence[&Epoch(1)].candidate.keys, counted(4, 3));
    assert_eq!(signals.evidence[&Epoch(2)].candidate.keys, met_again(1, 0, 0, 0));
    assert_eq!(signals.recent[&SHORT_MS].candidate.keys, counted(4, 2));
    assert_eq!(signals.recent[&LONG_MS].candidate.keys, counted(4, 3));
    let arm = db.arm_since(&agent_a(), &rollout.candidate, 0).await.unwrap();
    assert_eq!(arm.keys, counted(4, 3));
}

pub(crate) async fn keys_of_several_epochs_count_once_in_the_release(db: &Database) {
    let rollout = rollout("agent-a");
    let publish = async |gateway: &str, seq, version: &str, epoch, seen: &[(u64, bool)]| {
        let mut window = window(gateway, seq, version, &rollout);
        window.epoch = Epoch(epoch);
        window.keys = keys(seen);
        db.publish(vec![window]).await.unwrap();
    };
    publish("gw-1", 1, "v2", 1, &[(1, false), (2, true), (3, false)]).await;
    publish("gw-2", 1, "v2", 1, &[(1, false), (2, true), (u64::MAX, false)]).await;
    publish("gw-1", 2, "v2", 2, &[(1, true), (2, true), (5, false), (6, true)]).await;
    publish("gw-2", 2, "v2", 2, &[(1, false), (2, true), (u64::MAX, true)]).await;
    // late, of the first epoch: its error is not the first one
    publish("gw-2", 3, "v2", 1, &[(1, true), (7, false)]).await;
    publish("gw-1", 3, "v1", 2, &[(1, false), (5, true)]).await;
    // an epoch without anybody new
    publish("gw-1", 4, "v2", 3, &[(1, true), (5, true), (7, false)]).await;
    let repeated = 4;
    publish("gw-1", repeated, "v2", 3, &[(9, true)]).await;

    let of = |assigned, erroring, erred_before| ReleaseKeys { assigned, erroring, erred_before };
    let nobody = ReleaseKeys::default();
    let release = db.release_keys(&rollout).await.unwrap();
    assert_eq!(release[&Epoch(1)], [of(5, 1, 0), nobody]);
    assert_eq!(release[&Epoch(2)], [of(2, 3, 1), of(2, 1, 0)]);
    assert_eq!(release[&Epoch(3)], [of(0, 1, 1), nobody]);
    let evidence = db.signals(&rollout, T0).await.unwrap().evidence;
    let in_epoch = |epoch| evidence[&Epoch(epoch)].candidate.keys;
    let late = Keys { first_assigned: 5, ..met_again(5, 2, 5, 1) };
    let second = Keys { first_assigned: 2, ..met_again(5, 4, 4, 3) };
    assert_eq!([1, 2, 3].map(in_epoch), [late, second, met_again(3, 2, 2, 1)]);
    let recent = &db.signals(&rollout, T0).await.unwrap().recent[&SHORT_MS];
    assert_eq!(recent.candidate.keys, counted(7, 5), "as many as the epochs of the release add");
}

pub(crate) async fn more_keys_than_one_statement_holds(db: &Database) {
    let rollout = rollout("agent-a");
    let mut window = window("gw-1", 1, "v2", &rollout);
    window.keys = keys(&(0..20_000).map(|key| (key, key % 2 == 0)).collect::<Vec<_>>());
    db.publish(vec![window]).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.evidence[&Epoch(1)].candidate.keys, counted(20_000, 10_000));
}

pub(crate) async fn dropped_keys_are_told(db: &Database) {
    let rollout = rollout("agent-a");
    let mut windows = vec![window("gw-1", 1, "v2", &rollout), window("gw-1", 2, "v2", &rollout)];
    for window in &mut windows {
        window.keys_dropped = 3;
        window.keys = keys(&[(window.seq, false)]);
    }
    db.publish(windows).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    let expected = Keys { keys_dropped: 6, ..counted(2, 0) };
    assert_eq!(signals.evidence[&Epoch(1)].candidate.keys, expected);
    assert_eq!(signals.recent[&LONG_MS].candidate.keys, expected);
}

pub(crate) async fn what_came_in_an_initial_delay_is_not_recent(db: &Database) {
    let mut rollout = rollout("agent-a");
    db.publish(vec![window("gw-1", 1, "v2", &rollout)]).await.unwrap();
    let recent = async |rollout: &Rollout| {
        let signals = db.signals(rollout, T0).await.unwrap();
        signals.recent[&LONG_MS].candidate.assigned
    };
    assert_eq!(recent(&rollout).await, 1);
    rollout.warm_epochs = vec![Epoch(1)];
    assert_eq!(recent(&rollout).await, 0);
}

/// Users' judges read nothing of what a candidate did before there were users.
pub(crate) async fn what_was_seen_in_the_test_environment_is_kept_apart(db: &Database) {
    let mut rollout = rollout("agent-a");
    let mut plan = (*rollout.plan).clone();
    let mut test = plan.stages[0].clone();
    (test.weight_bp, test.environment) = (0, Environment::Test);
    plan.stages.insert(0, test);
    rollout.plan = plan.into();
    rollout.test_epochs = vec![Epoch(1)];
    let mut seen = window("gw-1", 1, "v2", &rollout);
    seen.arm.mirrored.sent = 1;
    seen.arm.probes.insert("p".into(), Probed::of(Err("it was wrong".into())));
    db.publish(vec![seen]).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.tested.probes.len(), 1);
    rollout.probes_since = Epoch(2);
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.tested.probes.len(), 0, "that was another set");
    assert_eq!(signals.evidence[&Epoch(1)].candidate.assigned, 1, "triggers look at copies");
    assert_eq!(signals.recent[&LONG_MS].candidate.assigned, 1);
    assert_eq!(signals.tested.mirrored.sent, 1);
    rollout.stage = 1;
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.evidence.get(&Epoch(1)), None);
    assert_eq!(signals.recent[&LONG_MS].candidate.assigned, 0);
    assert_eq!(signals.tested.mirrored.sent, 1, "it is still told");
}

/// Who was met there only as a copy is a new user when they come themselves, and so is their error.
pub(crate) async fn keys_met_in_the_test_environment_are_new_to_the_stages_with_users(
    db: &Database,
) {
    let fence = db.fence().await;
    let mut rollout = rollout("agent-a");
    let mut plan = (*rollout.plan).clone();
    let mut test = plan.stages[0].clone();
    (test.weight_bp, test.environment) = (0, Environment::Test);
    plan.stages.insert(0, test);
    rollout.plan = plan.into();
    rollout.test_epochs = vec![Epoch(1), Epoch(2)];
    db.create_rollout(fence, &rollout, None, &[], &[]).await.unwrap();
    let publish = async |seq, version: &str, epoch, seen: &[(u64, bool)]| {
        let mut window = window("gw-1", seq, version, &rollout);
        window.epoch = Epoch(epoch);
        window.keys = keys(seen);
        db.publish(vec![window]).await.unwrap();
    };
    publish(1, "v2", 1, &[(1, true), (2, false), (3, false)]).await;
    publish(2, "v1", 1, &[(1, true), (2, false), (3, false), (4, false)]).await;
    publish(3, "v2", 2, &[(1, true), (4, false)]).await;
    publish(4, "v2", 3, &[(1, true), (5, false)]).await;
    publish(5, "v1", 3, &[(2, false), (3, true)]).await;

    let of = |assigned, erroring, erred_before| ReleaseKeys { assigned, erroring, erred_before };
    let release = db.release_keys(&rollout).await.unwrap();
    assert_eq!(release[&Epoch(1)], [of(3, 1, 0), of(4, 1, 0)]);
    assert_eq!(release[&Epoch(2)], [of(1, 0, 1), of(0, 0, 0)]);
    let users = Rollout { stage: 1, epoch: Epoch(3), ..rollout.clone() };
    let release = db.release_keys(&users).await.unwrap();
    assert_eq!(release.keys().copied().collect::<Vec<_>>(), [Epoch(3)]);
    assert_eq!(release[&Epoch(3)], [of(2, 1, 0), of(2, 1, 0)]);
    let evidence = db.signals(&users, T0).await.unwrap().evidence;
    assert_eq!(evidence[&Epoch(3)].candidate.keys, counted(2, 1), "their errors count");
}

pub(crate) async fn recent_is_what_happened_within_each_window(db: &Database) {
    let rollout = rollout("agent-a");
    let ages_ms = [0, 9_999, 10_000, 59_999, 60_000];
    let windows = ages_ms.iter().zip(1..).map(|(age_ms, seq)| {
        let mut window = window("gw-1", seq, "v2", &rollout);
        window.second_wall_ms = T0 - age_ms;
        window
    });
    db.publish(windows.collect()).await.unwrap();
    let at = async |now| db.signals(&rollout, now).await.unwrap();
    let signals = at(T0).await;
    let lengths: Vec<_> = signals.recent.keys().copied().collect();
    assert_eq!(lengths, [SHORT_MS, LONG_MS]);
    assert_eq!(signals.recent[&SHORT_MS].candidate.assigned, 2);
    assert_eq!(signals.recent[&LONG_MS].candidate.assigned, 4);
    assert_eq!(signals.evidence[&Epoch(1)].candidate.assigned, 5);
    let signals = at(T0 + 100_000).await;
    assert_eq!(signals.recent[&LONG_MS].candidate, Arm::default());
    assert_eq!(signals.evidence[&Epoch(1)].candidate.assigned, 5);
}

pub(crate) async fn an_ended_rollout_gathers_no_more_evidence(db: &Database) {
    let fence = db.fence().await;
    let rollout = rollout("agent-a");
    let ended = ended(&rollout, T0);
    db.create_rollout(fence, &ended, None, &[], &[]).await.unwrap();
    let mut late = window("gw-1", 1, "v2", &rollout);
    late.keys = keys(&[(1, false)]);
    let mut after = window("gw-1", 2, "v2", &rollout);
    after.second_wall_ms = T0 + 1_000;
    after.keys = keys(&[(2, false)]);
    db.publish(vec![late, after]).await.unwrap();
    let signals = db.signals(&ended, T0).await.unwrap();
    assert_eq!(signals.evidence[&Epoch(1)].candidate.assigned, 1);
    assert_eq!(signals.evidence[&Epoch(1)].candidate.keys, counted(1, 0));
    let arm = db.arm_since(&agent_a(), &rollout.candidate, T0).await.unwrap();
    assert_eq!(arm.assigned, 2, "as traffic of the version it counts");
}

pub(crate) async fn gateways_must_agree_on_health(db: &Database) {
    let rollout = rollout("agent-a");
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!((signals.candidate_healthy, signals.candidate_test_healthy), (None, None));
    let cases = [
        ((Some(true), None), (Some(true), None)),
        ((Some(true), Some(true)), (Some(true), None)),
        ((None, Some(false)), (None, Some(false))),
        ((Some(false), Some(true)), (Some(false), None)),
    ];
    let with_health = |gateway: &str, production, test| {
        let mut report = report(gateway, 0);
        report.health = vec![health(&rollout, production, test)];
        report
    };
    db.exchange(with_health("gw-1", Some(true), None), 0).await.unwrap();
    for ((production, test), expected) in cases {
        db.exchange(with_health("gw-2", production, test), 0).await.unwrap();
        let signals = db.signals(&rollout, T0).await.unwrap();
        assert_eq!((signals.candidate_healthy, signals.candidate_test_healthy), expected);
    }
    db.exchange(report("gw-2", 0), 0).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.candidate_healthy, None, "a gateway that says nothing does not know");
}

pub(crate) async fn health_counts_once_it_was_checked_under_the_weight_in_force(db: &Database) {
    let rollout = rollout("agent-a");
    let mut before = report("gw-1", 0);
    before.health = vec![health(&rollout, Some(true), Some(true))];
    db.exchange(before.clone(), 0).await.unwrap();
    let of = async |epoch: u64| {
        let rollout = Rollout { epoch: Epoch(epoch), ..rollout.clone() };
        let signals = db.signals(&rollout, T0).await.unwrap();
        (signals.candidate_healthy, signals.candidate_test_healthy)
    };
    assert_eq!(of(rollout.epoch.0).await, (Some(true), Some(true)));
    let next = rollout.epoch.0 + 1;
    assert_eq!(of(next).await, (None, None), "it was well, under another weight");
    before.health[0].production = Some(false);
    db.exchange(before, 0).await.unwrap();
    assert_eq!(of(next).await, (Some(false), None), "what fails fails under every weight");
}
