//! One number of a report with everything that it takes to believe it, or the reason why there is none.

use serde::{Deserialize, Serialize};

use crate::catalog::{MeasureId, Unit};

/// Digits that are kept of a number in a report, so that it is the same on every machine.
const DIGITS: usize = 12;

/// A number to [`DIGITS`] significant digits; none when it is no number.
pub fn tidy(number: f64) -> Option<f64> {
    if !number.is_finite() {
        return None;
    }
    let kept: f64 = format!("{number:.*e}", DIGITS - 1).parse().ok()?;
    // Of −0 and 0 only one is written.
    Some(if kept == 0.0 { 0.0 } else { kept })
}

/// Where the truth can lie, as some of it was not seen. A side without an end is unbounded. This is not chance: for that
/// see [`Interval`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The least that it can be.
    pub low: Option<f64>,
    /// The most.
    pub high: Option<f64>,
}

/// A confidence interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end; none when it has none.
    pub high: Option<f64>,
    /// How often intervals made like this hold the truth, percent.
    pub level_percent: u8,
    /// How it is made.
    pub method: String,
}

/// Why there is no number, and how to get one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// In a sentence.
    pub why: String,
    /// Command lines, or settings, with capitals for what to fill in.
    pub how: Vec<String>,
}

impl Missing {
    pub(crate) fn new(why: impl Into<String>, how: impl IntoIterator<Item = String>) -> Self {
        Self { why: why.into(), how: how.into_iter().collect() }
    }
}

/// A measure as it came out. There is a `value` or a `missing`, never both and never neither.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which; [`MeasureId::spec`] has its formula in words.
    pub id: MeasureId,
    /// The number, to twelve digits.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: Unit,
    /// What was counted above the line, where there is one.
    pub numerator: Option<f64>,
    /// What it was divided by.
    pub denominator: Option<f64>,
    /// How many observations it is made of.
    pub n: u64,
    /// Where the truth can lie when something was not seen; none when all was.
    pub range: Option<Range>,
    /// What chance alone would do.
    pub interval: Option<Interval>,
    /// What to know about it.
    pub notes: Vec<String>,
    /// Why there is no number.
    pub missing: Option<Missing>,
}

impl Measured {
    pub(crate) fn absent(id: MeasureId, missing: Missing) -> Self {
        Self {
            id,
            value: None,
            unit: id.spec().unit,
            numerator: None,
            denominator: None,
            n: 0,
            range: None,
            interval: None,
            notes: Vec::new(),
            missing: Some(missing),
        }
    }

    /// A number that is none after all, such as one beyond every bound, is missing.
    pub(crate) fn number(id: MeasureId, value: f64, n: u64) -> Self {
        let Some(value) = tidy(value) else {
            return Self::absent(id, Missing::new("the numbers are too large to divide", []));
        };
        Self { value: Some(value), n, missing: None, ..Self::absent(id, Missing::new("", [])) }
    }

    pub(crate) fn of(id: MeasureId, estimate: Estimate, n: u64) -> Self {
        let range = (!estimate.is_exact()).then(|| Range {
            low: estimate.low.and_then(tidy),
            high: estimate.high.and_then(tidy),
        });
        Self { range, ..Self::number(id, estimate.value, n) }
    }

    pub(crate) fn over(mut self, numerator: f64, denominator: f64) -> Self {
        (self.numerator, self.denominator) = (tidy(numerator), tidy(denominator));
        self
    }

    pub(crate) fn with_interval(mut self, interval: Option<Interval>) -> Self {
        self.interval = interval.filter(|_| self.value.is_some());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn note_if(self, holds: bool, note: impl FnOnce() -> String) -> Self {
        if holds { self.note(note()) } else { self }
    }

    /// Where the truth can lie: the range, or the value itself.
    pub fn bounds(&self) -> Option<Range> {
        let value = self.value?;
        Some(self.range.unwrap_or(Range { low: Some(value), high: Some(value) }))
    }
}

/// A number and where the truth can lie; `None` is unbounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

impl Estimate {
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, low: Some(value), high: Some(value) }
    }

    /// Between what is known and what it would be with all that is not.
    pub(crate) fn between(value: f64, other: f64) -> Self {
        Self { value, low: Some(value.min(other)), high: Some(value.max(other)) }
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.low == Some(self.value) && self.high == Some(self.value)
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        Self {
            value: self.value + other.value,
            low: sum(self.low, other.low),
            high: sum(self.high, other.high),
        }
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        let scaled = |end: Option<f64>| end.map(|end| end * factor);
        let (low, high) = (scaled(self.low), scaled(self.high));
        let (low, high) = if factor < 0.0 { (high, low) } else { (low, high) };
        Self { value: self.value * factor, low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_twelve_digits_and_one_zero() {
        assert_eq!(tidy(0.1 + 0.2), Some(0.3));
        assert_eq!(tidy(-0.0).map(f64::is_sign_positive), Some(true));
        assert_eq!(tidy(1.0 / 3.0), Some(0.333_333_333_333));
        assert_eq!(tidy(f64::NAN), None);
        assert_eq!(tidy(f64::INFINITY), None);
        assert_eq!(Measured::number(MeasureId::Nps, f64::NAN, 1).value, None);
    }

    #[test]
    fn what_was_not_seen_stays_where_it_can_be() {
        let gross = Estimate::between(10.0, 14.0);
        let cost = Estimate { value: 3.0, low: Some(3.0), high: None };
        let net = gross.plus(cost.times(-1.0));
        assert_eq!((net.value, net.low, net.high), (7.0, None, Some(11.0)));
        assert_eq!(
            gross.times(-2.0),
            Estimate { value: -20.0, low: Some(-28.0), high: Some(-20.0) }
        );
        assert!(Estimate::exact(1.0).plus(Estimate::exact(2.0)).is_exact());
    }
}
