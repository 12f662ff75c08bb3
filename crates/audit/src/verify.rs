//! Verification of a log, or of a copy of one, from nothing but its files and a public key.
//!
//! Everything is read once and in order; memory does not grow with the log but for the sessions in it.

mod damage;
mod entries;
mod files;
mod keys;
mod open;
mod page;
mod pruning;
mod source;
mod wal;
mod witnesses;

use std::path::Path;

use serde::Serialize;

use crate::cosign::CosignerKey;
use crate::error::AuditError;
use crate::keys::{Checkpoint, VerifierKey, checkpoint_from_note};
use crate::rotation::Chain;

pub use damage::{Damage, DamageKind};
use entries::Walk;
use source::Source;
pub use witnesses::Witnessed;

/// A checkpoint that was kept somewhere else: what it signs can no longer be taken out of the log.
#[derive(Debug, Clone)]
pub struct Known {
    /// The signed note.
    pub note: Vec<u8>,
}

/// What is known of a log from elsewhere than its directory.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Checkpoints that were kept.
    pub known: Vec<Known>,
    /// Witnesses whose word counts.
    pub witnesses: Vec<CosignerKey>,
    /// How many of them must vouch for a record.
    pub cosignatures_min: usize,
}

/// Records that are not there, and that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The first record that was kept.
    pub to: u64,
    /// The record that tells of it.
    pub told_at: u64,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Whose log.
    pub origin: String,
    /// Records under the checkpoint.
    pub size: u64,
    /// Its root, in hex.
    pub root: String,
    /// Records in the write-ahead log that no checkpoint signs yet.
    pub unsigned: u64,
    /// Only what is signed is here, as in a copy in object storage: records after the checkpoint are not.
    pub is_copy: bool,
    /// Tiles and bundles of a copy that its checkpoint does not cover: copying was cut off, or an older checkpoint was
    /// put back.
    pub beyond_checkpoint: u64,
    /// Bytes of a frame that a crash tore; nobody was told that it was recorded.
    pub torn_bytes: u64,
    /// Intents without an outcome.
    pub open_intents: u64,
    /// Records that were pruned by policy, as a signed record says.
    pub pruned: Option<Pruned>,
    /// The first record whose time is more than a second before that of the one before it.
    pub clock_back_at: Option<u64>,
    /// Records from here on are vouched for by this log's key alone: whoever has it could have replaced them.
    /// `None` when a checkpoint kept elsewhere covers everything.
    pub unanchored_from: Option<u64>,
    /// The time of the first such record, in milliseconds since the Unix epoch.
    pub unanchored_since_ms: Option<i64>,
    /// The witnesses that were asked about, and what each has cosigned.
    pub witnesses: Vec<Witnessed>,
    /// How many of them must vouch for a record before it counts as anchored.
    pub cosignatures_min: usize,
    /// The public keys were read from the log itself.
    pub keys_from_log: bool,
    /// What is not as it was signed, the first place first.
    pub damage: Vec<Damage>,
}

impl Found {
    /// Nothing is damaged.
    pub fn intact(&self) -> bool {
        self.damage.is_empty()
    }

    /// As many witnesses as were asked for have cosigned something of it.
    pub fn cosigned_enough(&self) -> bool {
        let cosigned = self.witnesses.iter().filter(|witness| witness.size.is_some()).count();
        cosigned >= self.cosignatures_min
    }
}

/// Checks a log. Without keys those in its own directory are taken at their word, and that is said.
///
/// `progress` is told how many records of how many were looked at. An error means that the check could not be made;
/// damage is not an error.
pub fn verify(
    root: &Path,
    keys: &[VerifierKey],
    known: &[Known],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, AuditError> {
    let outside = Outside { known: known.to_vec(), ..Outside::default() };
    verify_against(root, keys, &outside, progress)
}

/// The same against everything that is known from elsewhere.
pub fn verify_against(
    root: &Path,
    keys: &[VerifierKey],
    outside: &Outside,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, AuditError> {
    std::fs::read_dir(root).map_err(AuditError::io("read", root))?;
    Ok(look(&Source::new(root), keys.to_owned(), outside, progress))
}

fn look(
    source: &Source,
    keys: Vec<VerifierKey>,
    outside: &Outside,
    progress: &mut dyn FnMut(u64, u64),
) -> Found {
    let root = source.root();
    let mut found = Found {
        origin: String::new(),
        size: 0,
        root: String::new(),
        unsigned: 0,
        is_copy: source.is_copy,
        beyond_checkpoint: 0,
        torn_bytes: 0,
        open_intents: 0,
        pruned: None,
        clock_back_at: None,
        unanchored_from: Some(0),
        unanchored_since_ms: None,
        witnesses: witnesses::unknown(&outside.witnesses),
        cosignatures_min: outside.cosignatures_min,
        keys_from_log: keys.is_empty(),
        damage: Vec::new(),
    };
    let Some((chain, notes)) = keys::to_use(root, keys, &mut found) else { return found };
    let Some(signed) = signed_checkpoint(source, &chain, &mut found) else { return found };
    chain.current().origin().clone_into(&mut found.origin);
    found.size = signed.size;
    found.root = hex(&signed.root);

    let anchors = anchors(&outside.known, &chain, signed, &mut found);
    let beside = witnesses::look(source.cosigned.clone(), outside, &chain, signed, &mut found);
    let mut walk = Walk::new(signed, &anchors);
    walk.expect(&chain.rotations);
    if let Some((at, open)) = open::read(source, &chain, signed, &mut found) {
        walk.expect_open(at, open);
    }
    walk.cosigned(beside, witnesses::covered(&found));
    walk.tiles_and_entries(source, progress);
    if !found.is_copy {
        wal::follow(source, &mut walk, &mut found);
    }
    let all = signed.size + found.unsigned;
    files::look_for_strangers(source, all, signed.size, notes, &mut found);
    walk.finish(&anchors, &mut found);
    found.damage.sort_by_key(|damage| damage.seq.unwrap_or(u64::MAX));
    found
}

fn signed_checkpoint(source: &Source, chain: &Chain, found: &mut Found) -> Option<Checkpoint> {
    let note = match source.read("checkpoint") {
        Ok(note) => note,
        Err(error) => {
            let kind = if files::nothing_there(source.root()) {
                DamageKind::Emptied
            } else {
                DamageKind::Missing
            };
            found.damage.push(Damage::of_file(kind, "checkpoint", error.to_string()));
            return None;
        }
    };
    keys::compare(source.root(), chain, &note, found);
    match chain.checkpoint(&note) {
        Ok(signed) => Some(signed),
        Err(error) => {
            let is_spoilt = checkpoint_from_note(&note, &chain.keys).is_err();
            let kind = if is_spoilt { DamageKind::BadCheckpoint } else { DamageKind::WrongKey };
            found.damage.push(Damage::of_file(kind, "checkpoint", error.to_string()));
            None
        }
    }
}

/// Checkpoints kept elsewhere, as far as they are of this log.
fn anchors(
    known: &[Known],
    chain: &Chain,
    signed: Checkpoint,
    found: &mut Found,
) -> Vec<Checkpoint> {
    let mut anchors = Vec::new();
    for known in known {
        match chain.checkpoint(&known.note) {
            Ok(anchor) if anchor.size > signed.size => found.damage.push(Damage::at(
                DamageKind::Truncated,
                signed.size,
                format!(
                    "a checkpoint kept elsewhere signs {} records, and this log's signs {}",
                    anchor.size, signed.size
                ),
            )),
            Ok(anchor) => anchors.push(anchor),
            Err(error) => {
                found.damage.push(Damage::of_file(
                    DamageKind::WrongKey,
                    "known checkpoint",
                    error.to_string(),
                ));
            }
        }
    }
    anchors.sort_by_key(|anchor| anchor.size);
    anchors
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
