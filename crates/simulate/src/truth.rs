//! What a version is like, which its judges do not know.

use lockgate_model::measure::{Better, LEVELS, Measure, MeasureName};
use lockgate_telemetry::sketch::Sketch;

use crate::draw::Discrete;

/// What a version is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Chance that a request ends in an error charged to the version.
    pub error_rate: f64,
    /// Middle of its latency, milliseconds.
    pub median_ms: f64,
    /// Deviation of the logarithm of its latency.
    pub latency_sigma: f64,
    /// Mean cost of a request, US dollars.
    pub cost_usd: f64,
    /// Deviation of the logarithm of its cost.
    pub cost_sigma: f64,
    /// Chance that an answer draws a vote.
    pub vote_share: f64,
    /// Of the votes, the positive ones.
    pub satisfied: f64,
    /// Of the votes, the negative ones.
    pub negative: f64,
    /// Mean of what it reports of the agent's own measures, as a share of their ranges from the worst
    /// to the best.
    pub report: f64,
    /// Of the answers, the ones that are resolved without a person; the others are escalated. `None` when it says no
    /// outcomes.
    pub resolved: Option<f64>,
}

impl Default for Truth {
    /// An agent as most are: keeps all bounds of the standard plan.
    fn default() -> Self {
        Self {
            error_rate: 0.002,
            median_ms: 60.0,
            latency_sigma: 0.5,
            cost_usd: 0.01,
            cost_sigma: 0.8,
            vote_share: 0.05,
            satisfied: 0.9,
            negative: 0.03,
            report: 0.9,
            resolved: None,
        }
    }
}

/// The same, ready to be drawn from.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub(crate) truth: Truth,
    /// Bins of the latency sketch.
    pub(crate) latency: Discrete<i32>,
    /// Nano-dollars.
    pub(crate) cost: Discrete<u64>,
    /// −1, 0 and 1.
    pub(crate) vote: Discrete<i8>,
    /// Levels.
    pub(crate) measures: Vec<(MeasureName, Discrete<u8>)>,
}

/// How far apart the latencies are that are drawn, in bins of the sketch: about 8 %.
const LATENCY_STEP_BINS: usize = 4;

/// How many different costs are drawn.
const COSTS: u32 = 12;

impl Drawn {
    /// Distributions that have the truth's medians, means and tails.
    pub fn new(truth: Truth, measures: &[Measure]) -> Self {
        Self::in_steps(truth, measures, LATENCY_STEP_BINS, COSTS)
    }

    /// The same in few steps: quick to draw from where exact tails do not matter.
    pub(crate) fn coarse(truth: Truth, measures: &[Measure]) -> Self {
        Self::in_steps(truth, measures, 4 * LATENCY_STEP_BINS, COSTS / 4)
    }

    fn in_steps(truth: Truth, measures: &[Measure], latency_bins: usize, costs: u32) -> Self {
        let spread = 4.0 * truth.latency_sigma;
        let bin = |log: f64| Sketch::bin(micros(truth.median_ms * log.exp() * 1e3));
        let bins = (bin(-spread)..=bin(spread).max(bin(-spread))).step_by(latency_bins);
        let ln_gamma = 1.2_f64.ln() / 9.0;
        let latency: Vec<(i32, f64)> = bins
            .map(|bin| {
                let log = f64::from(bin) * ln_gamma - (truth.median_ms * 1e3).ln();
                let z = log / truth.latency_sigma.max(1e-3);
                (bin, (-z * z / 2.0).exp().max(1e-12))
            })
            .collect();
        let cost: Vec<(u64, f64)> = cost_factors(truth.cost_sigma, costs)
            .iter()
            .map(|factor| (micros(truth.cost_usd * factor * 1e9), 1.0))
            .collect();
        let neutral = (1.0 - truth.satisfied - truth.negative).max(0.0);
        let votes = [(-1, truth.negative), (0, neutral), (1, truth.satisfied)];
        Self {
            truth,
            latency: Discrete::new(&latency),
            cost: Discrete::new(&cost),
            vote: Discrete::new(&votes),
            measures: measures
                .iter()
                .map(|measure| (measure.name, Discrete::new(&levels(measure, truth.report))))
                .collect(),
        }
    }
}

/// The share of a measure's range at which something this good lies.
pub(crate) fn share_of(measure: &Measure, report: f64) -> f64 {
    match measure.better {
        Better::Higher => report,
        Better::Lower => 1.0 - report,
    }
}

/// Levels with their chances: four yes-or-no parts, whose mean is the share and whose variance a
/// quarter of the largest possible.
pub(crate) fn levels(measure: &Measure, report: f64) -> [(u8, f64); 5] {
    const WAYS: [f64; 5] = [1.0, 4.0, 6.0, 4.0, 1.0];
    let share = share_of(measure, report);
    [0_u8, 1, 2, 3, 4].map(|well| {
        let (yes, no) = (i32::from(well), i32::from(4 - well));
        let chance = WAYS[usize::from(well)] * share.powi(yes) * (1.0 - share).powi(no);
        (well * (LEVELS / 4), chance)
    })
}

/// The means of equal parts of a log-normal, about: its quantiles, scaled to a mean of 1.
fn cost_factors(sigma: f64, costs: u32) -> Vec<f64> {
    let part = |part: u32| normal_quantile((f64::from(part) + 0.5) / f64::from(costs));
    let quantiles: Vec<f64> = (0..costs).map(|one| (sigma * part(one)).exp()).collect();
    let mean = quantiles.iter().sum::<f64>() / f64::from(costs);
    quantiles.iter().map(|quantile| quantile / mean).collect()
}

/// The mean square of costs as they are drawn, whose mean is 1.
pub(crate) fn cost_square(sigma: f64) -> f64 {
    cost_factors(sigma, COSTS).iter().map(|factor| factor * factor).sum::<f64>() / f64::from(COSTS)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn micros(value: f64) -> u64 {
    value.round() as u64
}

/// The probability that a standard normal lies below `z` (Abramowitz & Stegun 7.1.26, error below
/// 2·10⁻⁷).
pub(crate) fn normal_below(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let poly = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let tail = poly.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let upper = tail * (-x * x).exp() / 2.0;
    if z < 0.0 { upper } else { 1.0 - upper }
}

/// The value below which a standard normal lies with probability `p`, 0 < p < 1, by bisection.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_below(middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
