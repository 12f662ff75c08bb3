//! A log to do things to.

use std::fs;
use std::path::{Path, PathBuf};

use lockgate_audit::{Entry, Found, Known, Log, LogKey, LogOptions, VerifierKey, verify};
use serde_json::json;

pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: LogKey,
}

/// A log of so many records, closed: all of it is signed.
pub(crate) fn log_of(records: u64) -> Made {
    let made = empty();
    made.append(records);
    made
}

pub(crate) fn empty() -> Made {
    let dir = tempfile::tempdir().unwrap();
    let key = LogKey::generate("test.example/log").unwrap();
    let made = Made { dir, key };
    Log::create(&made.options(), &made.key).unwrap();
    made
}

pub(crate) fn entry(n: u64) -> Entry {
    let mut entry =
        Entry::event(1_000 + i64::try_from(n).unwrap(), "ada", "test.act", format!("thing {n}"));
    entry.labels = vec![("agent".into(), "support".into())];
    entry.detail = json!({ "n": n, "text": "ß \"quoted\"" });
    entry
}

/// One record more, by somebody else.
pub(crate) fn append_as(made: &Made, principal: &str) {
    let log = made.open();
    let mut act = entry(log.status().size);
    principal.clone_into(&mut act.principal);
    log.session().append_blocking(&act).unwrap();
    log.close();
}

impl Made {
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Time ends no segment here.
    pub(crate) fn options(&self) -> LogOptions {
        let mut options = LogOptions::new(self.root());
        options.segment_max_age = std::time::Duration::MAX;
        options
    }

    pub(crate) fn open(&self) -> Log {
        Log::open(&self.options(), self.key.clone()).unwrap()
    }

    pub(crate) fn append(&self, records: u64) {
        let log = self.open();
        let begin = log.status().size;
        let session = log.session();
        for n in begin..begin + records {
            assert_eq!(session.append_blocking(&entry(n)).unwrap(), n);
        }
        log.close();
    }

    /// The checkpoint as it is now, kept elsewhere.
    pub(crate) fn kept(&self) -> Known {
        Known { note: fs::read(self.path("checkpoint")).unwrap() }
    }

    pub(crate) fn public(&self) -> Vec<VerifierKey> {
        vec![self.key.public().clone()]
    }

    pub(crate) fn verify(&self, known: &[Known]) -> Found {
        verify(&self.root(), &self.public(), known, &mut |_, _| {}).unwrap()
    }

    /// Every file of the log, relative to it.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.root(), &self.root(), &mut files);
        files.sort();
        files
    }

    /// The same log elsewhere.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), key: self.key.clone() };
        for file in self.files() {
            let to = copy.path(&file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(self.path(&file), to).unwrap();
        }
        copy
    }
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}
