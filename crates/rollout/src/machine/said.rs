//! What people say, and gates that are opened from outside.

use lockgate_model::plan::{Action, AlertLevel};

use super::{TransitionError, Work};
use crate::event::{About, Command, OutsideGate};
use crate::explain::{Cause, Transition};
use crate::state::{Phase, RollbackEnd};

type Said = Result<Option<Transition>, TransitionError>;

const SICK: &str = "the candidate is unhealthy, and its weight is not raised; abort it, or wait";

impl Work<'_> {
    pub(super) fn command(&mut self, command: Command, by: &str, reason: &str) -> Said {
        if matches!(self.next.phase, Phase::RollingBack { .. }) {
            return Err(self.refuse("wait for its end; `retry` then starts it again"));
        }
        let name = match command {
            Command::Pause => "pause",
            Command::Resume => "resume",
            Command::Promote => "promote",
            Command::Abort => "abort",
        };
        let cause = Cause::said(by, format!("command {name} by {by}"), reason);
        match command {
            Command::Pause if matches!(self.next.phase, Phase::Paused { .. }) => {
                Err(self.refuse("it is held already"))
            }
            Command::Pause => Ok(self.pause(by, reason.to_owned(), false, vec![cause])),
            Command::Resume => self.resume(by, cause),
            Command::Promote if self.is_sick() => Err(self.refuse(SICK)),
            Command::Promote => {
                self.next.overridden_by = Some(by.to_owned());
                Ok(self.promote(vec![cause]))
            }
            Command::Abort => {
                let (action, end) = (Action::Switch, RollbackEnd::Aborted);
                Ok(self.take_back(action, end, AlertLevel::Medium, vec![cause]))
            }
        }
    }

    fn resume(&mut self, by: &str, cause: Cause) -> Said {
        let overrides_gate = match self.next.phase {
            Phase::Paused { overrides_gate, .. } => overrides_gate,
            // A person need not wait for what comes first.
            Phase::Pending => true,
            _ => return Err(self.refuse("only a paused rollout can be resumed")),
        };
        if !self.next.has_begun() {
            return Ok(self.resume_pending(cause, overrides_gate));
        }
        self.next.source_errors = 0;
        if overrides_gate {
            if self.is_sick() {
                return Err(self.refuse(SICK));
            }
            if self.next.frozen_until_wall_ms.is_some() {
                return Err(self.refuse(
                    "a gate is open and a freeze window too; resume when it is over, or promote",
                ));
            }
            self.next.overridden_by = Some(by.to_owned());
            return Ok(self.advance(vec![cause]));
        }
        // What went by since the last tick was on hold.
        self.clocks(false);
        self.next.phase = if self.next.applied { Phase::Running } else { Phase::Confirming };
        Ok(self.transition(vec![cause], "the stage's time is over and its gates pass"))
    }

    fn is_sick(&self) -> bool {
        self.next.candidate_healthy == Some(false)
    }

    fn resume_pending(&mut self, cause: Cause, overrides: bool) -> Option<Transition> {
        match self.waits_for().filter(|_| !overrides) {
            None => self.begin(vec![cause]),
            Some(what) => {
                self.next.phase = Phase::Pending;
                let would_change = format!("the end of what it waits for: {what}");
                self.transition(vec![cause], &would_change)
            }
        }
    }

    /// Gates are judged once more after a confirmation: waiting may have taken days. To take back is
    /// about the release, and never too late; to confirm is about one stage.
    pub(super) fn gate(
        &mut self,
        gate: OutsideGate,
        about: Option<About>,
        open: bool,
        by: &str,
        reason: &str,
    ) -> Said {
        let rolling_back = matches!(self.next.phase, Phase::RollingBack { .. });
        match gate {
            OutsideGate::Rollback if open && !rolling_back => {
                let cause = Cause::said(by, format!("rollback gate opened by {by}"), reason);
                let end = RollbackEnd::RolledBack;
                Ok(self.take_back(Action::Switch, end, AlertLevel::High, vec![cause]))
            }
            OutsideGate::Rollback => Ok(None),
            OutsideGate::Confirm => {
                if !matches!(self.next.phase, Phase::WaitingGate { .. }) {
                    return Err(self.refuse("no stage of it waits to be confirmed"));
                }
                if about.is_some_and(|about| about != self.next.about()) {
                    return Err(self.refuse("the answer is about what is over; it is asked again"));
                }
                if !open {
                    return Ok(None);
                }
                self.clocks(false);
                self.next.confirmed_stage = Some(self.next.stage);
                self.next.phase = Phase::Running;
                let stage = &self.next.stage().name;
                let rule = format!("gate confirm of stage {stage} opened by {by}");
                let would_change = "its gates still pass";
                Ok(self.transition(vec![Cause::said(by, rule, reason)], would_change))
            }
        }
    }
}
