//! Verdicts on gates and triggers from what was seen.
//!
//! Two judges take the same seat, chosen for each gate and trigger. The statistical one may be read
//! at any moment and bounds how often it is wrong over the whole release; the threshold one sets
//! an estimate beside its bound. Health and security events need neither.

mod alpha;
mod coverage;
pub(crate) mod drift;
pub mod history;
mod means;
mod population;
mod probes;
mod reading;
mod resolved;
mod statistical;
mod suspicion;
mod threshold;
mod words;

use lockgate_model::measure::Measure;
use lockgate_model::plan::{Absent, Bound, Gate, Judge, Metric, Trigger};

use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;
use population::Population;
pub(crate) use words::number;

/// Why the numbers failed: the candidate, or something that the stable version shows as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The candidate is worse than what it is compared with.
    Candidate,
    /// The stable version fails the same bound and the candidate is not clearly worse.
    Baseline,
}

/// A verdict with its numbers, and whom a failure is laid to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The numbers.
    pub cause: Cause,
    /// Meaningful when the verdict is `fail`.
    pub blame: Blame,
}

impl Judgement {
    /// Its verdict; a judgement always has one.
    pub fn verdict(&self) -> Verdict {
        self.cause.verdict.unwrap_or(Verdict::Insufficient)
    }
}

/// What is asked of a metric.
#[derive(Debug, Clone)]
struct Question<'a> {
    metric: Metric,
    bound: Bound,
    role: Role<'a>,
    min_samples: u64,
    population: Population,
    /// Of a measure of the agent's own: what its values can be.
    measure: Option<Measure>,
}

/// Whether the bound names the good side (gates) or the bad one (triggers).
#[derive(Debug, Clone, Copy)]
enum Role<'a> {
    Gate(&'a Gate),
    Trigger(&'a Trigger),
}

impl<'a> Question<'a> {
    fn of_gate(gate: &'a Gate, population: Population, rollout: &Rollout) -> Self {
        let Gate { metric, bound, min_samples, .. } = *gate;
        let measure = measure(metric, rollout);
        Self { metric, bound, role: Role::Gate(gate), min_samples, population, measure }
    }

    fn of_trigger(trigger: &'a Trigger, population: Population, rollout: &Rollout) -> Self {
        let Trigger { metric, bound, min_samples, .. } = *trigger;
        let measure = measure(metric, rollout);
        Self { metric, bound, role: Role::Trigger(trigger), min_samples, population, measure }
    }

    /// What it is called in explanations.
    fn rule(&self, rollout: &Rollout) -> String {
        let Self { metric, bound, .. } = self;
        match self.role {
            Role::Gate(_) => format!("gate {metric} of stage {}", rollout.stage().name),
            Role::Trigger(_) => match (metric, bound) {
                (Metric::ErrorRate, Bound::AboveBaselineBy(_)) => {
                    "trigger errors_vs_baseline".into()
                }
                _ => format!("trigger {metric}"),
            },
        }
    }

    /// The verdict for a value that lies on the side the bound names, or not.
    fn verdict(&self, inside: bool) -> Verdict {
        let good = matches!(self.role, Role::Gate(_));
        if inside == good { Verdict::Pass } else { Verdict::Fail }
    }

    /// What is asked about, in words: the two triggers on errors are told apart.
    fn subject(&self) -> String {
        match (self.role, self.metric, self.bound) {
            (Role::Trigger(_), Metric::ErrorRate, Bound::AboveBaselineBy(_)) => {
                format!("{} beside stable", self.metric)
            }
            _ => self.metric.to_string(),
        }
    }

    fn by_statistics(&self) -> bool {
        let judge = match self.role {
            Role::Gate(gate) => gate.judge,
            Role::Trigger(trigger) => trigger.judge,
        };
        judge == Judge::Statistical && alpha::statistical(self.metric)
    }
}

/// Judges a gate on everything seen since the start of the release.
pub fn gate(gate: &Gate, rollout: &Rollout, signals: &Signals) -> Judgement {
    if gate.metric == Metric::Probes {
        return probes::judge(gate, rollout, signals);
    }
    let seen = signals.evidence_merged();
    let populations = Population::of(gate.metric, rollout, signals).iter();
    let judged = populations.map(|population| {
        let question = Question::of_gate(gate, *population, rollout);
        let judgement = coverage::checked(ask(&question, rollout, signals), &question, signals);
        // The few streams of an agent that answers plainly, or the few requests without a key, hold
        // nothing up for want of more.
        let few = judgement.cause.n.is_some_and(|n| n < gate.min_samples.max(1));
        (few && population.is_marginal(&seen.candidate), judgement)
    });
    worst(judged)
}

/// Judges a trigger: on everything since the start, or on its look-back window. `fail` means that
/// it fires.
pub fn trigger(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> Judgement {
    let populations = Population::of(trigger.metric, rollout, signals).iter();
    let judged = populations.map(|population| {
        (false, ask(&Question::of_trigger(trigger, *population, rollout), rollout, signals))
    });
    worst(judged)
}

/// Whether a trigger fires; the same answer as [`trigger`] gives, without its numbers.
pub(crate) fn fires(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> bool {
    let fires = |population: Population| {
        let question = Question::of_trigger(trigger, population, rollout);
        if question.by_statistics() {
            statistical::refuted(&question, rollout, signals)
        } else {
            threshold::judge(&question, rollout, signals).verdict() == Verdict::Fail
        }
    };
    Population::of(trigger.metric, rollout, signals).iter().copied().any(fires)
}

/// The measure that a metric is, if the agent has it.
fn measure(metric: Metric, rollout: &Rollout) -> Option<Measure> {
    let Metric::Measure(name) = metric else { return None };
    rollout.measures.iter().find(|measure| measure.name == name).copied()
}

fn ask(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> Judgement {
    if question.by_statistics() {
        statistical::judge(question, rollout, signals)
    } else {
        threshold::judge(question, rollout, signals)
    }
}

/// Of several populations: the worse of those that could be judged is what the metric says. Those that
/// are set apart speak only if no other does.
fn worst(judged: impl Iterator<Item = (bool, Judgement)>) -> Judgement {
    let seen = |judgement: &Judgement| judgement.cause.n.is_none_or(|n| n > 0);
    let rank = |verdict| match verdict {
        Verdict::Pass => 0,
        Verdict::Insufficient => 1,
        Verdict::Fail => 2,
    };
    judged
        .max_by_key(|(apart, judgement)| (!apart, seen(judgement), rank(judgement.verdict())))
        .map(|(_, judgement)| judgement)
        .expect("every metric has at least one population")
}

/// The gates of the stage under way, and the health that no weight is raised without.
pub(crate) fn gates(rollout: &Rollout, signals: &Signals) -> Vec<Judgement> {
    let stage = rollout.stage();
    let asked = stage.gates.iter().filter(|gate| !gate.dry_run && !waived(rollout, gate));
    let mut judged: Vec<Judgement> = asked.map(|gate| self::gate(gate, rollout, signals)).collect();
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
pub(crate) fn waived(rollout: &Rollout, gate: &Gate) -> bool {
    gate.absent == Absent::Waive && !is_declared(gate.metric, rollout)
}

/// Whether the agent declares where the metric's numbers come from. A trigger without such a source has
/// no part of the error budget, and is not judged, whatever comes.
pub(crate) fn is_declared(metric: Metric, rollout: &Rollout) -> bool {
    metric.lacks(&rollout.sources).is_none()
}

/// A gate of the stage under way that can never pass any more, if there is one.
pub(crate) fn hopeless(rollout: &Rollout, signals: &Signals) -> Option<Cause> {
    let asked = rollout.stage().gates.iter().filter(|gate| {
        gate.metric == Metric::Probes
            && probes::is_all(gate)
            && !gate.dry_run
            && !waived(rollout, gate)
    });
    let mut judged = asked.map(|gate| self::gate(gate, rollout, signals));
    judged.find(|judgement| judgement.verdict() == Verdict::Fail).map(|judgement| judgement.cause)
}
