//! Whether it is a success, whether it fails, and what others are said to reach.

use serde::{Deserialize, Serialize};

use crate::catalog::MeasureId;
use crate::measured::{Measured, Range};

/// How a bound came out. What is not known is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Met,
    /// It does not.
    NotMet,
    /// Nobody can say.
    Unknown,
}

/// On which side of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// More than.
    Above,
    /// Less than.
    Below,
}

/// A bound on a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Of which measure.
    pub id: MeasureId,
    /// Which side.
    pub side: Side,
    /// The bound itself is on neither side.
    pub threshold: f64,
}

/// Success within twelve months. For a failure signal, [`State::Met`] means that it is raised.
pub const SUCCESS: [Bound; 5] = [
    Bound { id: MeasureId::DeploymentSuccess, side: Side::Above, threshold: 80.0 },
    Bound { id: MeasureId::ReplacementRate, side: Side::Above, threshold: 70.0 },
    Bound { id: MeasureId::HoursSaved, side: Side::Above, threshold: 4.0 },
    Bound { id: MeasureId::CostSaving, side: Side::Above, threshold: 15.0 },
    Bound { id: MeasureId::Nps, side: Side::Above, threshold: 50.0 },
];

/// What says that it fails.
pub const FAILURE: [Bound; 4] = [
    Bound { id: MeasureId::DeploymentSuccess, side: Side::Below, threshold: 50.0 },
    Bound { id: MeasureId::ReplacementRate, side: Side::Below, threshold: 50.0 },
    Bound { id: MeasureId::HoursSaved, side: Side::Below, threshold: 2.0 },
    Bound { id: MeasureId::SecurityEvents, side: Side::Above, threshold: 0.0 },
];

/// A bound as it came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Of which measure.
    pub id: MeasureId,
    /// Which side.
    pub side: Side,
    /// The bound.
    pub threshold: f64,
    /// How it came out. For a failure signal `met` means raised.
    pub state: State,
    /// The measure's value.
    pub value: Option<f64>,
    /// How far the value is beyond the bound on the right side; less than zero when it is on the other.
    pub distance: Option<f64>,
    /// Why nobody can say.
    pub why: Option<String>,
}

/// Judges a bound by where the truth can lie: it is met when all of that is beyond it, and not met when none is.
pub fn judge(bound: &Bound, measured: &Measured) -> Judged {
    let sign = if bound.side == Side::Above { 1.0 } else { -1.0 };
    let state = measured.bounds().map_or(State::Unknown, |range| state(bound, range));
    let why = match (&measured.missing, state) {
        (Some(missing), _) => Some(missing.why.clone()),
        (None, State::Unknown) => Some("what was not seen can lie on either side".to_owned()),
        (None, _) => None,
    };
    Judged {
        id: bound.id,
        side: bound.side,
        threshold: bound.threshold,
        state,
        value: measured.value,
        distance: measured
            .value
            .and_then(|value| crate::measured::tidy(sign * (value - bound.threshold))),
        why,
    }
}

fn state(bound: &Bound, range: Range) -> State {
    let is_beyond = |value: f64| match bound.side {
        Side::Above => value > bound.threshold,
        Side::Below => value < bound.threshold,
    };
    let [near, far] = match bound.side {
        Side::Above => [range.low, range.high],
        Side::Below => [range.high, range.low],
    };
    match (near.map(is_beyond), far.map(is_beyond)) {
        (Some(true), _) => State::Met,
        (_, Some(false)) => State::NotMet,
        _ => State::Unknown,
    }
}

/// A figure that others name. It was not looked into, and is no bound of anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// What is said.
    pub claim: String,
    /// By whom.
    pub source: String,
    /// Always so: no goal here was verified.
    pub unverified: bool,
}

/// The goals that are quoted, all of them unverified.
pub fn goals() -> Vec<Goal> {
    [
        ("41 % of deployments report a positive return within 12 months", "BCG & Forrester 2026"),
        ("18 % of deployments report a positive return within 6 months", "BCG & Forrester 2026"),
        ("median of 6.4 hours saved a week", "McKinsey Global AI Survey 2026"),
    ]
    .map(|(claim, source)| Goal { claim: claim.into(), source: source.into(), unverified: true })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Estimate, Missing};

    fn state_of(bound: Bound, low: Option<f64>, value: f64, high: Option<f64>) -> State {
        judge(&bound, &Measured::of(bound.id, Estimate { value, low, high }, 1)).state
    }

    #[test]
    fn a_bound_itself_is_beyond_nothing() {
        let exact = |bound: Bound, value: f64| state_of(bound, Some(value), value, Some(value));
        assert_eq!(exact(SUCCESS[0], 80.0), State::NotMet);
        assert_eq!(exact(SUCCESS[0], 80.000_001), State::Met);
        assert_eq!(exact(FAILURE[0], 50.0), State::NotMet);
        assert_eq!(exact(FAILURE[0], 49.9), State::Met);
        assert_eq!(exact(FAILURE[3], 0.0), State::NotMet);
        assert_eq!(exact(FAILURE[3], 1.0), State::Met);
    }

    #[test]
    fn what_was_not_seen_is_on_neither_side() {
        assert_eq!(state_of(SUCCESS[1], Some(60.0), 60.0, Some(90.0)), State::Unknown);
        assert_eq!(state_of(SUCCESS[1], Some(71.0), 71.0, Some(90.0)), State::Met);
        assert_eq!(state_of(SUCCESS[1], Some(10.0), 10.0, Some(60.0)), State::NotMet);
        assert_eq!(state_of(SUCCESS[3], None, 20.0, Some(20.0)), State::Unknown);
        assert_eq!(state_of(SUCCESS[3], None, 12.0, Some(12.0)), State::NotMet);
        assert_eq!(state_of(FAILURE[1], Some(10.0), 10.0, Some(60.0)), State::Unknown);
        assert_eq!(state_of(FAILURE[1], Some(10.0), 10.0, Some(40.0)), State::Met);
        let none = Measured::absent(MeasureId::Nps, Missing::new("no votes", []));
        let judged = judge(&SUCCESS[4], &none);
        assert_eq!(
            (judged.state, judged.why.as_deref(), judged.distance),
            (State::Unknown, Some("no votes"), None)
        );
    }

    #[test]
    fn every_goal_is_marked_as_unverified() {
        assert!(goals().iter().all(|goal| goal.unverified));
        assert_eq!(goals().len(), 3);
    }
}
