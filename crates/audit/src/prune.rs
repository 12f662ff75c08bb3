//! Letting go of records that are old enough.
//!
//! Whole bundles go, from the oldest on; the tiles of hashes stay, so that every proof of what is left holds. A signed
//! record tells of it first: `audit.prune` with the range and the root of its tree. Bundles that are missing without one
//! were taken away.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

use crate::disk::Disk;
use crate::error::AuditError;
use crate::layout::{self, TILE_WIDTH};
use crate::log::{Log, LogOptions, Session};
use crate::range_proof::prove_range;
use crate::read::Reader;
use crate::record::{Entry, Placed, Record, Step};
use crate::verify::hex;

/// The action of the record that tells of it.
pub const PRUNE_ACTION: &str = "audit.prune";
/// How such a record begins: canonical JSON puts the action first.
const BEGINS: &[u8] = br#"{"action":"audit.prune","#;
/// The most bundles that go at a time: a million records.
const BUNDLES_MAX: u64 = 4096;
/// How long the record may take to be signed.
const SIGNED_WITHIN: Duration = Duration::from_mins(1);

/// What may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// The first record that goes.
    pub from: u64,
    /// The first one that stays.
    pub to: u64,
    root: [u8; 32],
}

/// What a record says about records before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) root: String,
}

impl Told {
    /// Reads it out of a record, if this is one that tells of it.
    pub(crate) fn by(record: &[u8]) -> Option<Self> {
        if !record.starts_with(BEGINS) {
            return None;
        }
        let record = Record::parse(record).ok()?;
        let from = record.detail.get("from")?.as_u64()?;
        let to = record.detail.get("to")?.as_u64()?;
        let root = record.detail.get("root")?.as_str()?.to_owned();
        Some(Self { from, to, root })
    }
}

/// Looks for whole bundles whose records are all before a time, whose intents all have their outcomes, and which the
/// write-ahead log does not repeat; from the first on that was not pruned before, as [`crate::LogStatus::pruned_to`] has it.
///
/// Refused when something else is missing: a record of pruning would cover for whoever took it away.
pub fn prunable(
    log: &Reader,
    pruned_to: u64,
    before_ms: i64,
) -> Result<Option<Prunable>, AuditError> {
    if log.first() > pruned_to {
        let why =
            format!("records {pruned_to} to {} are missing, and were not pruned", log.first());
        return Err(AuditError::damaged(&log.root, why));
    }
    let first = pruned_to / TILE_WIDTH;
    let end =
        (log.checkpoint().size.min(wal_begin(&log.root)?) / TILE_WIDTH).min(first + BUNDLES_MAX);
    let mut open = BTreeSet::new();
    let mut to = first;
    while to < end && bundle(log, to, &mut open, Some(before_ms))? {
        to += 1;
    }
    // Outcomes may stand further on.
    let mut at = to;
    while !open.is_empty() && at * TILE_WIDTH < log.size() {
        let mut later = BTreeSet::new();
        bundle(log, at, &mut later, None)?;
        open.retain(|intent| !later.contains(intent));
        at += 1;
    }
    if let Some(oldest) = open.first() {
        to = to.min(oldest / TILE_WIDTH);
    }
    let (from, to) = (first * TILE_WIDTH, to * TILE_WIDTH);
    if to <= from {
        return Ok(None);
    }
    Ok(Some(Prunable { from, to, root: root_at(log, to)? }))
}

/// Goes through a bundle. Before `to` is known, intents are collected and their outcomes taken out again; after it, the
/// outcomes are collected. `false`, and nothing done, when a record in it is too young.
fn bundle(
    log: &Reader,
    index: u64,
    found: &mut BTreeSet<u64>,
    before_ms: Option<i64>,
) -> Result<bool, AuditError> {
    let begin = index * TILE_WIDTH;
    let mut steps = Vec::new();
    for record in log.records(begin..begin + TILE_WIDTH)? {
        let is_young = || Record::parse(&record).map(|record| Some(record.at_ms) >= before_ms);
        if before_ms.is_some() && is_young()? {
            return Ok(false);
        }
        let placed = Placed::read(&record);
        let placed = placed.ok_or_else(|| AuditError::damaged(&log.root, "a record is none"))?;
        steps.push((placed.seq, placed.step));
    }
    for (seq, step) in steps {
        match (step, before_ms) {
            (Step::Intent, Some(_)) => drop(found.insert(seq)),
            (Step::Outcome { of }, Some(_)) => drop(found.remove(&of)),
            (Step::Outcome { of }, None) => drop(found.insert(of)),
            _ => {}
        }
    }
    Ok(true)
}

/// The first record of the write-ahead log.
fn wal_begin(root: &Path) -> Result<u64, AuditError> {
    let path = layout::wal(root);
    let listed = fs::read_dir(&path).map_err(AuditError::io("read", &path))?;
    let firsts = listed
        .flatten()
        .filter_map(|entry| layout::segment_first(&entry.file_name().to_string_lossy()));
    Ok(firsts.min().unwrap_or(0))
}

/// The root of the tree as it was after so many records.
fn root_at(log: &Reader, size: u64) -> Result<[u8; 32], AuditError> {
    if size == log.checkpoint().size {
        return Ok(log.checkpoint().root);
    }
    let left = prove_range(log, size, log.checkpoint().size)?.left;
    let root = left.into_iter().rev().map(Hash).reduce(|right, left| node_hash(left, right));
    Ok(root.unwrap_or(EMPTY_HASH).0)
}

/// Records that these records go, waits until that is signed, and lets them go. Blocks. Returns the record's place.
///
/// Cut off at any point, the next start of the log finishes what was signed.
pub fn prune(
    options: &LogOptions,
    log: &Log,
    session: &Session,
    what: &Prunable,
    mut entry: Entry,
) -> Result<u64, AuditError> {
    PRUNE_ACTION.clone_into(&mut entry.action);
    entry.detail["from"] = json!(what.from);
    entry.detail["to"] = json!(what.to);
    entry.detail["root"] = json!(hex(&what.root));
    let seq = session.append_blocking(&entry)?;
    let since = Instant::now();
    while log.status().signed_size <= seq {
        if since.elapsed() > SIGNED_WITHIN {
            let why = "what is to be pruned is not signed yet; nothing was removed".into();
            return Err(AuditError::Missing(why));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    remove(options.disk.as_ref(), &options.dir, what.from / TILE_WIDTH..what.to / TILE_WIDTH)?;
    Ok(seq)
}

/// Lets go what a signed record says is gone, from the first record on to this one: a crash may have come between. The
/// caller sees to it that no hold lasts.
pub fn finish(options: &LogOptions, pruned_to: u64) -> Result<(), AuditError> {
    let (disk, root) = (options.disk.as_ref(), options.dir.as_path());
    let end = pruned_to / TILE_WIDTH;
    for first in (0..end).step_by(layout::NAMES_IN_DIRECTORY) {
        let name = layout::bundle_name(first, TILE_WIDTH);
        let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        let there = disk.list(&root.join(directory)).unwrap_or_default();
        for index in first..end.min(first + layout::NAMES_IN_DIRECTORY as u64) {
            let name = layout::bundle_name(index, TILE_WIDTH);
            if there.iter().any(|there| name.rsplit('/').next() == Some(there)) {
                remove(disk, root, index..index + 1)?;
            }
        }
    }
    Ok(())
}

/// Whoever takes records away takes the oldest, to have them look pruned: the first that should be there must be.
pub(crate) fn nothing_else_is_missing(
    disk: &dyn Disk,
    root: &Path,
    pruned_to: u64,
    signed_size: u64,
) -> Result<(), AuditError> {
    let name = layout::bundle_name(pruned_to / TILE_WIDTH, TILE_WIDTH);
    if pruned_to + TILE_WIDTH > signed_size || disk.read(&root.join(&name)).is_ok() {
        return Ok(());
    }
    let why = format!("{name} is missing, and no signed record says that it was pruned");
    Err(AuditError::damaged(root, why))
}

/// Removes bundles, the oldest first: what is left has no gap.
fn remove(disk: &dyn Disk, root: &Path, bundles: Range<u64>) -> Result<(), AuditError> {
    for index in bundles {
        let path = root.join(layout::bundle_name(index, TILE_WIDTH));
        match disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AuditError::io("prune", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
