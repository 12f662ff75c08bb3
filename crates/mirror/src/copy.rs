//! One round of copying: what is there, what is missing, and the checkpoint last.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lockgate_audit::{
    AuditError, Checkpoint, Cosigned, Reader, check_consistency, checkpoint_from_note, cosigned,
    prove_consistency,
};
use object_store::{Error as StoreError, ObjectStoreExt as _, PutMode, PutResult, UpdateVersion};
use tokio::time::timeout;

use crate::target::Target;

const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "log.keys";
/// Uploads at a time.
const UPLOADS: usize = 8;
/// The longest that one request may take, retries of the client included.
const REQUEST_MAX: Duration = Duration::from_mins(1);
/// The largest checkpoint that is read, in bytes.
const NOTE_MAX_BYTES: u64 = 1 << 20;

/// Why a round did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Something failed; the next round goes on.
    #[error("{0}")]
    Failed(String),
    /// The store is not a copy of this log. Nothing was written.
    #[error("{0}")]
    Refused(String),
}

/// Copies a log to a place, round by round.
#[derive(Debug)]
pub struct Copier {
    log: PathBuf,
    target: Target,
    remote: Option<Remote>,
    /// Files that are there and under no checkpoint of the copy yet.
    there: HashSet<String>,
    keys: Option<String>,
    /// What witnesses cosigned, as it was written last.
    cosigned: Vec<Cosigned>,
}

/// The checkpoint that the store has.
#[derive(Debug, Clone)]
struct Remote {
    note: Vec<u8>,
    /// `None` when there is no checkpoint.
    version: Option<UpdateVersion>,
}

impl Copier {
    /// Copies from this directory to there.
    pub fn new(log: PathBuf, target: Target) -> Self {
        Self { log, target, remote: None, there: HashSet::new(), keys: None, cosigned: Vec::new() }
    }

    /// Brings the copy to what is signed now; returns how many records that are.
    pub async fn round(&mut self) -> Result<u64, Stopped> {
        let root = self.log.clone();
        let (kept, log) = blocking(move || {
            // Read before the checkpoint, so that it is under it.
            let kept = cosigned(&root);
            (kept, Reader::open_signed(root, Vec::new()))
        })
        .await?;
        let log = Arc::new(log.map_err(|error| Stopped::Failed(error.to_string()))?);
        let signed = log.checkpoint();
        // After anything but success the store is asked again.
        let remote = match self.remote.take() {
            Some(remote) => remote,
            None => self.look().await?,
        };
        if remote.note == log.note() {
            self.put_cosigned(kept).await?;
            self.remote = Some(remote);
            return Ok(signed.size);
        }
        let size = self.compare(&log, &remote).await?;
        self.upload(&log, size).await?;
        self.put_keys(&log).await?;
        let version = self.put_checkpoint(&log, &remote).await?;
        self.put_cosigned(kept).await?;
        for name in log.files_replaced(size) {
            // One that stays is how the next begins, and no harm.
            let _ = timeout(REQUEST_MAX, self.target.store.delete(&self.target.path(&name))).await;
        }
        self.there.retain(|name| name.starts_with("rotation/"));
        let note = log.note().to_vec();
        self.remote = Some(Remote { note, version: Some(version) });
        Ok(signed.size)
    }

    /// The checkpoint in the store.
    async fn look(&self) -> Result<Remote, Stopped> {
        match self.get(CHECKPOINT).await? {
            None => Ok(Remote { note: Vec::new(), version: None }),
            Some((note, version)) => Ok(Remote { note: note.to_vec(), version: Some(version) }),
        }
    }

    /// How many records the copy has. Refuses what is no earlier state of this log.
    async fn compare(&self, log: &Arc<Reader>, remote: &Remote) -> Result<u64, Stopped> {
        if remote.version.is_none() {
            return Ok(0);
        }
        let refuse = |why: String| Err(Stopped::Refused(why));
        let older = match checkpoint_from_note(&remote.note, log.keys()) {
            Ok(older) => older,
            Err(error) => {
                return refuse(format!(
                    "the store holds something that this log did not sign: {error}"
                ));
            }
        };
        let newer = log.checkpoint();
        if older.size > newer.size {
            return refuse(format!(
                "the store has {} records, and this log {}: records were lost here",
                older.size, newer.size
            ));
        }
        let log = Arc::clone(log);
        match blocking(move || grown(&log, older, newer)).await? {
            Ok(()) => Ok(older.size),
            Err(error) => refuse(format!(
                "the first {} records in the store are not those of this log: {error}",
                older.size
            )),
        }
    }

    /// Writes what is missing. What is there already must be the same.
    async fn upload(&mut self, log: &Arc<Reader>, since: u64) -> Result<(), Stopped> {
        let missing: Vec<String> =
            log.files_since(since).into_iter().filter(|name| !self.there.contains(name)).collect();
        let this = &*self;
        let mut uploads = stream::iter(missing)
            .map(|name| async move {
                let (log, path) = (Arc::clone(log), name.clone());
                let bytes = blocking(move || log.file_bytes(&path)).await?;
                let bytes = Bytes::from(bytes.map_err(|error| Stopped::Failed(error.to_string()))?);
                this.put_once(&name, bytes).await?;
                Ok::<_, Stopped>(name)
            })
            .buffer_unordered(UPLOADS);
        let mut there = Vec::new();
        let ended = loop {
            match uploads.try_next().await {
                Ok(Some(name)) => there.push(name),
                Ok(None) => break Ok(()),
                Err(stopped) => break Err(stopped),
            }
        };
        drop(uploads);
        self.there.extend(there);
        ended
    }

    async fn put_once(&self, name: &str, bytes: Bytes) -> Result<(), Stopped> {
        match self.put(name, bytes.clone(), PutMode::Create).await? {
            Ok(_) => return Ok(()),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
            Err(error) => return Err(failed(name, &error)),
        }
        // An earlier round came this far, or someone else wrote it.
        let there = self.get(name).await?;
        if there.is_some_and(|(there, _)| there == bytes) {
            return Ok(());
        }
        Err(Stopped::Refused(format!("{name} in the store is not that of this log")))
    }

    async fn put_keys(&mut self, log: &Reader) -> Result<(), Stopped> {
        let keys = log.keys_file();
        if self.keys.as_ref() != Some(&keys) {
            let put = self.put(KEYS, Bytes::from(keys.clone()), PutMode::Overwrite).await?;
            put.map_err(|error| failed(KEYS, &error))?;
            self.keys = Some(keys);
        }
        Ok(())
    }

    /// Writes what witnesses cosigned since; the store's checkpoint covers it.
    async fn put_cosigned(&mut self, kept: Vec<Cosigned>) -> Result<(), Stopped> {
        for file in &kept {
            if !file.note.is_empty() && !self.cosigned.contains(file) {
                let note = Bytes::copy_from_slice(&file.note);
                let put = self.put(&file.file, note, PutMode::Overwrite).await?;
                put.map_err(|error| failed(&file.file, &error))?;
            }
        }
        self.cosigned = kept;
        Ok(())
    }

    /// Writes the checkpoint in place of the one that was seen, and of no other.
    async fn put_checkpoint(&self, log: &Reader, seen: &Remote) -> Result<UpdateVersion, Stopped> {
        let note = Bytes::copy_from_slice(log.note());
        let mode = seen.version.clone().map_or(PutMode::Create, PutMode::Update);
        let put = match self.put(CHECKPOINT, note.clone(), mode).await? {
            // A file system knows no conditions. Nobody else should write there; it is looked at once more.
            Err(StoreError::NotImplemented { .. }) => {
                let there = self.get(CHECKPOINT).await?;
                if there.is_some_and(|(there, _)| there != seen.note) {
                    return Err(elsewhere());
                }
                self.put(CHECKPOINT, note, PutMode::Overwrite).await?
            }
            put => put,
        };
        match put {
            Ok(PutResult { e_tag, version, .. }) => Ok(UpdateVersion { e_tag, version }),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                Err(elsewhere())
            }
            Err(error) => Err(failed(CHECKPOINT, &error)),
        }
    }

    async fn put(
        &self,
        name: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<Result<PutResult, StoreError>, Stopped> {
        let path = self.target.path(name);
        let put = self.target.store.put_opts(&path, bytes.into(), mode.into());
        timeout(REQUEST_MAX, put).await.map_err(|_| too_long(name))
    }

    async fn get(&self, name: &str) -> Result<Option<(Bytes, UpdateVersion)>, Stopped> {
        let path = self.target.path(name);
        let get = async {
            let found = match self.target.store.get(&path).await {
                Ok(found) => found,
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(failed(name, &error)),
            };
            let version = UpdateVersion {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            if name == CHECKPOINT && found.meta.size > NOTE_MAX_BYTES {
                return Err(Stopped::Refused("the store's checkpoint is none".into()));
            }
            let bytes = found.bytes().await.map_err(|error| failed(name, &error))?;
            Ok(Some((bytes, version)))
        };
        timeout(REQUEST_MAX, get).await.map_err(|_| too_long(name))?
    }
}

fn grown(log: &Reader, older: Checkpoint, newer: Checkpoint) -> Result<(), AuditError> {
    check_consistency(&prove_consistency(log, older)?, older, newer)
}

/// Runs what waits for a disk beside what must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopped> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Stopped::Failed(error.to_string()))
}

fn failed(name: &str, error: &StoreError) -> Stopped {
    Stopped::Failed(format!("{name}: {error}"))
}

fn too_long(name: &str) -> Stopped {
    Stopped::Failed(format!("{name}: the store did not answer within {} s", REQUEST_MAX.as_secs()))
}

fn elsewhere() -> Stopped {
    Stopped::Failed("someone else wrote the store's checkpoint; it is looked at again".into())
}
