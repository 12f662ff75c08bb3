//! The first page: agents, what runs, what is on its way, what was released.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::auth::Principal;
use crate::console::number::{self, Moment};
use crate::console::page::{PageError, Person, draw};
use crate::console::phase::{self, Badge};
use crate::console::session::SignedIn;
use crate::fleet;
use crate::release;
use crate::shapes::{AgentSummary, RolloutSummary, VersionState, VersionSummary};
use crate::state::App;

/// Orders on the page.
const ORDERS_MAX: u32 = 100;
/// Releases on the page.
const RECENT_MAX: u32 = 20;

struct VersionRow {
    name: String,
    state: &'static str,
    weight: String,
    health_mark: &'static str,
    health_word: &'static str,
    health_class: &'static str,
}

impl From<&VersionSummary> for VersionRow {
    fn from(version: &VersionSummary) -> Self {
        let (health_mark, health_word, health_class) = match version.healthy {
            Some(true) => ("●", "healthy", "good"),
            Some(false) => ("✕", "unhealthy", "bad"),
            None => ("○", "health not known", "quiet"),
        };
        Self {
            name: version.name.to_string(),
            state: version.state.as_str(),
            weight: number::weight(version.weight_bp),
            health_mark,
            health_word,
            health_class,
        }
    }
}

struct AgentRow {
    name: String,
    plan: String,
    stable: Option<String>,
    /// The versions that get traffic or could at once.
    versions: Vec<VersionRow>,
    idle: usize,
    open: Option<ReleaseRow>,
}

struct ReleaseRow {
    id: String,
    agent: String,
    candidate: String,
    stable: Option<String>,
    badge: Badge,
    stage: String,
    weight: String,
    /// One class per stage of the small bar.
    marks: Vec<&'static str>,
    by: String,
    reason: String,
    started: Moment,
    took: String,
}

impl ReleaseRow {
    fn new(rollout: &RolloutSummary, now_wall_ms: i64) -> Self {
        let end = rollout.ended_wall_ms.unwrap_or(now_wall_ms);
        let took = u64::try_from(end - rollout.started_wall_ms).unwrap_or(0);
        let badge = phase::badge(&rollout.phase);
        let marks = (0..rollout.stages).map(|index| match index {
            _ if rollout.stable.is_none() => "next",
            _ if rollout.phase == "promoted" => "done",
            index if index < rollout.stage => "done",
            index
                if index == rollout.stage
                    && (badge.class == "bad" || rollout.ended_wall_ms.is_some()) =>
            {
                "back"
            }
            index if index == rollout.stage => "current",
            _ => "next",
        });
        Self {
            id: rollout.id.to_string(),
            agent: rollout.agent.to_string(),
            candidate: rollout.candidate.to_string(),
            stable: rollout.stable.as_ref().map(ToString::to_string),
            badge,
            stage: format!("{} of {}: {}", rollout.stage + 1, rollout.stages, rollout.stage_name),
            weight: number::weight(rollout.weight_bp),
            marks: marks.collect(),
            by: rollout.started_by.clone(),
            reason: rollout.reason.clone(),
            started: number::moment(rollout.started_wall_ms),
            took: number::span(took),
        }
    }
}

/// What is stopped by order.
struct OrderRow {
    what: String,
    by: String,
    reason: String,
    since: Moment,
}

#[derive(Template)]
#[template(path = "overview_live.html")]
struct Live {
    orders: Vec<OrderRow>,
    agents: Vec<AgentRow>,
    releases: Vec<ReleaseRow>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    person: Option<Person>,
    live: Live,
}

async fn live(app: &App, principal: &Principal) -> Result<Live, PageError> {
    let now_wall_ms = crate::clock::wall_ms();
    let agents = fleet::agents(app, principal).await?;
    let recent = release::recent(app, principal, None, RECENT_MAX).await?;
    let mut rows = Vec::new();
    for agent in &agents {
        let open = match agent.open_rollout {
            Some(id) => app.store.rollout(id).await?.map(|open| RolloutSummary::from(&open.value)),
            None => None,
        };
        let open = open.map(|open| ReleaseRow::new(&open, now_wall_ms));
        rows.push(agent_row(agent, open));
    }
    let releases = recent.iter().map(|recent| ReleaseRow::new(recent, now_wall_ms));
    let orders = app.store.quarantines(ORDERS_MAX).await?.into_iter().filter(|row| {
        let agent = row.order.stopped.agent();
        row.lifted_wall_ms.is_none() && agent.is_none_or(|agent| principal.sees(agent))
    });
    let orders = orders.map(|row| OrderRow {
        what: row.order.stopped.to_string(),
        by: row.by,
        reason: row.reason,
        since: number::moment(row.begun_wall_ms),
    });
    Ok(Live { orders: orders.collect(), agents: rows, releases: releases.collect() })
}

fn agent_row(agent: &AgentSummary, open: Option<ReleaseRow>) -> AgentRow {
    let busy = |version: &&VersionSummary| version.state != VersionState::Idle;
    let versions: Vec<VersionRow> =
        agent.versions.iter().filter(busy).map(VersionRow::from).collect();
    AgentRow {
        name: agent.name.to_string(),
        plan: agent.plan.to_string(),
        stable: agent.stable.as_ref().map(ToString::to_string),
        idle: agent.versions.len() - versions.len(),
        versions,
        open,
    }
}

pub(super) async fn page(
    State(app): State<App>,
    SignedIn(principal): SignedIn,
) -> Result<Response, PageError> {
    let page = Page { person: Some(Person::from(&principal)), live: live(&app, &principal).await? };
    Ok(draw(StatusCode::OK, &page))
}

pub(super) async fn fragment(
    State(app): State<App>,
    SignedIn(principal): SignedIn,
) -> Result<Response, PageError> {
    Ok(draw(StatusCode::OK, &live(&app, &principal).await?))
}
