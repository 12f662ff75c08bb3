//! What users and versions said of answers.

use lockgate_model::interaction::{Outcome, Score};
use serde::{Deserialize, Serialize};

/// Feedback by score, one vote per user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Score 1.
    pub positive: u64,
    /// Score 0.
    pub neutral: u64,
    /// Score −1.
    pub negative: u64,
}

impl Feedback {
    /// Counts one vote.
    pub fn record(&mut self, score: Score) {
        match score {
            Score::Positive => self.positive += 1,
            Score::Neutral => self.neutral += 1,
            Score::Negative => self.negative += 1,
        }
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.positive += other.positive;
        self.neutral += other.neutral;
        self.negative += other.negative;
    }

    /// All votes.
    pub fn count(&self) -> u64 {
        self.positive + self.neutral + self.negative
    }

    /// Net promoter score, −100 to 100; `None` without votes.
    pub fn nps(&self) -> Option<f64> {
        let n = self.count();
        (n > 0).then(|| 100.0 * (self.positive as f64 - self.negative as f64) / n as f64)
    }
}

/// Outcomes that were reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// The user's need was met.
    pub resolved: u64,
    /// Handed to a person.
    pub escalated: u64,
    /// Neither.
    pub failed: u64,
    /// Told by users of whom enough were counted: of these nothing is known, and they are asked nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unheard: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Outcomes {
    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.resolved += other.resolved;
        self.escalated += other.escalated;
        self.failed += other.failed;
        self.unheard += other.unheard;
    }

    /// All that were reported.
    pub fn count(&self) -> u64 {
        self.resolved + self.escalated + self.failed
    }

    /// Counts one outcome.
    pub fn record(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Resolved => self.resolved += 1,
            Outcome::Escalated => self.escalated += 1,
            Outcome::Failed => self.failed += 1,
        }
    }

    /// Takes back one that was counted twice.
    pub fn take_back(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Resolved => &mut self.resolved,
            Outcome::Escalated => &mut self.escalated,
            Outcome::Failed => &mut self.failed,
        };
        *count = count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nps_without_votes_is_unknown() {
        let mut feedback = Feedback::default();
        assert_eq!(feedback.nps(), None);
        feedback.record(Score::Positive);
        feedback.record(Score::Neutral);
        assert_eq!(feedback.nps(), Some(50.0));
    }
}
