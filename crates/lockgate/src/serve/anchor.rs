//! The witnesses of this server's audit log, and the window that they do not vouch for.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use lockgate_anchor::{Anchor, Pace, WitnessAt, WitnessStatus, covered};
use lockgate_audit::{CosignerKey, Reader};
use lockgate_model::config::Config;

use crate::error::{CliResult, Exit, OrExit as _};

/// Begins to have the log cosigned by those whom the configuration names.
pub(super) fn start(config: &Config, log: &Path) -> CliResult<Anchor> {
    let mut witnesses = Vec::new();
    for witness in &config.audit.witnesses {
        let doing = format!("the key of the witness at {} cannot be used", witness.url);
        let key = CosignerKey::parse(&witness.key).or_exit(Exit::Usage, doing)?;
        witnesses.push(WitnessAt { url: witness.url.clone(), key });
    }
    Ok(Anchor::start(log, witnesses, Pace::default()))
}

/// Reads how long the window is: from the first record that too few witnesses vouch for to the newest.
pub(super) struct Window {
    log: std::path::PathBuf,
    wanted: usize,
    /// The last one looked up, and its time: it changes when a checkpoint was cosigned.
    first: Mutex<Option<(u64, i64)>>,
}

impl Window {
    pub(super) fn new(config: &Config, log: &Path) -> Self {
        // Without witnesses nobody vouches for anything.
        let wanted = usize::try_from(config.audit.cosignatures_min).unwrap_or(usize::MAX);
        Self { log: log.to_owned(), wanted, first: Mutex::new(None) }
    }

    /// The first record that too few vouch for.
    pub(super) fn begins(&self, statuses: &[WitnessStatus]) -> u64 {
        covered(statuses, self.wanted)
    }

    /// When that was recorded, in milliseconds since the Unix epoch; `None` when it is not known.
    pub(super) fn since_ms(&self, first: u64) -> Option<i64> {
        let mut known = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seq, at_ms)) = *known
            && seq == first
        {
            return Some(at_ms);
        }
        let signed = Reader::open_signed(&self.log, Vec::new()).ok()?;
        // The first that is left, where those before it were pruned.
        let record = match signed.record(first.max(signed.first())) {
            Ok(record) => record,
            Err(_) => Reader::open(&self.log, Vec::new()).ok()?.record(first).ok()?,
        };
        *known = Some((first, record.at_ms));
        Some(record.at_ms)
    }
}
