//! Imports of files: rows are taken in order, as often as they are sent, and count once the file is whole.

use lockgate_value::event::Event;
use sqlx::{FromRow, SqliteConnection};

use super::events::{NotTaken, Taken, Teller, tell};
use super::tallies::Changes;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Imports that are not whole, at most.
const OPEN_MAX: i64 = 20;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Tells the file from others: the digest of what it holds.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// How many events it holds.
    pub rows: u64,
    /// Who imports it.
    pub by: String,
    /// When, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// How many of the same token may not be whole at the same time, where that is bounded.
    pub open_max: Option<i64>,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub id: String,
    /// What the file is called.
    pub name: String,
    /// How many events it holds.
    pub rows: u64,
    /// Of these, the first so many are taken.
    pub taken: u64,
    /// Of those, so many were known already.
    pub known: u64,
    /// Whether it is whole and counts.
    pub is_done: bool,
    /// Who began it.
    pub by: String,
}

/// Why rows were not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// There is no such import.
    #[error("there is no import {0}")]
    Unknown(String),
    /// It was begun with another number of rows.
    #[error("import {id} was begun with {rows} rows")]
    Rows {
        /// Which.
        id: String,
        /// How many it was begun with.
        rows: u64,
    },
    /// Rows before these are missing.
    #[error("rows after row {taken} are missing")]
    Gap {
        /// The first so many are there.
        taken: u64,
    },
    /// One of the rows cannot be taken.
    #[error(transparent)]
    Event(#[from] NotTaken),
}

impl From<StoreError> for NotImported {
    fn from(error: StoreError) -> Self {
        Self::Event(error.into())
    }
}

impl From<sqlx::Error> for NotImported {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

#[derive(FromRow)]
struct Columns {
    id: String,
    name: String,
    rows_all: i64,
    rows_taken: i64,
    rows_known: i64,
    is_done: bool,
    principal: String,
}

impl Columns {
    fn import(self) -> Result<Import, StoreError> {
        Ok(Import {
            id: self.id,
            name: self.name,
            rows: codec::unsigned("rows", self.rows_all)?,
            taken: codec::unsigned("rows", self.rows_taken)?,
            known: codec::unsigned("rows", self.rows_known)?,
            is_done: self.is_done,
            by: self.principal,
        })
    }
}

impl Store {
    /// Begins an import, or goes on with the one that was begun; says how far it is.
    pub async fn begin_import(&self, new: &NewImport) -> Result<Import, NotImported> {
        let rows = codec::signed("rows", new.rows)?;
        let mut tx = self.begin().await?;
        let open: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM value_import WHERE is_done = 0 AND id <> ?")
                .bind(&new.id)
                .fetch_one(&mut *tx)
                .await?;
        if open >= OPEN_MAX {
            let what = "imports that are not whole";
            return Err(StoreError::Full { what, max: OPEN_MAX }.into());
        }
        if let Some(max) = new.open_max {
            let own: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM value_import WHERE is_done = 0 AND id <> ? AND principal = ?",
            )
            .bind(&new.id)
            .bind(&new.by)
            .fetch_one(&mut *tx)
            .await?;
            if own >= max {
                let what = "imports of this token that are not whole";
                return Err(StoreError::Full { what, max }.into());
            }
        }
        sqlx::query(
            "INSERT INTO value_import (id, name, rows_all, rows_taken, rows_known, is_done,
                 principal, started_wall_ms, touched_wall_ms)
             VALUES (?1, ?2, ?3, 0, 0, 0, ?4, ?5, ?5)
             ON CONFLICT (id) DO UPDATE SET touched_wall_ms = excluded.touched_wall_ms",
        )
        .bind(&new.id)
        .bind(&new.name)
        .bind(rows)
        .bind(&new.by)
        .bind(new.at_wall_ms)
        .execute(&mut *tx)
        .await?;
        let import = need(&mut tx, &new.id).await?;
        if import.rows != new.rows {
            return Err(NotImported::Rows { id: import.id, rows: import.rows });
        }
        self.commit(tx).await?;
        Ok(import)
    }

    /// Forgets an import of which nothing was taken.
    pub async fn forget_untaken(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM value_import WHERE id = ? AND is_done = 0 AND rows_taken = 0")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// Takes rows of an import, the first of which is row `first`, from 0. What was taken before is passed over. They are
    /// on disk when this returns; with the last one the import counts.
    pub async fn import_rows(
        &self,
        id: &str,
        first: u64,
        events: &[Event],
        by: &str,
        at_wall_ms: i64,
    ) -> Result<Import, NotImported> {
        let mut tx = self.begin().await?;
        let before = need(&mut tx, id).await?;
        if first > before.taken {
            return Err(NotImported::Gap { taken: before.taken });
        }
        let passed_over = usize::try_from(before.taken - first).unwrap_or(usize::MAX);
        let new = events.get(passed_over..).unwrap_or_default();
        let taken = before.taken + new.len() as u64;
        if taken > before.rows {
            return Err(NotImported::Rows { id: before.id, rows: before.rows });
        }
        let teller = Teller { by, at_wall_ms, import: Some(id) };
        let Taken { known, .. } =
            tell(&mut tx, new, &teller).await.map_err(|error| from(passed_over, error))?;
        sqlx::query(
            "UPDATE value_import SET rows_taken = ?, rows_known = rows_known + ?,
                 is_done = ?, touched_wall_ms = ? WHERE id = ?",
        )
        .bind(codec::signed("rows", taken)?)
        .bind(codec::signed("rows", known)?)
        .bind(taken == before.rows)
        .bind(at_wall_ms)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        let after = need(&mut tx, id).await?;
        self.commit(tx).await?;
        Ok(after)
    }

    /// One import.
    pub async fn import(&self, id: &str) -> Result<Option<Import>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, name, rows_all, rows_taken, rows_known, is_done, principal
             FROM value_import WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(&self.inner.reader)
        .await?;
        row.map(Columns::import).transpose()
    }

    /// Imports, the one that was touched last first.
    pub async fn imports(&self, limit: u32) -> Result<Vec<Import>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, name, rows_all, rows_taken, rows_known, is_done, principal
             FROM value_import ORDER BY touched_wall_ms DESC, id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::import).collect()
    }

    /// Forgets up to `limit` rows of an import that is not whole, and the import with its last one. Says whether all of
    /// it is gone.
    pub async fn discard_import(&self, id: &str, limit: u32) -> Result<bool, NotImported> {
        let mut tx = self.begin().await?;
        let import = need(&mut tx, id).await?;
        if import.is_done {
            return Err(NotImported::Unknown(format!("{id} that is not whole")));
        }
        let gone = forget(&mut tx, id, limit).await?;
        self.commit(tx).await?;
        Ok(gone < u64::from(limit))
    }
}

/// Forgets up to `limit` rows of an import that is not whole, and the import when there were fewer. Says how many.
async fn forget(conn: &mut SqliteConnection, id: &str, limit: u32) -> Result<u64, StoreError> {
    // What is left is no beginning of the file any more: it starts anew.
    sqlx::query("UPDATE value_import SET rows_taken = 0, rows_known = 0 WHERE id = ?")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    let gone: Vec<(String, bool)> = sqlx::query_as(
        "DELETE FROM value_event WHERE id IN (SELECT id FROM value_event WHERE import = ? LIMIT ?)
         RETURNING body, is_single",
    )
    .bind(id)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let mut changes = Changes::default();
    for (body, _) in gone.iter().filter(|(_, is_single)| !is_single) {
        changes.take_back(codec::from_json("a value event", body)?, Some(id));
    }
    changes.save(conn).await?;
    if gone.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        for statement in
            ["DELETE FROM value_tally WHERE import = ?", "DELETE FROM value_import WHERE id = ?"]
        {
            sqlx::query(statement).bind(id).execute(&mut *conn).await?;
        }
    }
    Ok(gone.len() as u64)
}

/// Forgets imports that are not whole and that nobody went on with since `before_wall_ms`: up to `limit` rows. Says how
/// many, and whether there is more.
pub(crate) async fn forget_stale(
    conn: &mut SqliteConnection,
    before_wall_ms: i64,
    limit: u32,
) -> Result<(u64, bool), StoreError> {
    let stale: Option<String> = sqlx::query_scalar(
        "SELECT id FROM value_import WHERE is_done = 0 AND touched_wall_ms < ?
         ORDER BY touched_wall_ms, id LIMIT 1",
    )
    .bind(before_wall_ms)
    .fetch_optional(&mut *conn)
    .await?;
    match stale {
        Some(id) => Ok((forget(conn, &id, limit).await?, true)),
        None => Ok((0, false)),
    }
}

/// The error of the row that it is of.
fn from(first: usize, error: NotTaken) -> NotTaken {
    match error {
        NotTaken::Conflict { index, why } => NotTaken::Conflict { index: index + first, why },
        NotTaken::InImport { index, what, import } => {
            NotTaken::InImport { index: index + first, what, import }
        }
        NotTaken::Unfit { index, why } => NotTaken::Unfit { index: index + first, why },
        other @ NotTaken::Store(_) => other,
    }
}

async fn need(conn: &mut SqliteConnection, id: &str) -> Result<Import, NotImported> {
    let row: Option<Columns> = sqlx::query_as(
        "SELECT id, name, rows_all, rows_taken, rows_known, is_done, principal
         FROM value_import WHERE id = ?",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.ok_or_else(|| NotImported::Unknown(id.to_owned()))?.import()?)
}
