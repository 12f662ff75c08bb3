//! Requests that are judged apart from each other, as one number over all of them would say little.

use lockgate_model::agent::LatencyMeasure;
use lockgate_model::plan::Metric;
use lockgate_telemetry::arm::{Arm, Arms};
use lockgate_telemetry::sketch::Sketch;

use crate::signals::Signals;
use crate::state::Rollout;

/// Which requests, and which of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Population {
    /// All requests. Of latencies, until the end.
    All,
    /// All requests; of latencies, until the first byte.
    FirstByte,
    /// Streams, until the first byte.
    Streams,
    /// Other answers, until the end.
    Plain,
    /// Users, by their sticky key.
    Users,
    /// Requests of a sticky agent that come without a key.
    Keyless,
}

/// When the shares of streams differ by more than this, first bytes of the one version and whole answers
/// of the other would be two different things.
const MIX_DIFFERS: f64 = 0.5;

/// A population with less than this part of the requests holds nothing up for want of samples.
const PART_MIN: f64 = 0.05;

impl Population {
    /// The populations that are judged apart, given what was seen of both versions.
    pub(super) fn of(metric: Metric, rollout: &Rollout, signals: &Signals) -> &'static [Self] {
        match (metric, rollout.latency) {
            (Metric::ErrorRate, _) if rollout.by_key => &[Self::Users, Self::Keyless],
            (Metric::P95Ms, LatencyMeasure::Auto) if mix_differs(signals) => &[Self::All],
            (Metric::P95Ms, LatencyMeasure::Auto) => &[Self::Plain, Self::Streams],
            (Metric::P95Ms, LatencyMeasure::FirstByte) => &[Self::FirstByte],
            _ => &[Self::All],
        }
    }

    /// How many there may be: each has an equal part of the metric's error budget.
    pub(super) fn most(metric: Metric, rollout: &Rollout) -> f64 {
        match (metric, rollout.latency) {
            (Metric::ErrorRate, _) if rollout.by_key => 2.0,
            // Streams, the rest, and both when the mix differs.
            (Metric::P95Ms, LatencyMeasure::Auto) => 3.0,
            _ => 1.0,
        }
    }

    /// Charged errors, and what they are out of.
    pub(super) fn errors(self, arm: &Arm) -> [u64; 2] {
        match self {
            Self::Users => [arm.keys.first_errors, arm.keys.at_risk],
            Self::Keyless => [arm.keyless.errors, arm.keyless.judged],
            _ => [arm.errors_charged(), arm.judged()],
        }
    }

    /// Latencies.
    pub(super) fn sketches(self, arm: &Arm) -> [Option<&Sketch>; 2] {
        match self {
            Self::Streams => [Some(&arm.sse.first_byte), None],
            Self::Plain => [Some(&arm.plain.total), None],
            Self::FirstByte => [Some(&arm.sse.first_byte), Some(&arm.plain.first_byte)],
            _ => [Some(&arm.sse.total), Some(&arm.plain.total)],
        }
    }

    /// Whether it is too small a part of the candidate's requests to hold anything up.
    pub(super) fn is_marginal(self, arm: &Arm) -> bool {
        let streams = arm.sse.total.count() as f64;
        let plain = arm.plain.total.count() as f64;
        let keyless = arm.keyless.assigned as f64;
        let (own, others) = match self {
            Self::Streams => (streams, plain),
            Self::Plain => (plain, streams),
            Self::Keyless => (keyless, arm.assigned as f64 - keyless),
            Self::Users => (arm.assigned as f64 - keyless, keyless),
            Self::All | Self::FirstByte => return false,
        };
        own < PART_MIN * (own + others)
    }

    /// What a sample of an error rate is.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Keyless => "requests without a key",
            _ => "requests",
        }
    }
}

fn mix_differs(signals: &Signals) -> bool {
    // Asked at every look: nothing is merged for it.
    let streams = |of: fn(&Arms) -> &Arm| {
        let arms = || signals.evidence.values().map(of);
        let streams: u64 = arms().map(|arm| arm.sse.total.count()).sum();
        let plain: u64 = arms().map(|arm| arm.plain.total.count()).sum();
        (streams + plain > 0).then(|| streams as f64 / (streams + plain) as f64)
    };
    let shares = streams(|arms| &arms.candidate).zip(streams(|arms| &arms.stable));
    shares.is_some_and(|(candidate, stable)| (candidate - stable).abs() > MIX_DIFFERS)
}
