//! How agents are governed here: the policy that decides, how fast, and whether the audit log is whole.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockgate_audit::{Found, LogOptions, LogStatus, verify};
use lockgate_model::decision::Decisions;
use lockgate_model::path::{AuditWatch, Oversight, PolicyWatch, Verified};

use crate::serve::activate::wall_ms;
use crate::serve::ledger::AuditLedger;

/// The shortest pause between two verifications.
const PAUSE_MIN: Duration = Duration::from_mins(10);

/// A pause is at least so many times as long as a verification took: it costs a twentieth of a core at most.
const PAUSE_TIMES: u32 = 20;

/// How soon damage is looked at once more before it is told: files may have been taken away while they were read, as
/// pruning does.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Looks at policy and log, and has the log verified by a thread of its own.
pub(super) struct Watch {
    decisions: Arc<dyn Decisions>,
    log: Box<dyn Fn() -> Option<LogStatus> + Send + Sync>,
    persons: Box<dyn Fn() -> Option<String> + Send + Sync>,
    verified: Arc<Mutex<Option<Verified>>>,
}

impl Watch {
    /// Begins to verify. The thread ends with the watch, or with the process.
    pub(super) fn start(
        decisions: &Arc<dyn Decisions>,
        ledger: &AuditLedger,
        options: LogOptions,
    ) -> Arc<Self> {
        let verified = Arc::new(Mutex::new(None));
        let told = Arc::downgrade(&verified);
        let look = move || {
            loop {
                let began = Instant::now();
                let found = look(&options);
                let Some(told) = told.upgrade() else { return };
                *told.lock().unwrap_or_else(PoisonError::into_inner) = found;
                drop(told);
                std::thread::sleep(PAUSE_MIN.max(began.elapsed() * PAUSE_TIMES));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("audit-verify".into()).spawn(look) {
            tracing::error!(%error, "the audit log is not verified: no thread for it");
        }
        let persons = Arc::clone(&ledger.persons);
        Arc::new(Self {
            decisions: Arc::clone(decisions),
            log: Box::new(ledger.watch()),
            persons: Box::new(move || persons.trouble()),
            verified,
        })
    }
}

/// Verifies the log as it is now; `None` when that cannot be done.
fn look(options: &LogOptions) -> Option<Verified> {
    let once = || -> Option<Found> {
        verify(&options.dir, &[], &[], &mut |_, _| {})
            .inspect_err(|error| tracing::error!(%error, "the audit log cannot be verified"))
            .ok()
    };
    let mut found = once()?;
    if !found.intact() {
        std::thread::sleep(AGAIN_AFTER);
        found = once()?;
    }
    let damage = found.damage.first().map(ToString::to_string);
    if let Some(damage) = &damage {
        tracing::error!(damage, "the audit log is damaged");
    }
    Some(Verified { at_wall_ms: wall_ms(), records: found.size + found.unsigned, damage })
}

impl Oversight for Watch {
    fn policy(&self) -> Option<PolicyWatch> {
        self.decisions.status().map(|status| PolicyWatch {
            digest: status.digest.as_str().to_owned(),
            rules: status.rules as u64,
            since_wall_ms: status.since_wall_ms,
            decisions: status.decisions,
            slow: status.slow,
        })
    }

    fn audit(&self) -> Option<AuditWatch> {
        let log = (self.log)()?;
        Some(AuditWatch {
            records: log.size,
            open_intents: log.open_intents,
            refuses: log.stopped.or(log.refused).or_else(|| (self.persons)()),
            verified: self.verified.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }
}
