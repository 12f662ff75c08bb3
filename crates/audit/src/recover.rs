//! Opening a log: what the disk says is held against what was signed, and only a torn end is mended.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tlog_tiles::{Hash, record_hash};

use crate::committer::Segments;
use crate::disk::Disk;
use crate::error::AuditError;
use crate::grown::Grown;
use crate::keys::{Checkpoint, LogKey, checkpoint_from_note};
use crate::layout::{self, TILE_WIDTH};
use crate::log::LogOptions;
use crate::open_intents::{self, Standing};
use crate::prune;
use crate::publish::{partial_names, write_tiles};
use crate::record::Placed;
use crate::tree::{Edge, hashes_of, partial_tiles};
use crate::wal::{self, Rest};

/// Holds a log for one process.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, AuditError> {
        let path = layout::lock(dir);
        let file = File::create(&path).map_err(AuditError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(AuditError::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(AuditError::io("lock", &path)(error)),
        }
    }
}

pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn create(options: &LogOptions, key: &LogKey) -> Result<(), AuditError> {
    let (disk, root) = (&options.disk, &options.dir);
    let checkpoint = layout::checkpoint(root);
    if disk.read(&checkpoint).is_ok() {
        return Err(AuditError::damaged(
            root,
            "there is a log already, and its key is not where it should be",
        ));
    }
    let wal = layout::wal(root);
    disk.create_dir_all(&wal).map_err(AuditError::io("make", &wal))?;
    let first = layout::segment(root, 0);
    let len = disk
        .open_append(&first)
        .and_then(|segment| segment.byte_len())
        .map_err(AuditError::io("begin", &first))?;
    if len > 0 {
        return Err(AuditError::damaged(root, "it has records and no checkpoint"));
    }
    let keys = layout::keys(root);
    disk.replace(&keys, format!("{}\n", key.public()).as_bytes())
        .map_err(AuditError::io("write", &keys))?;
    let note = key.sign(0, Edge::default().root())?;
    disk.replace(&checkpoint, &note).map_err(AuditError::io("publish", &checkpoint))
}

/// A log as it was found.
pub(crate) struct Recovered {
    pub(crate) grown: Grown,
    pub(crate) signed_size: u64,
    pub(crate) segments: Segments,
    pub(crate) cut_bytes: u64,
    /// Intents without an outcome, and what was pruned.
    pub(crate) standing: Standing,
    /// Records before this one were pruned, as a record under the checkpoint says.
    pub(crate) signed_pruned_to: u64,
    /// Records under the note of open intents; 0 when there is none to be believed.
    pub(crate) noted_size: u64,
}

pub(crate) fn recover(options: &LogOptions, key: &LogKey) -> Result<Recovered, AuditError> {
    let (disk, root) = (options.disk.as_ref(), options.dir.as_path());
    let path = layout::checkpoint(root);
    let note = disk
        .read(&path)
        .map_err(|error| AuditError::damaged(root, format!("no checkpoint: {error}")))?;
    let signed = checkpoint_from_note(&note, std::slice::from_ref(key.public()))
        .map_err(|error| AuditError::damaged(root, error.to_string()))?;
    let edge = read_edge(disk, root, signed)?;
    let signed_tile =
        edge.partial().find(|(level, ..)| *level == 0).map(|(_, _, bytes)| hashes_of(&bytes));
    let bundle = read_bundle(disk, root, signed.size, &signed_tile.unwrap_or_default())?;
    let (segments, records, cut_bytes) = read_segments(options, signed)?;
    let full = signed.size / TILE_WIDTH * TILE_WIDTH;
    for (seq, record) in &records {
        if *seq < signed.size {
            check_signed(*seq, record, full, &edge, root)?;
            continue;
        }
        if Placed::read(record).is_none_or(|placed| placed.seq != *seq) {
            return Err(AuditError::damaged(
                root,
                format!("what is written at {seq} is not record {seq}"),
            ));
        }
    }
    let mut grown = Grown::new(edge, bundle);
    for (_, record) in records.iter().filter(|(seq, _)| *seq >= signed.size) {
        grown.push(record);
    }
    write_tiles(disk, root, grown.full())?;
    grown.forget_full();
    remove_leftovers(disk, root, signed.size);
    let noted = open_intents::noted(disk, root, key.public(), signed);
    let noted_size = noted.0;
    let signed_size = signed.size;
    let standing = open_intents::find(disk, root, noted, signed_size, &grown)?;
    let signed_pruned_to = standing.pruned_to;
    prune::nothing_else_is_missing(disk, root, signed_pruned_to, signed_size)?;
    let so_far = (signed_size, standing);
    let standing = open_intents::find(disk, root, so_far, grown.edge().size(), &grown)?;
    Ok(Recovered {
        grown,
        signed_size,
        segments,
        cut_bytes,
        standing,
        signed_pruned_to,
        noted_size,
    })
}

/// The tree's edge at the checkpoint, from its tiles.
fn read_edge(disk: &dyn Disk, root: &Path, signed: Checkpoint) -> Result<Edge, AuditError> {
    let mut levels = Vec::new();
    for (level, index, width) in partial_tiles(signed.size) {
        let mut hashes = Vec::new();
        if width > 0 {
            let name = layout::tile_name(level, index, width);
            let bytes = disk.read(&root.join(&name)).map_err(|error| {
                AuditError::damaged(root, format!("{name} cannot be read: {error}"))
            })?;
            if bytes.len() as u64 != width * 32 {
                return Err(AuditError::damaged(root, format!("{name} has {} bytes", bytes.len())));
            }
            hashes = hashes_of(&bytes);
        }
        levels.push(hashes);
    }
    let edge = Edge::new(signed.size, levels);
    if edge.root() != Hash(signed.root) {
        return Err(AuditError::damaged(
            root,
            "its tiles do not give the root that its checkpoint signs",
        ));
    }
    Ok(edge)
}

/// The unfinished bundle at the checkpoint, held against the leaves.
fn read_bundle(
    disk: &dyn Disk,
    root: &Path,
    size: u64,
    leaves: &[Hash],
) -> Result<Vec<u8>, AuditError> {
    if leaves.is_empty() {
        return Ok(Vec::new());
    }
    let name = layout::bundle_name(size / TILE_WIDTH, size % TILE_WIDTH);
    let bytes = disk
        .read(&root.join(&name))
        .map_err(|error| AuditError::damaged(root, format!("{name} cannot be read: {error}")))?;
    let found = wal::split_records(&bytes).map(|records| {
        records.into_iter().map(|range| record_hash(&bytes[range])).collect::<Vec<_>>()
    });
    if found.as_deref() != Some(leaves) {
        return Err(AuditError::damaged(
            root,
            format!("{name} does not hold the records that were signed"),
        ));
    }
    Ok(bytes)
}

type Placement = (u64, Vec<u8>);

/// Reads the write-ahead log, cuts off a torn end, and opens it for appending.
fn read_segments(
    options: &LogOptions,
    signed: Checkpoint,
) -> Result<(Segments, Vec<Placement>, u64), AuditError> {
    let (disk, root) = (&options.disk, &options.dir);
    let wal = layout::wal(root);
    let names = disk
        .list(&wal)
        .map_err(|error| AuditError::damaged(root, format!("no write-ahead log: {error}")))?;
    let mut firsts: Vec<u64> =
        names.iter().filter_map(|name| layout::segment_first(name)).collect();
    firsts.sort_unstable();
    let (Some(&begin), Some(&last)) = (firsts.first(), firsts.last()) else {
        return Err(AuditError::damaged(root, "its write-ahead log has no segment"));
    };
    let mut records = Vec::new();
    let mut next = begin;
    let mut cut_bytes = 0;
    let mut end = 0;
    for first in firsts {
        let path = layout::segment(root, first);
        if first != next {
            return Err(AuditError::damaged(
                root,
                format!("records {next} to {first} are not in its write-ahead log"),
            ));
        }
        let bytes = disk.read(&path).map_err(AuditError::io("read", &path))?;
        let scan = wal::scan(&bytes, first);
        next += scan.records.len() as u64;
        end = scan.end as u64;
        match scan.rest {
            Rest::Nothing => {}
            Rest::Torn if first == last && next >= signed.size => {
                cut_bytes = (bytes.len() - scan.end) as u64;
            }
            Rest::Torn => {
                return Err(AuditError::damaged(
                    root,
                    format!("a frame in {} is torn before the checkpoint", path.display()),
                ));
            }
            Rest::Damaged(why) => {
                return Err(AuditError::damaged(root, format!("{}: {why}", path.display())));
            }
        }
        // What comes after the checkpoint may be in the system's memory alone. Written anew, it is on disk before a
        // checkpoint covers it; a sync may have failed before, and a second one of the same pages would lie.
        if next > signed.size || cut_bytes > 0 {
            disk.replace(&path, &bytes[..scan.end]).map_err(AuditError::io("keep", &path))?;
        }
        records.extend((first..).zip(scan.records.into_iter().map(|range| bytes[range].to_vec())));
    }
    if next < signed.size {
        let why = format!(
            "its write-ahead log ends at {next}, and its checkpoint signs {} records",
            signed.size
        );
        return Err(AuditError::damaged(root, why));
    }
    let path = layout::segment(root, last);
    let current = disk.open_append(&path).map_err(AuditError::io("open", &path))?;
    let segments = Segments {
        disk: disk.clone(),
        root: root.clone(),
        current,
        len: end,
        // Old enough for the next record to begin another one: how old it is, nobody has written down.
        since: Instant::now().checked_sub(options.segment_max_age).unwrap_or_else(Instant::now),
        max_bytes: options.segment_max_bytes,
        max_age: options.segment_max_age,
    };
    Ok((segments, records, cut_bytes))
}

/// A record below the checkpoint must be the one that was signed; those in full tiles are left to `verify`.
fn check_signed(
    seq: u64,
    record: &[u8],
    full: u64,
    edge: &Edge,
    root: &Path,
) -> Result<(), AuditError> {
    let Some(at) = seq.checked_sub(full) else { return Ok(()) };
    let leaf = edge
        .partial()
        .find(|(level, ..)| *level == 0)
        .and_then(|(_, _, bytes)| hashes_of(&bytes).get(usize::try_from(at).ok()?).copied());
    if leaf == Some(record_hash(record)) {
        return Ok(());
    }
    Err(AuditError::damaged(
        root,
        format!("record {seq} in the write-ahead log is not the one that was signed"),
    ))
}

/// Removes unfinished tiles that no checkpoint names: a crash came between them and their checkpoint.
fn remove_leftovers(disk: &dyn Disk, root: &Path, size: u64) {
    let kept: Vec<String> = partial_names(size).collect();
    for name in ["checkpoint", "log.keys", open_intents::NAME] {
        let _ = disk.remove(&root.join(format!("{name}.tmp")));
    }
    let edges =
        partial_tiles(size.max(1)).map(|(level, index, _)| layout::tile_name(level, index, 1));
    for example in edges.chain([layout::bundle_name(size / TILE_WIDTH, 1)]) {
        let Some((directory, _)) = example.rsplit_once('/') else { continue };
        for name in disk.list(&root.join(directory)).unwrap_or_default() {
            let name = format!("{directory}/{name}");
            if !kept.contains(&name) {
                let _ = disk.remove(&root.join(name));
            }
        }
    }
}
