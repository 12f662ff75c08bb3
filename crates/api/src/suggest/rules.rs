//! Triggers and gates of a plan that have a bound on numbers, each once.

use lockgate_model::config::rebound;
use lockgate_model::measure::Measure;
use lockgate_model::plan::{Bound, Gate, Judge, Metric, Plan, Trigger};
use lockgate_rollout::judge::history::Rule;
use lockgate_rollout::replay::{Place, Replayed};
use lockgate_value::suggest::BASIS;
use lockgate_value::suggest::threshold::Subject;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A rule with where it stands.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// As people call it.
    pub(super) rule: String,
    /// Of a gate: the stages that have it.
    pub(super) stages: Vec<String>,
    /// Where in the plan.
    pub(super) path: String,
    places: Vec<Place>,
    own: Own,
}

#[derive(Debug, Clone)]
enum Own {
    Gate(Gate),
    Trigger(Trigger),
}

/// All of a plan.
pub(super) fn of(plan: &Plan) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    for (index, trigger) in plan.triggers.iter().enumerate() {
        if is_number(trigger.metric, trigger.bound) && !trigger.dry_run {
            all.push(Named {
                rule: format!("trigger {}", key(trigger)),
                stages: Vec::new(),
                path: format!("triggers.{}", in_file(trigger.metric, key(trigger))),
                places: vec![Place::Trigger(index)],
                own: Own::Trigger(trigger.clone()),
            });
        }
    }
    for (at, stage) in plan.stages.iter().enumerate().filter(|(_, stage)| stage.weight_bp > 0) {
        for (index, gate) in stage.gates.iter().enumerate() {
            if !is_number(gate.metric, gate.bound) || gate.dry_run {
                continue;
            }
            let place = Place::Gate { stage: at, gate: index };
            let same = |named: &&mut Named| matches!(&named.own, Own::Gate(other) if other == gate);
            if let Some(known) = all.iter_mut().find(same) {
                known.stages.push(stage.name.clone());
                known.places.push(place);
                continue;
            }
            let name = gate.metric.as_str();
            all.push(Named {
                rule: format!("gate {name}"),
                stages: vec![stage.name.clone()],
                path: format!("gates.{}", in_file(gate.metric, name)),
                places: vec![place],
                own: Own::Gate(gate.clone()),
            });
        }
    }
    all
}

/// As files call a trigger: the two on errors are told apart.
fn key(trigger: &Trigger) -> &str {
    match (&trigger.metric, trigger.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(_)) => "errors_vs_baseline",
        (metric, _) => metric.as_str(),
    }
}

fn in_file(metric: Metric, name: &str) -> String {
    match metric {
        Metric::Measure(_) => format!("measures.{name}"),
        _ => name.to_owned(),
    }
}

fn is_number(metric: Metric, bound: Bound) -> bool {
    let counted = !matches!(metric, Metric::SecurityEvents | Metric::Health | Metric::Probes);
    counted && !matches!(bound, Bound::Equal(_))
}

impl Named {
    pub(super) fn as_rule(&self) -> Rule<'_> {
        match &self.own {
            Own::Gate(gate) => Rule::Gate(gate),
            Own::Trigger(trigger) => Rule::Trigger(trigger),
        }
    }

    pub(super) fn metric(&self) -> Metric {
        self.as_rule().metric()
    }

    pub(super) fn bound(&self) -> Bound {
        self.as_rule().bound()
    }

    pub(super) fn is_at(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    /// Whether it had a say in a replay.
    pub(super) fn was_asked(&self, replayed: &Replayed) -> bool {
        replayed.asked.iter().any(|place| self.is_at(*place))
    }

    pub(super) fn subject(&self, measures: &[Measure]) -> Subject {
        let metric = self.metric();
        let named = |measure: &&Measure| metric == Metric::Measure(measure.name);
        Subject { metric, bound: self.bound(), measure: measures.iter().find(named).copied() }
    }

    /// Samples of a window that counts, at least.
    pub(super) fn samples_min(&self) -> u64 {
        let least = if is_vote(self.metric()) { BASIS.votes_min } else { BASIS.samples_min };
        self.as_rule().min_samples().max(least)
    }

    /// How long its look-back windows are: what a threshold trigger says, else an hour, which is the finest that is kept
    /// for long. Votes are rare, and outcomes that users tell come late: a day.
    pub(super) fn window_ms(&self) -> u64 {
        match &self.own {
            Own::Trigger(trigger) if trigger.judge == Judge::Threshold => trigger.window_ms,
            _ if is_vote(self.metric()) || is_outcome(self.metric()) => DAY_MS,
            _ => HOUR_MS,
        }
    }

    /// The plan with another bound at all its places, as a file would have it.
    pub(super) fn with(&self, plan: &Plan, bound: Bound) -> Plan {
        let mut plan = plan.clone();
        for place in &self.places {
            match *place {
                Place::Trigger(index) => {
                    if let Some(trigger) = plan.triggers.get_mut(index) {
                        trigger.bound = bound;
                    }
                }
                Place::Gate { stage, gate } => {
                    let stage = plan.stages.get_mut(stage);
                    if let Some(gate) = stage.and_then(|stage| stage.gates.get_mut(gate)) {
                        *gate = rebound(gate, bound);
                    }
                }
            }
        }
        plan
    }
}

fn is_vote(metric: Metric) -> bool {
    matches!(metric, Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare)
}

fn is_outcome(metric: Metric) -> bool {
    matches!(metric, Metric::ReplacementRate | Metric::CostPerResolvedUsd)
}
