//! A log to copy, and copies of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use lockgate_audit::{Durability, Entry, Found, Log, LogKey, LogOptions, verify};
use lockgate_mirror::Target;
use object_store::{ObjectStore, ObjectStoreExt as _, path};

pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: LogKey,
}

/// A log of so many records, all of them signed.
pub(crate) fn log_of(records: u64) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let key = LogKey::generate("test.example/log").unwrap();
    let made = Made { dir, key };
    Log::create(&LogOptions::new(made.root()), &made.key).unwrap();
    made.append(records);
    made
}

pub(crate) fn entry(n: u64) -> Entry {
    Entry::event(i64::try_from(n).unwrap(), "ada", "test.act", format!("thing {n}"))
}

impl Made {
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn open(&self) -> Log {
        let options =
            LogOptions { durability: Durability::Process, ..LogOptions::new(self.root()) };
        Log::open(&options, self.key.clone()).unwrap()
    }

    pub(crate) fn append(&self, records: u64) {
        aside(|| {
            let log = self.open();
            let (session, begin) = (log.session(), log.status().size);
            for n in begin..begin + records {
                session.append_blocking(&entry(n)).unwrap();
            }
            log.close();
        });
    }

    /// The same log elsewhere.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), key: self.key.clone() };
        copied(&self.root(), &copy.root());
        copy
    }

    /// What is found in what the store has, with the log's key.
    pub(crate) async fn verify(&self, store: &Arc<dyn ObjectStore>) -> Found {
        let down = tempfile::tempdir().unwrap();
        for object in objects(store).await {
            let bytes = store.get(&object).await.unwrap().bytes().await.unwrap();
            let name = object.as_ref().strip_prefix("logs/a/").unwrap();
            let to = down.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
        verify(down.path(), std::slice::from_ref(self.key.public()), &[], &mut |_, _| {}).unwrap()
    }
}

/// Runs what blocks where no runtime is.
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|threads| threads.spawn(work).join().unwrap())
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) fn target(store: &Arc<dyn ObjectStore>) -> Target {
    Target::new(Arc::clone(store), path::Path::from("logs/a"), "memory")
}

pub(crate) async fn objects(store: &Arc<dyn ObjectStore>) -> Vec<path::Path> {
    let list: Vec<_> = store.list(None).try_collect().await.unwrap();
    list.into_iter().map(|object| object.location).collect()
}
