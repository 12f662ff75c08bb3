//! Questions to people in a window, and what speaks against asking less: security events, quarantines and incidents.

use lockgate_model::approval::AskTerm;
use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_model::quarantine::Stopped;
use lockgate_value::event::{Event, What};
use lockgate_value::suggest::question::{Bar, CameTo, Question};
use lockgate_value::window::Window;
use sqlx::FromRow;

use super::gather::COUNTS;
use crate::approvals::ApprovalState;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// An incident that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The agent; none for all of them.
    pub agent: Option<AgentName>,
    /// The version that caused it.
    pub caused_by: Option<VersionName>,
    /// The release that caused it.
    pub release: Option<RolloutId>,
    /// When it was noticed, milliseconds since the Unix epoch.
    pub detected_wall_ms: i64,
    /// When it was over.
    pub recovered_wall_ms: Option<i64>,
}

#[derive(FromRow)]
struct Columns {
    agent: String,
    tool: String,
    action: String,
    terms: String,
    state: String,
    asked_wall_ms: i64,
    answered_wall_ms: Option<i64>,
}

impl Columns {
    fn question(self) -> Result<Question, StoreError> {
        let terms: Vec<AskTerm> = codec::from_json("terms", &self.terms)?;
        let came_to = came_to(ApprovalState::parse(&self.state)?);
        let is_answered = matches!(came_to, CameTo::Granted | CameTo::Denied);
        let answered = self.answered_wall_ms.filter(|_| is_answered);
        Ok(Question {
            agent: codec::parse("agent", &self.agent)?,
            tool: self.tool,
            action: self.action,
            rules: terms.into_iter().map(|term| term.rule).collect(),
            came_to,
            waited_ms: answered.map(|at| at - self.asked_wall_ms),
        })
    }
}

impl Store {
    /// Questions that were asked in a window, by when. The store keeps them for thirty days after their end.
    pub async fn questions(&self, window: &Window) -> Result<Vec<Question>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT a.agent, a.tool, a.action, a.terms, a.state, a.asked_wall_ms,
                 (SELECT MAX(v.at_wall_ms) FROM approval_vote v WHERE v.approval = a.id)
                     AS answered_wall_ms
             FROM approval a WHERE a.asked_wall_ms >= ? AND a.asked_wall_ms < ?
             ORDER BY a.asked_wall_ms, a.id",
        )
        .bind(window.from_wall_ms())
        .bind(window.to_wall_ms())
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::question).collect()
    }

    /// What happened in a window that speaks against asking people less.
    pub async fn bars(&self, window: &Window) -> Result<Vec<Bar>, StoreError> {
        let mut bars = Vec::new();
        let events: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT agent FROM security_event WHERE at_wall_ms >= ? AND at_wall_ms < ?
             ORDER BY agent",
        )
        .bind(window.from_wall_ms())
        .bind(window.to_wall_ms())
        .fetch_all(&self.inner.reader)
        .await?;
        for agent in events {
            let why = format!("{agent} had a security event");
            bars.push(Bar { agent: Some(codec::parse("agent", &agent)?), tool: None, why });
        }
        let stopped: Vec<String> = sqlx::query_scalar(
            "SELECT stopped FROM quarantine
             WHERE begun_wall_ms < ?2 AND (lifted_wall_ms IS NULL OR lifted_wall_ms >= ?1)
             ORDER BY id",
        )
        .bind(window.from_wall_ms())
        .bind(window.to_wall_ms())
        .fetch_all(&self.inner.reader)
        .await?;
        for stopped in stopped {
            let stopped: Stopped = codec::from_json("quarantine", &stopped)?;
            let tool = match &stopped {
                Stopped::Tool { tool } => Some(tool.to_string()),
                _ => None,
            };
            let why = format!("{stopped}: quarantined");
            bars.push(Bar { agent: stopped.agent().cloned(), tool, why });
        }
        for incident in self.incidents(window).await? {
            let why = match &incident.agent {
                Some(agent) => format!("{agent} had an incident"),
                None => "there was an incident".into(),
            };
            bars.push(Bar { agent: incident.agent, tool: None, why });
        }
        Ok(bars)
    }

    /// Incidents that were noticed in a window or lasted into it.
    pub async fn incidents(&self, window: &Window) -> Result<Vec<Incident>, StoreError> {
        let sql = format!(
            "SELECT body FROM value_event WHERE kind = 'incident' AND {COUNTS} ORDER BY id"
        );
        let bodies: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.inner.reader).await?;
        let mut incidents = Vec::new();
        for body in bodies {
            let event: Event = codec::from_json("a value event", &body)?;
            let What::Incident { detected_wall_ms, recovered_wall_ms, caused_by, release } =
                event.what
            else {
                continue;
            };
            let lasts = recovered_wall_ms.is_none_or(|at| at >= window.from_wall_ms());
            if detected_wall_ms < window.to_wall_ms() && lasts {
                incidents.push(Incident {
                    agent: event.agent,
                    caused_by,
                    release,
                    detected_wall_ms,
                    recovered_wall_ms,
                });
            }
        }
        Ok(incidents)
    }
}

/// A yes that was not used is a yes.
fn came_to(state: ApprovalState) -> CameTo {
    match state {
        ApprovalState::Granted | ApprovalState::Used | ApprovalState::Lapsed => CameTo::Granted,
        ApprovalState::Denied | ApprovalState::Over => CameTo::Denied,
        ApprovalState::Expired => CameTo::Unanswered,
        ApprovalState::Waiting => CameTo::Open,
    }
}
