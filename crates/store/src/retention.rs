//! Retention: how long each kind of row is kept. What a release under way needs has no age, and
//! rollouts, versions and configurations are kept for good.

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::rollup;
use crate::store::Store;
use crate::value;

const DAY_MS: i64 = 24 * 60 * 60_000;
const SECONDS_KEPT_MS: i64 = DAY_MS;
const MINUTES_KEPT_MS: i64 = 30 * DAY_MS;
const HOURS_KEPT_MS: i64 = 730 * DAY_MS;
/// Distinct keys of a rollout are counted in its evidence; the list serves late windows only.
const KEYS_KEPT_AFTER_END_MS: i64 = DAY_MS;
/// Listeners resume within this time.
const FEED_KEPT_MS: i64 = 30 * DAY_MS;
/// Single interactions; what is counted of them lasts as windows do.
const INTERACTIONS_KEPT_MS: i64 = 90 * DAY_MS;
/// Answered commands and performed effects: how long a repeated command finds its first answer.
const HANDLED_KEPT_MS: i64 = 90 * DAY_MS;
/// What happened and who did it: a year, and time to ask about it.
const HISTORY_KEPT_MS: i64 = 400 * DAY_MS;
/// Imports that were cut off: who wants to go on does so within this time.
const IMPORTS_KEPT_MS: i64 = 7 * DAY_MS;
/// Rows of one kind in one call: others wait for the writer meanwhile.
const ROWS_MAX: i64 = 1_000;

/// Rows of an import that nobody goes on with, at once.
const IMPORT_ROWS_MAX: u32 = 1_000;

/// What one call did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// Windows merged into minutes.
    pub seconds: u64,
    /// Minutes merged into hours.
    pub minutes: u64,
    /// Rows of all other kinds deleted.
    pub deleted: u64,
    /// Whether another call would find more to do.
    pub more: bool,
}

/// One statement for each kind of row, with the age that ends it. Each binds a moment and a limit.
const DELETIONS: [(&str, i64); 14] = [
    (
        "DELETE FROM rollup WHERE (resolution_ms, start_wall_ms, agent, version, rollout, epoch) IN
             (SELECT resolution_ms, start_wall_ms, agent, version, rollout, epoch
              FROM rollup WHERE resolution_ms = 3600000 AND start_wall_ms < ? LIMIT ?)",
        HOURS_KEPT_MS,
    ),
    (
        "DELETE FROM answer WHERE id IN (SELECT id FROM answer WHERE at_wall_ms < ? LIMIT ?)",
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
        "DELETE FROM feed WHERE id IN (SELECT id FROM feed WHERE at_wall_ms < ? LIMIT ?)",
        FEED_KEPT_MS,
    ),
    // What has a key of `inbox::file_key` stays: the file would start the same version again.
    (
        "DELETE FROM inbox WHERE id IN
             (SELECT id FROM inbox WHERE state <> 'pending' AND at_wall_ms < ?
                 AND (rollout IS NULL OR rollout NOT IN (SELECT id FROM rollout WHERE is_open = 1))
                 AND (key IS NULL OR key NOT LIKE 'file:%')
              LIMIT ?)",
        HANDLED_KEPT_MS,
    ),
    (
        "DELETE FROM outbox WHERE id IN
             (SELECT id FROM outbox WHERE state = 'done' AND applied_wall_ms < ?
                 AND rollout NOT IN (SELECT id FROM rollout WHERE is_open = 1)
              LIMIT ?)",
        HANDLED_KEPT_MS,
    ),
    (
        "DELETE FROM rollout_transition WHERE (rollout, seq) IN
             (SELECT rollout, seq FROM rollout_transition WHERE rollout IN
                 (SELECT id FROM rollout WHERE is_open = 0 AND ended_wall_ms < ?)
              LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    (
        "DELETE FROM evidence WHERE (rollout, epoch, version) IN
             (SELECT rollout, epoch, version FROM evidence WHERE rollout IN
                 (SELECT id FROM rollout WHERE is_open = 0 AND ended_wall_ms < ?)
              LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    (
        "DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE at_wall_ms < ? LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    (
        "DELETE FROM security_event WHERE id IN
             (SELECT id FROM security_event WHERE at_wall_ms < ? LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    (
        "DELETE FROM path_report WHERE id IN
             (SELECT id FROM path_report WHERE at_wall_ms < ? LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    // Days last, and come to the same.
    (
        "DELETE FROM value_rollup WHERE (resolution_ms, agent, start_wall_ms, version) IN
             (SELECT resolution_ms, agent, start_wall_ms, version FROM value_rollup
              WHERE resolution_ms = 3600000 AND start_wall_ms < ? LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
    // One that nobody has acknowledged is latched somewhere.
    (
        "DELETE FROM fuse WHERE id IN
             (SELECT id FROM fuse WHERE acknowledged_wall_ms < ? LIMIT ?)",
        HISTORY_KEPT_MS,
    ),
];

impl Store {
    /// Merges and deletes what is old enough: a bounded part of it, all or nothing.
    pub async fn compact(&self, now_wall_ms: i64) -> Result<Compacted, StoreError> {
        let mut tx = self.begin().await?;
        let seconds = rollup::seconds(&mut tx, now_wall_ms - SECONDS_KEPT_MS, ROWS_MAX).await?;
        let minutes = rollup::minutes(&mut tx, now_wall_ms - MINUTES_KEPT_MS, ROWS_MAX).await?;
        let full = u64::try_from(ROWS_MAX).unwrap_or(u64::MAX);
        let mut more = seconds == full || minutes == full;
        let mut deleted = 0;
        for (statement, kept_ms) in DELETIONS {
            let rows = sqlx::query(statement)
                .bind(now_wall_ms - kept_ms)
                .bind(ROWS_MAX)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            deleted += rows;
            more |= rows == full;
        }
        // An import that nobody went on with never counted.
        let stale_ms = now_wall_ms - IMPORTS_KEPT_MS;
        let (forgotten, more_stale) =
            value::forget_stale(&mut tx, stale_ms, IMPORT_ROWS_MAX).await?;
        deleted += forgotten;
        more |= more_stale;
        tx.commit().await?;
        Ok(Compacted { seconds, minutes, deleted, more })
    }
}
