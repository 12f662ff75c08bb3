//! Intervals and middles. All of them are checked against scipy or their definition (`tests/oracle`).

use crate::measured::{Interval, tidy};

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Of 95 of 100 intervals the truth is held.
const LEVEL_PERCENT: u8 = 95;

/// 97.5 % quantiles of Student's t with 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.706_204_736_174_7,
    4.302_652_729_749_46,
    3.182_446_305_283_71,
    2.776_445_105_197_79,
    2.570_581_835_636_31,
    2.446_911_851_144_97,
    2.364_624_251_592_79,
    2.306_004_135_204_17,
    2.262_157_162_798_20,
    2.228_138_851_986_27,
    2.200_985_160_091_64,
    2.178_812_829_667_23,
    2.160_368_656_462_79,
    2.144_786_687_917_80,
    2.131_449_545_559_78,
    2.119_905_299_221_26,
    2.109_815_577_833_32,
    2.100_922_040_241_04,
    2.093_024_054_408_31,
    2.085_963_447_265_86,
    2.079_613_844_727_68,
    2.073_873_067_904_03,
    2.068_657_610_419_05,
    2.063_898_561_628_03,
    2.059_538_552_753_30,
    2.055_529_438_642_87,
    2.051_830_516_480_29,
    2.048_407_141_795_25,
    2.045_229_642_132_70,
    2.042_272_456_301_24,
];

fn interval(low: f64, high: f64, method: &str) -> Option<Interval> {
    Some(Interval {
        low: tidy(low)?,
        high: Some(tidy(high)?),
        level_percent: LEVEL_PERCENT,
        method: method.into(),
    })
}

/// Ends of Wilson's score interval of a share, 0 to 1; none of none.
fn wilson_ends(part: u64, whole: u64) -> Option<(f64, f64)> {
    if whole == 0 || part > whole {
        return None;
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At the ends the interval is closed exactly, whatever rounding says.
    let low = if part == 0 { 0.0 } else { (middle - half) / scale };
    let high = if part == whole { 1.0 } else { (middle + half) / scale };
    Some((low, high))
}

/// Wilson's score interval of `part / whole`, in percent. Wilson, Probable inference, JASA 22 (1927).
pub(crate) fn wilson(part: u64, whole: u64) -> Option<Interval> {
    let (low, high) = wilson_ends(part, whole)?;
    interval(100.0 * low, 100.0 * high, "Wilson score")
}

/// A share of a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) part: u64,
    pub(crate) whole: u64,
}

impl Share {
    pub(crate) fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }
}

/// Interval of `a − b` in percentage points. Newcombe, Interval estimation for the difference between independent
/// proportions, Statistics in Medicine 17 (1998), method 10.
pub(crate) fn newcombe(a: Share, b: Share) -> Option<Interval> {
    let ends = |share: Share| wilson_ends(share.part, share.whole);
    let (low, high) = apart((a.value()?, ends(a)?), (b.value()?, ends(b)?));
    interval(100.0 * low, 100.0 * high, "Newcombe, method 10")
}

/// Interval of `a − b` out of the intervals of both, each with its value. Zou and Donner, Construction of confidence limits
/// about effect measures, Statistics in Medicine 27 (2008); of two shares it is Newcombe's.
pub(crate) fn difference(a: (f64, &Interval), b: (f64, &Interval)) -> Option<Interval> {
    let (low, high) = apart((a.0, (a.1.low, a.1.high?)), (b.0, (b.1.low, b.1.high?)));
    interval(low, high, "Zou and Donner, of both intervals")
}

/// The interval of something less a number that is known.
pub(crate) fn less(ends: &Interval, number: f64) -> Option<Interval> {
    let high = match ends.high {
        Some(high) => Some(tidy(high - number)?),
        None => None,
    };
    Some(Interval { low: tidy(ends.low - number)?, high, ..ends.clone() })
}

/// Each a value and its ends.
fn apart((p, a): (f64, (f64, f64)), (q, b): (f64, (f64, f64))) -> (f64, f64) {
    (p - q - (p - a.0).hypot(b.1 - q), p - q + (a.1 - p).hypot(q - b.0))
}

/// Interval of `100 × (a / b − 1)`, by the logarithm of the ratio; none when a part is none. Katz et al., Obtaining
/// confidence intervals for the risk ratio, Biometrics 34 (1978).
pub(crate) fn katz(a: Share, b: Share) -> Option<Interval> {
    if a.part == 0 || b.part == 0 {
        return None;
    }
    let ratio = a.value()? / b.value()?;
    let inverse = |share: Share| 1.0 / share.part as f64 - 1.0 / share.whole as f64;
    let deviation = (inverse(a) + inverse(b)).sqrt();
    let percent = |z: f64| 100.0 * (ratio * (z * deviation).exp() - 1.0);
    interval(percent(-Z), percent(Z), "Katz, log ratio")
}

/// Votes that nobody gave and that the interval of a net promoter score is made with: promoters, passives, detractors.
const NPS_PSEUDO_VOTES: [f64; 3] = [0.75, 1.5, 0.75];

/// Interval of a net promoter score, also of few votes and of votes that are all alike: the adjusted Wald interval (3, T)
/// of Rocks, Interval estimation for the "Net Promoter Score", The American Statistician 70 (2016), of votes −1, 0, 1 to which
/// three are added. It holds the score itself, which that of a single vote would not. None without votes.
pub(crate) fn net_promoter(promoters: u64, passives: u64, detractors: u64) -> Option<Interval> {
    let votes = [promoters, passives, detractors].map(|count| count as f64);
    let seen: f64 = votes.iter().sum();
    if seen == 0.0 {
        return None;
    }
    let n = seen + NPS_PSEUDO_VOTES.iter().sum::<f64>();
    let up = (votes[0] + NPS_PSEUDO_VOTES[0]) / n;
    let down = (votes[2] + NPS_PSEUDO_VOTES[2]) / n;
    let middle = up - down;
    let half = Z * ((up + down - middle * middle) / n).sqrt();
    let score = (votes[0] - votes[2]) / seen;
    interval(
        100.0 * (middle - half).max(-1.0).min(score),
        100.0 * (middle + half).min(1.0).max(score),
        "adjusted Wald, Rocks (3, T)",
    )
}

/// The mean; none of none.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle one, or the mean of the middle two; none of none. What is no number is not allowed in.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    if sorted.len().is_multiple_of(2) {
        return sorted.get(sorted.len() / 2 - 1).map(|lower| f64::midpoint(*lower, *upper));
    }
    Some(*upper)
}

/// Mean with the ends of its 95 % interval by Student's t; none with fewer than two.
pub(crate) fn student(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mean = mean(values)?;
    let n = values.len() as f64;
    if n < 2.0 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let half = t_quantile(values.len() - 1) * (squares / (n - 1.0) / n).sqrt();
    Some((mean - half, mean, mean + half))
}

/// Beyond the table by Cornish and Fisher's expansion, to nine digits.
fn t_quantile(degrees: usize) -> f64 {
    if let Some(quantile) = degrees.checked_sub(1).and_then(|at| T.get(at)) {
        return *quantile;
    }
    let (z, v) = (Z, degrees as f64);
    let (z3, z5, z7, z9) = (z.powi(3), z.powi(5), z.powi(7), z.powi(9));
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v.powi(3))
        + (79.0 * z9 + 776.0 * z7 + 1_482.0 * z5 - 1_920.0 * z3 - 945.0 * z)
            / (92_160.0 * v.powi(4))
}

#[cfg(test)]
mod tests;
