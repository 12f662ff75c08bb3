//! What gateways report, and the snapshots they hear back.

use std::time::Duration;

use async_trait::async_trait;
use lockgate_model::ids::Revision;
use lockgate_model::ports::{Heard, PortError, Report, Snapshots};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use tokio::time::{Instant, timeout_at};

use crate::codec;
use crate::error::StoreError;
use crate::events;
use crate::snapshot;
use crate::store::{Store, now_wall_ms};

/// An unchanged report is written this often, which is fine enough for "seen in the last 10 s".
const REPORT_WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// What a gateway reported last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRow {
    /// The report.
    pub report: Report,
    /// When, by the database's clock, milliseconds since the Unix epoch.
    pub seen_wall_ms: i64,
}

/// What is on disk of a gateway, so that repeating it costs nothing.
#[derive(Debug)]
pub(crate) struct LastReport {
    report: Report,
    written: Instant,
}

impl Store {
    /// Gateways that reported within the last `seen_within_ms`, by name.
    pub async fn gateways(&self, seen_within_ms: u64) -> Result<Vec<GatewayRow>, StoreError> {
        gateways(&mut *self.inner.reader.acquire().await?, seen_within_ms).await
    }

    /// The newest snapshot.
    pub async fn newest_snapshot(
        &self,
    ) -> Result<Option<lockgate_model::snapshot::Snapshot>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        snapshot::newest_after(&mut conn, Revision(0)).await
    }

    /// The newest revision that was published here.
    pub fn published(&self) -> Revision {
        *self.inner.revision.borrow()
    }

    async fn hear(&self, report: Report, wait_ms: u64) -> Result<Heard, StoreError> {
        let until = Instant::now() + Duration::from_millis(wait_ms);
        let applied = report.applied;
        let mut revision = self.inner.revision.subscribe();
        self.write_report(report).await?;
        self.outgrow(applied).await?;
        // An error is the end of the wait: the next exchange tries again. Whoever published may
        // have been cut off before it could wake us, so the database is asked in any case.
        let _ = timeout_at(until, revision.wait_for(|newest| *newest > applied)).await;
        let mut conn = self.inner.reader.acquire().await?;
        let snapshot = snapshot::newest_after(&mut conn, applied).await?;
        drop(conn);
        Ok(Heard { snapshot, control_alive_wall_ms: self.control_alive_wall_ms().await? })
    }

    async fn write_report(&self, report: Report) -> Result<(), StoreError> {
        let mut reports = self.inner.reports.lock().await;
        let last = reports.get(&report.gateway);
        let changed = last.is_none_or(|last| last.report != report);
        if !changed && last.is_some_and(|last| last.written.elapsed() < REPORT_WRITTEN_EVERY) {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        if changed {
            for fuse in &report.fuses {
                events::insert_fuse(&mut tx, fuse).await?;
            }
        }
        let now = now_wall_ms(&mut tx).await?;
        sqlx::query(
            "INSERT INTO gateway (name, applied, seen_wall_ms, report) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET applied = excluded.applied,
                 seen_wall_ms = excluded.seen_wall_ms, report = excluded.report",
        )
        .bind(report.gateway.as_str())
        .bind(codec::signed("revision", report.applied.0)?)
        .bind(now)
        .bind(codec::to_json("report", &report)?)
        .execute(&mut *tx)
        .await?;
        if changed {
            self.commit(tx).await?;
        } else {
            tx.commit().await?;
        }
        let written = Instant::now();
        reports.insert(report.gateway.clone(), LastReport { report, written });
        Ok(())
    }

    /// A gateway that applied more than was ever published here outlived the database. It takes
    /// only what is newer, so the same picture is published above it.
    async fn outgrow(&self, applied: Revision) -> Result<(), StoreError> {
        let newest = *self.inner.revision.borrow();
        if newest == Revision(0) || applied <= newest {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let at_wall_ms = now_wall_ms(&mut tx).await?;
        let revision = snapshot::publish(&mut tx, at_wall_ms).await?;
        tracing::warn!(
            applied = applied.0,
            published = revision.0,
            "a gateway is ahead of the database; its snapshot is replaced"
        );
        self.commit_revision(tx, revision).await
    }
}

#[async_trait]
impl Snapshots for Store {
    async fn exchange(&self, report: Report, wait_ms: u64) -> Result<Heard, PortError> {
        Ok(self.hear(report, wait_ms).await?)
    }
}

/// Gateways that reported within the last `seen_within_ms`.
pub(crate) async fn gateways(
    conn: &mut SqliteConnection,
    seen_within_ms: u64,
) -> Result<Vec<GatewayRow>, StoreError> {
    let now = now_wall_ms(conn).await?;
    let since = now.saturating_sub(codec::signed("time", seen_within_ms)?);
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT report, seen_wall_ms FROM gateway WHERE seen_wall_ms >= ? ORDER BY name",
    )
    .bind(since)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(report, seen_wall_ms)| {
            Ok(GatewayRow { report: codec::from_json("report", &report)?, seen_wall_ms })
        })
        .collect()
}
