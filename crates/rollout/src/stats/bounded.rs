//! The mean of values in [0, 1] against a bound, by betting.
//!
//! A bettor stakes a fixed share of what she has on every value; were the mean at the bound, no bet
//! would gain on average. A mixture over stakes is a function of the counts of each value alone.
//! Waudby-Smith & Ramdas, *Estimating means of bounded random variables by betting*, JRSS B 86(1)
//! 2024.

use super::{ln_sum_exp, refuted_until, times};

/// Values in [0, 1], each with how often it came.
pub trait Values: Iterator<Item = (f64, u64)> + Clone {}

impl<I: Iterator<Item = (f64, u64)> + Clone> Values for I {}

/// Stakes as shares of the largest that cannot ruin the bettor.
const STAKES: [f64; 10] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9];

/// `ln E` against "the mean is at least `bound`", 0 < `bound` < 1.
pub fn below(values: &impl Values, bound: f64) -> Option<f64> {
    above(&values.clone().map(|(value, count)| (1.0 - value, count)), 1.0 - bound)
}

/// `ln E` against "the mean is at most `bound`", 0 < `bound` < 1.
pub fn above(values: &impl Values, bound: f64) -> Option<f64> {
    if !(bound > 0.0 && bound < 1.0) {
        return None;
    }
    // The worst value, 0, must leave something: 1 − λ·bound > 0.
    let terms = STAKES.map(|share| {
        let stake = share / bound;
        let gain = |(value, count): (f64, u64)| times(count, (stake * (value - bound)).ln_1p());
        values.clone().map(gain).sum::<f64>()
    });
    Some(ln_sum_exp(terms.iter().copied()) - (STAKES.len() as f64).ln())
}

/// The means that are not refuted at `1 − alpha`: every `m` with `E(m) < 2/alpha` on either side.
/// `None` without values.
pub fn interval(values: &impl Values, alpha: f64) -> Option<[f64; 2]> {
    let (sum, n) = values
        .clone()
        .fold((0.0, 0), |(sum, n), (value, count)| (sum + value * count as f64, n + count));
    if n == 0 {
        return None;
    }
    let mean = sum / n as f64;
    let low = refuted_until(0.0, mean, alpha, |m| above(values, m));
    let high = refuted_until(1.0, mean, alpha, |m| below(values, m));
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes of −1, 0 and 1 on the scale from 0 to 1.
    fn votes(negative: u64, neutral: u64, positive: u64) -> impl Values {
        [(0.0, negative), (0.5, neutral), (1.0, positive)].into_iter()
    }

    #[test]
    fn at_the_bound_it_is_a_martingale() {
        // P(1) = 0.6, P(1/2) = 0.3, P(0) = 0.1: the mean is the bound.
        let e = |negative, neutral, positive| {
            above(&votes(negative, neutral, positive), 0.75).expect("some").exp()
        };
        let next = 0.6 * e(3, 5, 13) + 0.3 * e(3, 6, 12) + 0.1 * e(4, 5, 12);
        assert!((next / e(3, 5, 12) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_mean_clearly_below_is_found_and_one_above_is_not() {
        let sad = votes(240, 80, 480);
        assert!(below(&sad, 0.75).expect("some") > 100_f64.ln());
        let glad = votes(10, 20, 170);
        assert!(below(&glad, 0.75).expect("some") < 0.0);
        assert!(above(&glad, 0.75).expect("some") > 100_f64.ln());
    }

    #[test]
    fn values_that_scatter_little_decide_sooner() {
        let bound = 0.8;
        let steady = [(0.84, 100), (0.86, 100)].into_iter();
        let wild = [(0.7, 100), (1.0, 100)].into_iter();
        assert!(above(&steady, bound).expect("some") > above(&wild, bound).expect("some"));
    }

    #[test]
    fn an_interval_holds_the_mean_and_shrinks() {
        let width = |n| {
            let [low, high] = interval(&[(0.2, n), (0.9, 3 * n)].into_iter(), 0.05).expect("some");
            assert!(low < 0.725 && 0.725 < high);
            high - low
        };
        assert!(width(1_000) < width(100) && width(100) < width(10));
        assert_eq!(interval(&votes(0, 0, 0), 0.05), None);
    }

    #[test]
    fn no_values_and_senseless_bounds_say_nothing() {
        assert!(above(&votes(0, 0, 0), 0.75).expect("some").abs() < 1e-12);
        for bound in [1.0, 0.0, f64::NAN] {
            assert_eq!(above(&votes(0, 0, 0), bound), None);
        }
    }
}
