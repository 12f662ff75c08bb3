//! Where a bound would lie, by what healthy windows show: at [`BASIS`]'s quantile and margin from the best value that the
//! metric can have.

use std::collections::BTreeSet;

use lockgate_model::measure::{Better, Measure};
use lockgate_model::plan::{Bound, Metric};

use super::{BASIS, Evidence, Of};
use crate::measured::tidy;

/// A plan takes no comparison with the stable version beyond this: ten times as much.
const RELATIVE_MAX: f64 = 9.0;
const DAY_MS: i64 = 86_400_000;

/// What was seen in one healthy window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// When it began, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Samples.
    pub n: u64,
    /// The metric; for a bound that compares, by how large a part it was more than the stable version's.
    pub value: f64,
}

/// The windows of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Those with enough samples.
    pub values: Vec<Value>,
    /// Those without.
    pub few: u64,
    /// Their length; none for stages.
    pub window_ms: Option<u64>,
    /// Releases that can be replayed.
    pub releases: u64,
}

/// A bound with what it is a bound of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subject {
    /// What is measured.
    pub metric: Metric,
    /// The bound as it is.
    pub bound: Bound,
    /// Of a measure of the agent's own: its range.
    pub measure: Option<Measure>,
}

/// What the windows say of a bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Weighed {
    /// Too little; what is missing.
    Insufficient(Vec<String>),
    /// Nothing to change, and why.
    Fine(String),
    /// Another one.
    Other {
        /// Whether it is closer than the present one.
        tighter: bool,
        /// The bound.
        bound: Bound,
        /// Why.
        why: String,
    },
}

impl Subject {
    /// How far a value is from the best one, on the bad side; 0 on the good one.
    fn distance(&self, value: f64) -> f64 {
        let (best, is_high) = self.best();
        if is_high { best - value } else { value - best }.max(0.0)
    }

    /// The best value, and whether worse ones are lower.
    fn best(&self) -> (f64, bool) {
        match (self.bound, self.metric, self.measure) {
            (Bound::BelowBaselineBy(_), _, _) => (0.0, true),
            (Bound::AboveBaselineBy(_), _, _) => (0.0, false),
            (_, Metric::SatisfiedShare | Metric::ReplacementRate, _) => (1.0, true),
            (_, Metric::Nps, _) => (100.0, true),
            (_, Metric::Measure(_), Some(measure)) => match measure.better {
                Better::Higher => (measure.to, true),
                Better::Lower => (measure.from, false),
            },
            _ => (0.0, false),
        }
    }

    /// How far its bound is from the best value.
    fn bound_distance(&self) -> Option<f64> {
        match self.bound {
            Bound::Below(limit) | Bound::Above(limit) => Some(self.distance(limit)),
            Bound::AboveBaselineBy(share) | Bound::BelowBaselineBy(share) => Some(share),
            Bound::Equal(_) => None,
        }
    }

    /// The bound at this distance; none beyond what a plan takes.
    fn at(&self, distance: f64) -> Option<Bound> {
        let (best, is_high) = self.best();
        let value = tidy(if is_high { best - distance } else { best + distance })?;
        let value = if is_share(self.metric) { hundredth(tidy(value * 100.0)?)? } else { value };
        let share = || hundredth(tidy(distance * 100.0)?);
        let possible = self.reaches(value);
        Some(match self.bound {
            Bound::AboveBaselineBy(_) if distance <= RELATIVE_MAX => {
                Bound::AboveBaselineBy(share()?)
            }
            Bound::BelowBaselineBy(_) if distance < 1.0 => Bound::BelowBaselineBy(share()?),
            Bound::Above(_) if possible => Bound::Above(value),
            Bound::Below(_) if possible => Bound::Below(value),
            _ => return None,
        })
    }

    /// A bound of this metric as a file has it.
    pub fn text(&self, bound: Bound) -> String {
        let number = |value: f64| match tidy(value * 100.0) {
            Some(percent) if is_share(self.metric) => format!("{percent}%"),
            _ => value.to_string(),
        };
        let percent = |share: f64| format!("{}%", tidy(share * 100.0).unwrap_or(share));
        match bound {
            Bound::Below(value) => format!("< {}", number(value)),
            Bound::Above(value) => format!("> {}", number(value)),
            Bound::Equal(value) => format!("= {}", number(value)),
            Bound::AboveBaselineBy(0.0) => "> baseline".into(),
            Bound::AboveBaselineBy(share) => format!("> baseline + {}", percent(share)),
            Bound::BelowBaselineBy(share) => format!("< baseline - {}", percent(share)),
        }
    }

    /// Whether the metric can lie on both sides of a value.
    fn reaches(&self, value: f64) -> bool {
        match (self.metric, self.measure) {
            (metric, _) if is_share(metric) => value > 0.0 && value < 1.0,
            (Metric::Nps, _) => value > -100.0 && value < 100.0,
            (Metric::P95Ms, _) => value > 0.0 && value <= 3_600_000.0,
            (Metric::CostUsd, _) => value > 0.0 && value <= 1_000.0,
            (Metric::CostPerResolvedUsd, _) => value > 0.0 && value <= 1_000_000.0,
            (Metric::Measure(_), Some(measure)) => value > measure.from && value < measure.to,
            _ => true,
        }
    }

    /// Of several populations that are judged apart: the value that is furthest from the best one.
    pub fn worst(&self, values: &[(u64, f64)]) -> Option<(u64, f64)> {
        values.iter().copied().max_by(|a, b| self.distance(a.1).total_cmp(&self.distance(b.1)))
    }

    /// The windows in numbers.
    pub fn evidence(&self, seen: &Seen) -> Evidence {
        let mut distances: Vec<(f64, f64)> =
            seen.values.iter().map(|seen| (self.distance(seen.value), seen.value)).collect();
        distances.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let value = |rank: usize| {
            let (_, value) = distances.get(rank.checked_sub(1)?)?;
            tidy(*value)
        };
        let days: BTreeSet<i64> =
            seen.values.iter().map(|seen| seen.at_wall_ms.div_euclid(DAY_MS)).collect();
        let n = distances.len();
        let beyond =
            |bound: f64| distances.iter().filter(|(distance, _)| *distance > bound).count();
        Evidence {
            of: if self.bound.is_relative() { Of::Beside } else { Of::Stable },
            window_ms: seen.window_ms,
            windows: n as u64,
            few: seen.few,
            days: days.len() as u64,
            samples: seen.values.iter().fold(0, |sum, seen| seen.n.saturating_add(sum)),
            releases: seen.releases,
            median: value(n.div_ceil(2)),
            quantile: value(rank_of_quantile(n)),
            worst: value(n),
            beyond: self.bound_distance().map_or(0, beyond) as u64,
        }
    }

    /// What the windows say.
    pub fn weigh(&self, evidence: &Evidence) -> Weighed {
        let missing = missing(evidence);
        if !missing.is_empty() {
            return Weighed::Insufficient(missing);
        }
        let (Some(quantile), Some(present)) = (evidence.quantile, self.bound_distance()) else {
            return Weighed::Fine("it asks for one value, and no number is beyond that".into());
        };
        let (quantile, percent) = (self.distance(quantile), BASIS.quantile * 100.0);
        if quantile == 0.0 {
            let why = "of a quantile that is the best value there is nothing to take a margin of";
            return Weighed::Fine(why.into());
        }
        let proposed = two_digits_up(quantile * BASIS.margin);
        let Some(bound) = self.at(proposed) else {
            let why = "a bound at the quantile and its margin is beyond what a plan takes";
            return Weighed::Fine(why.into());
        };
        let Evidence { windows, beyond, .. } = evidence;
        if present < quantile {
            let why = format!(
                "{beyond} of {windows} healthy windows lie beyond it, more than the {percent} % quantile allows"
            );
            return Weighed::Other { tighter: false, bound, why };
        }
        if present > proposed * BASIS.loose_ratio {
            let why = format!(
                "it lies more than {} times as far out as the {percent} % quantile of {windows} healthy windows with its margin",
                BASIS.loose_ratio
            );
            return Weighed::Other { tighter: true, bound, why };
        }
        Weighed::Fine(format!(
            "{percent} % of {windows} healthy windows keep it, and it lies at most {} times as far out as they ask for",
            BASIS.loose_ratio
        ))
    }
}

/// The nearest rank of [`BASIS`]'s quantile, from 1: 99 of 100, and with fewer the last one.
fn rank_of_quantile(n: usize) -> usize {
    (n * 99).div_ceil(100)
}

fn missing(evidence: &Evidence) -> Vec<String> {
    let Evidence { windows, days, releases, few, .. } = *evidence;
    let few = if few > 0 { format!(" ({few} more have too few samples)") } else { String::new() };
    let wants = [
        (windows, BASIS.windows_min, "healthy windows", few.as_str()),
        (days, BASIS.days_min, "different days", ""),
        (releases, BASIS.releases_min, "releases that can be replayed", ""),
    ];
    wants
        .into_iter()
        .filter(|(seen, least, _, _)| seen < least)
        .map(|(seen, least, what, more)| format!("{seen} of {least} {what}{more}"))
        .collect()
}

/// The next number away from 0 that has two significant digits.
fn two_digits_up(value: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "log10 of a finite f64 is below 400")]
    let magnitude = value.log10().floor() as i32 - 1;
    let unit = 10.0_f64.powi(magnitude);
    let digits = (value / unit - 1e-9).ceil();
    // Written out, so that 13 hundredths are 0.13 and not its neighbour.
    format!("{digits}e{magnitude}").parse().unwrap_or(value)
}

/// A hundredth of a percentage, as a file's is read.
fn hundredth(percent: f64) -> Option<f64> {
    format!("{percent}e-2").parse().ok()
}

fn is_share(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::ReplacementRate
    )
}

#[cfg(test)]
#[path = "threshold/tests.rs"]
mod tests;
