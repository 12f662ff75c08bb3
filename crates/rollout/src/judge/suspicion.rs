//! Whether it is worth looking closer: a test costs more than an estimate, and an estimate on the good side
//! adds nothing to the evidence against a version.

use lockgate_model::plan::{Bound, Metric};
use lockgate_telemetry::arm::Arms;

use super::reading::inside;
use super::statistical::{QUANTILE, bad_and_good, bad_limit, shift_bins, stratum, sum};
use super::{Question, means, resolved};
use crate::explain::Verdict;
use crate::signals::Signals;
use crate::stats::quantile;
use crate::stats::share::Stratum;

/// Whether the estimate over this stretch lies on the bad side. Where it does not, the stretch adds
/// nothing to the evidence, and what came before it was judged when it came.
pub(super) fn suspect(question: &Question<'_>, strata: &[&Arms]) -> bool {
    strata.iter().any(|arms| match (question.metric, question.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(allowed)) => {
            has_more_errors(&stratum(question, arms), allowed)
        }
        (Metric::P95Ms, Bound::AboveBaselineBy(allowed)) => {
            let [candidate, stable] =
                [&arms.candidate, &arms.stable].map(|arm| question.population.sketches(arm));
            quantile::suspect(&candidate, &stable, QUANTILE, shift_bins(allowed))
        }
        (
            Metric::CostUsd | Metric::Measure(_),
            Bound::AboveBaselineBy(_) | Bound::BelowBaselineBy(_),
        ) => means::mean(question, &arms.candidate)
            .and_then(|value| inside(question.bound, value, means::mean(question, &arms.stable)))
            .unwrap_or(false),
        (Metric::Measure(_), bound) => means::mean(question, &arms.candidate)
            .and_then(|value| inside(bound, value, None))
            .is_some_and(|inside| question.verdict(inside) == Verdict::Fail),
        (Metric::CostPerResolvedUsd, bound) => {
            let stable = resolved::cost_usd(resolved::surely_resolved, &arms.stable);
            resolved::cost_usd(resolved::perhaps_resolved, &arms.candidate)
                .is_some_and(|value| inside(bound, value, stable) == Some(true))
        }
        (Metric::CostUsd | Metric::Nps | Metric::P95Ms, _) => true,
        (metric, Bound::Above(limit) | Bound::Below(limit)) => {
            bad_and_good(question, &arms.candidate)
                .is_some_and(|seen| is_beyond(metric, limit, seen))
        }
        _ => true,
    })
}

/// Votes and outcomes come after their answer, and count where it was given: what an epoch that is over
/// lacks may still come. Then the release as a whole lies on the bad side, whatever is seen now.
pub(super) fn late(question: &Question<'_>, signals: &Signals) -> bool {
    let strata = || signals.evidence.values();
    if strata().len() < 2 {
        return false;
    }
    match (question.metric, question.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(allowed)) => {
            let all = strata().map(|arms| stratum(question, arms)).reduce(|sum, one| Stratum {
                assigned: [0, 1].map(|arm: usize| sum.assigned[arm] + one.assigned[arm]),
                errors: [0, 1].map(|arm: usize| sum.errors[arm] + one.errors[arm]),
            });
            all.is_some_and(|all| has_more_errors(&all, allowed))
        }
        (
            Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::ReplacementRate,
            Bound::Above(limit) | Bound::Below(limit),
        ) => sum(question, &strata().collect::<Vec<_>>())
            .is_some_and(|[bad, good]| is_beyond(question.metric, limit, [bad, good])),
        _ => false,
    }
}

/// Whether the candidate has more errors than the stable version, so much more as is allowed aside.
fn has_more_errors(Stratum { assigned, errors }: &Stratum, allowed: f64) -> bool {
    let [candidate, stable] = errors.map(|errors| errors as f64);
    let [of_candidate, of_stable] = assigned.map(|assigned| assigned as f64);
    candidate * of_stable > (1.0 + allowed) * stable * of_candidate
}

/// Whether the share of bad samples is beyond its limit.
fn is_beyond(metric: Metric, limit: f64, [bad, good]: [u64; 2]) -> bool {
    bad as f64 > bad_limit(metric, limit) * (bad + good) as f64
}
