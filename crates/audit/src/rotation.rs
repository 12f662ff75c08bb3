//! Passing a log from one key to the next.
//!
//! `rotation/N` is a signed note: a checkpoint with two more lines, the key that gives the log away and the key that
//! takes it. Both have signed it. So who trusts one key of the chain comes to every other: forward because the older
//! key names the newer, backward because the newer names the older.

use std::io;
use std::path::Path;

use crate::disk::read_file;
use crate::error::AuditError;
use crate::keys::{Checkpoint, LogKey, VerifierKey, checkpoint_from_note, note_parts};
use crate::layout;
use crate::log::{Log, LogOptions};
use crate::record::{Entry, Record};
use crate::recover::Lock;

/// The action of the record that tells of a new key.
pub(crate) const ACTION: &str = "audit.rotate_key";
const FROM: &str = "lockgate-key-from ";
const TO: &str = "lockgate-key-to ";

/// One change of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) from: VerifierKey,
    pub(crate) to: VerifierKey,
}

impl Rotation {
    fn sign(old: &LogKey, new: &LogKey, at: Checkpoint) -> Result<Vec<u8>, AuditError> {
        let lines = format!("{FROM}{}\n{TO}{}\n", old.public(), new.public());
        LogKey::sign_all(&[old, new], at, &lines)
    }

    /// Reads a note that both of its keys have signed, and nobody else.
    fn parse(note: &[u8]) -> Result<Self, AuditError> {
        let malformed = |why: &str| AuditError::Malformed {
            what: "the note of a new key",
            why: why.to_owned(),
        };
        let (lines, signatures) = note_parts(note)?;
        let mut lines = lines.lines();
        let mut key = |prefix: &str| -> Result<VerifierKey, AuditError> {
            let line = lines.next().and_then(|line| line.strip_prefix(prefix));
            VerifierKey::parse(line.ok_or_else(|| malformed("it does not name two keys"))?)
        };
        let (from, to) = (key(FROM)?, key(TO)?);
        if lines.next().is_some() || signatures != 2 || from == to {
            return Err(malformed("it is not of two keys"));
        }
        let checkpoint = checkpoint_from_note(note, std::slice::from_ref(&from))?;
        checkpoint_from_note(note, std::slice::from_ref(&to))?;
        Ok(Self { checkpoint, from, to })
    }

    /// Whether this is the record that tells of it.
    pub(crate) fn is_told_by(&self, record: &[u8]) -> bool {
        Record::parse(record).is_ok_and(|record| {
            record.action == ACTION
                && record.detail["from"] == self.from.to_string()
                && record.detail["to"] == self.to.to_string()
        })
    }
}

/// What is wrong with a chain: the file, and why.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) file: String,
    pub(crate) why: String,
}

/// A log's keys, oldest first, and what passed the log from each to the next.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) keys: Vec<VerifierKey>,
    pub(crate) rotations: Vec<Rotation>,
}

impl Chain {
    /// Reads the notes of a log that begins with this key.
    pub(crate) fn read(
        first: VerifierKey,
        file: impl Fn(&str) -> io::Result<Vec<u8>>,
    ) -> Result<Self, Broken> {
        let mut chain = Self { keys: vec![first], rotations: Vec::new() };
        loop {
            let name = layout::rotation_name(chain.keys.len());
            let broken = |why: String| Broken { file: name.clone(), why };
            let note = match file(&name) {
                Ok(note) => note,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(chain),
                Err(error) => return Err(broken(error.to_string())),
            };
            let next = Rotation::parse(&note).map_err(|error| broken(error.to_string()))?;
            if chain.keys.last() != Some(&next.from) || next.from.origin() != next.to.origin() {
                return Err(broken("it does not pass on the key that the log had".into()));
            }
            let before = chain.rotations.last().map_or(0, |last| last.checkpoint.size);
            if next.checkpoint.size <= before {
                return Err(broken("it is older than the one before it".into()));
            }
            chain.keys.push(next.to.clone());
            chain.rotations.push(next);
        }
    }

    /// Reads the chain of a directory, whose first key is what the directory itself says.
    pub(crate) fn of_directory(root: &Path) -> Result<Self, AuditError> {
        let own = crate::read::own_keys(root)?;
        let first = own
            .into_iter()
            .next()
            .ok_or_else(|| AuditError::damaged(root, "log.keys holds no key"))?;
        Self::read(first, |name| read_file(&root.join(name)))
            .map_err(|broken| AuditError::damaged(root, format!("{}: {}", broken.file, broken.why)))
    }

    /// Keys that were given, where the notes of a directory lead nowhere.
    pub(crate) fn of_keys(keys: Vec<VerifierKey>) -> Self {
        Self { keys, rotations: Vec::new() }
    }

    /// Whether it has one of these keys.
    pub(crate) fn has_one_of(&self, given: &[VerifierKey]) -> bool {
        self.keys.iter().any(|key| given.contains(key))
    }

    pub(crate) fn current(&self) -> &VerifierKey {
        &self.keys[self.keys.len() - 1]
    }

    /// Reads a checkpoint that one of the keys has signed while the log was its own.
    pub(crate) fn checkpoint(&self, note: &[u8]) -> Result<Checkpoint, AuditError> {
        let checkpoint = checkpoint_from_note(note, &self.keys)?;
        let in_time = self.keys.iter().enumerate().any(|(at, key)| {
            let given = at.checked_sub(1).and_then(|before| self.rotations.get(before));
            let since = given.map_or(0, |given| given.checkpoint.size);
            let until = self.rotations.get(at).map_or(u64::MAX, |next| next.checkpoint.size);
            (since..=until).contains(&checkpoint.size)
                && checkpoint_from_note(note, std::slice::from_ref(key)).is_ok()
        });
        if in_time {
            return Ok(checkpoint);
        }
        Err(AuditError::Malformed {
            what: "the checkpoint",
            why: format!(
                "{} records were not signed by the key that the log had then",
                checkpoint.size
            ),
        })
    }

    /// `log.keys` as it should be.
    pub(crate) fn keys_text(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        keys.join("\n") + "\n"
    }

    /// `log.keys` as it is when a crash came between a rotation's note and it.
    pub(crate) fn keys_text_before(&self) -> Option<String> {
        let mut before = self.clone();
        before.rotations.pop()?;
        before.keys.pop();
        Some(before.keys_text())
    }

    /// A checkpoint of the key before at the very place where the log was passed on: a crash came between.
    pub(crate) fn is_unfinished(&self, note: &[u8]) -> bool {
        self.rotations.last().is_some_and(|last| {
            checkpoint_from_note(note, std::slice::from_ref(&last.from))
                .is_ok_and(|found| found == last.checkpoint)
                && checkpoint_from_note(note, std::slice::from_ref(&last.to)).is_err()
        })
    }
}

/// Finishes what a crash left of a rotation, for its new key; refuses a key that gave the log away.
pub(crate) fn settle(options: &LogOptions, key: &LogKey) -> Result<(), AuditError> {
    let (disk, root) = (options.disk.as_ref(), options.dir.as_path());
    let Ok(own) = disk.read(&layout::keys(root)) else { return Ok(()) };
    let text = String::from_utf8_lossy(&own).into_owned();
    let Some(Ok(first)) = text.lines().next().map(VerifierKey::parse) else { return Ok(()) };
    let chain = Chain::read(first, |name| disk.read(&root.join(name)))
        .map_err(|broken| AuditError::damaged(root, format!("{}: {}", broken.file, broken.why)))?;
    if chain.current() != key.public() {
        if chain.keys.contains(key.public()) {
            return Err(AuditError::Malformed {
                what: "the audit log's private key",
                why: format!("the log was passed on to {}; this key is older", chain.current()),
            });
        }
        return Ok(());
    }
    let path = layout::checkpoint(root);
    let note = disk.read(&path).map_err(AuditError::io("read", &path))?;
    if !chain.rotations.is_empty() && chain.keys_text() != text {
        if chain.keys_text_before().as_deref() != Some(text.as_str()) {
            return Err(AuditError::damaged(root, "log.keys does not name the log's keys"));
        }
        let path = layout::keys(root);
        disk.replace(&path, chain.keys_text().as_bytes())
            .map_err(AuditError::io("write", &path))?;
    }
    if let Some(last) = chain.rotations.last()
        && chain.is_unfinished(&note)
    {
        let note = LogKey::sign_all(&[key], last.checkpoint, "")?;
        disk.replace(&path, &note).map_err(AuditError::io("publish", &path))?;
    }
    Ok(())
}

/// The key that a log belongs to now, by its first key and its notes.
pub fn current_key(root: &Path) -> Result<VerifierKey, AuditError> {
    Ok(Chain::of_directory(root)?.current().clone())
}

/// Passes a log that no process has open on to a new key of the same origin. Blocks.
///
/// The new key must be kept safe before: from the note on, only it opens the log. After a crash, calling this again
/// with the same two keys finishes it, and so does opening the log with the new one. Returns the place of the record.
pub fn rotate_key(
    options: &LogOptions,
    old: &LogKey,
    new: &LogKey,
    entry: Entry,
) -> Result<u64, AuditError> {
    let root = options.dir.as_path();
    if old.public().origin() != new.public().origin() || old.public() == new.public() {
        return Err(AuditError::Malformed {
            what: "the new key",
            why: "it is not another key of the same log".into(),
        });
    }
    let lock = std::sync::Arc::new(Lock::take(root)?);
    let chain = Chain::of_directory(root)?;
    if let Some(last) = chain.rotations.last()
        && last.to == *new.public()
    {
        settle(options, new)?;
        return Ok(last.checkpoint.size - 1);
    }
    let (signed, seq) = tell(options, old, new, entry, lock)?;
    let disk = options.disk.as_ref();
    let path = root.join(layout::rotation_name(chain.keys.len()));
    if let Some(parent) = path.parent() {
        disk.create_dir_all(parent).map_err(AuditError::io("make", parent))?;
    }
    // From here on the log is the new key's.
    disk.replace(&path, &Rotation::sign(old, new, signed)?)
        .map_err(AuditError::io("write", &path))?;
    settle(options, new)?;
    Ok(seq)
}

/// Records the new key, unless that was done before a crash; returns the old key's checkpoint over it.
fn tell(
    options: &LogOptions,
    old: &LogKey,
    new: &LogKey,
    mut entry: Entry,
    lock: std::sync::Arc<Lock>,
) -> Result<(Checkpoint, u64), AuditError> {
    let root = options.dir.as_path();
    ACTION.clone_into(&mut entry.action);
    entry.detail["from"] = old.public().to_string().into();
    entry.detail["to"] = new.public().to_string().into();
    let log = Log::open_locked(options, old.clone(), lock)?;
    let size = log.status().size;
    let told = || -> Option<u64> {
        let last = size.checked_sub(1)?;
        let reader = crate::read::Reader::open(root, vec![old.public().clone()]).ok()?;
        let record = reader.records(last..size).ok()?.pop()?;
        let checkpoint = reader.checkpoint();
        let told = Rotation { checkpoint, from: old.public().clone(), to: new.public().clone() };
        told.is_told_by(&record).then_some(last)
    };
    let seq = match told() {
        Some(seq) => seq,
        None => log.session().append_blocking(&entry)?,
    };
    log.close();
    let path = layout::checkpoint(root);
    let note = options.disk.read(&path).map_err(AuditError::io("read", &path))?;
    let signed = checkpoint_from_note(&note, std::slice::from_ref(old.public()))?;
    if signed.size != seq + 1 {
        return Err(AuditError::Stopped { why: "the new key's record could not be signed".into() });
    }
    Ok((signed, seq))
}
