//! Metrics that are means: cost, and measures of one's own.

use lockgate_model::measure::Measure;
use lockgate_model::plan::{Bound, Metric};
use lockgate_telemetry::arm::{Arm, Arms, Cost, Measured};

use super::Question;
use crate::stats::bounded::Values;
use crate::stats::mean::{self, Difference, Moments};

/// Whether the question is answered by a difference of means. A measure beside a fixed bound is not: it
/// has a range, and its test needs nothing else.
pub(super) fn by_difference(question: &Question<'_>) -> bool {
    match question.metric {
        Metric::CostUsd => true,
        Metric::Measure(_) => question.bound.is_relative(),
        _ => false,
    }
}

/// How far the candidate's mean lies on the named side of `bound`, in the metric's unit.
pub(super) fn difference(
    question: &Question<'_>,
    strata: &[&Arms],
    bound: Bound,
    alpha: f64,
) -> Option<Difference> {
    let pairs: Vec<[Moments; 2]> = strata
        .iter()
        .map(|arms| {
            let stable = match bound {
                Bound::AboveBaselineBy(_) | Bound::BelowBaselineBy(_) => {
                    moments(question, &arms.stable)
                }
                // A fixed bound is a stable version whose every value is just that.
                Bound::Above(limit) | Bound::Below(limit) | Bound::Equal(limit) => {
                    Moments { n: u64::MAX, mean: limit, variance: 0.0 }
                }
            };
            [moments(question, &arms.candidate), stable]
        })
        .collect();
    match bound {
        Bound::AboveBaselineBy(allowed) => mean::difference(&pairs, 1.0 + allowed, alpha),
        Bound::BelowBaselineBy(allowed) => mean::difference(&pairs, 1.0 - allowed, alpha)
            .map(|found| Difference { estimate: -found.estimate, ..found }),
        _ => mean::difference(&pairs, 1.0, alpha),
    }
}

/// The mean of what was seen of an arm.
pub(super) fn mean(question: &Question<'_>, arm: &Arm) -> Option<f64> {
    match question.metric {
        Metric::CostUsd => arm.cost.mean_usd(),
        _ => measured(question, arm).and_then(|(measure, seen)| Some(measure.value(seen.mean()?))),
    }
}

/// Values that were seen of an arm.
pub(super) fn count(question: &Question<'_>, arm: &Arm) -> u64 {
    match question.metric {
        Metric::CostUsd => arm.cost.known,
        _ => measured(question, arm).map_or(0, |(_, seen)| seen.count()),
    }
}

/// What a measure's versions reported under some strata, as shares of its range.
pub(super) fn shares<'s>(question: &Question<'_>, strata: &'s [&'s Arms]) -> impl Values + 's {
    let name = question.measure.map(|measure| measure.name);
    strata.iter().flat_map(move |arms| {
        let seen = name.and_then(|name| arms.candidate.measures.get(&name));
        seen.into_iter().flat_map(Measured::shares)
    })
}

fn measured<'a>(question: &Question<'_>, arm: &'a Arm) -> Option<(Measure, &'a Measured)> {
    let measure = question.measure?;
    Some((measure, arm.measures.get(&measure.name)?))
}

fn moments(question: &Question<'_>, arm: &Arm) -> Moments {
    match (question.metric, measured(question, arm)) {
        (Metric::CostUsd, _) => of_cost(&arm.cost),
        (_, Some((measure, seen))) => of_measure(measure, seen),
        (_, None) => Moments { n: 0, mean: 0.0, variance: 0.0 },
    }
}

pub(super) fn of_cost(cost: &Cost) -> Moments {
    let n = cost.known as f64;
    let mean = cost.sum_nanousd as f64 / n / 1e9;
    let squares = cost.sum_squares as f64 / n / 1e18;
    Moments { n: cost.known, mean, variance: (squares - mean * mean).max(0.0) }
}

fn of_measure(measure: Measure, seen: &Measured) -> Moments {
    let n = seen.count();
    let mean = seen.mean().unwrap_or(0.0);
    let squares = seen.shares().map(|(x, count)| (x - mean).powi(2) * count as f64).sum::<f64>();
    let range = measure.to - measure.from;
    Moments { n, mean: measure.value(mean), variance: range * range * squares / n.max(1) as f64 }
}
