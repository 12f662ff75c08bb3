//! One page of a log in memory: 256 records, and their leaves.

use std::io;
use std::ops::Range;

use tlog_tiles::{Hash, record_hash};

use super::source::Source;

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
    pub(super) fn read_tile(&mut self, source: &Source, name: &str) -> io::Result<()> {
        self.leaves.clear();
        source.read_into(name, &mut self.tile)
    }

    pub(super) fn read_bundle(&mut self, source: &Source, name: &str) -> io::Result<()> {
        self.records.clear();
        self.hashes.clear();
        source.read_into(name, &mut self.bundle)?;
        whole_records(&self.bundle, &mut self.records);
        let records = self.records.iter().map(|range| &self.bundle[range.clone()]);
        self.hashes.extend(records.map(record_hash));
        Ok(())
    }
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
