//! Reading a log that may be open elsewhere, or a copy of one.

use std::ops::Range;
use std::path::{Path, PathBuf};

use tlog_tiles::{Error as TreeError, Tile, TileReader};

use crate::error::AuditError;
use crate::keys::{Checkpoint, VerifierKey, checkpoint_from_note};
use crate::layout::{self, TILE_WIDTH};
use crate::record::Record;
use crate::wal;

/// A log's directory, read only.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) root: PathBuf,
    keys: Vec<VerifierKey>,
    note: Vec<u8>,
    checkpoint: Checkpoint,
    tail: Vec<Vec<u8>>,
}

/// The public keys that a log says are its own.
pub(crate) fn own_keys(root: &Path) -> Result<Vec<VerifierKey>, AuditError> {
    let path = layout::keys(root);
    let text = std::fs::read_to_string(&path).map_err(AuditError::io("read", &path))?;
    text.lines().map(VerifierKey::parse).collect()
}

impl Reader {
    /// Reads the checkpoint and what follows it. Without keys the log's own are taken at its word.
    pub fn open(root: impl Into<PathBuf>, keys: Vec<VerifierKey>) -> Result<Self, AuditError> {
        let root = root.into();
        let keys = if keys.is_empty() { own_keys(&root)? } else { keys };
        let path = layout::checkpoint(&root);
        let note = std::fs::read(&path).map_err(AuditError::io("read", &path))?;
        let checkpoint = checkpoint_from_note(&note, &keys)?;
        let tail = read_tail(&root, checkpoint.size)?;
        Ok(Self { root, keys, note, checkpoint, tail })
    }

    /// What is signed.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The signed note itself.
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// The keys that signatures are checked with.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// Records in all, those that no checkpoint signs yet among them.
    pub fn size(&self) -> u64 {
        self.checkpoint.size + self.tail.len() as u64
    }

    /// The bytes of these records, in order.
    pub fn records(&self, wanted: Range<u64>) -> Result<Vec<Vec<u8>>, AuditError> {
        let wanted = wanted.start..wanted.end.min(self.size());
        let mut out = Vec::new();
        let mut seq = wanted.start;
        while seq < wanted.end.min(self.checkpoint.size) {
            let index = seq / TILE_WIDTH;
            let name = layout::bundle_name(index, layout::width_at(self.checkpoint.size, 0, index));
            let path = self.root.join(name);
            let bytes = std::fs::read(&path).map_err(AuditError::io("read", &path))?;
            let ranges = wal::split_records(&bytes).ok_or_else(|| {
                AuditError::damaged(
                    &self.root,
                    format!("{} is not a bundle of records", path.display()),
                )
            })?;
            let bundle_end = ((index + 1) * TILE_WIDTH).min(self.checkpoint.size);
            for at in seq..wanted.end.min(bundle_end) {
                let range =
                    usize::try_from(at - index * TILE_WIDTH).ok().and_then(|at| ranges.get(at));
                let range = range.ok_or_else(|| {
                    AuditError::damaged(&self.root, format!("record {at} is missing"))
                })?;
                out.push(bytes[range.clone()].to_vec());
            }
            seq = bundle_end;
        }
        for at in seq.max(self.checkpoint.size)..wanted.end {
            let place = usize::try_from(at - self.checkpoint.size).unwrap_or(usize::MAX);
            out.extend(self.tail.get(place).cloned());
        }
        Ok(out)
    }

    /// One record.
    pub fn record(&self, seq: u64) -> Result<Record, AuditError> {
        let found = self.records(seq..seq + 1)?;
        let bytes = found.first().ok_or_else(|| {
            AuditError::Missing(format!("there is no record {seq}; the log has {}", self.size()))
        })?;
        Record::parse(bytes)
    }
}

/// Records of the write-ahead log from this one on; a torn end is left out.
fn read_tail(root: &Path, from: u64) -> Result<Vec<Vec<u8>>, AuditError> {
    let directory = layout::wal(root);
    let listed = std::fs::read_dir(&directory).map_err(AuditError::io("read", &directory))?;
    let mut firsts: Vec<u64> = listed
        .flatten()
        .filter_map(|entry| layout::segment_first(&entry.file_name().to_string_lossy()))
        .collect();
    firsts.sort_unstable();
    let mut tail = Vec::new();
    for (at, first) in firsts.iter().enumerate() {
        if firsts.get(at + 1).is_some_and(|next| *next <= from) {
            continue;
        }
        let path = layout::segment(root, *first);
        let bytes = std::fs::read(&path).map_err(AuditError::io("read", &path))?;
        for (seq, range) in (*first..).zip(wal::scan(&bytes, *first).records) {
            if seq >= from {
                tail.push(bytes[range].to_vec());
            }
        }
    }
    Ok(tail)
}

impl TileReader for Reader {
    fn height(&self) -> u8 {
        layout::TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        tiles
            .iter()
            .map(|tile| {
                let name =
                    layout::tile_name(tile.level(), tile.level_index(), u64::from(tile.width()));
                std::fs::read(self.root.join(name)).map_err(|_| TreeError::InvalidTile)
            })
            .collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}
