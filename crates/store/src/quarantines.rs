//! Orders that stop something: made, listed, lifted.

use lockgate_model::ids::{QuarantineId, Revision};
use lockgate_model::quarantine::Quarantine;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Orders in force at once, at most: every gateway looks at all of them.
const IN_FORCE_MAX: i64 = 10_000;

/// An order, in force or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// The order.
    #[serde(flatten)]
    pub order: Quarantine,
    /// Whose.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when, milliseconds since the Unix epoch.
    pub begun_wall_ms: i64,
    /// When it was lifted; `None` while it is in force.
    pub lifted_wall_ms: Option<i64>,
    /// Who lifted it.
    pub lifted_by: Option<String>,
    /// Why.
    pub lifted_reason: Option<String>,
}

#[derive(FromRow)]
struct Columns {
    id: String,
    stopped: String,
    principal: String,
    reason: String,
    begun_wall_ms: i64,
    lifted_wall_ms: Option<i64>,
    lifted_by: Option<String>,
    lifted_reason: Option<String>,
}

impl Columns {
    fn row(self) -> Result<QuarantineRow, StoreError> {
        Ok(QuarantineRow {
            order: Quarantine {
                id: codec::parse("quarantine", &self.id)?,
                stopped: codec::from_json("quarantine", &self.stopped)?,
            },
            by: self.principal,
            reason: self.reason,
            begun_wall_ms: self.begun_wall_ms,
            lifted_wall_ms: self.lifted_wall_ms,
            lifted_by: self.lifted_by,
            lifted_reason: self.lifted_reason,
        })
    }
}

impl Store {
    /// Puts an order in force and tells gateways; gives its id and the revision that carries it. One about the same that
    /// is in force already is given back instead.
    pub async fn quarantine(
        &self,
        order: &Quarantine,
        by: &str,
        reason: &str,
        at_wall_ms: i64,
    ) -> Result<(QuarantineId, Revision), StoreError> {
        let stopped = codec::to_json("quarantine", &order.stopped)?;
        let mut tx = self.begin().await?;
        let same: Option<String> = sqlx::query_scalar(
            "SELECT id FROM quarantine WHERE stopped = ? AND lifted_wall_ms IS NULL",
        )
        .bind(&stopped)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(id) = same {
            let id = codec::parse("quarantine", &id)?;
            return Ok((id, *self.inner.revision.borrow()));
        }
        let in_force: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM quarantine WHERE lifted_wall_ms IS NULL")
                .fetch_one(&mut *tx)
                .await?;
        if in_force >= IN_FORCE_MAX {
            return Err(StoreError::Full { what: "quarantines", max: IN_FORCE_MAX });
        }
        sqlx::query(
            "INSERT INTO quarantine (id, stopped, principal, reason, begun_wall_ms) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(order.id.to_string())
        .bind(stopped)
        .bind(by)
        .bind(reason)
        .bind(at_wall_ms)
        .execute(&mut *tx)
        .await?;
        Ok((order.id, self.commit_published(tx, at_wall_ms).await?))
    }

    /// Lifts an order and tells gateways; `false` when none with this id is in force.
    pub async fn lift_quarantine(
        &self,
        id: QuarantineId,
        by: &str,
        reason: &str,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE quarantine SET lifted_wall_ms = ?, lifted_by = ?, lifted_reason = ?
             WHERE id = ? AND lifted_wall_ms IS NULL",
        )
        .bind(at_wall_ms)
        .bind(by)
        .bind(reason)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(true)
    }

    /// Orders, those in force first, then the newest, at most `limit`.
    pub async fn quarantines(&self, limit: u32) -> Result<Vec<QuarantineRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT * FROM quarantine ORDER BY lifted_wall_ms IS NOT NULL, begun_wall_ms DESC, id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// One order.
    pub async fn one_quarantine(
        &self,
        id: QuarantineId,
    ) -> Result<Option<QuarantineRow>, StoreError> {
        let row: Option<Columns> = sqlx::query_as("SELECT * FROM quarantine WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.inner.reader)
            .await?;
        row.map(Columns::row).transpose()
    }
}

/// What gateways are told: the orders in force.
pub(crate) async fn in_force(conn: &mut SqliteConnection) -> Result<Vec<Quarantine>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT * FROM quarantine WHERE lifted_wall_ms IS NULL ORDER BY begun_wall_ms, id",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| row.row().map(|row| row.order)).collect()
}
