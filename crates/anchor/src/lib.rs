//! Has the audit log's checkpoints cosigned: takes them to witnesses after they are published, and keeps beside the log
//! what comes back. <https://c2sp.org/tlog-witness>
//!
//! Each witness is asked on its own. One that is slow, gone or hostile holds up neither records nor other witnesses; of
//! what it answers, a bounded part is read, and nothing is believed but its signature.

mod ask;
mod http;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lockgate_audit::CosignerKey;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use ask::{Asker, Stopped};
pub use http::{HttpError, fetch_checkpoint};

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// A witness that is asked.
#[derive(Debug, Clone)]
pub struct WitnessAt {
    /// Its submission prefix, `http` or `https`.
    pub url: String,
    /// Its public key.
    pub key: CosignerKey,
}

/// How often witnesses are asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks for a new checkpoint.
    pub every: Duration,
    /// A checkpoint that did not change is cosigned again after this time, so that its cosignature is not older.
    pub again: Duration,
    /// For what was signed last, when the server stops.
    pub last: Duration,
}

impl Default for Pace {
    /// Every second; again after an hour; five seconds at the end.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            again: Duration::from_hours(1),
            last: Duration::from_secs(5),
        }
    }
}

/// How it is with a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessStatus {
    /// Its name, from its key.
    pub name: String,
    /// The id of its key, in hex.
    pub key_id: String,
    /// Where it is asked.
    pub url: String,
    /// Records under the newest checkpoint that it cosigned and that is kept; `None` before the first.
    pub size: Option<u64>,
    /// Why the last try failed; it is tried again.
    pub trouble: Option<String>,
    /// Why it does not cosign this log: by its word this is not the log that it cosigned before. A person has to look.
    pub refused: Option<String>,
}

type Statuses = Arc<Mutex<Vec<WitnessStatus>>>;

/// Tasks that have a log cosigned, one a witness. Dropped, they end at once.
#[derive(Debug)]
pub struct Anchor {
    statuses: Statuses,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Anchor {
    /// Begins to ask. Needs a tokio runtime.
    pub fn start(log: &Path, witnesses: Vec<WitnessAt>, pace: Pace) -> Self {
        let (stop, stopped) = watch::channel(false);
        let askers: Vec<Asker> =
            witnesses.into_iter().map(|witness| Asker::new(log.to_owned(), witness)).collect();
        let statuses: Statuses = Arc::new(Mutex::new(askers.iter().map(Asker::status).collect()));
        let tasks = askers.into_iter().enumerate().map(|(at, asker)| {
            let mine = Mine { statuses: Arc::clone(&statuses), at };
            tokio::spawn(run(asker, pace, mine, stopped.clone()))
        });
        let tasks = tasks.collect();
        Self { statuses, stop, tasks }
    }

    /// How it is with each witness, when it is asked for.
    pub fn reader(&self) -> impl Fn() -> Vec<WitnessStatus> + Send + Sync + 'static {
        let statuses = Arc::clone(&self.statuses);
        move || lock(&statuses).clone()
    }

    /// Has what was signed last cosigned, if there is time, and ends.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in &mut self.tasks {
            let _ = task.await;
        }
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// How many records as many witnesses vouch for as are wanted: each for all below its newest checkpoint, unless it says that
/// this is not the log that it cosigned.
pub fn covered(statuses: &[WitnessStatus], wanted: usize) -> u64 {
    let vouching = statuses.iter().filter(|status| status.refused.is_none());
    let mut sizes: Vec<u64> = vouching.filter_map(|status| status.size).collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    wanted.checked_sub(1).and_then(|at| sizes.get(at)).copied().unwrap_or(0)
}

/// The place of one task among the statuses.
struct Mine {
    statuses: Statuses,
    at: usize,
}

fn lock(statuses: &Statuses) -> MutexGuard<'_, Vec<WitnessStatus>> {
    statuses.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(mut asker: Asker, pace: Pace, mine: Mine, mut stopped: watch::Receiver<bool>) {
    let mut wait = pace.every;
    let mut cosigned_at: Option<Instant> = None;
    loop {
        if cosigned_at.is_some_and(|at| at.elapsed() >= pace.again) {
            asker.again();
        }
        let round = tokio::select! {
            round = asker.round() => round,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        wait = match &round {
            Ok(_) => pace.every,
            Err(_) => (wait * 2).min(RETRY_MAX),
        };
        if matches!(round, Ok(true)) {
            cosigned_at = Some(Instant::now());
        }
        mine.note(&asker, round);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    if let Ok(round) = tokio::time::timeout(pace.last, asker.round()).await {
        mine.note(&asker, round);
    } else {
        tracing::warn!("a witness has not cosigned the last records; the next start asks again");
    }
}

impl Mine {
    /// Tells people once of each change.
    fn note(&self, asker: &Asker, round: Result<bool, Stopped>) {
        let mut statuses = lock(&self.statuses);
        let Some(status) = statuses.get_mut(self.at) else { return };
        let before = (status.trouble.take(), status.refused.take());
        status.size = asker.status().size;
        let (witness, url) = (status.name.as_str(), status.url.as_str());
        match round {
            Ok(_) => {
                if before != (None, None) {
                    tracing::info!(witness, url, "the audit log is cosigned again");
                }
            }
            Err(Stopped::Failed(why)) => {
                if before.0.as_ref() != Some(&why) {
                    tracing::warn!(witness, url, why, "a witness has not cosigned the audit log");
                }
                status.trouble = Some(why);
                // Until it cosigns, or says otherwise.
                status.refused = before.1;
            }
            Err(Stopped::Refused(why)) => {
                if before.1.as_ref() != Some(&why) {
                    tracing::error!(
                        witness,
                        url,
                        why,
                        "a witness says that this is not the log it cosigned"
                    );
                }
                status.refused = Some(why);
            }
        }
    }
}
