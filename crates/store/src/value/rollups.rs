//! Interactions by the hour and by the day. Each is counted in the transaction that writes it, so that none is counted
//! twice and none is lost.

use std::collections::BTreeMap;

use lockgate_model::ids::AgentName;
use lockgate_value::rollup::{Bucket, HOUR_MS, Slot};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// How much time one rollup covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// An hour of UTC.
    Hour,
    /// A day of UTC.
    Day,
}

impl Resolution {
    fn ms(self) -> i64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }
}

#[derive(FromRow)]
struct Row {
    agent: String,
    version: String,
    start_wall_ms: i64,
    body: Vec<u8>,
}

impl Row {
    fn read(self) -> Result<(Slot, Bucket), StoreError> {
        let Self { agent, version, start_wall_ms, body } = self;
        let version = Some(version.as_str()).filter(|version| !version.is_empty());
        let slot = Slot {
            agent: codec::parse("agent", &agent)?,
            version: codec::parse_some("version", version)?,
            start_wall_ms,
        };
        Ok((slot, bucket(&body)?))
    }
}

pub(super) fn bucket(bytes: &[u8]) -> Result<Bucket, StoreError> {
    Bucket::from_bytes(bytes).map_err(|error| StoreError::Value {
        what: "a rollup of interactions",
        value: error.to_string(),
    })
}

impl Store {
    /// Rollups of one agent, or of all, that begin in `[from, to)` (milliseconds since the Unix epoch); by time, agent
    /// and version.
    pub async fn value_rollups(
        &self,
        resolution: Resolution,
        agent: Option<&AgentName>,
        from_wall_ms: i64,
        to_wall_ms: i64,
    ) -> Result<Vec<(Slot, Bucket)>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT agent, version, start_wall_ms, body FROM value_rollup
             WHERE resolution_ms = ?1 AND start_wall_ms >= ?2 AND start_wall_ms < ?3
                 AND (?4 IS NULL OR agent = ?4)
             ORDER BY start_wall_ms, agent, version",
        )
        .bind(resolution.ms())
        .bind(from_wall_ms)
        .bind(to_wall_ms)
        .bind(agent.map(AgentName::as_str))
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }
}

/// Adds what interactions came to, by their hours.
pub(crate) async fn add(
    conn: &mut SqliteConnection,
    hours: BTreeMap<Slot, Bucket>,
) -> Result<(), StoreError> {
    let mut days: BTreeMap<Slot, Bucket> = BTreeMap::new();
    for (slot, bucket) in hours {
        days.entry(slot.clone().day()).or_default().merge(&bucket);
        change_one(conn, Resolution::Hour, &slot, |known| known.merge(&bucket)).await?;
    }
    for (slot, bucket) in days {
        change_one(conn, Resolution::Day, &slot, |known| known.merge(&bucket)).await?;
    }
    Ok(())
}

/// Changes the rollups in which an interaction of this hour was counted.
pub(crate) async fn change(
    conn: &mut SqliteConnection,
    hour: &Slot,
    change: impl Fn(&mut Bucket),
) -> Result<(), StoreError> {
    change_one(conn, Resolution::Hour, hour, &change).await?;
    change_one(conn, Resolution::Day, &hour.clone().day(), &change).await
}

async fn change_one(
    conn: &mut SqliteConnection,
    resolution: Resolution,
    slot: &Slot,
    change: impl FnOnce(&mut Bucket),
) -> Result<(), StoreError> {
    let version = slot.version.as_ref().map_or("", |version| version.as_str());
    let known: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM value_rollup
         WHERE resolution_ms = ? AND agent = ? AND start_wall_ms = ? AND version = ?",
    )
    .bind(resolution.ms())
    .bind(slot.agent.as_str())
    .bind(slot.start_wall_ms)
    .bind(version)
    .fetch_optional(&mut *conn)
    .await?;
    let mut bucket = known.as_deref().map(bucket).transpose()?.unwrap_or_default();
    change(&mut bucket);
    sqlx::query(
        "INSERT INTO value_rollup (resolution_ms, agent, start_wall_ms, version, body)
         VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (resolution_ms, agent, start_wall_ms, version) DO UPDATE SET body = excluded.body",
    )
    .bind(resolution.ms())
    .bind(slot.agent.as_str())
    .bind(slot.start_wall_ms)
    .bind(version)
    .bind(bucket.to_bytes())
    .execute(conn)
    .await?;
    Ok(())
}
