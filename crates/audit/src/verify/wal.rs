//! The write-ahead log against the tiles, and what is after the checkpoint.

use tlog_tiles::{Hash, record_hash};

use super::Found;
use super::damage::{Damage, DamageKind};
use super::entries::Walk;
use super::page::whole_records;
use super::source::Source;
use crate::layout::{self, TILE_WIDTH};
use crate::tree::hashes_of;
use crate::wal::{Rest, scan};

/// The tile and the bundle that were looked at last, as hashes of records.
#[derive(Default)]
struct Leaves {
    index: Option<u64>,
    of_tile: Vec<Hash>,
    of_bundle: Vec<Hash>,
}

impl Leaves {
    /// Whether the tile or the bundle has this record here. When the two differ, that is named elsewhere.
    fn have(&mut self, source: &Source, size: u64, seq: u64, record: &[u8]) -> bool {
        let index = seq / TILE_WIDTH;
        if self.index != Some(index) {
            let width = layout::width_at(size, 0, index);
            let read = |name: String| source.read(&name).unwrap_or_default();
            self.of_tile = hashes_of(&read(layout::tile_name(0, index, width)));
            let bundle = read(layout::bundle_name(index, width));
            let mut records = Vec::new();
            whole_records(&bundle, &mut records);
            self.of_bundle = records.into_iter().map(|range| record_hash(&bundle[range])).collect();
            self.index = Some(index);
        }
        let Ok(at) = usize::try_from(seq % TILE_WIDTH) else { return false };
        let hash = Some(record_hash(record));
        [&self.of_tile, &self.of_bundle].into_iter().any(|hashes| hashes.get(at).copied() == hash)
    }
}

/// Reads every segment: those below the checkpoint must repeat the tiles, those above are counted.
pub(super) fn follow(source: &Source, walk: &mut Walk, found: &mut Found) {
    let size = walk.signed.size;
    let firsts = &source.segments;
    let Some(&begin) = firsts.first() else {
        found.damage.push(Damage::of_file(DamageKind::Missing, "wal", "there is no segment"));
        return;
    };
    if begin > size / TILE_WIDTH * TILE_WIDTH {
        let why = format!("it begins at {begin}, and full tiles end before that");
        found.damage.push(Damage::at(DamageKind::Missing, size, why).in_file("wal"));
    }
    let mut leaves = Leaves::default();
    let mut next = begin;
    let last = firsts.last().copied();
    for &first in firsts {
        let name = layout::segment_name(first);
        if first != next {
            let why = format!("records {next} to {first} are not in it");
            found.damage.push(Damage::at(DamageKind::Missing, next.min(first), why).in_file("wal"));
        }
        let bytes = match source.read(&name) {
            Ok(bytes) => bytes,
            Err(error) => {
                found.damage.push(Damage::of_file(DamageKind::Missing, name, error.to_string()));
                return;
            }
        };
        let scanned = scan(&bytes, first);
        next = first;
        for range in scanned.records {
            let record = &bytes[range];
            if next < size {
                if !leaves.have(source, size, next, record) {
                    let why = "the write-ahead log has another record than the tiles";
                    found.damage.push(Damage::at(DamageKind::Edited, next, why).in_file(&name));
                }
            } else {
                walk.look_at(next, record);
                found.unsigned += 1;
            }
            next += 1;
        }
        match scanned.rest {
            Rest::Nothing => {}
            Rest::Torn if Some(first) == last && next >= size => {
                found.torn_bytes = (bytes.len() - scanned.end) as u64;
            }
            Rest::Torn => {
                let why = "a frame is torn, and its records were signed: no crash does that";
                found.damage.push(Damage::at(DamageKind::Frame, next, why).in_file(&name));
                return;
            }
            Rest::Damaged(why) => {
                found.damage.push(Damage::at(DamageKind::Frame, next, why).in_file(&name));
                return;
            }
        }
    }
    if next < size {
        let why = format!("it ends at {next}, and the checkpoint signs {size} records");
        found.damage.push(Damage::at(DamageKind::Truncated, next, why).in_file("wal"));
    }
}
