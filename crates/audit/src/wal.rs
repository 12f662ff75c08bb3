//! The write-ahead log: one frame a batch, so that what a crash tears is one batch nobody was told of.
//!
//! Frame: length of the records (u32), CRC-32 of all that follows (u32), first sequence number (u64), count
//! (u32), then each record as length (u16) and bytes. All big-endian.

use std::ops::Range;

use crate::error::AuditError;

const HEADER: usize = 20;
/// The most bytes of records in one frame.
pub(crate) const FRAME_MAX_BYTES: usize = 8 << 20;
/// How much is gone over at most in the search for whole frames behind a broken one.
const SEARCHED_MAX_BYTES: usize = 1 << 30;

/// Adds a record as tiles and frames hold it.
pub(crate) fn push_record(out: &mut Vec<u8>, record: &[u8]) -> Result<(), AuditError> {
    let len =
        u16::try_from(record.len()).map_err(|_| AuditError::TooLarge { bytes: record.len() })?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(record);
    Ok(())
}

/// The records in a bundle or frame; `None` when the lengths do not add up.
pub(crate) fn split_records(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        bytes.get(at + 2..at + 2 + len)?;
        records.push(at + 2..at + 2 + len);
        at += 2 + len;
    }
    Some(records)
}

/// A frame that is being made: records go to where they are written from, without a copy.
#[derive(Debug)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    count: u32,
}

impl Frame {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut frame = Vec::with_capacity(bytes.max(HEADER));
        frame.resize(HEADER, 0);
        Self { bytes: frame, count: 0 }
    }

    /// Adds a record that `write` writes.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), AuditError> {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        write(&mut self.bytes);
        let bytes = self.bytes.len() - at - 2;
        let Ok(len) = u16::try_from(bytes) else {
            self.bytes.truncate(at);
            return Err(AuditError::TooLarge { bytes });
        };
        self.bytes[at..at + 2].copy_from_slice(&len.to_be_bytes());
        self.count += 1;
        Ok(())
    }

    pub(crate) fn count(&self) -> u64 {
        u64::from(self.count)
    }

    /// Whether another record of any size would make it too long.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() + 2 * crate::RECORD_MAX_BYTES > FRAME_MAX_BYTES
    }

    /// Its bytes, complete, when its first record has this place.
    pub(crate) fn finish(&mut self, first_seq: u64) -> &[u8] {
        let len = u32::try_from(self.bytes.len() - HEADER).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&len.to_be_bytes());
        self.bytes[8..16].copy_from_slice(&first_seq.to_be_bytes());
        self.bytes[16..20].copy_from_slice(&self.count.to_be_bytes());
        let crc = crc32fast::hash(&self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&crc.to_be_bytes());
        &self.bytes
    }

    /// Its records as tiles hold them.
    pub(crate) fn records(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }
}

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Where each record's bytes are.
    pub(crate) records: Vec<Range<usize>>,
    /// Where the last whole frame ends.
    pub(crate) end: usize,
    /// What is after it.
    pub(crate) rest: Rest,
}

/// What follows the last whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// The beginning of a frame that was never finished.
    Torn,
    /// Something else: a frame was changed, or is out of order.
    Damaged(String),
}

/// Reads a segment whose first record should be this one.
pub(crate) fn scan(bytes: &[u8], first_seq: u64) -> Scan {
    let mut records = Vec::new();
    let mut at = 0;
    let mut next = first_seq;
    let rest = loop {
        if at == bytes.len() {
            break Rest::Nothing;
        }
        let Some((count, body)) = whole_frame(bytes, at, next) else {
            break what_is_left(bytes, at, next);
        };
        let Some(ranges) =
            split_records(&bytes[body.clone()]).filter(|ranges| ranges.len() == count)
        else {
            break Rest::Damaged(format!(
                "the frame at byte {at} does not hold its {count} records"
            ));
        };
        records.extend(
            ranges.into_iter().map(|range| body.start + range.start..body.start + range.end),
        );
        next += count as u64;
        at = body.end;
    };
    Scan { records, end: at, rest }
}

/// The frame that starts here, when it is whole and the next in order.
fn whole_frame(bytes: &[u8], at: usize, next: u64) -> Option<(usize, Range<usize>)> {
    let header = bytes.get(at..at + HEADER)?;
    let len = u32::from_be_bytes(header[0..4].try_into().ok()?) as usize;
    let crc = u32::from_be_bytes(header[4..8].try_into().ok()?);
    let first = u64::from_be_bytes(header[8..16].try_into().ok()?);
    let count = u32::from_be_bytes(header[16..20].try_into().ok()?) as usize;
    if len > FRAME_MAX_BYTES || first != next || count == 0 {
        return None;
    }
    let body = at + HEADER..at + HEADER + len;
    let checked = bytes.get(at + 8..body.end)?;
    (crc32fast::hash(checked) == crc).then_some((count, body))
}

/// How much a checksum of the frame that seems to start here would go over.
fn claimed_bytes(bytes: &[u8], at: usize) -> usize {
    let header = bytes.get(at..at + 4).and_then(|header| header.try_into().ok());
    (header.map_or(0, u32::from_be_bytes) as usize).min(FRAME_MAX_BYTES)
}

/// Torn or damaged? A crash leaves nothing whole behind the frame it tore, and a torn frame reaches to the end.
fn what_is_left(bytes: &[u8], at: usize, next: u64) -> Rest {
    let left = &bytes[at..];
    if left.iter().all(|byte| *byte == 0) {
        return Rest::Torn;
    }
    // A header that never came, before pages that did, is as torn as one that was cut off.
    let came = |header: &&[u8]| header.iter().any(|byte| *byte != 0);
    if let Some(header) = left.get(..HEADER).filter(came) {
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if HEADER + len < left.len() {
            return Rest::Damaged(format!(
                "the frame at byte {at} does not fit its checksum or its place"
            ));
        }
    }
    let says = |at: usize| bytes.get(at + 8..at + 16)?.try_into().ok().map(u64::from_be_bytes);
    if says(at).is_some_and(|first| whole_frame(bytes, at, first).is_some()) {
        return Rest::Damaged(format!("the frame at byte {at} is whole and out of place"));
    }
    // What looks like a frame and is none costs a checksum each; a crash leaves nothing that looks like many.
    let mut hashed = 0;
    let later = (at + 1..bytes.len()).any(|at| {
        let Some(first) = says(at).filter(|first| *first >= next && first - next < 1 << 20) else {
            return false;
        };
        hashed += claimed_bytes(bytes, at);
        hashed > SEARCHED_MAX_BYTES || whole_frame(bytes, at, first).is_some()
    });
    if later {
        return Rest::Damaged(format!(
            "the frame at byte {at} is broken, and whole ones follow it"
        ));
    }
    Rest::Torn
}
