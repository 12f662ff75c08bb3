//! Tiles and checkpoints: what others can check. The checkpoint comes last.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tlog_tiles::Hash;

use crate::disk::Disk;
use crate::error::AuditError;
use crate::keys::LogKey;
use crate::layout::{self, TILE_WIDTH};
use crate::log::{LogOptions, Shared};
use crate::tree::{Edge, FullTile, partial_tiles};
use crate::wal;

/// Bytes of records that may wait for their tiles.
const WAITING_MAX_BYTES: usize = 64 << 20;
/// Wait before a checkpoint that could not be published is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The tree as the committer grows it, until the publisher takes it.
pub(crate) struct Head {
    growing: Mutex<Growing>,
    changed: Condvar,
}

struct Growing {
    edge: Edge,
    bundle: Vec<u8>,
    tiles: Vec<FullTile>,
    bundles: Vec<(u64, Vec<u8>)>,
    waiting_bytes: usize,
    closed: bool,
    failing: Option<String>,
}

impl Head {
    pub(crate) fn new(edge: Edge, bundle: Vec<u8>) -> Self {
        let growing = Growing {
            edge,
            bundle,
            tiles: Vec::new(),
            bundles: Vec::new(),
            waiting_bytes: 0,
            closed: false,
            failing: None,
        };
        Self { growing: Mutex::new(growing), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Growing> {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records with their leaf hashes.
    pub(crate) fn grow(&self, leaves: Vec<(Vec<u8>, Hash)>) {
        let mut growing = self.lock();
        for (record, leaf) in leaves {
            // Records of the log are short enough, or they would not be in a frame.
            let _ = wal::push_record(&mut growing.bundle, &record);
            let full = growing.edge.push(leaf);
            growing.tiles.extend(full);
            let size = growing.edge.size();
            if size.is_multiple_of(TILE_WIDTH) {
                let bundle = std::mem::take(&mut growing.bundle);
                growing.waiting_bytes += bundle.len();
                growing.bundles.push((size / TILE_WIDTH - 1, bundle));
            }
        }
        self.changed.notify_all();
    }

    /// Waits until tiles keep up with records. Without tiles nothing more is taken.
    pub(crate) fn wait_for_room(&self) -> Result<(), AuditError> {
        let mut growing = self.lock();
        while growing.waiting_bytes > WAITING_MAX_BYTES {
            if let Some(why) = &growing.failing {
                return Err(AuditError::Stopped { why: format!("tiles cannot be written: {why}") });
            }
            growing = self.changed.wait(growing).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// What is to be written for one checkpoint.
struct Job {
    edge: Edge,
    bundle: Vec<u8>,
    tiles: Vec<FullTile>,
    bundles: Vec<(u64, Vec<u8>)>,
}

pub(crate) struct Publisher {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    key: LogKey,
    head: Arc<Head>,
    shared: Arc<Shared>,
    signed_size: u64,
    every: Duration,
}

impl Publisher {
    pub(crate) fn new(
        options: &LogOptions,
        key: LogKey,
        head: Arc<Head>,
        shared: Arc<Shared>,
        signed_size: u64,
    ) -> Self {
        Self {
            disk: options.disk.clone(),
            root: options.dir.clone(),
            key,
            head,
            shared,
            signed_size,
            every: options.publish_every,
        }
    }

    pub(crate) fn run(mut self) {
        while let Some(job) = self.next_job() {
            while let Err(error) = self.publish(&job) {
                tracing::error!(%error, "no checkpoint could be published; it is tried again");
                self.shared.status().unpublished = Some(error.to_string());
                let mut growing = self.head.lock();
                growing.failing = Some(error.to_string());
                self.head.changed.notify_all();
                if growing.closed {
                    // The next start publishes what is in the write-ahead log.
                    return;
                }
                drop(
                    self.head.changed.wait_timeout_while(growing, RETRY, |growing| !growing.closed),
                );
            }
            self.shared.status().unpublished = None;
            let mut growing = self.head.lock();
            growing.failing = None;
            growing.waiting_bytes = growing.bundles.iter().map(|(_, bundle)| bundle.len()).sum();
            self.head.changed.notify_all();
            if !growing.closed {
                drop(growing);
                std::thread::sleep(self.every);
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut growing = self.head.lock();
        while growing.edge.size() == self.signed_size {
            if growing.closed {
                return None;
            }
            growing = self.head.changed.wait(growing).unwrap_or_else(PoisonError::into_inner);
        }
        Some(Job {
            edge: growing.edge.clone(),
            bundle: growing.bundle.clone(),
            tiles: std::mem::take(&mut growing.tiles),
            bundles: std::mem::take(&mut growing.bundles),
        })
    }

    /// Writes tiles, then the checkpoint over them, then removes what it replaced.
    fn publish(&mut self, job: &Job) -> Result<(), AuditError> {
        let size = job.edge.size();
        for tile in &job.tiles {
            self.write(&layout::tile_name(tile.level, tile.index, TILE_WIDTH), &tile.bytes)?;
        }
        for (index, bundle) in &job.bundles {
            self.write(&layout::bundle_name(*index, TILE_WIDTH), bundle)?;
        }
        for (level, index, bytes) in job.edge.partial() {
            self.write(&layout::tile_name(level, index, bytes.len() as u64 / 32), &bytes)?;
        }
        if !job.bundle.is_empty() {
            self.write(&layout::bundle_name(size / TILE_WIDTH, size % TILE_WIDTH), &job.bundle)?;
        }
        let path = layout::checkpoint(&self.root);
        let note = self.key.sign(size, job.edge.root())?;
        self.disk.replace(&path, &note).map_err(AuditError::io("publish", &path))?;
        let before = std::mem::replace(&mut self.signed_size, size);
        self.shared.status().signed_size = size;
        self.tidy(before, size);
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            self.disk.create_dir_all(parent).map_err(AuditError::io("make", parent))?;
        }
        self.disk.replace(&path, bytes).map_err(AuditError::io("write", &path))
    }

    /// Removes unfinished tiles of the checkpoint before, and segments whose records are all in full tiles.
    /// A file that stays is no harm: the next start removes it.
    fn tidy(&self, before: u64, size: u64) {
        for name in partial_names(before) {
            if !partial_names(size).any(|kept| kept == name) {
                let _ = self.disk.remove(&self.root.join(name));
            }
        }
        let Ok(names) = self.disk.list(&layout::wal(&self.root)) else { return };
        let mut firsts: Vec<u64> =
            names.iter().filter_map(|name| layout::segment_first(name)).collect();
        firsts.sort_unstable();
        for pair in firsts.windows(2) {
            if pair[1] <= size / TILE_WIDTH * TILE_WIDTH {
                let _ = self.disk.remove(&layout::segment(&self.root, pair[0]));
            }
        }
    }
}

/// The unfinished tiles and the unfinished bundle of a tree of this size.
pub(crate) fn partial_names(size: u64) -> impl Iterator<Item = String> {
    let bundle = (!size.is_multiple_of(TILE_WIDTH))
        .then(|| layout::bundle_name(size / TILE_WIDTH, size % TILE_WIDTH));
    partial_tiles(size)
        .filter(|(_, _, width)| *width > 0)
        .map(|(level, index, width)| layout::tile_name(level, index, width))
        .chain(bundle)
}
