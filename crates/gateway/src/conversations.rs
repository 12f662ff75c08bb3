//! Which version a conversation runs on, for clients that send no pin: ids that the agent's own
//! protocol carries (A2A contexts, MCP sessions, `OpenAI` conversations and answers). Bounded; kept
//! over restarts in an append-only file that is rewritten when it has grown to twice the bound.
//! Losing an entry is no fault: its next request is assigned anew by key.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use lockgate_model::ids::RolloutId;
use lru::LruCache;
use uuid::Uuid;

use crate::affinity::Home;
use crate::durable;
use crate::live::lock;

/// The most conversations that are remembered.
const CONVERSATIONS_MAX: NonZeroUsize = NonZeroUsize::new(200_000).expect("not zero");

#[derive(Debug)]
struct Known {
    /// The one that was quiet for longest makes room.
    homes: LruCache<u64, Home>,
    /// Not yet written.
    fresh: Vec<(u64, Home)>,
}

impl Known {
    /// False when it was known already.
    fn learn(&mut self, id: u64, home: &Home) -> bool {
        if self.homes.get(&id) == Some(home) {
            return false;
        }
        self.homes.put(id, home.clone());
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

    fn open_bounded(path: &Path, max: NonZeroUsize) -> io::Result<Self> {
        let file =
            OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
        let mut known = Known { homes: LruCache::new(max), fresh: Vec::new() };
        let mut lines = 0;
        for line in BufReader::new(&file).lines() {
            let Ok(line) = line else { break };
            lines += 1;
            if let Some((id, home)) = parse(&line) {
                known.learn(id, &home);
            }
        }
        let journal = Journal { path: path.to_owned(), file, lines };
        Ok(Self { known: Mutex::new(known), file: Mutex::new(journal), max: max.get() })
    }

    /// Where a conversation runs.
    pub(crate) fn get(&self, id: u64) -> Option<Home> {
        lock(&self.known).homes.get(&id).cloned()
    }

    /// From now on, the conversation runs there.
    pub(crate) fn learn(&self, id: u64, home: &Home) {
        let mut known = lock(&self.known);
        // An unwritten backlog is bounded too: entries beyond it live in memory only.
        if known.learn(id, home) && known.fresh.len() < self.max {
            known.fresh.push((id, home.clone()));
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
        let text: String = fresh.iter().map(|(id, home)| line(*id, home)).collect();
        journal.lines += fresh.len();
        journal.file.write_all(text.as_bytes())
    }

    fn rewrite(&self, journal: &mut Journal) -> io::Result<()> {
        let (text, lines) = {
            let known = lock(&self.known);
            // The file is read from its start: what was used last comes last.
            let text: String = known.homes.iter().rev().map(|(id, home)| line(*id, home)).collect();
            (text, known.homes.len())
        };
        durable::replace(&journal.path, text.as_bytes())?;
        journal.file = OpenOptions::new().append(true).open(&journal.path)?;
        journal.lines = lines;
        Ok(())
    }
}

fn line(id: u64, Home { version, rollout }: &Home) -> String {
    let rollout = rollout.map(|rollout| format!(" {}", rollout.0)).unwrap_or_default();
    format!("{id:016x} {version}{rollout}\n")
}

fn parse(line: &str) -> Option<(u64, Home)> {
    let mut words = line.split(' ');
    let id = u64::from_str_radix(words.next()?, 16).ok()?;
    let version = words.next()?.parse().ok()?;
    let rollout = words.next().map(Uuid::parse_str).transpose().ok()?.map(RolloutId);
    words.next().is_none().then_some((id, Home { version, rollout }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(version: &str) -> Home {
        let rollout = Some(RolloutId(Uuid::from_u128(version.len() as u128)));
        Home { version: version.parse().unwrap(), rollout }
    }

    #[test]
    fn what_was_learnt_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conversations");
        let first = Conversations::open(&path).unwrap();
        first.learn(1, &home("v1"));
        first.learn(2, &home("v2"));
        first.write().unwrap();
        first.learn(1, &home("v2"));
        first.write().unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"00zz torn")
            .unwrap();
        let second = Conversations::open(&path).unwrap();
        assert_eq!(second.get(1), Some(home("v2")));
        assert_eq!(second.get(2), Some(home("v2")));
        assert_eq!(second.get(3), None);
    }

    #[test]
    fn who_is_active_is_not_pushed_out_by_many_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conversations");
        let map = Conversations::open_bounded(&path, 10.try_into().unwrap()).unwrap();
        map.learn(0, &home("v2"));
        for id in 1..1_000 {
            map.learn(id, &home("v1"));
            assert_eq!(map.get(0), Some(home("v2")), "{id}");
        }
    }

    #[test]
    fn map_and_file_stay_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conversations");
        let map = Conversations::open_bounded(&path, 10.try_into().unwrap()).unwrap();
        for id in 0..1_000 {
            map.learn(id, &home("v1"));
            map.write().unwrap();
        }
        assert_eq!(map.get(989), None);
        assert_eq!(map.get(990), Some(home("v1")));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 20, "{lines}");
        assert_eq!(
            Conversations::open_bounded(&path, 10.try_into().unwrap()).unwrap().get(999),
            Some(home("v1"))
        );
    }
}
