//! A file layer in memory that does what disks do: it forgets what was not synced, runs full, fails, and ends in the
//! middle of anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lockgate_audit::{Disk, Segment};

#[derive(Debug, Default, Clone)]
struct File {
    /// What survives a power cut for certain.
    synced: Vec<u8>,
    /// What readers see.
    seen: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, File>,
    directories: BTreeSet<PathBuf>,
    /// Operations until the power goes; `None` for never.
    left: Option<u64>,
    /// Bytes that still fit; `None` for no end.
    room: Option<usize>,
    fails: BTreeSet<Op>,
    dice: u64,
}

/// An operation that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Sync,
    Cut,
    Replace,
}

/// See the module.
#[derive(Debug, Default, Clone)]
pub(crate) struct FaultyDisk(Arc<Mutex<State>>);

impl State {
    /// One more operation; an error once the power is gone. `Ok(true)` for the one during which it goes.
    fn goes_out(&mut self) -> io::Result<bool> {
        match &mut self.left {
            None => Ok(false),
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(*left == 0)
            }
        }
    }

    /// A number below `end`, fixed by the seed.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64, as in its reference implementation.
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % (end.max(1) as u64)).unwrap()
    }
}

impl FaultyDisk {
    /// One whose power goes during this operation, counted from 1.
    pub(crate) fn that_ends_after(operations: u64, seed: u64) -> Self {
        let state = State { left: Some(operations), dice: seed, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The power goes this many operations from now.
    pub(crate) fn end_in(&self, operations: u64) {
        self.0.lock().unwrap().left = Some(operations);
    }

    pub(crate) fn set_room(&self, room: Option<usize>) {
        self.0.lock().unwrap().room = room;
    }

    pub(crate) fn fail(&self, op: Op, on: bool) {
        let mut state = self.0.lock().unwrap();
        if on {
            state.fails.insert(op)
        } else {
            state.fails.remove(&op)
        };
    }

    /// Writes what a machine finds after the power came back: what was synced, and of the rest what luck left.
    pub(crate) fn after_a_power_cut(&self, from: &Path, to: &Path) {
        let mut state = self.0.lock().unwrap();
        let files: Vec<(PathBuf, File)> =
            state.files.iter().map(|(path, file)| (path.clone(), file.clone())).collect();
        for (path, file) in files {
            let unsynced = file.seen.len().saturating_sub(file.synced.len());
            let kept = file.synced.len() + state.below(unsynced + 1);
            let mut bytes = file.seen[..kept.min(file.seen.len())].to_vec();
            // Some file systems extend a file before its bytes are there.
            if kept < file.seen.len() && state.below(3) == 0 {
                bytes.resize(file.seen.len(), 0);
            }
            if bytes.len() < file.synced.len() {
                bytes.clone_from(&file.synced);
            }
            let to = to.join(path.strip_prefix(from).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
    }
}

impl Disk for FaultyDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.goes_out()?;
        state.directories.insert(path.to_owned());
        Ok(())
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let mut state = self.0.lock().unwrap();
        if state.goes_out()? && state.below(2) == 0 {
            return Err(io::Error::other("the power is gone"));
        }
        state.files.entry(path.to_owned()).or_default();
        Ok(Box::new(FaultySegment { disk: self.clone(), path: path.to_owned() }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let file = state.files.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(file.seen.clone())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.fails.contains(&Op::Replace) {
            return Err(ErrorKind::StorageFull.into());
        }
        let last = state.goes_out()?;
        // Old or new, whichever reached the disk.
        if !last || state.below(2) == 0 {
            let file = File { synced: bytes.to_vec(), seen: bytes.to_vec() };
            state.files.insert(path.to_owned(), file);
        }
        if last { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let last = state.goes_out()?;
        if !last || state.below(2) == 0 {
            state.files.remove(path).ok_or(ErrorKind::NotFound)?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock().unwrap();
        let names = state.files.keys().filter(|file| file.parent() == Some(path));
        Ok(names.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }
}

struct FaultySegment {
    disk: FaultyDisk,
    path: PathBuf,
}

impl FaultySegment {
    fn with<T>(&self, work: impl FnOnce(&mut State, &mut File) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.0.lock().unwrap();
        let mut file = state.files.remove(&self.path).ok_or(ErrorKind::NotFound)?;
        let done = work(&mut state, &mut file);
        state.files.insert(self.path.clone(), file);
        done
    }
}

impl Segment for FaultySegment {
    fn byte_len(&self) -> io::Result<u64> {
        self.with(|_, file| Ok(file.seen.len() as u64))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|state, file| {
            let last = state.goes_out()?;
            let fits = state.room.unwrap_or(usize::MAX).min(bytes.len());
            let written = if last { state.below(bytes.len() + 1) } else { fits };
            file.seen.extend_from_slice(&bytes[..written]);
            if let Some(room) = &mut state.room {
                *room -= written;
            }
            if written < bytes.len() {
                return Err(ErrorKind::StorageFull.into());
            }
            if last { Err(io::Error::other("the power is gone")) } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state, file| {
            if state.fails.contains(&Op::Sync) {
                return Err(io::Error::other("input/output error"));
            }
            if state.goes_out()? {
                return Err(io::Error::other("the power is gone"));
            }
            file.synced = file.seen.clone();
            Ok(())
        })
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.with(|state, file| {
            if state.fails.contains(&Op::Cut) {
                return Err(io::Error::other("input/output error"));
            }
            state.goes_out()?;
            let len = usize::try_from(len).unwrap();
            if let Some(room) = &mut state.room {
                *room += file.seen.len() - len;
            }
            file.seen.truncate(len);
            file.synced.truncate(len);
            Ok(())
        })
    }
}
