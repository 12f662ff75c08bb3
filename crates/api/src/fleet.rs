//! Agents as they stand now: configuration, splits, open releases and health put together.

use std::collections::BTreeMap;

use lockgate_model::agent::Agent;
use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_model::plan::WHOLE_BP;
use lockgate_model::ports::VersionHealth;
use lockgate_model::snapshot::Split;
use lockgate_rollout::state::Phase;
use lockgate_store::StoreError;

use crate::auth::Principal;
use crate::problem::ApiError;
use crate::shapes::{AgentSummary, Replaced, VersionState, VersionSummary};
use crate::state::App;

/// Gateways that were heard of within this time have a say about health.
pub(crate) const GATEWAY_SEEN_WITHIN_MS: u64 = 10_000;

/// All agents that `principal` sees, in the order of the configuration.
pub(crate) async fn agents(
    app: &App,
    principal: &Principal,
) -> Result<Vec<AgentSummary>, ApiError> {
    let Some(config) = app.config().await? else {
        return Ok(Vec::new());
    };
    let present = Present::read(app).await?;
    Ok(config
        .agents
        .iter()
        .filter(|agent| principal.sees(&agent.name))
        .map(|agent| present.summary(agent))
        .collect())
}

/// One agent, if `principal` sees it.
pub(crate) async fn agent(
    app: &App,
    principal: &Principal,
    name: &AgentName,
) -> Result<AgentSummary, ApiError> {
    let agent = defined(app, principal, name).await?;
    Ok(Present::read(app).await?.summary(&agent))
}

/// The definition of an agent, if `principal` sees it.
pub(crate) async fn defined(
    app: &App,
    principal: &Principal,
    name: &AgentName,
) -> Result<Agent, ApiError> {
    let config = app.config().await?;
    let agents = config.iter().flat_map(|config| &config.agents);
    let seen: Vec<&Agent> = agents.filter(|agent| principal.sees(&agent.name)).collect();
    if let Some(&agent) = seen.iter().find(|agent| agent.name == *name) {
        return Ok(agent.clone());
    }
    let names: Vec<&str> = seen.iter().map(|agent| agent.name.as_str()).collect();
    Err(ApiError::unknown("agent", name.as_str(), &names))
}

/// Refuses the name of an agent that `principal` does not see, and one that never was there.
pub(crate) async fn known(
    app: &App,
    principal: &Principal,
    name: &AgentName,
) -> Result<(), ApiError> {
    let Err(unknown) = defined(app, principal, name).await else { return Ok(()) };
    if principal.sees(name) && is_or_was(app, name).await? { Ok(()) } else { Err(unknown) }
}

/// Whether there is such an agent, or was: one that left the configuration still has its releases.
pub(crate) async fn is_or_was(app: &App, name: &AgentName) -> Result<bool, ApiError> {
    let config = app.config().await?;
    let is = config.is_some_and(|config| config.agents.iter().any(|agent| agent.name == *name));
    Ok(is || !app.store.rollouts(Some(name), 1).await?.is_empty())
}

/// The error for a version that an agent does not have.
pub(crate) fn no_version(agent: &Agent, name: &VersionName) -> ApiError {
    let names: Vec<&str> = agent.versions.iter().map(|version| version.name.as_str()).collect();
    let error = ApiError::unknown("version", name.as_str(), &names);
    let known = error.hint_text().map(|hint| format!("{hint} ")).unwrap_or_default();
    ApiError::new(error.kind(), format!("Agent `{}` has no version `{name}`.", agent.name))
        .hint(format!("{known}A new one is added to the configuration and applied first."))
}

/// The open release of an agent that a new one would have to replace.
pub(crate) async fn open_release(
    app: &App,
    agent: &AgentName,
) -> Result<Option<Replaced>, StoreError> {
    let open = app.store.rollouts_open().await?.into_iter().map(|open| open.value);
    let mut of_agent = open.filter(|open| open.agent == *agent);
    // One that goes back already is only waited for.
    let open = of_agent.find(|open| !matches!(open.phase, Phase::RollingBack { .. }));
    Ok(open.map(|open| Replaced { rollout: open.id, version: open.candidate }))
}

struct Present {
    splits: BTreeMap<AgentName, Split>,
    open: BTreeMap<AgentName, RolloutId>,
    health: Vec<VersionHealth>,
}

impl Present {
    async fn read(app: &App) -> Result<Self, StoreError> {
        let open = app.store.rollouts_open().await?;
        let gateways = app.store.gateways(GATEWAY_SEEN_WITHIN_MS).await?;
        Ok(Self {
            splits: app.store.splits().await?.into_iter().collect(),
            open: open.into_iter().map(|open| (open.value.agent, open.value.id)).collect(),
            health: gateways.into_iter().flat_map(|gateway| gateway.report.health).collect(),
        })
    }

    fn summary(&self, agent: &Agent) -> AgentSummary {
        let split = self.splits.get(&agent.name);
        let versions = agent.versions.iter().map(|manifest| {
            let (state, weight_bp) = role_in(split, &manifest.name);
            VersionSummary {
                name: manifest.name.clone(),
                digest: manifest.digest().as_str().to_owned(),
                state,
                weight_bp,
                healthy: self.health(agent, &manifest.name, |health| health.production),
                test_healthy: self.health(agent, &manifest.name, |health| health.test),
            }
        });
        AgentSummary {
            name: agent.name.clone(),
            stable: split.map(|split| split.stable.clone()),
            split: split.cloned(),
            versions: versions.collect(),
            plan: agent.plan.clone(),
            open_rollout: self.open.get(&agent.name).copied(),
        }
    }

    /// False when any gateway says so, unknown when any does not know or none says anything.
    fn health(
        &self,
        agent: &Agent,
        version: &VersionName,
        of: impl Fn(&VersionHealth) -> Option<bool>,
    ) -> Option<bool> {
        let said: Vec<Option<bool>> = self
            .health
            .iter()
            .filter(|health| health.agent == agent.name && health.version == *version)
            .map(of)
            .collect();
        if said.contains(&Some(false)) {
            return Some(false);
        }
        (!said.is_empty() && !said.contains(&None)).then_some(true)
    }
}

fn role_in(split: Option<&Split>, version: &VersionName) -> (VersionState, u32) {
    let Some(split) = split else {
        return (VersionState::Idle, 0);
    };
    let of = |member: &Option<lockgate_model::snapshot::Member>| {
        member.as_ref().filter(|member| member.version == *version).map(|member| member.weight_bp)
    };
    if let Some(weight_bp) = of(&split.candidate) {
        return (VersionState::Candidate, weight_bp);
    }
    if split.stable == *version {
        let taken = split.candidate.as_ref().map_or(0, |member| member.weight_bp);
        return (VersionState::Stable, WHOLE_BP.saturating_sub(taken));
    }
    match of(&split.retiring) {
        Some(weight_bp) => (VersionState::Retiring, weight_bp),
        None => (VersionState::Idle, 0),
    }
}
