//! Old records of the audit log go when the configuration says so, unless a hold keeps them.

use std::time::Duration;

use lockgate_audit::{AuditError, Entry, LogOptions, Reader, finish_pruning, prunable, prune};
use lockgate_model::config::Config;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::serve::activate::wall_ms;
use crate::serve::blocking;
use crate::serve::ledger::AuditLedger;

/// How often old records are looked for.
const EVERY: Duration = Duration::from_hours(1);

/// A task that lets old records go.
#[derive(Debug)]
pub(super) struct Retention {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Retention {
    /// Begins. Where the configuration does not say how long records are kept, what was begun is finished.
    pub(super) fn start(config: &Config, options: LogOptions, ledger: &AuditLedger) -> Self {
        let kept_ms = config.audit.retention_ms;
        let (stop, mut stopped) = watch::channel(false);
        let ledger = ledger.clone();
        let task = tokio::spawn(async move {
            while !*stopped.borrow() {
                let (ledger, options) = (ledger.clone(), options.clone());
                match blocking(move || once(&options, &ledger, kept_ms)).await {
                    // More than one round takes.
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "old records of the audit log stay for now");
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Ends after what it is about.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Lets some go; `true` when there may be more. What cannot be known, such as holds, keeps everything.
fn once(
    options: &LogOptions,
    ledger: &AuditLedger,
    kept_ms: Option<u64>,
) -> Result<bool, AuditError> {
    let vault = ledger.persons.vault()?;
    // A hold that comes now waits, and finds what is under way done.
    let free = vault.unless_held();
    if free.is_err() {
        return Ok(false);
    }
    let pruned_to = ledger.log.status().pruned_to;
    finish_pruning(options, pruned_to)?;
    let Some(kept_ms) = kept_ms else { return Ok(false) };
    let before_ms = wall_ms().saturating_sub(i64::try_from(kept_ms).unwrap_or(i64::MAX));
    let log = Reader::open_signed(&options.dir, Vec::new())?;
    let Some(what) = prunable(&log, pruned_to, before_ms)? else { return Ok(false) };
    let mut entry = Entry::event(wall_ms(), "lockgate", "", "audit");
    entry.detail = json!({ "retention_ms": kept_ms });
    let seq = prune(options, &ledger.log, &ledger.session, &what, entry)?;
    tracing::info!(from = what.from, to = what.to, seq, "old records of the audit log were pruned");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use lockgate_model::custody::Custody as _;
    use lockgate_model::ledger::Principal;

    use super::*;
    use crate::serve::ledger::AuditPaths;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hold_keeps_what_is_old() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let mut log = LogOptions::new(dir.path().join("audit"));
        log.segment_max_bytes = 1;
        let (keys, vault) = (dir.path().join("keys"), dir.path().join("audit-vault"));
        let ledger =
            AuditLedger::open(&AuditPaths { log: log.clone(), keys, vault: vault.clone() });
        let ledger = ledger.expect("opens");
        for n in 0..300 {
            let old = Entry::event(n, "lockgate", "test.old", n.to_string());
            ledger.session.append(&old).await.expect("recorded");
        }
        let round = || {
            let (log, ledger) = (log.clone(), ledger.clone());
            blocking(move || {
                // Only what is signed, and no longer in the write-ahead log, is looked at.
                let segment = log.dir.join(format!("wal/{:020}.wal", 255));
                while ledger.log.status().signed_size < ledger.log.status().size || segment.exists()
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                once(&log, &ledger, Some(86_400_000))
            })
        };
        let ada = Principal::named("ada");
        ledger.hold(&ada, "case 7", "a law suit").await.expect("placed");
        assert!(!round().await.expect("it looked"), "a hold lasts");
        assert!(log.dir.join("tile/entries/000").exists());
        assert!(ledger.lift(&ada, "case 7", "over").await.expect("lifted"));
        assert!(round().await.expect("it looked"), "256 records went");
        assert!(!log.dir.join("tile/entries/000").exists());
        assert!(!round().await.expect("it looked"), "the rest is no whole bundle");
        std::fs::rename(&vault, dir.path().join("aside")).expect("it is there");
        tokio::task::spawn_blocking(|| ledger.close()).await.expect("closes");
        let paths = AuditPaths { log: log.clone(), keys: dir.path().join("keys"), vault };
        let ledger = AuditLedger::open(&paths).expect("opens all the same");
        assert!(once(&log, &ledger, None).is_err(), "who knows whether a hold lasts");
        tokio::task::spawn_blocking(|| ledger.close()).await.expect("closes");
    }
}
