//! What so many requests show when chance is left out.

use lockgate_model::interaction::ErrorClass;
use lockgate_model::measure::Measure;
use lockgate_telemetry::arm::{Arm, Keys};
use lockgate_telemetry::sketch::Sketch;

use crate::traffic::Conversation;
use crate::truth::{Truth, cost_square, levels};

/// The counts that are expected of `requests` to such a version.
pub(crate) fn arm(
    requests: u64,
    truth: &Truth,
    measures: &[Measure],
    conversation: Option<&Conversation>,
) -> Arm {
    let mut arm = Arm { assigned: requests, completed: requests, ..Arm::default() };
    let errors = part(requests, truth.error_rate);
    if errors > 0 {
        arm.errors.insert(ErrorClass::Upstream5xx, errors);
    }
    if let Some(conversation) = conversation {
        arm.keys = keys(requests, truth, conversation);
    }
    latency(&mut arm.plain.total, requests, truth);
    let cost = truth.cost_usd * 1e9;
    arm.cost.known = requests;
    arm.cost.sum_nanousd = u128::from(part(requests, cost));
    let square = cost * cost * cost_square(truth.cost_sigma);
    arm.cost.sum_squares = u128::from(whole(square)) * u128::from(requests);
    let votes = part(requests, truth.vote_share);
    arm.feedback.negative = part(votes, truth.negative);
    arm.feedback.positive = part(votes, truth.satisfied).min(votes - arm.feedback.negative);
    arm.feedback.neutral = votes - arm.feedback.negative - arm.feedback.positive;
    if let Some(share) = truth.resolved {
        arm.outcomes.resolved = part(requests, share);
        arm.outcomes.escalated = requests - arm.outcomes.resolved;
    }
    for measure in measures {
        let levels = levels(measure, truth.report).map(|(level, p)| (level, part(requests, p)));
        arm.measures.entry(measure.name).or_default().levels.extend(levels);
    }
    arm
}

fn keys(requests: u64, truth: &Truth, conversation: &Conversation) -> Keys {
    let assigned = part(requests, 1.0 / conversation.requests());
    let erroring = part(assigned, conversation.users_with_errors(truth.error_rate));
    Keys {
        assigned,
        erroring,
        at_risk: assigned,
        first_errors: erroring,
        first_assigned: assigned,
        keys_dropped: 0,
    }
}

/// Bins of a log-normal. What is left of a request by rounding goes to the next bin, so that the
/// tail is neither lost nor made longer.
fn latency(sketch: &mut Sketch, requests: u64, truth: &Truth) {
    let ln_gamma = 1.2_f64.ln() / 9.0;
    let sigma = truth.latency_sigma.max(1e-3);
    let middle = (truth.median_ms * 1e3).ln();
    let bin = |log: f64| Sketch::bin(whole((middle + log).exp()));
    let bins = bin(-4.0 * sigma)..=bin(4.0 * sigma);
    let weight = |bin: i32| {
        let z = (f64::from(bin) * ln_gamma - middle) / sigma;
        (-z * z / 2.0).exp()
    };
    let all: f64 = bins.clone().map(weight).sum();
    let (mut due, mut given) = (0.0, 0);
    for bin in bins {
        due += weight(bin) / all * requests as f64;
        let count = whole(due.round()).saturating_sub(given);
        if count > 0 {
            sketch.add(bin, count);
            given += count;
        }
    }
}

/// `share` of `n`, rounded.
fn part(n: u64, share: f64) -> u64 {
    whole((n as f64 * share).round())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_quantiles_are_those_of_the_truth() {
        let truth = Truth::default();
        let arm = arm(100_000, &truth, &[], Some(&Conversation::USUAL));
        assert_eq!(arm.errors_charged(), 200);
        assert_eq!((arm.feedback.count(), arm.feedback.negative), (5_000, 150));
        assert_eq!(arm.plain.total.count(), 100_000);
        let p95_ms = arm.plain.total.quantile_us(0.95).unwrap_or(0.0) / 1e3;
        assert!((p95_ms / 136.6 - 1.0).abs() < 0.03, "{p95_ms}");
        assert!((arm.cost.mean_usd().unwrap_or(0.0) - 0.01).abs() < 1e-6);
        // Six requests each, of which one in 500 fails.
        assert_eq!((arm.keys.assigned, arm.keys.first_errors), (16_667, 199));
    }
}
