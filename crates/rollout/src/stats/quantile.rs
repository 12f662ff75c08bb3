//! Whether one version's quantile is more than so much above another's.
//!
//! Were it not, there would be a bin, the one with the stable version's quantile, such that at most
//! `1 − q` of its values lie above the bin and at least `1 − q` above the bin before, while at most
//! `1 − q` of the candidate's lie above the shifted bin. For each bin these are Bernoulli; the two
//! versions' values are independent, so the product of their e-values tests the bin, and the
//! smallest over all bins tests the claim. Values are counted by bin, so this is exact on the fixed
//! edges of the sketch. The one-arm idea is Howard & Ramdas, *Sequential estimation of quantiles*,
//! Bernoulli 28(3) 2022.

use lockgate_telemetry::sketch::Sketch;

use super::{bernoulli, ln_sum_exp};

/// Counts by bin: the values in the bin, bins ascending and without gaps from `first`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    first: i32,
    /// `at_most[i]`: how many values lie in bins up to `first + i`.
    at_most: Vec<u64>,
}

impl Histogram {
    /// From bins in ascending order with their counts.
    pub fn new(bins: impl Iterator<Item = (i32, u64)>) -> Self {
        let mut histogram = Self::default();
        let mut total = 0;
        for (bin, count) in bins {
            if histogram.at_most.is_empty() {
                histogram.first = bin;
            }
            let index = usize::try_from(bin - histogram.first).unwrap_or(0);
            histogram.at_most.resize(index, total);
            total += count;
            histogram.at_most.push(total);
        }
        histogram
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.at_most.last().copied().unwrap_or(0)
    }

    /// How many lie in bins up to this one.
    pub fn at_most(&self, bin: i32) -> u64 {
        usize::try_from(bin - self.first)
            .ok()
            .map_or(0, |index| self.at_most.get(index).copied().unwrap_or(self.count()))
    }

    /// How many lie above this bin.
    pub fn above(&self, bin: i32) -> u64 {
        self.count() - self.at_most(bin)
    }

    /// The bin that holds the value of rank ⌈q·n⌉.
    fn quantile_bin(&self, q: f64) -> Option<i32> {
        let rank = q * self.count() as f64;
        let index = self.at_most.partition_point(|seen| (*seen as f64) < rank);
        (index < self.at_most.len()).then(|| self.first + i32::try_from(index).unwrap_or(0))
    }
}

/// `ln E` against "the candidate's `q` quantile is at most that of `stable`, shifted up by `shift`
/// bins". `None` when either has no values.
pub fn above(candidate: &Histogram, stable: &Histogram, q: f64, shift: i32) -> Option<f64> {
    let start = stable.quantile_bin(q)?;
    candidate.quantile_bin(q)?;
    let tail = 1.0 - q;
    let at = |bin: i32| {
        let elsewhere = [
            bernoulli::above(stable.above(bin), stable.at_most(bin), tail)?,
            bernoulli::below(stable.above(bin - 1), stable.at_most(bin - 1), tail)?,
        ];
        let slower = bin + shift;
        let over = bernoulli::above(candidate.above(slower), candidate.at_most(slower), tail)?;
        Some(ln_sum_exp(elsewhere.into_iter()) - 2_f64.ln() + over)
    };
    // The first edge mostly decides: a candidate that is not slower ends here.
    let mut least = at(start)?;
    for step in [1, -1] {
        let mut bin = start;
        let mut rising = 0;
        // Away from the quantile the stable version's own evidence grows without end.
        while rising < RISING_ENDS && least > GIVE_UP {
            bin += step;
            let ln_e = at(bin)?;
            rising = if ln_e < least { 0 } else { rising + 1 };
            least = least.min(ln_e);
        }
    }
    Some(least)
}

/// Whether more than `1 − q` of the candidate's values lie above the stable version's `q` quantile,
/// shifted: without that there is no evidence, and nothing needs to be built. Each version's values
/// may be spread over several sketches.
pub fn suspect(
    candidate: &[Option<&Sketch>],
    stable: &[Option<&Sketch>],
    q: f64,
    shift: i32,
) -> bool {
    let count = |of: &[Option<&Sketch>]| of.iter().flatten().map(|one| one.count()).sum::<u64>();
    let above = |of: &[Option<&Sketch>], bin| {
        of.iter().flatten().map(|one| one.count_above(bin)).sum::<u64>()
    };
    // The pooled quantile is not below the least of the parts'.
    let Some(bin) = stable.iter().flatten().filter_map(|one| one.quantile_bin(q)).min() else {
        return false;
    };
    above(candidate, bin + shift) as f64 > (1.0 - q) * count(candidate) as f64
}

/// After so many bins without a new least the search ends.
const RISING_ENDS: u32 = 40;

/// Below this it is no evidence whatever the other edges say.
const GIVE_UP: f64 = 0.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[(i32, u64)]) -> Histogram {
        Histogram::new(values.iter().copied())
    }

    #[test]
    fn gaps_are_filled_and_ends_are_open() {
        let histogram = histogram(&[(5, 2), (8, 3)]);
        assert_eq!([4, 5, 7, 8, 9].map(|bin| histogram.at_most(bin)), [0, 2, 2, 5, 5]);
        assert_eq!(histogram.above(5), 3);
        assert_eq!(Histogram::default().count(), 0);
    }

    /// A bell of 101 bins around `centre`.
    fn bell(centre: i32, n: f64) -> Histogram {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test")]
        let bins = (-50..=50).map(|offset| {
            let z = f64::from(offset) / 15.0;
            (centre + offset, (n * (-z * z / 2.0).exp() / 37.6).round() as u64)
        });
        Histogram::new(bins)
    }

    #[test]
    fn the_same_distribution_is_no_evidence_and_twice_as_slow_is() {
        let stable = bell(500, 9_000.0);
        assert!(above(&bell(500, 1_000.0), &stable, 0.95, 9).expect("some") < 0.0);
        // Twice as slow: ln 2 / ln 1.2 · 9 = 34 bins.
        assert!(above(&bell(534, 1_000.0), &stable, 0.95, 9).expect("some") > 600_f64.ln());
    }

    #[test]
    fn exactly_the_allowed_shift_is_no_evidence() {
        let stable = bell(500, 9_000.0);
        assert!(above(&bell(509, 9_000.0), &stable, 0.95, 9).expect("some") < 3.0);
    }

    #[test]
    fn nothing_to_compare_is_no_answer() {
        let some = bell(500, 100.0);
        assert_eq!(above(&Histogram::default(), &some, 0.95, 9), None);
        assert_eq!(above(&some, &Histogram::default(), 0.95, 9), None);
    }
}
