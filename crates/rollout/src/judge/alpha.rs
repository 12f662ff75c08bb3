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
    /// that somebody else changed is set anew in an epoch more; when there are too many of them, epochs
    /// have spent their part. A release that is held may have any number of blocks more than its
    /// plan, so the parts of those are a series whose sum is known.
    pub(super) fn share(self, rollout: &Rollout, epochs: usize) -> f64 {
        let plan = &rollout.plan;
        let epochs_most = plan.stages.len() + EPOCHS_MORE;
        match self {
            Self::Release => 0.85,
            Self::Epoch if epochs > epochs_most => 0.0,
            Self::Epoch => 0.075 / epochs_most as f64,
            Self::Block => {
                of_block(rollout.block.map_or(0, |block| block.number), plan.blocks_max())
            }
        }
    }
}

/// The part of the block with this number, of a plan that has so many.
fn of_block(number: u64, planned: u64) -> f64 {
    let (n, planned) = (number as f64, planned as f64);
    if n <= planned {
        BLOCKS_PLANNED_SHARE / planned
    } else {
        // sum over n > N of N / (n (n + 1)) = N / (N + 1)
        BLOCKS_BEYOND_SHARE * planned / (n * (n + 1.0))
    }
}

/// Of all blocks that a plan has, extensions among them.
const BLOCKS_PLANNED_SHARE: f64 = 0.065;
/// Of all that come after those.
const BLOCKS_BEYOND_SHARE: f64 = 0.01;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_blocks_there_are_their_parts_stay_within_the_whole() {
        for planned in [1, 53, 293, 10_000] {
            let sum: f64 = (1..=1_000_000).map(|number| of_block(number, planned)).sum();
            let whole = BLOCKS_PLANNED_SHARE + BLOCKS_BEYOND_SHARE;
            assert!(sum <= whole && sum > BLOCKS_PLANNED_SHARE, "{planned}: {sum}");
            assert!((whole - 0.075).abs() < 1e-12);
        }
    }
}
