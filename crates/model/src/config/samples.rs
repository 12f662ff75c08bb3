//! How many samples a bound can be decided with.

use crate::plan::{Bound, Metric};

/// Error probability that a decision may have.
const ALPHA: f64 = 0.05;

/// Fewest samples with which `bound` can be decided at all, that is when every sample is good.
pub(super) fn needed(metric: Metric, bound: Bound) -> u64 {
    match (metric, bound) {
        (Metric::ErrorRate | Metric::NegativeShare, Bound::Below(share)) => clean_samples(share),
        (Metric::SatisfiedShare | Metric::ReplacementRate, Bound::Above(share)) => {
            clean_samples(1.0 - share)
        }
        // With fewer than 20 the 95th percentile is the maximum.
        (Metric::P95Ms, _) => 20,
        _ => 1,
    }
}

/// Fewest samples of a gate that does not say.
pub(super) fn of_gate(metric: Metric, bound: Bound) -> u64 {
    match metric {
        Metric::ErrorRate | Metric::NegativeShare | Metric::SatisfiedShare => needed(metric, bound),
        // Interactions of one user end alike, so that the fewest would say little.
        Metric::ReplacementRate => needed(metric, bound).max(100),
        Metric::P95Ms | Metric::CostUsd | Metric::CostPerResolvedUsd => 200,
        Metric::Nps | Metric::Measure(_) => 30,
        Metric::Health | Metric::Probes => 1,
        Metric::SecurityEvents => 0,
    }
}

/// Samples without a single bad one that show a bad share below `share`: the smallest n with
/// (1 − (1 − θ)^(n+1)) / (θ·(n + 1)·(1 − θ)^n) ≥ 1/α, the one-sided e-value of Lindon & Malek,
/// Anytime-Valid Inference for Multinomial Count Data, `NeurIPS` 2022, without errors seen.
fn clean_samples(share: f64) -> u64 {
    let decided = |n: u64| {
        let good = f64::ln_1p(-share);
        let tries = n as f64 + 1.0;
        let log_e = (-f64::exp_m1(tries * good)).ln() - share.ln() - tries.ln() - n as f64 * good;
        log_e >= -ALPHA.ln()
    };
    let mut high = 1;
    while !decided(high) && high < 1 << 40 {
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if decided(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_percent_takes_901() {
        assert_eq!(needed(Metric::ErrorRate, Bound::Below(0.005)), 901);
        assert_eq!(needed(Metric::SatisfiedShare, Bound::Above(0.995)), 901);
        assert!(needed(Metric::ErrorRate, Bound::Below(0.05)) < 100);
        assert!(needed(Metric::ErrorRate, Bound::Below(1e-9)) > 1_000_000);
    }
}
