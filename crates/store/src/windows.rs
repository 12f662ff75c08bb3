//! Windows from gateways: kept by the second, and merged into the evidence of their rollout in
//! the same transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use lockgate_model::ids::{Epoch, RolloutId, VersionName};
use lockgate_model::ports::PortError;
use lockgate_telemetry::arm::{Arm, Keys};
use lockgate_telemetry::ports::Windows;
use lockgate_telemetry::window::{KeySeen, Window};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::rollouts;
use crate::store::Store;

/// Keys in one statement; each binds a handful of parameters.
const KEYS_PER_STATEMENT: usize = 1_000;
/// Bytes of one packed key: the hash, and whether it erred.
const KEY_BYTES: usize = 9;

/// One version under one split: what evidence is counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) rollout: RolloutId,
    pub(crate) epoch: Epoch,
    pub(crate) version: VersionName,
}

/// Distinct keys, each with whether it erred.
pub(crate) type KeySet = BTreeMap<u64, bool>;

#[async_trait]
impl Windows for Store {
    async fn publish(&self, batch: Vec<Window>) -> Result<(), PortError> {
        Ok(self.write_windows(batch).await?)
    }
}

impl Store {
    async fn write_windows(&self, batch: Vec<Window>) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let mut cells: BTreeMap<Cell, (Arm, KeySet)> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for mut window in batch {
            // whoever counts distinct keys does it from the list, never from the arm
            window.arm.keys = Keys { keys_dropped: window.keys_dropped, ..Keys::default() };
            if !insert(&mut tx, &window).await? {
                continue;
            }
            let Some(rollout) = window.rollout else {
                continue;
            };
            if let Entry::Vacant(vacant) = ends.entry(rollout) {
                vacant.insert(rollouts::end_of(&mut tx, rollout).await?);
            }
            // a split outlives its rollout, and what comes later is no evidence for it
            if ends[&rollout].is_some_and(|ended_wall_ms| window.second_wall_ms > ended_wall_ms) {
                continue;
            }
            let cell = Cell { rollout, epoch: window.epoch, version: window.version };
            let (arm, keys) = cells.entry(cell).or_default();
            arm.merge(&window.arm);
            unite(keys, window.keys);
        }
        for (cell, (mut arm, keys)) in cells {
            let counted = add_keys(&mut tx, &cell, &keys).await?;
            arm.keys.assigned = counted.assigned;
            arm.keys.erroring = counted.erroring;
            change_evidence(&mut tx, &cell, |evidence| evidence.merge(&arm)).await?;
        }
        // no wake: windows come every second, and judges look by their own clock
        Ok(tx.commit().await?)
    }
}

/// Adds keys to a set.
pub(crate) fn unite(set: &mut KeySet, keys: impl IntoIterator<Item = KeySeen>) {
    for KeySeen { key, error } in keys {
        *set.entry(key).or_default() |= error;
    }
}

/// Writes one window; `false` when it was counted before.
async fn insert(conn: &mut SqliteConnection, window: &Window) -> Result<bool, StoreError> {
    let boot = window.boot.to_string();
    let seq = codec::signed("window number", window.seq)?;
    let merged: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM measurement_merged WHERE gateway = ? AND boot = ?")
            .bind(window.gateway.as_str())
            .bind(&boot)
            .fetch_optional(&mut *conn)
            .await?;
    if merged.is_some_and(|merged| seq <= merged) {
        return Ok(false);
    }
    let inserted = sqlx::query(
        "INSERT INTO measurement (gateway, boot, seq, second_wall_ms, agent, version, rollout,
             epoch, arm, seen_keys)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (gateway, boot, seq) DO NOTHING",
    )
    .bind(window.gateway.as_str())
    .bind(&boot)
    .bind(seq)
    .bind(window.second_wall_ms)
    .bind(window.agent.as_str())
    .bind(window.version.as_str())
    .bind(rollout_column(window.rollout))
    .bind(codec::signed("epoch", window.epoch.0)?)
    .bind(codec::to_json("window", &window.arm)?)
    .bind(pack(&window.keys))
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A rollout in a column that is part of a key, where it is never null.
pub(crate) fn rollout_column(rollout: Option<RolloutId>) -> String {
    rollout.map(|id| id.to_string()).unwrap_or_default()
}

/// Changes what is known of one cell since the start of its rollout.
pub(crate) async fn change_evidence(
    conn: &mut SqliteConnection,
    cell: &Cell,
    change: impl FnOnce(&mut Arm),
) -> Result<(), StoreError> {
    let rollout = cell.rollout.to_string();
    let epoch = codec::signed("epoch", cell.epoch.0)?;
    let known: Option<String> = sqlx::query_scalar(
        "SELECT arm FROM evidence WHERE rollout = ? AND epoch = ? AND version = ?",
    )
    .bind(&rollout)
    .bind(epoch)
    .bind(cell.version.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    let mut arm = match known {
        Some(text) => codec::from_json("evidence", &text)?,
        None => Arm::default(),
    };
    change(&mut arm);
    sqlx::query(
        "INSERT INTO evidence (rollout, epoch, version, arm) VALUES (?, ?, ?, ?)
         ON CONFLICT (rollout, epoch, version) DO UPDATE SET arm = excluded.arm",
    )
    .bind(rollout)
    .bind(epoch)
    .bind(cell.version.as_str())
    .bind(codec::to_json("evidence", &arm)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds keys to a cell. Gives how many are new, and how many had no error before.
pub(crate) async fn add_keys(
    conn: &mut SqliteConnection,
    cell: &Cell,
    keys: &KeySet,
) -> Result<Keys, StoreError> {
    let mut counted = Keys::default();
    let all: Vec<i64> = keys.keys().map(|key| key.cast_signed()).collect();
    let errored: Vec<i64> =
        keys.iter().filter(|(_, errored)| **errored).map(|(key, _)| key.cast_signed()).collect();
    let epoch = codec::signed("epoch", cell.epoch.0)?;
    for chunk in all.chunks(KEYS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO rollout_key (rollout, epoch, version, key, errored) ",
        );
        query.push_values(chunk, |mut row, key| {
            row.push_bind(cell.rollout.to_string())
                .push_bind(epoch)
                .push_bind(cell.version.as_str().to_owned())
                .push_bind(*key)
                .push_bind(0_i64);
        });
        query.push(" ON CONFLICT (rollout, epoch, version, key) DO NOTHING");
        let query = query.build().persistent(false);
        counted.assigned += query.execute(&mut *conn).await?.rows_affected();
    }
    for chunk in errored.chunks(KEYS_PER_STATEMENT) {
        let mut query =
            QueryBuilder::<Sqlite>::new("UPDATE rollout_key SET errored = 1 WHERE rollout = ");
        query.push_bind(cell.rollout.to_string());
        query.push(" AND epoch = ").push_bind(epoch);
        query.push(" AND version = ");
        query.push_bind(cell.version.as_str().to_owned());
        query.push(" AND errored = 0 AND key IN (");
        let mut list = query.separated(", ");
        for key in chunk {
            list.push_bind(*key);
        }
        query.push(")");
        let query = query.build().persistent(false);
        counted.erroring += query.execute(&mut *conn).await?.rows_affected();
    }
    Ok(counted)
}

fn pack(keys: &[KeySeen]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * KEY_BYTES);
    for KeySeen { key, error } in keys {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.push(u8::from(*error));
    }
    bytes
}

/// The reverse of [`pack`].
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<KeySeen>, StoreError> {
    let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::Value {
            what: "keys of a window",
            value: format!("{} bytes", bytes.len()),
        });
    }
    Ok(keys
        .iter()
        .map(|[key @ .., error]| KeySeen { key: u64::from_le_bytes(*key), error: *error != 0 })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_keys_come_back_and_torn_ones_are_refused() {
        let keys =
            [(0, false), (u64::MAX, true), (7, true)].map(|(key, error)| KeySeen { key, error });
        let bytes = pack(&keys);
        assert_eq!(unpack(&bytes).expect("whole"), keys);
        assert!(unpack(&bytes[1..]).is_err());
    }
}
