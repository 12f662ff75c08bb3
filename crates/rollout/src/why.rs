//! Why a release is not further, and what would change that.

use lockgate_model::hook::Confirm;
use lockgate_model::ids::AgentName;
use lockgate_model::plan::OnInsufficient;

use crate::explain::{Cause, Verdict};
use crate::machine::percent;
use crate::state::{Phase, Rollout};
use crate::view::left;

pub(crate) fn why(rollout: &Rollout, gates: &[Cause], left_ms: u64) -> String {
    let open: Vec<&str> = gates
        .iter()
        .filter(|gate| gate.verdict != Some(Verdict::Pass))
        .map(|gate| gate.text.as_str())
        .collect();
    match &rollout.phase {
        Phase::Pending => pending(rollout),
        Phase::Confirming => confirming(rollout),
        Phase::Running => and(running(rollout, &open, left_ms), rollout),
        Phase::Extended => and(format!("the stage is extended: {}", open.join("; ")), rollout),
        Phase::Paused { by, reason, .. } => format!("held by {by}: {reason}"),
        Phase::WaitingGate { gate } => format!("its gates hold; it waits for {gate}"),
        Phase::RollingBack { action, .. } => {
            format!("being taken back ({action}); not every gateway has applied it yet")
        }
        Phase::Promoted => format!("version {} is stable", rollout.candidate),
        Phase::RolledBack | Phase::Superseded => format!("taken back: {}", because(rollout)),
        Phase::Aborted => format!("taken back by a person: {}", because(rollout)),
    }
}

fn pending(rollout: &Rollout) -> String {
    if !rollout.waits_for.is_empty() {
        return format!("not begun: the open releases of {} come first", names(rollout));
    }
    let drift = || rollout.drift_waits.as_ref().map(|waits| format!("drift: {waits}"));
    let waits = frozen(rollout).or_else(drift);
    format!("not begun: {}", waits.as_deref().unwrap_or("the next look begins it"))
}

fn confirming(rollout: &Rollout) -> String {
    let weight = percent(rollout.weight_bp);
    let failed = rollout.driver_error.as_ref();
    let failed =
        failed.map(|error| format!("; the last attempt failed, it is tried again: {error}"));
    format!("not every gateway has applied {weight} % yet{}", failed.unwrap_or_default())
}

fn running(rollout: &Rollout, open: &[&str], left_ms: u64) -> String {
    if let Some(so_far_ms) = rollout.warming_ms {
        let delay_ms = rollout.plan.initial_delay_ms.saturating_sub(so_far_ms);
        return format!("nothing is measured yet: {} left of the initial delay", left(delay_ms));
    }
    let gates = match open {
        [] => "all its gates pass now".into(),
        open => format!("open: {}", open.join("; ")),
    };
    format!("{} left in this stage; {gates}", left(left_ms))
}

/// With what else keeps it from going on, whatever its gates say.
fn and(why: String, rollout: &Rollout) -> String {
    let unread = (rollout.source_errors > 0).then(|| {
        let most = rollout.plan.source_errors_max;
        format!(
            "the numbers could not be read {} times in a row, at most {most}",
            rollout.source_errors
        )
    });
    [Some(why), unread, frozen(rollout)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn frozen(rollout: &Rollout) -> Option<String> {
    let until = rollout.frozen_until_wall_ms?;
    let until = lockgate_model::freeze::show(until);
    Some(format!("nothing advances before {until}, the end of a freeze window"))
}

fn names(rollout: &Rollout) -> String {
    let names: Vec<&str> = rollout.waits_for.iter().map(AgentName::as_str).collect();
    names.join(", ")
}

fn because(rollout: &Rollout) -> &str {
    rollout.taken_back_because.as_deref().unwrap_or("its history says why")
}

pub(crate) fn would_change(rollout: &Rollout) -> String {
    let stage = rollout.stage();
    let frozen = rollout.frozen_until_wall_ms.is_some();
    let waits_for_drift = rollout.drift_waits.is_some();
    let kept_by_drift = waits_for_drift && rollout.drift_gate().is_some();
    match &rollout.phase {
        Phase::Pending if rollout.waits_for.is_empty() && !frozen && waits_for_drift => {
            "`lockgate drift --report-to` says that there is none; a person may resume, promote or abort".into()
        }
        Phase::Pending => {
            "what it waits for ends well; a person may resume, promote or abort".into()
        }
        Phase::Confirming => "every gateway reports the split; a trigger takes it back".into(),
        Phase::Running if rollout.warming_ms.is_some() => "the initial delay is over".into(),
        Phase::Running | Phase::Extended if frozen => {
            "the freeze window ends; a person may promote; a trigger or a failed gate takes it back"
                .into()
        }
        Phase::Running if kept_by_drift && rollout.dwell_ms >= stage.duration_ms => {
            "`lockgate drift --report-to` says that there is none; a person may promote; a trigger or a failed gate takes it back".into()
        }
        Phase::Running => {
            "the stage's time is over and its gates pass; a trigger takes it back".into()
        }
        Phase::Extended => {
            let longest_ms = stage.duration_ms.saturating_add(stage.extension_max_ms);
            let left = left(longest_ms.saturating_sub(rollout.dwell_ms));
            let then = match rollout.plan.on_insufficient {
                OnInsufficient::Rollback => "is taken back",
                OnInsufficient::Pause => "waits for a person",
            };
            format!("its gates pass within {left}; otherwise it {then}")
        }
        Phase::Paused { overrides_gate: true, .. } => {
            "a person resumes, past what holds it, or promotes or aborts; triggers stay armed"
                .into()
        }
        Phase::Paused { .. } => "a person resumes, promotes or aborts; triggers stay armed".into(),
        Phase::WaitingGate { .. } => match stage.confirm {
            Some(Confirm::Webhook(_)) => {
                "its webhook answers 200, or a person confirms, promotes or aborts"
            }
            _ => "a person confirms, promotes or aborts; triggers stay armed",
        }
        .into(),
        Phase::RollingBack { .. } => "every gateway applies weight 0".into(),
        Phase::Promoted => "nothing: it is stable".into(),
        Phase::RolledBack | Phase::Aborted | Phase::Superseded => {
            "nothing: `retry` starts it again".into()
        }
    }
}
