use std::sync::Arc;

use lockgate_model::agent::SignalSource;

use super::*;
use crate::plans::standard;
use crate::release::run;
use crate::traffic::Traffic;

fn setting(requests_per_s: f64) -> Setting {
    Setting {
        traffic: Traffic { requests_per_s, ..Traffic::default() },
        ..Setting::identical(Arc::new(standard()))
    }
}

fn errors(forecast: &Forecast, stage: usize) -> &GateForecast {
    let gates = &forecast.stages[stage].gates;
    gates.iter().find(|gate| gate.metric == Metric::ErrorRate).expect("it has one")
}

#[test]
fn the_standard_plan_is_decidable_at_one_request_a_second_and_not_at_a_hundredth() {
    let one = forecast(&setting(1.0), &[]);
    assert_eq!(errors(&one, 1).needed, Some(901));
    assert_eq!(errors(&one, 1).expected, [1_440, 2_880]);
    let few = forecast(&setting(0.01), &[]);
    assert_eq!(few.verdict, Decidable::Impossible);
    assert_eq!(few.stages[0].verdict, Decidable::Decidable, "health needs no requests");
    assert_eq!(few.stages[1].verdict, Decidable::Impossible);
}

#[test]
fn evidence_of_earlier_stages_counts() {
    // 216 requests in the first stage and its extension, 900 with the second.
    let forecast = forecast(&setting(0.2), &[]);
    let gate = |stage| errors(&forecast, stage);
    assert_eq!(
        [gate(1).expected[0], gate(2).expected[0], gate(3).expected[0]],
        [288, 1_008, 2_448]
    );
    assert!(gate(1).likely[1] < 0.01 && gate(2).likely[0] > 0.99);
}

#[test]
fn a_proof_needs_more_than_a_look_and_a_truth_beyond_the_bound_has_none() {
    let mut proved = setting(10.0);
    let mut plan = standard();
    for gate in plan.stages.iter_mut().flat_map(|stage| &mut stage.gates) {
        gate.assurance = Assurance::Proved;
    }
    proved.plan = Arc::new(plan);
    let needed = errors(&forecast(&proved, &[]), 1).needed.expect("it can be proved");
    // The median of simulated proofs at this truth is 2,813.
    assert!((2_000..4_000).contains(&needed), "{needed}");
    proved.candidate.error_rate = 0.006;
    let hopeless = forecast(&proved, &[]);
    assert_eq!(errors(&hopeless, 1).needed, None);
    assert_eq!(hopeless.stages[1].verdict, Decidable::Impossible);
}

#[test]
fn gates_without_a_signal_are_waived_and_triggers_never_fire() {
    let mut setting = setting(10.0);
    setting.sources = vec![SignalSource::Cost];
    let forecast = forecast(&setting, &[]);
    let nps = forecast.stages[1].gates.iter().find(|gate| gate.metric == Metric::Nps);
    assert!(nps.is_some_and(|gate| gate.waived));
    assert_eq!(forecast.stages[1].verdict, Decidable::Decidable);
    let of = |metric| forecast.triggers.iter().find(move |trigger| trigger.metric == metric);
    assert_eq!(of(Metric::NegativeShare).and_then(|trigger| trigger.candidate_requests), None);
    let slow = of(Metric::P95Ms).and_then(|trigger| trigger.candidate_requests);
    assert!(slow.is_some_and(|n| n < 3_000), "{slow:?}");
}

#[test]
fn a_fault_that_takes_longer_than_the_release_is_said_to() {
    let found = |rate| {
        let forecast = forecast(&setting(rate), &[]);
        let of = |metric| forecast.triggers.iter().find(|t| t.metric == metric).map(|t| t.in_time);
        [of(Metric::NegativeShare), of(Metric::P95Ms)]
    };
    // 12,240 requests at 1/s, of which one in twenty draws a vote.
    assert_eq!(found(1.0), [Some(false), Some(true)]);
    assert_eq!(found(10.0), [Some(true), Some(true)]);
}

/// What is expected lies where simulated releases of the same faults find them.
#[test]
fn triggers_fire_about_when_simulated_releases_do() {
    let setting = setting(10.0);
    let forecast = forecast(&setting, &[]);
    for trigger in &forecast.triggers {
        let bound = setting.plan.triggers.iter().find(|known| {
            known.metric == trigger.metric && known.bound.to_string() == trigger.bound
        });
        let bound = bound.expect("of the plan").bound;
        let (_, candidate) = fault(trigger.metric, bound, &setting).expect("has one");
        let faulty = Setting { candidate, ..setting.clone() };
        let mut found: Vec<u64> =
            (0..9).map(|seed| run(&faulty, seed).candidate_requests).collect();
        found.sort_unstable();
        let expected = trigger.candidate_requests.expect("it is found");
        // Judges look every ten seconds: some ten requests of the candidate.
        let (low, high) = (expected / 3, 3 * expected + 30);
        assert!((low..high).contains(&found[4]), "{}: {expected} {found:?}", trigger.fault);
    }
}

#[test]
fn what_releases_did_is_part_of_the_verdict() {
    let mut near = setting(10.0);
    near.candidate.error_rate = 0.0049;
    let releases: Vec<_> = (0..10).map(|seed| run(&near, seed)).collect();
    let forecast = forecast(&near, &releases);
    let first = &forecast.stages[1];
    assert_eq!(first.simulated.map(|seen| seen.reached), Some(10));
    assert!(first.simulated.is_some_and(|seen| seen.passed < 9), "{first:?}");
    assert_eq!(first.verdict, Decidable::Unlikely);
}

#[test]
fn the_tail_of_the_poisson_distribution_is_that_of_the_tables() {
    assert!((at_least(1, 1.0) - 0.632_12).abs() < 1e-5);
    assert!((at_least(10, 10.0) - 0.542_07).abs() < 1e-5);
    assert!((at_least(901, 1_440.0) - 1.0).abs() < 1e-9);
    assert!((at_least(20_000, 20_000.0) - 0.5).abs() < 0.01);
    assert!(at_least(5_000, 100.0) < 1e-12 && at_least(3, 0.0) < 1e-12);
}
