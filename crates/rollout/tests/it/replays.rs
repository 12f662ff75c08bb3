//! Releases that are over, judged again on what was seen of them.

use lockgate_model::plan::{Action, AlertLevel, Bound, Judge, Metric, Plan, Trigger};
use lockgate_rollout::event::Command;
use lockgate_rollout::replay::{Done, NotReplayed, Past, Place, Replayed, replay, replay_some};
use lockgate_testkit::history::{Live, Quality};
use lockgate_testkit::release::{STAGE_MS, TICK_MS, gate, new_rollout, plan, trigger};

/// A release of which so many of 100 requests fail, and none of the stable version's.
fn live(plan: Plan, errors: u64) -> Live {
    let stable = Quality { errors_per_mille: 0, latency_ms: 100 };
    let candidate = Quality { errors_per_mille: 10 * errors, ..stable };
    Live::begin(new_rollout(plan, Some("v1")), 1_000_000, 400, [candidate, stable])
}

/// The plan with one trigger, on errors, and no gate on them.
fn watched(judge: Judge, bound: Bound) -> Plan {
    let trigger = trigger(Metric::ErrorRate, bound, Action::Stop, AlertLevel::High);
    let mut plan = Plan { triggers: vec![Trigger { judge, ..trigger }], ..plan() };
    for stage in &mut plan.stages {
        stage.gates.clear();
    }
    plan
}

/// The plan with a gate on errors alone.
fn gated(bound: Bound) -> Plan {
    let mut plan = Plan { triggers: vec![], ..plan() };
    for stage in &mut plan.stages {
        stage.gates = if stage.weight_bp == 1_000 {
            vec![gate(Metric::ErrorRate, bound, 100)]
        } else {
            vec![]
        };
    }
    plan
}

fn first(replayed: &Replayed) -> (Place, Done, i64, u64) {
    let stopped = replayed.stopped.first().expect("something stops it");
    (stopped.place, stopped.done, stopped.at_wall_ms, stopped.exposed)
}

#[test]
fn the_same_plan_stops_it_at_the_same_look_after_the_same_requests() {
    for judge in [Judge::Statistical, Judge::Threshold] {
        let plan = watched(judge, Bound::Above(0.05));
        let past = live(plan.clone(), 20).run();
        assert_eq!(past.rollout.phase.as_str(), "rolled_back");
        let at = past.steps.iter().find(|step| step.to == "rolling_back").unwrap().at_wall_ms;
        let until = past.seen.iter().filter(|seen| seen.until_wall_ms <= at);
        let exposed = until.map(|seen| seen.arms.candidate.assigned).sum();
        let again = replay(&past, &plan).unwrap();
        assert_eq!(first(&again), (Place::Trigger(0), Done::TakenBack, at, exposed), "{judge:?}");
        assert_eq!(again.every_ms, TICK_MS);
        assert_eq!(again.stopped[0].cause.metric, Some(Metric::ErrorRate));
    }
}

#[test]
fn a_wider_bound_misses_it_and_a_closer_one_stops_it_sooner() {
    let own = watched(Judge::Statistical, Bound::Above(0.05));
    let past = live(own.clone(), 10).run();
    let with = |limit| replay(&past, &watched(Judge::Statistical, Bound::Above(limit))).unwrap();
    let (_, _, at, exposed) = first(&with(0.05));
    let closer = with(0.01);
    let (_, _, sooner, fewer) = first(&closer);
    assert!(sooner < at && fewer < exposed, "{sooner} {at}, {fewer} {exposed}");
    let wider = with(0.3);
    assert_eq!((wider.stopped.len(), wider.taken_back()), (0, None), "it is missed");
    assert_eq!(wider.exposed, closer.exposed, "what it was given in all is what it was");
}

#[test]
fn a_gate_is_asked_where_its_stage_was_left() {
    let past = live(gated(Bound::Below(0.005)), 5).run();
    assert_eq!(past.rollout.phase.as_str(), "rolled_back");
    let at = past.steps.iter().find(|step| step.to == "rolling_back").unwrap().at_wall_ms;
    let again = replay(&past, &gated(Bound::Below(0.005))).unwrap();
    let (place, done, when, _) = first(&again);
    assert_eq!((place, done, when), (Place::Gate { stage: 1, gate: 0 }, Done::TakenBack, at));
    assert_eq!(replay(&past, &gated(Bound::Below(0.1))).unwrap().stopped, []);

    let good = live(gated(Bound::Below(0.1)), 5).run();
    assert_eq!(good.rollout.phase.as_str(), "promoted");
    let closer = replay(&good, &gated(Bound::Below(0.01))).unwrap();
    let left = good.steps.iter().find(|step| step.stage == 2).unwrap().at_wall_ms;
    assert_eq!(first(&closer).2, left, "a good one would have been taken back");
    assert_eq!(replay(&good, &gated(Bound::Below(0.1))).unwrap().stopped, []);
}

#[test]
fn what_is_kept_too_coarsely_for_a_look_back_is_said_and_not_judged() {
    let plan = watched(Judge::Threshold, Bound::Above(0.05));
    let mut past = live(plan.clone(), 20).run();
    for seen in &mut past.seen {
        seen.until_wall_ms = seen.from_wall_ms + 3_600_000;
    }
    let again = replay(&past, &plan).unwrap();
    assert_eq!(again.stopped, []);
    assert!(again.blind[0].1.contains("by 1 h"), "{:?}", again.blind);
    assert!(again.asked.is_empty(), "{:?}", again.asked);
    let statistical = watched(Judge::Statistical, Bound::Above(0.05));
    let again = replay(&past, &statistical).unwrap();
    assert!(again.taken_back().is_some() && again.blind.is_empty(), "others still look");
}

#[test]
fn a_course_with_holds_and_outside_changes_is_followed() {
    let plan = watched(Judge::Statistical, Bound::Above(0.05));
    let mut live = live(plan.clone(), 0);
    let ticks = STAGE_MS / TICK_MS + 2;
    (0..ticks).for_each(|_| live.tick());
    live.world.command(Command::Pause).unwrap();
    live.tick();
    live.world.drifts("50 %");
    live.world.apply();
    live.world.command(Command::Resume).unwrap();
    let past = live.run();
    assert_eq!(past.rollout.phase.as_str(), "promoted");
    let again = replay(&past, &plan).unwrap();
    assert!(again.stopped.is_empty() && again.looks > ticks, "{again:?}");
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let plan = watched(Judge::Statistical, Bound::Above(0.05));
    let past = live(plan.clone(), 20).run();
    let with = |change: fn(&mut Past)| {
        let mut past = past.clone();
        change(&mut past);
        replay(&past, &plan).unwrap_err()
    };
    assert_eq!(with(|past| past.seen.clear()), NotReplayed::Nothing);
    assert_eq!(with(|past| past.steps.clear()), NotReplayed::Steps);
    assert_eq!(with(|past| drop(past.steps.remove(0))), NotReplayed::Steps);
    assert_eq!(with(|past| past.rollout.stable = None), NotReplayed::First);
    assert_eq!(with(|past| past.rollout.ended_wall_ms = None), NotReplayed::Open);
}

/// One rule may be asked alone: the others say what they said, whatever its bound is.
#[test]
fn some_rules_alone_say_what_they_say_among_all() {
    let latency =
        trigger(Metric::P95Ms, Bound::AboveBaselineBy(0.2), Action::Switch, AlertLevel::Medium);
    let with = |limit| {
        let mut plan = watched(Judge::Statistical, Bound::Above(limit));
        plan.triggers.push(Trigger { judge: Judge::Statistical, ..latency.clone() });
        plan
    };
    let (stable, slow) = (
        Quality { errors_per_mille: 0, latency_ms: 100 },
        Quality { errors_per_mille: 400, latency_ms: 200 },
    );
    let new = new_rollout(with(0.3), Some("v1"));
    let past = Live::begin(new, 1_000_000, 400, [slow, stable]).run();
    let (present, all) = (replay(&past, &with(0.3)).unwrap(), replay(&past, &with(0.05)).unwrap());
    assert_ne!(present.stopped, all.stopped);
    let is_errors = |place: Place| place == Place::Trigger(0);
    let some = replay_some(&past, &with(0.05), &is_errors).unwrap();
    assert!(some.stopped.iter().all(|stopped| is_errors(stopped.place)));
    assert_eq!(present.with(some, is_errors).stopped, all.stopped);
}
