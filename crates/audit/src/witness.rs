//! A witness: it remembers the newest checkpoint of each log that it follows, and cosigns the next one only when that
//! goes on from there. <https://c2sp.org/tlog-witness>
//!
//! Who has a log's key can write its history anew and sign it, but cannot have that cosigned. Not here: HTTP.

mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use signed_note::{Note, NoteError, Signature, VerifierList};
use tlog_tiles::EMPTY_HASH;

use crate::cosign::{WitnessKey, cosignatures, parse_note};
use crate::disk::{Disk, LocalDisk};
use crate::error::AuditError;
use crate::keys::{Checkpoint, VerifierKey};
use crate::proof::check_consistency;
use crate::recover::Lock;
use crate::verify::hex;

pub use request::AddCheckpoint;

/// The file that lists the logs that were cosigned.
const LIST: &str = "followed";

/// How a witness is kept.
#[derive(Clone)]
pub struct WitnessOptions {
    /// What it remembers, a file a log.
    pub dir: PathBuf,
    /// Its own key.
    pub key: WitnessKey,
    /// The public keys of the logs that it follows; a log may have several.
    pub logs: Vec<VerifierKey>,
    /// The file layer.
    pub disk: Arc<dyn Disk>,
}

impl WitnessOptions {
    /// On the local disk.
    pub fn new(dir: impl Into<PathBuf>, key: WitnessKey, logs: Vec<VerifierKey>) -> Self {
        Self { dir: dir.into(), key, logs, disk: Arc::new(LocalDisk) }
    }
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The request is none.
    #[error("{0}")]
    Malformed(String),
    /// Nobody asked this witness to follow that log.
    #[error("this witness does not follow a log of that origin")]
    UnknownLog,
    /// No key that is trusted for the log has signed it, or one of them did not sign this.
    #[error("{0}")]
    NotSigned(String),
    /// The request goes on from something else than what was cosigned last.
    #[error("the newest checkpoint cosigned has {size} records")]
    Conflict {
        /// Records under the newest checkpoint cosigned; 0 when there is none.
        size: u64,
    },
    /// It does not go on from what was cosigned last.
    #[error("{why}")]
    Inconsistent {
        /// What does not fit.
        why: String,
        /// Two notes of one size that the log signed, when it did: proof that it has two histories.
        fork: Option<Box<[String; 2]>>,
    },
    /// What is needed for an answer failed here.
    #[error("{0}")]
    Unable(String),
}

/// A witness. One process at a time has its directory.
pub struct Witness {
    options: WitnessOptions,
    /// By the hash of the origin.
    logs: BTreeMap<String, Followed>,
    /// The logs that it ever cosigned, as they are listed on disk.
    listed: Mutex<BTreeSet<String>>,
    // Held until the witness is dropped.
    _lock: Lock,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("key", self.options.key.public()).finish_non_exhaustive()
    }
}

/// A log, the keys that are trusted for it, and what was seen of it.
#[derive(Default)]
struct Followed {
    keys: Vec<VerifierKey>,
    seen: Mutex<Option<Seen>>,
}

/// What was cosigned last.
struct Seen {
    checkpoint: Checkpoint,
    at_s: u64,
    note: Vec<u8>,
}

impl Witness {
    /// Makes the directory of a witness that never cosigned anything.
    pub fn create(dir: &Path) -> Result<(), AuditError> {
        LocalDisk.create_dir_all(dir).map_err(AuditError::io("make", dir))?;
        let path = dir.join(LIST);
        LocalDisk.replace(&path, b"").map_err(AuditError::io("write", &path))
    }

    /// Reads what it remembers. A directory that is gone, or not what this key cosigned, is refused: a witness that
    /// forgets would cosign another history.
    pub fn open(options: WitnessOptions) -> Result<Self, AuditError> {
        let dir = options.dir.as_path();
        if !dir.is_dir() {
            return Err(forgot(dir, "the directory is gone"));
        }
        let lock = Lock::take(dir)?;
        let mut logs: BTreeMap<String, Followed> = BTreeMap::new();
        for key in &options.logs {
            let log = logs.entry(origin_hash(key.origin())).or_default();
            if !log.keys.contains(key) {
                log.keys.push(key.clone());
            }
        }
        let mut listed = read_list(options.disk.as_ref(), dir)?;
        for name in options.disk.list(dir).map_err(AuditError::io("read", dir))? {
            // `lock`, and what a crash left of a file that was to be replaced.
            if !is_origin_hash(&name) {
                continue;
            }
            let path = dir.join(&name);
            let note = options.disk.read(&path).map_err(AuditError::io("read", &path))?;
            let seen = Seen::read(note, &options.key, &name).map_err(|why| forgot(&path, &why))?;
            listed.remove(&name);
            // Of a log that is not followed any more it is still told.
            let log = logs.entry(name).or_default();
            *log.seen.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        if let Some(name) = listed.first() {
            return Err(forgot(&dir.join(name), "the file is gone"));
        }
        let here =
            logs.iter().filter(|(_, log)| log.seen().is_some()).map(|(name, _)| name.clone());
        let listed = Mutex::new(here.collect());
        Ok(Self { options, logs, listed, _lock: lock })
    }

    /// Its key.
    pub fn key(&self) -> &WitnessKey {
        &self.options.key
    }

    /// Answers `add-checkpoint` at a time, in seconds since the Unix epoch: lines of cosignatures. What was cosigned is
    /// on disk when this returns. Blocks.
    pub fn add_checkpoint(&self, body: &[u8], now_s: u64) -> Result<Vec<u8>, Refused> {
        let malformed = |error: AuditError| Refused::Malformed(error.to_string());
        let request = AddCheckpoint::parse(body).map_err(malformed)?;
        let note = parse_note(&request.note).map_err(malformed)?;
        let text = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|error| Refused::Malformed(error.to_string()))?;
        let name = origin_hash(text.origin());
        let log = self.logs.get(&name).filter(|log| !log.keys.is_empty());
        let log = log.ok_or(Refused::UnknownLog)?;
        let signatures = log.signatures(&note)?;
        let newer = Checkpoint { size: text.size(), root: text.hash().0 };
        if request.old_size > newer.size {
            return Err(Refused::Malformed(format!(
                "a checkpoint of {} records does not go on from {}",
                newer.size, request.old_size
            )));
        }
        // From here on one request at a time: compared, cosigned and written down together.
        let mut seen = log.seen();
        goes_on(&request, newer, seen.as_ref())?;
        // A clock that went back must not make the newer of two statements the older one.
        let at_s = now_s.max(seen.as_ref().map_or(0, |seen| seen.at_s));
        let unable = |error: AuditError| Refused::Unable(error.to_string());
        let line = self.options.key.cosign(note.text(), at_s).map_err(unable)?;
        let all = [signatures.as_slice(), std::slice::from_ref(&line)].concat();
        let kept = Note::new(note.text(), &all)
            .map_err(|error| Refused::Malformed(error.to_string()))?
            .to_bytes();
        let path = self.options.dir.join(&name);
        let written = self.options.disk.replace(&path, &kept);
        written.map_err(AuditError::io("write", &path)).map_err(unable)?;
        self.list(&name).map_err(unable)?;
        *seen = Some(Seen { checkpoint: newer, at_s, note: kept });
        Ok(line.to_bytes())
    }

    /// Writes down that this log was cosigned, so that a file that is gone is missed. Its file comes first: a crash
    /// between the two loses nothing, and nobody has the cosignature yet.
    fn list(&self, name: &str) -> Result<(), AuditError> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.insert(name.to_owned()) {
            let lines: Vec<&str> = listed.iter().map(String::as_str).collect();
            let text = lines.join("\n") + "\n";
            let path = self.options.dir.join(LIST);
            let written = self.options.disk.replace(&path, text.as_bytes());
            if let Err(error) = written {
                listed.remove(name);
                return Err(AuditError::io("write", &path)(error));
            }
        }
        Ok(())
    }

    /// The newest checkpoint cosigned of a log, by the SHA-256 of its origin in hex: with the log's signature and the
    /// cosignature.
    pub fn checkpoint(&self, origin_hash: &str) -> Option<Vec<u8>> {
        self.logs.get(origin_hash)?.seen().as_ref().map(|seen| seen.note.clone())
    }
}

/// The logs that were cosigned, by the hashes of their origins.
fn read_list(disk: &dyn Disk, dir: &Path) -> Result<BTreeSet<String>, AuditError> {
    let path = dir.join(LIST);
    let text = disk.read(&path).map_err(|error| forgot(&path, &error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| forgot(&path, "it is not text"))?;
    if !text.lines().all(is_origin_hash) {
        return Err(forgot(&path, "it does not list logs"));
    }
    Ok(text.lines().map(str::to_owned).collect())
}

impl Followed {
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        // It is changed in one step, after everything that could fail.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signatures of keys that are trusted for the log.
    fn signatures(&self, note: &Note) -> Result<Vec<Signature>, Refused> {
        let mut known: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
        for key in &self.keys {
            known.push(Box::new(
                key.verifier().map_err(|error| Refused::Unable(error.to_string()))?,
            ));
        }
        match note.verify(&VerifierList::new(known)) {
            Ok((signatures, _)) => Ok(signatures),
            Err(NoteError::UnverifiedNote) => Err(Refused::NotSigned(
                "no key that this witness trusts for the log has signed the checkpoint; after a change of the log's key \
                 the witness has to be told the new one"
                    .into(),
            )),
            Err(error) => Err(Refused::NotSigned(error.to_string())),
        }
    }
}

impl Seen {
    /// Reads what this key cosigned.
    fn read(note: Vec<u8>, key: &WitnessKey, name: &str) -> Result<Self, String> {
        let own = cosignatures(&note, std::slice::from_ref(key.public()));
        let own = own.map_err(|error| error.to_string())?;
        let own = own.first().ok_or("it has no cosignature of this witness's key")?;
        let parsed = parse_note(&note).map_err(|error| error.to_string())?;
        let text =
            tlog_tiles::Checkpoint::from_bytes(parsed.text()).map_err(|error| error.to_string())?;
        if origin_hash(text.origin()) != name {
            return Err("it is of another log".into());
        }
        let checkpoint = Checkpoint { size: text.size(), root: text.hash().0 };
        Ok(Self { checkpoint, at_s: own.at_s, note })
    }
}

/// Whether a checkpoint goes on from what was cosigned last.
fn goes_on(request: &AddCheckpoint, newer: Checkpoint, seen: Option<&Seen>) -> Result<(), Refused> {
    let older = seen.map_or(Checkpoint { size: 0, root: EMPTY_HASH.0 }, |seen| seen.checkpoint);
    if request.old_size != older.size {
        return Err(Refused::Conflict { size: older.size });
    }
    let inconsistent = |why: &str, fork| Refused::Inconsistent { why: why.to_owned(), fork };
    // Of an empty log too: what was never cosigned has the root of nothing.
    if newer.size == older.size && newer.root != older.root {
        let text = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
        let fork = seen.map(|seen| Box::new([text(&seen.note), text(&request.note)]));
        return Err(inconsistent("what was cosigned of this size has another root", fork));
    }
    check_consistency(&request.proof, older, newer)
        .map_err(|error| inconsistent(&error.to_string(), None))
}

/// The SHA-256 of a log's origin, in hex: the name of the log at a witness.
pub fn origin_hash(origin: &str) -> String {
    hex(&Sha256::digest(origin.as_bytes()))
}

fn is_origin_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn forgot(path: &Path, why: &str) -> AuditError {
    AuditError::Missing(format!(
        "{} is not what this witness remembered: {why}; a witness that forgets is none: begin a new one, with a key and a \
         directory of its own",
        path.display()
    ))
}
