//! The composite score: five measures, weighed and added.
//!
//! Raw, as it is defined: `0.30 × deployment success % + 0.25 × replacement % + 0.20 × hours a week and seat + 0.15 × cost
//! saving % + 0.10 × NPS`. This adds percent, hours and points, so it is also shown normalised, each term on 0 to 100:
//!
//! - deployment success and replacement rate are percentages of a whole and stay as they are;
//! - NPS goes from −100 … 100 to 0 … 100: `(NPS + 100) / 2`. Its threshold of success, 50, becomes 75;
//! - hours saved and cost saving have no end of their own. They are put on the same scale: a straight line through
//!   nothing = 0 and threshold of success = 75, cut off at 0 and 100: `75 × hours / 4` (100 at 5⅓ h) and `75 × saving /
//!   15` (100 at 20 %).
//!
//! At the thresholds of success (80 %, 70 %, 4 h, 15 %, NPS 50) it is 49.55 raw and 75.25 normalised.
//!
//! A term that is missing makes the score missing. Nothing is weighed anew; what the rest comes to, and what the missing
//! terms could make of it, is shown beside.

use serde::{Deserialize, Serialize};

use crate::measured::{Missing, Range, tidy};

/// What a threshold of success is normalised to, where a measure has no scale of its own.
const AT_THRESHOLD: f64 = 75.0;

/// A term of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermId {
    /// Deployment success, percent.
    DeploymentSuccess,
    /// Replacement rate, percent.
    Replacement,
    /// Hours saved a week and seat.
    HoursPerWeek,
    /// Net cost saving, percent.
    CostSaving,
    /// NPS, points.
    Nps,
}

impl TermId {
    /// All, in the order of the formula.
    pub const ALL: [Self; 5] = [
        Self::DeploymentSuccess,
        Self::Replacement,
        Self::HoursPerWeek,
        Self::CostSaving,
        Self::Nps,
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentSuccess => "deployment_success",
            Self::Replacement => "replacement",
            Self::HoursPerWeek => "hours_per_week",
            Self::CostSaving => "cost_saving",
            Self::Nps => "nps",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::DeploymentSuccess => "Deployment success",
            Self::Replacement => "Replacement rate",
            Self::HoursPerWeek => "Hours saved",
            Self::CostSaving => "Cost saving",
            Self::Nps => "NPS",
        }
    }

    /// In hundredths, so that they add up exactly.
    fn weight_percent(self) -> f64 {
        match self {
            Self::DeploymentSuccess => 30.0,
            Self::Replacement => 25.0,
            Self::HoursPerWeek => 20.0,
            Self::CostSaving => 15.0,
            Self::Nps => 10.0,
        }
    }

    /// What success within twelve months asks for.
    pub fn threshold(self) -> f64 {
        match self {
            Self::DeploymentSuccess => 80.0,
            Self::Replacement => 70.0,
            Self::HoursPerWeek => 4.0,
            Self::CostSaving => 15.0,
            Self::Nps => 50.0,
        }
    }

    fn normalised(self, value: f64) -> f64 {
        let on_scale = match self {
            Self::DeploymentSuccess | Self::Replacement => value,
            Self::HoursPerWeek | Self::CostSaving => AT_THRESHOLD * value / self.threshold(),
            Self::Nps => f64::midpoint(value, 100.0),
        };
        on_scale.clamp(0.0, 100.0)
    }

    /// Which values there are.
    fn holds(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::DeploymentSuccess | Self::Replacement => (0.0..=100.0).contains(&value),
                Self::HoursPerWeek => (-168.0..=168.0).contains(&value),
                Self::CostSaving => (-1e9..=1e9).contains(&value),
                Self::Nps => (-100.0..=100.0).contains(&value),
            }
    }
}

/// One term as it came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Which.
    pub term: TermId,
    /// Its weight, 0 to 1.
    pub weight: f64,
    /// The measure's value.
    pub value: Option<f64>,
    /// The value on 0 to 100.
    pub normalised: Option<f64>,
    /// Weight × value.
    pub raw_points: Option<f64>,
    /// Weight × normalised.
    pub normalised_points: Option<f64>,
}

/// A term without a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingTerm {
    /// Which.
    pub term: TermId,
    /// Why, and how to record it.
    #[serde(flatten)]
    pub missing: Missing,
}

/// The composite score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Σ weight × value; none when a term is missing.
    pub raw: Option<f64>,
    /// Σ weight × normalised, 0 to 100; none when a term is missing.
    pub normalised: Option<f64>,
    /// Where the normalised score can lie, as the missing terms can be anything.
    pub normalised_range: Range,
    /// Every term.
    pub terms: Vec<Term>,
    /// Terms without a value.
    pub missing: Vec<MissingTerm>,
}

/// A value that a term cannot have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{}: {value} is not possible; percentages go from 0 to 100, NPS from -100 to 100, hours a week from -168 to 168", term.as_str())]
pub struct Impossible {
    /// Of which term.
    pub term: TermId,
    /// What was given.
    pub value: f64,
}

/// The score of what is given for each term, in the order of [`TermId::ALL`]: a value, or why there is none.
pub fn score(values: [Result<f64, Missing>; 5]) -> Result<Score, Impossible> {
    for (term, value) in TermId::ALL.into_iter().zip(&values) {
        if let Ok(value) = value
            && !term.holds(*value)
        {
            return Err(Impossible { term, value: *value });
        }
    }
    Ok(of(values))
}

/// The same, with what no term can be, such as 200 hours a week, as a value that is missing. Where the truth of a measure can
/// lie goes into where the score can.
pub(crate) fn of_measures(values: [Result<f64, Missing>; 5], ranges: [Option<Range>; 5]) -> Score {
    let mut terms = TermId::ALL.into_iter();
    let mut score = of(values.map(|value| match (terms.next(), value) {
        (Some(term), Ok(value)) if !term.holds(value) => {
            Err(Missing::new(Impossible { term, value }.to_string(), []))
        }
        (_, value) => value,
    }));
    let Range { low: Some(mut low), high: Some(mut high) } = score.normalised_range else {
        return score;
    };
    for (term, range) in score.terms.iter().zip(ranges) {
        let (Some(value), Some(range)) = (term.value, range) else { continue };
        let id = term.term;
        let points = |value: f64| id.weight_percent() * id.normalised(value) / 100.0;
        let seen = points(value);
        low -= (seen - points(range.low.unwrap_or(f64::NEG_INFINITY))).max(0.0);
        high += (points(range.high.unwrap_or(f64::INFINITY)) - seen).max(0.0);
    }
    score.normalised_range = Range { low: tidy(low), high: tidy(high) };
    score
}

fn of(values: [Result<f64, Missing>; 5]) -> Score {
    let mut terms = Vec::new();
    let mut missing = Vec::new();
    for (term, value) in TermId::ALL.into_iter().zip(values) {
        terms.push(Term::of(term, value.as_ref().ok().copied()));
        if let Err(why) = value {
            missing.push(MissingTerm { term, missing: why });
        }
    }
    let is_whole = missing.is_empty();
    let sum = |points: fn(TermId, f64) -> f64| -> f64 {
        let known =
            terms.iter().filter_map(|term| term.value.map(|value| points(term.term, value)));
        known.sum::<f64>() / 100.0
    };
    let raw = sum(|term, value| term.weight_percent() * value);
    let normalised = sum(|term, value| term.weight_percent() * term.normalised(value));
    let open: f64 = missing.iter().map(|missing| missing.term.weight_percent()).sum();
    Score {
        raw: tidy(raw).filter(|_| is_whole),
        normalised: tidy(normalised).filter(|_| is_whole),
        normalised_range: Range { low: tidy(normalised), high: tidy(normalised + open) },
        terms,
        missing,
    }
}

impl Term {
    fn of(term: TermId, value: Option<f64>) -> Self {
        let weight = term.weight_percent();
        let normalised = value.map(|value| term.normalised(value));
        let points = |value: Option<f64>| value.and_then(|value| tidy(weight * value / 100.0));
        Self {
            term,
            weight: weight / 100.0,
            value: value.and_then(tidy),
            normalised: normalised.and_then(tidy),
            raw_points: points(value),
            normalised_points: points(normalised),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: [Option<f64>; 5]) -> Score {
        let gone = || Missing::new("not given", []);
        score(values.map(|value| value.ok_or_else(gone))).unwrap()
    }

    #[test]
    fn at_the_thresholds_of_success_it_is_49_55_and_75_25() {
        let at = given(TermId::ALL.map(|term| Some(term.threshold())));
        assert_eq!((at.raw, at.normalised), (Some(49.55), Some(75.25)));
        assert_eq!(
            at.terms.iter().map(|term| term.raw_points.unwrap()).collect::<Vec<_>>(),
            [24.0, 17.5, 0.8, 2.25, 5.0]
        );
        assert_eq!(
            at.terms.iter().map(|term| term.normalised_points.unwrap()).collect::<Vec<_>>(),
            [24.0, 17.5, 15.0, 11.25, 7.5]
        );
        assert!(at.missing.is_empty());
    }

    #[test]
    fn a_missing_term_makes_no_score_and_nothing_is_weighed_anew() {
        let without = given([Some(80.0), Some(70.0), None, Some(15.0), Some(50.0)]);
        assert_eq!((without.raw, without.normalised), (None, None));
        assert_eq!(without.normalised_range, Range { low: Some(60.25), high: Some(80.25) });
        assert_eq!(without.missing[0].term, TermId::HoursPerWeek);
        assert_eq!(without.terms[0].weight, 0.3);
        let nothing = given([None; 5]);
        assert_eq!(nothing.normalised_range, Range { low: Some(0.0), high: Some(100.0) });
    }

    #[test]
    fn the_normalised_score_stays_on_its_scale_and_the_raw_one_does_not() {
        let best = given([Some(100.0), Some(100.0), Some(40.0), Some(90.0), Some(100.0)]);
        assert_eq!(best.normalised, Some(100.0));
        let worst = given([Some(0.0), Some(0.0), Some(-3.0), Some(-20.0), Some(-100.0)]);
        assert_eq!((worst.raw, worst.normalised), (Some(-13.6), Some(0.0)));
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (at, value) in
            [(0, 101.0), (1, -1.0), (2, 169.0), (3, f64::INFINITY), (4, -101.0), (0, f64::NAN)]
        {
            let mut values = [80.0, 70.0, 4.0, 15.0, 50.0];
            values[at] = value;
            assert_eq!(score(values.map(Ok)).unwrap_err().term, TermId::ALL[at]);
        }
    }

    #[test]
    fn of_measures_a_value_that_cannot_be_is_missing() {
        let score = of_measures([Ok(80.0), Ok(70.0), Ok(200.0), Ok(15.0), Ok(50.0)], [None; 5]);
        assert_eq!((score.raw, score.missing.len()), (None, 1));
        assert!(score.missing[0].missing.why.contains("200 is not possible"));
    }

    #[test]
    fn what_is_not_seen_of_a_term_widens_where_the_score_can_lie() {
        let values = || [Ok(80.0), Ok(70.0), Ok(4.0), Ok(15.0), Ok(50.0)];
        let replacement = Range { low: Some(60.0), high: Some(90.0) };
        let saving = Range { low: None, high: Some(15.0) };
        let score = of_measures(values(), [None, Some(replacement), None, Some(saving), None]);
        assert_eq!(score.normalised, Some(75.25));
        // 0.25 · 10 and 0.15 · 75 less; 0.25 · 20 more.
        assert_eq!(score.normalised_range, Range { low: Some(61.5), high: Some(80.25) });
    }
}
