//! Paths to production: reports of what repositories show, and what is known here of an agent's releases.

use lockgate_model::agent::Agent;
use lockgate_model::config::{Config, Scenario};
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::path::{Criterion, Ended, Oversight, ReleaseShown, ServerFacts};
use lockgate_model::plan::Plan;
use lockgate_rollout::shown::shown;
use lockgate_rollout::state::Phase;
use lockgate_value::judge::{Judged, State};
use lockgate_value::report::report;
use lockgate_value::window::Window;
use serde_json::Value;
use sqlx::FromRow;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Gateways that were heard of within this time have a say about health.
const GATEWAY_SEEN_WITHIN_MS: u64 = 10_000;

/// Releases of an agent that are looked back at.
const RELEASES_MAX: u32 = 50;

/// What a review looks back at.
const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;

/// Reports of one agent, at most: the oldest makes room.
const REPORTS_MAX: i64 = 500;

/// A report as it was posted.
#[derive(Debug, Clone, PartialEq)]
pub struct PathReport {
    /// The agent.
    pub agent: AgentName,
    /// The version that it is a report of.
    pub version: VersionName,
    /// The path that it was made for.
    pub path: Scenario,
    /// The commit that was looked at.
    pub commit: String,
    /// Who posted it.
    pub by: String,
    /// When, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// The findings, which mean nothing here.
    pub findings: Value,
}

#[derive(FromRow)]
struct Columns {
    agent: String,
    version: String,
    path: String,
    commit_id: String,
    principal: String,
    at_wall_ms: i64,
    body: String,
}

impl Columns {
    fn report(self) -> Result<PathReport, StoreError> {
        Ok(PathReport {
            agent: codec::parse("agent", &self.agent)?,
            version: codec::parse("version", &self.version)?,
            path: codec::parse("path", &self.path)?,
            commit: self.commit_id,
            by: self.principal,
            at_wall_ms: self.at_wall_ms,
            findings: codec::from_json("path report", &self.body)?,
        })
    }
}

impl Store {
    /// Keeps a report. It is on disk when this returns, and control is awake.
    pub async fn add_path_report(&self, report: &PathReport) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO path_report (agent, version, path, commit_id, principal, at_wall_ms, body)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(report.agent.as_str())
        .bind(report.version.as_str())
        .bind(report.path.as_str())
        .bind(&report.commit)
        .bind(&report.by)
        .bind(report.at_wall_ms)
        .bind(codec::to_json("path report", &report.findings)?)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM path_report WHERE agent = ?1 AND id <=
                 (SELECT id FROM path_report WHERE agent = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(report.agent.as_str())
        .bind(REPORTS_MAX)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// The newest report of this version and path; without one the newest that comes closest to it.
    pub async fn path_report(
        &self,
        agent: &AgentName,
        version: &VersionName,
        path: Scenario,
    ) -> Result<Option<PathReport>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT agent, version, path, commit_id, principal, at_wall_ms, body FROM path_report
             WHERE agent = ? ORDER BY version = ? DESC, path = ? DESC, id DESC LIMIT 1",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .bind(path.as_str())
        .fetch_optional(&self.inner.reader)
        .await?;
        row.map(Columns::report).transpose()
    }

    /// The newest promoted releases of an agent, as far as they are looked back at, newest first.
    pub async fn releases_shown(&self, agent: &AgentName) -> Result<Vec<ReleaseShown>, StoreError> {
        let mut all = Vec::new();
        for rollout in self.rollouts(Some(agent), RELEASES_MAX).await? {
            if rollout.phase != Phase::Promoted {
                continue;
            }
            let steps = self.transitions(rollout.id).await?;
            let steps: Vec<_> = steps.into_iter().map(|step| step.transition).collect();
            all.extend(shown(&rollout, &steps));
        }
        Ok(all)
    }

    /// What is known here of an agent's path.
    pub async fn path_facts(
        &self,
        config: &Config,
        agent: &Agent,
        plan: &Plan,
        oversight: &dyn Oversight,
        at_wall_ms: i64,
    ) -> Result<ServerFacts, StoreError> {
        let gateways = self.gateways(GATEWAY_SEEN_WITHIN_MS).await?;
        let said = gateways.iter().flat_map(|gateway| &gateway.report.health);
        let said = said.filter(|health| health.agent == agent.name);
        let said: Vec<bool> =
            said.flat_map(|health| [health.production, health.test]).flatten().collect();
        let (first_promoted_wall_ms, ended) = self.ended_of(&agent.name).await?;
        Ok(ServerFacts {
            agent: agent.name.clone(),
            plan: plan.clone(),
            sources: agent.sources(),
            answers: (!said.is_empty()).then(|| said.contains(&true)),
            shares_address_with: shares_address_with(config, agent),
            policy: oversight.policy(),
            audit: oversight.audit(),
            releases: self.releases_shown(&agent.name).await?,
            first_promoted_wall_ms,
            ended,
            worth: self.worth_of(&agent.name, at_wall_ms).await?,
            at_wall_ms,
        })
    }

    /// The criteria of success over the year up to now.
    async fn worth_of(
        &self,
        agent: &AgentName,
        at_wall_ms: i64,
    ) -> Result<Vec<Criterion>, StoreError> {
        // A clock that is no time of this century knows nothing.
        let Ok(year) = Window::new(at_wall_ms - YEAR_MS, at_wall_ms, "UTC") else {
            return Ok(Vec::new());
        };
        let report = report(&self.value_gathered(year, Some(agent)).await?);
        Ok(report.success.into_iter().map(criterion).collect())
    }

    async fn ended_of(&self, agent: &AgentName) -> Result<(Option<i64>, Ended), StoreError> {
        let (first, promoted, taken_back): (Option<i64>, i64, i64) = sqlx::query_as(
            "SELECT MIN(CASE WHEN phase = 'promoted' THEN ended_wall_ms END),
                 COUNT(CASE WHEN phase = 'promoted' THEN 1 END),
                 COUNT(CASE WHEN phase IN ('rolled_back', 'aborted') THEN 1 END)
             FROM rollout WHERE agent = ? AND is_open = 0",
        )
        .bind(agent.as_str())
        .fetch_one(&self.inner.reader)
        .await?;
        let promoted = codec::unsigned("releases", promoted)?;
        let taken_back = codec::unsigned("releases", taken_back)?;
        Ok((first, Ended { promoted, taken_back }))
    }
}

fn criterion(judged: Judged) -> Criterion {
    let Judged { id, threshold, state, value, why, .. } = judged;
    let told = match (value, why) {
        (_, Some(why)) => why,
        (Some(value), None) => format!("{value}, and success asks for more than {threshold}"),
        (None, None) => "it was not measured".to_owned(),
    };
    let met = match state {
        State::Met => Some(true),
        State::NotMet => Some(false),
        State::Unknown => None,
    };
    Criterion { measure: id.spec().id.to_owned(), met, told }
}

/// Other agents with a version at an address of one of this agent's.
fn shares_address_with(config: &Config, agent: &Agent) -> Vec<AgentName> {
    let own: Vec<&str> = agent.versions.iter().filter_map(|one| origin(&one.endpoint)).collect();
    let others = config.agents.iter().filter(|other| other.name != agent.name);
    let shares = |other: &&Agent| {
        let mut origins = other.versions.iter().filter_map(|one| origin(&one.endpoint));
        origins.any(|one| own.contains(&one))
    };
    others.filter(shares).map(|other| other.name.clone()).collect()
}

/// Scheme, host and port of an endpoint that the configuration has checked.
fn origin(endpoint: &str) -> Option<&str> {
    let start = endpoint.find("://")? + 3;
    let end = endpoint[start..].find('/').map_or(endpoint.len(), |at| start + at);
    Some(&endpoint[..end])
}
