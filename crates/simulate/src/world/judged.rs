//! What must hold of a look at the numbers: what it led to was deserved, and nothing was missed.

use lockgate_model::plan::{Absent, Bound, Gate, Judge, Metric, OnInsufficient, Trigger};
use lockgate_rollout::explain::{Cause, Verdict};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::Phase;

use super::oracle;
use super::step::{Seen, last_action};
use super::watch::{Holds, LASTS, NO_DATA, TAKEN_BACK, need};

impl Seen<'_> {
    /// What a look at the numbers must lead to, or must not.
    pub(super) fn judged(&self, signals: &Signals) -> Holds {
        let Self { before, after, .. } = self;
        if matches!(before.phase, Phase::RollingBack { .. }) {
            return Ok(());
        }
        let back = matches!(after.phase, Phase::RollingBack { .. });
        let armed: Vec<_> = before
            .plan
            .triggers
            .iter()
            .filter(|trigger| !trigger.dry_run && trigger.metric != Metric::SecurityEvents)
            .filter(|trigger| self.declares(trigger.metric))
            .collect();
        for trigger in &armed {
            if trigger.judge == Judge::Statistical
                && let (Metric::ErrorRate, Bound::Above(limit)) = (trigger.metric, trigger.bound)
            {
                let plain = oracle::plainly_failing(limit, before, signals);
                need(back || !plain, TAKEN_BACK, || format!("{} in spite of errors", after.phase))?;
            }
            if trigger.judge == Judge::Threshold && trigger.metric != Metric::Health {
                let fires = oracle::fires(trigger, signals);
                let severe = last_action(after) >= Some(trigger.action);
                need(severe || fires != Some((true, false)), TAKEN_BACK, || {
                    format!("{} while {} is {}", after.phase, trigger.metric, trigger.bound)
                })?;
            }
        }
        self.asked()?;
        self.not_late()?;
        if back { self.deserved(signals) } else { Ok(()) }
    }

    fn declares(&self, metric: Metric) -> bool {
        metric.lacks(&self.before.sources).is_none()
    }

    /// Whatever a gate or a trigger led to, the plan asks it: not for show only, and of a signal that there is.
    fn asked(&self) -> Holds {
        let Self { before, transition, .. } = self;
        let waived = |gate: &Gate| {
            gate.absent == Absent::Waive && gate.metric.lacks(&before.sources).is_some()
        };
        let gates = before.stage().gates.iter().filter(|gate| !gate.dry_run && !waived(gate));
        let armed = before.plan.triggers.iter().filter(|trigger| !trigger.dry_run);
        let named = |cause: &Cause, metric: Metric, bound: Bound| {
            Some(metric) == cause.metric && Some(bound.to_string()) == cause.threshold
        };
        let in_force = |cause: &Cause| {
            if cause.rule.starts_with("gate ") {
                gates.clone().any(|gate| named(cause, gate.metric, gate.bound))
            } else {
                armed.clone().any(|trigger| named(cause, trigger.metric, trigger.bound))
            }
        };
        let causes = transition.map_or(&[][..], |transition| &transition.causes);
        let asked = |cause: &&Cause| {
            cause.metric.is_some()
                && (cause.rule.starts_with("gate ") || cause.rule.starts_with("trigger "))
        };
        let wrong = causes.iter().filter(asked).find(|cause| !in_force(cause));
        need(wrong.is_none(), TAKEN_BACK, || format!("nobody asks {wrong:?}"))
    }

    /// Nothing stays in a stage whose time is over.
    fn not_late(&self) -> Holds {
        let Self { before, after, transition, .. } = self;
        if transition.is_some() || matches!(after.phase, Phase::RollingBack { .. }) {
            return Ok(());
        }
        let stage = after.stage();
        // Within a freeze window time being over changes nothing.
        let until_ms = match after.phase {
            _ if self.frozen => u64::MAX,
            Phase::Running => stage.duration_ms,
            Phase::Extended => stage.duration_ms + stage.extension_max_ms,
            _ => u64::MAX,
        };
        need(after.dwell_ms < until_ms || !after.applied, LASTS, || {
            format!("{} after {} of {until_ms} ms", after.phase, after.dwell_ms)
        })?;
        let deadline_ms = before.plan.progress_deadline_ms.unwrap_or(u64::MAX);
        need(after.elapsed_ms <= deadline_ms, LASTS, || {
            format!("{} beyond the plan's deadline", after.phase)
        })
    }

    /// It was taken back at a tick: by a trigger that fires, a gate that does not hold, or time.
    fn deserved(&self, signals: &Signals) -> Holds {
        let Self { before, transition, .. } = self;
        let Some(cause) = transition.and_then(|transition| transition.causes.first()) else {
            return Ok(());
        };
        let seen = || format!("{cause:?}");
        if let Some(named) = cause.rule.strip_prefix("trigger ") {
            let relative = named == "errors_vs_baseline";
            let metric = cause.metric;
            let of = |t: &&Trigger| {
                let vs = t.bound.is_relative();
                Some(t.metric) == metric
                    && !t.dry_run
                    && self.declares(t.metric)
                    && (t.metric != Metric::ErrorRate || vs == relative)
            };
            let trigger = before.plan.triggers.iter().find(of);
            let Some(trigger) = trigger else { return need(false, TAKEN_BACK, seen) };
            let samples = cause.n.is_some_and(|n| n >= trigger.min_samples.max(1));
            need(
                cause.verdict == Some(Verdict::Fail) && samples && cause.value.is_some(),
                NO_DATA,
                seen,
            )?;
            if trigger.judge == Judge::Threshold && trigger.metric != Metric::Health {
                let fires = oracle::fires(trigger, signals);
                return need(fires.is_none_or(|(fires, both)| fires && !both), TAKEN_BACK, seen);
            }
            if trigger.judge == Judge::Statistical {
                need(oracle::points_at(trigger, before, signals), TAKEN_BACK, seen)?;
                need(oracle::is_evidence(trigger, before, signals), TAKEN_BACK, seen)?;
            }
            return need(!both_sick(trigger.metric, trigger.bound, signals), TAKEN_BACK, || {
                format!("the stable version is as sick: {cause:?}")
            });
        }
        let stage = before.stage();
        if cause.rule.starts_with("gate ") && cause.verdict == Some(Verdict::Insufficient) {
            let over = self.after.dwell_ms >= stage.duration_ms + stage.extension_max_ms;
            let may = before.plan.on_insufficient == OnInsufficient::Rollback;
            return need(over && may, TAKEN_BACK, seen);
        }
        if cause.rule == "progress deadline" {
            let deadline = before.plan.progress_deadline_ms;
            return need(deadline.is_some_and(|ms| self.after.elapsed_ms > ms), TAKEN_BACK, seen);
        }
        Ok(())
    }

    /// A stage was passed at a tick: every gate of it passed, with samples and a value.
    pub(super) fn gates(&self, signals: &Signals) -> Holds {
        let Self { before, transition, .. } = self;
        let causes = transition.map_or(&[][..], |transition| &transition.causes);
        need(signals.candidate_healthy != Some(false), NO_DATA, || {
            "the weight was raised on an unhealthy candidate".into()
        })?;
        let gates = before.stage().gates.iter();
        let gates = gates.filter(|gate| !gate.dry_run && self.declares(gate.metric));
        for gate in gates {
            let metric = gate.metric;
            let passed = |cause: &&Cause| {
                cause.metric == Some(metric)
                    && cause.verdict == Some(Verdict::Pass)
                    && cause.value.is_some()
            };
            need(causes.iter().any(|cause| passed(&cause)), NO_DATA, || {
                format!("{metric} is not among {causes:?}")
            })?;
            let wrong = oracle::no_pass(gate, before, signals);
            need(wrong.is_none(), NO_DATA, || wrong.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Whether the stable version fails the bound too, and no less at any weight.
fn both_sick(metric: Metric, bound: Bound, signals: &Signals) -> bool {
    let (Metric::ErrorRate, Bound::Above(limit)) = (metric, bound) else { return false };
    let of = |arm| oracle::estimate(metric, std::iter::once(arm));
    let whole = oracle::estimate(metric, signals.evidence.values().map(|arms| &arms.stable));
    whole.is_some_and(|stable| stable.n >= 50 && stable.value > limit)
        && signals.evidence.values().all(|arms| match (of(&arms.candidate), of(&arms.stable)) {
            (Some(candidate), Some(stable)) => stable.value >= candidate.value,
            (candidate, _) => candidate.is_none(),
        })
}
