//! Where things are in a log's directory.
//!
//! `checkpoint` the newest signed note · `log.keys` public keys, oldest first · `tile/L/N[.p/W]` hashes ·
//! `tile/entries/N[.p/W]` records · `wal/SEQ.wal` records not yet in full tiles · `rotation/N` notes that pass
//! the log from one key to the next · `open-intents` a signed note of intents without an outcome · `cosigned/ID` the
//! newest checkpoint that the witness with this key cosigned.

use std::path::{Path, PathBuf};

use tlog_tiles::Tile;

/// Height of a tile: 2^8 hashes.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// Hashes or records in a full tile.
pub(crate) const TILE_WIDTH: u64 = 256;
/// Full tiles of one level that stand in one directory.
pub(crate) const NAMES_IN_DIRECTORY: usize = 1000;

pub(crate) fn checkpoint(root: &Path) -> PathBuf {
    root.join("checkpoint")
}

pub(crate) fn keys(root: &Path) -> PathBuf {
    root.join("log.keys")
}

/// The note that passes the log on for the n-th time, relative to the log.
pub(crate) fn rotation_name(number: usize) -> String {
    format!("rotation/{number}")
}

/// Checkpoints that witnesses cosigned, relative to the log.
pub(crate) const COSIGNED: &str = "cosigned";

/// The checkpoint that the witness with this key cosigned, relative to the log.
pub(crate) fn cosigned_name(key_id: u32) -> String {
    format!("{COSIGNED}/{key_id:08x}")
}

/// The id of the witness's key whose file this is.
pub(crate) fn cosigned_by(path: &str) -> Option<u32> {
    let digits = path.strip_prefix(COSIGNED)?.strip_prefix('/')?;
    let id = u32::from_str_radix(digits, 16).ok()?;
    (path == cosigned_name(id)).then_some(id)
}

pub(crate) fn lock(root: &Path) -> PathBuf {
    root.join("lock")
}

pub(crate) fn wal(root: &Path) -> PathBuf {
    root.join("wal")
}

pub(crate) fn segment(root: &Path, first_seq: u64) -> PathBuf {
    root.join(segment_name(first_seq))
}

/// A segment, relative to the log.
pub(crate) fn segment_name(first_seq: u64) -> String {
    format!("wal/{first_seq:020}.wal")
}

/// The first sequence number of a segment, by its name.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// The path of a tile of hashes, relative to the log.
pub(crate) fn tile_name(level: u8, index: u64, width: u64) -> String {
    name(level, index, width, false)
}

/// The path of a bundle of records, relative to the log.
pub(crate) fn bundle_name(index: u64, width: u64) -> String {
    name(0, index, width, true)
}

fn name(level: u8, index: u64, width: u64, is_data: bool) -> String {
    let width = u32::try_from(width.clamp(1, TILE_WIDTH)).unwrap_or(1);
    let path = Tile::new(TILE_HEIGHT, level, index, width, is_data).path();
    // The crate writes paths as Go's module proxy does; C2SP leaves the height out and says `entries`.
    let rest = path.strip_prefix("tile/8/").unwrap_or(&path);
    match rest.strip_prefix("data/") {
        Some(rest) => format!("tile/entries/{rest}"),
        None => format!("tile/{rest}"),
    }
}

/// How many hashes a tile holds in a tree of this size; none when it is not there.
pub(crate) fn width_at(size: u64, level: u8, index: u64) -> u64 {
    let nodes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
    nodes.saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH)
}

/// Levels of tiles in a tree of this size.
pub(crate) fn levels(size: u64) -> u8 {
    let mut level = 0;
    while level < 8 && size.checked_shr(u32::from(level) * 8).unwrap_or(0) > 0 {
        level += 1;
    }
    level
}
