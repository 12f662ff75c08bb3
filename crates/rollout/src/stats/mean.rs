//! The difference of two means whose distributions are not known, by an asymptotic confidence
//! sequence.
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, *Time-uniform central limit theory and asymptotic
//! confidence sequences*, Annals of Statistics 52(6) 2024, equation (10): half-width
//! `σ·√(2(nρ² + 1)·ln(√(nρ² + 1)/α) / (nρ)²)`.

/// Counts and moments of one version in one stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
}

/// An estimate of `candidate − factor · stable` and how far it may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Half the width of the confidence sequence.
    pub half_width: f64,
    /// Values of the candidate behind it.
    pub n: u64,
}

/// The sample size at which the sequence is tightest.
pub const SAMPLES_TIGHTEST: f64 = 5_000.0;

/// `√[(−2 ln α + ln(−2 ln α + 1))/N*]`.
fn rho(alpha: f64) -> f64 {
    let x = -2.0 * alpha.ln();
    ((x + x.ln_1p()) / SAMPLES_TIGHTEST).sqrt()
}

/// Half the width after `n` values of standard deviation 1.
pub fn half_width(n: f64, alpha: f64) -> f64 {
    let rho = rho(alpha);
    let grown = n * rho * rho + 1.0;
    (2.0 * grown * (grown.sqrt() / alpha).ln()).sqrt() / (n * rho)
}

/// The difference over strata of `(candidate, stable)`, each weighted by its values of the
/// candidate: what was dear for both at one time of day counts against neither. `None` without a
/// stratum in which both versions have at least two values.
pub fn difference(strata: &[[Moments; 2]], factor: f64, alpha: f64) -> Option<Difference> {
    let both = || strata.iter().filter(|[candidate, stable]| candidate.n > 1 && stable.n > 1);
    let n: u64 = both().map(|[candidate, _]| candidate.n).sum();
    if n == 0 {
        return None;
    }
    let (mut estimate, mut variance) = (0.0, 0.0);
    for [candidate, stable] in both() {
        let weight = candidate.n as f64 / n as f64;
        estimate += weight * (candidate.mean - factor * stable.mean);
        variance += weight
            * weight
            * (candidate.variance / candidate.n as f64
                + factor * factor * stable.variance / stable.n as f64);
    }
    let samples = n as f64;
    let deviation = (variance * samples).sqrt();
    let half_width = deviation * half_width(samples, alpha);
    (estimate.is_finite() && half_width.is_finite()).then_some(Difference {
        estimate,
        half_width,
        n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(n: u64, mean: f64, variance: f64) -> Moments {
        Moments { n, mean, variance }
    }

    #[test]
    fn it_is_tightest_about_where_it_says() {
        let ratio = |n: f64| half_width(n, 0.01) * n.sqrt();
        assert!(ratio(5_000.0) < ratio(500.0));
        assert!(ratio(5_000.0) < ratio(500_000.0));
    }

    #[test]
    fn a_share_of_dear_requests_that_differs_between_strata_is_no_difference() {
        // Day is dear, night is cheap; the candidate runs mostly by day.
        let night = [moments(100, 1.0, 0.1), moments(900, 1.0, 0.1)];
        let day = [moments(500, 3.0, 0.1), moments(500, 3.0, 0.1)];
        let seen = difference(&[night, day], 1.0, 0.01).expect("some");
        assert!(seen.estimate.abs() < 1e-12);
    }

    #[test]
    fn one_version_alone_is_no_comparison() {
        assert_eq!(difference(&[[moments(100, 1.0, 0.1), moments(0, 0.0, 0.0)]], 1.0, 0.01), None);
        assert_eq!(difference(&[], 1.0, 0.01), None);
    }
}
