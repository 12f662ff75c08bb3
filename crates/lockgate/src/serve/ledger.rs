//! The audit log of this server, behind the port that other rooms know.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lockgate_audit::{AuditError, Durability, Log, LogKey, LogOptions, LogStatus, Session};
use lockgate_model::config::{AuditDurability, Config};
use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_model::ports::PortError;

use crate::serve::data_dir::DataDir;
use crate::serve::draft::Draft;
use crate::serve::vault::Persons;
use crate::serve::{keys, rotate};

/// Where a log and what belongs to it are.
#[derive(Clone)]
pub(crate) struct AuditPaths {
    /// How the log is kept, and where.
    pub(crate) log: LogOptions,
    /// Secrets, the log's key among them.
    pub(crate) keys: PathBuf,
    /// The keys of persons.
    pub(crate) vault: PathBuf,
}

impl AuditPaths {
    pub(crate) fn of(dir: &DataDir) -> Self {
        Self { log: LogOptions::new(dir.audit()), keys: dir.keys(), vault: dir.vault() }
    }

    /// The same as a configuration has it.
    pub(crate) fn configured(dir: &DataDir, config: &Config) -> Self {
        let mut paths = Self::of(dir);
        paths.log.durability = match config.audit.durability {
            AuditDurability::Process => Durability::Process,
            AuditDurability::Power => Durability::Power,
        };
        paths
    }
}

/// An open audit log, and this process's session in it.
#[derive(Debug, Clone)]
pub(crate) struct AuditLedger {
    pub(super) log: Arc<Log>,
    pub(super) session: Session,
    pub(super) persons: Arc<Persons>,
}

impl AuditLedger {
    /// Opens the log of a data directory; begins one when there never was one. Blocks.
    pub(crate) fn open(paths: &AuditPaths) -> Result<Self, AuditError> {
        let key = key(&paths.log, &paths.keys)?;
        let persons = Arc::new(Persons::new(&paths.vault, &paths.keys, key.public().origin()));
        let log = Log::open(&paths.log, key)?;
        let LogStatus { size, cut_bytes, closed_intents, .. } = log.status();
        tracing::info!(records = size, cut_bytes, closed_intents, "the audit log is open");
        let session = log.session();
        Ok(Self { log: Arc::new(log), session, persons })
    }

    /// Tells how the log is as long as it is open, without keeping it open.
    pub(super) fn watch(&self) -> impl Fn() -> Option<LogStatus> + Send + Sync + 'static {
        let log = Arc::downgrade(&self.log);
        move || log.upgrade().map(|log| log.status())
    }

    /// Signs what was recorded and gives the log back. Blocks.
    pub(crate) fn close(self) {
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
        let mut draft = Draft::from(entry);
        loop {
            let Draft { entry, personal } = draft.clone();
            let sealed = self.persons.seal(entry, personal).await.map_err(PortError::new)?;
            match self.session.append(&sealed).await {
                Err(AuditError::TooLarge { .. }) if draft.shorten() => {}
                done => return done.map_err(PortError::new),
            }
        }
    }

    fn refuses(&self) -> Option<String> {
        let LogStatus { stopped, refused, .. } = self.log.status();
        stopped.or(refused).or_else(|| self.persons.trouble())
    }
}

#[cfg(test)]
mod tests {
    use lockgate_audit::{Opened, Reader, Record, Vault};
    use lockgate_model::ledger::{GovernedAction, Kept, Link, Principal, Step};
    use lockgate_model::version::Digest;
    use serde_json::{Value, json};

    use super::*;

    fn paths(dir: &Path) -> AuditPaths {
        let log = LogOptions::new(dir.join("audit"));
        AuditPaths { log, keys: dir.join("keys"), vault: dir.join("audit-vault") }
    }

    fn entry(detail: Value) -> LedgerEntry {
        let by = Principal::named("ada");
        let mut entry = LedgerEntry::event(1, by.clone(), "a", "o");
        entry.labels = vec![("agent", "x".into())];
        entry.detail = detail;
        entry.mark("/reason", &by, Kept::Sealed);
        entry
    }

    async fn closed(ledger: AuditLedger) {
        tokio::task::spawn_blocking(|| ledger.close()).await.expect("closes");
    }

    /// The log as whoever has the vault sees it, and as it is.
    fn seen(dir: &Path) -> (Vec<Record>, Vec<Record>) {
        let log = Reader::open(dir.join("audit"), Vec::new()).expect("reads");
        let origin = log.keys()[0].origin().to_owned();
        let vault = Vault::read(&dir.join("audit-vault"), &origin).expect("reads").expect("there");
        let all = (0..log.size()).map(|seq| log.record(seq).expect("is there"));
        let all: Vec<Record> = all.collect();
        (all.iter().map(|record| vault.reveal(record.clone())).collect(), all)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_too_large_is_committed_to() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let ledger = AuditLedger::open(&paths(dir.path())).expect("opens");
        let detail = json!({ "reason": "why", "diff": "x".repeat(70_000), "n": u64::MAX });
        assert_eq!(ledger.record(entry(detail.clone())).await.expect("recorded"), 0);
        assert_eq!(ledger.record(entry(json!({ "n": u64::MAX }))).await.expect("recorded"), 1);
        let mut long = entry(json!({ "reason": "x".repeat(50_000) }));
        assert_eq!(ledger.record(long.clone()).await.expect("recorded"), 2);
        long.personal.clear();
        long.principal = Principal::Part("control".into());
        long.detail = json!({ "text": "x".repeat(70_000) });
        assert_eq!(ledger.record(long).await.expect("recorded"), 3);
        closed(ledger).await;
        let (shown, raw) = seen(dir.path());
        assert_eq!(shown[0].detail["reason"], "why");
        assert_eq!(shown[0].detail["too_large"]["bytes"], 70_053);
        let at = "/detail/too_large/content";
        assert_eq!(shown[0].sealed[at].found, Some(Opened::Committed));
        assert!(raw[0].detail["too_large"].get("digest").is_none(), "a digest could be guessed");
        assert_eq!(shown[1].detail["n"], u64::MAX.to_string());
        assert_eq!(shown[2].sealed["/detail/reason"].found, Some(Opened::Committed));
        assert!(shown[3].detail["too_large"]["digest"].is_string(), "nobody's data");
    }

    /// Sixty-four writers, each with users of its own: intents and outcomes of actions, as they will be governed.
    #[tokio::test(flavor = "multi_thread")]
    async fn actions_of_many_are_recorded_at_once() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let ledger = AuditLedger::open(&paths(dir.path())).expect("opens");
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..64 {
            let ledger = ledger.clone();
            writers.spawn(async move {
                for n in 0..5 {
                    let action = governed(writer, n);
                    let agent = Principal::Part("agent support/v2".into());
                    let mut intent = LedgerEntry::event(1, agent.clone(), "action", "refund");
                    intent.step = Step::Intent;
                    let of = ledger.record(intent.of_action(&action)).await.expect("recorded");
                    let mut outcome = LedgerEntry::event(2, agent, "action", "refund");
                    outcome.step = Step::Outcome { of };
                    outcome.detail = json!({ "outcome": "done" });
                    ledger.record(outcome).await.expect("recorded");
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done.expect("it wrote");
        }
        closed(ledger).await;
        let (shown, raw) = seen(dir.path());
        let intents: Vec<(&Record, &Record)> =
            shown.iter().zip(&raw).filter(|(record, _)| record.step == "intent").collect();
        assert_eq!((shown.len(), intents.len()), (640, 320));
        let vault = Vault::read(&dir.path().join("audit-vault"), &origin(dir.path()));
        let vault = vault.expect("reads").expect("there");
        for (record, raw) in intents {
            let act = &record.detail["governed"];
            let user = act["subject"].as_str().expect("a name").to_owned();
            let n = act["payload"]["n"].as_u64().expect("a number");
            let writer = user.trim_start_matches("user-").parse().expect("a number");
            assert_eq!(act["delegation"], json!(["ada l.", "agent planner/v1"]));
            assert_eq!(act["rules"], json!(["refunds", "hours"]));
            assert_eq!(act["link"], "trace");
            assert_eq!(record.labels["trace"], TRACE);
            let action = governed(writer, n);
            for (at, value) in [("action", &action.action), ("facts", &action.facts)] {
                let at = format!("/detail/governed/{at}");
                assert_eq!(vault.commits_to(raw, &at, value), Some(true));
                assert_eq!(vault.commits_to(raw, &at, &json!("another")), Some(false));
            }
            let bytes = serde_json::to_string(raw).expect("it is JSON");
            assert!(!bytes.contains("user-") && !bytes.contains("ada l."), "{bytes}");
        }
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn origin(dir: &Path) -> String {
        let log = Reader::open(dir.join("audit"), Vec::new()).expect("reads");
        log.keys()[0].origin().to_owned()
    }

    fn governed(writer: u64, n: u64) -> GovernedAction {
        let user = format!("user-{writer}");
        GovernedAction {
            action: json!({ "tool": "refund", "to": user, "n": n }),
            facts: json!({ "amount_cents": n }),
            payload: json!({ "n": n, "text": format!("a refund for {user}") }),
            subject: Principal::named(user),
            delegation: vec![
                Principal::named("ada l."),
                Principal::Part("agent planner/v1".into()),
            ],
            rules: vec!["refunds".into(), "hours".into()],
            policy: Digest::of(b"policy"),
            trace: Some(TRACE.into()),
            link: Link::Trace,
        }
    }

    /// What people do needs their keys; what Lockgate does by itself does not.
    #[tokio::test(flavor = "multi_thread")]
    async fn without_the_vault_nothing_of_people_is_recorded_and_the_rest_is() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let ledger = AuditLedger::open(&paths(dir.path())).expect("opens");
        ledger.record(entry(json!({ "reason": "before" }))).await.expect("recorded");
        closed(ledger).await;
        let (vault, aside) = (dir.path().join("audit-vault"), dir.path().join("aside"));
        fs::rename(&vault, &aside).expect("it is there");
        let ledger = AuditLedger::open(&paths(dir.path())).expect("opens all the same");
        let refused = ledger.record(entry(json!({ "reason": "no" }))).await.expect_err("refused");
        assert!(refused.to_string().contains("put it back from a backup"), "{refused}");
        assert!(ledger.refuses().is_some_and(|why| why.contains("audit-vault")), "and it is said");
        let control = Principal::Part("control".into());
        let step = LedgerEntry::event(2, control, "rollout.transition", "rolled back");
        ledger.record(step).await.expect("the way back is recorded");
        fs::rename(&aside, &vault).expect("it is there");
        ledger.record(entry(json!({ "reason": "after" }))).await.expect("recorded again");
        assert_eq!(ledger.refuses(), None);
        closed(ledger).await;
        let (shown, _) = seen(dir.path());
        let reasons: Vec<&Value> = shown.iter().map(|record| &record.detail["reason"]).collect();
        assert_eq!(reasons, [&json!("before"), &Value::Null, &json!("after")]);
        assert!(shown.iter().all(|record| record.principal != "[erased]"));
    }

    #[test]
    fn a_log_that_was_taken_away_is_not_begun_anew() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let paths = paths(dir.path());
        AuditLedger::open(&paths).expect("opens").close();
        AuditLedger::open(&paths).expect("opens again").close();
        fs::remove_dir_all(dir.path().join("audit")).expect("it is there");
        assert!(AuditLedger::open(&paths).is_err(), "no log is no empty log");
        assert!(!dir.path().join("audit/checkpoint").exists());
    }

    #[test]
    fn a_start_that_was_cut_off_is_finished() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let paths = paths(dir.path());
        let keys = paths.keys.clone();
        AuditLedger::open(&paths).expect("opens").close();
        // As if it had been cut off between the log and its key's name, and before the log.
        fs::rename(keys.join("audit.key"), keys.join("audit.key.new")).expect("it is there");
        AuditLedger::open(&paths).expect("finishes").close();
        fs::rename(keys.join("audit.key"), keys.join("audit.key.new")).expect("it is there");
        fs::remove_dir_all(dir.path().join("audit")).expect("it is there");
        AuditLedger::open(&paths).expect("begins").close();
    }

    /// As a crash leaves it between any two steps of a change of keys.
    #[test]
    fn a_change_of_keys_that_was_cut_off_is_finished_or_was_none() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let paths = paths(dir.path());
        let keys = paths.keys.clone();
        AuditLedger::open(&paths).expect("opens").close();
        let secret = |name: &str| fs::read_to_string(keys.join(name)).expect("it is there");
        let old = LogKey::parse(&secret("audit.key")).expect("a key");
        let new = LogKey::generate(old.public().origin()).expect("a key");
        // The next key is kept, and nothing was passed on to it.
        keys::write(&keys, "audit.key.next", new.secret()).expect("it is written");
        AuditLedger::open(&paths).expect("opens with the old key").close();
        assert_eq!(secret("audit.key").trim(), old.secret());
        // The log was passed on, and the key's file is still the old one.
        let mut entry = lockgate_audit::Entry::event(1, "local", "", "audit");
        entry.detail = json!({});
        lockgate_audit::rotate_key(&paths.log, &old, &new, entry).expect("passed on");
        AuditLedger::open(&paths).expect("opens with the new key").close();
        assert_eq!(secret("audit.key").trim(), new.secret());
        assert!(!keys.join("audit.key.next").exists(), "the old secret is gone");
    }
}
