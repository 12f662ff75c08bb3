//! Measures of one's own: numbers that an agent's versions report of their answers, such as how
//! well an answer is grounded or how many steps it took.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Metric;

/// The longest name, in bytes.
pub const NAME_LEN_MAX: usize = 32;

/// The most measures of one agent.
pub const MEASURES_MAX: usize = 16;

/// Values are rounded to this part of their measure's range, up or down by chance so that their mean
/// stays what it is. Counts per level are all that is kept, and windows of many gateways merge in
/// any order.
pub const LEVELS: u8 = 100;

/// The name of a measure: a small letter, then small letters, digits and `_`. None of the built-in
/// metrics has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeasureName([u8; NAME_LEN_MAX]);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMeasureName {
    /// Other characters, or too many.
    #[error(
        "`{given}` cannot name a measure: use 1 to {NAME_LEN_MAX} lowercase letters, digits and `_`, starting with a letter"
    )]
    Shape {
        /// What was given, cut to a printable length.
        given: String,
    },
    /// A metric has it.
    #[error("`{given}` is built in; give the measure another name")]
    BuiltIn {
        /// What was given.
        given: String,
    },
}

impl MeasureName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN_MAX);
        std::str::from_utf8(&self.0[..len]).expect("only ASCII letters, digits and `_` are taken")
    }
}

impl FromStr for MeasureName {
    type Err = InvalidMeasureName;

    fn from_str(text: &str) -> Result<Self, InvalidMeasureName> {
        let shaped = text.len() <= NAME_LEN_MAX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        if !shaped {
            let given = text.chars().take(80).collect();
            return Err(InvalidMeasureName::Shape { given });
        }
        if Metric::built_in(text).is_some() || text == "errors_vs_baseline" || text == "measures" {
            return Err(InvalidMeasureName::BuiltIn { given: text.to_owned() });
        }
        let mut name = [0; NAME_LEN_MAX];
        name[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(name))
    }
}

impl TryFrom<String> for MeasureName {
    type Error = InvalidMeasureName;

    fn try_from(text: String) -> Result<Self, InvalidMeasureName> {
        text.parse()
    }
}

impl From<MeasureName> for String {
    fn from(name: MeasureName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for MeasureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MeasureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeasureName({self})")
    }
}

/// Which values are the good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// High ones.
    Higher,
    /// Low ones.
    Lower,
}

/// A measure of an agent. Its values lie in a range that is known beforehand: that is what makes
/// tests of their mean possible whose error is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its name.
    pub name: MeasureName,
    /// Which values are the good ones.
    pub better: Better,
    /// The lowest value; what lies below counts as this.
    pub from: f64,
    /// The highest value; what lies above counts as this.
    pub to: f64,
}

impl Measure {
    /// The level of a value, 0 to [`LEVELS`]; `None` for NaN, which is no value. `chance` is uniform
    /// in [0, 1): a value between two levels falls to the upper one as often as it is near to it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and LEVELS, which fits"
    )]
    pub fn level(&self, value: f64, chance: f64) -> Option<u8> {
        let share = self.share(value.clamp(self.from, self.to));
        // Of NaN, `min` would make the best value there is.
        let level = || (share * f64::from(LEVELS) + chance).floor().min(f64::from(LEVELS)) as u8;
        (!share.is_nan()).then(level)
    }

    /// The value of a share of the range, 0 to 1.
    pub fn value(&self, share: f64) -> f64 {
        self.from + share * (self.to - self.from)
    }

    /// The share of the range that lies below a value.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.from) / (self.to - self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_not_built_in() {
        for good in ["a", "groundedness", "steps_2", &"x".repeat(32)] {
            let name: MeasureName = good.parse().unwrap();
            assert_eq!(name.as_str(), good);
            let written = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<MeasureName>(&written).unwrap(), name);
        }
        let long = "x".repeat(33);
        for bad in ["", "A", "2a", "a-b", "ä", "a b", "a\0", &long, "p95_ms", "errors_vs_baseline"]
        {
            assert!(bad.parse::<MeasureName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn values_fall_into_levels_and_what_lies_outside_counts_as_the_end() {
        let name = "steps".parse().unwrap();
        let steps = Measure { name, better: Better::Lower, from: -10.0, to: 40.0 };
        for (value, level) in [
            (-10.0, Some(0)),
            (-99.0, Some(0)),
            (f64::NEG_INFINITY, Some(0)),
            (0.0, Some(20)),
            (0.2, Some(20)),
            (0.3, Some(21)),
            (39.9, Some(100)),
            (40.0, Some(100)),
            (f64::INFINITY, Some(100)),
            (f64::NAN, None),
        ] {
            assert_eq!(steps.level(value, 0.5), level, "{value}");
        }
        // 0.1 lies a fifth of the way from level 20 to 21.
        let up = (0..100).filter(|part| steps.level(0.1, f64::from(*part) / 100.0) == Some(21));
        assert_eq!(up.count(), 20);
        assert!((steps.value(0.2) - 0.0).abs() < 1e-12);
        assert!((steps.share(15.0) - 0.5).abs() < 1e-12);
    }
}
