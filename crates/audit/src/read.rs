//! Reading a log that may be open elsewhere, or a copy of one.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tlog_tiles::{Error as TreeError, Hash, Tile, TileReader, record_hash};

use crate::disk::{read_file, read_text};
use crate::error::AuditError;
use crate::keys::{Checkpoint, VerifierKey, unchecked_size};
use crate::layout::{self, TILE_WIDTH};
use crate::publish::partial_names;
use crate::record::Record;
use crate::rotation::Chain;
use crate::tree::{Edge, hashes_of, partial_tiles};
use crate::wal;

/// How often a log that is being written is read again before that is given up.
const OPEN_TRIES: u32 = 100;

/// A log's directory as it was at one checkpoint, read only.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) root: PathBuf,
    keys: Vec<VerifierKey>,
    note: Vec<u8>,
    checkpoint: Checkpoint,
    tail: Vec<Vec<u8>>,
    /// The first record that was not pruned.
    first: u64,
    /// The files that the next checkpoint replaces.
    edge: HashMap<String, Vec<u8>>,
    /// Whether they give the root that the checkpoint signs.
    has_signed_edge: bool,
}

/// The public keys that a log says are its own.
pub(crate) fn own_keys(root: &Path) -> Result<Vec<VerifierKey>, AuditError> {
    let path = layout::keys(root);
    let text = read_text(&path).map_err(AuditError::io("read", &path))?;
    text.lines().map(VerifierKey::parse).collect()
}

impl Reader {
    /// Reads the checkpoint and what follows it. Without keys the log's own are taken at its word.
    pub fn open(root: impl Into<PathBuf>, keys: Vec<VerifierKey>) -> Result<Self, AuditError> {
        Self::read(root.into(), keys, true)
    }

    /// Reads what is signed alone.
    pub fn open_signed(
        root: impl Into<PathBuf>,
        keys: Vec<VerifierKey>,
    ) -> Result<Self, AuditError> {
        Self::read(root.into(), keys, false)
    }

    fn read(root: PathBuf, keys: Vec<VerifierKey>, with_tail: bool) -> Result<Self, AuditError> {
        let chain = match Chain::of_directory(&root) {
            Ok(chain) if keys.is_empty() || chain.has_one_of(&keys) => chain,
            Err(error) if keys.is_empty() => return Err(error),
            _ => Chain::of_keys(keys),
        };
        let path = layout::checkpoint(&root);
        let mut note = read_file(&path).map_err(AuditError::io("read", &path))?;
        for _ in 0..OPEN_TRIES {
            // Its signature takes longer to check than the next checkpoint may take to come.
            let size = unchecked_size(&note).unwrap_or(0);
            let mut edge = HashMap::new();
            let mut whole = true;
            for name in partial_names(size) {
                match read_file(&root.join(&name)) {
                    Ok(bytes) => drop(edge.insert(name, bytes)),
                    Err(_) => whole = false,
                }
            }
            let (tail, tail_whole) =
                if with_tail { read_tail(&root, size)? } else { (Vec::new(), true) };
            // Under a newer checkpoint unfinished tiles and segments of the write-ahead log go away.
            let again = read_file(&path).map_err(AuditError::io("read", &path))?;
            if (whole && tail_whole) || again == note {
                let checkpoint = chain.checkpoint(&note)?;
                let first = first_bundle(&root, checkpoint.size) * TILE_WIDTH;
                let has_signed_edge = has_signed_edge(&edge, checkpoint);
                let keys = chain.keys;
                return Ok(Self {
                    root,
                    keys,
                    note,
                    checkpoint,
                    tail,
                    first,
                    edge,
                    has_signed_edge,
                });
            }
            note = again;
        }
        Err(AuditError::Missing("the log grows faster than it can be read; try again".into()))
    }

    /// A file of the log as it is at the checkpoint.
    pub(crate) fn file(&self, name: &str) -> io::Result<Vec<u8>> {
        self.edge
            .get(name)
            .map_or_else(|| read_file(&self.root.join(name)), |bytes| Ok(bytes.clone()))
    }

    /// What is signed.
    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The signed note itself.
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// The keys that signatures are checked with, oldest first: those given, and those that they passed the log on to.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// The first record that is still here: those before it were pruned.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Records in all, those that no checkpoint signs yet among them.
    pub fn size(&self) -> u64 {
        self.checkpoint.size + self.tail.len() as u64
    }

    /// The bytes of these records, in order.
    pub fn records(&self, wanted: Range<u64>) -> Result<Vec<Vec<u8>>, AuditError> {
        let wanted = wanted.start..wanted.end.min(self.size());
        if wanted.start < self.first && !wanted.is_empty() {
            return Err(AuditError::Missing(format!(
                "record {} is not here: those before {} were pruned, or taken away; `lockgate audit verify` tells which",
                wanted.start, self.first
            )));
        }
        let mut out = Vec::new();
        let mut seq = wanted.start;
        while seq < wanted.end.min(self.checkpoint.size) {
            let index = seq / TILE_WIDTH;
            let name = layout::bundle_name(index, layout::width_at(self.checkpoint.size, 0, index));
            let path = self.root.join(&name);
            let bytes = self.file(&name).map_err(AuditError::io("read", &path))?;
            let ranges = wal::split_records(&bytes).ok_or_else(|| {
                AuditError::damaged(
                    &self.root,
                    format!("{} is not a bundle of records", path.display()),
                )
            })?;
            let bundle_end = ((index + 1) * TILE_WIDTH).min(self.checkpoint.size);
            let leaves = self.signed_tile(0, index)?;
            for at in seq..wanted.end.min(bundle_end) {
                let range =
                    usize::try_from(at - index * TILE_WIDTH).ok().and_then(|at| ranges.get(at));
                let range = range.ok_or_else(|| {
                    AuditError::damaged(&self.root, format!("record {at} is missing"))
                })?;
                let record = &bytes[range.clone()];
                let place = usize::try_from(at % TILE_WIDTH).unwrap_or(usize::MAX);
                if leaves.get(place) != Some(&record_hash(record)) {
                    let why = format!("record {at} is not the one that was signed");
                    return Err(AuditError::damaged(&self.root, why));
                }
                out.push(record.to_vec());
            }
            seq = bundle_end;
        }
        for at in seq.max(self.checkpoint.size)..wanted.end {
            let place = usize::try_from(at - self.checkpoint.size).unwrap_or(usize::MAX);
            out.extend(self.tail.get(place).cloned());
        }
        Ok(out)
    }

    /// The hashes of a tile, if they are what the checkpoint signs: an unfinished tile is part of the signed edge, and a
    /// full one has its hash in the tile above.
    ///
    /// `tlog_tiles::TileHashReader` leaves some tiles unchecked where two subtrees of the edge are in one tile.
    fn signed_tile(&self, level: u8, index: u64) -> Result<Vec<Hash>, AuditError> {
        let width = layout::width_at(self.checkpoint.size, level, index);
        let name = layout::tile_name(level, index, width);
        let bytes = self.file(&name).map_err(AuditError::io("read", &self.root.join(&name)))?;
        let holds = bytes.len() as u64 == width * 32
            && if width < TILE_WIDTH {
                self.has_signed_edge
            } else {
                let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
                let above = self.signed_tile(level + 1, index / TILE_WIDTH)?;
                above.get(at) == Some(&Tile::subtree_hash(&bytes))
            };
        if !holds {
            let why = format!("{name} does not follow from the root that its checkpoint signs");
            return Err(AuditError::damaged(&self.root, why));
        }
        Ok(hashes_of(&bytes))
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

fn has_signed_edge(files: &HashMap<String, Vec<u8>>, signed: Checkpoint) -> bool {
    let levels = partial_tiles(signed.size).map(|(level, index, width)| {
        let name = layout::tile_name(level, index, width);
        let hashes = if width == 0 { Vec::new() } else { hashes_of(files.get(&name)?) };
        (hashes.len() as u64 == width).then_some(hashes)
    });
    let levels: Option<Vec<_>> = levels.collect();
    levels.is_some_and(|levels| Edge::new(signed.size, levels).root() == Hash(signed.root))
}

/// The first full bundle that is there. Pruning takes the oldest first, so that none is missing after it.
fn first_bundle(root: &Path, size: u64) -> u64 {
    let is_there = |index| root.join(layout::bundle_name(index, TILE_WIDTH)).exists();
    let (mut low, mut high) = (0, size / TILE_WIDTH);
    if high == 0 || is_there(0) {
        return 0;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if is_there(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Only what is signed is here: no process ever had this directory as its log.
pub(crate) fn is_copy(root: &Path) -> bool {
    layout::checkpoint(root).exists() && !layout::wal(root).exists() && !layout::lock(root).exists()
}

/// Records of the write-ahead log from this one on, up to a torn end or a gap; and whether there was no gap.
fn read_tail(root: &Path, from: u64) -> Result<(Vec<Vec<u8>>, bool), AuditError> {
    let directory = layout::wal(root);
    if is_copy(root) {
        return Ok((Vec::new(), true));
    }
    let listed = std::fs::read_dir(&directory).map_err(AuditError::io("read", &directory))?;
    let mut firsts: Vec<u64> = listed
        .flatten()
        .filter_map(|entry| layout::segment_first(&entry.file_name().to_string_lossy()))
        .collect();
    firsts.sort_unstable();
    let mut tail = Vec::new();
    let mut next = None;
    for (at, first) in firsts.iter().enumerate() {
        if firsts.get(at + 1).is_some_and(|next| *next <= from) {
            continue;
        }
        let path = layout::segment(root, *first);
        let bytes = match read_file(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((tail, false)),
            Err(error) => return Err(AuditError::io("read", &path)(error)),
        };
        if next.map_or(*first > from, |next| next != *first) {
            return Ok((tail, false));
        }
        let mut seq = *first;
        for range in wal::scan(&bytes, *first).records {
            if seq >= from {
                tail.push(bytes[range].to_vec());
            }
            seq += 1;
        }
        next = Some(seq);
    }
    Ok((tail, true))
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
                self.file(&name).map_err(|_| TreeError::InvalidTile)
            })
            .collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}
