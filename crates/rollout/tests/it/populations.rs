//! What a number leaves out, and what is judged apart: no gate passes on a part that was chosen well.

use lockgate_model::ids::Epoch;
use lockgate_model::interaction::ErrorClass;
use lockgate_model::plan::{Action, AlertLevel, Bound, Gate, Judge, Metric, Trigger};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::judge::{self, Judgement};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::start;
use lockgate_rollout::state::Rollout;
use lockgate_telemetry::arm::{Arm, Arms, Completion, Keyless, Keys};
use lockgate_testkit::release::{World, arm, gate, new_rollout, plan, signals, trigger};

fn errors_below(limit: f64) -> Gate {
    Gate { judge: Judge::Statistical, ..gate(Metric::ErrorRate, Bound::Below(limit), 100) }
}

fn rollout(by_key: bool) -> Rollout {
    let mut new = new_rollout(plan(), Some("v1"));
    new.by_key = by_key;
    start(new, World::new(plan()).now).rollout
}

/// Adds requests that ended so, each after so many milliseconds.
fn with(mut arm: Arm, count: u64, error: Option<ErrorClass>, sse: bool, ms: u64) -> Arm {
    arm.assigned += count;
    let completion = Completion {
        error,
        sse,
        first_byte_us: Some(if sse { 5_000 } else { ms * 1_000 }),
        total_us: Some(ms * 1_000),
        ..Completion::default()
    };
    (0..count).for_each(|_| arm.complete(&completion));
    arm
}

fn judged(gate: &Gate, candidate: Arm, stable: Arm) -> Judgement {
    judge::gate(gate, &rollout(false), &signals(candidate, stable))
}

#[test]
fn answers_that_refuse_or_send_elsewhere_are_no_sign_of_health() {
    let stable = || arm(9_000, 0, 100);
    for class in [
        ErrorClass::Client4xx,
        ErrorClass::Upstream429,
        ErrorClass::Upstream3xx,
        ErrorClass::ClientCancel,
    ] {
        for gate in [errors_below(0.005), Gate { judge: Judge::Threshold, ..errors_below(0.005) }] {
            let all = judged(&gate, with(Arm::default(), 500, Some(class), false, 5), stable());
            assert_eq!((all.verdict(), all.cause.n), (Verdict::Insufficient, Some(0)), "{class:?}");
            let half = with(arm(1_000, 0, 100), 500, Some(class), false, 5);
            let half = judged(&gate, half, stable());
            assert_eq!(half.verdict(), Verdict::Insufficient, "{class:?}: {half:?}");
            let text = &half.cause.text;
            assert!(
                text.contains("but 33.33 % of the candidate's requests were refused"),
                "{text}"
            );
        }
    }
}

#[test]
fn what_both_versions_leave_out_alike_is_no_fault() {
    let refused = |arm: Arm, count| with(arm, count, Some(ErrorClass::Client4xx), false, 5);
    let alike = judged(
        &errors_below(0.005),
        refused(arm(1_000, 0, 100), 300),
        refused(arm(9_000, 0, 100), 2_700),
    );
    assert_eq!(alike.verdict(), Verdict::Pass, "{alike:?}");
    let by_chance =
        judged(&errors_below(0.005), refused(arm(1_000, 0, 100), 20), arm(9_000, 0, 100));
    assert_eq!(by_chance.verdict(), Verdict::Pass, "two in a hundred: {by_chance:?}");
}

#[test]
fn a_version_that_reports_its_cheap_answers_only_is_not_cheap() {
    let cheap =
        Gate { judge: Judge::Statistical, ..gate(Metric::CostUsd, Bound::Below(0.002), 100) };
    let costing = |known: u64, unknown: u64| {
        let mut arm = arm(known + unknown, 0, 100);
        arm.cost = lockgate_telemetry::arm::Cost::default();
        (0..known).for_each(|_| arm.cost.record(Some(1_000_000)));
        (0..unknown).for_each(|_| arm.cost.record(None));
        arm
    };
    assert_eq!(judged(&cheap, costing(500, 0), costing(4_500, 0)).verdict(), Verdict::Pass);
    let half = judged(&cheap, costing(250, 250), costing(4_500, 0));
    assert_eq!(half.verdict(), Verdict::Insufficient);
    assert!(
        half.cause.text.contains("50 % of the candidate's requests have no known cost"),
        "{half:?}"
    );
    assert_eq!(judged(&cheap, costing(250, 250), costing(2_250, 2_250)).verdict(), Verdict::Pass);
}

fn slow_below(limit: f64) -> Gate {
    Gate { judge: Judge::Statistical, ..gate(Metric::P95Ms, Bound::Below(limit), 50) }
}

#[test]
fn a_few_answers_of_the_other_kind_hold_nothing_up() {
    let streams = |count| with(Arm::default(), count, None, true, 100);
    let plain = with(streams(420), 4, None, false, 100);
    assert_eq!(judged(&slow_below(200.0), plain, streams(4_000)).verdict(), Verdict::Pass);
    // A tenth of them is no exception.
    let more = with(streams(400), 45, None, false, 100);
    assert_eq!(judged(&slow_below(200.0), more, streams(4_000)).verdict(), Verdict::Insufficient);
}

#[test]
fn streams_beside_whole_answers_are_compared_by_their_ends() {
    let candidate = || with(Arm::default(), 500, None, true, 1_500);
    let stable = || with(Arm::default(), 4_500, None, false, 20);
    let gated = judged(&slow_below(200.0), candidate(), stable());
    assert_eq!(gated.verdict(), Verdict::Fail, "the first byte says nothing: {gated:?}");
    let bound = Bound::AboveBaselineBy(0.2);
    let slower = trigger(Metric::P95Ms, bound, Action::Switch, AlertLevel::Medium);
    let slower = Trigger { judge: Judge::Statistical, ..slower };
    let mut seen = signals(candidate(), stable());
    let rollout = rollout(false);
    seen.evidence = [(rollout.epoch, seen.evidence_merged())].into();
    assert_eq!(judge::trigger(&slower, &rollout, &seen).verdict(), Verdict::Fail);
}

/// Users without an error, beside requests without a key.
fn mixed(users: u64, keyless: u64, errors: u64) -> Arm {
    let keys = Keys { assigned: users, at_risk: users, first_assigned: users, ..Keys::default() };
    let keyless = Keyless { assigned: keyless, judged: keyless, errors };
    Arm { keys, keyless, ..arm(users + keyless.assigned, errors, 100) }
}

#[test]
fn requests_without_a_key_are_judged_too() {
    let rollout = rollout(true);
    let gate = |candidate| {
        judge::gate(&errors_below(0.005), &rollout, &signals(candidate, mixed(9_000, 9_000, 0)))
    };
    assert_eq!(gate(mixed(1_000, 1_000, 0)).verdict(), Verdict::Pass);
    let bad = gate(mixed(1_000, 1_000, 500));
    assert_eq!(bad.verdict(), Verdict::Fail, "{bad:?}");
    assert!(bad.cause.text.contains("1000 requests without a key"), "{bad:?}");
    assert_eq!(
        gate(mixed(1_000, 90, 0)).verdict(),
        Verdict::Insufficient,
        "too few, and not few enough"
    );
    assert_eq!(gate(mixed(1_000, 9, 0)).verdict(), Verdict::Pass, "one in a hundred");
    let bound = Bound::AboveBaselineBy(0.0);
    let worse = trigger(Metric::ErrorRate, bound, Action::Stop, AlertLevel::High);
    let worse = Trigger { judge: Judge::Statistical, min_samples: 1, ..worse };
    let mut seen = signals(mixed(1_000, 1_000, 500), mixed(9_000, 9_000, 0));
    seen.evidence = [(rollout.epoch, seen.evidence_merged())].into();
    assert_eq!(judge::trigger(&worse, &rollout, &seen).verdict(), Verdict::Fail);
}

#[test]
fn sixty_users_of_three_stages_are_sixty() {
    let users = |first_assigned| Arm {
        keys: Keys { assigned: 60, at_risk: 60, first_assigned, ..Keys::default() },
        ..arm(600, 0, 100)
    };
    let arms = |first| Arms { candidate: users(first), stable: mixed(9_000, 0, 0) };
    let evidence = [(Epoch(1), arms(60)), (Epoch(2), arms(0)), (Epoch(3), arms(0))].into();
    let seen = Signals { evidence, ..Signals::default() };
    for judge in [Judge::Statistical, Judge::Threshold] {
        let gate = Gate { judge, ..errors_below(0.2) };
        let judged = judge::gate(&gate, &rollout(true), &seen);
        assert_eq!(
            (judged.verdict(), judged.cause.n),
            (Verdict::Insufficient, Some(60)),
            "{judged:?}"
        );
    }
}

#[test]
fn what_comes_late_to_an_epoch_that_is_over_is_looked_at() {
    let bound = Bound::AboveBaselineBy(0.0);
    let worse = trigger(Metric::ErrorRate, bound, Action::Stop, AlertLevel::High);
    let worse = Trigger { judge: Judge::Statistical, min_samples: 1, ..worse };
    let mut rollout = rollout(false);
    rollout.epoch = Epoch(2);
    let good = || Arms { candidate: arm(1_000, 0, 100), stable: arm(9_000, 0, 100) };
    let bad = Arms { candidate: arm(1_000, 300, 100), stable: arm(9_000, 0, 100) };
    let evidence = [(Epoch(1), bad), (Epoch(2), good())].into();
    let seen = Signals { evidence, ..Signals::default() };
    assert_eq!(judge::trigger(&worse, &rollout, &seen).verdict(), Verdict::Fail);
}
