//! What the driver reads back: that a split is in force, or that another one is.

use lockgate_model::ids::Epoch;
use lockgate_model::plan::AlertLevel;

use super::{Work, percent};
use crate::explain::{Cause, Transition};
use crate::state::{Phase, RollbackEnd};

impl Work<'_> {
    pub(super) fn applied(&mut self, epoch: Epoch) -> Option<Transition> {
        if epoch != self.next.epoch || self.next.applied {
            return None;
        }
        // What went by since the last tick was under a weight that nobody had confirmed.
        self.clocks(false);
        self.next.applied = true;
        self.next.driver_error = None;
        let weight = format!("every gateway reports {} % applied", percent(self.next.weight_bp));
        let cause = Cause::plain("read-back", weight);
        match self.next.phase {
            Phase::Confirming => {
                self.next.phase = Phase::Running;
                self.transition(vec![cause], "the stage's time is over and its gates pass")
            }
            Phase::RollingBack { end, .. } => {
                self.next.phase = match end {
                    RollbackEnd::RolledBack => Phase::RolledBack,
                    RollbackEnd::Aborted => Phase::Aborted,
                    RollbackEnd::Superseded => Phase::Superseded,
                };
                self.next.ended_wall_ms = Some(self.now.wall_ms);
                self.transition(vec![cause], "nothing: `retry` starts it again")
            }
            _ => None,
        }
    }

    /// Something else is in force than what was written: it is written again, under an epoch of
    /// its own, and nobody counts on it before it is read back.
    pub(super) fn drifted(&mut self, found: &str) -> Option<Transition> {
        if !self.next.has_begun() {
            return None;
        }
        self.clocks(false);
        let weight = percent(self.next.weight_bp);
        let text = format!("{weight} % was written and {found} is read back: written again");
        let causes = vec![Cause::plain("read-back differs", text)];
        if let Phase::RollingBack { action, .. } = self.next.phase {
            self.order_split(|rollout, now| rollout.split_back(action, now));
        } else {
            self.order_split(|rollout, _| rollout.split_forward());
        }
        if matches!(self.next.phase, Phase::Running | Phase::Extended | Phase::WaitingGate { .. }) {
            self.next.phase = Phase::Confirming;
        }
        self.notify(AlertLevel::Medium, "has a weight that was changed from outside", &causes);
        self.transition(causes, "every gateway applies what was written")
    }
}
