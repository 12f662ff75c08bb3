//! An estimate over enough samples beside its bound. It bounds no error over repeated looks.

use lockgate_model::plan::Metric;
use lockgate_telemetry::arm::Arms;

use super::reading::{Reading, clearly_worse, inside};
use super::words::{sentence, unit};
use super::{Blame, Judgement, Question, Role, resolved};
use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;

/// Gates look at everything since the start of the release, triggers at their look-back window.
pub(super) fn judge(question: &Question<'_>, rollout: &Rollout, signals: &Signals) -> Judgement {
    let empty = Arms::default();
    let merged;
    let arms = match question.role {
        Role::Gate(_) => {
            merged = signals.evidence_merged();
            &merged
        }
        Role::Trigger(trigger) => signals.recent.get(&trigger.window_ms).unwrap_or(&empty),
    };
    let candidate = Reading::of_candidate(question, &arms.candidate, rollout, signals);
    let stable = Reading::of_stable(question, &arms.stable);
    let mut judgement = compare(question, candidate, stable);
    if judgement.verdict() == Verdict::Fail && resolved::may_keep(question, &arms.candidate) {
        judgement.cause.verdict = Some(Verdict::Insufficient);
        judgement.cause.text += "; what is not known yet may keep it";
    }
    judgement.cause.rule = question.rule(rollout);
    judgement
}

fn compare(question: &Question<'_>, candidate: Reading, baseline: Reading) -> Judgement {
    let Question { metric, bound, min_samples, .. } = *question;
    // Health is one reading, not a sample.
    let min_samples = if metric == Metric::Health { 1 } else { min_samples };
    let base = baseline.enough(min_samples);
    let verdict_of = |value: f64| {
        inside(bound, value, base).map_or(Verdict::Insufficient, |inside| question.verdict(inside))
    };
    let verdict = candidate.enough(min_samples).map_or(Verdict::Insufficient, verdict_of);
    let relative = bound.is_relative();
    let baseline_fails = !relative && base.is_some_and(|value| verdict_of(value) == Verdict::Fail);
    let blame = match (candidate.value, base) {
        (Some(value), Some(base)) if baseline_fails && !clearly_worse(bound, value, base) => {
            Blame::Baseline
        }
        _ => Blame::Candidate,
    };
    let security = metric == Metric::SecurityEvents;
    let text = if verdict == Verdict::Insufficient && candidate.n >= min_samples && relative {
        format!(
            "{metric}: stable has {} of {min_samples} {} to compare with",
            baseline.n,
            unit(question)
        )
    } else {
        sentence(question, verdict, [candidate, baseline])
    };
    Judgement {
        cause: Cause {
            metric: Some(metric),
            verdict: Some(verdict),
            n: (!security).then_some(candidate.n),
            value: candidate.value,
            baseline: baseline.value,
            interval: None,
            threshold: Some(bound.to_string()),
            rule: String::new(),
            text,
            by: None,
        },
        blame,
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::plan::{
        Absent, Action, AlertLevel, Assurance, Bound, Gate, Judge, Trigger,
    };

    use super::super::population::Population;
    use super::*;

    fn ask(bound: Bound, good_side: bool, candidate: Reading, baseline: Reading) -> Judgement {
        let gate = Gate {
            metric: Metric::ErrorRate,
            bound,
            min_samples: 100,
            judge: Judge::Threshold,
            assurance: Assurance::Observed,
            absent: Absent::Refuse,
            dry_run: false,
        };
        let trigger = Trigger {
            metric: Metric::ErrorRate,
            bound,
            judge: Judge::Threshold,
            window_ms: 1,
            min_samples: 100,
            action: Action::Stop,
            alert: AlertLevel::High,
            dry_run: false,
        };
        let question = Question {
            metric: Metric::ErrorRate,
            bound,
            role: if good_side { Role::Gate(&gate) } else { Role::Trigger(&trigger) },
            min_samples: 100,
            population: Population::All,
            measure: None,
        };
        compare(&question, candidate, baseline)
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
}
