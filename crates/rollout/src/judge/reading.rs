//! Estimates from counts, whoever judges them.

use lockgate_model::plan::{Bound, Metric};
use lockgate_telemetry::arm::Arm;
use lockgate_telemetry::sketch::Sketch;

use super::{Question, Role, means, resolved};
use crate::signals::Signals;
use crate::state::Rollout;

/// An estimate with the samples behind it. No value without samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub(super) n: u64,
    pub(super) value: Option<f64>,
}

impl Reading {
    pub(super) fn of(n: u64, value: Option<f64>) -> Self {
        Self { n, value: value.filter(|value| value.is_finite()) }
    }

    pub(super) fn share(part: u64, whole: u64) -> Self {
        Self::of(whole, (whole > 0).then(|| part as f64 / whole as f64))
    }

    /// The value, once there are enough samples behind it.
    pub(super) fn enough(self, min_samples: u64) -> Option<f64> {
        self.value.filter(|_| self.n >= min_samples.max(1))
    }

    /// Of the candidate, with what is known beside counts.
    pub(super) fn of_candidate(
        question: &Question<'_>,
        arm: &Arm,
        rollout: &Rollout,
        signals: &Signals,
    ) -> Self {
        match question.metric {
            Metric::Health => health(rollout, signals),
            // A count of what must not happen is complete at any time: no samples are needed.
            Metric::SecurityEvents => Self::of(u64::MAX, Some(rollout.security_events as f64)),
            _ => Self::of_arm(question, arm),
        }
    }

    /// Of the stable version, as the candidate is compared with it.
    pub(super) fn of_stable(question: &Question<'_>, arm: &Arm) -> Self {
        match question.metric {
            Metric::CostPerResolvedUsd if question.bound.is_relative() => {
                let cost = resolved::cost_usd(resolved::surely_resolved, arm);
                Self::of(resolved::samples(arm), cost)
            }
            _ => Self::of_arm(question, arm),
        }
    }

    pub(super) fn of_arm(question: &Question<'_>, arm: &Arm) -> Self {
        match question.metric {
            Metric::ErrorRate => {
                let [bad, all] = question.population.errors(arm);
                Self::share(bad, all)
            }
            Metric::P95Ms => {
                let mut all = Sketch::default();
                let sketches = question.population.sketches(arm);
                sketches.into_iter().flatten().for_each(|sketch| all.merge(sketch));
                Self::of(all.count(), all.quantile_us(0.95).map(|us| us / 1e3))
            }
            Metric::CostUsd | Metric::Measure(_) => {
                Self::of(means::count(question, arm), means::mean(question, arm))
            }
            Metric::ReplacementRate => {
                let counted = resolved::counting(question)(arm);
                counted.map_or(Self::of(0, None), |[bad, good]| Self::share(good, bad + good))
            }
            Metric::CostPerResolvedUsd => {
                let counting = resolved::counting(question);
                Self::of(resolved::samples(arm), resolved::cost_usd(counting, arm))
            }
            Metric::Nps => Self::of(arm.feedback.count(), arm.feedback.nps()),
            Metric::SatisfiedShare => Self::share(arm.feedback.positive, arm.feedback.count()),
            Metric::NegativeShare => Self::share(arm.feedback.negative, arm.feedback.count()),
            Metric::SecurityEvents | Metric::Health | Metric::Probes => Self::of(0, None),
        }
    }
}

fn health(rollout: &Rollout, signals: &Signals) -> Reading {
    let healthy = if rollout.weight_bp == 0 {
        signals.candidate_test_healthy.or(signals.candidate_healthy)
    } else {
        signals.candidate_healthy
    };
    Reading::of(u64::from(healthy.is_some()), healthy.map(f64::from))
}

/// Whether the value lies on the side that the bound names; `None` when that needs a baseline
/// that is not known, or one of nothing.
pub(super) fn inside(bound: Bound, value: f64, baseline: Option<f64>) -> Option<bool> {
    match bound {
        Bound::Below(limit) => Some(value < limit),
        Bound::Above(limit) => Some(value > limit),
        Bound::Equal(limit) => Some((value - limit).abs() < f64::EPSILON),
        // Nothing beside nothing is no more.
        Bound::AboveBaselineBy(_) if value <= 0.0 && baseline.is_some() => Some(false),
        Bound::AboveBaselineBy(share) => baseline
            .filter(|baseline| *baseline > 0.0)
            .map(|baseline| value > baseline * (1.0 + share)),
        Bound::BelowBaselineBy(share) => baseline
            .filter(|baseline| *baseline > 0.0)
            .map(|baseline| value < baseline * (1.0 - share)),
    }
}

/// How much further beyond the limit than a failing baseline a candidate must be to be blamed all
/// the same; and what is forgiven besides, as a share of the limit.
const CLEARLY_WORSE_RATIO: f64 = 1.5;
const SLACK_SHARE: f64 = 0.1;

/// Whether the candidate lies beyond the limit by clearly more than the failing baseline does.
pub(super) fn clearly_worse(bound: Bound, value: f64, baseline: f64) -> bool {
    let limit = match bound {
        Bound::Below(limit) | Bound::Above(limit) | Bound::Equal(limit) => limit,
        Bound::AboveBaselineBy(_) | Bound::BelowBaselineBy(_) => return true,
    };
    let beyond = |value: f64| (value - limit).abs();
    beyond(value) > CLEARLY_WORSE_RATIO * beyond(baseline) + SLACK_SHARE * limit.abs()
}

/// Whether the bound is the good side's.
pub(super) fn names_good_side(role: Role<'_>) -> bool {
    matches!(role, Role::Gate(_))
}
