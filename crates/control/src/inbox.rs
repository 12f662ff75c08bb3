//! Commands, security events and fuses, in the order in which they were acknowledged.

use lockgate_model::config::{Misfit, misfits};
use lockgate_model::ids::{AgentName, FuseId, PlanName, RolloutId, VersionName};
use lockgate_model::probe::Probes;
use lockgate_model::security::{Fuse, FuseCause};
use lockgate_rollout::event::Event;
use lockgate_rollout::machine;
use lockgate_rollout::start::{NewRollout, start};
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::{
    InboxBody, InboxId, InboxItem, InboxOutcome, StepCommit, StoreError, Versioned,
};
use uuid::Uuid;

use crate::path::Start;
use crate::reconcile::{Pass, log};
use crate::{path, precede, security};

const ITEMS_MAX: u32 = 100;
const GATEWAY_SEEN_MS: u64 = 60_000;

/// What becomes of an item.
pub(crate) enum Handled {
    /// Committed together with a step.
    Committed,
    /// Nothing to step; this is the answer.
    Answer(InboxOutcome),
    /// Not yet: what it waits for is under way.
    Later,
}

fn refused(reason: impl Into<String>) -> Handled {
    Handled::Answer(InboxOutcome::Refused { reason: reason.into() })
}

pub(crate) fn done(result: impl Into<String>) -> Handled {
    Handled::Answer(InboxOutcome::Done { result: result.into() })
}

pub(crate) async fn handle(pass: &mut Pass, fence: u64) -> Result<(), StoreError> {
    for item in pass.store.inbox_pending(ITEMS_MAX).await? {
        let handled = match one(pass, fence, &item).await {
            // Someone else moved the rollout on: the item is still there for the next pass.
            Err(StoreError::Stale) => Handled::Later,
            other => other?,
        };
        if let Handled::Answer(outcome) = handled {
            pass.store.finish_inbox(fence, item.id, outcome).await?;
        }
    }
    Ok(())
}

async fn one(pass: &Pass, fence: u64, item: &InboxItem) -> Result<Handled, StoreError> {
    match &item.body {
        InboxBody::Start { agent, candidate, plan, reason, replace, in_spite_because, .. } => {
            let (replace, in_spite_because) = (*replace, in_spite_because.as_deref());
            let plan = plan.as_ref();
            let asked = Asked { agent, candidate, plan, reason, replace, in_spite_because };
            begin(pass, fence, item, &asked).await
        }
        InboxBody::Command { command, reason } => {
            let (by, reason) = (item.by.clone(), reason.clone());
            say(pass, fence, item, &Event::Command { command: *command, by, reason }).await
        }
        InboxBody::Gate { gate, about, open, reason } => {
            let (by, reason) = (item.by.clone(), reason.clone());
            let (gate, about, open) = (*gate, *about, *open);
            say(pass, fence, item, &Event::Gate { gate, about, open, by, reason }).await
        }
        InboxBody::Security(event) => {
            let Some(rollout) = open_of(pass, &event.agent, &event.version).await? else {
                return security::of_no_release(pass, fence, item.id, event).await;
            };
            let event = Event::Security {
                id: event.id,
                detail: event.detail.clone(),
                by: event.principal.clone(),
                stable_shows_it: event.stable_shows_it,
            };
            commit(pass, fence, item.id, &rollout, &event).await
        }
        InboxBody::Fuse(fuse) => {
            let Some(rollout) = open_of(pass, &fuse.agent, &fuse.version).await? else {
                return Ok(done("recorded; it stays latched until the version is released again"));
            };
            commit(pass, fence, item.id, &rollout, &fuse_event(fuse)).await
        }
    }
}

/// Says it to the rollout that the item names.
async fn say(
    pass: &Pass,
    fence: u64,
    item: &InboxItem,
    event: &Event,
) -> Result<Handled, StoreError> {
    let Some(id) = item.rollout else {
        return Ok(refused("the command names no rollout"));
    };
    let Some(rollout) = pass.store.rollout(id).await? else {
        return Ok(refused(format!("there is no rollout {id}")));
    };
    commit(pass, fence, item.id, &rollout, event).await
}

fn fuse_event(fuse: &Fuse) -> Event {
    let (cause, security) = match &fuse.cause {
        FuseCause::SecurityEvent { event } => (format!("security event {event}"), true),
        FuseCause::HardLimit { limit } => (limit.clone(), false),
    };
    let cause = format!("gateway {} cut the version off: {cause}", fuse.gateway);
    Event::Fuse { id: fuse.id, cause, security }
}

async fn open_of(
    pass: &Pass,
    agent: &AgentName,
    version: &VersionName,
) -> Result<Option<Versioned<Rollout>>, StoreError> {
    let open = pass.store.rollouts_open().await?;
    Ok(open.into_iter().find(|open| open.value.agent == *agent && open.value.candidate == *version))
}

/// Steps a rollout and commits the step together with the item's outcome.
async fn commit(
    pass: &Pass,
    fence: u64,
    item: InboxId,
    rollout: &Versioned<Rollout>,
    event: &Event,
) -> Result<Handled, StoreError> {
    let step = match machine::step(&rollout.value, event, pass.clock.now()) {
        Ok(step) => step,
        Err(error) => return Ok(refused(error.to_string())),
    };
    if let Some(transition) = &step.transition {
        log(&step.rollout, transition);
    }
    let outcome = InboxOutcome::Done { result: step.rollout.phase.as_str().into() };
    pass.store
        .commit_step(StepCommit {
            fence,
            rollout: &step.rollout,
            row_version: rollout.row_version,
            transition: step.transition.as_ref(),
            effects: &step.effects,
            handled: &[(item, outcome)],
        })
        .await?;
    Ok(Handled::Committed)
}

struct Asked<'a> {
    agent: &'a AgentName,
    candidate: &'a VersionName,
    plan: Option<&'a PlanName>,
    reason: &'a str,
    replace: bool,
    /// Why it starts although its path is blocked.
    in_spite_because: Option<&'a str>,
}

async fn begin(
    pass: &Pass,
    fence: u64,
    item: &InboxItem,
    asked: &Asked<'_>,
) -> Result<Handled, StoreError> {
    let defined = match defined(pass, asked) {
        Ok(defined) => defined,
        Err(reason) => return Ok(refused(reason)),
    };
    let Start { config, agent, plan, .. } = defined;
    let stable = pass.store.split(asked.agent).await?.map(|split| split.stable);
    let mut of_path = Vec::new();
    // Asked first: what is refused takes nothing back either. What is stable is only returned to.
    if stable.as_ref() != Some(asked.candidate)
        && let Some(release) = path::judge(pass, &defined).await?
    {
        if !release.open && asked.in_spite_because.is_none() {
            return Ok(refused(release.why()));
        }
        of_path = path::causes(&release, asked.in_spite_because.map(|why| (item.by.as_str(), why)));
    }
    let open = pass.store.rollouts_open().await?;
    if let Some(open) = open.iter().find(|open| open.value.agent == *asked.agent) {
        return make_way(pass, fence, item.id, open, asked, stable.as_ref()).await;
    }
    if stable.as_ref() == Some(asked.candidate) {
        return Ok(refused(format!("version {} is stable already", asked.candidate)));
    }
    let fuses = latched(pass, asked).await?;
    let new = NewRollout {
        id: RolloutId(Uuid::now_v7()),
        agent: asked.agent.clone(),
        candidate: asked.candidate.clone(),
        stable,
        plan: config.plan_for(agent, &plan.name).unwrap_or_else(|| plan.clone()),
        by_key: agent.sticky.is_some(),
        latency: agent.latency,
        sources: agent.sources(),
        probes: agent.probes.as_ref().map(Probes::names).unwrap_or_default(),
        probes_digest: agent.probes.as_ref().and_then(|probes| probes.digest.clone()),
        measures: agent.measures.clone(),
        by: item.by.clone(),
        reason: asked.reason.to_owned(),
        fuses,
        waits_for: precede::waits_for(agent, &open),
        passed_before: precede::passed_before(&pass.store, asked.agent, asked.candidate).await?,
    };
    let mut step = start(new, pass.clock.now());
    if let Some(transition) = &mut step.transition {
        transition.causes.extend(of_path);
        log(&step.rollout, transition);
    }
    let outcome = InboxOutcome::Done { result: step.rollout.id.to_string() };
    let transition = step.transition.as_ref();
    let handled = [(item.id, outcome)];
    pass.store.create_rollout(fence, &step.rollout, transition, &step.effects, &handled).await?;
    Ok(Handled::Committed)
}

fn defined<'a>(pass: &'a Pass, asked: &Asked<'_>) -> Result<Start<'a>, String> {
    let config = pass.definitions.config().ok_or("no configuration is active yet")?;
    let agent = config
        .agents
        .iter()
        .find(|agent| agent.name == *asked.agent)
        .ok_or_else(|| format!("there is no agent {}", asked.agent))?;
    let version = agent
        .version(asked.candidate)
        .ok_or_else(|| format!("agent {} has no version {}", asked.agent, asked.candidate))?;
    let name = asked.plan.unwrap_or(&agent.plan);
    let plan = config
        .plans
        .iter()
        .find(|plan| plan.name == *name)
        .ok_or_else(|| format!("there is no plan {name}"))?;
    // The file was checked with the agent's own plan; another one may ask for more.
    let others = |misfit: &Misfit| matches!(misfit, Misfit::NoTestEndpoint { version, .. } if version != asked.candidate);
    if let Some(misfit) = misfits(agent, plan).iter().find(|misfit| !others(misfit)) {
        return Err(format!("plan {name} does not fit agent {}: {misfit}", asked.agent));
    }
    Ok(Start { config, agent, version, plan })
}

/// A release of the same agent is under way: it goes back to 0 before anything else starts.
async fn make_way(
    pass: &Pass,
    fence: u64,
    item: InboxId,
    open: &Versioned<Rollout>,
    asked: &Asked<'_>,
    stable: Option<&VersionName>,
) -> Result<Handled, StoreError> {
    let candidate = asked.candidate;
    if open.value.candidate == *candidate {
        return Ok(refused(format!(
            "version {candidate} is being released already, by rollout {}",
            open.value.id
        )));
    }
    if matches!(open.value.phase, Phase::RollingBack { .. }) {
        return Ok(Handled::Later);
    }
    if !asked.replace {
        let Rollout { id, candidate: other, .. } = &open.value;
        return Ok(refused(format!("version {other} is being released, by rollout {id}")));
    }
    let event = Event::Superseded { by: candidate.clone() };
    if stable == Some(candidate) {
        // Back to what is stable: nothing to judge, only to take back.
        return commit(pass, fence, item, open, &event).await;
    }
    let Ok(step) = machine::step(&open.value, &event, pass.clock.now()) else {
        return Ok(Handled::Later);
    };
    pass.store
        .commit_step(StepCommit {
            fence,
            rollout: &step.rollout,
            row_version: open.row_version,
            transition: step.transition.as_ref(),
            effects: &step.effects,
            handled: &[],
        })
        .await?;
    Ok(Handled::Later)
}

/// Fuses that still cut the candidate off. Starting it again is a person's word that they may go.
async fn latched(pass: &Pass, asked: &Asked<'_>) -> Result<Vec<FuseId>, StoreError> {
    let gateways = pass.store.gateways(GATEWAY_SEEN_MS).await?;
    let mut ids: Vec<FuseId> = gateways
        .iter()
        .flat_map(|gateway| &gateway.report.fuses)
        .filter(|fuse| fuse.agent == *asked.agent && fuse.version == *asked.candidate)
        .map(|fuse| fuse.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
