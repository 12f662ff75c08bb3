//! From one stage to the next.

use std::sync::Arc;

use lockgate_model::clock::Now;
use lockgate_model::ids::AgentName;
use lockgate_model::plan::{AlertLevel, Plan, Stage, WHOLE_BP};

use super::{Step, Work};
use crate::event::Effect;
use crate::explain::{Cause, Transition};
use crate::judge::drift;
use crate::state::{Phase, Rollout};
use crate::view::span;

/// Begins a release that has only been made. It stays pending while it must wait.
pub(crate) fn begin(rollout: &Rollout, cause: Cause, now: Now) -> Step {
    let mut work = Work::on(rollout, now);
    work.next.frozen_until_wall_ms = rollout.plan.frozen_until(now.wall_ms);
    work.drift_not_read();
    let transition = match work.waits_for() {
        Some(what) => {
            let causes = vec![cause, Cause::plain("start", format!("waits for {what}"))];
            work.transition(causes, "the end of what it waits for; a person may resume it at once")
        }
        None => work.begin(vec![cause]),
    };
    work.done(transition)
}

impl Work<'_> {
    /// What keeps a pending release from beginning.
    pub(super) fn waits_for(&self) -> Option<String> {
        if !self.next.waits_for.is_empty() {
            let agents: Vec<&str> = self.next.waits_for.iter().map(AgentName::as_str).collect();
            return Some(format!("the open releases of {}", agents.join(", ")));
        }
        if self.way_back().is_some() {
            return None;
        }
        if self.next.frozen_until_wall_ms.is_some() {
            return Some("the end of the plan's freeze window".into());
        }
        self.next.drift_waits.as_ref().map(|waits| format!("news of drift: {waits}"))
    }

    /// Nothing is known of drift before the next look.
    pub(super) fn drift_not_read(&mut self) {
        let asks = self.next.plan.drift.is_some();
        self.next.drift_waits = asks.then(|| drift::NOT_READ.into());
    }

    /// Why its stages need not run again: it passed them before and was stable until lately.
    fn way_back(&self) -> Option<String> {
        let passed = self.next.passed_before?;
        let window_ms = self.next.plan.rollback_window_ms?;
        let since_ms = self.now.wall_ms.checked_sub(passed.until_wall_ms)?;
        let since_ms = u64::try_from(since_ms).ok().filter(|since_ms| *since_ms <= window_ms)?;
        Some(format!(
            "stages are skipped: it passed them in rollout {} and was stable until {} ago, within the rollback window of {}",
            passed.rollout,
            span(since_ms),
            span(window_ms),
        ))
    }

    pub(super) fn begin_if_free(&mut self) -> Option<Transition> {
        if self.waits_for().is_some() {
            return None;
        }
        self.begin(vec![Cause::plain("start", "what it waited for is over")])
    }

    pub(super) fn begin(&mut self, mut causes: Vec<Cause>) -> Option<Transition> {
        self.next.waits_for.clear();
        if let Some(why) = self.way_back() {
            self.next.stage = self.next.plan.stages.len() - 1;
            causes.push(Cause::plain("rollback window", why));
        }
        self.enter();
        if !self.next.fuses.is_empty() {
            // Whoever cut it off did not trust it: tokens of before must not come back with the traffic.
            let version = self.next.candidate.clone();
            self.effects.push(Effect::Revoke { version });
            self.effects.push(Effect::AcknowledgeFuses { ids: self.next.fuses.clone() });
        }
        self.transition(causes, "every gateway applies the split of its first stage")
    }

    /// Orders the weight of the stage that it is in now.
    fn enter(&mut self) {
        self.next.dwell_ms = 0;
        self.next.confirmed_stage = None;
        self.next.weight_bp = self.next.stage().weight_bp;
        let delayed = self.next.plan.initial_delay_ms > 0 && self.next.weight_bp > 0;
        self.next.warming_ms = delayed.then_some(0);
        self.next.phase = Phase::Confirming;
        self.order_split(|rollout, _| rollout.split_forward());
    }

    pub(super) fn advance(&mut self, mut causes: Vec<Cause>) -> Option<Transition> {
        if causes.is_empty() {
            causes.push(Cause::plain("stage", "its time is over and it has no gates"));
        }
        let changed = self.next.next_plan.take();
        let Some(stage) = next_stage(changed.as_deref(), &self.next) else {
            return self.promote(causes);
        };
        if let Some(plan) = changed {
            let text =
                format!("goes on as its plan was changed, at stage {}", plan.stages[stage].name);
            causes.push(Cause::plain("plan changed", text));
            self.next.plan = plan;
        }
        let dwell_ms = self.next.dwell_ms;
        self.next.stage = stage;
        self.enter();
        let transition = self.transition(causes, "every gateway applies the new weight")?;
        Some(Transition { dwell_ms, ..transition })
    }

    /// The delay after the weight was confirmed: when it is over, evidence begins with an epoch of
    /// its own.
    pub(super) fn warmed(&mut self, so_far_ms: u64) -> Option<Transition> {
        let delay_ms = self.next.plan.initial_delay_ms;
        if self.next.phase != Phase::Running || so_far_ms < delay_ms {
            return None;
        }
        self.next.warming_ms = None;
        self.next.phase = Phase::Confirming;
        self.order_split(|rollout, _| rollout.split_forward());
        let text =
            format!("the initial delay of {} is over: from here on it counts", span(delay_ms));
        let cause = Cause::plain("initial delay", text);
        self.transition(vec![cause], "every gateway counts under the new epoch")
    }

    pub(super) fn promote(&mut self, causes: Vec<Cause>) -> Option<Transition> {
        self.next.phase = Phase::Promoted;
        self.next.weight_bp = WHOLE_BP;
        self.next.warming_ms = None;
        self.next.ended_wall_ms = Some(self.now.wall_ms);
        self.order_split(|rollout, now| Some(rollout.split_promoted(now)));
        self.notify(AlertLevel::Info, "promoted", &causes);
        self.transition(causes, "nothing: it is stable")
    }

    /// The plan was edited. The stage under way keeps the one that it began with.
    pub(super) fn plan_changed(&mut self, plan: &Arc<Plan>, by: &str) -> Option<Transition> {
        let Rollout { plan: own, next_plan, .. } = &self.next;
        let rule = format!("plan changed by {by}");
        let known = next_plan.as_ref().unwrap_or(own) == plan;
        if known || matches!(self.next.phase, Phase::RollingBack { .. }) {
            return None;
        }
        let name = &self.next.stage().name;
        let text = if own == plan {
            self.next.next_plan = None;
            "it is what it was at the start: the release goes on with it".into()
        } else if self.next.phase == Phase::Pending {
            self.next.plan = plan.clone();
            self.drift_not_read();
            "the release has not begun: it follows the new one".into()
        } else {
            let text = match next_stage(Some(plan), &self.next) {
                Some(stage) => {
                    let next = &plan.stages[stage].name;
                    format!(
                        "takes effect at the next stage, {next}; stage {name} keeps its own, but for freeze windows"
                    )
                }
                None => format!("takes no effect: {name} is the last stage"),
            };
            self.next.next_plan = Some(plan.clone());
            text
        };
        self.look_up();
        self.transition(vec![Cause::said(by, rule, text)], "the stage under way is over")
    }

    /// A release that this one comes after has ended.
    pub(super) fn ahead(
        &mut self,
        agent: &AgentName,
        well: bool,
        detail: &str,
    ) -> Option<Transition> {
        if self.next.phase != Phase::Pending || !self.next.waits_for.contains(agent) {
            return None;
        }
        let cause = Cause::plain(format!("after {agent}"), format!("release of {agent}: {detail}"));
        if !well {
            let reason = format!("the release of {agent}, which it comes after, did not end well");
            return self.pause("plan", reason, true, vec![cause]);
        }
        self.next.waits_for.retain(|other| other != agent);
        match self.waits_for() {
            None => self.begin(vec![cause]),
            Some(what) => self.transition(vec![cause], &format!("the end of {what}")),
        }
    }
}

/// The stage after this one: by the plan under way, or in a changed one the first with more weight.
fn next_stage(changed: Option<&Plan>, rollout: &Rollout) -> Option<usize> {
    if rollout.stage + 1 == rollout.plan.stages.len() {
        return None;
    }
    let Some(plan) = changed else { return Some(rollout.stage + 1) };
    let more = |stage: &Stage| stage.weight_bp > rollout.weight_bp;
    plan.stages.iter().position(more)
}
