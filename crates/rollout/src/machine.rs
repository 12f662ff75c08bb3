//! `step`: one event, a new state, and what is asked for.
//!
//! Every change of the split is a new epoch that must come back as applied before the stage's
//! clock runs. Triggers are armed in every state from the first split to the end.

mod back;
mod forward;
mod look;
mod probes;
mod read_back;
mod said;
mod tick;

use lockgate_model::clock::Now;
use lockgate_model::plan::{Action, AlertLevel};
use lockgate_model::snapshot::Split;

use crate::event::{Alert, Effect, Event};
use crate::explain::{Cause, Transition};
use crate::state::{RollbackEnd, Rollout};

pub(crate) use forward::begin;
pub(crate) use look::is_armed;

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
    let mut work = Work::on(rollout, now);
    let transition = work.take(event)?;
    Ok(work.done(transition))
}

struct Work<'a> {
    before: &'a Rollout,
    next: Rollout,
    now: Now,
    effects: Vec<Effect>,
}

impl<'a> Work<'a> {
    fn on(rollout: &'a Rollout, now: Now) -> Self {
        Self { next: rollout.clone(), before: rollout, now, effects: Vec::new() }
    }

    fn done(self, transition: Option<Transition>) -> Step {
        Step { rollout: self.next, transition, effects: self.effects }
    }

    fn take(&mut self, event: &Event) -> Result<Option<Transition>, TransitionError> {
        if self.next.phase.is_end() {
            return match event {
                Event::Command { .. } => Err(self.refuse("it has ended; `retry` starts it again")),
                Event::Gate { .. } => Err(self.refuse("it has ended; nothing waits for it")),
                _ => Ok(None),
            };
        }
        match event {
            Event::Tick { signals, observed } => Ok(self.tick(signals, *observed)),
            Event::SourceFailed { error } => Ok(self.source_failed(error)),
            Event::Applied { epoch } => Ok(self.applied(*epoch)),
            Event::Drifted { found } => Ok(self.drifted(found)),
            // The driver tries again; until then nothing is applied and no clock runs.
            Event::DriverFailed { error } => {
                self.next.driver_error = Some(error.clone());
                Ok(None)
            }
            Event::Security { detail, by, stable_shows_it, .. } => {
                Ok(self.security(detail, by, *stable_shows_it))
            }
            Event::Command { command, by, reason } => self.command(*command, by, reason),
            Event::Gate { gate, about, open, by, reason } => {
                self.gate(*gate, *about, *open, by, reason)
            }
            Event::Ahead { agent, well, detail } => Ok(self.ahead(agent, *well, detail)),
            Event::PlanChanged { plan, by } => Ok(self.plan_changed(plan, by)),
            Event::ProbesChanged { names, digest, by } => {
                Ok(self.probes_changed(names, digest.as_ref(), by))
            }
            Event::Superseded { by } => {
                let text = format!("version {by} is released in its place");
                let cause = Cause::plain("newer version", text);
                let end = RollbackEnd::Superseded;
                Ok(self.take_back(Action::Switch, end, AlertLevel::Info, vec![cause]))
            }
            // Time across a restart is not measured; nothing else changes.
            Event::Restart => {
                self.next.last_tick = None;
                Ok(None)
            }
            // Once the release has ended the fuse stays latched until it is started again.
            Event::Fuse { id, cause, security } => Ok(self.fuse(*id, cause, *security)),
        }
    }

    fn refuse(&self, why: &'static str) -> TransitionError {
        TransitionError { phase: self.before.phase.as_str(), why }
    }

    fn order_split(&mut self, split: impl Fn(&Rollout, Now) -> Option<Split>) {
        self.next.epoch = self.next.epoch.next();
        self.next.applied = false;
        self.next.driver_error = None;
        if self.next.warming_ms.is_some() {
            self.next.warm_epochs.push(self.next.epoch);
        }
        if self.next.in_test().is_some() {
            self.next.test_epochs.push(self.next.epoch);
        }
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
