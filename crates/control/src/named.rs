//! Versions that the configuration file asks to release by naming them.

use std::collections::BTreeMap;

use lockgate_model::agent::{Agent, OnNewVersion};
use lockgate_model::ids::AgentName;
use lockgate_model::version::Manifest;
use lockgate_readiness::path::Release;
use lockgate_store::{InboxBody, NewInboxItem, StoreError, file_key};

use crate::path::{self, Start};
use crate::reconcile::Pass;

/// Releases of an agent among which a version is looked for.
const RELEASES_MAX: u32 = 100;

/// The first version of a new agent becomes stable, and a new version starts when the file says
/// `on_new_version: start`. Submitted like any other command, once per version, and not before its path is open.
/// Returns whose path is not, and why.
pub(crate) async fn start_what_the_file_asks(
    pass: &Pass,
    held_before: &BTreeMap<AgentName, String>,
    fence: u64,
) -> Result<BTreeMap<AgentName, String>, StoreError> {
    let mut held = BTreeMap::new();
    let Some(config) = pass.definitions.config() else {
        return Ok(held);
    };
    for agent in &config.agents {
        let stable = pass.store.split(&agent.name).await?.map(|split| split.stable);
        let candidate = match (&stable, agent.on_new_version) {
            (None, _) => agent.versions.first(),
            (Some(stable), OnNewVersion::Start) => {
                agent.versions.last().filter(|version| version.name != *stable)
            }
            (Some(_), OnNewVersion::Hold) => None,
        };
        let Some(version) = candidate else { continue };
        let plan = config.plan(&agent.plan);
        let start = plan.map(|plan| Start { config, agent, version, plan });
        if let Some(start) = &start
            && let Some(release) = blocked(pass, start).await?
        {
            let why = release.why();
            if held_before.get(&agent.name) == Some(&why)
                || path::record_held(pass, start, &release).await
            {
                held.insert(agent.name.clone(), why);
            } else {
                // Not on record: it is told once more.
                held.insert(agent.name.clone(), String::new());
            }
            continue;
        }
        submit(pass, agent, version, fence).await?;
    }
    Ok(held)
}

/// Why a version that was not released before has to wait for its path.
async fn blocked(pass: &Pass, start: &Start<'_>) -> Result<Option<Release>, StoreError> {
    let releases = pass.store.rollouts(Some(&start.agent.name), RELEASES_MAX).await?;
    if releases.iter().any(|release| release.candidate == start.version.name) {
        return Ok(None);
    }
    Ok(path::judge(pass, start).await?.filter(|release| !release.open))
}

async fn submit(
    pass: &Pass,
    agent: &Agent,
    version: &Manifest,
    fence: u64,
) -> Result<(), StoreError> {
    let submitted = pass
        .store
        .submit(NewInboxItem {
            key: Some(file_key(&agent.name, &version.digest())),
            agent: agent.name.clone(),
            rollout: None,
            body: InboxBody::Start {
                agent: agent.name.clone(),
                candidate: version.name.clone(),
                plan: None,
                reason: "named by the configuration file".into(),
                retry_of: None,
                // The file names the newest version: it is what its writer wants.
                replace: true,
                in_spite_because: None,
            },
            by: "configuration".into(),
            at_wall_ms: pass.clock.now().wall_ms,
        })
        .await;
    match submitted {
        // Asked for before, by a program that worded it differently.
        Err(StoreError::KeyReused { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(submitted) => {
            tracing::debug!(agent = %agent.name, ?submitted, fence, "the file asks for a release");
            Ok(())
        }
    }
}
