//! Short plans of all kinds, versions of all kinds: which ones, a seed says.

use std::sync::Arc;

use crate::draw::Dice;
use crate::truth::Truth;
use crate::world::{Faults, Setup};
use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::hook::Confirm;
use lockgate_model::measure::{Better, Measure};
use lockgate_model::plan::{
    ALPHA_DEFAULT, Absent, Action, AlertLevel, Assurance, Bound, Environment, Gate, Judge, Metric,
    OnInsufficient, Plan, Stage, Trigger, WHOLE_BP,
};

const SECOND_MS: u64 = 1_000;

fn gate(metric: Metric, bound: Bound, min_samples: u64) -> Gate {
    let (judge, assurance) = (Judge::Statistical, Assurance::Observed);
    let absent = Absent::Waive;
    Gate { metric, bound, min_samples, judge, assurance, absent, dry_run: false }
}

fn trigger(metric: Metric, bound: Bound, min_samples: u64, action: Action) -> Trigger {
    Trigger {
        metric,
        bound,
        judge: Judge::Statistical,
        window_ms: 60 * SECOND_MS,
        min_samples,
        action,
        alert: AlertLevel::High,
        dry_run: false,
    }
}

/// Three minutes, when nothing holds it up.
fn short() -> Plan {
    let gates = || {
        vec![
            gate(Metric::ErrorRate, Bound::Below(0.02), 50),
            gate(Metric::P95Ms, Bound::Below(300.0), 50),
            gate(Metric::Nps, Bound::Above(50.0), 5),
            gate(Metric::SecurityEvents, Bound::Equal(0.0), 0),
        ]
    };
    let stage = |name: &str, weight_bp, seconds: u64, gates| Stage {
        name: name.into(),
        weight_bp,
        duration_ms: seconds * SECOND_MS,
        extension_max_ms: seconds * SECOND_MS,
        environment: Environment::Production,
        mirror_bp: 0,
        gates,
        confirm: None,
    };
    Plan {
        name: "short".parse().expect("a literal that is a name"),
        stages: vec![
            stage("test", 0, 30, vec![gate(Metric::Health, Bound::Equal(1.0), 1)]),
            stage("10%", 1_000, 60, gates()),
            stage("50%", 5_000, 60, gates()),
            stage("100%", 10_000, 0, Vec::new()),
        ],
        triggers: vec![
            trigger(Metric::ErrorRate, Bound::Above(0.05), 1, Action::Stop),
            trigger(Metric::ErrorRate, Bound::AboveBaselineBy(0.0), 1, Action::Stop),
            trigger(Metric::P95Ms, Bound::AboveBaselineBy(0.2), 1, Action::Switch),
            trigger(Metric::CostUsd, Bound::AboveBaselineBy(0.3), 100, Action::Stop),
            trigger(Metric::SecurityEvents, Bound::Above(0.0), 0, Action::StopImmediately),
            trigger(Metric::SatisfiedShare, Bound::Below(0.8), 1, Action::Switch),
            trigger(Metric::NegativeShare, Bound::Above(0.05), 1, Action::Switch),
        ],
        hard_limits: vec![],
        on_insufficient: OnInsufficient::Rollback,
        alpha: ALPHA_DEFAULT,
        tick_ms: 10 * SECOND_MS,
        drain_ms: 30 * SECOND_MS,
        progress_deadline_ms: None,
        few_stages: None,
        freeze: vec![],
        initial_delay_ms: 0,
        source_errors_max: lockgate_model::plan::SOURCE_ERRORS_MAX_DEFAULT,
        rollback_window_ms: None,
        rollback_gate: None,
        drift: None,
        path: None,
    }
}

/// Estimates beside thresholds.
fn threshold() -> Plan {
    let mut plan = short();
    for trigger in &mut plan.triggers {
        trigger.judge = Judge::Threshold;
        trigger.min_samples = trigger.min_samples.max(30);
    }
    plan.stages.iter_mut().flat_map(|stage| &mut stage.gates).for_each(|gate| {
        gate.judge = Judge::Threshold;
    });
    plan
}

/// More samples asked for than come in time.
fn starving() -> Plan {
    let mut plan = short();
    for gate in plan.stages.iter_mut().flat_map(|stage| &mut stage.gates) {
        if gate.metric == Metric::ErrorRate {
            gate.min_samples = 300;
        }
    }
    plan.on_insufficient = OnInsufficient::Pause;
    plan
}

/// Proofs, a deadline, and what is only tried.
fn strict() -> Plan {
    let mut plan = short();
    for gate in plan.stages.iter_mut().flat_map(|stage| &mut stage.gates) {
        if gate.metric == Metric::ErrorRate {
            gate.assurance = Assurance::Proved;
            gate.bound = Bound::Below(0.04);
        }
    }
    let never = Gate { dry_run: true, ..gate(Metric::P95Ms, Bound::Below(1.0), 1) };
    plan.stages[1].gates.push(never);
    let always = trigger(Metric::P95Ms, Bound::Above(1.0), 1, Action::StopImmediately);
    let health = trigger(Metric::Health, Bound::Equal(0.0), 1, Action::Stop);
    plan.triggers.insert(0, Trigger { dry_run: true, judge: Judge::Threshold, ..always });
    plan.triggers.insert(1, Trigger { judge: Judge::Threshold, ..health });
    for trigger in &mut plan.triggers {
        if trigger.metric == Metric::SecurityEvents {
            trigger.bound = Bound::AboveBaselineBy(0.0);
        }
    }
    plan.progress_deadline_ms = Some(200 * SECOND_MS);
    plan
}

/// Some releases must wait: for the end of a freeze window, or for somebody's word. Dice of its own,
/// so that seeds keep what they stood for before.
fn held_up(plan: &mut Plan, seed: u64) {
    let mut dice = Dice::new(seed.rotate_left(23) ^ 0xF4EE_2E00);
    if dice.chance(0.15) {
        let window = "1970-01-01 00:01 - 1970-01-01 00:03 UTC";
        plan.freeze.push(window.parse().expect("a literal that is a window"));
    }
    if dice.chance(0.15) {
        let users = plan.stages.iter_mut().filter(|stage| (1..WHOLE_BP).contains(&stage.weight_bp));
        users.for_each(|stage| stage.confirm = Some(Confirm::Person));
    }
}

/// Some agents have measures of their own, and some candidates are worse by them alone. Dice of its own,
/// as above.
fn measured(setup: &mut Setup, seed: u64) {
    let mut dice = Dice::new(seed.rotate_left(41) ^ 0x3EA5_0BED);
    if !dice.chance(0.2) {
        return;
    }
    let measure = |name: &str, better| Measure {
        name: name.parse().expect("a literal that is a name"),
        better,
        from: 0.0,
        to: 1.0,
    };
    setup.measures = vec![measure("grounded", Better::Higher), measure("idle", Better::Lower)];
    let [grounded, idle] = [0, 1].map(|index: usize| Metric::Measure(setup.measures[index].name));
    setup.sources.extend([grounded, idle].into_iter().flat_map(Metric::sources));
    let plan = Arc::make_mut(&mut setup.plan);
    let judge = plan.triggers.last().map_or(Judge::Statistical, |trigger| trigger.judge);
    let samples = if judge == Judge::Threshold { 30 } else { 1 };
    let triggers = [
        trigger(grounded, Bound::BelowBaselineBy(0.1), samples.max(100), Action::Switch),
        trigger(idle, Bound::Above(0.3), samples, Action::Stop),
    ];
    plan.triggers.extend(triggers.map(|trigger| Trigger { judge, ..trigger }));
    for stage in plan.stages.iter_mut().filter(|stage| stage.weight_bp > 0 && stage.duration_ms > 0)
    {
        let gate = gate(grounded, Bound::Above(0.8), 50);
        stage.gates.push(Gate { judge, ..gate });
    }
    if dice.chance(0.3) {
        setup.candidate.report = 0.5;
    }
}

/// What a seed stands for.
pub fn setup(seed: u64, faults: Faults) -> Setup {
    let mut dice = Dice::new(!seed);
    let good = Truth { vote_share: 0.2, ..Truth::default() };
    let candidate = match dice.below(10) {
        0 | 1 => Truth { error_rate: 0.5, ..good },
        2 => Truth { error_rate: 0.03, ..good },
        3 => Truth { median_ms: 3.0 * good.median_ms, ..good },
        4 => Truth { cost_usd: 3.0 * good.cost_usd, ..good },
        5 => Truth { negative: 0.3, satisfied: 0.6, ..good },
        _ => good,
    };
    let mut plan = match dice.below(5) {
        0 => threshold(),
        1 => starving(),
        2 => strict(),
        _ => short(),
    };
    held_up(&mut plan, seed);
    let sources = [SignalSource::Feedback, SignalSource::Cost];
    let mut setup = Setup {
        plan: Arc::new(plan),
        sources: sources.into_iter().filter(|_| dice.chance(0.9)).collect(),
        measures: Vec::new(),
        latency: if dice.chance(0.5) { LatencyMeasure::Auto } else { LatencyMeasure::Total },
        requests_per_s: 20.0,
        stable: good,
        candidate,
        healthy: dice.chance(0.9),
        gateways: 1 + usize::try_from(dice.below(3)).unwrap_or(0),
        faults,
    };
    measured(&mut setup, seed);
    setup
}
