//! What happened, in order: the source of server-sent events.

use lockgate_model::ids::{AgentName, RolloutId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedRow {
    /// Grows; where a listener resumes.
    pub id: i64,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// `transition`, `command`, `config`, `security_event`, `fuse`, `split`.
    pub kind: String,
    /// The agent it concerns.
    pub agent: Option<AgentName>,
    /// The rollout it concerns.
    pub rollout: Option<RolloutId>,
    /// The rest.
    pub body: Value,
}

/// What a transaction adds to the feed.
pub(crate) struct News<'a> {
    pub(crate) at_wall_ms: i64,
    pub(crate) kind: &'static str,
    pub(crate) agent: Option<&'a AgentName>,
    pub(crate) rollout: Option<RolloutId>,
    pub(crate) body: Value,
}

/// Writes within the transaction that it tells about.
pub(crate) async fn tell(conn: &mut SqliteConnection, news: News<'_>) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO feed (at_wall_ms, kind, agent, rollout, body) VALUES (?, ?, ?, ?, ?)")
        .bind(news.at_wall_ms)
        .bind(news.kind)
        .bind(news.agent.map(AgentName::as_str))
        .bind(news.rollout.map(|id| id.to_string()))
        .bind(news.body.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

type Columns = (i64, i64, String, Option<String>, Option<String>, String);

impl Store {
    /// What happened after the row `after`, oldest first.
    pub async fn feed_since(&self, after: i64, limit: u32) -> Result<Vec<FeedRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, at_wall_ms, kind, agent, rollout, body FROM feed
             WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(row).collect()
    }

    /// The id of the newest row, 0 when there is none: where a listener starts that wants only
    /// what comes.
    pub async fn feed_newest(&self) -> Result<i64, StoreError> {
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT MAX(id) FROM feed").fetch_one(&self.inner.reader).await?;
        Ok(newest.unwrap_or(0))
    }
}

fn row((id, at_wall_ms, kind, agent, rollout, body): Columns) -> Result<FeedRow, StoreError> {
    Ok(FeedRow {
        id,
        at_wall_ms,
        kind,
        agent: codec::parse_some("agent", agent.as_deref())?,
        rollout: codec::parse_some("rollout id", rollout.as_deref())?,
        body: codec::from_json("feed row", &body)?,
    })
}
