//! The handle that records are appended through.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::committer::Committer;
use crate::disk::{Disk, LocalDisk};
use crate::error::AuditError;
use crate::inbox::{Append, Inbox};
use crate::keys::LogKey;
use crate::publish::{Publisher, Queue};
use crate::record::{Entry, Step};
use crate::{recover, rotation};

/// What an acknowledged record has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A completed `write`: kill -9 of this process.
    Process,
    /// A completed `fdatasync`: loss of power.
    #[default]
    Power,
}

/// How a log is kept.
#[derive(Clone)]
pub struct LogOptions {
    /// Its directory.
    pub dir: PathBuf,
    /// When a record is acknowledged.
    pub durability: Durability,
    /// A new segment of the write-ahead log begins after so many bytes.
    pub segment_max_bytes: u64,
    /// And after so much time.
    pub segment_max_age: Duration,
    /// The least time between two checkpoints.
    pub publish_every: Duration,
    /// The file layer.
    pub disk: Arc<dyn Disk>,
}

impl LogOptions {
    /// The usual: `power`, segments of 16 MiB or an hour, a checkpoint at most every 100 ms.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::Power,
            segment_max_bytes: 16 << 20,
            segment_max_age: Duration::from_hours(1),
            publish_every: Duration::from_millis(100),
            disk: Arc::new(LocalDisk),
        }
    }
}

/// How the log is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// Records acknowledged.
    pub size: u64,
    /// Records under the published checkpoint.
    pub signed_size: u64,
    /// Why it takes nothing any more; only a new start helps.
    pub stopped: Option<String>,
    /// Why the last record was refused; `None` when it was taken.
    pub refused: Option<String>,
    /// Why the last checkpoint was not published; `None` when it was.
    pub unpublished: Option<String>,
    /// Bytes of a torn frame that the last start cut off.
    pub cut_bytes: u64,
    /// Intents without an outcome that the last start closed as `unknown`.
    pub closed_intents: u64,
    /// Intents without an outcome now: of what is under way.
    pub open_intents: u64,
    /// Records before this one were pruned, as a signed record says.
    pub pruned_to: u64,
}

/// State that the threads of a log share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    status: Mutex<LogStatus>,
}

impl Shared {
    pub(crate) fn status(&self) -> MutexGuard<'_, LogStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open log. One process at a time has it.
pub struct Log {
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    // Held until the log is dropped.
    _lock: Arc<recover::Lock>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("status", &*self.shared.status()).finish_non_exhaustive()
    }
}

impl Log {
    /// Begins a log in an empty directory, signed by this key.
    pub fn create(options: &LogOptions, key: &LogKey) -> Result<(), AuditError> {
        recover::create(options, key)
    }

    /// Opens a log, finishes what a crash left, and closes intents that have no outcome.
    ///
    /// Refuses a log that is not what its checkpoint says. Blocks: not for async code.
    pub fn open(options: &LogOptions, key: LogKey) -> Result<Self, AuditError> {
        Self::open_locked(options, key, Arc::new(recover::Lock::take(&options.dir)?))
    }

    pub(crate) fn open_locked(
        options: &LogOptions,
        key: LogKey,
        lock: Arc<recover::Lock>,
    ) -> Result<Self, AuditError> {
        rotation::settle(options, &key)?;
        let recovered = recover::recover(options, &key)?;
        let shared = Arc::new(Shared::default());
        {
            let mut status = shared.status();
            status.size = recovered.grown.edge().size();
            status.signed_size = recovered.signed_size;
            status.cut_bytes = recovered.cut_bytes;
            status.pruned_to = recovered.signed_pruned_to;
            status.closed_intents = recovered.standing.len() as u64;
            status.open_intents = status.closed_intents;
        }
        let queue = Arc::new(Queue::default());
        let open: Vec<u64> = recovered.standing.iter().collect();
        let next_seq = recovered.grown.edge().size();
        let publisher = Publisher {
            disk: options.disk.clone(),
            root: options.dir.clone(),
            key,
            queue: queue.clone(),
            shared: shared.clone(),
            grown: recovered.grown,
            signed_size: recovered.signed_size,
            standing: recovered.standing,
            noted_size: recovered.noted_size,
            every: options.publish_every,
        };
        let inbox = Arc::new(Inbox::default());
        let committer = Committer {
            inbox: inbox.clone(),
            segments: recovered.segments,
            queue,
            shared: shared.clone(),
            durability: options.durability,
            next_seq,
            open_intents: open.iter().copied().collect(),
            stopped: None,
        };
        let threads = vec![
            spawn("audit-publish", move || publisher.run())?,
            spawn("audit-commit", move || committer.run())?,
        ];
        let log = Self { inbox, shared, threads, _lock: lock };
        log.close_intents(&open)?;
        Ok(log)
    }

    fn close_intents(&self, intents: &[u64]) -> Result<(), AuditError> {
        let session = self.session();
        for of in intents {
            let mut entry =
                Entry::event(recover::wall_ms(), "lockgate", "audit.close_intent", of.to_string());
            entry.step = Step::Outcome { of: *of };
            entry.detail = serde_json::json!({ "outcome": "unknown", "why": "the server ended before an outcome was recorded" });
            session.append_blocking(&entry)?;
        }
        Ok(())
    }

    /// A session: its records are counted without gaps.
    pub fn session(&self) -> Session {
        Session {
            id: Uuid::new_v4(),
            counter: Arc::default(),
            inbox: self.inbox.clone(),
            shared: self.shared.clone(),
        }
    }

    /// How it is.
    pub fn status(&self) -> LogStatus {
        self.shared.status().clone()
    }

    /// Takes what was already handed in, signs it, and ends. Blocks.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.inbox.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the audit log ended badly");
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AuditError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| AuditError::Stopped { why: format!("no thread for it: {error}") })
}

/// One who appends. Clones count together.
#[derive(Debug, Clone)]
pub struct Session {
    id: Uuid,
    counter: Arc<AtomicU64>,
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
}

impl Session {
    /// Its name in records.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Records, and returns the record's place in the log once it is as durable as the log promises.
    ///
    /// After an error the record may or may not be in the log; what it tells of must not be done.
    pub async fn append(&self, entry: &Entry) -> Result<u64, AuditError> {
        let (append, placed) = self.prepare(entry)?;
        self.inbox.push(append).await.map_err(|_| self.stopped())?;
        placed.await.map_err(|_| self.stopped())?
    }

    /// As [`Session::append`], for threads that may block.
    pub fn append_blocking(&self, entry: &Entry) -> Result<u64, AuditError> {
        let (append, placed) = self.prepare(entry)?;
        self.inbox.push_blocking(append).map_err(|_| self.stopped())?;
        placed.blocking_recv().map_err(|_| self.stopped())?
    }

    fn prepare(
        &self,
        entry: &Entry,
    ) -> Result<(Append, oneshot::Receiver<Result<u64, AuditError>>), AuditError> {
        let (placed, receiver) = oneshot::channel();
        let append = Append {
            body: entry.open_body()?,
            step: entry.step,
            session: self.id,
            counter: self.counter.clone(),
            placed,
        };
        Ok((append, receiver))
    }

    fn stopped(&self) -> AuditError {
        let why = self.shared.status().stopped.clone();
        AuditError::Stopped { why: why.unwrap_or_else(|| "the server is stopping".into()) }
    }
}
