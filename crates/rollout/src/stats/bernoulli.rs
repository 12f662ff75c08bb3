//! A share of bad events against a bound.
//!
//! The likelihood ratio of a fixed alternative against the bound is a test martingale at the bound
//! and, for an alternative on the far side, a supermartingale everywhere on the near side; a
//! mixture of them is again one. Lindon & Malek, *Anytime-valid inference for multinomial count
//! data*, `NeurIPS` 2022, with a grid in place of the Beta mixture: on the near side of the bound
//! the mixture puts nothing, and evidence of several strata shares one prior.

use super::{ln_sum_exp, mixture, refuted_until, times};

/// How many times worse than the bound, in odds, and with what weight: most lies where releases
/// that are worth stopping lie.
const ODDS_WORSE: [(f64, f64); 12] = [
    (1.1, 0.03),
    (1.25, 0.06),
    (1.5, 0.11),
    (1.75, 0.13),
    (2.1, 0.15),
    (2.6, 0.14),
    (3.4, 0.12),
    (4.5, 0.1),
    (7.0, 0.07),
    (12.0, 0.05),
    (25.0, 0.03),
    (70.0, 0.01),
];

/// Points of the even mixture between nothing and the bound.
const STEPS_BETTER: u32 = 16;

/// The probability whose odds are `factor` times those of `p`.
pub(crate) fn odds_times(p: f64, factor: f64) -> f64 {
    p * factor / (1.0 - p + p * factor)
}

/// `ln (q/p)^bad ((1−q)/(1−p))^good`.
fn ln_ratio(bad: u64, good: u64, q: f64, p: f64) -> f64 {
    times(bad, (q / p).ln()) + times(good, ((1.0 - q) / (1.0 - p)).ln())
}

/// Whether a bound lies strictly between 0 and 1; others cannot be tested. NaN does not.
fn testable(bound: f64) -> bool {
    bound > 0.0 && bound < 1.0
}

/// `ln E` against "the share of bad events is at most `bound`".
pub fn above(bad: u64, good: u64, bound: f64) -> Option<f64> {
    if !testable(bound) {
        return None;
    }
    let worse = |odds| ln_ratio(bad, good, odds_times(bound, odds), bound);
    Some(mixture(&ODDS_WORSE, worse))
}

/// `ln E` against "the share of bad events is at least `bound`".
pub fn below(bad: u64, good: u64, bound: f64) -> Option<f64> {
    if !testable(bound) {
        return None;
    }
    let share = |step: u32| bound * (f64::from(step) + 0.5) / f64::from(STEPS_BETTER);
    let terms = (0..STEPS_BETTER).map(|step| ln_ratio(bad, good, share(step), bound));
    Some(ln_sum_exp(terms) - f64::from(STEPS_BETTER).ln())
}

/// The shares that are not refuted at `1 − alpha`: every `p` with `E(p) < 2/alpha` on either side.
pub fn interval(bad: u64, good: u64, alpha: f64) -> Option<[f64; 2]> {
    if bad + good == 0 {
        return None;
    }
    let estimate = bad as f64 / (bad + good) as f64;
    let low = refuted_until(0.0, estimate, alpha, |p| above(bad, good, p));
    let high = refuted_until(1.0, estimate, alpha, |p| below(bad, good, p));
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_whole() {
        let whole: f64 = ODDS_WORSE.iter().map(|(_, weight)| weight).sum();
        assert!((whole - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_seen_is_no_evidence() {
        for bound in [0.005, 0.05, 0.5] {
            for ln_e in [above(0, 0, bound), below(0, 0, bound)] {
                assert!(ln_e.expect("testable").abs() < 1e-12);
            }
        }
        assert_eq!(interval(0, 0, 0.05), None);
    }

    #[test]
    fn bounds_that_leave_no_room_cannot_be_tested() {
        for bound in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!((above(1, 1, bound), below(1, 1, bound)), (None, None), "{bound}");
        }
    }

    /// One more event multiplies the e-value by a factor whose mean, at the bound, is one: checked
    /// as an identity over both outcomes.
    #[test]
    fn at_the_bound_every_mixture_is_a_martingale() {
        for ln_e in [above, below] {
            for (bad, good, bound) in [(0, 0, 0.05), (7, 93, 0.05), (40, 400, 0.2), (3, 0, 0.005)] {
                let e = |bad, good| ln_e(bad, good, bound).expect("testable").exp();
                let next = bound * e(bad + 1, good) + (1.0 - bound) * e(bad, good + 1);
                assert!((next / e(bad, good) - 1.0).abs() < 1e-9, "{bad} {good} {bound}");
            }
        }
    }

    #[test]
    fn on_the_near_side_it_only_falls() {
        for (bad, good, bound, truth) in [(7, 93, 0.05, 0.02), (40, 400, 0.2, 0.1)] {
            let e = |bad, good| above(bad, good, bound).expect("testable").exp();
            let next = truth * e(bad + 1, good) + (1.0 - truth) * e(bad, good + 1);
            assert!(next < e(bad, good));
        }
    }

    #[test]
    fn proof_of_half_a_percent_takes_some_nine_hundred_clean_requests() {
        let needed = (1..2_000).find(|n| below(0, *n, 0.005).expect("testable") >= 20_f64.ln());
        assert!((850..=950).contains(&needed.expect("provable")), "{needed:?}");
    }

    #[test]
    fn the_interval_holds_the_estimate_and_narrows() {
        let [low, high] = interval(10, 190, 0.05).expect("some");
        assert!(low < 0.05 && 0.05 < high);
        let [low_more, high_more] = interval(1_000, 19_000, 0.05).expect("some");
        assert!(low < low_more && high_more < high);
    }
}
