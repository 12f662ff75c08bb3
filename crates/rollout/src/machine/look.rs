//! Triggers and gates: what the numbers lead to.

use lockgate_model::hook::Confirm;
use lockgate_model::plan::{Action, AlertLevel, Metric, OnInsufficient, Trigger};

use super::Work;
use crate::explain::{Cause, Transition, Verdict};
use crate::judge::{self, Blame, Judgement, drift};
use crate::signals::Signals;
use crate::state::{Phase, RollbackEnd, Rollout};

/// Whether numbers can make it fire.
pub(crate) fn is_armed(trigger: &Trigger, rollout: &Rollout) -> bool {
    !trigger.dry_run
        && trigger.metric != Metric::SecurityEvents
        && judge::is_declared(trigger.metric, rollout)
}

impl Work<'_> {
    pub(super) fn triggers(&mut self, signals: &Signals) -> Option<Transition> {
        let mut fired: Vec<(&Trigger, Judgement)> = self
            .before
            .plan
            .triggers
            .iter()
            .filter(|trigger| is_armed(trigger, self.before))
            .filter(|trigger| judge::fires(trigger, self.before, signals))
            .map(|trigger| (trigger, judge::trigger(trigger, self.before, signals)))
            .collect();
        // The most severe action wins; the sort is stable, so ties keep the plan's order.
        fired.sort_by_key(|(trigger, judgement)| {
            (judgement.blame == Blame::Baseline, std::cmp::Reverse((trigger.action, trigger.alert)))
        });
        let (trigger, judgement) = fired.first()?;
        let (action, alert, blame) = (trigger.action, trigger.alert, judgement.blame);
        let causes: Vec<Cause> = fired.into_iter().map(|(_, judgement)| judgement.cause).collect();
        match blame {
            Blame::Candidate => self.take_back(action, RollbackEnd::RolledBack, alert, causes),
            Blame::Baseline => self.hold_for_baseline(causes),
        }
    }

    /// A gate that nothing can open any more: there is no use in waiting for the stage's end.
    pub(super) fn hopeless(&mut self, signals: &Signals) -> Option<Transition> {
        if matches!(self.next.phase, Phase::Paused { .. }) {
            return None;
        }
        let cause = judge::hopeless(self.before, signals)?;
        self.take_back(Action::Switch, RollbackEnd::RolledBack, AlertLevel::High, vec![cause])
    }

    /// The stable version is sick itself: taking the candidate back would not help anyone.
    fn hold_for_baseline(&mut self, causes: Vec<Cause>) -> Option<Transition> {
        if matches!(self.next.phase, Phase::Paused { .. }) {
            return None;
        }
        let reason = "the stable version fails the same bound".to_owned();
        self.pause("plan", reason, false, causes)
    }

    pub(super) fn pause(
        &mut self,
        by: &str,
        reason: String,
        overrides_gate: bool,
        causes: Vec<Cause>,
    ) -> Option<Transition> {
        self.notify(AlertLevel::Medium, "paused", &causes);
        self.next.phase = Phase::Paused { by: by.into(), reason, overrides_gate };
        self.transition(causes, "a person resumes, promotes or aborts; triggers stay armed")
    }

    /// The stage's time is over. Within a freeze window a gate may still take the release back.
    pub(super) fn gates(&mut self, signals: &Signals) -> Option<Transition> {
        let judged = judge::gates(self.before, signals);
        let of = |verdict| judged.iter().filter(move |judgement| judgement.verdict() == verdict);
        let causes = |verdict| of(verdict).map(|judgement| judgement.cause.clone()).collect();
        if let Some(first) = of(Verdict::Fail).min_by_key(|j| j.blame == Blame::Baseline) {
            let (end, causes) = (RollbackEnd::RolledBack, causes(Verdict::Fail));
            return match first.blame {
                Blame::Candidate => self.take_back(Action::Switch, end, AlertLevel::High, causes),
                Blame::Baseline => self.hold_for_baseline(causes),
            };
        }
        if self.next.frozen_until_wall_ms.is_some() {
            return None;
        }
        if of(Verdict::Insufficient).next().is_none() {
            let gate = self.before.drift_gate();
            if gate.is_some() && self.next.drift_waits.is_some() {
                return None;
            }
            let mut causes: Vec<Cause> = causes(Verdict::Pass);
            causes.extend(gate.map(|gate| drift::passes(gate, &signals.drift)));
            return self.passed(causes);
        }
        self.insufficient(causes(Verdict::Insufficient))
    }

    /// Its gates hold; someone may have to agree.
    fn passed(&mut self, mut causes: Vec<Cause>) -> Option<Transition> {
        let stage = self.next.stage();
        let Some(confirm) = stage.confirm.as_ref().filter(|_| self.next.confirmed_stage.is_none())
        else {
            return self.advance(causes);
        };
        let (who, would_change) = match confirm {
            Confirm::Person => ("a person", "a person confirms, promotes or aborts"),
            Confirm::Webhook(_) => ("its webhook", "the webhook answers 200, or a person confirms"),
        };
        let gate = format!("{who} to confirm stage {}", stage.name);
        causes.push(Cause::plain("gate confirm", format!("waits for {gate}")));
        self.notify(AlertLevel::Medium, "waits to be confirmed", &causes);
        self.next.phase = Phase::WaitingGate { gate };
        self.transition(causes, would_change)
    }

    fn insufficient(&mut self, causes: Vec<Cause>) -> Option<Transition> {
        let stage = self.next.stage();
        let over = self.next.dwell_ms >= stage.duration_ms.saturating_add(stage.extension_max_ms);
        match (over, self.next.plan.on_insufficient) {
            (false, _) if self.next.phase == Phase::Extended => None,
            (false, _) => {
                self.notify(AlertLevel::Info, "extended", &causes);
                self.next.phase = Phase::Extended;
                self.transition(causes, "enough samples within the extension")
            }
            (true, OnInsufficient::Rollback) => {
                self.take_back(Action::Switch, RollbackEnd::RolledBack, AlertLevel::Medium, causes)
            }
            (true, OnInsufficient::Pause) => {
                let reason = "a gate is still insufficient after the extension".to_owned();
                self.pause("plan", reason, true, causes)
            }
        }
    }
}
