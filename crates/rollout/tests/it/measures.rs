//! Measures of one's own: what judges make of them.

use lockgate_model::agent::SignalSource;
use lockgate_model::measure::{Better, Measure, MeasureName};
use lockgate_model::plan::{
    Action, AlertLevel, Assurance, Bound, Gate, Judge, Metric, Plan, Trigger,
};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::judge;
use lockgate_rollout::signals::Signals;
use lockgate_testkit::release::{STAGE_MS, World, arm, gate, good, plan, signals, trigger};

fn steps() -> MeasureName {
    "steps".parse().unwrap()
}

/// Steps of an answer: 0 to 50, few are good.
fn metric() -> Metric {
    Metric::Measure(steps())
}

fn asked(bound: Bound) -> Gate {
    Gate { judge: Judge::Statistical, ..gate(metric(), bound, 100) }
}

fn armed(bound: Bound) -> Trigger {
    let trigger = trigger(metric(), bound, Action::Switch, AlertLevel::Medium);
    Trigger { judge: Judge::Statistical, ..trigger }
}

/// A release of an agent that counts steps, in its first stage with users.
fn world(change: impl FnOnce(&mut Plan)) -> World {
    let mut plan = plan();
    change(&mut plan);
    let mut world = World::new(plan);
    world.rollout.measures =
        vec![Measure { name: steps(), better: Better::Lower, from: 0.0, to: 50.0 }];
    world.rollout.sources.push(SignalSource::Measure(steps()));
    world.to_stage(1)
}

/// Requests that report levels of steps, so many of each: level 20 is 10 steps.
fn seen(candidate: &[(u8, u64)], stable: &[(u8, u64)]) -> Signals {
    let of = |levels: &[(u8, u64)]| {
        let mut arm = arm(levels.iter().map(|(_, count)| count).sum(), 0, 100);
        for (level, count) in levels {
            let measured = arm.measures.entry(steps()).or_default();
            (0..*count).for_each(|_| measured.record(Some(*level)));
        }
        arm
    };
    signals(of(candidate), of(stable))
}

/// The same, seen under the weight that is set.
fn at_work(world: &World, mut signals: Signals) -> Signals {
    let arms = std::mem::take(&mut signals.evidence).into_values().next().unwrap();
    signals.evidence.insert(world.rollout.epoch, arms);
    signals
}

#[test]
fn a_gate_passes_within_its_bound_and_fails_beyond_it() {
    let world = world(|_| {});
    let gate = asked(Bound::Below(15.0));
    let judge = |candidate: &[(u8, u64)]| {
        judge::gate(&gate, &world.rollout, &seen(candidate, &[(20, 900)]))
    };
    let well = judge(&[(10, 60), (30, 60)]);
    assert_eq!(well.verdict(), Verdict::Pass, "{well:?}");
    assert_eq!(
        (well.cause.n, well.cause.value, well.cause.baseline),
        (Some(120), Some(10.0), Some(10.0))
    );
    let [low, high] = well.cause.interval.unwrap();
    assert!(low > 5.0 && low < 10.0 && high > 10.0 && high < 15.0, "{low} {high}");
    let beyond = judge(&[(60, 400)]);
    assert_eq!(beyond.verdict(), Verdict::Fail, "{beyond:?}");
    // On the bad side, and chance could have put it there.
    assert_eq!(judge(&[(0, 60), (62, 60)]).verdict(), Verdict::Insufficient);
    assert_eq!(judge(&[(10, 99)]).verdict(), Verdict::Insufficient, "too few");
}

#[test]
fn what_is_not_reported_or_not_declared_passes_nothing() {
    let mut world = world(|_| {});
    for gate in
        [asked(Bound::Below(15.0)), Gate { judge: Judge::Threshold, ..asked(Bound::Below(15.0)) }]
    {
        let silent = judge::gate(&gate, &world.rollout, &good());
        assert_eq!(silent.verdict(), Verdict::Insufficient);
        assert_eq!((silent.cause.n, silent.cause.value), (Some(0), None));
    }
    let mut unreadable = good();
    let arms = unreadable.evidence.values_mut().next().unwrap();
    (0..500).for_each(|_| arms.candidate.measures.entry(steps()).or_default().record(None));
    let gate = asked(Bound::Below(15.0));
    assert_eq!(judge::gate(&gate, &world.rollout, &unreadable).verdict(), Verdict::Insufficient);
    world.rollout.measures.clear();
    let seen = seen(&[(20, 500)], &[(20, 900)]);
    assert_eq!(judge::gate(&gate, &world.rollout, &seen).verdict(), Verdict::Insufficient);
}

#[test]
fn a_proof_takes_more_than_an_estimate() {
    let world = world(|_| {});
    let proof = Gate { assurance: Assurance::Proved, ..asked(Bound::Below(15.0)) };
    let judge = |count| {
        judge::gate(&proof, &world.rollout, &seen(&[(0, count), (50, count)], &[(20, 900)]))
    };
    assert_eq!(judge(60).verdict(), Verdict::Insufficient);
    assert_eq!(judge(600).verdict(), Verdict::Pass);
}

#[test]
fn a_trigger_fires_on_a_bound_and_on_a_comparison() {
    for (bound, fires) in [
        (Bound::Above(15.0), true),
        (Bound::Above(30.0), false),
        (Bound::AboveBaselineBy(0.2), true),
        (Bound::AboveBaselineBy(1.5), false),
    ] {
        let mut world = world(|plan| plan.triggers.push(armed(bound)));
        let worse = seen(&[(30, 300), (50, 300)], &[(10, 2_000), (30, 2_000)]);
        world.tick(&at_work(&world, worse));
        assert_eq!(world.phase() == "rolling_back", fires, "{bound}: {:?}", world.last());
        if fires {
            let cause = &world.last().causes[0];
            assert_eq!((cause.rule.as_str(), cause.metric), ("trigger steps", Some(metric())));
            assert_eq!((cause.n, cause.value), (Some(600), Some(20.0)), "{cause:?}");
            assert!(cause.text.contains("steps is 20 over 600 reports, stable 10"), "{cause:?}");
        }
    }
}

#[test]
fn a_measure_of_which_high_values_are_good_is_compared_downwards() {
    for (bound, fires) in
        [(Bound::BelowBaselineBy(0.1), true), (Bound::BelowBaselineBy(0.4), false)]
    {
        let mut world = world(|plan| plan.triggers.push(armed(bound)));
        world.rollout.measures[0].better = Better::Higher;
        world.tick(&at_work(&world, seen(&[(60, 600), (80, 600)], &[(90, 4_000)])));
        assert_eq!(world.phase() == "rolling_back", fires, "{bound}: {:?}", world.last());
    }
}

/// Who declares no feedback has no budget for it: what comes all the same decides nothing.
#[test]
fn what_is_not_declared_fires_nothing_and_that_is_said() {
    let unloved =
        trigger(Metric::NegativeShare, Bound::Above(0.05), Action::Switch, AlertLevel::High);
    let mut world = world(|plan| plan.triggers.push(unloved));
    let mut angry = good();
    for arms in angry.evidence.values_mut().chain(angry.recent.values_mut()) {
        arms.candidate.feedback.negative = 500;
    }
    let angry = at_work(&world, angry);
    world.tick(&angry);
    assert_eq!(world.phase(), "running");
    let seen = lockgate_rollout::view::view(&world.rollout, &angry);
    let told =
        seen.triggers.iter().find(|cause| cause.metric == Some(Metric::NegativeShare)).unwrap();
    assert_eq!((told.verdict, told.value), (None, None));
    assert!(told.text.contains("declares no such signal"), "{told:?}");
    world.rollout.sources.push(SignalSource::Feedback);
    world.tick(&angry);
    assert_eq!(world.phase(), "rolling_back");
}

#[test]
fn the_budget_is_shared_with_measures_that_are_armed() {
    let told = |change: fn(&mut Plan)| {
        let world = world(|plan| {
            plan.triggers[0].judge = Judge::Statistical;
            change(plan);
        });
        let trigger = world.rollout.plan.triggers[0].clone();
        let failing = signals(arm(400, 200, 100), arm(3_600, 0, 100));
        judge::trigger(&trigger, &world.rollout, &at_work(&world, failing)).cause.text
    };
    let alone = told(|_| {});
    let shared = told(|plan| plan.triggers.push(armed(Bound::Above(15.0))));
    assert!(alone.contains("with an error of at most"), "{alone}");
    assert_ne!(alone, shared);
}

#[test]
fn a_release_with_a_measure_within_its_bounds_goes_on() {
    let mut world = world(|plan| {
        plan.triggers.push(armed(Bound::AboveBaselineBy(0.2)));
        plan.stages[1].gates.push(asked(Bound::Below(15.0)));
    });
    let well = seen(&[(10, 300), (30, 300)], &[(10, 2_000), (30, 2_000)]);
    world.run(STAGE_MS, &at_work(&world, well));
    assert_eq!(world.rollout.stage, 2, "{:?}", world.last());
}
