//! Finding a release and looking at it.

use lockgate_model::ids::{AgentName, RolloutId};
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_rollout::view::{self, RolloutView};

use crate::auth::Principal;
use crate::problem::{ApiError, Kind};
use crate::shapes::RolloutSummary;
use crate::state::App;
use crate::{clock, fleet};

/// The release called `id`, or the newest one of `agent` for `latest`, if `principal` sees it.
pub(crate) async fn find(
    app: &App,
    principal: &Principal,
    id: &str,
    agent: Option<&AgentName>,
) -> Result<Rollout, ApiError> {
    let none = || {
        ApiError::not_found(format_args!("rollout `{id}`"))
            .hint("`GET /api/v1/rollouts` lists them.")
            .cli_hint("`lockgate rollout list` shows them")
    };
    let rollout = if id == "latest" {
        let Some(agent) = agent else {
            return Err(ApiError::new(Kind::BadRequest, "`latest` needs to know of which agent.")
                .hint("Add `?agent=NAME`."));
        };
        fleet::known(app, principal, agent).await?;
        let newest = app.store.rollouts(Some(agent), 1).await?;
        newest.into_iter().next().ok_or_else(|| {
            ApiError::new(Kind::NotFound, format!("Agent `{agent}` has no release yet."))
        })?
    } else {
        let id: RolloutId = id.parse().map_err(|_| none())?;
        app.store.rollout(id).await?.ok_or_else(none)?.value
    };
    let other = agent.is_some_and(|agent| *agent != rollout.agent);
    if other || !principal.sees(&rollout.agent) {
        return Err(none());
    }
    Ok(rollout)
}

/// A release as people see it, judged now.
pub(crate) async fn view(app: &App, rollout: &Rollout) -> Result<RolloutView, ApiError> {
    let now_wall_ms = clock::wall_ms();
    let signals = app.store.signals(rollout, now_wall_ms).await?;
    let mut view = view::view(rollout, &signals);
    if rollout.phase == Phase::Promoted {
        view.applied = app.store.revision_of_epoch(rollout.id, rollout.epoch).await?.is_some();
    }
    // Epochs of a release share users; only the store knows who was there before.
    let keys = app.store.release_keys(rollout).await?;
    let total = |arm: usize| keys.values().map(|arms| arms[arm].assigned).sum();
    (view.candidate_arm.keys, view.stable_arm.keys) = (total(0), total(1));
    Ok(view)
}

/// Releases that `principal` sees, newest first.
pub(crate) async fn recent(
    app: &App,
    principal: &Principal,
    agent: Option<&AgentName>,
    limit: u32,
) -> Result<Vec<RolloutSummary>, ApiError> {
    let rollouts = match (agent, principal.agents()) {
        (Some(_), _) | (None, None) => app.store.rollouts(agent, limit).await?,
        (None, Some(agents)) => {
            let mut seen = Vec::new();
            for agent in agents {
                seen.extend(app.store.rollouts(Some(agent), limit).await?);
            }
            seen.sort_by_key(|rollout| std::cmp::Reverse((rollout.started_wall_ms, rollout.id)));
            seen.truncate(limit as usize);
            seen
        }
    };
    Ok(rollouts.iter().map(RolloutSummary::from).collect())
}
