//! The mean of votes in {−1, 0, 1} against a bound, by betting.
//!
//! A bettor stakes a fixed share of what she has on every vote; were the mean at the bound, no bet
//! would gain on average. A mixture over stakes is a function of the counts alone. Waudby-Smith &
//! Ramdas, *Estimating means of bounded random variables by betting*, JRSS B 86(1) 2024.

use super::{ln_sum_exp, times};

/// Votes by score: −1, 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Votes {
    /// Score −1.
    pub negative: u64,
    /// Score 0.
    pub neutral: u64,
    /// Score 1.
    pub positive: u64,
}

/// Stakes as shares of the largest that cannot ruin the bettor.
const STAKES: [f64; 10] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9];

/// `ln E` against "the mean is at least `bound`", −1 < `bound` < 1.
pub fn below(votes: Votes, bound: f64) -> Option<f64> {
    let mirrored = Votes { negative: votes.positive, positive: votes.negative, ..votes };
    above(mirrored, -bound)
}

/// `ln E` against "the mean is at most `bound`", −1 < `bound` < 1.
pub fn above(votes: Votes, bound: f64) -> Option<f64> {
    if !(bound > -1.0 && bound < 1.0) {
        return None;
    }
    // The worst vote, −1, must leave something: 1 + λ(−1 − bound) > 0.
    let largest = 1.0 / (1.0 + bound);
    let terms = STAKES.iter().map(|share| {
        let stake = share * largest;
        times(votes.negative, (stake * (-1.0 - bound)).ln_1p())
            + times(votes.neutral, (stake * -bound).ln_1p())
            + times(votes.positive, (stake * (1.0 - bound)).ln_1p())
    });
    Some(ln_sum_exp(terms) - (STAKES.len() as f64).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_bound_it_is_a_martingale() {
        let bound = 0.5;
        // P(1) = 0.6, P(0) = 0.3, P(−1) = 0.1: the mean is the bound.
        let e = |negative, neutral, positive| {
            above(Votes { negative, neutral, positive }, bound).expect("some").exp()
        };
        let next = 0.6 * e(3, 5, 13) + 0.3 * e(3, 6, 12) + 0.1 * e(4, 5, 12);
        assert!((next / e(3, 5, 12) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_mean_clearly_below_is_found_and_one_above_is_not() {
        let sad = Votes { negative: 240, neutral: 80, positive: 480 };
        assert!(below(sad, 0.5).expect("some") > 100_f64.ln());
        let glad = Votes { negative: 10, neutral: 20, positive: 170 };
        assert!(below(glad, 0.5).expect("some") < 0.0);
        assert!(above(glad, 0.5).expect("some") > 100_f64.ln());
    }

    #[test]
    fn no_votes_and_senseless_bounds_say_nothing() {
        let none = Votes { negative: 0, neutral: 0, positive: 0 };
        assert!(above(none, 0.5).expect("some").abs() < 1e-12);
        for bound in [1.0, -1.0, f64::NAN] {
            assert_eq!(above(none, bound), None);
        }
    }
}
