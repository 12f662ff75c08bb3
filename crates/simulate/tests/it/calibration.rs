//! Judges are as seldom wrong, and as soon right, as they must be: over the standard plan of 36
//! hours, at three rates.
//!
//! `LOCKGATE_CALIBRATION_RELEASES` says how many releases of each case are simulated. `--nocapture`
//! shows the figures.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockgate_model::agent::SignalSource;
use lockgate_model::measure::{Better, Measure};
use lockgate_model::plan::{Bound, Metric, Plan, Trigger};
use lockgate_rollout::state::Phase;
use lockgate_simulate::calibration::{Case, RATES, cases, found, releases};
use lockgate_simulate::plans::{naive, standard};
use lockgate_simulate::release::{Ended, Setting};
use lockgate_simulate::report::{Spread, Summary, upper_95};
use lockgate_simulate::truth::Truth;

use crate::number;

const RELEASES: &str = "LOCKGATE_CALIBRATION_RELEASES";

/// How many of each case: all of them, or a part that is enough to see what it is for.
fn count(part: u64) -> u64 {
    (number(RELEASES, 12) / part).max(8)
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).expect(name)
}

/// Releases on all cores.
fn release(case: &Case, plan: &Arc<Plan>, requests_per_s: f64, count: u64) -> Vec<Ended> {
    let setting = case.setting(plan, requests_per_s);
    let next = AtomicU64::new(0);
    let work = || {
        let seeds = std::iter::from_fn(|| {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            (seed < count).then_some(seed)
        });
        seeds.flat_map(|seed| releases(&setting, seed..seed + 1)).collect::<Vec<Ended>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let Summary { ends, rules, .. } = Summary::of(&ended);
    let rules: Vec<String> =
        rules.iter().map(|one| format!("{} {}", one.rule, one.releases)).collect();
    let all = found(&ended, |ended| ended.requests);
    let back = 100.0 * upper_95(in_phase(&ended, &Phase::RolledBack), count);
    println!(
        "{requests_per_s:>4}/s {:<29} {ends:?}; taken back at most {back:.2} %; after {} / {} requests; {}",
        case.name,
        all.median,
        all.p95,
        rules.join(", ")
    );
    ended
}

fn in_phase(ended: &[Ended], phase: &Phase) -> u64 {
    ended.iter().filter(|ended| ended.phase == *phase).count() as u64
}

/// At most one in a hundred; of few releases at most one.
fn seldom(back: u64, count: u64) -> bool {
    back <= (count / 100).max(1)
}

#[test]
fn an_identical_version_is_promoted() {
    let plan = Arc::new(standard());
    for rate in RATES {
        let count = count(1);
        let ended = release(&case("identical"), &plan, rate, count);
        let [back, promoted] =
            [Phase::RolledBack, Phase::Promoted].map(|phase| in_phase(&ended, &phase));
        assert!(seldom(back, count), "{rate}/s: {back} of {count} taken back");
        // Enough releases say so within the bound of their own chance.
        assert!(count < 1_000 || upper_95(back, count) <= 0.01, "{rate}/s: {back} of {count}");
        assert!(rate < 10.0 || promoted * 100 >= 95 * count, "{rate}/s: {promoted} of {count}");
    }
}

/// Figures of requests until a fault is found, and how far beyond them a sample of so many may lie:
/// a tenth, three standard errors, and two ticks, as judges look every ten seconds and a weight is
/// confirmed at one of them.
fn within(seen: Spread, figures: [f64; 2], rate: f64, count: u64) -> bool {
    let errors = (count as f64).sqrt();
    let ticks = 20.0 * rate;
    let [median, p95] = figures;
    (seen.median as f64) <= median * (1.1 + 3.0 / errors) + ticks
        && (seen.p95 as f64) <= p95 * (1.1 + 4.5 / errors) + 2.0 * ticks
}

#[test]
fn errors_are_found_as_soon_as_they_can_be() {
    let plan = Arc::new(standard());
    for rate in RATES {
        let count = count(4);
        let ended = release(&case("errors 5 -> 10 %"), &plan, rate, count);
        assert_eq!(in_phase(&ended, &Phase::RolledBack), count, "{rate}/s");
        // At a weight of 10 %, requests of all users.
        let seen = found(&ended, |ended| ended.requests);
        assert!(within(seen, [3_555.0, 8_770.0], rate, count), "{rate}/s: {seen:?}");
        let ended = release(&case("errors 0.5 -> 5 %"), &plan, rate, count);
        assert_eq!(in_phase(&ended, &Phase::RolledBack), count, "{rate}/s");
    }
    // Where ten seconds bring a thousand requests, judges may look more often.
    let mut plan = standard();
    plan.tick_ms = 1_000;
    plan.stages[0].duration_ms = 60_000;
    let count = count(4);
    let ended = release(&case("errors 5 -> 10 %"), &Arc::new(plan), 100.0, count);
    assert_eq!(in_phase(&ended, &Phase::RolledBack), count);
    let seen = found(&ended, |ended| ended.requests);
    assert!(within(seen, [3_555.0, 8_770.0], 10.0, count), "looking every second: {seen:?}");
}

#[test]
fn latency_is_found_as_soon_as_it_can_be() {
    let plan = Arc::new(standard());
    for rate in RATES {
        let count = count(4);
        let ended = release(&case("p95 twice"), &plan, rate, count);
        assert_eq!(in_phase(&ended, &Phase::RolledBack), count, "{rate}/s");
        // The figures are of requests of each version; there are fewer of the candidate.
        let own = found(&ended, |ended| ended.candidate_requests);
        assert!(within(own, [2_521.0, 2_521.0], rate / 10.0, count), "{rate}/s: {own:?}");
    }
}

#[test]
fn cost_feedback_and_pinned_errors_are_found() {
    let plan = Arc::new(standard());
    for (name, metric, rates) in [
        ("cost 1.5 times", Metric::CostUsd, &RATES[..]),
        // Votes are few: 43,200 requests to the candidate in a release at 1 request/s bring 2,160.
        ("8 % negative", Metric::NegativeShare, &RATES[1..]),
        ("pinned, errors 0.05 -> 0.1 %", Metric::ErrorRate, &RATES[2..]),
        ("pinned, errors 0.5 -> 1 %", Metric::ErrorRate, &RATES[1..]),
    ] {
        for rate in rates {
            let count = count(4);
            let ended = release(&case(name), &plan, *rate, count);
            assert_eq!(in_phase(&ended, &Phase::RolledBack), count, "{name} {rate}/s");
            let causes = ended.iter().filter_map(Ended::cause);
            let others = causes.filter(|cause| cause.metric != Some(metric)).count() as u64;
            // A false alarm of another metric may come first, as seldom as for a good version.
            assert!(seldom(others, count), "{name} {rate}/s: {others} of {count} by other metrics");
        }
    }
}

/// Two measures of one's own: one beside a bound and one beside the stable version.
fn measured() -> (Arc<Plan>, Vec<Measure>) {
    let measure =
        |name: &str, better| Measure { name: name.parse().unwrap(), better, from: 0.0, to: 1.0 };
    let measures = vec![measure("grounded", Better::Higher), measure("idle", Better::Lower)];
    let [grounded, idle] = [0, 1].map(|at: usize| Metric::Measure(measures[at].name));
    let mut plan = standard();
    let like = plan.triggers.iter().find(|trigger| trigger.metric == Metric::CostUsd).unwrap();
    let (below, above) = (Bound::BelowBaselineBy(0.05), Bound::Above(0.15));
    let beside = Trigger { metric: grounded, bound: below, min_samples: 200, ..like.clone() };
    let fixed = Trigger { metric: idle, bound: above, min_samples: 1, ..like.clone() };
    plan.triggers.extend([beside, fixed]);
    (Arc::new(plan), measures)
}

#[test]
fn measures_of_ones_own_are_judged_as_rightly() {
    let (plan, measures) = measured();
    let sources = measures.iter().flat_map(|measure| Metric::Measure(measure.name).sources());
    let mut setting = Setting { measures: measures.clone(), ..Setting::identical(plan) };
    setting.sources.extend(sources);
    // At the very bound of both: 0.9 · (1 − 0.05), and 0.15 from the best.
    let at_the_bound =
        Setting { candidate: Truth { report: 0.855, ..setting.candidate }, ..setting.clone() };
    let worse =
        Setting { candidate: Truth { report: 0.8, ..setting.candidate }, ..setting.clone() };
    let count = count(8);
    let own = |ended: &[Ended]| {
        let rules = ended.iter().filter_map(Ended::rule);
        rules.filter(|rule| rule.contains("grounded") || rule.contains("idle")).count() as u64
    };
    for setting in [&setting, &at_the_bound] {
        let ended = releases(setting, 1..count + 1);
        assert!(seldom(own(&ended), count), "{} of {count} taken back", own(&ended));
    }
    let ended = releases(&worse, 1..count + 1);
    assert_eq!((in_phase(&ended, &Phase::RolledBack), own(&ended)), (count, count));
}

/// What answers are worth: a share of resolved ones beside a bound, and what each costs beside the stable version.
fn of_worth() -> Arc<Plan> {
    let mut plan = standard();
    let like = plan.triggers.iter().find(|trigger| trigger.metric == Metric::CostUsd).unwrap();
    let trigger = |metric, bound| Trigger { metric, bound, min_samples: 200, ..like.clone() };
    let own = [
        trigger(Metric::ReplacementRate, Bound::Below(0.6)),
        trigger(Metric::CostPerResolvedUsd, Bound::AboveBaselineBy(0.3)),
    ];
    plan.triggers.extend(own);
    Arc::new(plan)
}

#[test]
fn what_answers_are_worth_is_judged_as_rightly() {
    let mut setting = Setting::identical(of_worth());
    setting.sources.push(SignalSource::Outcome);
    let with = |stable, candidate| Setting {
        stable: Truth { resolved: Some(stable), ..setting.stable },
        candidate: Truth { resolved: Some(candidate), ..setting.candidate },
        ..setting.clone()
    };
    let count = count(8);
    let own = |ended: &[Ended], metric: Metric| {
        let rules = ended.iter().filter_map(Ended::rule);
        rules.filter(|rule| rule.ends_with(metric.as_str())).count() as u64
    };
    let metrics = [Metric::ReplacementRate, Metric::CostPerResolvedUsd];
    // As good, and at the very bound of both: 0.6 of the answers, each resolved one 1.3 times as dear.
    for setting in [with(0.8, 0.8), with(0.78, 0.6)] {
        let ended = releases(&setting, 1..count + 1);
        let back: u64 = metrics.iter().map(|metric| own(&ended, *metric)).sum();
        assert!(seldom(back, count), "{back} of {count} taken back");
    }
    // Beyond the one, and beyond the other alone.
    for (setting, metric) in [(with(0.6, 0.5), metrics[0]), (with(0.98, 0.62), metrics[1])] {
        let ended = releases(&setting, 1..count + 1);
        let found = (in_phase(&ended, &Phase::RolledBack), own(&ended, metric));
        assert_eq!(found, (count, count), "{metric}");
    }
}

#[test]
fn pinned_conversations_take_no_identical_version_back() {
    let plan = Arc::new(standard());
    for rate in RATES {
        let count = count(2);
        let ended = release(&case("pinned, identical"), &plan, rate, count);
        // For want of keys is no verdict on the version.
        let by_trigger =
            ended.iter().filter_map(Ended::rule).filter(|rule| rule.starts_with("trigger"));
        let back = by_trigger.count() as u64;
        assert!(seldom(back, count), "{rate}/s: {back} of {count} taken back");
    }
}

/// What most others do, on the same releases.
#[test]
fn thresholds_take_identical_versions_back() {
    let count = count(4).min(100);
    let plan = Arc::new(naive(standard()));
    let ended = release(&case("identical"), &plan, 1.0, count);
    let back = in_phase(&ended, &Phase::RolledBack);
    assert!(back * 5 >= count, "{back} of {count}");
}
