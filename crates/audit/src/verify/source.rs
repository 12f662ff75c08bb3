//! What is verified: the files of a log as they were at one checkpoint, also while the log goes on growing.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::cosigned::{Cosigned, cosigned};
use crate::disk::read_file;
use crate::keys::unchecked_size;
use crate::layout;
use crate::open_intents;
use crate::publish::partial_names;
use crate::read::is_copy;

/// How often the end of a log that is being written is read anew: a checkpoint lasts a tenth of a second at least.
const TRIES: u32 = 100;
const CHECKPOINT: &str = "checkpoint";

/// See the module.
pub(super) struct Source {
    root: PathBuf,
    /// Every file that is there, by its path in the log, and whether it is one. Listed first: what comes later belongs
    /// to a checkpoint that comes later.
    pub(super) listed: Vec<(String, bool)>,
    /// What witnesses cosigned. Read before the checkpoint, which is then no older.
    pub(super) cosigned: Vec<Cosigned>,
    /// Only what is signed is here.
    pub(super) is_copy: bool,
    /// Segments of the write-ahead log, by their first records.
    pub(super) segments: Vec<u64>,
    /// The files that the next checkpoint replaces.
    taken: HashMap<String, Result<Vec<u8>, ErrorKind>>,
}

impl Source {
    pub(super) fn new(root: &Path) -> Self {
        let listed = list(root);
        let cosigned = cosigned(root);
        let mut source = Self {
            root: root.to_owned(),
            listed,
            cosigned,
            is_copy: is_copy(root),
            segments: Vec::new(),
            taken: HashMap::new(),
        };
        source.take(open_intents::NAME);
        let intents = std::mem::take(&mut source.taken);
        for _ in 0..TRIES {
            source.taken.clone_from(&intents);
            source.take_end();
            if read_file(&source.path(CHECKPOINT)).ok() == source.read(CHECKPOINT).ok() {
                break;
            }
        }
        source
    }

    /// Reads the checkpoint, and what goes away under the next one.
    fn take_end(&mut self) {
        self.take(CHECKPOINT);
        let size = self.read(CHECKPOINT).ok().and_then(|note| unchecked_size(&note)).unwrap_or(0);
        for name in partial_names(size) {
            self.take(&name);
        }
        self.segments = segments(&self.root);
        for first in self.segments.clone() {
            self.take(&layout::segment_name(first));
        }
    }

    fn take(&mut self, name: &str) {
        let read = read_file(&self.path(name)).map_err(|error| error.kind());
        self.taken.insert(name.to_owned(), read);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file of the log.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(name, &mut bytes)?;
        Ok(bytes)
    }

    /// The same into memory that is used again.
    pub(super) fn read_into(&self, name: &str, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        match self.taken.get(name) {
            Some(taken) => {
                bytes.extend_from_slice(taken.as_ref().map_err(|kind| io::Error::from(*kind))?);
                Ok(())
            }
            None => crate::disk::read_file_into(&self.path(name), bytes),
        }
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.taken.get(name).map_or_else(|| self.path(name).exists(), Result::is_ok)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

fn segments(root: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(layout::wal(root)).into_iter().flatten().flatten();
    let mut firsts: Vec<u64> = entries
        .filter_map(|entry| layout::segment_first(&entry.file_name().to_string_lossy()))
        .collect();
    firsts.sort_unstable();
    firsts
}

fn list(root: &Path) -> Vec<(String, bool)> {
    let mut listed = Vec::new();
    let mut directories = vec![String::new()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(root.join(&directory)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(path),
                kind => listed.push((path, kind.is_ok_and(|kind| kind.is_file()))),
            }
        }
    }
    listed
}
