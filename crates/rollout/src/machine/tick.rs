//! A look at the clock, the calendar and the numbers.

use std::borrow::Cow;

use lockgate_model::plan::{Action, AlertLevel, OnInsufficient};

use super::Work;
use crate::explain::{Cause, Transition, Verdict};
use crate::judge::drift;
use crate::signals::Signals;
use crate::state::{Phase, RollbackEnd};

impl Work<'_> {
    pub(super) fn tick(&mut self, signals: &Signals, observed: bool) -> Option<Transition> {
        self.next.source_errors = 0;
        self.next.candidate_healthy = signals.candidate_healthy;
        self.look_up();
        let gate = self.next.plan.drift.as_ref();
        self.next.drift_waits =
            gate.and_then(|gate| drift::waits(gate, &signals.drift, self.now.wall_ms));
        self.clocks(observed);
        match self.next.phase {
            Phase::RollingBack { .. } => return None,
            // It has no users yet: there is nothing to measure.
            Phase::Pending => return self.begin_if_free(),
            _ => {}
        }
        let signals = self.counted(signals);
        if let Some(transition) = self.triggers(&signals) {
            return Some(transition);
        }
        if let Some(transition) = self.hopeless(&signals) {
            return Some(transition);
        }
        if let Some(transition) = self.deadline() {
            return Some(transition);
        }
        if let Some(so_far_ms) = self.next.warming_ms {
            return self.warmed(so_far_ms);
        }
        let due = matches!(self.next.phase, Phase::Running | Phase::Extended)
            && self.next.applied
            && self.next.dwell_ms >= self.next.stage().duration_ms;
        if due { self.gates(&signals) } else { None }
    }

    /// In the calendar. That of an edited plan counts at once: it judges nothing, and whoever adds or lifts
    /// a freeze means now.
    pub(super) fn look_up(&mut self) {
        let plan = self.next.next_plan.as_ref().unwrap_or(&self.next.plan);
        self.next.frozen_until_wall_ms = plan.frozen_until(self.now.wall_ms);
    }

    /// The stage's clock runs only while the weight is confirmed and someone watches. One tick
    /// adds at most two ticks' time, so that a stall or a jump ends no stage early.
    pub(super) fn clocks(&mut self, observed: bool) {
        let since_ms = self
            .next
            .last_tick
            .and_then(|last| self.now.since_ms(&last))
            .unwrap_or(0)
            .min(2 * self.next.plan.tick_ms);
        self.next.last_tick = Some(self.now);
        // Its time is over and drift alone keeps it: no extension is used up meanwhile.
        let kept = self.next.drift_gate().is_some()
            && self.next.drift_waits.is_some()
            && self.next.phase == Phase::Running
            && self.next.dwell_ms >= self.next.stage().duration_ms;
        let held = kept
            || self.next.frozen_until_wall_ms.is_some()
            || matches!(
                self.next.phase,
                Phase::Pending | Phase::Paused { .. } | Phase::WaitingGate { .. }
            );
        if !held {
            self.next.elapsed_ms += since_ms;
        }
        if observed && self.next.has_begun() {
            self.next.begin_block(self.now.wall_ms);
        }
        let runs = matches!(self.next.phase, Phase::Running | Phase::Extended);
        if kept || !(runs && self.next.applied && observed) {
            return;
        }
        if let Some(so_far_ms) = &mut self.next.warming_ms {
            *so_far_ms += since_ms;
            return;
        }
        self.next.dwell_ms += since_ms;
    }

    /// What judges may read: nothing from before an initial delay was over.
    fn counted<'s>(&self, signals: &'s Signals) -> Cow<'s, Signals> {
        self.before.counted(signals)
    }

    pub(super) fn deadline(&mut self) -> Option<Transition> {
        let deadline_ms = self.next.plan.progress_deadline_ms?;
        if self.next.elapsed_ms <= deadline_ms {
            return None;
        }
        let seconds = self.next.elapsed_ms / 1_000;
        let text = format!("not finished after {seconds} s, the plan's progress deadline");
        let cause = Cause::plain("progress deadline", text);
        let end = RollbackEnd::RolledBack;
        self.take_back(Action::Switch, end, AlertLevel::Medium, vec![cause])
    }

    /// The numbers could not be read. Unknown numbers are no verdict; too many looks at nothing
    /// are inconclusive.
    pub(super) fn source_failed(&mut self, error: &str) -> Option<Transition> {
        self.look_up();
        self.drift_not_read();
        self.clocks(false);
        match self.next.phase {
            Phase::RollingBack { .. } => return None,
            Phase::Pending => return self.begin_if_free(),
            _ => {}
        }
        self.next.source_errors = self.next.source_errors.saturating_add(1);
        if let Some(transition) = self.deadline() {
            return Some(transition);
        }
        let (errors, most) = (self.next.source_errors, self.next.plan.source_errors_max);
        if errors <= most || matches!(self.next.phase, Phase::Paused { .. }) {
            return None;
        }
        let text = format!("the numbers could not be read {errors} times in a row: {error}");
        let causes = vec![Cause {
            verdict: Some(Verdict::Insufficient),
            threshold: Some(format!("<= {most} errors in a row")),
            ..Cause::plain("source of the numbers", text)
        }];
        match self.next.plan.on_insufficient {
            OnInsufficient::Rollback => {
                let end = RollbackEnd::RolledBack;
                self.take_back(Action::Switch, end, AlertLevel::Medium, causes)
            }
            OnInsufficient::Pause => {
                self.pause("plan", "the numbers cannot be read".into(), false, causes)
            }
        }
    }
}
