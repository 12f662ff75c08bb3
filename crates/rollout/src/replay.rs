//! A release that is over, judged once more: today's judges, with bounds that may be others, on what was seen then.
//!
//! The course of the release is as it was: its stages, weights and epochs at their times. So a replay says when each
//! trigger would have fired, and what each gate would have said when its stage was left; it does not say what users would
//! have met under another course. It looks as often as what is kept lets it: by the second for a day, then by the minute
//! and the hour.

mod again;
mod course;

use std::collections::BTreeSet;

use lockgate_model::ids::Epoch;
use lockgate_model::plan::Plan;
use lockgate_telemetry::arm::Arms;

use crate::explain::{Cause, Transition};
use crate::state::Rollout;
use again::Again;
use course::{Course, Leg};

/// What was seen of both versions under one split in a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When it begins, milliseconds since the Unix epoch.
    pub from_wall_ms: i64,
    /// When it ends.
    pub until_wall_ms: i64,
    /// Under which split.
    pub epoch: Epoch,
    /// What. Distinct users of an epoch are told once, in any one of its stretches, as nobody can add them up.
    pub arms: Arms,
}

/// A release that is over.
#[derive(Debug, Clone)]
pub struct Past {
    /// As it ended.
    pub rollout: Rollout,
    /// Its steps, from the first.
    pub steps: Vec<Transition>,
    /// What was seen, in any order.
    pub seen: Vec<Seen>,
}

/// Why a release cannot be judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayed {
    /// It goes on.
    #[error("it has not ended")]
    Open,
    /// Nothing was beside it.
    #[error("it was the first version of the agent and had no stages")]
    First,
    /// Its history does not say which split was in force when.
    #[error("its steps are not kept, or do not lead to the splits that it had")]
    Steps,
    /// Nothing to judge.
    #[error("nothing is kept of what its users met, or none met it")]
    Nothing,
}

/// Where a rule stands in the plan that is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A trigger, by its place among them.
    Trigger(usize),
    /// A gate, by its stage and its place among the stage's.
    Gate {
        /// The stage.
        stage: usize,
        /// The gate.
        gate: usize,
    },
}

/// What a rule would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Done {
    /// Taken it back.
    TakenBack,
    /// Held it, for a person or for more samples.
    Held,
}

/// That a rule would have stopped the release.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// Which.
    pub place: Place,
    /// How.
    pub done: Done,
    /// When, milliseconds since the Unix epoch: the end of the stretch that showed it.
    pub at_wall_ms: i64,
    /// Requests of users that the candidate had been given until then.
    pub exposed: u64,
    /// The judgement.
    pub cause: Cause,
}

/// A release, judged again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Looks of the triggers.
    pub looks: u64,
    /// The longest stretch between two of them.
    pub every_ms: u64,
    /// Requests of users that the candidate was given in all.
    pub exposed: u64,
    /// What would have stopped it, the first of each rule and kind, in the order of time.
    pub stopped: Vec<Stopped>,
    /// Rules that were asked at least once.
    pub asked: BTreeSet<Place>,
    /// Triggers that what is kept does not let anybody replay, and why.
    pub blind: Vec<(usize, String)>,
}

impl Replayed {
    /// The same with these rules as another replay has them.
    #[must_use]
    pub fn with(&self, other: Self, is_theirs: impl Fn(Place) -> bool) -> Self {
        let own = self.stopped.iter().filter(|stopped| !is_theirs(stopped.place)).cloned();
        let mut stopped: Vec<Stopped> = own.chain(other.stopped).collect();
        stopped.sort_by_key(|stopped| (stopped.at_wall_ms, stopped.done, stopped.place));
        let asked = &self.asked | &other.asked;
        Self { stopped, asked, ..other }
    }

    /// When it would have been taken back first, by whatever rule.
    pub fn taken_back(&self) -> Option<&Stopped> {
        self.stopped.iter().find(|stopped| stopped.done == Done::TakenBack)
    }
}

/// Judges a release once more with the triggers, gates and error budget of `plan`. Gates are those of the plan's stage with
/// the same weight.
pub fn replay(past: &Past, plan: &Plan) -> Result<Replayed, NotReplayed> {
    replay_some(past, plan, &|_| true)
}

/// The same for some of its rules. What the others do does not hang on their bounds.
pub fn replay_some(
    past: &Past,
    plan: &Plan,
    is_asked: &dyn Fn(Place) -> bool,
) -> Result<Replayed, NotReplayed> {
    let Rollout { stable, phase, ended_wall_ms, .. } = &past.rollout;
    let ended_ms = ended_wall_ms.filter(|_| phase.is_end()).ok_or(NotReplayed::Open)?;
    if stable.is_none() {
        return Err(NotReplayed::First);
    }
    let course = Course::of(&past.rollout, &past.steps).ok_or(NotReplayed::Steps)?;
    let mut seen: Vec<(&Seen, Leg)> = past
        .seen
        .iter()
        .filter(|seen| seen.from_wall_ms <= ended_ms)
        .filter_map(|seen| Some((seen, course.leg(seen.epoch).filter(Leg::meets_users)?)))
        .collect();
    seen.sort_by_key(|(seen, _)| (seen.until_wall_ms, seen.epoch, seen.from_wall_ms));
    let longest = |(seen, _): &(&Seen, Leg)| seen.until_wall_ms.abs_diff(seen.from_wall_ms);
    let every_ms = seen.iter().map(longest).max().ok_or(NotReplayed::Nothing)?;
    let mut again = Again::new(past, plan, is_asked, every_ms, ended_ms);
    for (at, (stretch, leg)) in seen.iter().enumerate() {
        again.enter(*leg);
        again.take(stretch);
        let is_last = seen.get(at + 1).is_none_or(|(next, next_leg)| {
            next.until_wall_ms > stretch.until_wall_ms || next_leg.epoch > leg.epoch
        });
        if is_last {
            again.look(stretch.until_wall_ms.min(ended_ms), &seen[..=at]);
        }
    }
    again.leave_last(&past.steps);
    again.result.stopped.sort_by_key(|stopped| (stopped.at_wall_ms, stopped.done, stopped.place));
    Ok(again.result)
}
