//! The audit log of this server, behind the port that other rooms know.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use lockgate_audit::{AuditError, Entry, Log, LogKey, LogOptions, LogStatus, Session};
use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_model::ports::PortError;
use lockgate_model::version::Digest;
use serde_json::{Value, json};

use crate::serve::{keys, rotate};

/// Whole numbers above this are written as text: RFC 8785 cannot tell them apart.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// An open audit log, and this process's session in it.
#[derive(Debug, Clone)]
pub(super) struct AuditLedger {
    log: Arc<Log>,
    session: Session,
}

impl AuditLedger {
    /// Opens the log of a data directory; begins one when there never was one. Blocks.
    pub(super) fn open(options: &LogOptions, keys: &Path) -> Result<Self, AuditError> {
        let key = key(options, keys)?;
        let log = Log::open(options, key)?;
        let LogStatus { size, cut_bytes, closed_intents, .. } = log.status();
        tracing::info!(records = size, cut_bytes, closed_intents, "the audit log is open");
        let session = log.session();
        Ok(Self { log: Arc::new(log), session })
    }

    /// Tells how the log is as long as it is open, without keeping it open.
    pub(super) fn watch(&self) -> impl Fn() -> Option<LogStatus> + Send + Sync + 'static {
        let log = Arc::downgrade(&self.log);
        move || log.upgrade().map(|log| log.status())
    }

    /// Signs what was recorded and gives the log back. Blocks.
    pub(super) fn close(self) {
        drop(self.session);
        if let Some(log) = Arc::into_inner(self.log) {
            log.close();
        }
    }
}

/// The key of the log. It is made before the log and gets its name after it, so that a key without a log means that
/// the log was taken away.
fn key(options: &LogOptions, keys: &Path) -> Result<LogKey, AuditError> {
    let (path, beside) = (keys.join("audit.key"), keys.join("audit.key.new"));
    let read = |path: &Path| {
        let text = fs::read_to_string(path).map_err(|error| io("read", path, &error))?;
        LogKey::parse(&text)
    };
    rotate::finish(options, keys)?;
    if path.exists() {
        return read(&path);
    }
    let key = if beside.exists() {
        read(&beside)?
    } else if options.dir.join("checkpoint").exists() {
        return Err(AuditError::Missing(format!(
            "there is an audit log in {}, and its key {} is gone; put the key back from a backup",
            options.dir.display(),
            path.display()
        )));
    } else {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(|error| AuditError::Malformed {
            what: "the system's randomness",
            why: error.to_string(),
        })?;
        let key = LogKey::generate(&format!("lockgate.local/{}", hex::encode(id)))?;
        keys::write(keys, "audit.key.new", key.secret())
            .map_err(|error| io("write", &beside, &error))?;
        key
    };
    // A start that was cut off may have come as far as the log.
    if !options.dir.join("checkpoint").exists() {
        Log::create(options, &key)?;
    }
    fs::rename(&beside, &path).map_err(|error| io("name", &path, &error))?;
    fs::File::open(keys)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| io("sync", keys, &error))?;
    tracing::info!(key = %key.public(), "a new audit log; keep its public key elsewhere");
    Ok(key)
}

fn io(what: &'static str, path: &Path, error: &std::io::Error) -> AuditError {
    AuditError::Io { what, path: path.to_owned(), why: error.to_string(), kind: error.kind() }
}

#[async_trait]
impl Ledger for AuditLedger {
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError> {
        let mut entry = as_entry(entry);
        match self.session.append(&entry).await {
            Err(AuditError::TooLarge { .. }) => {
                entry.detail = digest_of(&entry.detail);
                self.session.append(&entry).await
            }
            other => other,
        }
        .map_err(PortError::new)
    }

    fn refuses(&self) -> Option<String> {
        let LogStatus { stopped, refused, .. } = self.log.status();
        stopped.or(refused)
    }
}

fn as_entry(entry: LedgerEntry) -> Entry {
    let LedgerEntry { at_wall_ms, principal, action, object, labels, detail } = entry;
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut entry = Entry::event(at_wall_ms, principal, action, object);
    entry.labels = labels;
    entry.detail = writable(detail);
    entry
}

/// Numbers that the canonical form would round become text.
fn writable(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > INTEGER_MAX) {
                return Value::String(number.to_string());
            }
            Value::Number(number)
        }
        Value::Array(items) => items.into_iter().map(writable).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, writable(value))).collect()
        }
        other => other,
    }
}

/// What stands for a detail that is too large: its digest, and what says why.
fn digest_of(detail: &Value) -> Value {
    let text = detail.to_string();
    let short =
        |name: &str| detail.get(name).filter(|value| value.to_string().len() < 2_000).cloned();
    json!({
        "agent": short("agent"), "digest": short("digest"), "reason": short("reason"),
        "too_large": { "bytes": text.len(), "digest": Digest::of(text.as_bytes()).as_str() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(detail: Value) -> LedgerEntry {
        LedgerEntry {
            at_wall_ms: 1,
            principal: "p".into(),
            action: "a".into(),
            object: "o".into(),
            labels: vec![("agent", "x".into())],
            detail,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_too_large_is_recorded_by_its_digest() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = LogOptions::new(dir.path().join("audit"));
        let keys = dir.path().join("keys");
        let ledger = AuditLedger::open(&options, &keys).expect("opens");
        let detail = json!({ "reason": "why", "diff": "x".repeat(70_000), "n": u64::MAX });
        assert_eq!(ledger.record(entry(detail)).await.expect("recorded"), 0);
        assert_eq!(ledger.record(entry(json!({ "n": u64::MAX }))).await.expect("recorded"), 1);
        tokio::task::spawn_blocking(|| ledger.close()).await.expect("closes");
        let log =
            lockgate_audit::Reader::open(dir.path().join("audit"), Vec::new()).expect("reads");
        let first = log.record(0).expect("is there");
        assert_eq!(first.detail["reason"], "why");
        assert_eq!(first.detail["too_large"]["bytes"], 70_053);
        assert_eq!(log.record(1).expect("is there").detail["n"], u64::MAX.to_string());
    }

    #[test]
    fn a_log_that_was_taken_away_is_not_begun_anew() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = LogOptions::new(dir.path().join("audit"));
        let keys = dir.path().join("keys");
        AuditLedger::open(&options, &keys).expect("opens").close();
        AuditLedger::open(&options, &keys).expect("opens again").close();
        fs::remove_dir_all(dir.path().join("audit")).expect("it is there");
        assert!(AuditLedger::open(&options, &keys).is_err(), "no log is no empty log");
        assert!(!dir.path().join("audit/checkpoint").exists());
    }

    #[test]
    fn a_start_that_was_cut_off_is_finished() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = LogOptions::new(dir.path().join("audit"));
        let keys = dir.path().join("keys");
        AuditLedger::open(&options, &keys).expect("opens").close();
        // As if it had been cut off between the log and its key's name, and before the log.
        fs::rename(keys.join("audit.key"), keys.join("audit.key.new")).expect("it is there");
        AuditLedger::open(&options, &keys).expect("finishes").close();
        fs::rename(keys.join("audit.key"), keys.join("audit.key.new")).expect("it is there");
        fs::remove_dir_all(dir.path().join("audit")).expect("it is there");
        AuditLedger::open(&options, &keys).expect("begins").close();
    }

    /// As a crash leaves it between any two steps of a change of keys.
    #[test]
    fn a_change_of_keys_that_was_cut_off_is_finished_or_was_none() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let options = LogOptions::new(dir.path().join("audit"));
        let keys = dir.path().join("keys");
        AuditLedger::open(&options, &keys).expect("opens").close();
        let secret = |name: &str| fs::read_to_string(keys.join(name)).expect("it is there");
        let old = LogKey::parse(&secret("audit.key")).expect("a key");
        let new = LogKey::generate(old.public().origin()).expect("a key");
        // The next key is kept, and nothing was passed on to it.
        keys::write(&keys, "audit.key.next", new.secret()).expect("it is written");
        AuditLedger::open(&options, &keys).expect("opens with the old key").close();
        assert_eq!(secret("audit.key").trim(), old.secret());
        // The log was passed on, and the key's file is still the old one.
        let mut entry = Entry::event(1, "local", "", "audit");
        entry.detail = json!({});
        lockgate_audit::rotate_key(&options, &old, &new, entry).expect("passed on");
        AuditLedger::open(&options, &keys).expect("opens with the new key").close();
        assert_eq!(secret("audit.key").trim(), new.secret());
        assert!(!keys.join("audit.key.next").exists(), "the old secret is gone");
    }
}
