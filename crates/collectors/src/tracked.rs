//! What git's index has: those files are parts of the repository, whatever `.gitignore` says
//! (<https://git-scm.com/docs/index-format>, versions 2 to 4).

use std::collections::BTreeSet;
use std::path::Path;

use crate::bounded;
use crate::git_dir::GitDir;

/// A longer index is not read.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest name of a file, and all names together. Names of version 4 repeat parts of others, so that a short index can
/// hold more than there is room for.
const NAME_BYTES_MAX: usize = 4096;
const NAMES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Times, device, owner and the like, before the hash of an entry.
const STAT_BYTES: usize = 40;

/// The flag of entries that have more flags.
const EXTENDED: u16 = 0x4000;

/// Paths from the root of a checkout.
#[derive(Debug, Default)]
pub(crate) struct Tracked(BTreeSet<String>);

impl Tracked {
    /// Nothing where there is no index, or none that can be read.
    pub(crate) fn of_checkout(root: &Path) -> Self {
        let read = || {
            let index = GitDir::of_checkout(root)?.index();
            let bytes = bounded::read(&index, BYTES_MAX).ok()??;
            // The hashes of a repository are all of one length, which the index does not name.
            [20, 32].into_iter().find_map(|hash_bytes| names(&bytes, hash_bytes, NAMES_BYTES_MAX))
        };
        Self(read().unwrap_or_default())
    }

    /// Whether it has a file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    /// Whether it has a file below a directory.
    pub(crate) fn is_above(&self, dir: &str) -> bool {
        let start = format!("{dir}/");
        self.0.range(start.clone()..).next().is_some_and(|path| path.starts_with(&start))
    }
}

/// The names of all entries; none when it is no index with hashes of this length, or one with more than so many bytes of
/// names. Names that are not UTF-8 are left out.
fn names(bytes: &[u8], hash_bytes: usize, bytes_max: usize) -> Option<BTreeSet<String>> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let version =
        number(4).filter(|version| bytes.starts_with(b"DIRC") && (2..=4).contains(version))?;
    let mut at = 12;
    let mut left = bytes_max;
    let mut name: Vec<u8> = Vec::new();
    let mut all = BTreeSet::new();
    for _ in 0..number(8)? {
        let start = at;
        at += STAT_BYTES + hash_bytes;
        let flags = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
        at += if version > 2 && flags & EXTENDED != 0 { 4 } else { 2 };
        if version == 4 {
            let (shorter, after) = offset(bytes, at)?;
            name.truncate(name.len().checked_sub(shorter)?);
            at = after;
        } else {
            name.clear();
        }
        let rest = bytes.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        name.extend_from_slice(&rest[..end]);
        at += end + 1;
        if version < 4 {
            // Filled up to a multiple of eight.
            at = start + (at - start).next_multiple_of(8);
        }
        let is_name = !name.is_empty() && !name.starts_with(b"/");
        if !is_name || name.len() > NAME_BYTES_MAX {
            return None;
        }
        left = left.checked_sub(name.len())?;
        all.extend(std::str::from_utf8(&name).map(str::to_owned));
    }
    Some(all)
}

/// A number of seven bits a byte, as packs have it, and where it ends.
fn offset(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut at = start;
    let mut byte = *bytes.get(at)?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        at += 1;
        byte = *bytes.get(at)?;
        value = value.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
    }
    Some((value, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH_BYTES: usize = 20;

    /// An index of version 4 with these names, each given as what it drops of the one before and what it adds.
    fn index(names: &[(u8, &[u8])]) -> Vec<u8> {
        let count = u32::try_from(names.len()).unwrap().to_be_bytes();
        let mut bytes = [&b"DIRC"[..], &4u32.to_be_bytes(), &count].concat();
        for (dropped, added) in names {
            bytes.extend([0; STAT_BYTES + HASH_BYTES + 2]);
            bytes.push(*dropped);
            bytes.extend(*added);
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn names_that_repeat_each_other_are_bounded() {
        let read =
            |names: &[(u8, &[u8])], bytes_max| self::names(&index(names), HASH_BYTES, bytes_max);
        let two: &[(u8, &[u8])] = &[(0, b"src/a.rs"), (4, b"b.rs")];
        let told = read(two, 16).unwrap();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), ["src/a.rs", "src/b.rs"]);
        assert_eq!(read(two, 15), None, "together they are longer");
        let long = [b'a'; NAME_BYTES_MAX];
        assert!(read(&[(0, &long)], usize::MAX).is_some());
        assert_eq!(read(&[(0, &long), (0, b"b")], usize::MAX), None, "the second is too long");
    }
}
