//! Verdicts on gates and triggers from what was seen.
//!
//! Two judges take the same seat, chosen for each gate and trigger. The statistical one may be read
//! at any moment and bounds how often it is wrong over the whole release; the threshold one sets
//! an estimate beside its bound. Health and security events need neither.

mod alpha;
mod probes;
mod reading;
mod statistical;
mod threshold;
mod words;

use lockgate_model::plan::{Absent, Bound, Gate, Judge, Metric, Trigger};

use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;
use reading::Measure;
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
    measure: Measure,
}

/// Whether the bound names the good side (gates) or the bad one (triggers).
#[derive(Debug, Clone, Copy)]
enum Role<'a> {
    Gate(&'a Gate),
    Trigger(&'a Trigger),
}

impl Question<'_> {
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
    let question = |measure| Question {
        metric: gate.metric,
        bound: gate.bound,
        role: Role::Gate(gate),
        min_samples: gate.min_samples,
        measure,
    };
    let judge = |measure| ask(&question(measure), rollout, signals);
    let measures = Measure::of(gate.metric, rollout.latency);
    worst(measures.iter().copied().map(judge))
}

/// Judges a trigger: on everything since the start, or on its look-back window. `fail` means that
/// it fires.
pub fn trigger(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> Judgement {
    let judge = |measure| ask(&trigger_question(trigger, measure), rollout, signals);
    let measures = Measure::of(trigger.metric, rollout.latency);
    worst(measures.iter().copied().map(judge))
}

/// Whether a trigger fires; the same answer as [`trigger`] gives, without its numbers.
pub(crate) fn fires(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> bool {
    let fires = |measure: Measure| {
        let question = trigger_question(trigger, measure);
        if question.by_statistics() {
            statistical::refuted(&question, rollout, signals)
        } else {
            threshold::judge(&question, rollout, signals).verdict() == Verdict::Fail
        }
    };
    Measure::of(trigger.metric, rollout.latency).iter().copied().any(fires)
}

fn trigger_question(trigger: &Trigger, measure: Measure) -> Question<'_> {
    Question {
        metric: trigger.metric,
        bound: trigger.bound,
        role: Role::Trigger(trigger),
        min_samples: trigger.min_samples,
        measure,
    }
}

fn ask(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> Judgement {
    if question.by_statistics() {
        statistical::judge(question, rollout, signals)
    } else {
        threshold::judge(question, rollout, signals)
    }
}

/// Streams and plain answers are two populations under `auto`: each is judged, and the worse of
/// those that could be judged is what the metric says.
fn worst(judgements: impl Iterator<Item = Judgement>) -> Judgement {
    let seen = |judgement: &Judgement| judgement.cause.n.is_none_or(|n| n > 0);
    let rank = |verdict| match verdict {
        Verdict::Pass => 0,
        Verdict::Insufficient => 1,
        Verdict::Fail => 2,
    };
    judgements
        .max_by_key(|judgement| (seen(judgement), rank(judgement.verdict())))
        .expect("every metric has at least one measure")
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
fn waived(rollout: &Rollout, gate: &Gate) -> bool {
    let has = |source| rollout.sources.contains(&source);
    gate.absent == Absent::Waive && !gate.metric.source().is_none_or(has)
}
