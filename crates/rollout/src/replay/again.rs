//! A release on its way once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_model::ids::Epoch;
use lockgate_model::plan::{Judge, Metric, Plan, Stage, Trigger};
use lockgate_telemetry::arm::{Arms, Keys};

use super::course::Leg;
use super::{Done, Past, Place, Replayed, Seen, Stopped};
use crate::explain::{Transition, Verdict};
use crate::judge::{self, Blame, Judgement};
use crate::machine::is_armed;
use crate::signals::Signals;
use crate::state::{Phase, Rollout};
use crate::view::span;

/// Why a trigger's numbers cannot be made of what is kept; `None` when they can.
fn blind(trigger: &Trigger, rollout: &Rollout, every_ms: u64) -> Option<String> {
    if trigger.metric == Metric::Health {
        return Some("what health checks found is not kept".into());
    }
    if trigger.judge != Judge::Threshold {
        return None;
    }
    if trigger.metric == Metric::ErrorRate && rollout.by_key {
        return Some("which users had errors is kept for whole stages, and it looks back".into());
    }
    (every_ms > trigger.window_ms).then(|| {
        let (every, back) = (span(every_ms), span(trigger.window_ms));
        format!("what was seen is kept by {every} by now, and it looks back {back}")
    })
}

/// The release on its way.
pub(super) struct Again<'a> {
    at: Rollout,
    signals: Signals,
    warm: &'a [Epoch],
    /// For each stage of its own, the plan's that its gates are of.
    stages: Vec<Option<usize>>,
    leg: Option<Leg>,
    is_asked: &'a dyn Fn(Place) -> bool,
    ended_ms: i64,
    pub(super) result: Replayed,
}

impl<'a> Again<'a> {
    pub(super) fn new(
        past: &'a Past,
        plan: &Plan,
        is_asked: &'a dyn Fn(Place) -> bool,
        every_ms: u64,
        ended_ms: i64,
    ) -> Self {
        let own = &past.rollout.plan;
        let like = |stage: &Stage| {
            let same = |other: &Stage| {
                other.weight_bp == stage.weight_bp && other.environment == stage.environment
            };
            plan.stages.iter().position(same)
        };
        let stages: Vec<Option<usize>> = own.stages.iter().map(like).collect();
        let mut replayed =
            Plan { triggers: plan.triggers.clone(), alpha: plan.alpha, ..Plan::clone(own) };
        for (stage, of_plan) in replayed.stages.iter_mut().zip(&stages) {
            stage.gates = of_plan.map(|at| plan.stages[at].gates.clone()).unwrap_or_default();
        }
        let armed = |(index, trigger): (usize, &Trigger)| {
            blind(trigger, &past.rollout, every_ms).map(|why| (index, why))
        };
        let blind = replayed.triggers.iter().enumerate().filter_map(armed).collect();
        let at = Rollout {
            plan: Arc::new(replayed),
            phase: Phase::Running,
            epoch: Epoch::default(),
            applied: true,
            block: None,
            warming_ms: None,
            warm_epochs: Vec::new(),
            ..past.rollout.clone()
        };
        let result = Replayed {
            looks: 0,
            every_ms,
            exposed: 0,
            stopped: Vec::new(),
            asked: BTreeSet::new(),
            blind,
        };
        let warm = &past.rollout.warm_epochs;
        Self {
            at,
            signals: Signals::default(),
            warm,
            stages,
            leg: None,
            is_asked,
            ended_ms,
            result,
        }
    }

    /// Goes on to another split. Stages that are left on the way are asked about their gates.
    pub(super) fn enter(&mut self, leg: Leg) {
        if let Some(before) = self.leg.filter(|before| leg.stage > before.stage) {
            self.gates(before.left_wall_ms.unwrap_or(leg.entered_wall_ms));
        }
        if self.leg.is_none_or(|before| leg.epoch > before.epoch) {
            self.leg = Some(leg);
            self.at.epoch = leg.epoch;
            self.at.stage = leg.stage;
            self.at.weight_bp = leg.weight_bp;
        }
    }

    pub(super) fn take(&mut self, stretch: &Seen) {
        self.result.exposed += stretch.arms.candidate.assigned;
        if self.warm.contains(&stretch.epoch) {
            return;
        }
        add(self.signals.evidence.entry(stretch.epoch).or_default(), &stretch.arms);
        if self.at.block.is_some() {
            add(&mut self.signals.block, &without_users(&stretch.arms));
        }
    }

    /// All triggers, as at any moment of a release.
    pub(super) fn look(&mut self, now_ms: i64, seen: &[(&Seen, Leg)]) {
        if self.leg.is_some_and(|leg| self.warm.contains(&leg.epoch)) {
            return;
        }
        self.result.looks += 1;
        self.signals.recent = self.recent(now_ms, seen);
        let plan = Arc::clone(&self.at.plan);
        for (index, trigger) in plan.triggers.iter().enumerate() {
            let place = Place::Trigger(index);
            let is_blind = self.result.blind.iter().any(|(blind, _)| *blind == index);
            let is_meant = (self.is_asked)(place) && !is_blind && !self.is_known(place);
            if !is_meant || !is_armed(trigger, &self.at) {
                continue;
            }
            self.result.asked.insert(place);
            if !judge::fires(trigger, &self.at, &self.signals) {
                continue;
            }
            let judgement = judge::trigger(trigger, &self.at, &self.signals);
            let done = match judgement.blame {
                Blame::Candidate => Done::TakenBack,
                Blame::Baseline => Done::Held,
            };
            self.note(place, done, now_ms, judgement);
        }
        let block = self.at.block;
        self.at.begin_block(now_ms);
        if self.at.block != block {
            self.signals.block = Arms::default();
        }
    }

    /// Sums over the look-back windows of the plan.
    fn recent(&self, now_ms: i64, seen: &[(&Seen, Leg)]) -> BTreeMap<u64, Arms> {
        let sum = |length_ms: u64| {
            let after = now_ms.saturating_sub_unsigned(length_ms);
            let within = seen.iter().rev().filter(|(seen, _)| seen.until_wall_ms > after);
            let counted = within.filter(|(seen, _)| !self.warm.contains(&seen.epoch));
            counted.fold(Arms::default(), |mut sum, (seen, _)| {
                add(&mut sum, &without_users(&seen.arms));
                sum
            })
        };
        self.at.plan.windows_ms().into_iter().map(|length| (length, sum(length))).collect()
    }

    /// The gates of the stage that it is in, when it was left.
    fn gates(&mut self, at_ms: i64) {
        let Some(of_plan) = self.stages.get(self.at.stage).copied().flatten() else { return };
        let stage = self.at.stage().clone();
        for (index, gate) in stage.gates.iter().enumerate() {
            let counted =
                !matches!(gate.metric, Metric::Health | Metric::Probes | Metric::SecurityEvents);
            let place = Place::Gate { stage: of_plan, gate: index };
            let is_meant = (self.is_asked)(place) && !gate.dry_run && counted;
            if !is_meant || judge::waived(&self.at, gate) {
                continue;
            }
            self.result.asked.insert(place);
            let judgement = judge::gate(gate, &self.at, &self.signals);
            let done = match (judgement.verdict(), judgement.blame) {
                (Verdict::Pass, _) => continue,
                (Verdict::Fail, Blame::Candidate) => Done::TakenBack,
                (Verdict::Fail, Blame::Baseline) | (Verdict::Insufficient, _) => Done::Held,
            };
            self.note(place, done, at_ms, judgement);
        }
    }

    /// The stage that it ended in was left when it was promoted, or when a gate took it back.
    pub(super) fn leave_last(&mut self, steps: &[Transition]) {
        let ends = |step: &&Transition| step.to == "rolling_back" || step.to == "promoted";
        let rule = |step: &Transition| step.causes.first().map(|cause| cause.rule.clone());
        let was_asked = |step: &&Transition| {
            let rule = rule(step).unwrap_or_default();
            rule.starts_with("gate ") || step.to == "promoted" && !rule.starts_with("command ")
        };
        let Some(last) = steps.iter().rev().find(ends).filter(was_asked) else { return };
        self.gates(last.at_wall_ms.min(self.ended_ms));
    }

    fn is_known(&self, place: Place) -> bool {
        let known = |stopped: &Stopped| stopped.place == place && stopped.done == Done::TakenBack;
        self.result.stopped.iter().any(known)
    }

    fn note(&mut self, place: Place, done: Done, at_wall_ms: i64, judgement: Judgement) {
        let known = |stopped: &Stopped| stopped.place == place && stopped.done == done;
        if !self.result.stopped.iter().any(known) {
            let (exposed, cause) = (self.result.exposed, judgement.cause);
            self.result.stopped.push(Stopped { place, done, at_wall_ms, exposed, cause });
        }
    }
}

fn add(sum: &mut Arms, seen: &Arms) {
    sum.candidate.merge(&seen.candidate);
    sum.stable.merge(&seen.stable);
}

/// Users are told once for an epoch: they are of no stretch of it.
fn without_users(arms: &Arms) -> Arms {
    let mut arms = arms.clone();
    (arms.candidate.keys, arms.stable.keys) = (Keys::default(), Keys::default());
    arms
}
