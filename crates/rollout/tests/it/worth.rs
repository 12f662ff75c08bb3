//! What answers are worth: gates and triggers on what was resolved, and what that cost.

use lockgate_model::agent::SignalSource;
use lockgate_model::plan::{
    Action, AlertLevel, Assurance, Bound, Gate, Judge, Metric, Plan, Trigger,
};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::judge;
use lockgate_rollout::signals::Signals;
use lockgate_telemetry::arm::{Arm, Cost, Outcomes};
use lockgate_testkit::release::{World, arm, gate, plan, signals, trigger};

const RATE: Metric = Metric::ReplacementRate;
const COST: Metric = Metric::CostPerResolvedUsd;

fn asked(metric: Metric, bound: Bound, judge: Judge) -> Gate {
    Gate { judge, ..gate(metric, bound, 100) }
}

fn armed(metric: Metric, bound: Bound, judge: Judge) -> Trigger {
    Trigger { judge, ..trigger(metric, bound, Action::Switch, AlertLevel::Medium) }
}

/// A release of an agent that says outcomes and costs, in its first stage with users.
fn world(change: impl FnOnce(&mut Plan)) -> World {
    let mut plan = plan();
    change(&mut plan);
    let mut world = World::new(plan);
    world.rollout.sources = vec![SignalSource::Cost, SignalSource::Outcome];
    world.to_stage(1)
}

/// Answers at two cents each, some cheaper and some dearer.
fn answers(all: u64, resolved: u64, escalated: u64) -> Arm {
    let mut cost = Cost::default();
    (0..all).for_each(|n| cost.record(Some(10_000_000 + n % 3 * 10_000_000)));
    Arm {
        cost,
        outcomes: Outcomes { resolved, escalated, ..Outcomes::default() },
        ..arm(all, 0, 100)
    }
}

fn at_work(world: &World, candidate: Arm, stable: Arm) -> Signals {
    let mut seen = signals(candidate, stable);
    let arms = std::mem::take(&mut seen.evidence).into_values().next().unwrap();
    for trigger in &world.rollout.plan.triggers {
        seen.recent.insert(trigger.window_ms, arms.clone());
    }
    seen.evidence.insert(world.rollout.epoch, arms);
    seen
}

#[test]
fn a_gate_takes_what_nobody_said_as_not_resolved() {
    let world = world(|_| {});
    for who in [Judge::Statistical, Judge::Threshold] {
        let gate = asked(RATE, Bound::Above(0.7), who);
        let judge = |candidate: Arm| {
            judge::gate(&gate, &world.rollout, &signals(candidate, answers(900, 750, 150)))
        };
        let well = judge(answers(400, 320, 80));
        assert_eq!((well.verdict(), well.cause.value), (Verdict::Pass, Some(0.8)), "{well:?}");
        assert_eq!(
            well.cause.text,
            "replacement_rate is 80 % over 400 answers, stable 83.33 %; required > 70 %"
        );
        // As many were resolved of those that are known, and half are not known: neither.
        let partly = judge(answers(800, 320, 80));
        assert_eq!((partly.verdict(), partly.cause.value), (Verdict::Insufficient, Some(0.4)));
        let badly = judge(answers(800, 320, 450));
        assert_eq!((badly.verdict(), badly.cause.value), (Verdict::Fail, Some(0.4)));
        let silent = judge(answers(800, 0, 0));
        assert_eq!((silent.verdict(), silent.cause.value), (Verdict::Insufficient, None));
    }
}

#[test]
fn a_trigger_fires_on_what_is_known_not_to_be_resolved() {
    for who in [Judge::Statistical, Judge::Threshold] {
        let fires = |candidate: Arm| {
            let bound = Bound::Below(0.5);
            let mut world = world(|plan| plan.triggers.push(armed(RATE, bound, who)));
            let seen = at_work(&world, candidate, answers(900, 750, 150));
            world.tick(&seen);
            world.phase() == "rolling_back"
        };
        assert!(fires(answers(600, 200, 400)), "{who:?}");
        assert!(!fires(answers(600, 200, 100)), "300 may have been resolved");
        assert!(!fires(answers(600, 0, 0)), "nothing is known");
    }
}

#[test]
fn a_resolved_answer_has_its_price() {
    let world = world(|_| {});
    let stable = || answers(3_000, 2_400, 600);
    for who in [Judge::Statistical, Judge::Threshold] {
        let gate = asked(COST, Bound::Below(0.03), who);
        let judge =
            |candidate: Arm| judge::gate(&gate, &world.rollout, &signals(candidate, stable()));
        let well = judge(answers(3_000, 2_400, 600));
        assert_eq!(well.verdict(), Verdict::Pass, "{well:?}");
        assert!((well.cause.value.unwrap() - 0.025).abs() < 1e-12);
        assert_eq!(judge(answers(3_000, 900, 2_100)).verdict(), Verdict::Fail);
        assert_eq!(judge(answers(3_000, 0, 0)).verdict(), Verdict::Insufficient);
        assert_eq!(judge(answers(60, 60, 0)).verdict(), Verdict::Insufficient, "too few");
        // The dear answers have no known cost: what is left is cheap, and passes nothing.
        let mut hiding = answers(3_000, 2_400, 600);
        hiding.cost = answers(1_000, 0, 0).cost;
        (0..2_000).for_each(|_| hiding.cost.record(None));
        assert_eq!(judge(hiding).verdict(), Verdict::Insufficient);
    }
    let proof = Gate {
        assurance: Assurance::Proved,
        ..asked(COST, Bound::Below(0.03), Judge::Statistical)
    };
    let judge = |count: u64| {
        let candidate = answers(count, count * 4 / 5, count / 5);
        judge::gate(&proof, &world.rollout, &signals(candidate, stable())).verdict()
    };
    assert_eq!((judge(150), judge(30_000)), (Verdict::Insufficient, Verdict::Pass));
}

#[test]
fn a_dearer_version_is_taken_back_beside_the_stable_one() {
    for (bound, fires) in [
        (Bound::AboveBaselineBy(0.3), true),
        (Bound::AboveBaselineBy(3.0), false),
        (Bound::Above(0.04), true),
        (Bound::Above(0.06), false),
    ] {
        for who in [Judge::Statistical, Judge::Threshold] {
            let mut world = world(|plan| plan.triggers.push(armed(COST, bound, who)));
            let seen = at_work(&world, answers(6_000, 2_400, 3_600), answers(6_000, 4_800, 1_200));
            world.tick(&seen);
            assert_eq!(world.phase() == "rolling_back", fires, "{bound} {who:?}");
            if fires {
                let cause = &world.last().causes[0];
                assert_eq!(cause.rule, "trigger cost_per_resolved_usd");
                let near = |value: Option<f64>, of: f64| (value.unwrap() - of).abs() < 1e-12;
                assert!(near(cause.value, 0.05) && near(cause.baseline, 0.025), "{cause:?}");
            }
        }
    }
}

#[test]
fn what_an_agent_does_not_declare_is_not_judged() {
    let mut world =
        world(|plan| plan.triggers.push(armed(COST, Bound::Above(0.04), Judge::Threshold)));
    world.rollout.sources = vec![SignalSource::Cost];
    let seen = at_work(&world, answers(6_000, 2_400, 3_600), answers(6_000, 4_800, 1_200));
    world.tick(&seen);
    assert_eq!(world.phase(), "running");
}
