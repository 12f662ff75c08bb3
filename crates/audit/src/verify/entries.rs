//! Records against leaves, leaves against the root.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;

use tlog_tiles::Hash;
use uuid::Uuid;

use super::Found;
use super::damage::{Damage, DamageKind};
use super::page::Page;
use super::pruning::Pruning;
use super::source::Source;
use super::witnesses::Beside;
use crate::keys::Checkpoint;
use crate::layout::{self, TILE_WIDTH};
use crate::open_intents::{self, Standing};
use crate::record::{Placed, Record, Step, at_ms};
use crate::rotation::Rotation;
use crate::tree::{Edge, FullTile, each_hash};

/// At most so many places are named; the rest is counted by whoever mends the first.
const NAMED_MAX: usize = 64;
/// Those who record at the same time read the clock before they stand in line.
const CLOCK_SLACK_MS: i64 = 1_000;
/// The walk over a log's records, and what it has seen.
pub(super) struct Walk {
    pub(super) signed: Checkpoint,
    by_tiles: Edge,
    /// The tree of the records, from the first place on where it is not that of the tiles.
    by_entries: Option<Edge>,
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
    noted: Option<(Checkpoint, Standing)>,
    open_differs_at: Option<u64>,
    beside: Vec<Beside>,
    pruning: Pruning,
}

impl Walk {
    pub(super) fn new(signed: Checkpoint, anchors: &[Checkpoint]) -> Self {
        Self {
            signed,
            by_tiles: Edge::default(),
            by_entries: None,
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
            noted: None,
            open_differs_at: None,
            beside: Vec::new(),
            pruning: Pruning::default(),
        }
    }

    /// The intents that a note says were open at a checkpoint.
    pub(super) fn expect_open(&mut self, at: Checkpoint, open: Standing) {
        self.wanted_roots.insert(at.size);
        self.noted = Some((at, open));
    }

    /// What witnesses cosigned must fit too; so many records are vouched for by enough of them.
    pub(super) fn cosigned(&mut self, beside: Vec<Beside>, covered: Option<u64>) {
        self.wanted_roots.extend(beside.iter().map(|cosigned| cosigned.checkpoint.size));
        self.unanchored_from = self.unanchored_from.max(covered.unwrap_or(0));
        self.beside = beside;
    }

    /// What passed the log from key to key must fit its records.
    pub(super) fn expect(&mut self, rotations: &[Rotation]) {
        self.wanted_roots.extend(rotations.iter().map(|rotation| rotation.checkpoint.size));
        self.rotations = rotations.to_vec();
    }

    /// Reads every tile and every bundle under the checkpoint.
    pub(super) fn tiles_and_entries(
        &mut self,
        source: &Source,
        progress: &mut dyn FnMut(u64, u64),
    ) {
        let size = self.signed.size;
        let mut page = Page::default();
        for index in 0..size.div_ceil(TILE_WIDTH) {
            let width = layout::width_at(size, 0, index);
            self.one_bundle(source, &mut page, index, width);
            progress((index * TILE_WIDTH + width).min(size), size);
        }
        let partial: Vec<_> = self.by_tiles.partial().filter(|(level, ..)| *level > 0).collect();
        for (level, index, bytes) in partial {
            self.compare_tile(source, level, index, &bytes);
        }
    }

    fn one_bundle(&mut self, source: &Source, page: &mut Page, index: u64, width: u64) {
        let first = index * TILE_WIDTH;
        let tile_name = layout::tile_name(0, index, width);
        let bundle_name = layout::bundle_name(index, width);
        match page.read_tile(source, &tile_name) {
            Ok(()) if page.tile.len() as u64 == width * 32 => {
                page.leaves.extend(each_hash(&page.tile));
            }
            Ok(()) => {
                let why = format!("it has {} bytes, not {}", page.tile.len(), width * 32);
                self.always.push(Damage::at(DamageKind::Tile, first, why).in_file(&tile_name));
            }
            Err(error) => self.missing(source, first, &tile_name, &error),
        }
        let is_there = match page.read_bundle(source, &bundle_name) {
            Ok(()) => true,
            // Whether that is as it should be is known when all records were read.
            Err(error) if error.kind() == ErrorKind::NotFound && width == TILE_WIDTH => {
                self.pruning.missing(index);
                // How far sessions counted in it is not known.
                self.sessions.clear();
                false
            }
            Err(error) => {
                self.missing(source, first, &bundle_name, &error);
                false
            }
        };
        let Page { leaves, bundle, records, hashes, .. } = page;
        let differ = is_there && !leaves.is_empty() && hashes != leaves;
        if differ {
            let records: Vec<&[u8]> = records.iter().map(|range| &bundle[range.clone()]).collect();
            self.name_difference(first, &records, hashes, leaves, &bundle_name, &tile_name);
        } else if is_there && bundle.len() != records.last().map_or(0, |range| range.end) {
            let why = "there are bytes after its last record";
            let seq = first + records.len() as u64;
            self.always.push(Damage::at(DamageKind::Edited, seq, why).in_file(&bundle_name));
        }
        for (seq, record) in (first..).zip(records.iter()) {
            self.look_at(seq, &bundle[record.clone()]);
        }
        if differ && self.by_entries.is_none() {
            self.by_entries = Some(self.by_tiles.clone());
        }
        // What is missing on one side is taken from the other, so that one gap is named once.
        self.grow(
            source,
            if leaves.is_empty() { hashes } else { leaves },
            if is_there { hashes } else { leaves },
        );
        if !is_there {
            self.pruning.passed(self.by_tiles.size(), self.by_tiles.root());
        }
    }

    /// Adds a page to both trees, which are one as long as records and tiles are the same.
    fn grow(&mut self, source: &Source, leaves: &[Hash], hashes: &[Hash]) {
        let wanted = self.by_entries.is_none() && self.wants_root(self.by_tiles.size(), leaves);
        for leaf in leaves {
            for full in self.by_tiles.push(*leaf) {
                self.compare_full(source, &full);
            }
            if wanted && self.wanted_roots.contains(&self.by_tiles.size()) {
                self.roots.insert(self.by_tiles.size(), self.by_tiles.root());
            }
        }
        let Some(by_entries) = &mut self.by_entries else { return };
        for hash in hashes {
            by_entries.push(*hash);
            if self.wanted_roots.contains(&by_entries.size()) {
                self.roots.insert(by_entries.size(), by_entries.root());
            }
        }
    }

    /// Whether one of the roots wanted comes with these leaves.
    fn wants_root(&self, size: u64, leaves: &[Hash]) -> bool {
        let grown = size + leaves.len() as u64;
        self.wanted_roots.iter().any(|wanted| (size + 1..=grown).contains(wanted))
    }

    fn missing(&mut self, source: &Source, first: u64, name: &str, error: &std::io::Error) {
        let damage = if wider_exists(source, name) {
            let why = "the files are of a larger log than the checkpoint signs".to_owned();
            Damage::at(DamageKind::StaleCheckpoint, first, why).in_file(name)
        } else {
            Damage::at(DamageKind::Missing, first, format!("it cannot be read: {error}"))
                .in_file(name)
        };
        self.always.push(damage);
    }

    fn compare_full(&mut self, source: &Source, full: &FullTile) {
        if full.level > 0 {
            self.compare_tile(source, full.level, full.index, &full.bytes);
        }
    }

    /// A tile of a higher level must hold what follows from the leaves.
    fn compare_tile(&mut self, source: &Source, level: u8, index: u64, expected: &[u8]) {
        let name = layout::tile_name(level, index, expected.len() as u64 / 32);
        match source.read(&name) {
            Ok(bytes) if bytes == expected => {}
            Ok(_) => self.always.push(Damage::of_file(
                DamageKind::Tile,
                name,
                "it does not follow from the tiles below it",
            )),
            Err(error) => {
                let first = index << (8 * (u32::from(level) + 1));
                self.missing(source, first, &name, &error);
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

    /// Whether these intents are open here, as far as records are left to tell.
    fn fits(&self, noted: &Standing) -> bool {
        let left = noted.iter().filter(|seq| *seq >= self.pruning.missing_to());
        left.collect::<HashSet<_>>() == self.open
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
        if let Some((at, open)) = &self.noted
            && at.size == seq + 1
            && !self.fits(open)
        {
            self.open_differs_at = Some(seq);
        }
        let at_ms = at_ms(record);
        if let (Some(last), Some(at)) = (self.last_at_ms, at_ms)
            && at < last - CLOCK_SLACK_MS
            && self.clock_back_at.is_none()
        {
            self.clock_back_at = Some(seq);
        }
        self.last_at_ms = at_ms.or(self.last_at_ms);
        // The first that is left, where those before it were pruned.
        if seq >= self.unanchored_from && self.unanchored_since_ms.is_none() {
            self.unanchored_since_ms = at_ms;
        }
    }

    /// Which of the two is right: tiles or records? The one that gives the signed root.
    pub(super) fn finish(mut self, anchors: &[Checkpoint], found: &mut Found) {
        let signed = Hash(self.signed.root);
        let missing = !self.always.is_empty();
        if self.by_tiles.root() == signed {
            found.damage.append(&mut self.if_tiles);
        } else if self.by_entries.is_some_and(|records| records.root() == signed) {
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
        let noted_pruned = self.noted.as_ref().map_or(0, |(_, standing)| standing.pruned_to);
        if noted_pruned > self.pruning.told_to() {
            let why = format!("no record says that those before {noted_pruned} were pruned");
            found.damage.push(Damage::of_file(DamageKind::Edited, open_intents::NAME, why));
        }
        found.pruned = self.pruning.finish(self.signed.size, &mut found.damage);
        for (number, rotation) in (1..).zip(&self.rotations) {
            let Checkpoint { size, root } = rotation.checkpoint;
            if self.roots.get(&size).is_some_and(|found| *found != Hash(root)) {
                let why = format!("the first {size} records are not those that it signs");
                let name = layout::rotation_name(number);
                found.damage.push(Damage::of_file(DamageKind::Forked, name, why));
            }
        }
        if let Some((Checkpoint { size, root }, _)) = &self.noted
            && self.roots.get(size).is_some_and(|found| *found != Hash(*root))
        {
            let why = format!("the first {size} records are not those that it signs");
            found.damage.push(Damage::of_file(DamageKind::Forked, open_intents::NAME, why));
        }
        if let Some(seq) = self.open_differs_at {
            let why = "the intents that were open here are not those that it names";
            found.damage.push(Damage::at(DamageKind::Edited, seq, why).in_file(open_intents::NAME));
        }
        for Beside { file, checkpoint: Checkpoint { size, root } } in &self.beside {
            if self.roots.get(size).is_some_and(|found| *found != Hash(*root)) {
                let why = format!("the first {size} records are not those that a witness cosigned");
                found.damage.push(Damage::of_file(DamageKind::Forked, file, why));
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

/// Is there a wider or a full tile where this unfinished one should be?
fn wider_exists(source: &Source, name: &str) -> bool {
    let Some((tile, width)) = name.rsplit_once(".p/") else { return false };
    let Ok(width) = width.parse::<u64>() else { return false };
    source.exists(tile)
        || (width + 1..TILE_WIDTH).any(|wider| source.exists(&format!("{tile}.p/{wider}")))
}
