//! One proof for a whole range of records: the subtrees to its left and to its right.
//!
//! A tree of `size` leaves falls apart into the largest subtrees before the range, the leaves in it, and the largest
//! subtrees after it. Put together again they give the root, so at most 126 hashes prove any number of records.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use tlog_tiles::{EMPTY_HASH, Hash, HashReader as _, TileHashReader, node_hash, stored_hash_index};

use crate::error::AuditError;
use crate::keys::Checkpoint;
use crate::read::Reader;

/// Proves that records `first` up to `end` are under a checkpoint, given the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeProof {
    /// The first record.
    pub first: u64,
    /// The record after the last.
    pub end: u64,
    /// Subtrees before the range, from the left.
    pub left: Vec<[u8; 32]>,
    /// Subtrees after the range, from the left.
    pub right: Vec<[u8; 32]>,
}

/// As JSON, with hashes in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    end: u64,
    first: u64,
    left: Vec<String>,
    right: Vec<String>,
}

impl RangeProof {
    /// Writes it as JSON.
    pub fn to_text(&self) -> String {
        let encode = |hashes: &[[u8; 32]]| -> Vec<String> {
            hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
        };
        let text = Text {
            end: self.end,
            first: self.first,
            left: encode(&self.left),
            right: encode(&self.right),
        };
        let text = serde_json::to_string_pretty(&text).expect("numbers and texts can be written");
        text + "\n"
    }

    /// Reads it. Only the one spelling that [`RangeProof::to_text`] writes is taken.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed = |why: String| AuditError::Malformed { what: "the proof", why };
        let read: Text =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let decode = |hashes: &[String]| -> Option<Vec<[u8; 32]>> {
            hashes.iter().map(|hash| BASE64_STANDARD.decode(hash).ok()?.try_into().ok()).collect()
        };
        let (Some(left), Some(right)) = (decode(&read.left), decode(&read.right)) else {
            return Err(malformed("one of its hashes is none".into()));
        };
        let proof = Self { first: read.first, end: read.end, left, right };
        if proof.to_text() != text {
            return Err(malformed("it is not spelled as it was written".into()));
        }
        Ok(proof)
    }
}

/// Proves records `first` up to `end`.
pub fn prove_range(log: &Reader, first: u64, end: u64) -> Result<RangeProof, AuditError> {
    let Checkpoint { size, root } = log.checkpoint();
    if first >= end || end > size {
        return Err(AuditError::Missing(format!(
            "records {first} to {end} are not under the checkpoint, which signs {size} records"
        )));
    }
    let hashes = TileHashReader::new(size, Hash(root), log);
    let read = |subtrees: Vec<(u8, u64)>| -> Result<Vec<[u8; 32]>, AuditError> {
        if subtrees.is_empty() {
            return Ok(Vec::new());
        }
        let indexes: Vec<u64> =
            subtrees.into_iter().map(|(level, index)| stored_hash_index(level, index)).collect();
        let found = hashes
            .read_hashes(&indexes)
            .map_err(|error| AuditError::damaged(&log.root, error.to_string()))?;
        Ok(found.into_iter().map(|hash| hash.0).collect())
    };
    Ok(RangeProof {
        first,
        end,
        left: read(subtrees(0, first))?,
        right: read(subtrees(end, size))?,
    })
}

/// The largest subtrees that cover `from..to`, as level and index.
fn subtrees(mut from: u64, to: u64) -> Vec<(u8, u64)> {
    let mut found = Vec::new();
    while from < to {
        let aligned = from.trailing_zeros().min(63);
        let fitting = (to - from).ilog2();
        let level = aligned.min(fitting);
        found.push((u8::try_from(level).unwrap_or(u8::MAX), from >> level));
        from += 1 << level;
    }
    found
}

/// Puts a tree together again from a range proof and the leaves in order. Holds no more than a path's hashes.
#[derive(Debug)]
pub struct RangeCheck {
    nodes: Vec<(u8, u64, Hash)>,
    next: u64,
    end: u64,
    right: Vec<[u8; 32]>,
}

impl RangeCheck {
    /// Begins with what is to the left of the range.
    pub fn begin(proof: &RangeProof) -> Result<Self, AuditError> {
        let left = subtrees(0, proof.first);
        if left.len() != proof.left.len() || proof.first >= proof.end {
            return Err(wrong("its hashes are not those to the left of its range"));
        }
        let nodes = left
            .into_iter()
            .zip(&proof.left)
            .map(|((level, index), hash)| (level, index, Hash(*hash)));
        Ok(Self {
            nodes: nodes.collect(),
            next: proof.first,
            end: proof.end,
            right: proof.right.clone(),
        })
    }

    /// Adds the next record's leaf hash.
    pub fn leaf(&mut self, hash: [u8; 32]) {
        self.push(0, self.next, Hash(hash));
        self.next += 1;
    }

    /// Whether it all gives the root of this checkpoint.
    pub fn finish(mut self, signed: Checkpoint) -> Result<(), AuditError> {
        if self.next != self.end || self.end > signed.size {
            return Err(wrong("the records are not as many as it says"));
        }
        let right = subtrees(self.end, signed.size);
        if right.len() != self.right.len() {
            return Err(wrong("its hashes are not those to the right of its range"));
        }
        for ((level, index), hash) in right.into_iter().zip(std::mem::take(&mut self.right)) {
            self.push(level, index, Hash(hash));
        }
        let root = self.nodes.into_iter().rev().map(|(.., hash)| hash);
        let root = root.reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_HASH);
        if root.0 == signed.root {
            return Ok(());
        }
        Err(wrong("the records and its hashes do not give the signed root"))
    }

    /// Adds a subtree, and joins it with its left sibling as long as there is one.
    fn push(&mut self, mut level: u8, mut index: u64, mut hash: Hash) {
        while !index.is_multiple_of(2)
            && let Some((_, _, left)) =
                self.nodes.pop_if(|(at, left, _)| *at == level && *left + 1 == index)
        {
            hash = node_hash(left, hash);
            level += 1;
            index /= 2;
        }
        self.nodes.push((level, index, hash));
    }
}

fn wrong(why: &str) -> AuditError {
    AuditError::Malformed { what: "the proof", why: why.into() }
}
