//! Anytime-valid tests on everything since the start of the release.

use lockgate_model::plan::{Assurance, Bound, Metric};
use lockgate_telemetry::arm::{Arm, Arms};
use lockgate_telemetry::sketch::{BINS_PER_20_PERCENT, Sketch};

use super::alpha::{self, Span};
use super::population::Population;
use super::reading::{Reading, clearly_worse, inside, names_good_side};
use super::suspicion::{late, suspect};
use super::words::{self, Finding};
use super::{Blame, Judgement, Question, Role, means, resolved};
use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;
use crate::stats::bounded::{self, Values};
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
pub(super) const QUANTILE: f64 = 0.95;

/// A verdict with its numbers.
pub(super) fn judge(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> Judgement {
    let refuted = refuted(question, rollout, signals);
    let of_trigger = matches!(question.role, Role::Trigger(_));
    let (span, merged) = if refuted && of_trigger {
        loudest(question, rollout, signals)
    } else {
        (Span::Release, signals.evidence_merged())
    };
    let candidate = Reading::of_arm(question, &merged.candidate);
    let stable = Reading::of_stable(question, &merged.stable);
    let verdict =
        match question.role {
            _ if refuted => Verdict::Fail,
            _ if !enough(question, rollout, &merged) => Verdict::Insufficient,
            Role::Gate(gate) if gate.assurance == Assurance::Proved => {
                if proved(question, &merged) { Verdict::Pass } else { Verdict::Insufficient }
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
        few_keys: few_keys(question, rollout, &merged),
        wants_proof: matches!(question.role, Role::Gate(gate) if gate.assurance == Assurance::Proved),
    };
    Judgement {
        cause: Cause {
            metric: Some(question.metric),
            verdict: Some(verdict),
            n: Some(candidate.n),
            value: candidate.value,
            baseline: stable.value,
            interval: interval(question, &merged),
            threshold: Some(question.bound.to_string()),
            rule: question.rule(rollout),
            text: words::found(question, verdict, [candidate, stable], &finding),
            by: None,
        },
        blame: blame(question, rollout, signals, [candidate, stable]),
    }
}

/// Whether the bound is refuted, within the budget of this test.
pub(super) fn refuted(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> bool {
    let by_users = by_users(question, rollout);
    if matches!(question.role, Role::Gate(_)) {
        let release: Vec<&Arms> = signals.evidence.values().collect();
        return beyond(question, by_users, &[(1.0, &release)], alpha::of(question.role, rollout));
    }
    let epoch = signals.evidence.get(&rollout.epoch);
    let block = [&signals.block];
    let epoch = epoch.as_slice();
    if !suspect(question, epoch) && !suspect(question, &block) && !late(question, signals) {
        return false;
    }
    let epochs = signals.evidence.len();
    let spans = Span::ALL.map(|span| (span.share(rollout, epochs), strata(span, rollout, signals)));
    let spans = [0, 1, 2].map(|index: usize| (spans[index].0, spans[index].1.as_slice()));
    beyond(question, by_users, &spans, alpha::of(question.role, rollout))
}

/// Whether users are what makes numbers independent of each other.
fn by_users(question: &Question<'_>, rollout: &Rollout) -> bool {
    rollout.by_key && question.population != Population::Keyless
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
        let share = span.share(rollout, signals.evidence.len());
        if means::by_difference(question) {
            return means::difference(question, &strata, question.bound, alpha * share)
                .map_or(f64::NEG_INFINITY, |seen| seen.estimate - seen.half_width);
        }
        if question.metric == Metric::CostPerResolvedUsd {
            return resolved::margin(question, &strata, alpha * share).unwrap_or(f64::NEG_INFINITY);
        }
        ln_e(question, &strata).map_or(f64::NEG_INFINITY, |ln_e| share.ln() + ln_e)
    };
    let louder = |a: &Span, b: &Span| loudness(a).total_cmp(&loudness(b));
    // The widest one when they are equal.
    let span = Span::ALL.into_iter().rev().max_by(louder).unwrap_or(Span::Release);
    if span == Span::Release {
        return (span, signals.evidence_merged());
    }
    let mut merged = Arms::default();
    for arms in strata(span, rollout, signals) {
        merged.candidate.merge(&arms.candidate);
        merged.stable.merge(&arms.stable);
    }
    (span, merged)
}

/// Whether spans of evidence, each with its part of the budget, show the bound to be crossed.
fn beyond(question: &Question<'_>, by_users: bool, spans: &[(f64, &[&Arms])], alpha: f64) -> bool {
    let large = |strata: &[&Arms]| {
        let seen: u64 = strata.iter().map(|arms| samples(question, &arms.candidate)).sum();
        let users = |of: fn(&Arms) -> &Arm| distinct_users(strata.iter().map(|arms| of(arms)));
        seen >= question.min_samples.max(1)
            && (!by_users
                || (users(|arms| &arms.candidate) >= KEYS_MIN
                    && users(|arms| &arms.stable) >= KEYS_MIN))
    };
    let large_enough = || spans.iter().filter(|(share, strata)| *share > 0.0 && large(strata));
    if means::by_difference(question) {
        return large_enough().any(|(share, strata)| {
            means::difference(question, strata, question.bound, alpha * share)
                .is_some_and(|seen| seen.estimate > seen.half_width)
        });
    }
    if question.metric == Metric::CostPerResolvedUsd {
        return large_enough().any(|(share, strata)| {
            resolved::margin(question, strata, alpha * share).is_some_and(|margin| margin > 0.0)
        });
    }
    let mut terms = [f64::NEG_INFINITY; Span::ALL.len()];
    for (term, (share, strata)) in terms.iter_mut().zip(large_enough()) {
        if let Some(ln_e) = ln_e(question, strata) {
            *term = share.ln() + ln_e;
        }
    }
    ln_sum_exp(terms.iter().copied()) >= -alpha.ln()
}

/// Bad and good samples of a metric that is a share.
pub(super) fn bad_and_good(question: &Question<'_>, arm: &Arm) -> Option<[u64; 2]> {
    let split = |bad: u64, all: u64| Some([bad, all.saturating_sub(bad)]);
    match question.metric {
        Metric::ErrorRate => {
            let [bad, all] = question.population.errors(arm);
            split(bad, all)
        }
        Metric::NegativeShare => split(arm.feedback.negative, arm.feedback.count()),
        Metric::SatisfiedShare => {
            let votes = arm.feedback.count();
            split(votes - arm.feedback.positive, votes)
        }
        Metric::ReplacementRate => resolved::perhaps_resolved(arm),
        _ => None,
    }
}

fn samples(question: &Question<'_>, arm: &Arm) -> u64 {
    match question.metric {
        Metric::P95Ms => {
            question.population.sketches(arm).into_iter().flatten().map(Sketch::count).sum()
        }
        Metric::CostUsd | Metric::Measure(_) => means::count(question, arm),
        Metric::CostPerResolvedUsd => resolved::samples(arm),
        Metric::Nps => arm.feedback.count(),
        _ => bad_and_good(question, arm).map_or(0, |[bad, good]| bad + good),
    }
}

/// Users that several epochs met, each counted once.
fn distinct_users<'a>(arms: impl Iterator<Item = &'a Arm> + Clone) -> u64 {
    let first: u64 = arms.clone().map(|arm| arm.keys.first_assigned).sum();
    arms.map(|arm| arm.keys.assigned).fold(first, u64::max)
}

/// Bad and good samples of several epochs. A user whom several of them met is one, and good once.
pub(super) fn sum(question: &Question<'_>, strata: &[&Arms]) -> Option<[u64; 2]> {
    let mut sum = [0, 0];
    for arms in strata {
        let [bad, good] = bad_and_good(question, &arms.candidate)?;
        sum = [sum[0] + bad, sum[1] + good];
    }
    if strata.len() > 1 && question.population == Population::Users {
        let users = distinct_users(strata.iter().map(|arms| &arms.candidate));
        sum[1] = sum[1].min(users.saturating_sub(sum[0]));
    }
    Some(sum)
}

/// `ln E` against "the bound is kept".
fn ln_e(question: &Question<'_>, strata: &[&Arms]) -> Option<f64> {
    match (question.metric, question.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(allowed)) => {
            let strata: Vec<Stratum> = strata.iter().map(|arms| stratum(question, arms)).collect();
            share::above(&strata, 1.0 + allowed)
        }
        (Metric::P95Ms, Bound::AboveBaselineBy(allowed)) => {
            slower(strata, question.population, shift_bins(allowed))
        }
        (Metric::P95Ms, Bound::Above(limit_ms) | Bound::Below(limit_ms)) => {
            let [over, under] = over_and_under(strata, question.population, limit_ms);
            bernoulli::above(over, under, 1.0 - QUANTILE)
        }
        (Metric::Nps, Bound::Above(limit) | Bound::Below(limit)) => {
            bounded::below(&votes(strata), of_nps(limit))
        }
        (Metric::Measure(_), Bound::Above(limit) | Bound::Below(limit)) => {
            let limit = question.measure?.share(limit);
            if good_is_high(question) {
                bounded::below(&means::shares(question, strata), limit)
            } else {
                bounded::above(&means::shares(question, strata), limit)
            }
        }
        (metric, Bound::Above(limit) | Bound::Below(limit)) => {
            let [bad, good] = sum(question, strata)?;
            bernoulli::above(bad, good, bad_limit(metric, limit))
        }
        _ => None,
    }
}

/// Whether the metric is the share of good samples, and not that of bad ones.
fn good_is_counted(metric: Metric) -> bool {
    matches!(metric, Metric::SatisfiedShare | Metric::ReplacementRate)
}

/// The bound on the share of bad samples.
pub(super) fn bad_limit(metric: Metric, limit: f64) -> f64 {
    if good_is_counted(metric) { 1.0 - limit } else { limit }
}

/// Of keys, only those that had no error before: each adds one error to a release at most, so that
/// who always fails is not new evidence in every epoch.
pub(super) fn stratum(question: &Question<'_>, arms: &Arms) -> Stratum {
    let of = |arm: &Arm| match question.population {
        Population::Users => [arm.keys.at_risk, arm.keys.first_errors],
        Population::Keyless => [arm.keyless.assigned, arm.keyless.errors],
        _ => [arm.assigned, arm.errors_charged()],
    };
    let [candidate, stable] = [of(&arms.candidate), of(&arms.stable)];
    Stratum { assigned: [candidate[0], stable[0]], errors: [candidate[1], stable[1]] }
}

/// Each epoch is compared with itself, as the mix of traffic differs between them.
fn slower(strata: &[&Arms], population: Population, shift: i32) -> Option<f64> {
    let mut whole = None;
    for arms in strata {
        let seen = quantile::above(
            &histogram(population, &arms.candidate),
            &histogram(population, &arms.stable),
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

fn histogram(population: Population, arm: &Arm) -> Histogram {
    match population.sketches(arm) {
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
pub(super) fn shift_bins(allowed: f64) -> i32 {
    let bins = f64::from(BINS_PER_20_PERCENT) * allowed.ln_1p() / 1.2_f64.ln();
    (bins - 1e-9).ceil() as i32
}

/// Values in bins wholly above a limit, and all others.
fn over_and_under(strata: &[&Arms], population: Population, limit_ms: f64) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let bin = Sketch::bin((limit_ms * 1e3) as u64);
    let (mut over, mut under) = (0, 0);
    for sketch in strata.iter().flat_map(|arms| population.sketches(&arms.candidate)).flatten() {
        for (at, count) in sketch.bins() {
            *(if at > bin { &mut over } else { &mut under }) += count;
        }
    }
    [over, under]
}

/// Votes of −1, 0 and 1 on the scale from 0 to 1.
fn votes(strata: &[&Arms]) -> impl Values {
    let sum = |of: fn(&Arm) -> u64| strata.iter().map(|arms| of(&arms.candidate)).sum();
    [
        (0.0, sum(|arm| arm.feedback.negative)),
        (0.5, sum(|arm| arm.feedback.neutral)),
        (1.0, sum(|arm| arm.feedback.positive)),
    ]
    .into_iter()
}

/// A net promoter score on the same scale.
fn of_nps(score: f64) -> f64 {
    f64::midpoint(score / 100.0, 1.0)
}

/// Whether the bound has the good values above it.
fn good_is_high(question: &Question<'_>) -> bool {
    let names_high = matches!(question.bound, Bound::Above(_) | Bound::AboveBaselineBy(_));
    names_high == names_good_side(question.role)
}

fn few_keys(question: &Question<'_>, rollout: &Rollout, merged: &Arms) -> bool {
    by_users(question, rollout)
        && (merged.candidate.keys.assigned < KEYS_MIN || merged.stable.keys.assigned < KEYS_MIN)
}

fn enough(question: &Question<'_>, rollout: &Rollout, merged: &Arms) -> bool {
    let relative = question.bound.is_relative();
    let few = |arm| samples(question, arm) < question.min_samples.max(1);
    !(few_keys(question, rollout, merged)
        || few(&merged.candidate)
        || relative && few(&merged.stable))
}

/// Whether the bound is shown to be kept.
fn proved(question: &Question<'_>, merged: &Arms) -> bool {
    let ln_e = match (question.metric, question.bound) {
        _ if means::by_difference(question) => {
            return means::difference(question, &[merged], question.bound, ALPHA_PROOF)
                .is_some_and(|seen| seen.estimate < -seen.half_width);
        }
        (Metric::CostPerResolvedUsd, Bound::Below(limit)) => {
            return resolved::interval_usd(
                resolved::surely_resolved,
                &[&merged.candidate],
                ALPHA_PROOF,
            )
            .is_some_and(|[_, high]| high < limit);
        }
        (Metric::P95Ms, Bound::Below(limit_ms)) => {
            // The bin of the limit counts as above it: a proof leaves nothing open.
            let just_below_ms = limit_ms / 1.2_f64.powf(1.0 / f64::from(BINS_PER_20_PERCENT));
            let [over, under] = over_and_under(&[merged], question.population, just_below_ms);
            bernoulli::below(over, under, 1.0 - QUANTILE)
        }
        (Metric::Nps, Bound::Above(limit)) => bounded::above(&votes(&[merged]), of_nps(limit)),
        (Metric::Measure(_), Bound::Above(limit) | Bound::Below(limit)) => {
            let limit = question.measure.map(|measure| measure.share(limit));
            limit.and_then(|limit| {
                if good_is_high(question) {
                    bounded::above(&means::shares(question, &[merged]), limit)
                } else {
                    bounded::below(&means::shares(question, &[merged]), limit)
                }
            })
        }
        (Metric::ReplacementRate, Bound::Above(limit)) => {
            resolved::surely_resolved(&merged.candidate)
                .and_then(|[bad, good]| bernoulli::below(bad, good, 1.0 - limit))
        }
        (metric, Bound::Below(limit) | Bound::Above(limit)) => {
            bad_and_good(question, &merged.candidate)
                .and_then(|[bad, good]| bernoulli::below(bad, good, bad_limit(metric, limit)))
        }
        _ => None,
    };
    ln_e.is_some_and(|ln_e| ln_e >= -ALPHA_PROOF.ln())
}

/// Where the true value lies.
fn interval(question: &Question<'_>, merged: &Arms) -> Option<[f64; 2]> {
    match question.metric {
        Metric::CostUsd => {
            let zero = Bound::Equal(0.0);
            let seen = means::difference(question, &[merged], zero, ALPHA_SHOWN)?;
            return Some([seen.estimate - seen.half_width, seen.estimate + seen.half_width]);
        }
        Metric::CostPerResolvedUsd => {
            let counting = resolved::counting(question);
            return resolved::interval_usd(counting, &[&merged.candidate], ALPHA_SHOWN);
        }
        Metric::Measure(_) => {
            let measure = question.measure?;
            let shares = bounded::interval(&means::shares(question, &[merged]), ALPHA_SHOWN)?;
            return Some(shares.map(|share| measure.value(share)));
        }
        Metric::Nps => {
            let means = bounded::interval(&votes(&[merged]), ALPHA_SHOWN)?;
            return Some(means.map(|mean| 200.0 * mean - 100.0));
        }
        _ => {}
    }
    let [bad, good] = match question.metric {
        Metric::ReplacementRate => resolved::counting(question)(&merged.candidate)?,
        _ => bad_and_good(question, &merged.candidate)?,
    };
    let [low, high] = bernoulli::interval(bad, good, ALPHA_SHOWN)?;
    Some(if good_is_counted(question.metric) { [1.0 - high, 1.0 - low] } else { [low, high] })
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
    let relative = question.bound.is_relative();
    let stable_breaks_it = inside(question.bound, base, None)
        .is_some_and(|inside| question.verdict(inside) == Verdict::Fail);
    if relative || !stable_breaks_it {
        return Blame::Candidate;
    }
    let worse = if question.metric == Metric::ErrorRate {
        let strata: Vec<Stratum> =
            signals.evidence.values().map(|arms| stratum(question, arms)).collect();
        let alpha = alpha::of(question.role, rollout);
        share::above(&strata, 1.0).is_some_and(|ln_e| ln_e >= -alpha.ln())
    } else {
        clearly_worse(question.bound, value, base)
    };
    if worse { Blame::Candidate } else { Blame::Baseline }
}
