//! What was said last of drift, on behalf of agents.

use lockgate_model::drift::{Drift, DriftSeen, Root};
use lockgate_model::ids::{AgentName, DriftSource};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Sources of one agent, at most.
const SOURCES_MAX: i64 = 20;

/// The last result of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftRow {
    /// On whose behalf.
    pub agent: AgentName,
    /// Who looked.
    pub source: DriftSource,
    /// How it came out.
    pub outcome: Drift,
    /// When what was compared was looked at, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// When it was heard of.
    pub received_wall_ms: i64,
    /// Whose token said it.
    pub by: String,
    /// What was compared.
    pub roots: Vec<Root>,
}

#[derive(FromRow)]
struct Columns {
    agent: String,
    source: String,
    outcome: String,
    at_wall_ms: i64,
    received_wall_ms: i64,
    principal: String,
    roots: String,
}

impl Columns {
    fn row(self) -> Result<DriftRow, StoreError> {
        Ok(DriftRow {
            agent: codec::parse("agent", &self.agent)?,
            source: codec::parse("source", &self.source)?,
            outcome: codec::from_tag("outcome", &self.outcome)?,
            at_wall_ms: self.at_wall_ms,
            received_wall_ms: self.received_wall_ms,
            by: self.principal,
            roots: codec::from_json("roots", &self.roots)?,
        })
    }
}

impl Store {
    /// Keeps a result in the place of an older one of its source; `false` when there is one that is as new, or newer.
    pub async fn keep_drift(&self, row: &DriftRow) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let others: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM drift_result WHERE agent = ? AND source <> ?")
                .bind(row.agent.as_str())
                .bind(row.source.as_str())
                .fetch_one(&mut *tx)
                .await?;
        if others >= SOURCES_MAX {
            return Err(StoreError::Full { what: "sources of drift results", max: SOURCES_MAX });
        }
        let kept = sqlx::query(
            "INSERT INTO drift_result
                 (agent, source, outcome, at_wall_ms, received_wall_ms, principal, roots)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (agent, source) DO UPDATE SET
                 outcome = excluded.outcome, at_wall_ms = excluded.at_wall_ms,
                 received_wall_ms = excluded.received_wall_ms, principal = excluded.principal,
                 roots = excluded.roots
             WHERE excluded.at_wall_ms > drift_result.at_wall_ms",
        )
        .bind(row.agent.as_str())
        .bind(row.source.as_str())
        .bind(codec::to_tag("outcome", &row.outcome)?)
        .bind(row.at_wall_ms)
        .bind(row.received_wall_ms)
        .bind(&row.by)
        .bind(codec::to_json("roots", &row.roots)?)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(kept.rows_affected() > 0)
    }

    /// The last result of each source of an agent, by their names.
    pub async fn drift(&self, agent: &AgentName) -> Result<Vec<DriftRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT agent, source, outcome, at_wall_ms, received_wall_ms, principal, roots
             FROM drift_result WHERE agent = ? ORDER BY source",
        )
        .bind(agent.as_str())
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }
}

/// What a release of an agent is told of it.
pub(crate) async fn seen(
    conn: &mut SqliteConnection,
    agent: &AgentName,
) -> Result<Vec<DriftSeen>, StoreError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT source, outcome, at_wall_ms FROM drift_result WHERE agent = ? ORDER BY source",
    )
    .bind(agent.as_str())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(source, outcome, at_wall_ms)| {
            Ok(DriftSeen {
                source: codec::parse("source", &source)?,
                outcome: codec::from_tag("outcome", &outcome)?,
                at_wall_ms,
            })
        })
        .collect()
}
