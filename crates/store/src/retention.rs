//! Retention: seconds for 24 hours, minutes for 30 days, hours for 2 years, single interactions
//! for 90 days. Evidence of rollouts
//! is not touched.

use std::collections::BTreeMap;

use lockgate_telemetry::arm::Arm;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const SECONDS_KEPT_MS: i64 = DAY_MS;
const MINUTES_KEPT_MS: i64 = 30 * DAY_MS;
const HOURS_KEPT_MS: i64 = 730 * DAY_MS;
/// Distinct keys of a rollout are counted in its evidence; the list serves late windows only.
const KEYS_KEPT_AFTER_END_MS: i64 = DAY_MS;
/// Listeners resume within this time.
const FEED_KEPT_MS: i64 = 30 * DAY_MS;
/// Single interactions; what is counted of them lasts as windows do.
const INTERACTIONS_KEPT_MS: i64 = 90 * DAY_MS;
/// Rows of one kind in one call: others wait for the writer meanwhile.
const ROWS_MAX: i64 = 1_000;

/// What one call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Windows merged into minutes.
    pub seconds: u64,
    /// Minutes merged into hours.
    pub minutes: u64,
    /// Hours, answers, interactions, keys and feed rows deleted.
    pub deleted: u64,
    /// Whether another call would find more to do.
    pub more: bool,
}

/// What a coarser row is merged by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    start_wall_ms: i64,
    agent: String,
    version: String,
    rollout: String,
    epoch: i64,
}

impl Store {
    /// Merges and deletes what is old enough: a bounded part of it, all or nothing.
    pub async fn compact(&self, now_wall_ms: i64) -> Result<Compacted, StoreError> {
        let mut tx = self.begin().await?;
        let seconds = seconds(&mut tx, now_wall_ms - SECONDS_KEPT_MS).await?;
        let minutes = minutes(&mut tx, now_wall_ms - MINUTES_KEPT_MS).await?;
        let deletions = [
            (
                "DELETE FROM rollup WHERE (resolution_ms, start_wall_ms, agent, version, rollout,
                     epoch) IN
                     (SELECT resolution_ms, start_wall_ms, agent, version, rollout, epoch
                      FROM rollup WHERE resolution_ms = 3600000 AND start_wall_ms < ? LIMIT ?)",
                HOURS_KEPT_MS,
            ),
            (
                "DELETE FROM answer WHERE id IN
                     (SELECT id FROM answer WHERE at_wall_ms < ? LIMIT ?)",
                HOURS_KEPT_MS,
            ),
            (
                "DELETE FROM interaction WHERE id IN
                     (SELECT id FROM interaction WHERE started_wall_ms < ? LIMIT ?)",
                INTERACTIONS_KEPT_MS,
            ),
            (
                "DELETE FROM rollout_key WHERE (rollout, epoch, version, key) IN
                     (SELECT rollout, epoch, version, key FROM rollout_key WHERE rollout IN
                         (SELECT id FROM rollout WHERE is_open = 0 AND ended_wall_ms < ?)
                      LIMIT ?)",
                KEYS_KEPT_AFTER_END_MS,
            ),
            (
                "DELETE FROM feed WHERE id IN
                     (SELECT id FROM feed WHERE at_wall_ms < ? ORDER BY id LIMIT ?)",
                FEED_KEPT_MS,
            ),
        ];
        let full = u64::try_from(ROWS_MAX).unwrap_or(u64::MAX);
        let mut more = seconds == full || minutes == full;
        let mut deleted = 0;
        for (statement, kept_ms) in deletions {
            let rows = sqlx::query(statement)
                .bind(now_wall_ms - kept_ms)
                .bind(ROWS_MAX)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            deleted += rows;
            more |= rows == full;
        }
        tx.commit().await?;
        Ok(Compacted { seconds, minutes, deleted, more })
    }
}

#[derive(FromRow)]
struct SecondRow {
    id: i64,
    gateway: String,
    boot: String,
    seq: i64,
    second_wall_ms: i64,
    agent: String,
    version: String,
    rollout: String,
    epoch: i64,
    arm: String,
}

async fn seconds(conn: &mut SqliteConnection, before_wall_ms: i64) -> Result<u64, StoreError> {
    let rows: Vec<SecondRow> = sqlx::query_as(
        "SELECT id, gateway, boot, seq, second_wall_ms, agent, version, rollout, epoch, arm
         FROM measurement WHERE second_wall_ms < ? ORDER BY second_wall_ms, id LIMIT ?",
    )
    .bind(before_wall_ms)
    .bind(ROWS_MAX)
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
        let slot = Slot {
            start_wall_ms: floor(row.second_wall_ms, MINUTE_MS),
            agent: row.agent,
            version: row.version,
            rollout: row.rollout,
            epoch: row.epoch,
        };
        let arm: Arm = codec::from_json("window", &row.arm)?;
        slots.entry(slot).or_default().merge(&arm);
    }
    merge_slots(conn, MINUTE_MS, slots).await?;
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

#[derive(FromRow)]
struct MinuteRow {
    start_wall_ms: i64,
    agent: String,
    version: String,
    rollout: String,
    epoch: i64,
    arm: String,
}

async fn minutes(conn: &mut SqliteConnection, before_wall_ms: i64) -> Result<u64, StoreError> {
    let rows: Vec<MinuteRow> = sqlx::query_as(
        "SELECT start_wall_ms, agent, version, rollout, epoch, arm FROM rollup
         WHERE resolution_ms = ? AND start_wall_ms < ? ORDER BY start_wall_ms LIMIT ?",
    )
    .bind(MINUTE_MS)
    .bind(before_wall_ms)
    .bind(ROWS_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let merged = rows.len() as u64;
    let mut slots: BTreeMap<Slot, Arm> = BTreeMap::new();
    for row in rows {
        sqlx::query(
            "DELETE FROM rollup WHERE resolution_ms = ? AND start_wall_ms = ? AND agent = ?
                 AND version = ? AND rollout = ? AND epoch = ?",
        )
        .bind(MINUTE_MS)
        .bind(row.start_wall_ms)
        .bind(&row.agent)
        .bind(&row.version)
        .bind(&row.rollout)
        .bind(row.epoch)
        .execute(&mut *conn)
        .await?;
        let arm: Arm = codec::from_json("minute", &row.arm)?;
        let slot = Slot {
            start_wall_ms: floor(row.start_wall_ms, HOUR_MS),
            agent: row.agent,
            version: row.version,
            rollout: row.rollout,
            epoch: row.epoch,
        };
        slots.entry(slot).or_default().merge(&arm);
    }
    merge_slots(conn, HOUR_MS, slots).await?;
    Ok(merged)
}

/// Adds to coarser rows, which may be there from an earlier call.
async fn merge_slots(
    conn: &mut SqliteConnection,
    resolution_ms: i64,
    slots: BTreeMap<Slot, Arm>,
) -> Result<(), StoreError> {
    for (slot, mut arm) in slots {
        let known: Option<String> = sqlx::query_scalar(
            "SELECT arm FROM rollup WHERE resolution_ms = ? AND start_wall_ms = ? AND agent = ?
                 AND version = ? AND rollout = ? AND epoch = ?",
        )
        .bind(resolution_ms)
        .bind(slot.start_wall_ms)
        .bind(&slot.agent)
        .bind(&slot.version)
        .bind(&slot.rollout)
        .bind(slot.epoch)
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(known) = known {
            arm.merge(&codec::from_json("rollup", &known)?);
        }
        sqlx::query(
            "INSERT INTO rollup (resolution_ms, start_wall_ms, agent, version, rollout, epoch, arm)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (resolution_ms, start_wall_ms, agent, version, rollout, epoch)
                 DO UPDATE SET arm = excluded.arm",
        )
        .bind(resolution_ms)
        .bind(slot.start_wall_ms)
        .bind(slot.agent)
        .bind(slot.version)
        .bind(slot.rollout)
        .bind(slot.epoch)
        .bind(codec::to_json("rollup", &arm)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

fn floor(wall_ms: i64, resolution_ms: i64) -> i64 {
    wall_ms - wall_ms.rem_euclid(resolution_ms)
}
