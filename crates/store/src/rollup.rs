//! Coarser rows: windows by the second become minutes, and minutes hours. What they add up to
//! stays the same; which keys they saw does not last.

use std::collections::BTreeMap;

use lockgate_telemetry::arm::Arm;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use crate::codec;
use crate::error::StoreError;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What a coarser row is merged by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, FromRow)]
struct Slot {
    start_wall_ms: i64,
    agent: String,
    version: String,
    rollout: String,
    epoch: i64,
}

impl Slot {
    /// The slot of another resolution that this one lies in.
    fn within(self, resolution_ms: i64) -> Self {
        let start_wall_ms = self.start_wall_ms - self.start_wall_ms.rem_euclid(resolution_ms);
        Self { start_wall_ms, ..self }
    }
}

#[derive(FromRow)]
struct SecondRow {
    id: i64,
    gateway: String,
    boot: String,
    seq: i64,
    arm: String,
    #[sqlx(flatten)]
    slot: Slot,
}

/// Merges windows that are older than this into minutes; gives how many.
pub(crate) async fn seconds(
    conn: &mut SqliteConnection,
    before_wall_ms: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let rows: Vec<SecondRow> = sqlx::query_as(
        "SELECT id, gateway, boot, seq, second_wall_ms AS start_wall_ms, agent, version, rollout,
             epoch, arm
         FROM measurement WHERE second_wall_ms < ? ORDER BY second_wall_ms, id LIMIT ?",
    )
    .bind(before_wall_ms)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let merged = rows.len() as u64;
    let mut slots: BTreeMap<Slot, Arm> = BTreeMap::new();
    let mut counted: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        ids.push(row.id);
        let last = counted.entry((row.gateway, row.boot)).or_default();
        *last = row.seq.max(*last);
        let arm: Arm = codec::from_json("window", &row.arm)?;
        slots.entry(row.slot.within(MINUTE_MS)).or_default().merge(&arm);
    }
    add(conn, MINUTE_MS, slots).await?;
    for ((gateway, boot), seq) in counted {
        sqlx::query(
            "INSERT INTO measurement_merged (gateway, boot, seq) VALUES (?, ?, ?)
             ON CONFLICT (gateway, boot) DO UPDATE SET seq = excluded.seq
                 WHERE excluded.seq > measurement_merged.seq",
        )
        .bind(gateway)
        .bind(boot)
        .bind(seq)
        .execute(&mut *conn)
        .await?;
    }
    if !ids.is_empty() {
        let mut query = QueryBuilder::<Sqlite>::new("DELETE FROM measurement WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        query.push(")");
        query.build().persistent(false).execute(conn).await?;
    }
    Ok(merged)
}

/// Merges minutes that are older than this into hours; gives how many.
pub(crate) async fn minutes(
    conn: &mut SqliteConnection,
    before_wall_ms: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let old: Vec<Slot> = sqlx::query_as(
        "SELECT start_wall_ms, agent, version, rollout, epoch FROM rollup
         WHERE resolution_ms = ? AND start_wall_ms < ? ORDER BY start_wall_ms LIMIT ?",
    )
    .bind(MINUTE_MS)
    .bind(before_wall_ms)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let merged = old.len() as u64;
    let mut slots: BTreeMap<Slot, Arm> = BTreeMap::new();
    for minute in old {
        if let Some(arm) = take(conn, MINUTE_MS, &minute).await? {
            slots.entry(minute.within(HOUR_MS)).or_default().merge(&arm);
        }
    }
    add(conn, HOUR_MS, slots).await?;
    Ok(merged)
}

/// Removes a row and gives what it held.
async fn take(
    conn: &mut SqliteConnection,
    resolution_ms: i64,
    slot: &Slot,
) -> Result<Option<Arm>, StoreError> {
    let arm: Option<String> = sqlx::query_scalar(
        "DELETE FROM rollup WHERE resolution_ms = ? AND start_wall_ms = ? AND agent = ?
             AND version = ? AND rollout = ? AND epoch = ? RETURNING arm",
    )
    .bind(resolution_ms)
    .bind(slot.start_wall_ms)
    .bind(&slot.agent)
    .bind(&slot.version)
    .bind(&slot.rollout)
    .bind(slot.epoch)
    .fetch_optional(conn)
    .await?;
    arm.map(|arm| codec::from_json("rollup", &arm)).transpose()
}

/// Adds to rows that may be there from an earlier call.
async fn add(
    conn: &mut SqliteConnection,
    resolution_ms: i64,
    slots: BTreeMap<Slot, Arm>,
) -> Result<(), StoreError> {
    for (slot, mut arm) in slots {
        if let Some(known) = take(conn, resolution_ms, &slot).await? {
            arm.merge(&known);
        }
        sqlx::query(
            "INSERT INTO rollup (start_wall_ms, agent, version, rollout, epoch, resolution_ms, arm)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(slot.start_wall_ms)
        .bind(slot.agent)
        .bind(slot.version)
        .bind(slot.rollout)
        .bind(slot.epoch)
        .bind(resolution_ms)
        .bind(codec::to_json("rollup", &arm)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
