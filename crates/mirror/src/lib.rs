//! A copy of the audit log in object storage: S3, Google Cloud Storage, Azure, or a directory elsewhere.
//!
//! The mirror reads the log's files after they are published and never holds up who appends. Tiles and records come
//! first and are never written over; the checkpoint comes last, and only in place of the one that was there. The
//! write-ahead log stays where it is: what is not signed yet is not in the copy.

mod copy;
mod target;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use copy::{Copier, Stopped};
pub use target::{Target, TargetError};

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// How often a mirror looks for what is new, and how long it may take to end.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks.
    pub every: Duration,
    /// For what was signed last, when the server stops.
    pub last: Duration,
}

impl Default for Pace {
    /// Every second; ten at the end.
    fn default() -> Self {
        Self { every: Duration::from_secs(1), last: Duration::from_secs(10) }
    }
}

/// How a mirror is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MirrorStatus {
    /// Where it writes.
    pub target: String,
    /// Records under the copy's checkpoint; `None` before the first was seen or written.
    pub size: Option<u64>,
    /// Why the last try failed; it is tried again.
    pub trouble: Option<String>,
    /// Why nothing is written: the store holds what this log did not sign, or more than it has. A person has to look.
    pub refused: Option<String>,
}

/// A task that keeps a copy. Dropped, it ends at once.
#[derive(Debug)]
pub struct Mirror {
    status: Arc<Mutex<MirrorStatus>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Mirror {
    /// Begins to copy the log in this directory. Needs a tokio runtime.
    pub fn start(log: PathBuf, target: Target, pace: Pace) -> Self {
        let first = MirrorStatus { target: target.to_string(), ..MirrorStatus::default() };
        let status = Arc::new(Mutex::new(first));
        let (stop, stopped) = watch::channel(false);
        let copier = Copier::new(log, target);
        let task = tokio::spawn(run(copier, pace, Arc::clone(&status), stopped));
        Self { status, stop, task }
    }

    /// How it is.
    pub fn status(&self) -> MirrorStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the status when it is asked for.
    pub fn reader(&self) -> impl Fn() -> MirrorStatus + Send + Sync + 'static {
        let status = Arc::clone(&self.status);
        move || status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Copies what was signed last, if there is time, and ends.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    mut copier: Copier,
    pace: Pace,
    status: Arc<Mutex<MirrorStatus>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut wait = pace.every;
    loop {
        // A round that is cut off is begun anew; nothing that it wrote is lost.
        let round = tokio::select! {
            round = copier.round() => round,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        wait = match &round {
            Ok(_) => pace.every,
            Err(_) => (wait * 2).min(RETRY_MAX),
        };
        note(&status, round);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    if let Ok(round) = tokio::time::timeout(pace.last, copier.round()).await {
        note(&status, round);
    } else {
        tracing::warn!("the audit log's copy is behind; the next start goes on with it");
    }
}

/// Tells people once of each change.
fn note(status: &Mutex<MirrorStatus>, round: Result<u64, Stopped>) {
    let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
    let before = (status.trouble.take(), status.refused.take());
    match round {
        Ok(size) => {
            status.size = Some(size);
            if before != (None, None) {
                tracing::info!(target = status.target, size, "the audit log is copied again");
            }
        }
        Err(Stopped::Failed(why)) => {
            if before.0.is_none() {
                tracing::warn!(target = status.target, why, "the audit log's copy falls behind");
            }
            status.trouble = Some(why);
        }
        Err(Stopped::Refused(why)) => {
            if before.1.as_ref() != Some(&why) {
                tracing::error!(target = status.target, why, "the audit log is not copied");
            }
            status.refused = Some(why);
        }
    }
}
