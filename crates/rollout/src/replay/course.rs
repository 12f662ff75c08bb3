//! Which split was in force when, from the steps of a release.

use lockgate_model::ids::Epoch;

use crate::explain::Transition;
use crate::state::{Phase, Rollout};

/// One split of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) epoch: Epoch,
    pub(super) stage: usize,
    pub(super) weight_bp: u32,
    pub(super) entered_wall_ms: i64,
    /// When the next one was ordered.
    pub(super) left_wall_ms: Option<i64>,
    is_back: bool,
    is_test: bool,
}

impl Leg {
    /// Whether users meet the candidate in it, and judges look.
    pub(super) fn meets_users(&self) -> bool {
        self.weight_bp > 0 && !self.is_back && !self.is_test
    }
}

/// All splits of a release, in order.
pub(super) struct Course(Vec<Leg>);

impl Course {
    /// `None` when the steps are not all there: they must lead to as many splits as the release had.
    pub(super) fn of(rollout: &Rollout, steps: &[Transition]) -> Option<Self> {
        let mut legs: Vec<Leg> = Vec::new();
        let mut epoch = Epoch::default();
        for step in steps.iter().filter(|step| orders_split(step)) {
            if let Some(last) = legs.last_mut() {
                last.left_wall_ms = Some(step.at_wall_ms);
            }
            epoch = epoch.next();
            legs.push(Leg {
                epoch,
                stage: step.stage,
                weight_bp: step.weight_bp,
                entered_wall_ms: step.at_wall_ms,
                left_wall_ms: None,
                is_back: step.to == ROLLING_BACK || step.to == Phase::Promoted.as_str(),
                is_test: rollout.test_epochs.contains(&epoch),
            });
        }
        (epoch == rollout.epoch && !legs.is_empty()).then_some(Self(legs))
    }

    pub(super) fn leg(&self, epoch: Epoch) -> Option<Leg> {
        self.0.iter().find(|leg| leg.epoch == epoch).copied()
    }
}

/// How history calls the phase.
const ROLLING_BACK: &str = "rolling_back";

/// Whether a step ordered a split: it then waits for gateways to apply it, or nothing follows. That this finds all of them
/// is checked against the number that the release had.
fn orders_split(step: &Transition) -> bool {
    let waits = step.would_change.starts_with("every gateway ");
    step.to == Phase::Promoted.as_str() || waits && step.to != Phase::Pending.as_str()
}
