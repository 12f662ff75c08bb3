//! What the numbers say, counted a second time and in another way than judges do.

use lockgate_model::plan::{Bound, Gate, Metric, Trigger};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::Rollout;
use lockgate_rollout::stats::bernoulli;
use lockgate_telemetry::arm::{Arm, Arms};

/// Samples and their estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) n: u64,
    pub(super) value: f64,
}

/// How far beside a bound an estimate may lie for either verdict: latencies are counted in bins of
/// 2 %.
const LATENCY_SLACK: f64 = 0.03;

/// Of several arms together; `None` without samples, or for what no arm tells.
pub(super) fn estimate<'a>(
    metric: Metric,
    arms: impl Iterator<Item = &'a Arm> + Clone,
) -> Option<Estimate> {
    let sum = |of: &dyn Fn(&Arm) -> u64| arms.clone().map(of).sum::<u64>();
    let share = |part: u64, n: u64| (n > 0).then(|| Estimate { n, value: part as f64 / n as f64 });
    let votes = sum(&|arm| arm.feedback.positive + arm.feedback.neutral + arm.feedback.negative);
    match metric {
        Metric::ErrorRate => {
            share(sum(&|arm| arm.errors.values().sum()), sum(&|arm| arm.completed))
        }
        Metric::P95Ms => p95(arms),
        Metric::CostUsd => {
            let n = sum(&|arm| arm.cost.known);
            let nanousd: u128 = arms.map(|arm| arm.cost.sum_nanousd).sum();
            (n > 0).then(|| Estimate { n, value: nanousd as f64 / 1e9 / n as f64 })
        }
        Metric::SatisfiedShare => share(sum(&|arm| arm.feedback.positive), votes),
        Metric::NegativeShare => share(sum(&|arm| arm.feedback.negative), votes),
        // Every answer of a simulated agent says its outcome, or none does.
        Metric::ReplacementRate => share(
            sum(&|arm| arm.outcomes.resolved),
            sum(&|arm| arm.outcomes.resolved + arm.outcomes.escalated),
        ),
        Metric::CostPerResolvedUsd => {
            let resolved = sum(&|arm| arm.outcomes.resolved);
            let n = sum(&|arm| arm.cost.known);
            let nanousd: u128 = arms.map(|arm| arm.cost.sum_nanousd).sum();
            (resolved > 0).then(|| Estimate { n, value: nanousd as f64 / 1e9 / resolved as f64 })
        }
        Metric::Nps => {
            let [up, down] = [sum(&|arm| arm.feedback.positive), sum(&|arm| arm.feedback.negative)];
            let value = 100.0 * (up as f64 - down as f64) / votes.max(1) as f64;
            (votes > 0).then_some(Estimate { n: votes, value })
        }
        // All measures of simulated agents go from 0 to 1.
        Metric::Measure(name) => {
            let levels = arms.filter_map(|arm| arm.measures.get(&name)).flat_map(|of| &of.levels);
            let (n, sum) = levels.fold((0, 0), |(n, sum), (level, count)| {
                (n + count, sum + u64::from(*level) * count)
            });
            (n > 0).then(|| Estimate { n, value: sum as f64 / 100.0 / n as f64 })
        }
        Metric::SecurityEvents | Metric::Health | Metric::Probes => None,
    }
}

fn p95<'a>(arms: impl Iterator<Item = &'a Arm>) -> Option<Estimate> {
    let mut bins: Vec<(i32, u64)> = arms.flat_map(|arm| arm.plain.total.bins()).collect();
    bins.sort_unstable();
    let n: u64 = bins.iter().map(|(_, count)| count).sum();
    let mut above = n;
    for (bin, count) in bins {
        above -= count;
        if above as f64 <= 0.05 * n as f64 + 1e-9 {
            return Some(Estimate { n, value: 1.2_f64.powf((f64::from(bin) - 0.5) / 9.0) / 1e3 });
        }
    }
    None
}

/// Which side of a bound a value lies on; `None` when that is too close to say.
fn on_named_side(metric: Metric, bound: Bound, value: f64, stable: Option<f64>) -> Option<bool> {
    let limit = match bound {
        Bound::Below(limit) | Bound::Above(limit) | Bound::Equal(limit) => limit,
        Bound::AboveBaselineBy(share) => stable.filter(|stable| *stable > 0.0)? * (1.0 + share),
        Bound::BelowBaselineBy(share) => stable.filter(|stable| *stable > 0.0)? * (1.0 - share),
    };
    let slack = if metric == Metric::P95Ms { LATENCY_SLACK * limit.abs() } else { 1e-9 };
    if (value - limit).abs() <= slack {
        return None;
    }
    Some(match bound {
        Bound::Below(_) | Bound::BelowBaselineBy(_) => value < limit,
        Bound::Above(_) | Bound::AboveBaselineBy(_) => value > limit,
        Bound::Equal(_) => false,
    })
}

/// Why a gate may not have passed on these numbers.
pub(super) fn no_pass(gate: &Gate, rollout: &Rollout, signals: &Signals) -> Option<String> {
    let Gate { metric, bound, min_samples, .. } = gate;
    match metric {
        Metric::Health => {
            let healthy = signals.candidate_healthy == Some(true);
            return (!healthy).then(|| format!("health is {:?}", signals.candidate_healthy));
        }
        Metric::SecurityEvents => {
            let events = rollout.security_events;
            return (events > 0).then(|| format!("{events} security events"));
        }
        _ => {}
    }
    let seen = estimate(*metric, signals.evidence.values().map(|arms| &arms.candidate));
    let stable = estimate(*metric, signals.evidence.values().map(|arms| &arms.stable));
    let Some(seen) = seen.filter(|seen| seen.n >= (*min_samples).max(1)) else {
        return Some(format!("{metric} has {seen:?}, {min_samples} are needed"));
    };
    let stable = stable.map(|stable| stable.value);
    if on_named_side(*metric, *bound, seen.value, stable) == Some(false) {
        return Some(format!("{metric} is {} and not {bound}", seen.value));
    }
    if gate.assurance == lockgate_model::plan::Assurance::Proved
        && let (Metric::ErrorRate, Bound::Below(limit)) = (metric, bound)
        && chance_of_so_few(seen, *limit) > 0.05
    {
        return Some(format!("{} of {} is no proof of {bound}", seen.value, seen.n));
    }
    None
}

/// How likely it would be to see no more were the truth at the limit.
fn chance_of_so_few(seen: Estimate, limit: f64) -> f64 {
    let n = seen.n as f64;
    let bad = (seen.value * n).round();
    let (mut k, mut ln_choose, mut sum) = (0.0, 0.0, 0.0);
    while k <= bad {
        if k > 0.0 {
            ln_choose += ((n - k + 1.0) / k).ln();
        }
        sum += (ln_choose + k * limit.ln() + (n - k) * (-limit).ln_1p()).exp();
        k += 1.0;
    }
    sum
}

/// Whether a threshold trigger fires, and then whether the stable version fails as well; `None`
/// when that is too close to say.
pub(super) fn fires(trigger: &Trigger, signals: &Signals) -> Option<(bool, bool)> {
    let Trigger { metric, bound, min_samples, window_ms, .. } = trigger;
    let arms: &Arms = signals.recent.get(window_ms)?;
    let enough = |arm| {
        estimate(*metric, std::iter::once(arm)).filter(|seen| seen.n >= (*min_samples).max(1))
    };
    let (Some(seen), stable) = (enough(&arms.candidate), enough(&arms.stable)) else {
        return Some((false, false));
    };
    let stable = stable.map(|stable| stable.value);
    if bound.is_relative() {
        if stable.is_none_or(|stable| stable <= 0.0) {
            return Some((false, false));
        }
        return on_named_side(*metric, *bound, seen.value, stable).map(|fires| (fires, false));
    }
    let fires = on_named_side(*metric, *bound, seen.value, None)?;
    let Some(stable) = stable else { return Some((fires, false)) };
    let both = on_named_side(*metric, *bound, stable, None)?;
    // A candidate that is half as far again beyond the limit is to blame all the same.
    let (Bound::Above(limit) | Bound::Below(limit)) = *bound else { return None };
    let worse = (seen.value - limit).abs() - 1.5 * (stable - limit).abs() - 0.1 * limit.abs();
    if both && worse.abs() < 1e-9 {
        return None;
    }
    Some((fires, both && worse < 0.0))
}

/// Whether the current weight alone shows errors so far beyond the bound that no test may miss them.
pub(super) fn plainly_failing(limit: f64, rollout: &Rollout, signals: &Signals) -> bool {
    let Some(arms) = signals.evidence.get(&rollout.epoch) else { return false };
    let of = |arm| estimate(Metric::ErrorRate, std::iter::once(arm));
    let (Some(candidate), Some(stable)) = (of(&arms.candidate), of(&arms.stable)) else {
        return false;
    };
    candidate.n >= 200
        && stable.n >= 50
        && candidate.value > 4.0 * limit + 0.1
        && stable.value < limit / 2.0
}

/// The numbers since the weight changed, and since the block began.
fn late<'s>(rollout: &Rollout, signals: &'s Signals) -> impl Iterator<Item = &'s Arms> {
    signals.evidence.get(&rollout.epoch).into_iter().chain([&signals.block])
}

/// Whether the estimate lies on the bad side lately, or of what may come late in any epoch: a statistical
/// trigger needs that to fire.
pub(super) fn points_at(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> bool {
    let comes_late = matches!(
        trigger.metric,
        Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::ReplacementRate
    );
    let any_epoch = signals.evidence.values().filter(|_| comes_late);
    late(rollout, signals).chain(any_epoch).any(|arms| {
        let of = |arm| estimate(trigger.metric, std::iter::once(arm));
        let stable = of(&arms.stable).map(|stable| stable.value);
        of(&arms.candidate).is_some_and(|seen| {
            on_named_side(trigger.metric, trigger.bound, seen.value, stable) != Some(false)
        })
    })
}

/// Whether a share is so far beyond its bound that half of the budget would do: of several tests
/// none has more. The test is the judges' own, checked by other means; its budget is what is
/// looked at here.
pub(super) fn is_evidence(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> bool {
    let (metric, Bound::Above(limit)) = (trigger.metric, trigger.bound) else { return true };
    if !matches!(metric, Metric::ErrorRate | Metric::NegativeShare) {
        return true;
    }
    let least = (2.0 / rollout.plan.alpha).ln();
    let release = estimate(metric, signals.evidence.values().map(|arms| &arms.candidate));
    let lately = late(rollout, signals)
        .filter_map(|arms| estimate(metric, std::iter::once(&arms.candidate)));
    release.into_iter().chain(lately).any(|Estimate { n, value }| {
        let bad = whole(value * n as f64);
        bernoulli::above(bad, n - bad, limit).is_some_and(|ln_e| ln_e >= least)
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count again")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
