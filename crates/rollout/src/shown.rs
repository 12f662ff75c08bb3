//! What a promoted release shows, by its steps.

use lockgate_model::path::{ReleaseShown, StageShown};
use lockgate_model::plan::Metric;

use crate::explain::{Transition, Verdict};
use crate::state::{Phase, Rollout};

/// What a release shows; `None` unless it was promoted. Its transitions are in order, from the first.
pub fn shown(rollout: &Rollout, transitions: &[Transition]) -> Option<ReleaseShown> {
    let promoted_wall_ms = rollout.ended_wall_ms.filter(|_| rollout.phase == Phase::Promoted)?;
    let pairs = transitions.windows(2).filter_map(|pair| match pair {
        [before, after] => Some((before, after)),
        _ => None,
    });
    let left = pairs.filter(|(before, after)| leaves(before, after));
    Some(ReleaseShown {
        rollout: rollout.id,
        version: rollout.candidate.clone(),
        promoted_wall_ms,
        overridden: rollout.overridden_by.is_some(),
        planned: rollout.plan.stages.len(),
        stages: left.filter_map(|(before, after)| stage(rollout, before, after)).collect(),
    })
}

/// Whether a stage ended between two steps. The last one may have no time of its own, and is entered only.
fn leaves(before: &Transition, after: &Transition) -> bool {
    after.stage > before.stage || after.to == Phase::Promoted.as_str()
}

/// A stage that is in the plan no more, as the plan was changed, shows nothing.
fn stage(rollout: &Rollout, before: &Transition, after: &Transition) -> Option<StageShown> {
    let of_plan = rollout.plan.stages.get(before.stage)?;
    if of_plan.weight_bp != before.weight_bp {
        return None;
    }
    let passed = after.causes.iter().filter(|cause| cause.verdict == Some(Verdict::Pass));
    let mut passed: Vec<Metric> = passed.filter_map(|cause| cause.metric).collect();
    passed.sort_unstable();
    passed.dedup();
    Some(StageShown {
        weight_bp: before.weight_bp,
        environment: of_plan.environment,
        mirror_bp: of_plan.mirror_bp,
        dwell_ms: after.dwell_ms,
        passed,
    })
}
