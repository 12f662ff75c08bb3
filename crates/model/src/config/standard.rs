//! What a plan is when the file does not say: the stages, gates and triggers that Lockgate
//! stands for.

use super::samples;
use super::units::show_percent;
use crate::plan::{
    Absent, Action, AlertLevel, Assurance, Bound, Environment, Gate, Judge, Metric, Stage, Trigger,
    WHOLE_BP,
};

pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

pub(super) const TICK_MS: u64 = 10 * SECOND_MS;
pub(super) const DRAIN_MS: u64 = 10 * MINUTE_MS;
pub(super) const PROGRESS_DEADLINE_MS: u64 = 7 * DAY_MS;

/// A gate as it is when only its bound is given.
pub(super) fn gate(metric: Metric, bound: Bound) -> Gate {
    Gate {
        metric,
        bound,
        min_samples: samples::of_gate(metric, bound),
        judge: Judge::default(),
        assurance: Assurance::default(),
        absent: Absent::default(),
        dry_run: false,
    }
}

/// A gate with another bound, as a file would have it: one that does not say how many samples it wants gets what the new
/// bound can be decided with.
pub fn rebound(gate: &Gate, bound: Bound) -> Gate {
    let says = gate.min_samples != samples::of_gate(gate.metric, gate.bound);
    let wanted = samples::of_gate(gate.metric, bound);
    Gate { bound, min_samples: if says { gate.min_samples } else { wanted }, ..gate.clone() }
}

/// Gates of stages with traffic. NPS is waived for agents without feedback.
pub(super) fn gates() -> Vec<Gate> {
    vec![
        gate(Metric::ErrorRate, Bound::Below(0.005)),
        gate(Metric::P95Ms, Bound::Below(200.0)),
        Gate { absent: Absent::Waive, ..gate(Metric::Nps, Bound::Above(50.0)) },
        gate(Metric::SecurityEvents, Bound::Equal(0.0)),
    ]
}

/// Gates of stages without traffic. Probes are waived for agents without any.
pub(super) fn gates_without_traffic() -> Vec<Gate> {
    let probes = gate(Metric::Probes, Bound::Equal(1.0));
    vec![gate(Metric::Health, Bound::Equal(1.0)), Gate { absent: Absent::Waive, ..probes }]
}

/// Share of requests that are mirrored to a candidate without side effects while it is tested.
pub(super) fn mirror_bp(environment: Environment) -> u32 {
    if environment == Environment::Test { 1_000 } else { 0 }
}

/// Stages: a day in the test environment, then 10, 25 and 50 % of four hours each, then all.
pub(super) fn stages() -> Vec<Stage> {
    let stage = |weight_bp: u32, duration_ms: u64, gates: Vec<Gate>| Stage {
        name: stage_name(weight_bp, environment(weight_bp)),
        weight_bp,
        duration_ms,
        extension_max_ms: duration_ms,
        environment: environment(weight_bp),
        mirror_bp: mirror_bp(environment(weight_bp)),
        gates,
        confirm: None,
    };
    vec![
        stage(0, DAY_MS, gates_without_traffic()),
        stage(1_000, 4 * HOUR_MS, gates()),
        stage(2_500, 4 * HOUR_MS, gates()),
        stage(5_000, 4 * HOUR_MS, gates()),
        stage(WHOLE_BP, 0, Vec::new()),
    ]
}

/// Where a stage's traffic comes from when it does not say.
pub(super) fn environment(weight_bp: u32) -> Environment {
    if weight_bp == 0 { Environment::Test } else { Environment::Production }
}

/// What a stage is called when it has no name.
pub(super) fn stage_name(weight_bp: u32, environment: Environment) -> String {
    match environment {
        Environment::Test => "test".into(),
        Environment::Production => format!("{}%", show_percent(weight_bp)),
    }
}

/// The triggers that are armed unless a plan switches them off, with a reason.
pub(super) fn triggers() -> Vec<Trigger> {
    let rest = [
        Metric::P95Ms,
        Metric::CostUsd,
        Metric::SecurityEvents,
        Metric::SatisfiedShare,
        Metric::NegativeShare,
    ];
    trigger(Metric::ErrorRate)
        .into_iter()
        .chain([errors_vs_baseline()])
        .chain(rest.into_iter().filter_map(trigger))
        .collect()
}

/// More errors than the stable version has beside it.
pub(super) fn errors_vs_baseline() -> Trigger {
    trigger_of(Metric::ErrorRate, Bound::AboveBaselineBy(0.0))
}

/// The trigger on `metric`, if one is built in.
pub(super) fn trigger(metric: Metric) -> Option<Trigger> {
    let bound = match metric {
        Metric::ErrorRate | Metric::NegativeShare => Bound::Above(0.05),
        Metric::P95Ms => Bound::AboveBaselineBy(0.2),
        Metric::CostUsd => Bound::AboveBaselineBy(0.3),
        Metric::SatisfiedShare => Bound::Below(0.8),
        Metric::SecurityEvents => Bound::Above(0.0),
        Metric::Nps
        | Metric::Health
        | Metric::Probes
        | Metric::ReplacementRate
        | Metric::CostPerResolvedUsd
        | Metric::Measure(_) => return None,
    };
    Some(trigger_of(metric, bound))
}

/// A trigger as it is when only its bound is given.
pub(super) fn trigger_of(metric: Metric, bound: Bound) -> Trigger {
    let (action, alert) = match metric {
        Metric::ErrorRate | Metric::Health | Metric::Probes => (Action::Stop, AlertLevel::High),
        Metric::P95Ms
        | Metric::ReplacementRate
        | Metric::CostPerResolvedUsd
        | Metric::Measure(_) => (Action::Switch, AlertLevel::Medium),
        Metric::CostUsd => (Action::Stop, AlertLevel::Medium),
        Metric::SecurityEvents => (Action::StopImmediately, AlertLevel::Highest),
        Metric::SatisfiedShare | Metric::NegativeShare | Metric::Nps => {
            (Action::Switch, AlertLevel::High)
        }
    };
    // Feedback is rare, and quantiles and means scatter: they look back further.
    let window_ms = match metric {
        Metric::P95Ms | Metric::CostUsd | Metric::Measure(_) => 30 * MINUTE_MS,
        // Outcomes that users tell come late.
        Metric::SatisfiedShare
        | Metric::NegativeShare
        | Metric::Nps
        | Metric::ReplacementRate
        | Metric::CostPerResolvedUsd => 4 * HOUR_MS,
        Metric::ErrorRate | Metric::SecurityEvents | Metric::Health | Metric::Probes => {
            5 * MINUTE_MS
        }
    };
    let judge = Judge::default();
    let min_samples = trigger_samples(metric, bound, judge);
    Trigger { metric, bound, judge, window_ms, min_samples, action, alert, dry_run: false }
}

/// Fewest samples of a trigger that does not say. Statistical judges need none to bound their
/// error, but for means, whose test holds only after some.
pub(super) fn trigger_samples(metric: Metric, bound: Bound, judge: Judge) -> u64 {
    match (metric, judge) {
        (Metric::SecurityEvents, _) => 0,
        (Metric::CostUsd | Metric::CostPerResolvedUsd, Judge::Statistical) => 200,
        (Metric::Measure(_), Judge::Statistical) if bound.is_relative() => 200,
        // Whoever has a ticket may vote: a handful of them is not the users.
        (Metric::SatisfiedShare | Metric::NegativeShare | Metric::Nps, Judge::Statistical) => 30,
        (Metric::Health | Metric::Probes, _) | (_, Judge::Statistical) => 1,
        (Metric::ErrorRate | Metric::ReplacementRate, Judge::Threshold) => 100,
        (
            Metric::P95Ms | Metric::CostUsd | Metric::CostPerResolvedUsd | Metric::Measure(_),
            Judge::Threshold,
        ) => 300,
        (Metric::SatisfiedShare | Metric::NegativeShare | Metric::Nps, Judge::Threshold) => 50,
    }
}
