//! Which intents have no outcome yet, which records were pruned, and a note of it that makes starts quick.
//!
//! `open-intents` is a signed note: a checkpoint of the log as it was, with one more line, the intents that were open
//! then, and a second one when records had been pruned. A start believes it when the log's present key signed it and the log begins with what it signs, and reads the
//! records after it. An old note makes a start slower, as does one that is missing or not believed; none of them makes
//! an open intent disappear. Verification counts open intents by itself, and holds the note against them.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use tlog_tiles::{Error as TreeError, Hash, Tile, TileHashReader, TileReader, tree_hash};

use crate::disk::Disk;
use crate::error::AuditError;
use crate::grown::Grown;
use crate::keys::{Checkpoint, LogKey, VerifierKey, checkpoint_from_note, note_parts};
use crate::layout::{self, TILE_WIDTH};
use crate::prune::Told;
use crate::record::{Placed, Step};
use crate::wal::split_records;

/// The note's name, relative to the log.
pub(crate) const NAME: &str = "open-intents";
/// Records between two notes: what a start has to read.
pub(crate) const EVERY: u64 = 8_192;
/// With more open intents than this no note is written.
const NAMED_MAX: usize = 4_096;
const OPEN: &str = "lockgate-open-intents ";
const PRUNED: &str = "lockgate-pruned ";

/// What the records up to some place leave to be known when they are read no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Intents without an outcome, by their places.
    open: BTreeSet<u64>,
    /// Records before this one were pruned; the newest record that tells of it says so.
    pub(crate) pruned_to: u64,
}

impl Standing {
    /// Takes the next record in; `None` when it is not one.
    pub(crate) fn take(&mut self, record: &[u8]) -> Option<()> {
        let placed = Placed::read(record)?;
        match placed.step {
            Step::Intent => drop(self.open.insert(placed.seq)),
            Step::Outcome { of } => drop(self.open.remove(&of)),
            Step::Event => self.take_pruning(placed.seq, record),
        }
        Some(())
    }

    /// Nothing that is open is pruned; an outcome may have gone along with its intent.
    fn take_pruning(&mut self, seq: u64, record: &[u8]) {
        let told = Told::by(record).filter(|told| told.to <= seq);
        if let Some(Told { to, .. }) = told {
            self.pruned_to = to;
            self.open = self.open.split_off(&to);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.open.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The note of these at this checkpoint; `None` when they are too many.
    pub(crate) fn sign(&self, key: &LogKey, at: Checkpoint) -> Option<Result<Vec<u8>, AuditError>> {
        let places: Vec<String> = self.iter().map(|place| place.to_string()).collect();
        let places = if places.is_empty() { "none".to_owned() } else { places.join(",") };
        let pruned = match self.pruned_to {
            0 => String::new(),
            to => format!("{PRUNED}{to}\n"),
        };
        (self.len() <= NAMED_MAX)
            .then(|| LogKey::sign_all(&[key], at, &format!("{OPEN}{places}\n{pruned}")))
    }
}

/// What a note names, whose signature was checked and whose checkpoint this is.
pub(crate) fn named(note: &[u8], at: Checkpoint) -> Result<Standing, AuditError> {
    let (lines, _) = note_parts(note)?;
    read_lines(&lines, at.size).ok_or_else(|| AuditError::Malformed {
        what: "the note of open intents",
        why: "it does not name places below its size, in order".into(),
    })
}

fn read_lines(lines: &str, size: u64) -> Option<Standing> {
    let (places, rest) = lines.strip_prefix(OPEN)?.split_once('\n')?;
    let open = read_places(places, size)?;
    if rest.is_empty() {
        return Some(Standing { open, pruned_to: 0 });
    }
    let pruned_to: u64 = rest.strip_prefix(PRUNED)?.strip_suffix('\n')?.parse().ok()?;
    let fits = pruned_to > 0 && pruned_to <= size && pruned_to.is_multiple_of(TILE_WIDTH);
    fits.then_some(Standing { open, pruned_to })
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

/// How things stand after `until` records, from how they stood after `seq`, and what is between. Bundles that a record
/// says were pruned may be gone.
pub(crate) fn find(
    disk: &dyn Disk,
    root: &Path,
    (mut seq, mut standing): (u64, Standing),
    until: u64,
    grown: &Grown,
) -> Result<Standing, AuditError> {
    let mut missing_to = 0;
    while seq < until {
        let index = seq / TILE_WIDTH;
        let end = until.min((index + 1) * TILE_WIDTH);
        let name = layout::bundle_name(index, TILE_WIDTH);
        let read;
        let bundle = if index == grown.edge().size() / TILE_WIDTH {
            grown.bundle()
        } else {
            let path = root.join(&name);
            read = match disk.read(&path) {
                // The record that tells of it is further on.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing_to = (index + 1) * TILE_WIDTH;
                    seq = end;
                    continue;
                }
                other => other.map_err(AuditError::io("read", &path))?,
            };
            &read
        };
        let skipped = usize::try_from(seq % TILE_WIDTH).unwrap_or(usize::MAX);
        let records = split_records(bundle).unwrap_or_default();
        let taken = (seq..end).zip(records.into_iter().skip(skipped)).try_fold(seq, |seq, next| {
            standing.take(&bundle[next.1])?;
            Some(seq + 1)
        });
        if taken != Some(end) {
            let why = format!("{name} does not hold records up to {end}");
            return Err(AuditError::damaged(root, why));
        }
        seq = end;
    }
    if missing_to > standing.pruned_to {
        let name = layout::bundle_name(missing_to / TILE_WIDTH - 1, TILE_WIDTH);
        let why = format!("{name} is missing, and no signed record says that it was pruned");
        return Err(AuditError::damaged(root, why));
    }
    Ok(standing)
}

/// What the note says, when the log's present key signed it and the log begins with what it signs; else that no record
/// was looked at, and none is open.
pub(crate) fn noted(
    disk: &dyn Disk,
    root: &Path,
    key: &VerifierKey,
    signed: Checkpoint,
) -> (u64, Standing) {
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
