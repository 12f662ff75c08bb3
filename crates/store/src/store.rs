//! Opening, the two pools, and how a transaction ends.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_model::ids::{GatewayName, Revision};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, SqliteTransaction};
use tokio::sync::{Mutex, watch};

use crate::codec;
use crate::error::{StoreError, in_full};
use crate::exchange::LastReport;
use crate::snapshot;
use crate::steady::Steady;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for its turn to write before it is told so.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
const READERS_MAX: u32 = 4;
/// How old the answer to "can it be written to" may be.
const CHECK_EVERY: Duration = Duration::from_secs(1);

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
    /// When a write was tried last to see whether it can be done, and why not.
    checked: Mutex<Option<(Instant, Option<String>)>>,
    pub(crate) reports: Mutex<HashMap<GatewayName, LastReport>>,
    /// What questions to people go by.
    pub(crate) steady: Steady,
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
            // what is deleted is written over, where that costs no write of its own
            .pragma("secure_delete", "FAST")
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
                checked: Mutex::new(None),
                reports: Mutex::new(HashMap::new()),
                steady: Steady::default(),
            }),
        })
    }

    /// Whether the database can be read and written to. A write is really made, since a full disk shows in nothing else;
    /// at most one a second, whoever asks.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut checked = self.inner.checked.lock().await;
        if let Some((at, failed)) = checked.as_ref()
            && at.elapsed() < CHECK_EVERY
        {
            return failed.clone().map_or(Ok(()), |why| Err(StoreError::NotWritable { why }));
        }
        let tried = self.try_write().await;
        let failed = tried.as_ref().err().map(in_full);
        *checked = Some((Instant::now(), failed));
        tried
    }

    async fn try_write(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ('check', unixepoch('subsec'))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
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

    /// Begins a write that leaves nothing of what it replaces in the file.
    pub(crate) async fn begin_overwriting(&self) -> Result<Tx, StoreError> {
        // There is one connection that writes, so this is the one that the transaction gets.
        sqlx::query("PRAGMA secure_delete = ON").fetch_all(&self.inner.writer).await?;
        self.begin().await
    }

    /// The one connection that writes, outside of a transaction.
    pub(crate) async fn writer(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.inner.writer.acquire().await?)
    }

    /// Commits and wakes everyone who waits.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        tx.commit().await?;
        self.inner.changed.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }

    /// Has gateways told of what a transaction changed, and commits it.
    pub(crate) async fn commit_published(
        &self,
        mut tx: Tx,
        at_wall_ms: i64,
    ) -> Result<Revision, StoreError> {
        let revision = snapshot::publish(&mut tx, at_wall_ms).await?;
        self.commit_revision(tx, revision).await?;
        Ok(revision)
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

    /// As a probe asks: a full disk must show although nothing else is written.
    #[tokio::test]
    async fn a_full_disk_shows_before_someone_needs_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("state.db")).await.expect("a database");
        store.check().await.expect("room");
        // A file that nothing more can be written to, as far as SQLite is told.
        sqlx::query("PRAGMA query_only = ON").execute(&store.inner.writer).await.expect("a pragma");
        store.check().await.expect("asked within the same second");
        *store.inner.checked.lock().await = None;
        assert!(store.check().await.is_err());
        let again = store.check().await.expect_err("remembered");
        assert!(matches!(again, StoreError::NotWritable { .. }), "{again:?}");
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
