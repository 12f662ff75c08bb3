//! What a report of a window has to know of the time before it: which version was stable when, and since when anything was seen.

use futures_util::TryStreamExt as _;
use lockgate_model::ids::AgentName;
use lockgate_value::gather::{Gathered, Release, Tally};
use sqlx::FromRow;

use super::gather::COUNTS;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

#[derive(FromRow)]
struct Began {
    agent: String,
    started_wall_ms: i64,
    candidate: String,
    stable: Option<String>,
    promoted_wall_ms: Option<i64>,
}

impl Store {
    /// Which version was stable when: every release that began before the window's end, over or not.
    pub(super) async fn gather_stable(
        &self,
        gathered: &mut Gathered,
        only: Option<&AgentName>,
    ) -> Result<(), StoreError> {
        let mut rows = sqlx::query_as::<_, Began>(
            "SELECT agent, started_wall_ms, body ->> 'candidate' AS candidate, body ->> 'stable' AS stable,
                 CASE WHEN phase = 'promoted' THEN ended_wall_ms END AS promoted_wall_ms
             FROM rollout WHERE started_wall_ms < ?1 AND (?2 IS NULL OR agent = ?2)",
        )
        .bind(gathered.window().to_wall_ms())
        .bind(only.map(AgentName::as_str))
        .fetch(&self.inner.reader);
        while let Some(row) = rows.try_next().await? {
            let release = Release {
                started_wall_ms: Some(row.started_wall_ms),
                version: codec::parse("version", &row.candidate)?,
                stable: codec::parse_some("version", row.stable.as_deref())?,
                promoted_wall_ms: row.promoted_wall_ms,
            };
            gathered.release(&codec::parse("agent", &row.agent)?, release);
        }
        Ok(())
    }

    /// When anything was seen first, and when the server last took something in. Interactions come after the first release of
    /// their agent, which is known, or lie in the window.
    pub(super) async fn gather_seen(
        &self,
        gathered: &mut Gathered,
        only: Option<&AgentName>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT MIN(CASE kind WHEN 'deployment' THEN body ->> 'finished_wall_ms' ELSE at_wall_ms END)
             FROM value_event INDEXED BY value_event_single
             WHERE is_single = 1 AND (at_wall_ms < ?1 OR kind = 'deployment')
                 AND kind IN ('time_saved', 'error_introduced', 'deployment')
                 AND (?2 IS NULL OR agent = ?2) AND {COUNTS}"
        );
        let first: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(gathered.window().from_wall_ms())
            .bind(only.map(AgentName::as_str))
            .fetch_one(&self.inner.reader)
            .await?;
        let tallied = self.first_tallied(only, gathered.window().from_wall_ms()).await?;
        first.into_iter().chain(tallied).for_each(|at| gathered.seen(at));
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(at) FROM (SELECT MAX(seen_wall_ms) AS at FROM gateway UNION ALL
                 SELECT * FROM (SELECT received_wall_ms FROM value_event ORDER BY id DESC LIMIT 1))",
        )
        .fetch_one(&self.inner.reader)
        .await?;
        if let Some(at) = last {
            gathered.taken_in(at);
        }
        Ok(())
    }

    /// The first quarter before a time in which events of agents at work were counted together, of which some are left.
    async fn first_tallied(
        &self,
        only: Option<&AgentName>,
        before_wall_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        let mut rows = sqlx::query_as::<_, (i64, String)>(
            "SELECT start_wall_ms, body FROM value_tally
             WHERE start_wall_ms < ?1 AND (?2 IS NULL OR agent = ?2)
                 AND (import = '' OR import IN (SELECT id FROM value_import WHERE is_done = 1))
             ORDER BY start_wall_ms",
        )
        .bind(before_wall_ms)
        .bind(only.map(AgentName::as_str))
        .fetch(&self.inner.reader);
        while let Some((start_wall_ms, body)) = rows.try_next().await? {
            let tally: Tally = codec::from_json("a tally of events", &body)?;
            if tally.shows_work() {
                return Ok(Some(start_wall_ms));
            }
        }
        Ok(None)
    }
}
