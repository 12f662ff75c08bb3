//! Which intents have no outcome yet, and a note of them that makes starts quick.
//!
//! `open-intents` is a signed note: a checkpoint of the log as it was, with one more line, the intents that were open
//! then. A start believes it when the log's present key signed it and the log begins with what it signs, and reads the
//! records after it. An old note makes a start slower, as does one that is missing or not believed; none of them makes
//! an open intent disappear. Verification counts open intents by itself, and holds the note against them.

use std::collections::BTreeSet;
use std::path::Path;

use tlog_tiles::{Error as TreeError, Hash, Tile, TileHashReader, TileReader, tree_hash};

use crate::disk::Disk;
use crate::error::AuditError;
use crate::keys::{Checkpoint, LogKey, VerifierKey, checkpoint_from_note, note_parts};
use crate::layout::{self, TILE_WIDTH};
use crate::record::{Placed, Step};
use crate::wal::split_records;

/// The note's name, relative to the log.
pub(crate) const NAME: &str = "open-intents";
/// Records between two notes: what a start has to read.
pub(crate) const EVERY: u64 = 8_192;
/// With more open intents than this no note is written.
const NAMED_MAX: usize = 4_096;
const OPEN: &str = "lockgate-open-intents ";

/// Intents without an outcome, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenIntents(BTreeSet<u64>);

impl OpenIntents {
    /// Takes the next record in; `None` when it is not one.
    pub(crate) fn take(&mut self, record: &[u8]) -> Option<()> {
        let placed = Placed::read(record)?;
        match placed.step {
            Step::Intent => drop(self.0.insert(placed.seq)),
            Step::Outcome { of } => drop(self.0.remove(&of)),
            Step::Event => {}
        }
        Some(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The note of these at this checkpoint; `None` when they are too many.
    pub(crate) fn sign(&self, key: &LogKey, at: Checkpoint) -> Option<Result<Vec<u8>, AuditError>> {
        let places: Vec<String> = self.iter().map(|place| place.to_string()).collect();
        let places = if places.is_empty() { "none".to_owned() } else { places.join(",") };
        (self.len() <= NAMED_MAX)
            .then(|| LogKey::sign_all(&[key], at, &format!("{OPEN}{places}\n")))
    }
}

/// The intents that a note names, whose signature was checked and whose checkpoint this is.
pub(crate) fn named(note: &[u8], at: Checkpoint) -> Result<OpenIntents, AuditError> {
    let (lines, _) = note_parts(note)?;
    let places = lines.strip_prefix(OPEN).and_then(|line| line.strip_suffix('\n'));
    let open = places.and_then(|places| read_places(places, at.size));
    open.map(OpenIntents).ok_or_else(|| AuditError::Malformed {
        what: "the note of open intents",
        why: "it does not name places below its size, in order".into(),
    })
}

fn read_places(text: &str, size: u64) -> Option<BTreeSet<u64>> {
    if text == "none" {
        return Some(BTreeSet::new());
    }
    let mut places = BTreeSet::new();
    for place in text.split(',') {
        let place: u64 = place.parse().ok()?;
        let in_order = places.last().is_none_or(|last| *last < place);
        if place >= size || !in_order || !places.insert(place) {
            return None;
        }
    }
    Some(places)
}

/// Finds the open intents of a log of this size from those at an earlier one, and the records after it.
pub(crate) fn find(
    disk: &dyn Disk,
    root: &Path,
    (mut seq, mut open): (u64, OpenIntents),
    size: u64,
    last_bundle: &[u8],
) -> Result<OpenIntents, AuditError> {
    while seq < size {
        let index = seq / TILE_WIDTH;
        let name = layout::bundle_name(index, TILE_WIDTH);
        let read;
        let bundle = if index == size / TILE_WIDTH {
            last_bundle
        } else {
            let path = root.join(&name);
            read = disk.read(&path).map_err(AuditError::io("read", &path))?;
            &read
        };
        let skipped = usize::try_from(seq % TILE_WIDTH).unwrap_or(usize::MAX);
        let records = split_records(bundle).unwrap_or_default();
        let taken = records.into_iter().skip(skipped).try_fold(seq, |seq, record| {
            open.take(&bundle[record])?;
            Some(seq + 1)
        });
        seq = size.min((index + 1) * TILE_WIDTH);
        if taken != Some(seq) {
            let why = format!("{name} does not hold records up to {seq}");
            return Err(AuditError::damaged(root, why));
        }
    }
    Ok(open)
}

/// What the note says, when the log's present key signed it and the log begins with what it signs; else that no record
/// was looked at, and none is open.
pub(crate) fn noted(
    disk: &dyn Disk,
    root: &Path,
    key: &VerifierKey,
    signed: Checkpoint,
) -> (u64, OpenIntents) {
    let Ok(note) = disk.read(&root.join(NAME)) else { return Default::default() };
    let read = checkpoint_from_note(&note, std::slice::from_ref(key))
        .and_then(|at| Ok((at, named(&note, at)?)));
    let why = match read {
        Ok((at, open)) if begins_with(disk, root, signed, at) => return (at.size, open),
        Ok(_) => "it is of another log".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(why, "the note of open intents is not believed; all records are read instead");
    Default::default()
}

fn begins_with(disk: &dyn Disk, root: &Path, signed: Checkpoint, at: Checkpoint) -> bool {
    let tiles = Tiles { disk, root };
    let hashes = TileHashReader::new(signed.size, Hash(signed.root), &tiles);
    (1..=signed.size).contains(&at.size)
        && tree_hash(at.size, &hashes).is_ok_and(|root| root == Hash(at.root))
}

/// Tiles as they are on disk; who reads them checks them.
struct Tiles<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        layout::TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        let name = |tile: &Tile| {
            layout::tile_name(tile.level(), tile.level_index(), u64::from(tile.width()))
        };
        let read = |tile| self.disk.read(&self.root.join(name(tile)));
        tiles.iter().map(|tile| read(tile).map_err(|_| TreeError::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}
