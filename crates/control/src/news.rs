//! What a release hears before each look at its numbers: that its plan or its probes were edited, that others
//! have ended, that its split is not what it ordered.

use std::sync::Arc;

use lockgate_model::config::misfits;
use lockgate_model::probe::Probes;
use lockgate_model::snapshot::Split;
use lockgate_rollout::event::Event;
use lockgate_rollout::state::Rollout;
use lockgate_store::StoreError;

use crate::precede;
use crate::reconcile::Pass;

pub(crate) async fn of(pass: &Pass, rollout: &Rollout) -> Result<Option<Event>, StoreError> {
    if let Some(event) = edited(pass, rollout).or_else(|| other_probes(pass, rollout)) {
        return Ok(Some(event));
    }
    if let Some(event) = precede::ahead(&pass.store, rollout).await? {
        return Ok(Some(event));
    }
    if !rollout.applied {
        return Ok(None);
    }
    let found = pass.store.split(&rollout.agent).await?;
    Ok(differs(rollout, found.as_ref()).map(|found| Event::Drifted { found }))
}

/// The plan of its name as the active configuration has it, when it is another one and the agent
/// can be released by it.
fn edited(pass: &Pass, rollout: &Rollout) -> Option<Event> {
    let (config, by) = pass.definitions.active()?;
    let agent = config.agent(&rollout.agent)?;
    let plan = config.plan_for(agent, &rollout.plan.name)?;
    let known = rollout.next_plan.as_ref().unwrap_or(&rollout.plan);
    if **known == plan || !misfits(agent, &plan).is_empty() {
        return None;
    }
    Some(Event::PlanChanged { plan: Arc::new(plan), by: by.to_owned() })
}

/// The agent's probes as the active configuration has them, when they are others than those that it
/// is judged by.
fn other_probes(pass: &Pass, rollout: &Rollout) -> Option<Event> {
    let (config, by) = pass.definitions.active()?;
    let probes = config.agent(&rollout.agent)?.probes.as_ref();
    let digest = probes.and_then(|probes| probes.digest.clone());
    if !rollout.awaits_probes() || digest == rollout.probes_digest {
        return None;
    }
    let names = probes.map(Probes::names).unwrap_or_default();
    Some(Event::ProbesChanged { names, digest, by: by.to_owned() })
}

/// What gateways are told of the candidate, if that is not what the rollout ordered.
fn differs(rollout: &Rollout, found: Option<&Split>) -> Option<String> {
    let Some(found) = found else { return Some("no split".into()) };
    let candidate = found.candidate.as_ref();
    let weight_bp = candidate
        .filter(|candidate| candidate.version == rollout.candidate)
        .map_or(0, |candidate| candidate.weight_bp);
    let same = found.rollout == Some(rollout.id)
        && found.epoch == rollout.epoch
        && weight_bp == rollout.weight_bp
        && Some(&found.stable) == rollout.stable.as_ref();
    (!same).then(|| format!("{} %", f64::from(weight_bp) / 100.0))
}
