//! Proofs that a record is in the log, and that a log has only grown.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tlog_tiles::{
    Hash, TileHashReader, check_record, check_tree, prove_record, prove_tree, record_hash,
};

use crate::error::AuditError;
use crate::keys::{Checkpoint, VerifierKey, checkpoint_from_note};
use crate::read::Reader;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The longest path in a tree of 2^63 leaves.
const PATH_MAX: usize = 63;

/// A record, its place, and the path from it to a signed checkpoint. As text: <https://c2sp.org/tlog-proof>, with
/// the record as its extra data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The record's canonical bytes.
    pub record: Vec<u8>,
    /// Its place in the log.
    pub seq: u64,
    /// Sibling hashes, from the leaf up.
    pub path: Vec<[u8; 32]>,
    /// The signed note.
    pub note: Vec<u8>,
}

impl InclusionProof {
    /// Writes it.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{HEADER}\nextra {}\nindex {}\n",
            BASE64_STANDARD.encode(&self.record),
            self.seq
        );
        for hash in &self.path {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{}", BASE64_STANDARD.encode(hash));
        }
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&self.note));
        text
    }

    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed =
            |why: &str| AuditError::Malformed { what: "the proof", why: why.to_owned() };
        let (head, note) = text
            .split_once("\n\n")
            .ok_or_else(|| malformed("there is no empty line before its checkpoint"))?;
        let mut lines = head.lines();
        if lines.next() != Some(HEADER) {
            return Err(malformed(&format!("its first line is not `{HEADER}`")));
        }
        let record =
            lines.next().and_then(|line| BASE64_STANDARD.decode(line.strip_prefix("extra ")?).ok());
        let record =
            record.ok_or_else(|| malformed("line 2 is not `extra` and a record in base64"))?;
        let seq = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let seq = seq.ok_or_else(|| malformed("line 3 is not `index` and a number"))?;
        let path: Option<Vec<[u8; 32]>> =
            lines.map(|line| BASE64_STANDARD.decode(line).ok()?.try_into().ok()).collect();
        let path = path.ok_or_else(|| malformed("a line of its path is not a hash in base64"))?;
        Ok(Self { record, seq, path, note: note.as_bytes().to_vec() })
    }
}

/// Proves that a record is under the log's checkpoint.
pub fn prove_inclusion(log: &Reader, seq: u64) -> Result<InclusionProof, AuditError> {
    let Checkpoint { size, root } = log.checkpoint();
    if seq >= size {
        return Err(AuditError::Missing(format!(
            "record {seq} is not under the checkpoint, which signs {size} records"
        )));
    }
    let record = log.records(seq..seq + 1)?.pop().unwrap_or_default();
    let hashes = TileHashReader::new(size, Hash(root), log);
    let path = prove_record(size, seq, &hashes)
        .map_err(|error| AuditError::damaged(&log.root, error.to_string()))?;
    let proof = InclusionProof {
        record,
        seq,
        path: path.into_iter().map(|hash| hash.0).collect(),
        note: log.note().to_vec(),
    };
    check_inclusion(&proof, log.keys())?;
    Ok(proof)
}

/// Checks a proof with nothing but public keys; returns the checkpoint that the record is under.
pub fn check_inclusion(
    proof: &InclusionProof,
    keys: &[VerifierKey],
) -> Result<Checkpoint, AuditError> {
    let wrong = |why: String| AuditError::Malformed { what: "the proof", why };
    let checkpoint = checkpoint_from_note(&proof.note, keys)?;
    if proof.seq >= checkpoint.size || proof.path.len() > PATH_MAX {
        return Err(wrong(format!(
            "record {} is not among {} records",
            proof.seq, checkpoint.size
        )));
    }
    let path = proof.path.iter().copied().map(Hash).collect();
    check_record(
        &path,
        checkpoint.size,
        Hash(checkpoint.root),
        proof.seq,
        record_hash(&proof.record),
    )
    .map_err(|_| wrong("the record, its place and its path do not give the signed root".into()))?;
    Ok(checkpoint)
}

/// Proves that the log began with what an older checkpoint signs.
pub fn prove_consistency(log: &Reader, older: Checkpoint) -> Result<Vec<[u8; 32]>, AuditError> {
    let Checkpoint { size, root } = log.checkpoint();
    if older.size > size {
        return Err(AuditError::Missing(format!(
            "the log has {size} records, fewer than {}",
            older.size
        )));
    }
    if older.size == 0 || older.size == size {
        return Ok(Vec::new());
    }
    let hashes = TileHashReader::new(size, Hash(root), log);
    let proof = prove_tree(size, older.size, &hashes)
        .map_err(|error| AuditError::damaged(&log.root, error.to_string()))?;
    Ok(proof.into_iter().map(|hash| hash.0).collect())
}

/// Checks that a newer checkpoint's log begins with the older one's.
pub fn check_consistency(
    proof: &[[u8; 32]],
    older: Checkpoint,
    newer: Checkpoint,
) -> Result<(), AuditError> {
    let wrong =
        |why: &str| AuditError::Malformed { what: "the proof of consistency", why: why.to_owned() };
    if older.size > newer.size || proof.len() > PATH_MAX {
        return Err(wrong("the log became shorter"));
    }
    if older.size == 0 || older.size == newer.size {
        let fits = proof.is_empty() && (older.size == 0 || older.root == newer.root);
        return if fits { Ok(()) } else { Err(wrong("two logs of one size have two roots")) };
    }
    let proof = proof.iter().copied().map(Hash).collect();
    check_tree(&proof, newer.size, Hash(newer.root), older.size, Hash(older.root))
        .map_err(|_| wrong("the newer log does not begin with the older one"))
}
