//! Records against leaves, leaves against the root.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;

use tlog_tiles::{Hash, record_hash};
use uuid::Uuid;

use super::Found;
use super::damage::{Damage, DamageKind};
use super::pruning::Pruning;
use crate::keys::Checkpoint;
use crate::layout::{self, TILE_WIDTH};
use crate::record::{Placed, Record, Step};
use crate::rotation::Rotation;
use crate::tree::{Edge, FullTile, hashes_of};
use crate::wal::split_records;

/// At most so many places are named; the rest is counted by whoever mends the first.
const NAMED_MAX: usize = 64;

/// The walk over a log's records, and what it has seen.
pub(super) struct Walk {
    pub(super) signed: Checkpoint,
    by_tiles: Edge,
    by_entries: Edge,
    /// What is wrong if the tiles are right, and if the records are.
    if_tiles: Vec<Damage>,
    if_entries: Vec<Damage>,
    always: Vec<Damage>,
    sessions: HashMap<Uuid, u64>,
    open: HashSet<u64>,
    last_at_ms: Option<i64>,
    clock_back_at: Option<u64>,
    /// The first record that no anchor covers, and its time.
    unanchored_from: u64,
    unanchored_since_ms: Option<i64>,
    roots: HashMap<u64, Hash>,
    wanted_roots: HashSet<u64>,
    rotations: Vec<Rotation>,
    pruning: Pruning,
}

impl Walk {
    pub(super) fn new(signed: Checkpoint, anchors: &[Checkpoint]) -> Self {
        Self {
            signed,
            by_tiles: Edge::default(),
            by_entries: Edge::default(),
            if_tiles: Vec::new(),
            if_entries: Vec::new(),
            always: Vec::new(),
            sessions: HashMap::new(),
            open: HashSet::new(),
            last_at_ms: None,
            clock_back_at: None,
            unanchored_from: anchors.last().map_or(0, |anchor| anchor.size),
            unanchored_since_ms: None,
            roots: HashMap::from([(0, Edge::default().root())]),
            wanted_roots: anchors.iter().map(|anchor| anchor.size).collect(),
            rotations: Vec::new(),
            pruning: Pruning::default(),
        }
    }

    /// What passed the log from key to key must fit its records.
    pub(super) fn expect(&mut self, rotations: &[Rotation]) {
        self.wanted_roots.extend(rotations.iter().map(|rotation| rotation.checkpoint.size));
        self.rotations = rotations.to_vec();
    }

    /// Reads every tile and every bundle under the checkpoint.
    pub(super) fn tiles_and_entries(&mut self, root: &Path, progress: &mut dyn FnMut(u64, u64)) {
        let size = self.signed.size;
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let width = layout::width_at(size, 0, index);
            self.one_bundle(root, index, width);
            progress((index * TILE_WIDTH + width).min(size), size);
        }
        let partial: Vec<_> = self.by_tiles.partial().filter(|(level, ..)| *level > 0).collect();
        for (level, index, bytes) in partial {
            self.compare_tile(root, level, index, &bytes);
        }
    }

    fn one_bundle(&mut self, root: &Path, index: u64, width: u64) {
        let first = index * TILE_WIDTH;
        let tile_name = layout::tile_name(0, index, width);
        let bundle_name = layout::bundle_name(index, width);
        let leaves = match std::fs::read(root.join(&tile_name)) {
            Ok(bytes) if bytes.len() as u64 == width * 32 => hashes_of(&bytes),
            Ok(bytes) => {
                let why = format!("it has {} bytes, not {}", bytes.len(), width * 32);
                self.always.push(Damage::at(DamageKind::Tile, first, why).in_file(&tile_name));
                Vec::new()
            }
            Err(error) => {
                self.missing(root, first, &tile_name, &error);
                Vec::new()
            }
        };
        let bytes = std::fs::read(root.join(&bundle_name));
        match &bytes {
            // Whether that is as it should be is known when all records were read.
            Err(error) if error.kind() == ErrorKind::NotFound && width == TILE_WIDTH => {
                self.pruning.missing(index);
                // How far sessions counted in it is not known.
                self.sessions.clear();
            }
            Err(error) => self.missing(root, first, &bundle_name, error),
            Ok(_) => {}
        }
        let is_there = bytes.is_ok();
        let bytes = bytes.unwrap_or_default();
        let records = whole_records(&bytes);
        let hashes: Vec<Hash> = records.iter().map(|record| record_hash(record)).collect();
        if hashes != leaves && is_there && !leaves.is_empty() {
            self.name_difference(first, &records, &hashes, &leaves, &bundle_name, &tile_name);
        } else if is_there
            && bytes.len() != records.iter().map(|record| record.len() + 2).sum::<usize>()
        {
            let why = "there are bytes after its last record";
            let seq = first + records.len() as u64;
            self.always.push(Damage::at(DamageKind::Edited, seq, why).in_file(&bundle_name));
        }
        for (seq, record) in (first..).zip(&records) {
            self.look_at(seq, record);
        }
        // What is missing on one side is taken from the other, so that one gap is named once.
        for leaf in if leaves.is_empty() { &hashes } else { &leaves } {
            for full in self.by_tiles.push(*leaf) {
                self.compare_full(root, &full);
            }
        }
        for hash in if is_there { &hashes } else { &leaves } {
            self.by_entries.push(*hash);
            if !is_there && self.by_entries.size() == first + TILE_WIDTH {
                self.pruning.passed(self.by_entries.size(), self.by_entries.root());
            }
            if self.wanted_roots.contains(&self.by_entries.size()) {
                self.roots.insert(self.by_entries.size(), self.by_entries.root());
            }
        }
    }

    fn missing(&mut self, root: &Path, first: u64, name: &str, error: &std::io::Error) {
        let damage = if wider_exists(root, name) {
            let why = "the files are of a larger log than the checkpoint signs".to_owned();
            Damage::at(DamageKind::StaleCheckpoint, first, why).in_file(name)
        } else {
            Damage::at(DamageKind::Missing, first, format!("it cannot be read: {error}"))
                .in_file(name)
        };
        self.always.push(damage);
    }

    fn compare_full(&mut self, root: &Path, full: &FullTile) {
        if full.level > 0 {
            self.compare_tile(root, full.level, full.index, &full.bytes);
        }
    }

    /// A tile of a higher level must hold what follows from the leaves.
    fn compare_tile(&mut self, root: &Path, level: u8, index: u64, expected: &[u8]) {
        let name = layout::tile_name(level, index, expected.len() as u64 / 32);
        match std::fs::read(root.join(&name)) {
            Ok(bytes) if bytes == expected => {}
            Ok(_) => self.always.push(Damage::of_file(
                DamageKind::Tile,
                name,
                "it does not follow from the tiles below it",
            )),
            Err(error) => {
                let first = index << (8 * (u32::from(level) + 1));
                self.missing(root, first, &name, &error);
            }
        }
    }

    /// Says what was done to a bundle whose records are not the tile's leaves.
    fn name_difference(
        &mut self,
        first: u64,
        records: &[&[u8]],
        hashes: &[Hash],
        leaves: &[Hash],
        bundle: &str,
        tile: &str,
    ) {
        if self.if_tiles.len() >= NAMED_MAX {
            return;
        }
        let same = hashes.iter().zip(leaves).take_while(|(hash, leaf)| hash == leaf).count();
        let seq = first + same as u64;
        let (kind, why) = difference(records, hashes, leaves, same);
        self.if_tiles.push(Damage::at(kind, seq, why).in_file(bundle));
        self.if_entries.push(
            Damage::at(
                DamageKind::Tile,
                seq,
                "its hash is not that of the record, which fits the checkpoint",
            )
            .in_file(tile),
        );
    }

    /// What a record says of itself: its place, its session's count, its time.
    pub(super) fn look_at(&mut self, seq: u64, record: &[u8]) {
        let Some(placed) = Placed::read(record) else {
            if self.always.len() < NAMED_MAX {
                self.always.push(Damage::at(DamageKind::Edited, seq, "it is not a record"));
            }
            return;
        };
        if placed.seq != seq && self.always.len() < NAMED_MAX {
            self.always.push(Damage::at(
                DamageKind::Reordered,
                seq,
                format!("it says that it is record {}", placed.seq),
            ));
        }
        let told = self.rotations.iter().find(|rotation| rotation.checkpoint.size == seq + 1);
        if told.is_some_and(|rotation| !rotation.is_told_by(record)) {
            let why = "the log was passed on to a new key here, and the record does not tell of it";
            self.always.push(Damage::at(DamageKind::WrongKey, seq, why));
        }
        self.pruning.look_at(seq, record);
        // A session may have counted on in what is missing.
        let begun = if self.pruning.is_any() { placed.session_n.saturating_sub(1) } else { 0 };
        let count = self.sessions.entry(placed.session).or_insert(begun);
        if placed.session_n != *count + 1 && self.always.len() < NAMED_MAX {
            let why =
                format!("session {} goes from {} to {}", placed.session, count, placed.session_n);
            self.always.push(Damage::at(DamageKind::CounterGap, seq, why));
        }
        *count = placed.session_n;
        match placed.step {
            Step::Intent => drop(self.open.insert(seq)),
            Step::Outcome { of } => drop(self.open.remove(&of)),
            Step::Event => {}
        }
        let at_ms = at_ms(record);
        if let (Some(last), Some(at)) = (self.last_at_ms, at_ms)
            && at < last
            && self.clock_back_at.is_none()
        {
            self.clock_back_at = Some(seq);
        }
        self.last_at_ms = at_ms.or(self.last_at_ms);
        if seq == self.unanchored_from {
            self.unanchored_since_ms = at_ms;
        }
    }

    /// Which of the two is right: tiles or records? The one that gives the signed root.
    pub(super) fn finish(mut self, anchors: &[Checkpoint], found: &mut Found) {
        let signed = Hash(self.signed.root);
        let missing = !self.always.is_empty();
        if self.by_tiles.root() == signed {
            found.damage.append(&mut self.if_tiles);
        } else if self.by_entries.root() == signed {
            found.damage.append(&mut self.if_entries);
        } else {
            found.damage.append(&mut self.if_tiles);
            found.damage.append(&mut self.if_entries);
            if found.damage.is_empty() && !missing {
                let why = "records and tiles fit each other, and not the signed checkpoint: both were rewritten";
                found.damage.push(Damage::of_file(DamageKind::Edited, "tile", why));
            }
        }
        found.damage.append(&mut self.always);
        found.pruned = self.pruning.finish(self.signed.size, &mut found.damage);
        for (number, rotation) in (1..).zip(&self.rotations) {
            let Checkpoint { size, root } = rotation.checkpoint;
            if self.roots.get(&size).is_some_and(|found| *found != Hash(root)) {
                let why = format!("the first {size} records are not those that it signs");
                let name = layout::rotation_name(number);
                found.damage.push(Damage::of_file(DamageKind::Forked, name, why));
            }
        }
        for anchor in anchors {
            if self.roots.get(&anchor.size).is_some_and(|root| *root != Hash(anchor.root)) {
                let why = format!(
                    "the first {} records are not those that a checkpoint kept elsewhere signs",
                    anchor.size
                );
                found.damage.push(Damage { kind: DamageKind::Forked, seq: None, file: None, why });
            }
        }
        found.open_intents = self.open.len() as u64;
        found.clock_back_at = self.clock_back_at;
        let all = self.signed.size + found.unsigned;
        found.unanchored_from =
            (self.unanchored_from < all || all == 0).then_some(self.unanchored_from);
        found.unanchored_since_ms = found.unanchored_from.and(self.unanchored_since_ms);
    }
}

/// The records of a bundle, as far as their lengths make sense.
pub(super) fn whole_records(bytes: &[u8]) -> Vec<&[u8]> {
    if let Some(ranges) = split_records(bytes) {
        return ranges.into_iter().map(|range| &bytes[range]).collect();
    }
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((len, after)) = rest.split_at_checked(2) {
        let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
        let Some((record, after)) = after.split_at_checked(len) else { break };
        records.push(record);
        rest = after;
    }
    records
}

fn difference(
    records: &[&[u8]],
    hashes: &[Hash],
    leaves: &[Hash],
    at: usize,
) -> (DamageKind, String) {
    let here = hashes.get(at);
    let elsewhere = here.and_then(|hash| leaves.iter().position(|leaf| leaf == hash));
    let expected_at = leaves.get(at).and_then(|leaf| hashes.iter().position(|hash| hash == leaf));
    match (here, elsewhere, expected_at) {
        (None, ..) => (
            DamageKind::Truncated,
            format!("{} of {} records are here", hashes.len(), leaves.len()),
        ),
        (Some(_), Some(from), Some(_)) if from < at => {
            (DamageKind::Duplicated, "an earlier record is here again".into())
        }
        (Some(_), Some(from), None) if from < at => {
            (DamageKind::Duplicated, "an earlier record took its place".into())
        }
        (Some(_), Some(_), Some(_)) => {
            (DamageKind::Reordered, "the record that was signed here is further on".into())
        }
        (Some(_), Some(_), None) => {
            (DamageKind::Deleted, "the record that was signed here is gone".into())
        }
        (Some(_), None, Some(_)) => (DamageKind::Inserted, "this record was never signed".into()),
        (Some(_), None, None) => {
            let kind = if Record::parse(records[at]).is_ok() {
                "another record than the signed one"
            } else {
                "not a record"
            };
            (DamageKind::Edited, format!("what is here is {kind}"))
        }
    }
}

/// `at_ms` without reading the whole record; it is the second key of the canonical form, after one text.
fn at_ms(record: &[u8]) -> Option<i64> {
    let mark = b"\",\"at_ms\":";
    let at = record.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let end = record[at..].iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(&record[at..at + end]).ok()?.parse().ok()
}

/// Is there a wider or a full tile where this unfinished one should be?
fn wider_exists(root: &Path, name: &str) -> bool {
    let Some((tile, width)) = name.rsplit_once(".p/") else { return false };
    let Ok(width) = width.parse::<u64>() else { return false };
    root.join(tile).exists()
        || (width + 1..TILE_WIDTH).any(|wider| root.join(format!("{tile}.p/{wider}")).exists())
}
