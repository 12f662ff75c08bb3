//! Windows from gateways: kept by the second, and merged into the evidence of their rollout in
//! the same transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use lockgate_model::ids::{Epoch, RolloutId, VersionName};
use lockgate_model::ports::PortError;
use lockgate_telemetry::arm::{Arm, Keys};
use lockgate_telemetry::ports::Windows;
use lockgate_telemetry::window::Window;
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::keys::{self, KeySet, pack, unite};
use crate::rollouts;
use crate::store::Store;

/// One version under one split: what evidence is counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) rollout: RolloutId,
    pub(crate) epoch: Epoch,
    pub(crate) version: VersionName,
}

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
        for (cell, (arm, keys)) in cells {
            add_evidence(&mut tx, &cell, arm, &keys).await?;
        }
        // no wake: windows come every second, and judges look by their own clock
        Ok(tx.commit().await?)
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

/// Adds what was seen of one cell to what is known of it, its keys among it.
pub(crate) async fn add_evidence(
    conn: &mut SqliteConnection,
    cell: &Cell,
    mut arm: Arm,
    keys: &KeySet,
) -> Result<(), StoreError> {
    let added = keys::add(conn, cell, keys).await?;
    arm.keys.assigned = added.assigned;
    arm.keys.erroring = added.erroring;
    change_evidence(conn, cell, |evidence| evidence.merge(&arm)).await?;
    keys::add_to_release(conn, cell, added.of_release).await
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
