//! Which version a conversation runs on, for clients that send no pin: ids that the agent's own
//! protocol carries (A2A contexts, MCP sessions, `OpenAI` conversations and answers). Bounded; kept
//! over restarts in an append-only file that is rewritten when it has grown to twice the bound.
//! Losing an entry is no fault: its next request is assigned anew by key.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use lockgate_model::ids::VersionName;

use crate::durable;
use crate::live::lock;

/// The most conversations that are remembered.
const CONVERSATIONS_MAX: usize = 200_000;

#[derive(Debug, Default)]
struct Known {
    versions: HashMap<u64, VersionName>,
    /// Oldest first.
    order: VecDeque<u64>,
    /// Not yet written.
    fresh: Vec<(u64, VersionName)>,
}

impl Known {
    /// False when it was known already.
    fn learn(&mut self, id: u64, version: &VersionName, max: usize) -> bool {
        match self.versions.get_mut(&id) {
            Some(known) if known == version => return false,
            Some(known) => *known = version.clone(),
            None => {
                self.versions.insert(id, version.clone());
                self.order.push_back(id);
            }
        }
        while self.order.len() > max {
            if let Some(oldest) = self.order.pop_front() {
                self.versions.remove(&oldest);
            }
        }
        true
    }
}

/// The map and its file.
#[derive(Debug)]
pub(crate) struct Conversations {
    known: Mutex<Known>,
    file: Mutex<Journal>,
    max: usize,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Conversations {
    /// Reads what an earlier start left behind. Lines that make no sense (a torn tail) are skipped.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_bounded(path, CONVERSATIONS_MAX)
    }

    fn open_bounded(path: &Path, max: usize) -> io::Result<Self> {
        let file =
            OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
        let mut known = Known::default();
        let mut lines = 0;
        for line in BufReader::new(&file).lines() {
            let Ok(line) = line else { break };
            lines += 1;
            if let Some((id, version)) = parse(&line) {
                known.learn(id, &version, max);
            }
        }
        let journal = Journal { path: path.to_owned(), file, lines };
        Ok(Self { known: Mutex::new(known), file: Mutex::new(journal), max })
    }

    /// The version that a conversation runs on.
    pub(crate) fn get(&self, id: u64) -> Option<VersionName> {
        lock(&self.known).versions.get(&id).cloned()
    }

    /// From now on, the conversation runs on `version`.
    pub(crate) fn learn(&self, id: u64, version: &VersionName) {
        let mut known = lock(&self.known);
        // An unwritten backlog is bounded too: entries beyond it live in memory only.
        if known.learn(id, version, self.max) && known.fresh.len() < self.max {
            known.fresh.push((id, version.clone()));
        }
    }

    /// Writes what is new. Blocking.
    pub(crate) fn write(&self) -> io::Result<()> {
        let fresh = std::mem::take(&mut lock(&self.known).fresh);
        if fresh.is_empty() {
            return Ok(());
        }
        let mut journal = lock(&self.file);
        if journal.lines + fresh.len() > self.max * 2 {
            return self.rewrite(&mut journal);
        }
        let text: String = fresh.iter().map(|(id, version)| line(*id, version)).collect();
        journal.lines += fresh.len();
        journal.file.write_all(text.as_bytes())
    }

    fn rewrite(&self, journal: &mut Journal) -> io::Result<()> {
        let (text, lines) = {
            let known = lock(&self.known);
            let text: String = known
                .order
                .iter()
                .filter_map(|id| known.versions.get(id).map(|version| line(*id, version)))
                .collect();
            (text, known.order.len())
        };
        durable::replace(&journal.path, text.as_bytes())?;
        journal.file = OpenOptions::new().append(true).open(&journal.path)?;
        journal.lines = lines;
        Ok(())
    }
}

fn line(id: u64, version: &VersionName) -> String {
    format!("{id:016x} {version}\n")
}

fn parse(line: &str) -> Option<(u64, VersionName)> {
    let (id, version) = line.split_once(' ')?;
    Some((u64::from_str_radix(id, 16).ok()?, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str) -> VersionName {
        name.parse().unwrap()
    }

    #[test]
    fn what_was_learnt_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conversations");
        let first = Conversations::open(&path).unwrap();
        first.learn(1, &version("v1"));
        first.learn(2, &version("v2"));
        first.write().unwrap();
        first.learn(1, &version("v2"));
        first.write().unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"00zz torn")
            .unwrap();
        let second = Conversations::open(&path).unwrap();
        assert_eq!(second.get(1), Some(version("v2")));
        assert_eq!(second.get(2), Some(version("v2")));
        assert_eq!(second.get(3), None);
    }

    #[test]
    fn map_and_file_stay_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conversations");
        let map = Conversations::open_bounded(&path, 10).unwrap();
        for id in 0..1_000 {
            map.learn(id, &version("v1"));
            map.write().unwrap();
        }
        assert_eq!(map.get(989), None);
        assert_eq!(map.get(990), Some(version("v1")));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 20, "{lines}");
        assert_eq!(Conversations::open_bounded(&path, 10).unwrap().get(999), Some(version("v1")));
    }
}
