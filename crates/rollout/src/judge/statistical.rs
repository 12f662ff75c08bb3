//! Anytime-valid tests on everything since the start of the release.

use lockgate_model::plan::{Assurance, Bound, Metric};
use lockgate_telemetry::arm::{Arm, Arms, Cost};
use lockgate_telemetry::sketch::{BINS_PER_20_PERCENT, Sketch};

use super::alpha::{self, Span};
use super::reading::{Measure, Reading, clearly_worse, inside};
use super::words::{self, Finding};
use super::{Blame, Judgement, Question, Role};
use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;
use crate::stats::bounded::{self, Votes};
use crate::stats::mean::{self, Difference, Moments};
use crate::stats::quantile::{self, Histogram};
use crate::stats::share::{self, Stratum};
use crate::stats::{bernoulli, ln_sum_exp};

/// The chance that a proof is wrong.
const ALPHA_PROOF: f64 = 0.05;

/// The chance that a shown interval misses the truth.
const ALPHA_SHOWN: f64 = 0.05;

/// With fewer sticky keys on a side, what a few heavy users do would be the verdict.
const KEYS_MIN: u64 = 30;

/// The quantile that `p95_ms` means.
const QUANTILE: f64 = 0.95;

/// A verdict with its numbers.
pub(super) fn judge(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> Judgement {
    let refuted = refuted(question, rollout, signals);
    let of_trigger = matches!(question.role, Role::Trigger(_));
    let (span, merged) = if refuted && of_trigger {
        loudest(question, rollout, signals)
    } else {
        (Span::Release, signals.evidence_merged())
    };
    let reading =
        |arm: &Arm| Reading::of_arm(question.metric, arm, rollout.by_key, question.measure);
    let (candidate, stable) = (reading(&merged.candidate), reading(&merged.stable));
    let verdict = match question.role {
        _ if refuted => Verdict::Fail,
        _ if !enough(question, rollout, &merged) => Verdict::Insufficient,
        Role::Gate(gate) if gate.assurance == Assurance::Proved => {
            if proved(question, rollout, &merged) { Verdict::Pass } else { Verdict::Insufficient }
        }
        _ => candidate
            .value
            .and_then(|value| inside(question.bound, value, stable.value))
            .map(|inside| question.verdict(inside))
            // The estimate is on the bad side, but chance could have put it there.
            .map_or(Verdict::Insufficient, |verdict| match verdict {
                Verdict::Pass => Verdict::Pass,
                _ => Verdict::Insufficient,
            }),
    };
    let finding = Finding {
        span,
        alpha: alpha::of(question.role, rollout),
        few_keys: few_keys(rollout, &merged),
        wants_proof: matches!(question.role, Role::Gate(gate) if gate.assurance == Assurance::Proved),
    };
    Judgement {
        cause: Cause {
            metric: Some(question.metric),
            verdict: Some(verdict),
            n: Some(candidate.n),
            value: candidate.value,
            baseline: stable.value,
            interval: interval(question, rollout, &merged),
            threshold: Some(question.bound.to_string()),
            rule: question.rule(rollout),
            text: words::found(question, verdict, rollout.by_key, [candidate, stable], &finding),
            by: None,
        },
        blame: blame(question, rollout, signals, [candidate, stable]),
    }
}

/// Whether the bound is refuted, within the budget of this test.
pub(super) fn refuted(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> bool {
    let by_key = rollout.by_key;
    if matches!(question.role, Role::Gate(_)) {
        let release: Vec<&Arms> = signals.evidence.values().collect();
        return beyond(question, by_key, &[(1.0, &release)], alpha::of(question.role, rollout));
    }
    let epoch = signals.evidence.get(&rollout.epoch);
    let block = [&signals.block];
    let epoch = epoch.as_slice();
    if !suspect(question, by_key, epoch) && !suspect(question, by_key, &block) {
        return false;
    }
    let spans = Span::ALL.map(|span| (span.share(&rollout.plan), strata(span, rollout, signals)));
    let spans = [0, 1, 2].map(|index: usize| (spans[index].0, spans[index].1.as_slice()));
    beyond(question, by_key, &spans, alpha::of(question.role, rollout))
}

/// The evidence of a span, by weight epoch.
fn strata<'s>(span: Span, rollout: &Rollout, signals: &'s Signals) -> Vec<&'s Arms> {
    match span {
        Span::Release => signals.evidence.values().collect(),
        Span::Epoch => signals.evidence.get(&rollout.epoch).into_iter().collect(),
        Span::Block => vec![&signals.block],
    }
}

/// The span that speaks loudest against the bound: its numbers are those that decided.
fn loudest(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> (Span, Arms) {
    let alpha = alpha::of(question.role, rollout);
    let loudness = |span: &Span| {
        let strata = strata(*span, rollout, signals);
        let share = span.share(&rollout.plan);
        if question.metric == Metric::CostUsd {
            return cost_difference(&strata, question.bound, alpha * share)
                .map_or(f64::NEG_INFINITY, |seen| seen.estimate - seen.half_width);
        }
        ln_e(question, rollout.by_key, &strata).map_or(f64::NEG_INFINITY, |ln_e| share.ln() + ln_e)
    };
    let louder = |a: &Span, b: &Span| loudness(a).total_cmp(&loudness(b));
    // The widest one when they are equal.
    let span = Span::ALL.into_iter().rev().max_by(louder).unwrap_or(Span::Release);
    let mut merged = Arms::default();
    for arms in strata(span, rollout, signals) {
        merged.candidate.merge(&arms.candidate);
        merged.stable.merge(&arms.stable);
    }
    (span, merged)
}

/// Whether the estimate over this stretch lies on the bad side. Where it does not, the stretch adds
/// nothing to the evidence, and what came before it was judged when it came.
fn suspect(question: &Question<'_>, by_key: bool, strata: &[&Arms]) -> bool {
    strata.iter().any(|arms| match (question.metric, question.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(allowed)) => {
            let Stratum { assigned, errors } = stratum(arms, by_key);
            let [candidate, stable] = errors.map(|errors| errors as f64);
            let [of_candidate, of_stable] = assigned.map(|assigned| assigned as f64);
            candidate * of_stable > (1.0 + allowed) * stable * of_candidate
        }
        (Metric::P95Ms, Bound::AboveBaselineBy(allowed)) => {
            let [candidate, stable] =
                [&arms.candidate, &arms.stable].map(|arm| question.measure.sketches(arm));
            quantile::suspect(&candidate, &stable, QUANTILE, shift_bins(allowed))
        }
        (Metric::CostUsd, Bound::AboveBaselineBy(allowed)) => {
            let mean = |arm: &Arm| arm.cost.mean_usd();
            mean(&arms.candidate)
                .zip(mean(&arms.stable))
                .is_some_and(|(candidate, stable)| candidate > (1.0 + allowed) * stable)
        }
        (Metric::CostUsd | Metric::Nps | Metric::P95Ms, _) => true,
        (metric, Bound::Above(limit) | Bound::Below(limit)) => {
            bad_and_good(metric, &arms.candidate, by_key).is_some_and(|[bad, good]| {
                bad as f64 > bad_limit(metric, limit) * (bad + good) as f64
            })
        }
        _ => true,
    })
}

/// Whether spans of evidence, each with its part of the budget, show the bound to be crossed.
fn beyond(question: &Question<'_>, by_key: bool, spans: &[(f64, &[&Arms])], alpha: f64) -> bool {
    let large = |strata: &[&Arms]| {
        let sum = |of: fn(&Arms) -> &Arm| {
            strata.iter().map(|arms| samples(question, of(arms), by_key)).sum::<u64>()
        };
        let keys =
            |of: fn(&Arms) -> &Arm| strata.iter().map(|arms| of(arms).keys.assigned).sum::<u64>();
        sum(|arms| &arms.candidate) >= question.min_samples.max(1)
            && (!by_key
                || (keys(|arms| &arms.candidate) >= KEYS_MIN
                    && keys(|arms| &arms.stable) >= KEYS_MIN))
    };
    let large_enough = || spans.iter().filter(|(_, strata)| large(strata));
    if question.metric == Metric::CostUsd {
        return large_enough().any(|(share, strata)| {
            cost_difference(strata, question.bound, alpha * share)
                .is_some_and(|seen| seen.estimate > seen.half_width)
        });
    }
    let mut terms = [f64::NEG_INFINITY; Span::ALL.len()];
    for (term, (share, strata)) in terms.iter_mut().zip(large_enough()) {
        if let Some(ln_e) = ln_e(question, by_key, strata) {
            *term = share.ln() + ln_e;
        }
    }
    ln_sum_exp(terms.iter().copied()) >= -alpha.ln()
}

/// Bad and good samples of a metric that is a share.
fn bad_and_good(metric: Metric, arm: &Arm, by_key: bool) -> Option<[u64; 2]> {
    let split = |bad: u64, all: u64| Some([bad, all.saturating_sub(bad)]);
    match metric {
        Metric::ErrorRate if by_key => split(arm.keys.first_errors, arm.keys.at_risk),
        Metric::ErrorRate => split(arm.errors_charged(), arm.judged()),
        Metric::NegativeShare => split(arm.feedback.negative, arm.feedback.count()),
        Metric::SatisfiedShare => {
            let votes = arm.feedback.count();
            split(votes - arm.feedback.positive, votes)
        }
        _ => None,
    }
}

fn samples(question: &Question<'_>, arm: &Arm, by_key: bool) -> u64 {
    match question.metric {
        Metric::P95Ms => {
            question.measure.sketches(arm).into_iter().flatten().map(Sketch::count).sum()
        }
        Metric::CostUsd => arm.cost.known,
        Metric::Nps => arm.feedback.count(),
        metric => bad_and_good(metric, arm, by_key).map_or(0, |[bad, good]| bad + good),
    }
}

fn sum(strata: &[&Arms], of: impl Fn(&Arm) -> Option<[u64; 2]>) -> Option<[u64; 2]> {
    let mut sum = [0, 0];
    for arms in strata {
        let [bad, good] = of(&arms.candidate)?;
        sum = [sum[0] + bad, sum[1] + good];
    }
    Some(sum)
}

/// `ln E` against "the bound is kept".
fn ln_e(question: &Question<'_>, by_key: bool, strata: &[&Arms]) -> Option<f64> {
    match (question.metric, question.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(allowed)) => {
            let strata: Vec<Stratum> = strata.iter().map(|arms| stratum(arms, by_key)).collect();
            share::above(&strata, 1.0 + allowed)
        }
        (Metric::P95Ms, Bound::AboveBaselineBy(allowed)) => {
            slower(strata, question.measure, shift_bins(allowed))
        }
        (Metric::P95Ms, Bound::Above(limit_ms) | Bound::Below(limit_ms)) => {
            let [over, under] = over_and_under(strata, question.measure, limit_ms);
            bernoulli::above(over, under, 1.0 - QUANTILE)
        }
        (Metric::Nps, Bound::Above(limit) | Bound::Below(limit)) => {
            bounded::below(votes(strata), limit / 100.0)
        }
        (metric, Bound::Above(limit) | Bound::Below(limit)) => {
            let [bad, good] = sum(strata, |arm| bad_and_good(metric, arm, by_key))?;
            bernoulli::above(bad, good, bad_limit(metric, limit))
        }
        _ => None,
    }
}

/// The bound on the share of bad samples.
fn bad_limit(metric: Metric, limit: f64) -> f64 {
    if metric == Metric::SatisfiedShare { 1.0 - limit } else { limit }
}

/// Of keys, only those that had no error before: each adds one error to a release at most, so that
/// who always fails is not new evidence in every epoch.
fn stratum(arms: &Arms, by_key: bool) -> Stratum {
    let Arms { candidate, stable } = arms;
    if by_key {
        Stratum {
            assigned: [candidate.keys.at_risk, stable.keys.at_risk],
            errors: [candidate.keys.first_errors, stable.keys.first_errors],
        }
    } else {
        Stratum {
            assigned: [candidate.assigned, stable.assigned],
            errors: [candidate.errors_charged(), stable.errors_charged()],
        }
    }
}

/// Each epoch is compared with itself, as the mix of traffic differs between them.
fn slower(strata: &[&Arms], measure: Measure, shift: i32) -> Option<f64> {
    let mut whole = None;
    for arms in strata {
        let seen = quantile::above(
            &histogram(measure, &arms.candidate),
            &histogram(measure, &arms.stable),
            QUANTILE,
            shift,
        );
        whole = match (whole, seen) {
            (Some(whole), Some(seen)) => Some(whole + seen),
            (whole, seen) => whole.or(seen),
        };
    }
    whole
}

fn histogram(measure: Measure, arm: &Arm) -> Histogram {
    match measure.sketches(arm) {
        [Some(one), None] | [None, Some(one)] => Histogram::new(one.bins()),
        sketches => {
            let mut all = Sketch::default();
            sketches.into_iter().flatten().for_each(|sketch| all.merge(sketch));
            Histogram::new(all.bins())
        }
    }
}

/// Bins by which a value that grows by this share moves, rounded up in the candidate's favour.
#[expect(clippy::cast_possible_truncation, reason = "plans allow at most ten times, 118 bins")]
fn shift_bins(allowed: f64) -> i32 {
    let bins = f64::from(BINS_PER_20_PERCENT) * allowed.ln_1p() / 1.2_f64.ln();
    (bins - 1e-9).ceil() as i32
}

/// Values in bins wholly above a limit, and all others.
fn over_and_under(strata: &[&Arms], measure: Measure, limit_ms: f64) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let bin = Sketch::bin((limit_ms * 1e3) as u64);
    let (mut over, mut under) = (0, 0);
    for sketch in strata.iter().flat_map(|arms| measure.sketches(&arms.candidate)).flatten() {
        for (at, count) in sketch.bins() {
            *(if at > bin { &mut over } else { &mut under }) += count;
        }
    }
    [over, under]
}

fn votes(strata: &[&Arms]) -> Votes {
    let sum = |of: fn(&Arm) -> u64| strata.iter().map(|arms| of(&arms.candidate)).sum();
    Votes {
        negative: sum(|arm| arm.feedback.negative),
        neutral: sum(|arm| arm.feedback.neutral),
        positive: sum(|arm| arm.feedback.positive),
    }
}

fn moments(cost: &Cost) -> Moments {
    let n = cost.known as f64;
    let mean = cost.sum_nanousd as f64 / n / 1e9;
    let squares = cost.sum_squares as f64 / n / 1e18;
    Moments { n: cost.known, mean, variance: (squares - mean * mean).max(0.0) }
}

/// How far the candidate's mean cost lies beyond the bound, US dollars.
fn cost_difference(strata: &[&Arms], bound: Bound, alpha: f64) -> Option<Difference> {
    let pairs: Vec<[Moments; 2]> = strata
        .iter()
        .map(|arms| match bound {
            Bound::AboveBaselineBy(_) => {
                [moments(&arms.candidate.cost), moments(&arms.stable.cost)]
            }
            // A fixed bound is a stable version whose every request costs just that.
            Bound::Above(limit) | Bound::Below(limit) | Bound::Equal(limit) => {
                let fixed = Moments { n: u64::MAX, mean: limit, variance: 0.0 };
                [moments(&arms.candidate.cost), fixed]
            }
        })
        .collect();
    let factor = if let Bound::AboveBaselineBy(allowed) = bound { 1.0 + allowed } else { 1.0 };
    mean::difference(&pairs, factor, alpha)
}

fn few_keys(rollout: &Rollout, merged: &Arms) -> bool {
    rollout.by_key
        && (merged.candidate.keys.assigned < KEYS_MIN || merged.stable.keys.assigned < KEYS_MIN)
}

fn enough(question: &Question<'_>, rollout: &Rollout, merged: &Arms) -> bool {
    let relative = matches!(question.bound, Bound::AboveBaselineBy(_));
    let few = |arm| samples(question, arm, rollout.by_key) < question.min_samples.max(1);
    !(few_keys(rollout, merged) || few(&merged.candidate) || relative && few(&merged.stable))
}

/// Whether the bound is shown to be kept.
fn proved(question: &Question<'_>, rollout: &Rollout, merged: &Arms) -> bool {
    let ln_e = match (question.metric, question.bound) {
        (Metric::CostUsd, bound) => {
            return cost_difference(&[merged], bound, ALPHA_PROOF)
                .is_some_and(|seen| seen.estimate < -seen.half_width);
        }
        (Metric::P95Ms, Bound::Below(limit_ms)) => {
            // The bin of the limit counts as above it: a proof leaves nothing open.
            let just_below_ms = limit_ms / 1.2_f64.powf(1.0 / f64::from(BINS_PER_20_PERCENT));
            let [over, under] = over_and_under(&[merged], question.measure, just_below_ms);
            bernoulli::below(over, under, 1.0 - QUANTILE)
        }
        (Metric::Nps, Bound::Above(limit)) => bounded::above(votes(&[merged]), limit / 100.0),
        (metric, Bound::Below(limit) | Bound::Above(limit)) => {
            bad_and_good(metric, &merged.candidate, rollout.by_key)
                .and_then(|[bad, good]| bernoulli::below(bad, good, bad_limit(metric, limit)))
        }
        _ => None,
    };
    ln_e.is_some_and(|ln_e| ln_e >= -ALPHA_PROOF.ln())
}

/// Where the true value lies.
fn interval(question: &Question<'_>, rollout: &Rollout, merged: &Arms) -> Option<[f64; 2]> {
    if question.metric == Metric::CostUsd {
        let zero = Bound::Equal(0.0);
        let seen = cost_difference(&[merged], zero, ALPHA_SHOWN)?;
        return Some([seen.estimate - seen.half_width, seen.estimate + seen.half_width]);
    }
    let [bad, good] = bad_and_good(question.metric, &merged.candidate, rollout.by_key)?;
    let [low, high] = bernoulli::interval(bad, good, ALPHA_SHOWN)?;
    Some(if question.metric == Metric::SatisfiedShare {
        [1.0 - high, 1.0 - low]
    } else {
        [low, high]
    })
}

/// A bound that the stable version breaks as well, without the candidate being worse, is not the
/// candidate's fault.
fn blame(
    question: &Question<'_>,
    rollout: &Rollout,
    signals: &Signals,
    [candidate, stable]: [Reading; 2],
) -> Blame {
    let (Some(value), Some(base)) = (candidate.value, stable.enough(question.min_samples)) else {
        return Blame::Candidate;
    };
    let relative = matches!(question.bound, Bound::AboveBaselineBy(_));
    let stable_breaks_it = inside(question.bound, base, None)
        .is_some_and(|inside| question.verdict(inside) == Verdict::Fail);
    if relative || !stable_breaks_it {
        return Blame::Candidate;
    }
    let worse = if question.metric == Metric::ErrorRate {
        let strata: Vec<Stratum> =
            signals.evidence.values().map(|arms| stratum(arms, rollout.by_key)).collect();
        let alpha = alpha::of(question.role, rollout);
        share::above(&strata, 1.0).is_some_and(|ln_e| ln_e >= -alpha.ln())
    } else {
        clearly_worse(question.bound, value, base)
    };
    if worse { Blame::Candidate } else { Blame::Baseline }
}
