//! `step`: one event, a new state, and what is asked for.
//!
//! Every change of the split is a new epoch that must come back as applied before the stage's
//! clock runs. Triggers are armed in every state before the end.

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{AgentName, Epoch, FuseId, RolloutId, VersionName};
use lockgate_model::plan::{Action, AlertLevel, Bound, Metric, OnInsufficient, Plan, Trigger};

use crate::event::{Alert, Command, Effect, Event};
use crate::explain::{Cause, Transition, Verdict};
use crate::judge::{self, Blame, Judgement};
use crate::signals::Signals;
use crate::state::{Phase, RollbackEnd, Rollout};

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

/// A release to start.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRollout {
    /// Its id.
    pub id: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// The version to release.
    pub candidate: VersionName,
    /// The stable version; `None` for the first version of an agent.
    pub stable: Option<VersionName>,
    /// The plan to follow.
    pub plan: Plan,
    /// Whether units are sticky keys rather than requests.
    pub by_key: bool,
    /// Which latency is judged.
    pub latency: LatencyMeasure,
    /// Signals the agent produces.
    pub sources: Vec<SignalSource>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Latched fuses of the candidate from earlier releases: starting again takes them over.
    pub fuses: Vec<FuseId>,
}

/// Starts a release. The first version of an agent has nothing to be compared with and nowhere
/// else to send traffic, so it becomes stable at once.
pub fn start(new: NewRollout, now: Now) -> Step {
    let first = new.stable.is_none();
    let mut rollout = Rollout {
        id: new.id,
        agent: new.agent,
        candidate: new.candidate,
        stable: new.stable,
        plan: new.plan,
        by_key: new.by_key,
        latency: new.latency,
        sources: new.sources,
        started_by: new.by,
        reason: new.reason,
        started_wall_ms: now.wall_ms,
        ended_wall_ms: None,
        phase: Phase::Pending,
        stage: 0,
        epoch: Epoch(1),
        weight_bp: 0,
        applied: false,
        dwell_ms: 0,
        elapsed_ms: 0,
        last_tick: None,
        security_events: 0,
        fuses: new.fuses.clone(),
        revoked: false,
    };
    let mut effects = Vec::new();
    let (to, cause, next) = if first {
        effects.push(Effect::SetSplit { split: rollout.split_promoted(now) });
        rollout.stage = rollout.plan.stages.len() - 1;
        rollout.ended_wall_ms = Some(now.wall_ms);
        let text = "first version of the agent: stable at once, no stages";
        (Phase::Promoted, text, "nothing: it is stable")
    } else {
        rollout.weight_bp = rollout.stage().weight_bp;
        effects.extend(rollout.split_forward().map(|split| Effect::SetSplit { split }));
        let text = "started";
        (Phase::Confirming, text, "every gateway applies the split of the first stage")
    };
    if !new.fuses.is_empty() {
        effects.push(Effect::AcknowledgeFuses { ids: new.fuses });
    }
    rollout.phase = to;
    let cause = Cause::plain(
        format!("command start by {}", rollout.started_by),
        format!("{text}: {reason}", text = cause, reason = rollout.reason),
    );
    let transition = Transition {
        at_wall_ms: now.wall_ms,
        from: Phase::Pending.as_str().into(),
        to: rollout.phase.as_str().into(),
        stage: rollout.stage,
        weight_bp: rollout.weight_bp,
        dwell_ms: 0,
        causes: vec![cause],
        would_change: next.into(),
    };
    Step { rollout, transition: Some(transition), effects }
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
        if let Event::Fuse { id, cause, security } = event {
            return Ok(self.fuse(*id, cause, *security));
        }
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
            Event::DriverFailed { .. } | Event::Fuse { .. } => Ok(None),
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
        }
    }

    fn triggers(&mut self, signals: &Signals) -> Option<Transition> {
        let mut fired: Vec<(&Trigger, Judgement)> = self
            .before
            .plan
            .triggers
            .iter()
            .filter(|trigger| !trigger.dry_run && trigger.metric != Metric::SecurityEvents)
            .map(|trigger| (trigger, judge::trigger(trigger, self.before, signals)))
            .filter(|(_, judgement)| judgement.verdict() == Verdict::Fail)
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
        let judged = judge_gates(self.before, signals);
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
        let transition = if self.next.phase.is_end() {
            None
        } else {
            let cause = Cause::plain("fuse of a gateway", cause);
            self.take_back(action, RollbackEnd::RolledBack, AlertLevel::Highest, vec![cause])
        };
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

/// The gates of the stage under way, and the health that no weight is raised without.
pub(crate) fn judge_gates(rollout: &Rollout, signals: &Signals) -> Vec<Judgement> {
    let stage = rollout.stage();
    let asked = stage
        .gates
        .iter()
        .filter(|gate| !gate.dry_run && !waived(rollout, gate.metric, gate.absent));
    let mut judged: Vec<Judgement> =
        asked.map(|gate| judge::gate(gate, rollout, signals)).collect();
    let gated = stage.gates.iter().any(|gate| gate.metric == Metric::Health);
    if !gated && signals.candidate_healthy == Some(false) {
        let text = "the candidate's endpoint is unhealthy; its weight is not raised";
        let cause = Cause {
            metric: Some(Metric::Health),
            verdict: Some(Verdict::Insufficient),
            value: Some(0.0),
            ..Cause::plain("health", text)
        };
        judged.push(Judgement { cause, blame: Blame::Candidate });
    }
    judged
}

/// Whether a gate is left out because its signal has no source and the plan says so.
pub(crate) fn waived(
    rollout: &Rollout,
    metric: Metric,
    absent: lockgate_model::plan::Absent,
) -> bool {
    let source = match metric {
        Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare => SignalSource::Feedback,
        Metric::CostUsd => SignalSource::Cost,
        _ => return false,
    };
    absent == lockgate_model::plan::Absent::Waive && !rollout.sources.contains(&source)
}

/// Basis points as percent.
pub(crate) fn percent(weight_bp: u32) -> f64 {
    f64::from(weight_bp) / 100.0
}
