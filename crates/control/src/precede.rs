//! What a release must know of others: which come first, and how its version did before.

use lockgate_model::agent::Agent;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_rollout::event::Event;
use lockgate_rollout::state::{PassedBefore, Phase, Rollout};
use lockgate_store::{Store, StoreError, Versioned};

/// Releases of an agent that are looked back at.
const HISTORY_MAX: u32 = 100;

/// The agents that come before this one and are being released.
pub(crate) fn waits_for(agent: &Agent, open: &[Versioned<Rollout>]) -> Vec<AgentName> {
    let is_open = |name: &&AgentName| open.iter().any(|open| open.value.agent == **name);
    agent.after.iter().filter(is_open).cloned().collect()
}

/// When a version was stable last, and the release that made it so.
struct Before {
    until_wall_ms: Option<i64>,
    rollout: Rollout,
}

/// How a version that was promoted fared; `None` when it was not, or was taken back since.
async fn before(
    store: &Store,
    agent: &AgentName,
    candidate: &VersionName,
) -> Result<Option<Before>, StoreError> {
    let mut until_wall_ms = None;
    for rollout in store.rollouts(Some(agent), HISTORY_MAX).await? {
        let is_same = rollout.candidate == *candidate;
        match rollout.phase {
            // By judgement or by a person.
            Phase::RolledBack | Phase::Aborted if is_same => return Ok(None),
            Phase::Promoted if is_same => return Ok(Some(Before { until_wall_ms, rollout })),
            Phase::Promoted => until_wall_ms = rollout.ended_wall_ms,
            _ => {}
        }
    }
    Ok(None)
}

/// Until when a version was stable that had passed all its stages, or had none as the first one.
/// One that a person forced through, or that was taken back since, has to pass them again.
pub(crate) async fn passed_before(
    store: &Store,
    agent: &AgentName,
    candidate: &VersionName,
) -> Result<Option<PassedBefore>, StoreError> {
    let before = before(store, agent, candidate).await?;
    Ok(before.filter(|before| before.rollout.overridden_by.is_none()).and_then(|before| {
        let until_wall_ms = before.until_wall_ms?;
        Some(PassedBefore { rollout: before.rollout.id, until_wall_ms })
    }))
}

/// Until when a version was stable, however it became so.
pub(crate) async fn stable_until(
    store: &Store,
    agent: &AgentName,
    candidate: &VersionName,
) -> Result<Option<i64>, StoreError> {
    Ok(before(store, agent, candidate).await?.and_then(|before| before.until_wall_ms))
}

/// What a pending release hears of those that it waits for.
pub(crate) async fn ahead(store: &Store, rollout: &Rollout) -> Result<Option<Event>, StoreError> {
    if rollout.phase != Phase::Pending {
        return Ok(None);
    }
    for agent in &rollout.waits_for {
        let newest = store.rollouts(Some(agent), 1).await?.pop();
        let ended = newest.as_ref().filter(|newest| newest.phase.is_end());
        if newest.is_none() || ended.is_some() {
            let well = ended.is_none_or(|ended| ended.phase == Phase::Promoted);
            let detail = ended.map_or("there is none", |ended| ended.phase.as_str()).to_owned();
            return Ok(Some(Event::Ahead { agent: agent.clone(), well, detail }));
        }
    }
    Ok(None)
}
