//! Opening, the two pools, and how a transaction ends.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockgate_model::ids::{GatewayName, Revision};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqliteConnection, SqliteTransaction};
use tokio::sync::{Mutex, watch};

use crate::codec;
use crate::error::StoreError;
use crate::exchange::LastReport;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for its turn to write before it is told so.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
const READERS_MAX: u32 = 4;

/// A write transaction. Dropped without commit, nothing of it happened.
pub(crate) type Tx = SqliteTransaction<'static>;

/// The state of a server. Cheap to clone; all clones share the same connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    changed: watch::Sender<u64>,
    /// The newest snapshot that is on disk.
    pub(crate) revision: watch::Sender<Revision>,
    pub(crate) reports: Mutex<HashMap<GatewayName, LastReport>>,
}

impl Store {
    /// Opens the database at `path`, creating it and bringing its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path).map_err(StoreError::File)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // where fsync alone does not reach the disk; elsewhere without effect
            .pragma("fullfsync", "1")
            .pragma("checkpoint_fullfsync", "1")
            .pragma("journal_size_limit", "67108864")
            .busy_timeout(BUSY_TIMEOUT);
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations/sqlite").run(&writer).await?;
        let reader = pool(READERS_MAX).connect_with(options.read_only(true)).await?;
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT MAX(revision) FROM snapshot").fetch_one(&reader).await?;
        let revision = codec::unsigned("revision", newest.unwrap_or(0))?;
        Ok(Self {
            inner: Arc::new(Inner {
                writer,
                reader,
                changed: watch::Sender::new(0),
                revision: watch::Sender::new(Revision(revision)),
                reports: Mutex::new(HashMap::new()),
            }),
        })
    }

    /// Whether the database can be read and written to.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO setting (name, value) VALUES ('check', '') ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .execute(&mut *tx)
            .await?;
        tx.rollback().await?;
        sqlx::query("SELECT 1").execute(&self.inner.reader).await?;
        Ok(())
    }

    /// Changes whenever something was committed that control, the API or gateways wait for.
    /// A change that happened while nobody looked is seen by the next look.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Closes all connections once the work under way is done.
    pub async fn close(&self) {
        self.inner.reader.close().await;
        self.inner.writer.close().await;
    }

    /// Begins a write. The lock is taken at once, so that what is read in it stays true.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        match self.inner.writer.begin_with("BEGIN IMMEDIATE").await {
            // SQLite ends a transaction by itself when the disk is full or fails. The driver's
            // count of open ones never recovers from that, so the connection is replaced.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                tracing::warn!("a write failed hard; the connection to the database is replaced");
                let broken = self.inner.writer.acquire().await?;
                if let Err(error) = broken.close().await {
                    tracing::warn!(%error, "the old connection did not close well");
                }
                Ok(self.inner.writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            begun => Ok(begun?),
        }
    }

    /// Commits and wakes everyone who waits.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        tx.commit().await?;
        self.inner.changed.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }

    /// Commits a transaction that published `revision`.
    pub(crate) async fn commit_revision(
        &self,
        tx: Tx,
        revision: Revision,
    ) -> Result<(), StoreError> {
        self.commit(tx).await?;
        self.inner.revision.send_if_modified(|newest| {
            let newer = revision > *newest;
            *newest = revision.max(*newest);
            newer
        });
        Ok(())
    }
}

/// The database's clock: the one that all processes on it share.
pub(crate) async fn now_wall_ms(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)")
        .fetch_one(conn)
        .await?)
}

fn pool(connections_max: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Creates the file for its owner alone: it holds hashes of tokens and whatever users configured.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalEntry;

    /// Allows the database so many pages and no more, as a full disk does.
    async fn limit_pages(store: &Store, pages: i64) {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&store.inner.writer).await.expect("a pragma");
    }

    fn entry(subject: String) -> JournalEntry {
        JournalEntry {
            at_wall_ms: 0,
            principal: String::new(),
            action: String::new(),
            subject,
            detail: serde_json::Value::Null,
        }
    }

    #[tokio::test]
    async fn writing_goes_on_when_a_full_disk_has_room_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("state.db")).await.expect("a database");
        store.journal(&entry("before".into())).await.expect("room");
        limit_pages(&store, 1).await;
        let refused = store.journal(&entry("x".repeat(100_000))).await;
        assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
        limit_pages(&store, 1_000_000).await;
        store.journal(&entry("after".into())).await.expect("room again");
        let entries = store.journal_recent(10).await.expect("readable");
        let subjects: Vec<_> = entries.iter().map(|entry| entry.subject.as_str()).collect();
        assert_eq!(subjects, ["after", "before"]);
    }
}
