//! What a rule's metric was over some requests of one version, read as its judge reads it.

use lockgate_model::plan::{Bound, Gate, Metric, Trigger};
use lockgate_telemetry::arm::{Arm, Arms};

use super::Question;
use super::population::Population;
use super::reading::{Reading, inside};
use crate::signals::Signals;
use crate::state::Rollout;

/// A gate or a trigger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule<'p> {
    /// Names the good side.
    Gate(&'p Gate),
    /// Names the bad side.
    Trigger(&'p Trigger),
}

impl Rule<'_> {
    /// What is measured.
    pub fn metric(self) -> Metric {
        match self {
            Self::Gate(gate) => gate.metric,
            Self::Trigger(trigger) => trigger.metric,
        }
    }

    /// What it is compared with.
    pub fn bound(self) -> Bound {
        match self {
            Self::Gate(gate) => gate.bound,
            Self::Trigger(trigger) => trigger.bound,
        }
    }

    /// Fewest samples for a verdict.
    pub fn min_samples(self) -> u64 {
        match self {
            Self::Gate(gate) => gate.min_samples,
            Self::Trigger(trigger) => trigger.min_samples,
        }
    }
}

/// Samples and value of one population of requests.
pub type Sampled = (u64, f64);

/// The metric of `rule` over what was seen of one version: for each population that is judged apart and has at least
/// `samples_min`. `of` says how the agent is judged: by users or requests, by which latency, which measures it has.
pub fn readings(rule: Rule<'_>, of: &Rollout, arm: &Arm, samples_min: u64) -> Vec<Sampled> {
    let question = |population| question(rule, of, population);
    let reading = |population: &Population| Reading::of_arm(&question(*population), arm);
    let populations = Population::of(rule.metric(), of, &Signals::default());
    let known = |reading: Reading| Some((reading.n, reading.enough(samples_min)?));
    populations.iter().map(reading).filter_map(known).collect()
}

/// By how large a part of the stable version's the candidate's metric was larger, seen at the same time: 0.2 is 20 %
/// more. For each population in which both have at least `samples_min`, and the stable version something to compare with.
pub fn excesses(rule: Rule<'_>, of: &Rollout, arms: &Arms, samples_min: u64) -> Vec<Sampled> {
    let excess = |population: &Population| {
        let question = question(rule, of, *population);
        let candidate = Reading::of_arm(&question, &arms.candidate);
        let stable = Reading::of_stable(&question, &arms.stable);
        let [value, base] = [candidate.enough(samples_min)?, stable.enough(samples_min)?];
        // What cannot be compared for the judge is no reading here.
        inside(rule.bound(), value, Some(base))?;
        let excess = if base > 0.0 { value / base - 1.0 } else { 0.0 };
        Some((candidate.n.min(stable.n), excess))
    };
    Population::of(rule.metric(), of, &Signals::default()).iter().filter_map(excess).collect()
}

fn question<'p>(rule: Rule<'p>, of: &Rollout, population: Population) -> Question<'p> {
    match rule {
        Rule::Gate(gate) => Question::of_gate(gate, population, of),
        Rule::Trigger(trigger) => Question::of_trigger(trigger, population, of),
    }
}
