//! One page of a log in memory: 256 records, and their leaves.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;

use tlog_tiles::{Hash, record_hash};

use crate::layout::TILE_WIDTH;
use crate::record::RECORD_MAX_BYTES;

/// The largest tile and the largest bundle that a log can have, in bytes.
const TILE_MAX: u64 = TILE_WIDTH * 32;
const BUNDLE_MAX: u64 = TILE_WIDTH * (RECORD_MAX_BYTES as u64 + 2);

/// A tile of leaves and a bundle of records, in memory that is used again for the next ones.
#[derive(Default)]
pub(super) struct Page {
    pub(super) tile: Vec<u8>,
    pub(super) leaves: Vec<Hash>,
    pub(super) bundle: Vec<u8>,
    pub(super) records: Vec<Range<usize>>,
    pub(super) hashes: Vec<Hash>,
}

impl Page {
    pub(super) fn read_tile(&mut self, path: &Path) -> io::Result<()> {
        self.leaves.clear();
        read_into(&mut self.tile, path, TILE_MAX)
    }

    pub(super) fn read_bundle(&mut self, path: &Path) -> io::Result<()> {
        self.records.clear();
        self.hashes.clear();
        read_into(&mut self.bundle, path, BUNDLE_MAX)?;
        whole_records(&self.bundle, &mut self.records);
        let records = self.records.iter().map(|range| &self.bundle[range.clone()]);
        self.hashes.extend(records.map(record_hash));
        Ok(())
    }
}

/// Reads a file; of one that is too long as much as shows that.
fn read_into(bytes: &mut Vec<u8>, path: &Path, max: u64) -> io::Result<()> {
    bytes.clear();
    File::open(path)?.take(max + 1).read_to_end(bytes).map(drop)
}

/// Where the records of a bundle are, as far as their lengths make sense.
pub(super) fn whole_records(bytes: &[u8], records: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(len) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let record = at + 2..at + 2 + usize::from(u16::from_be_bytes(*len));
        if record.end > bytes.len() {
            break;
        }
        at = record.end;
        records.push(record);
    }
}
