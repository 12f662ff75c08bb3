//! What was resolved without a person, and what that cost.
//!
//! Nobody may have said how an answer ended, or not yet. What is not known passes nothing and takes nothing back: whoever
//! wants to pass counts it as not resolved, whoever wants to take back as resolved.

use lockgate_model::plan::{Bound, Metric};
use lockgate_telemetry::arm::{Arm, Arms};

use super::reading::{inside, names_good_side};
use super::{Question, means};
use crate::stats::bernoulli;
use crate::stats::mean::{self, Moments};

/// How answers are counted: those that were not resolved, and those that were. `None` while no outcome is known at all.
pub(super) type Counting = fn(&Arm) -> Option<[u64; 2]>;

/// Unknown ones are not resolved.
pub(super) fn surely_resolved(arm: &Arm) -> Option<[u64; 2]> {
    counted(arm, arm.outcomes.resolved)
}

/// Unknown ones are resolved.
pub(super) fn perhaps_resolved(arm: &Arm) -> Option<[u64; 2]> {
    counted(arm, arm.heard() - arm.outcomes.escalated - arm.outcomes.failed)
}

fn counted(arm: &Arm, resolved: u64) -> Option<[u64; 2]> {
    (arm.outcomes.count() > 0).then(|| [arm.heard() - resolved, resolved])
}

/// How the candidate's answers are counted where its number is shown and compared.
pub(super) fn counting(question: &Question<'_>) -> Counting {
    if names_good_side(question.role) { surely_resolved } else { perhaps_resolved }
}

/// Whether the candidate may keep a bound after all, by what is not known of it.
pub(super) fn may_keep(question: &Question<'_>, arm: &Arm) -> bool {
    let value = match question.metric {
        Metric::ReplacementRate => perhaps_resolved(arm).map(share),
        Metric::CostPerResolvedUsd => cost_usd(perhaps_resolved, arm),
        _ => return false,
    };
    names_good_side(question.role)
        && value.and_then(|value| inside(question.bound, value, None)) == Some(true)
}

fn share([bad, good]: [u64; 2]) -> f64 {
    good as f64 / (bad + good) as f64
}

/// Answers behind a cost for each resolved one: those of known cost, while outcomes are known.
pub(super) fn samples(arm: &Arm) -> u64 {
    if arm.outcomes.count() == 0 { 0 } else { arm.cost.known }
}

/// Mean cost of an answer, divided by the share of answers that were resolved, US dollars. `None` when none was.
pub(super) fn cost_usd(counting: Counting, arm: &Arm) -> Option<f64> {
    let share = share(counting(arm)?);
    arm.cost.mean_usd().map(|cost| cost / share).filter(|cost| cost.is_finite())
}

/// Where the cost for each resolved answer lies, US dollars, at `1 − alpha` and at any time: the ends of a confidence sequence
/// of the mean cost, divided by those of one of the share, half the error each. They need not be independent.
pub(super) fn interval_usd(counting: Counting, arms: &[&Arm], alpha: f64) -> Option<[f64; 2]> {
    let nothing = Moments { n: u64::MAX, mean: 0.0, variance: 0.0 };
    let costs: Vec<[Moments; 2]> =
        arms.iter().map(|arm| [means::of_cost(&arm.cost), nothing]).collect();
    let cost = mean::difference(&costs, 1.0, alpha / 2.0)?;
    let [bad, good] = arms
        .iter()
        .filter_map(|arm| counting(arm))
        .reduce(|[bad, good], [more_bad, more_good]| [bad + more_bad, good + more_good])?;
    let [unresolved_low, unresolved_high] = bernoulli::interval(bad, good, alpha / 2.0)?;
    let low = (cost.estimate - cost.half_width).max(0.0) / (1.0 - unresolved_low);
    let high = (cost.estimate + cost.half_width) / (1.0 - unresolved_high);
    // Nothing resolved for sure has no upper end.
    Some([low, if high.is_finite() { high } else { f64::INFINITY }])
}

/// How far the candidate's cost lies beyond the bound for sure, US dollars; negative when it may not.
pub(super) fn margin(question: &Question<'_>, strata: &[&Arms], alpha: f64) -> Option<f64> {
    let candidate: Vec<&Arm> = strata.iter().map(|arms| &arms.candidate).collect();
    match question.bound {
        Bound::Above(limit) | Bound::Below(limit) | Bound::Equal(limit) => {
            let [low, _] = interval_usd(perhaps_resolved, &candidate, alpha)?;
            Some(low - limit)
        }
        Bound::AboveBaselineBy(allowed) => {
            let stable: Vec<&Arm> = strata.iter().map(|arms| &arms.stable).collect();
            let [low, _] = interval_usd(perhaps_resolved, &candidate, alpha / 2.0)?;
            let [_, high] = interval_usd(surely_resolved, &stable, alpha / 2.0)?;
            Some(low - (1.0 + allowed) * high)
        }
        // No plan names it.
        Bound::BelowBaselineBy(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::plan::{Absent, Action, AlertLevel, Assurance, Gate, Judge, Trigger};
    use lockgate_telemetry::arm::{Cost, Outcomes};

    use super::super::Role;
    use super::super::population::Population;
    use super::*;

    const GATE: Gate = Gate {
        metric: Metric::CostPerResolvedUsd,
        bound: Bound::Below(0.10),
        min_samples: 200,
        judge: Judge::Statistical,
        assurance: Assurance::Observed,
        absent: Absent::Refuse,
        dry_run: false,
    };
    const TRIGGER: Trigger = Trigger {
        metric: Metric::CostPerResolvedUsd,
        bound: Bound::Above(0.10),
        judge: Judge::Statistical,
        window_ms: 1,
        min_samples: 200,
        action: Action::Switch,
        alert: AlertLevel::Medium,
        dry_run: false,
    };

    fn question(role: Role<'static>, bound: Bound) -> Question<'static> {
        let metric = Metric::CostPerResolvedUsd;
        Question {
            metric,
            bound,
            role,
            min_samples: 200,
            population: Population::All,
            measure: None,
        }
    }

    /// So many answers at two cents, half of them at one and half at three.
    fn arm(answers: u64, resolved: u64, escalated: u64) -> Arm {
        let mut cost = Cost::default();
        for answer in 0..answers {
            cost.record(Some(if answer % 2 == 0 { 10_000_000 } else { 30_000_000 }));
        }
        let outcomes = Outcomes { resolved, escalated, ..Outcomes::default() };
        Arm { completed: answers, cost, outcomes, ..Arm::default() }
    }

    #[test]
    fn what_nobody_said_is_against_a_gate_and_for_a_trigger() {
        let arm = arm(1_000, 400, 100);
        let gate = question(Role::Gate(&GATE), GATE.bound);
        let trigger = question(Role::Trigger(&TRIGGER), TRIGGER.bound);
        let [sure, perhaps] = [&gate, &trigger].map(counting);
        assert_eq!((sure(&arm), perhaps(&arm)), (Some([600, 400]), Some([100, 900])));
        assert!((cost_usd(sure, &arm).unwrap() - 0.05).abs() < 1e-12);
        assert!((cost_usd(perhaps, &arm).unwrap() - 0.02 / 0.9).abs() < 1e-12);
    }

    #[test]
    fn no_outcome_at_all_is_no_number() {
        let silent = arm(1_000, 0, 0);
        assert_eq!((samples(&silent), cost_usd(surely_resolved, &silent)), (0, None));
        assert_eq!(interval_usd(surely_resolved, &[&silent], 0.05), None);
        // All were escalated: dear without end, and no number either.
        let none = arm(1_000, 0, 1_000);
        assert_eq!(cost_usd(perhaps_resolved, &none), None);
        let [low, high] = interval_usd(perhaps_resolved, &[&none], 0.05).unwrap();
        assert!(low > 1.0 && high == f64::INFINITY, "{low} {high}");
    }

    #[test]
    fn the_interval_holds_the_truth_and_narrows() {
        let mut before = f64::INFINITY;
        for answers in [400, 4_000, 40_000] {
            let [low, high] =
                interval_usd(surely_resolved, &[&arm(answers, answers / 2, answers / 2)], 0.05)
                    .unwrap();
            assert!(low < 0.04 && 0.04 < high && high - low < before, "{low} {high}");
            before = high - low;
        }
    }

    #[test]
    fn a_version_that_is_twice_as_dear_for_each_resolved_one_is_beyond_the_baseline() {
        let bound = Bound::AboveBaselineBy(0.3);
        let trigger = question(Role::Trigger(&TRIGGER), bound);
        let arms = |resolved| Arms {
            candidate: arm(20_000, resolved, 20_000 - resolved),
            stable: arm(20_000, 16_000, 4_000),
        };
        assert!(margin(&trigger, &[&arms(8_000)], 0.01).unwrap() > 0.0);
        assert!(margin(&trigger, &[&arms(16_000)], 0.01).unwrap() < 0.0);
        // It may be too few to say so.
        let few = Arms { candidate: arm(40, 16, 24), stable: arm(40, 32, 8) };
        assert!(margin(&trigger, &[&few], 0.01).unwrap() < 0.0);
    }
}
