//! Verdicts on gates and triggers from what was seen.
//!
//! The threshold judge: an estimate over enough samples beside its bound. It bounds no error over
//! repeated looks; statistical judges take the same seat, chosen by the gate's assurance.

use lockgate_model::agent::LatencyMeasure;
use lockgate_model::plan::{Absent, Assurance, Bound, Gate, Metric, Trigger};
use lockgate_telemetry::arm::{Arm, Arms};

use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;

/// An estimate with the samples behind it. No value without samples.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    n: u64,
    value: Option<f64>,
}

impl Reading {
    fn of(n: u64, value: Option<f64>) -> Self {
        Self { n, value: value.filter(|value| value.is_finite()) }
    }

    fn share(part: u64, whole: u64) -> Self {
        Self::of(whole, (whole > 0).then(|| part as f64 / whole as f64))
    }

    /// The value, once there are enough samples behind it.
    fn enough(self, min_samples: u64) -> Option<f64> {
        self.value.filter(|_| self.n >= min_samples.max(1))
    }
}

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

/// How much further beyond the limit than a failing baseline a candidate must be to be blamed all
/// the same; and what is forgiven besides, as a share of the limit.
const CLEARLY_WORSE_RATIO: f64 = 1.5;
const SLACK_SHARE: f64 = 0.1;

/// Judges a gate on everything seen since the start of the release.
pub fn gate(gate: &Gate, rollout: &Rollout, signals: &Signals) -> Judgement {
    let rule = format!("gate {} of stage {}", gate.metric, rollout.stage().name);
    if gate.assurance == Assurance::Proved {
        let mut cause = Cause::plain(rule, "proof is asked for, and no judge here can give it");
        cause.metric = Some(gate.metric);
        cause.verdict = Some(Verdict::Insufficient);
        cause.threshold = Some(gate.bound.to_string());
        return Judgement { cause, blame: Blame::Candidate };
    }
    let arms = signals.evidence_merged();
    worst(gate.metric, rollout, |measure| {
        let candidate = match gate.metric {
            Metric::Health => health(rollout, signals),
            Metric::SecurityEvents => security(rollout),
            _ => read(gate.metric, &arms.candidate, rollout.by_key, measure),
        };
        let baseline = read(gate.metric, &arms.stable, rollout.by_key, measure);
        judge(&Question {
            rule: &rule,
            unit: unit(gate.metric, rollout.by_key),
            metric: gate.metric,
            bound: gate.bound,
            good_side: true,
            min_samples: gate.min_samples,
            candidate,
            baseline,
        })
    })
}

/// Judges a trigger on its look-back window. `fail` means that it fires.
pub fn trigger(trigger: &Trigger, rollout: &Rollout, signals: &Signals) -> Judgement {
    let rule = format!("trigger {}", trigger.metric);
    let empty = Arms::default();
    let arms = signals.recent.get(&trigger.window_ms).unwrap_or(&empty);
    worst(trigger.metric, rollout, |measure| {
        let candidate = match trigger.metric {
            Metric::Health => health(rollout, signals),
            Metric::SecurityEvents => security(rollout),
            _ => read(trigger.metric, &arms.candidate, rollout.by_key, measure),
        };
        let baseline = read(trigger.metric, &arms.stable, rollout.by_key, measure);
        judge(&Question {
            rule: &rule,
            unit: unit(trigger.metric, rollout.by_key),
            metric: trigger.metric,
            bound: trigger.bound,
            good_side: false,
            min_samples: trigger.min_samples,
            candidate,
            baseline,
        })
    })
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

/// Which latency a reading takes.
#[derive(Debug, Clone, Copy)]
enum Measure {
    SseFirstByte,
    PlainTotal,
    FirstByte,
    Total,
}

/// Streams and plain answers are two populations under `auto`: each is judged, and the worse of
/// those that could be judged is what the metric says.
fn worst(metric: Metric, rollout: &Rollout, judge: impl Fn(Measure) -> Judgement) -> Judgement {
    match (metric, rollout.latency) {
        (Metric::P95Ms, LatencyMeasure::Auto) => {
            let (sse, plain) = (judge(Measure::SseFirstByte), judge(Measure::PlainTotal));
            match (sse.cause.n, plain.cause.n) {
                (None | Some(0), _) => plain,
                (_, None | Some(0)) => sse,
                _ if rank(sse.verdict()) >= rank(plain.verdict()) => sse,
                _ => plain,
            }
        }
        (_, LatencyMeasure::FirstByte) => judge(Measure::FirstByte),
        _ => judge(Measure::Total),
    }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Insufficient => 1,
        Verdict::Fail => 2,
    }
}

fn health(rollout: &Rollout, signals: &Signals) -> Reading {
    let healthy = if rollout.weight_bp == 0 {
        signals.candidate_test_healthy.or(signals.candidate_healthy)
    } else {
        signals.candidate_healthy
    };
    Reading::of(u64::from(healthy.is_some()), healthy.map(f64::from))
}

/// A count of events that must not happen is complete at any time: no samples are needed.
fn security(rollout: &Rollout) -> Reading {
    Reading::of(u64::MAX, Some(rollout.security_events as f64))
}

fn read(metric: Metric, arm: &Arm, by_key: bool, measure: Measure) -> Reading {
    match metric {
        Metric::ErrorRate if by_key => Reading::share(arm.keys.erroring, arm.keys.assigned),
        Metric::ErrorRate => Reading::share(arm.errors_charged(), arm.judged()),
        Metric::P95Ms => {
            let sketch = match measure {
                Measure::SseFirstByte => arm.sse.first_byte.clone(),
                Measure::PlainTotal => arm.plain.total.clone(),
                Measure::FirstByte => {
                    let mut both = arm.sse.first_byte.clone();
                    both.merge(&arm.plain.first_byte);
                    both
                }
                Measure::Total => {
                    let mut both = arm.sse.total.clone();
                    both.merge(&arm.plain.total);
                    both
                }
            };
            Reading::of(sketch.count(), sketch.quantile_us(0.95).map(|us| us / 1e3))
        }
        Metric::CostUsd => Reading::of(arm.cost.known, arm.cost.mean_usd()),
        Metric::Nps => Reading::of(arm.feedback.count(), arm.feedback.nps()),
        Metric::SatisfiedShare => Reading::share(arm.feedback.positive, arm.feedback.count()),
        Metric::NegativeShare => Reading::share(arm.feedback.negative, arm.feedback.count()),
        Metric::SecurityEvents | Metric::Health => Reading::of(0, None),
    }
}

struct Question<'a> {
    rule: &'a str,
    /// What a sample is.
    unit: &'static str,
    metric: Metric,
    bound: Bound,
    /// Whether the bound names the good side (gates) or the bad one (triggers).
    good_side: bool,
    min_samples: u64,
    candidate: Reading,
    baseline: Reading,
}

fn judge(question: &Question<'_>) -> Judgement {
    let Question { metric, bound, min_samples, candidate, baseline, .. } = *question;
    // Health is one reading, not a sample.
    let min_samples = if metric == Metric::Health { 1 } else { min_samples };
    let base = baseline.enough(min_samples);
    let verdict_of = |value: f64| {
        inside(bound, value, base).map_or(Verdict::Insufficient, |inside| {
            if inside == question.good_side { Verdict::Pass } else { Verdict::Fail }
        })
    };
    let verdict = candidate.enough(min_samples).map_or(Verdict::Insufficient, verdict_of);
    let relative = matches!(bound, Bound::AboveBaselineBy(_));
    let baseline_fails = !relative && base.is_some_and(|value| verdict_of(value) == Verdict::Fail);
    let blame = match (candidate.value, base) {
        (Some(value), Some(base)) if baseline_fails && !clearly_worse(bound, value, base) => {
            Blame::Baseline
        }
        _ => Blame::Candidate,
    };
    let security = metric == Metric::SecurityEvents;
    Judgement {
        cause: Cause {
            metric: Some(metric),
            verdict: Some(verdict),
            n: (!security).then_some(candidate.n),
            value: candidate.value,
            baseline: baseline.value,
            interval: None,
            threshold: Some(bound.to_string()),
            rule: question.rule.to_owned(),
            text: sentence(question, verdict, min_samples),
        },
        blame,
    }
}

/// Whether the value lies on the side that the bound names; `None` when that needs a baseline
/// that is not known, or one of nothing.
fn inside(bound: Bound, value: f64, baseline: Option<f64>) -> Option<bool> {
    match bound {
        Bound::Below(limit) => Some(value < limit),
        Bound::Above(limit) => Some(value > limit),
        Bound::Equal(limit) => Some((value - limit).abs() < f64::EPSILON),
        Bound::AboveBaselineBy(share) => baseline
            .filter(|baseline| *baseline > 0.0)
            .map(|baseline| value > baseline * (1.0 + share)),
    }
}

/// Whether the candidate lies beyond the limit by clearly more than the failing baseline does.
fn clearly_worse(bound: Bound, value: f64, baseline: f64) -> bool {
    let limit = match bound {
        Bound::Below(limit) | Bound::Above(limit) | Bound::Equal(limit) => limit,
        Bound::AboveBaselineBy(_) => return true,
    };
    let beyond = |value: f64| (value - limit).abs();
    beyond(value) > CLEARLY_WORSE_RATIO * beyond(baseline) + SLACK_SHARE * limit.abs()
}

fn sentence(question: &Question<'_>, verdict: Verdict, min_samples: u64) -> String {
    let unit = question.unit;
    let Question { metric, bound, candidate, baseline, .. } = question;
    let Some(value) = candidate.value else {
        return format!("{metric}: nothing seen yet, {min_samples} {unit} needed");
    };
    let value = number(value);
    let beside =
        baseline.value.map(|value| format!(", stable {}", number(value))).unwrap_or_default();
    if verdict == Verdict::Insufficient {
        if candidate.n < min_samples {
            return format!(
                "{metric} is {value}{beside}: {} of {min_samples} {unit} seen",
                candidate.n
            );
        }
        return format!(
            "{metric} is {value}{beside}: stable has {} of {min_samples} {unit} to compare with",
            baseline.n
        );
    }
    let samples = if *metric == Metric::SecurityEvents {
        String::new()
    } else {
        format!(" over {} {unit}", candidate.n)
    };
    let role = if question.good_side { "required" } else { "limit" };
    format!("{metric} is {value}{samples}{beside}; {role} {bound}")
}

/// What a sample of the metric is: error rates of sticky agents count users, not requests.
fn unit(metric: Metric, by_key: bool) -> &'static str {
    match metric {
        Metric::ErrorRate if by_key => "users",
        Metric::ErrorRate | Metric::P95Ms => "requests",
        Metric::CostUsd => "requests of known cost",
        Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare => "votes",
        Metric::Health => "readings",
        Metric::SecurityEvents => "events",
    }
}

/// At most four significant digits, without a tail of zeros.
fn number(value: f64) -> String {
    let digits = if value == 0.0 {
        0
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "log10 of a finite f64 is below 400")]
        let magnitude = value.abs().log10().floor() as i32;
        usize::try_from(3 - magnitude).unwrap_or(0).min(12)
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(bound: Bound, good_side: bool, candidate: Reading, baseline: Reading) -> Judgement {
        judge(&Question {
            rule: "test",
            unit: "requests",
            metric: Metric::ErrorRate,
            bound,
            good_side,
            min_samples: 100,
            candidate,
            baseline,
        })
    }

    const NOTHING: Reading = Reading { n: 0, value: None };

    #[test]
    fn nan_empty_and_few_samples_are_insufficient() {
        for reading in [
            NOTHING,
            Reading::of(1_000, Some(f64::NAN)),
            Reading::of(99, Some(0.0)),
            Reading::of(1_000, None),
        ] {
            for good_side in [true, false] {
                let judged = ask(Bound::Below(0.5), good_side, reading, NOTHING);
                assert_eq!(judged.verdict(), Verdict::Insufficient, "{reading:?}");
            }
        }
    }

    #[test]
    fn equality_is_not_on_the_named_side() {
        let at = Reading::of(1_000, Some(0.005));
        assert_eq!(ask(Bound::Below(0.005), true, at, NOTHING).verdict(), Verdict::Fail);
        assert_eq!(ask(Bound::Above(0.005), false, at, NOTHING).verdict(), Verdict::Pass);
    }

    #[test]
    fn a_comparison_without_a_baseline_is_insufficient() {
        let bound = Bound::AboveBaselineBy(0.2);
        let slow = Reading::of(500, Some(300.0));
        for baseline in [NOTHING, Reading::of(99, Some(100.0)), Reading::of(500, Some(0.0))] {
            let judged = ask(bound, false, slow, baseline);
            assert_eq!(judged.verdict(), Verdict::Insufficient, "{baseline:?}");
        }
        let judged = ask(bound, false, slow, Reading::of(500, Some(100.0)));
        assert_eq!(judged.verdict(), Verdict::Fail);
    }

    #[test]
    fn a_sick_baseline_takes_the_blame_unless_the_candidate_is_clearly_worse() {
        let bound = Bound::Above(0.05);
        let sick = Reading::of(500, Some(0.20));
        let blame = |value| ask(bound, false, Reading::of(500, Some(value)), sick).blame;
        assert_eq!(blame(0.22), Blame::Baseline);
        assert_eq!(blame(0.40), Blame::Candidate);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.004_999_9), "0.005");
        assert_eq!(number(123.456), "123.5");
        assert_eq!(number(98_765.4), "98765");
    }
}
