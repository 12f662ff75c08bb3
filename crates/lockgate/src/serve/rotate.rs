//! Changing the key of the audit log, with the server stopped.
//!
//! The next key is kept safe before the log is passed on to it, and takes the old one's place after. In between, the
//! log itself says which of the two it belongs to.

use std::fs;
use std::path::Path;

use lockgate_audit::{
    AuditError, Entry, Kept, LogKey, LogOptions, Personal, VerifierKey, current_key, rotate_key,
};
use lockgate_model::ledger::LOCAL;
use serde_json::json;

use crate::serve::data_dir::DataDir;
use crate::serve::keys;
use crate::serve::vault::Persons;

const KEY: &str = "audit.key";
const NEXT: &str = "audit.key.next";

/// A change of keys.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The key that signed until now; none when a change that was cut off has been finished.
    pub(crate) from: Option<VerifierKey>,
    /// The key that signs from now on.
    pub(crate) to: VerifierKey,
}

/// Passes the log of a data directory on to a new key.
pub(crate) fn rotate(dir: &DataDir, reason: &str) -> Result<Rotated, AuditError> {
    let (options, keys) = (LogOptions::new(dir.audit()), dir.keys());
    if let Some(to) = finish(&options, &keys)? {
        return Ok(Rotated { from: None, to });
    }
    let old = read(&keys.join(KEY))?;
    let next = keys.join(NEXT);
    if !next.exists() {
        let new = LogKey::generate(old.public().origin())?;
        keys::write(&keys, NEXT, new.secret()).map_err(|error| io("write", &next, &error))?;
    }
    let new = read(&next)?;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let mut entry = Entry::event(now_ms, LOCAL, "", "audit");
    entry.detail = json!({ "reason": reason });
    let entry = Persons::new(&dir.vault(), &keys, old.public().origin())
        .vault()?
        .seal(entry, &[local("/principal", Kept::Name), local("/detail/reason", Kept::Sealed)])?;
    // It waits for the log's threads, which is not done on a thread that drives others.
    let rotated = std::thread::scope(|threads| {
        threads.spawn(|| rotate_key(&options, &old, &new, entry)).join()
    });
    rotated.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    replace(&keys)?;
    Ok(Rotated { from: Some(old.public().clone()), to: new.public().clone() })
}

/// Takes the next key into use if the log is already its own: the change was cut off. Returns it.
pub(super) fn finish(options: &LogOptions, keys: &Path) -> Result<Option<VerifierKey>, AuditError> {
    let next = keys.join(NEXT);
    if !next.exists() {
        return Ok(None);
    }
    let next = read(&next)?;
    // A log that does not say so is looked at when it is opened.
    if !current_key(&options.dir).is_ok_and(|current| current == *next.public()) {
        return Ok(None);
    }
    replace(keys)?;
    tracing::info!(key = %next.public(), "a change of the audit log's key was finished");
    Ok(Some(next.public().clone()))
}

/// What whoever changes the key leaves in the record.
fn local(at: &str, kept: Kept) -> Personal {
    Personal { at: at.to_owned(), of: LOCAL.to_owned(), kept }
}

fn replace(keys: &Path) -> Result<(), AuditError> {
    let next = keys.join(NEXT);
    fs::rename(&next, keys.join(KEY))
        .and_then(|()| fs::File::open(keys)?.sync_all())
        .map_err(|error| io("put in place", &next, &error))
}

fn read(path: &Path) -> Result<LogKey, AuditError> {
    let text = fs::read_to_string(path).map_err(|error| io("read", path, &error))?;
    LogKey::parse(&text)
}

fn io(what: &'static str, path: &Path, error: &std::io::Error) -> AuditError {
    AuditError::Io { what, path: path.to_owned(), why: error.to_string(), kind: error.kind() }
}
