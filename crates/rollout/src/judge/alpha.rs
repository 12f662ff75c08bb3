//! How the error budget of a release is split.
//!
//! A union bound: the chances of all tests together stay below the plan's `alpha`. Triggers act at
//! any moment and get most of it; gates are asked at the end of a stage only.

use lockgate_model::plan::{Bound, Gate, Judge, Metric, Plan, Trigger};

use super::population::Population;
use super::{Role, is_declared};
use crate::state::Rollout;

const TRIGGERS_SHARE: f64 = 0.95;

/// Epochs beside those of the stages.
const EPOCHS_MORE: usize = 4;

/// Evidence is read in three spans: since the start of the release, since the weight epoch began,
/// and since the block began. The first sees most; the others see what comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Release,
    Epoch,
    Block,
}

impl Span {
    pub(super) const ALL: [Self; 3] = [Self::Release, Self::Epoch, Self::Block];

    /// Its part of a test's budget. There are several epochs and many blocks, each with its own. A share
    /// that somebody else changed is set anew in an epoch more: when there are more of them than that,
    /// epochs and blocks have spent their part.
    pub(super) fn share(self, plan: &Plan, epochs: usize) -> f64 {
        let most = plan.stages.len() + EPOCHS_MORE;
        match self {
            Self::Release => 0.85,
            _ if epochs > most => 0.0,
            Self::Epoch => 0.075 / most as f64,
            Self::Block => 0.075 / (plan.blocks_max() + EPOCHS_MORE as u64) as f64,
        }
    }
}

/// The chance that this gate or trigger alone may be wrong about a release that keeps its bound.
pub(super) fn of(role: Role<'_>, rollout: &Rollout) -> f64 {
    let plan = &rollout.plan;
    match role {
        Role::Trigger(trigger) => {
            let armed = plan.triggers.iter().filter(|trigger| armed(trigger, rollout));
            let all: f64 = armed.map(weight).sum();
            plan.alpha * TRIGGERS_SHARE * weight(trigger)
                / all.max(weight(trigger))
                / Population::most(trigger.metric, rollout)
        }
        Role::Gate(gate) => {
            let tests = gates(plan).max(1) as f64;
            plan.alpha * (1.0 - TRIGGERS_SHARE) / tests / Population::most(gate.metric, rollout)
        }
    }
}

/// Errors harm most and take longest to find, so they get most of the budget.
fn weight(trigger: &Trigger) -> f64 {
    match (trigger.metric, trigger.bound) {
        (Metric::ErrorRate, Bound::AboveBaselineBy(_)) => 4.0,
        (Metric::ErrorRate, _) => 3.0,
        // Every request has a latency: a slow candidate shows after few.
        (Metric::P95Ms, _) => 0.5,
        _ => 0.75,
    }
}

fn armed(trigger: &Trigger, rollout: &Rollout) -> bool {
    trigger.judge == Judge::Statistical
        && statistical(trigger.metric)
        && !trigger.dry_run
        && is_declared(trigger.metric, rollout)
}

/// The same gate in several stages is one test on evidence that grows.
fn gates(plan: &Plan) -> usize {
    let all = plan.stages.iter().flat_map(|stage| &stage.gates);
    let mut tests: Vec<(Metric, Bound)> = Vec::new();
    for Gate { metric, bound, judge, dry_run, .. } in all {
        let counts = *judge == Judge::Statistical && statistical(*metric) && !dry_run;
        if counts && !tests.contains(&(*metric, *bound)) {
            tests.push((*metric, *bound));
        }
    }
    tests.len()
}

/// Whether chance plays a part in it.
pub(super) fn statistical(metric: Metric) -> bool {
    !matches!(metric, Metric::Health | Metric::SecurityEvents | Metric::Probes)
}
