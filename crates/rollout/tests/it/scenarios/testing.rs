//! The test environment: probes and copies of requests, and what they lead to.

use std::collections::BTreeMap;

use lockgate_model::agent::SignalSource;
use lockgate_model::ids::Epoch;
use lockgate_model::plan::{Absent, Bound, Environment, Metric, Plan};
use lockgate_model::snapshot::InTest;
use lockgate_model::version::Digest;
use lockgate_rollout::event::{Effect, Event};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::view::view;
use lockgate_telemetry::arm::{Arm, Arms, Mirrored, Probed};
use lockgate_testkit::release::{
    STAGE_MS, TICK_MS, World, arm, gate, good, new_rollout, plan, signals,
};

/// The plan's first stage in the test environment, with a gate on probes.
fn tested() -> Plan {
    let mut plan = plan();
    plan.stages[0].environment = Environment::Test;
    plan.stages[0].mirror_bp = 1_000;
    plan.stages[0].gates.push(gate(Metric::Probes, Bound::Equal(1.0), 1));
    plan
}

fn with_probes(plan: Plan) -> NewRollout {
    NewRollout {
        sources: vec![SignalSource::Cost, SignalSource::Probes],
        probes: vec!["refund".into(), "hello".into()],
        ..new_rollout(plan, Some("v1"))
    }
}

fn world(plan: Plan) -> World {
    let mut world = World::begin(with_probes(plan), 1_000_000);
    world.apply();
    world
}

/// So many runs of each probe, by name, passed and failed.
fn probed(runs: &[(&str, u64, u64)]) -> Signals {
    let probes = runs.iter().map(|&(name, passed, failed)| {
        let why = (failed > 0).then(|| "status 500, 200 to 299 expected".to_owned());
        (name.to_owned(), Probed { passed, failed, why })
    });
    Signals {
        tested: Arm { probes: probes.collect(), ..Arm::default() },
        ..signals(Arm::default(), arm(9_000, 0, 100))
    }
}

#[test]
fn a_candidate_is_in_the_test_environment_until_users_meet_it() {
    let mut world = world(tested());
    world.run(STAGE_MS, &probed(&[("refund", 9, 0), ("hello", 9, 0)]));
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 1));
    let splits = world.effects.iter().filter_map(|effect| match effect {
        Effect::SetSplit { split } => {
            split.candidate.as_ref().map(|candidate| candidate.test.clone())
        }
        _ => None,
    });
    let seen: Vec<Option<InTest>> = splits.collect();
    assert_eq!(seen, [Some(InTest { mirror_bp: 1_000, probes: None }), None]);
}

#[test]
fn probes_that_have_not_all_run_are_no_pass() {
    let mut world = world(tested());
    let half = probed(&[("refund", 900, 0)]);
    world.run(STAGE_MS, &half);
    assert_eq!(world.phase(), "extended");
    let judged = view(&world.rollout, &half);
    let gate = judged.gates.iter().find(|cause| cause.metric == Some(Metric::Probes)).unwrap();
    assert_eq!((gate.verdict, gate.n), (Some(Verdict::Insufficient), Some(900)));
    assert!(gate.text.contains("not run yet: hello"), "{}", gate.text);
    world.run(STAGE_MS, &half);
    assert_eq!(
        (world.phase(), world.last().causes[0].metric),
        ("rolling_back", Some(Metric::Probes))
    );
}

#[test]
fn without_any_run_nothing_is_known() {
    let mut world = world(tested());
    world.run(2 * STAGE_MS, &probed(&[]));
    assert_eq!(world.phase(), "rolling_back");
    let cause = &world.last().causes[0];
    assert_eq!((cause.verdict, cause.n, cause.value), (Some(Verdict::Insufficient), Some(0), None));
}

#[test]
fn a_probe_that_fails_takes_the_release_back_and_is_named() {
    let mut world = world(tested());
    world.run(STAGE_MS, &probed(&[("refund", 899, 1), ("hello", 900, 0)]));
    assert_eq!(world.phase(), "rolling_back");
    let text = &world.last().causes[0].text;
    assert!(text.contains("1799 of 1800 runs as expected"), "{text}");
    assert!(text.contains("`refund` failed 1 of 900 times: status 500"), "{text}");
}

#[test]
fn a_gate_that_nothing_can_open_any_more_is_not_waited_for() {
    let mut world = world(tested());
    world.tick(&probed(&[("refund", 0, 1)]));
    assert_eq!(world.phase(), "rolling_back", "a minute before the stage's end");
    assert!(world.last().causes[0].text.contains("`refund` failed 1 of 1 times"));
    let mut plan = tested();
    plan.stages[0].gates[1].bound = Bound::Above(0.95);
    let mut world = self::world(plan);
    world.tick(&probed(&[("refund", 0, 1), ("hello", 1, 0)]));
    assert_eq!(world.phase(), "running", "this one may still open");
}

#[test]
fn a_share_may_fail_when_the_gate_says_so() {
    let mut plan = tested();
    plan.stages[0].gates[1].bound = Bound::Above(0.95);
    let mut world = world(plan);
    world.run(STAGE_MS, &probed(&[("refund", 96, 4), ("hello", 100, 0)]));
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 1));
}

#[test]
fn agents_without_probes_leave_the_gate_out_if_it_says_so() {
    let mut plan = tested();
    plan.stages[0].gates[1].absent = Absent::Waive;
    let mut world = World::new(plan);
    world.apply();
    world.run(STAGE_MS, &good());
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 1));
}

#[test]
fn copies_that_fail_take_the_release_back_before_any_user_meets_it() {
    let mut world = world(tested());
    world.run(TICK_MS, &signals(arm(200, 100, 100), arm(2_000, 0, 100)));
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.last().causes[0].metric, Some(Metric::ErrorRate));
    assert_eq!(world.last().stage, 0);
}

/// A probe that was wrong is put right while the candidate is being asked: what it was asked before is
/// held against it no more.
#[test]
fn an_edited_set_of_probes_begins_anew() {
    let [old, new] = ["old", "new"].map(|text| Some(Digest::of(text.as_bytes())));
    let rollout = NewRollout { probes_digest: old.clone(), ..with_probes(tested()) };
    let mut world = World::begin(rollout, 1_000_000);
    world.apply();
    world.run(STAGE_MS / 2, &probed(&[("refund", 9, 0), ("hello", 9, 0)]));
    let names = vec!["refund".to_owned(), "thanks".into()];
    let edited = Event::ProbesChanged { names, digest: new.clone(), by: "eve".into() };
    world.event(&edited).unwrap();
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 0));
    let cause = &world.last().causes[0];
    assert_eq!(cause.rule, "probes changed");
    assert_eq!(cause.by.as_deref(), Some("eve"), "or her name would stand in the log in the clear");
    assert!(cause.text.contains("the 2 of the new set are to be run"), "{}", cause.text);
    let Some(Effect::SetSplit { split }) = world.effects.last() else { panic!("no split") };
    let test = split.candidate.as_ref().unwrap().test.as_ref().unwrap();
    assert_eq!((split.epoch, &test.probes), (Epoch(2), &new));
    let steps = world.transitions.len();
    world.event(&edited).unwrap();
    assert_eq!(world.transitions.len(), steps, "once is enough");

    let runs = |runs: &[(&str, u64, u64)]| Arms {
        candidate: Arm { assigned: 1, ..probed(runs).tested },
        ..Arms::default()
    };
    let of_old = runs(&[("refund", 9, 5), ("hello", 9, 0)]);
    let mut evidence: BTreeMap<Epoch, Arms> = [(Epoch(1), of_old)].into();
    let seen = |evidence: &BTreeMap<Epoch, Arms>, world: &World| Signals {
        tested: world.rollout.tested(evidence),
        ..good()
    };
    assert_eq!(world.rollout.tested(&evidence).assigned, 1, "copies are copies");
    world.apply();
    world.run(STAGE_MS, &seen(&evidence, &world));
    assert_eq!((world.phase(), world.rollout.stage), ("extended", 0), "no run counts yet");
    evidence.insert(Epoch(2), runs(&[("refund", 3, 0), ("thanks", 3, 0)]));
    world.tick(&seen(&evidence, &world));
    assert_eq!((world.phase(), world.rollout.stage), ("confirming", 1));
    // Once users meet it, its probes are over.
    let late = Event::ProbesChanged { names: vec!["x".into()], digest: old, by: "eve".into() };
    let steps = world.transitions.len();
    world.event(&late).unwrap();
    assert_eq!((world.transitions.len(), world.rollout.probes_digest.clone()), (steps, new));
}

/// Where a candidate is tested is kept, so that what was seen there can be told from the rest.
#[test]
fn what_was_seen_in_the_test_environment_counts_there_only() {
    let mut world = world(tested());
    assert_eq!(world.rollout.test_epochs, [Epoch(1)]);
    assert_eq!(world.rollout.test_epochs_left(), []);
    world.run(STAGE_MS, &probed(&[("refund", 9, 0), ("hello", 9, 0)]));
    world.apply();
    assert_eq!(world.rollout.test_epochs_left(), [Epoch(1)]);
    let mirrored = Mirrored { sent: 9, skipped: 1, compared: 8, same_status: 7, same_body: 2 };
    let mut seen = probed(&[("refund", 9, 0)]);
    seen.tested.mirrored = mirrored;
    let test = view(&world.rollout, &seen).test.unwrap();
    assert_eq!((test.mirrored, test.mirror_skipped, test.compared), (9, 1, 8));
    assert_eq!((test.same_status, test.same_body, test.probes.len()), (7, 2, 1));
    assert_eq!(view(&world.rollout, &good()).test, None, "nothing was seen");
}
