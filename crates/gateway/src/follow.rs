//! Follows control: reports about twice a second, applies what is newer, keeps the last good
//! snapshot on disk. A snapshot that cannot be applied never replaces the current one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lockgate_model::ids::Revision;
use lockgate_model::ports::{Heard, PortError, Report};
use lockgate_model::snapshot::Snapshot;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock;
use crate::core::Core;
use crate::durable;

/// Time that control may hold a report back.
const WAIT_MS: u64 = 500;
/// Longest wait for an answer to a report.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Rest after a failure, so that nothing spins.
const PAUSE: Duration = Duration::from_millis(500);
/// Shortest time between two reports with nothing new, should control not hold them back.
const REST: Duration = Duration::from_millis(50);
/// How often a sign of life of control is noted on disk.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// Where the last good snapshot is kept.
pub(crate) fn snapshot_path(dir: &Path) -> PathBuf {
    dir.join("snapshot.json")
}

fn heard_path(dir: &Path) -> PathBuf {
    dir.join("control-heard")
}

/// The last good snapshot; `None` when there never was one.
pub(crate) fn stored(dir: &Path) -> io::Result<Option<Snapshot>> {
    match fs::read(snapshot_path(dir)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Milliseconds since control was last heard by an earlier start; without a note, since the
/// snapshot was made.
pub(crate) fn stored_age_ms(dir: &Path, snapshot: Option<&Snapshot>) -> i64 {
    let noted = fs::read_to_string(heard_path(dir)).ok().and_then(|text| text.trim().parse().ok());
    let heard: Option<i64> = noted.or(snapshot.map(|snapshot| snapshot.at_wall_ms));
    heard.map_or(0, |heard| (clock::wall_ms() - heard).max(0))
}

/// The loop.
pub(crate) struct Follower {
    core: Arc<Core>,
    /// A snapshot that could not be applied: complained of once.
    refused: Option<Revision>,
    failing: bool,
    noted: Option<Instant>,
}

impl Follower {
    /// Of one gateway.
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, refused: None, failing: false, noted: None }
    }

    /// Until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let core = Arc::clone(&self.core);
        // The first report does not wait: whoever starts wants to know at once.
        let mut wait_ms = 0;
        loop {
            let began = Instant::now();
            let applied = core.applied();
            let exchange = core.ports.snapshots.exchange(report(&core), wait_ms);
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                // A latch must be reported now; the report under way does not have it.
                () = core.wake.notified() => {
                    wait_ms = 0;
                    continue;
                }
                heard = tokio::time::timeout(ANSWER_MAX, exchange) => heard,
            };
            let heard = heard.unwrap_or_else(|_| Err(PortError::new("no answer in time")));
            let ok = self.take(heard).await;
            wait_ms = if ok { WAIT_MS } else { 0 };
            let rest = match ok {
                false => PAUSE,
                // What was applied is news: control waits for it.
                true if core.applied() != applied => Duration::ZERO,
                true => REST.saturating_sub(began.elapsed()),
            };
            if !rest.is_zero() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(rest) => {}
                }
            }
        }
    }

    /// False when something went wrong.
    async fn take(&mut self, heard: Result<Heard, PortError>) -> bool {
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    warn!(%error, "control cannot be reached; going on with the last snapshot");
                }
                return false;
            }
        };
        if std::mem::replace(&mut self.failing, false) {
            info!("control is back");
        }
        if let Some(alive_wall_ms) = heard.control_alive_wall_ms {
            self.note(alive_wall_ms);
        }
        let current = match heard.snapshot {
            Some(snapshot) => self.apply(snapshot).await,
            None => true,
        };
        // One that cannot be applied may hold what must be refused.
        self.core.is_current.store(current, Ordering::SeqCst);
        current
    }

    fn note(&mut self, alive_wall_ms: i64) {
        let core = &self.core;
        let (now, wall_ms) = (Instant::now(), clock::wall_ms());
        if !core.control.heard(alive_wall_ms, core.monotonic_ms(now), wall_ms) {
            return;
        }
        if self.noted.is_none_or(|noted| now.duration_since(noted) >= NOTE_EVERY) {
            self.noted = Some(now);
            // Not synced: losing it makes the gateway more careful after a crash, not less.
            let path = heard_path(&core.dir);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = fs::write(path, wall_ms.to_string()) {
                    warn!(%error, "cannot note that control was heard");
                }
            });
        }
    }

    async fn apply(&mut self, snapshot: Snapshot) -> bool {
        let revision = snapshot.revision;
        if revision <= self.core.applied() {
            return true;
        }
        let core = Arc::clone(&self.core);
        let applied = tokio::task::spawn_blocking(move || apply(&core, snapshot)).await;
        match applied {
            Ok(Ok(())) => {
                info!(revision = revision.0, "snapshot applied");
                self.refused = None;
                true
            }
            Ok(Err(error)) => {
                if self.refused.replace(revision) != Some(revision) {
                    error!(revision = revision.0, %error, "snapshot refused; the last one stays");
                }
                false
            }
            Err(error) => {
                error!(%error, "applying a snapshot failed; the last one stays");
                false
            }
        }
    }
}

/// Blocking.
fn apply(core: &Core, snapshot: Snapshot) -> Result<(), crate::table::ApplyError> {
    let bytes = serde_json::to_vec(&snapshot);
    core.apply(snapshot)?;
    let written = bytes
        .map_err(io::Error::other)
        .and_then(|bytes| durable::replace(&snapshot_path(&core.dir), &bytes));
    if let Err(error) = written {
        // It is in force all the same; only a restart without control would miss it.
        error!(%error, "the snapshot cannot be kept on disk");
    }
    Ok(())
}

fn report(core: &Core) -> Report {
    let table = core.table.load();
    Report {
        gateway: core.name.clone(),
        boot: core.boot,
        applied: core.applied(),
        health: core.health.of(&table.snapshot, &core.registry),
        fuses: core.latches.all(),
    }
}
