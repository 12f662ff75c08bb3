//! Random counts.

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The variance beyond which counts are drawn from a normal distribution.
const VARIANCE_NORMAL: f64 = 30.0;

/// The same for one value among many: together they are exact, and tails have few.
const VARIANCE_OF_ONE: f64 = 10.0;

/// A stream of random numbers that a seed fixes, on every machine.
#[derive(Debug, Clone)]
pub struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in 0..`end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Normal with mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// How many of `n` independent trials of probability `p` succeed. Beyond a variance of
    /// [`VARIANCE_NORMAL`] by the normal approximation, which is close there and quick.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        self.binomial_up_to(VARIANCE_NORMAL, n, p)
    }

    /// The same, exact up to this variance.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=n")]
    fn binomial_up_to(&mut self, exact: f64, n: u64, p: f64) -> u64 {
        if n == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial_up_to(exact, n, 1.0 - p);
        }
        let count = n as f64;
        let variance = count * p * (1.0 - p);
        if variance > exact {
            let drawn = (count * p + variance.sqrt() * self.normal()).round();
            return drawn.clamp(0.0, count) as u64;
        }
        // By inversion: P(0) = (1 − p)^n, P(k + 1)/P(k) = (n − k)/(k + 1)·p/(1 − p).
        let odds = p / (1.0 - p);
        let mut chance = power(1.0 - p, n);
        let mut left = self.uniform() - chance;
        let mut k = 0;
        while left > 0.0 && k < n {
            chance *= (n - k) as f64 / (k + 1) as f64 * odds;
            k += 1;
            left -= chance;
            if chance <= f64::MIN_POSITIVE {
                break;
            }
        }
        k
    }

    /// How many events happen when `mean` are expected; as [`Self::binomial`] beyond that variance.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 || !mean.is_finite() {
            return 0;
        }
        if mean > VARIANCE_NORMAL {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let mut chance = (-mean).exp();
        let mut left = self.uniform() - chance;
        let mut k = 0;
        while left > 0.0 && chance > f64::MIN_POSITIVE {
            k += 1;
            chance *= mean / k as f64;
            left -= chance;
        }
        k
    }

    /// A fresh 128-bit number.
    pub fn bits(&mut self) -> u128 {
        self.0.random()
    }
}

/// `base` to the power of `n`: the same on every machine, and quicker than by logarithms.
fn power(mut base: f64, mut n: u64) -> f64 {
    let mut power = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            power *= base;
        }
        base *= base;
        n >>= 1;
    }
    power
}

/// A distribution over a few values.
#[derive(Debug, Clone, PartialEq)]
pub struct Discrete<T> {
    /// Each value with the chance that it is this one, given that it is none before.
    steps: Vec<(T, f64)>,
    /// The chance of this value or one before, for single draws.
    up_to: Vec<f64>,
    /// For each of [`GUIDES`] equal parts of the unit interval, the first value that can be meant.
    guide: Vec<u16>,
}

/// Where single draws begin to look.
const GUIDES: u16 = 256;

/// Single draws are counted here first. More values than this are never drawn one by one.
const SINGLES: usize = 64;

/// Up to so many draws for each value, single ones are quicker than counts.
const SINGLES_EACH: u64 = 6;

impl<T: Copy> Discrete<T> {
    /// Values with their weights, which need not sum to one.
    pub fn new(values: &[(T, f64)]) -> Self {
        let whole: f64 = values.iter().map(|(_, weight)| weight).sum();
        let mut left = whole;
        let mut steps = Vec::with_capacity(values.len());
        let mut up_to: Vec<f64> = Vec::with_capacity(values.len());
        for (value, weight) in values {
            steps.push((*value, if left > 0.0 { (weight / left).min(1.0) } else { 1.0 }));
            left -= weight;
            up_to.push(1.0 - left / whole);
        }
        let first = |part: u16| {
            let from = f64::from(part) / f64::from(GUIDES);
            let index = up_to.partition_point(|up_to| *up_to <= from);
            u16::try_from(index).unwrap_or(u16::MAX)
        };
        let guide = (0..GUIDES).map(first).collect();
        Self { steps, up_to, guide }
    }

    /// The place of the value that a number in [0, 1) stands for.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..GUIDES")]
    fn place(&self, u: f64) -> usize {
        let last = self.steps.len() - 1;
        let mut index = usize::from(self.guide[(u * f64::from(GUIDES)) as usize]).min(last);
        while index < last && self.up_to[index] <= u {
            index += 1;
        }
        index
    }

    /// Draws `n` values and says how often each came. Few are drawn one by one, many at once.
    pub fn draw(&self, n: u64, dice: &mut Dice, mut seen: impl FnMut(T, u64)) {
        if n < SINGLES_EACH * self.steps.len() as u64 && self.steps.len() <= SINGLES {
            let mut counts = [0_u64; SINGLES];
            for _ in 0..n {
                counts[self.place(dice.uniform())] += 1;
            }
            for ((value, _), count) in self.steps.iter().zip(counts).filter(|(_, n)| *n > 0) {
                seen(*value, count);
            }
            return;
        }
        let mut left = n;
        for (index, (value, chance)) in self.steps.iter().enumerate() {
            let last = index + 1 == self.steps.len();
            let count =
                if last { left } else { dice.binomial_up_to(VARIANCE_OF_ONE, left, *chance) };
            if count > 0 {
                seen(*value, count);
            }
            left -= count;
            if left == 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_everything() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (dice.poisson(40.0), dice.binomial(1_000, 0.3), dice.below(1 << 40))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn counts_have_their_means_and_variances() {
        let mut dice = Dice::new(3);
        for (n, p) in [(4_u64, 0.3), (40, 0.1), (40, 0.9), (100_000, 0.0001), (5_000, 0.4)] {
            let draws: Vec<f64> = (0..20_000).map(|_| dice.binomial(n, p) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
            let (expected, spread) = (n as f64 * p, n as f64 * p * (1.0 - p));
            assert!((mean - expected).abs() < 5.0 * (spread / 20_000.0).sqrt(), "{n} {p}: {mean}");
            assert!((variance / spread - 1.0).abs() < 0.06, "{n} {p}: {variance}");
        }
        for expected in [0.5, 12.0, 400.0] {
            let draws: Vec<f64> = (0..20_000).map(|_| dice.poisson(expected) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            assert!((mean - expected).abs() < 5.0 * (expected / 20_000.0_f64).sqrt(), "{mean}");
        }
    }

    #[test]
    fn few_and_many_are_drawn_from_the_same_distribution() {
        let values = Discrete::new(&[(0, 1.0), (1, 2.0), (2, 1.0)]);
        let mut dice = Dice::new(1);
        let mut counts = |n: u64, times: u64| {
            let mut counts = [0_u64; 3];
            for _ in 0..times {
                values.draw(n, &mut dice, |value: usize, count| counts[value] += count);
            }
            counts
        };
        for [low, middle, high] in [counts(3, 20_000), counts(60_000, 1)] {
            assert_eq!(low + middle + high, 60_000);
            assert!((29_000..31_000).contains(&middle), "{middle}");
            assert!((14_300..15_700).contains(&low), "{low}");
        }
    }
}
