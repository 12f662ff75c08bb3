//! Files that are none of the log's.

use std::path::Path;

use super::Found;
use super::damage::{Damage, DamageKind};
use super::source::Source;
use crate::layout::{self, TILE_WIDTH};
use crate::open_intents;

/// Nothing of a log is here.
pub(super) fn nothing_there(root: &Path) -> bool {
    !root.join("tile").exists() && !layout::checkpoint(root).exists() && !holds_a_segment(root)
}

fn holds_a_segment(root: &Path) -> bool {
    std::fs::read_dir(layout::wal(root)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Names every file that a log of this size does not have. Temporary files, and tiles that a crash left before
/// their checkpoint, are no damage: the next start removes them.
pub(super) fn look_for_strangers(
    source: &Source,
    all: u64,
    signed: u64,
    rotations: usize,
    found: &mut Found,
) {
    for (path, is_file) in &source.listed {
        let is_file = *is_file;
        if is_file
            && (is_left_over(path)
                || is_rotation(path, rotations)
                || belongs(source, path, all, signed))
        {
            continue;
        }
        // The checkpoint is copied last.
        if is_file && found.is_copy && belongs(source, path, u64::MAX, signed) {
            found.beyond_checkpoint += 1;
        } else if source.root().join(path).symlink_metadata().is_ok() {
            let why = "a log of this size has no such file";
            found.damage.push(Damage::of_file(DamageKind::Stranger, path, why));
        }
    }
}

/// The notes of a log that was passed on so many times.
fn is_rotation(path: &str, rotations: usize) -> bool {
    path.strip_prefix("rotation/").and_then(|number| number.parse().ok()).is_some_and(|number| {
        number <= rotations && path == layout::rotation_name(number) && number > 0
    })
}

/// What a crash left of a file that was to be replaced.
fn is_left_over(path: &str) -> bool {
    path.strip_suffix(".tmp").is_some_and(|path| {
        matches!(path, "checkpoint" | "log.keys" | open_intents::NAME)
            || layout::cosigned_by(path).is_some()
            || is_rotation(path, usize::MAX)
            || path.strip_prefix("wal/").is_some_and(|name| layout::segment_first(name).is_some())
            || tile(path).is_some()
    })
}

fn belongs(source: &Source, path: &str, all: u64, signed: u64) -> bool {
    if matches!(path, "checkpoint" | "log.keys" | open_intents::NAME)
        || layout::cosigned_by(path).is_some()
    {
        return true;
    }
    if path == "lock" {
        return std::fs::metadata(source.root().join(path)).is_ok_and(|file| file.len() == 0);
    }
    if let Some(name) = path.strip_prefix("wal/") {
        return layout::segment_first(name).is_some_and(|first| first <= all);
    }
    let Some((level, index, width)) = tile(path) else { return false };
    let nodes = |size: u64| size.checked_shr(u32::from(level) * 8).unwrap_or(0);
    let end = index.saturating_mul(TILE_WIDTH).saturating_add(width);
    // An unfinished tile belongs to the checkpoint, or to the one that a crash kept from being published. One of an
    // older checkpoint is there when a crash kept it from being removed.
    let is_current = width == TILE_WIDTH || end >= nodes(signed);
    end <= nodes(all) && (is_current || repeats(source, path, level, index, signed))
}

/// An older unfinished tile must be how the newer one begins.
fn repeats(source: &Source, path: &str, level: u8, index: u64, signed: u64) -> bool {
    let width = layout::width_at(signed, level, index);
    let newer = if path.starts_with("tile/entries/") {
        layout::bundle_name(index, width)
    } else {
        layout::tile_name(level, index, width)
    };
    let read = |path: &str| source.read(path).ok();
    read(&newer)
        .zip(read(path))
        .is_some_and(|(newer, older)| !older.is_empty() && newer.starts_with(&older))
}

/// Level, index and width of the only tile that has this path.
fn tile(path: &str) -> Option<(u8, u64, u64)> {
    let rest = path.strip_prefix("tile/")?;
    let (level, rest) = rest.split_once('/')?;
    let (digits, width) = match rest.split_once(".p/") {
        Some((digits, width)) => {
            (digits, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?)
        }
        None => (rest, TILE_WIDTH),
    };
    let index = digits.split('/').try_fold(0_u64, |index, part| {
        let part: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
        index.checked_mul(1000)?.checked_add(part)
    })?;
    let is_bundle = level == "entries";
    let level = if is_bundle { 0 } else { level.parse().ok().filter(|level| *level < 8)? };
    let name = if is_bundle {
        layout::bundle_name(index, width)
    } else {
        layout::tile_name(level, index, width)
    };
    (name == path).then_some((level, index, width))
}
