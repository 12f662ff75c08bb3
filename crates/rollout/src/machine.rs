//! `step`: one event, a new state, and what is asked for.
//!
//! Every change of the split is a new epoch that must come back as applied before the stage's
//! clock runs. Triggers are armed in every state before the end.

use lockgate_model::clock::Now;
use lockgate_model::ids::{Epoch, FuseId};
use lockgate_model::plan::{Action, AlertLevel, Bound, Metric, OnInsufficient, Trigger, WHOLE_BP};

use crate::event::{Alert, Command, Effect, Event};
use crate::explain::{Cause, Transition, Verdict};
use crate::judge::{self, Blame, Judgement};
use crate::signals::Signals;
use crate::state::{Block, Phase, RollbackEnd, Rollout};

/// What a step leads to. Without a transition the state may still have changed (clocks).
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The state after.
    pub rollout: Rollout,
    /// What happened, when the phase, stage or weight changed.
    pub transition: Option<Transition>,
    /// What is asked for, in order.
    pub effects: Vec<Effect>,
}

/// Why an event cannot be taken now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rollout is {phase}: {why}")]
pub struct TransitionError {
    /// The phase it is in.
    pub phase: &'static str,
    /// Why that does not allow it, and what would.
    pub why: &'static str,
}

/// Takes one event.
pub fn step(rollout: &Rollout, event: &Event, now: Now) -> Result<Step, TransitionError> {
    let mut work = Work { next: rollout.clone(), before: rollout, now, effects: Vec::new() };
    let transition = work.take(event)?;
    Ok(Step { rollout: work.next, transition, effects: work.effects })
}

struct Work<'a> {
    before: &'a Rollout,
    next: Rollout,
    now: Now,
    effects: Vec<Effect>,
}

impl Work<'_> {
    fn take(&mut self, event: &Event) -> Result<Option<Transition>, TransitionError> {
        if self.next.phase.is_end() {
            return match event {
                Event::Command { .. } => Err(self.refuse("it has ended; `retry` starts it again")),
                _ => Ok(None),
            };
        }
        match event {
            Event::Tick { signals, observed } => Ok(self.tick(signals, *observed)),
            Event::Applied { epoch } => Ok(self.applied(*epoch)),
            Event::Security { detail, stable_shows_it, .. } => {
                Ok(self.security(detail, *stable_shows_it))
            }
            Event::Command { command, by, reason } => self.command(*command, by, reason),
            Event::Superseded { by } => {
                let text = format!("version {by} is released in its place");
                let cause = Cause::plain("newer version", text);
                Ok(self.take_back(
                    Action::Switch,
                    RollbackEnd::Superseded,
                    AlertLevel::Info,
                    vec![cause],
                ))
            }
            // Time across a restart is not measured; nothing else changes.
            Event::Restart => {
                self.next.last_tick = None;
                Ok(None)
            }
            // The driver tries again; until then nothing is applied and no clock runs.
            Event::DriverFailed { .. } => Ok(None),
            // Once the release has ended the fuse stays latched until it is started again.
            Event::Fuse { id, cause, security } => Ok(self.fuse(*id, cause, *security)),
        }
    }

    fn refuse(&self, why: &'static str) -> TransitionError {
        TransitionError { phase: self.before.phase.as_str(), why }
    }

    fn tick(&mut self, signals: &Signals, observed: bool) -> Option<Transition> {
        self.clocks(observed);
        if matches!(self.next.phase, Phase::RollingBack { .. }) {
            return None;
        }
        if let Some(transition) = self.triggers(signals) {
            return Some(transition);
        }
        let deadline = self.next.plan.progress_deadline_ms;
        if deadline.is_some_and(|deadline_ms| self.next.elapsed_ms > deadline_ms) {
            let text = format!(
                "not finished after {} s, the plan's progress deadline",
                self.next.elapsed_ms / 1_000
            );
            let cause = Cause::plain("progress deadline", text);
            return self.take_back(
                Action::Switch,
                RollbackEnd::RolledBack,
                AlertLevel::Medium,
                vec![cause],
            );
        }
        let due = matches!(self.next.phase, Phase::Running | Phase::Extended)
            && self.next.applied
            && self.next.dwell_ms >= self.next.stage().duration_ms;
        if due { self.gates(signals) } else { None }
    }

    /// The stage's clock runs only while the weight is confirmed and someone watches. One tick
    /// adds at most two ticks' time, so that a stall or a jump ends no stage early.
    fn clocks(&mut self, observed: bool) {
        let since_ms = self
            .next
            .last_tick
            .and_then(|last| self.now.since_ms(&last))
            .unwrap_or(0)
            .min(2 * self.next.plan.tick_ms);
        self.next.last_tick = Some(self.now);
        let held = matches!(self.next.phase, Phase::Paused { .. } | Phase::WaitingGate { .. });
        if !held {
            self.next.elapsed_ms += since_ms;
        }
        let runs = matches!(self.next.phase, Phase::Running | Phase::Extended);
        if runs && self.next.applied && observed {
            self.next.dwell_ms += since_ms;
            self.begin_block();
        }
    }

    /// Begins a block of evidence when the last one is over or of another epoch.
    fn begin_block(&mut self) {
        let Rollout { epoch, dwell_ms, block, .. } = &mut self.next;
        let goes_on = block.is_some_and(|block| {
            block.epoch == *epoch
                && dwell_ms.saturating_sub(block.since_dwell_ms) < self.before.plan.block_ms()
        });
        if !goes_on {
            let (since_wall_ms, since_dwell_ms) = (self.now.wall_ms, *dwell_ms);
            *block = Some(Block { epoch: *epoch, since_wall_ms, since_dwell_ms });
        }
    }

    fn triggers(&mut self, signals: &Signals) -> Option<Transition> {
        let mut fired: Vec<(&Trigger, Judgement)> = self
            .before
            .plan
            .triggers
            .iter()
            .filter(|trigger| !trigger.dry_run && trigger.metric != Metric::SecurityEvents)
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

    /// The stable version is sick itself: taking the candidate back would not help anyone.
    fn hold_for_baseline(&mut self, causes: Vec<Cause>) -> Option<Transition> {
        if matches!(self.next.phase, Phase::Paused { .. }) {
            return None;
        }
        let reason = "the stable version fails the same bound".to_owned();
        self.pause("plan", reason, false, causes)
    }

    fn pause(
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

    fn gates(&mut self, signals: &Signals) -> Option<Transition> {
        let judged = judge::gates(self.before, signals);
        let of = |verdict| judged.iter().filter(move |judgement| judgement.verdict() == verdict);
        let causes = |verdict| of(verdict).map(|judgement| judgement.cause.clone()).collect();
        if let Some(first) = of(Verdict::Fail).min_by_key(|j| j.blame == Blame::Baseline) {
            return match first.blame {
                Blame::Candidate => self.take_back(
                    Action::Switch,
                    RollbackEnd::RolledBack,
                    AlertLevel::High,
                    causes(Verdict::Fail),
                ),
                Blame::Baseline => self.hold_for_baseline(causes(Verdict::Fail)),
            };
        }
        if of(Verdict::Insufficient).next().is_none() {
            return self.advance(causes(Verdict::Pass));
        }
        self.insufficient(causes(Verdict::Insufficient))
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

    fn advance(&mut self, mut causes: Vec<Cause>) -> Option<Transition> {
        if causes.is_empty() {
            causes.push(Cause::plain("stage", "its time is over and it has no gates"));
        }
        if self.next.stage + 1 == self.next.plan.stages.len() {
            return self.promote(causes);
        }
        let dwell_ms = self.next.dwell_ms;
        self.next.stage += 1;
        self.next.dwell_ms = 0;
        self.next.weight_bp = self.next.stage().weight_bp;
        self.next.phase = Phase::Confirming;
        self.order_split(|rollout, _| rollout.split_forward());
        let transition = self.transition(causes, "every gateway applies the new weight")?;
        Some(Transition { dwell_ms, ..transition })
    }

    fn promote(&mut self, causes: Vec<Cause>) -> Option<Transition> {
        self.next.phase = Phase::Promoted;
        self.next.weight_bp = WHOLE_BP;
        self.next.ended_wall_ms = Some(self.now.wall_ms);
        self.order_split(|rollout, now| Some(rollout.split_promoted(now)));
        self.notify(AlertLevel::Info, "promoted", &causes);
        self.transition(causes, "nothing: it is stable")
    }

    /// Weight 0, in the way the action says. A rollback under way only becomes more severe.
    fn take_back(
        &mut self,
        action: Action,
        end: RollbackEnd,
        alert: AlertLevel,
        causes: Vec<Cause>,
    ) -> Option<Transition> {
        if let Phase::RollingBack { action: under_way, .. } = self.next.phase
            && under_way >= action
        {
            return None;
        }
        self.next.phase = Phase::RollingBack { action, end };
        self.next.taken_back_because = causes.first().map(|cause| cause.text.clone());
        self.next.weight_bp = 0;
        self.order_split(|rollout, now| rollout.split_back(action, now));
        if action == Action::StopImmediately {
            self.next.revoked = true;
            let version = self.next.candidate.clone();
            self.effects.push(Effect::Revoke { version });
        }
        self.notify(alert, &format!("rolled back ({action})"), &causes);
        self.transition(causes, "every gateway applies weight 0")
    }

    fn applied(&mut self, epoch: Epoch) -> Option<Transition> {
        if epoch != self.next.epoch || self.next.applied {
            return None;
        }
        // What went by since the last tick was under a weight that nobody had confirmed.
        self.clocks(false);
        self.next.applied = true;
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

    fn security(&mut self, detail: &str, stable_shows_it: Option<bool>) -> Option<Transition> {
        self.next.security_events += 1;
        let trigger = self
            .before
            .plan
            .triggers
            .iter()
            .find(|trigger| trigger.metric == Metric::SecurityEvents && !trigger.dry_run)?;
        let excess_only = matches!(trigger.bound, Bound::AboveBaselineBy(_));
        if excess_only && stable_shows_it == Some(true) {
            return None;
        }
        let cause = Cause {
            metric: Some(Metric::SecurityEvents),
            verdict: Some(Verdict::Fail),
            value: Some(self.next.security_events as f64),
            threshold: Some(trigger.bound.to_string()),
            ..Cause::plain("trigger security_events", detail)
        };
        self.take_back(trigger.action, RollbackEnd::RolledBack, trigger.alert, vec![cause])
    }

    /// The gateway has already cut the version off; the release follows, then the fuse may yield.
    fn fuse(&mut self, id: FuseId, cause: &str, security: bool) -> Option<Transition> {
        if self.next.fuses.contains(&id) {
            return None;
        }
        self.next.fuses.push(id);
        let action = if security { Action::StopImmediately } else { Action::Stop };
        let cause = Cause::plain("fuse of a gateway", cause);
        let end = RollbackEnd::RolledBack;
        let transition = self.take_back(action, end, AlertLevel::Highest, vec![cause]);
        self.effects.push(Effect::AcknowledgeFuses { ids: vec![id] });
        transition
    }

    fn command(
        &mut self,
        command: Command,
        by: &str,
        reason: &str,
    ) -> Result<Option<Transition>, TransitionError> {
        if matches!(self.next.phase, Phase::RollingBack { .. }) {
            return Err(self.refuse("wait for its end; `retry` then starts it again"));
        }
        let name = match command {
            Command::Pause => "pause",
            Command::Resume => "resume",
            Command::Promote => "promote",
            Command::Abort => "abort",
        };
        let cause = Cause::plain(format!("command {name} by {by}"), reason);
        match command {
            Command::Pause if matches!(self.next.phase, Phase::Paused { .. }) => {
                Err(self.refuse("it is held already"))
            }
            Command::Pause => Ok(self.pause(by, reason.to_owned(), false, vec![cause])),
            Command::Resume => self.resume(cause),
            Command::Promote => Ok(self.promote(vec![cause])),
            Command::Abort => {
                let (action, end) = (Action::Switch, RollbackEnd::Aborted);
                Ok(self.take_back(action, end, AlertLevel::Medium, vec![cause]))
            }
        }
    }

    fn resume(&mut self, cause: Cause) -> Result<Option<Transition>, TransitionError> {
        let Phase::Paused { overrides_gate, .. } = self.next.phase else {
            return Err(self.refuse("only a paused rollout can be resumed"));
        };
        if overrides_gate {
            return Ok(self.advance(vec![cause]));
        }
        // What went by since the last tick was on hold.
        self.clocks(false);
        self.next.phase = if self.next.applied { Phase::Running } else { Phase::Confirming };
        Ok(self.transition(vec![cause], "the stage's time is over and its gates pass"))
    }

    fn order_split(
        &mut self,
        split: impl Fn(&Rollout, Now) -> Option<lockgate_model::snapshot::Split>,
    ) {
        self.next.epoch = self.next.epoch.next();
        self.next.applied = false;
        let ordered = split(&self.next, self.now);
        self.effects.extend(ordered.map(|split| Effect::SetSplit { split }));
    }

    fn notify(&mut self, level: AlertLevel, what: &str, causes: &[Cause]) {
        let Rollout { agent, candidate, .. } = &self.next;
        let text: Vec<&str> = causes.iter().map(|cause| cause.text.as_str()).collect();
        let title = format!("{agent}: version {candidate} {what}");
        let alert = Alert { level, title, text: text.join("; ") };
        self.effects.push(Effect::Notify { alert });
    }

    #[expect(clippy::unnecessary_wraps, reason = "every caller returns it as the step's outcome")]
    fn transition(&self, causes: Vec<Cause>, would_change: &str) -> Option<Transition> {
        Some(Transition {
            at_wall_ms: self.now.wall_ms,
            from: self.before.phase.as_str().into(),
            to: self.next.phase.as_str().into(),
            stage: self.next.stage,
            weight_bp: self.next.weight_bp,
            dwell_ms: self.before.dwell_ms.max(self.next.dwell_ms),
            causes,
            would_change: would_change.into(),
        })
    }
}

/// Basis points as percent.
pub(crate) fn percent(weight_bp: u32) -> f64 {
    f64::from(weight_bp) / 100.0
}
