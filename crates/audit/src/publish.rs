//! Tiles and checkpoints: what others can check. The checkpoint comes last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::Disk;
use crate::error::AuditError;
use crate::grown::Grown;
use crate::keys::{Checkpoint, LogKey};
use crate::layout::{self, TILE_WIDTH};
use crate::log::Shared;
use crate::open_intents::{self, Standing};
use crate::tree::partial_tiles;
use crate::wal::{Frame, split_records};

/// Bytes of records that may wait for their tiles.
const WAITING_MAX_BYTES: usize = 64 << 20;
/// Files that are written at once, and are open as long.
const FILES_AT_ONCE: usize = 128;
/// Wait before a checkpoint that could not be published is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the committer has on disk, until the publisher has it in tiles.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    frames: Vec<Frame>,
    /// Of records, those that the publisher has taken among them.
    bytes: usize,
    closed: bool,
    failing: Option<String>,
}

impl Waiting {
    /// So much that the next checkpoint should not be put off.
    fn is_pressing(&self) -> bool {
        self.bytes > WAITING_MAX_BYTES / 8
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a frame on.
    pub(crate) fn push(&self, frame: Frame) {
        let mut waiting = self.lock();
        waiting.bytes += frame.records().len();
        waiting.frames.push(frame);
        if waiting.frames.len() == 1 || waiting.is_pressing() {
            self.changed.notify_all();
        }
    }

    /// Waits until tiles keep up with records. Without tiles nothing more is taken.
    pub(crate) fn wait_for_room(&self) -> Result<(), AuditError> {
        let mut waiting = self.lock();
        while waiting.bytes > WAITING_MAX_BYTES {
            if let Some(why) = &waiting.failing {
                return Err(AuditError::Stopped { why: format!("tiles cannot be written: {why}") });
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Puts the next checkpoint off, unless so much waits, or the log ends, that it should not be.
    fn rest(&self, at_most: Duration) {
        let calm = |waiting: &mut Waiting| !waiting.closed && !waiting.is_pressing();
        drop(self.changed.wait_timeout_while(self.lock(), at_most, calm));
    }

    fn published(&self, bytes: usize) {
        let mut waiting = self.lock();
        waiting.failing = None;
        waiting.bytes -= bytes;
        self.changed.notify_all();
    }

    /// Says why nothing can be published, and waits; returns whether it is to be tried again.
    fn failed(&self, why: String) -> bool {
        let mut waiting = self.lock();
        waiting.failing = Some(why);
        self.changed.notify_all();
        if waiting.closed {
            return false;
        }
        drop(self.changed.wait_timeout_while(waiting, RETRY, |waiting| !waiting.closed));
        true
    }
}

/// Writes tiles and signs checkpoints, on a thread of its own.
pub(crate) struct Publisher {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    pub(crate) key: LogKey,
    pub(crate) queue: Arc<Queue>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) grown: Grown,
    /// Records under the published checkpoint.
    pub(crate) signed_size: u64,
    /// How things stand after what has grown.
    pub(crate) standing: Standing,
    /// Records under the note of open intents.
    pub(crate) noted_size: u64,
    /// The least time between two checkpoints.
    pub(crate) every: Duration,
}

impl Publisher {
    pub(crate) fn run(mut self) {
        while let Some(bytes) = self.grow() {
            while let Err(error) = self.publish() {
                tracing::error!(%error, "no checkpoint could be published; it is tried again");
                self.shared.status().unpublished = Some(error.to_string());
                if !self.queue.failed(error.to_string()) {
                    // The next start publishes what is in the write-ahead log.
                    return;
                }
            }
            self.shared.status().unpublished = None;
            self.queue.published(bytes);
            self.queue.rest(self.every);
        }
    }

    /// Takes what is waiting into the tree; returns its bytes, and `None` when nothing more comes.
    fn grow(&mut self) -> Option<usize> {
        let frames = {
            let mut waiting = self.queue.lock();
            while waiting.frames.is_empty() && self.grown.edge().size() == self.signed_size {
                if waiting.closed {
                    return None;
                }
                waiting = self.queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::take(&mut waiting.frames)
        };
        let mut bytes = 0;
        for frame in frames {
            let records = frame.records();
            bytes += records.len();
            for range in split_records(records).unwrap_or_default() {
                let record = &records[range];
                self.grown.push(record);
                // The log wrote it itself, so it is one.
                let _ = self.standing.take(record);
            }
        }
        Some(bytes)
    }

    /// Writes tiles, then the checkpoint over them, then removes what it replaced.
    fn publish(&mut self) -> Result<(), AuditError> {
        let edge = self.grown.edge();
        let size = edge.size();
        let partial: Vec<_> = edge
            .partial()
            .map(|(level, index, bytes)| {
                (layout::tile_name(level, index, bytes.len() as u64 / 32), bytes)
            })
            .collect();
        let mut files = self.grown.full();
        files.extend(partial.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())));
        if !self.grown.bundle().is_empty() {
            let name = layout::bundle_name(size / TILE_WIDTH, size % TILE_WIDTH);
            files.push((name, self.grown.bundle()));
        }
        write_tiles(self.disk.as_ref(), &self.root, files)?;
        let path = layout::checkpoint(&self.root);
        let root = edge.root();
        let note = self.key.sign(size, root)?;
        self.disk.replace(&path, &note).map_err(AuditError::io("publish", &path))?;
        self.grown.forget_full();
        let before = std::mem::replace(&mut self.signed_size, size);
        {
            let mut status = self.shared.status();
            status.signed_size = size;
            status.pruned_to = self.standing.pruned_to;
        }
        self.tidy(before, size);
        self.note_open(Checkpoint { size, root: root.0 });
        Ok(())
    }

    /// Says which intents are open, after the checkpoint that this stands on. Without it the next start takes longer.
    fn note_open(&mut self, at: Checkpoint) {
        if at.size - self.noted_size < open_intents::EVERY {
            return;
        }
        let Some(note) = self.standing.sign(&self.key, at) else { return };
        let path = self.root.join(open_intents::NAME);
        let written = note.and_then(|note| {
            self.disk.replace(&path, &note).map_err(AuditError::io("write", &path))
        });
        match written {
            Ok(()) => self.noted_size = at.size,
            Err(error) => tracing::warn!(%error, "the next start will read more than it needs to"),
        }
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

/// Writes tiles and bundles, durably; no checkpoint may name them before.
pub(crate) fn write_tiles(
    disk: &dyn Disk,
    root: &Path,
    named: Vec<(String, &[u8])>,
) -> Result<(), AuditError> {
    let files: Vec<(PathBuf, &[u8])> =
        named.into_iter().map(|(name, bytes)| (root.join(name), bytes)).collect();
    let parents: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
    for parent in parents {
        disk.create_dir_all(parent).map_err(AuditError::io("make", parent))?;
    }
    for some in files.chunks(FILES_AT_ONCE) {
        disk.replace_all(some).map_err(AuditError::io("write tiles in", root))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// It would not end otherwise.
    #[test]
    fn a_log_that_ends_waits_for_no_checkpoint_that_was_put_off() {
        let queue = Arc::new(Queue::default());
        let rests = Arc::clone(&queue);
        let resting = std::thread::spawn(move || rests.rest(Duration::MAX));
        queue.close();
        resting.join().expect("it ends");
    }
}
