//! Errors of two versions that ran side by side.
//!
//! Given that an error happened, whose it was is a draw with the odds `w·ρ : 1 − w`, where `w` is
//! the candidate's share of what was assigned and `ρ` the ratio of the error rates. Counts are kept
//! per weight epoch, as `w` differs; one mixture over `ρ` spans all of them, so that evidence
//! accumulates over stages. Lindon & Malek, `NeurIPS` 2022.

use super::{mixture, times};

/// What one weight epoch showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stratum {
    /// Units assigned to the candidate and to the stable version.
    pub assigned: [u64; 2],
    /// Of those, the ones with an error.
    pub errors: [u64; 2],
}

/// How many times the allowed ratio, and with what weight.
const TIMES_WORSE: [(f64, f64); 12] = [
    (1.1, 0.03),
    (1.2, 0.05),
    (1.35, 0.08),
    (1.5, 0.11),
    (1.75, 0.14),
    (2.0, 0.16),
    (2.5, 0.14),
    (3.5, 0.11),
    (5.0, 0.08),
    (8.0, 0.05),
    (15.0, 0.03),
    (50.0, 0.02),
];

/// `ln E` against "the candidate's error rate is at most `ratio` times the stable version's".
/// Strata in which one of the versions was assigned nothing say nothing.
pub fn above(strata: &[Stratum], ratio: f64) -> Option<f64> {
    if !ratio.is_finite() || ratio <= 0.0 {
        return None;
    }
    let telling = |stratum: &&Stratum| {
        stratum.assigned.iter().all(|assigned| *assigned > 0)
            && stratum.errors.iter().sum::<u64>() > 0
    };
    let odds = |assigned: [u64; 2]| ratio * assigned[0] as f64 / assigned[1] as f64;
    let worse = |worse: f64| {
        let ln_worse = worse.ln();
        let one = |Stratum { assigned, errors: [bad, other] }: &Stratum| {
            // θ₁/θ₀ and (1 − θ₁)/(1 − θ₀) for odds o₁ = worse · o₀.
            let odds = odds(*assigned);
            let shrink = ((1.0 + odds) / (1.0 + odds * worse)).ln();
            times(*bad, ln_worse) + times(bad + other, shrink)
        };
        strata.iter().filter(telling).map(one).sum()
    };
    Some(mixture(&TIMES_WORSE, worse))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(assigned: [u64; 2], errors: [u64; 2]) -> Stratum {
        Stratum { assigned, errors }
    }

    #[test]
    fn weights_are_whole() {
        let whole: f64 = TIMES_WORSE.iter().map(|(_, weight)| weight).sum();
        assert!((whole - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_rates_are_no_evidence_and_doubled_ones_are() {
        let equal = stratum([1_000, 9_000], [50, 450]);
        assert!(above(&[equal], 1.0).expect("some") < 1.0);
        let doubled = stratum([1_000, 9_000], [100, 450]);
        assert!(above(&[doubled], 1.0).expect("some") > 100_f64.ln());
    }

    #[test]
    fn the_share_that_was_assigned_counts_and_not_the_weight() {
        // 25 % configured, but pinned conversations kept the real share at 10 %.
        let stratum = stratum([1_000, 9_000], [100, 450]);
        let believed = Stratum { assigned: [2_500, 7_500], ..stratum };
        assert!(above(&[stratum], 1.0) > above(&[believed], 1.0));
        assert!(above(&[believed], 1.0).expect("some") < 1.0);
    }

    #[test]
    fn evidence_accumulates_over_epochs_of_different_weight() {
        let ten = stratum([500, 4_500], [50, 225]);
        let half = stratum([500, 500], [50, 25]);
        let [alone, other] = [&[ten], &[half]].map(|one| above(one, 1.0).expect("some"));
        assert!(above(&[ten, half], 1.0).expect("some") > alone.max(other));
    }

    #[test]
    fn a_stratum_with_one_version_says_nothing() {
        let only = stratum([0, 100], [0, 50]);
        assert!(above(&[only], 1.0).expect("some").abs() < 1e-12);
        assert!(above(&[stratum([100, 0], [50, 0])], 1.0).expect("some").abs() < 1e-12);
    }

    #[test]
    fn at_the_allowed_ratio_it_is_a_martingale() {
        let (assigned, ratio) = ([1_000, 9_000], 1.3);
        let theta = 1_000.0 * ratio / (1_000.0 * ratio + 9_000.0);
        let e = |bad, other| above(&[stratum(assigned, [bad, other])], ratio).expect("some").exp();
        let next = theta * e(11, 60) + (1.0 - theta) * e(10, 61);
        assert!((next / e(10, 60) - 1.0).abs() < 1e-9);
    }
}
