//! The fuse: a version that is cut off here and now, with or without control. A latch is on disk
//! before it acts, outlives restarts, and yields only to a snapshot that acknowledges its id.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lockgate_model::ids::{AgentName, FuseId, RolloutId, VersionName};
use lockgate_model::ports::{Fuses, PortError};
use lockgate_model::security::{Fuse, FuseCause, SecurityEvent};
use tracing::{error, warn};
use uuid::Uuid;

use crate::core::Core;
use crate::durable;
use crate::live::{closed, lock};
use crate::table::Target;

/// Longest wait for cut connections to be gone before a latch is reported anyway.
const CUT_WAIT_MAX: Duration = Duration::from_secs(1);

/// Why the latches of an earlier start could not be read. Starting without them would let a
/// version back in that was cut off.
#[derive(Debug, thiserror::Error)]
pub enum LatchError {
    /// The directory or a file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold a latch.
    #[error("{path} does not hold a latched fuse")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The latches that hold, and their files.
#[derive(Debug)]
pub(crate) struct Latches {
    dir: PathBuf,
    held: Mutex<Vec<Fuse>>,
}

impl Latches {
    /// Reads the latches of earlier starts.
    pub(crate) fn open(dir: &Path) -> Result<Self, LatchError> {
        let read = |source| LatchError::Read { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(read)?;
        let mut held = Vec::new();
        for entry in fs::read_dir(dir).map_err(read)? {
            let path = entry.map_err(read)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                held.push(Self::read(&path)?);
            }
        }
        Ok(Self { dir: dir.to_owned(), held: Mutex::new(held) })
    }

    fn read(path: &Path) -> Result<Fuse, LatchError> {
        let bytes =
            fs::read(path).map_err(|source| LatchError::Read { path: path.to_owned(), source })?;
        serde_json::from_slice(&bytes)
            .map_err(|source| LatchError::Parse { path: path.to_owned(), source })
    }

    fn path(&self, id: FuseId) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    /// Whether any latch holds against a version.
    pub(crate) fn holds(&self, agent: &AgentName, version: &VersionName) -> bool {
        lock(&self.held).iter().any(|fuse| fuse.agent == *agent && fuse.version == *version)
    }

    /// Whether a latch holds because of a security event: then the version makes no calls either.
    pub(crate) fn bars_calls(&self, agent: &AgentName, version: &VersionName) -> bool {
        lock(&self.held).iter().any(|fuse| {
            let security = matches!(fuse.cause, FuseCause::SecurityEvent { .. });
            security && fuse.agent == *agent && fuse.version == *version
        })
    }

    /// All that hold.
    pub(crate) fn all(&self) -> Vec<Fuse> {
        lock(&self.held).clone()
    }

    fn find(&self, wanted: impl Fn(&Fuse) -> bool) -> Option<Fuse> {
        lock(&self.held).iter().find(|fuse| wanted(fuse)).cloned()
    }

    /// Durable first, then in memory. Blocking.
    fn hold(&self, fuse: Fuse) -> io::Result<()> {
        let bytes = serde_json::to_vec(&fuse).map_err(io::Error::other)?;
        durable::replace(&self.path(fuse.id), &bytes)?;
        lock(&self.held).push(fuse);
        Ok(())
    }

    /// Lets go of acknowledged latches; returns those that held. One whose file cannot be removed
    /// goes on holding. Blocking.
    pub(crate) fn release(&self, acknowledged: &[FuseId]) -> Vec<Fuse> {
        let (released, kept) = lock(&self.held)
            .clone()
            .into_iter()
            .filter(|fuse| acknowledged.contains(&fuse.id))
            .partition::<Vec<_>, _>(|fuse| durable::remove(&self.path(fuse.id)).is_ok());
        for fuse in kept {
            error!(fuse = %fuse.id, "an acknowledged fuse stays latched: its file cannot be removed");
        }
        lock(&self.held).retain(|fuse| !released.iter().any(|other| other.id == fuse.id));
        released
    }
}

/// What is known of a version that is to be cut off.
struct Suspect {
    rollout: Option<RolloutId>,
}

/// `None` when there is nothing to cut off: unknown, or stable, which nothing could replace.
fn suspect(core: &Core, agent: &AgentName, version: &VersionName) -> Option<Suspect> {
    let table = core.table.load();
    let route = table.snapshot.route(agent)?;
    let split = route.split.as_ref()?;
    // A version outside the split is none of the rollout's business, but must not come in later.
    let rollout = split.rollout.filter(|_| split.member(version).is_some());
    (split.stable != *version && route.agent.version(version).is_some())
        .then_some(Suspect { rollout })
}

async fn latch(
    core: &Arc<Core>,
    agent: &AgentName,
    version: &VersionName,
    cause: FuseCause,
    at_wall_ms: i64,
) -> Result<Option<Fuse>, PortError> {
    let _one_at_a_time = core.latching.lock().await;
    let Some(suspect) = suspect(core, agent, version) else { return Ok(None) };
    let security = matches!(cause, FuseCause::SecurityEvent { .. });
    let same = |fuse: &Fuse| {
        let strong = !security || matches!(fuse.cause, FuseCause::SecurityEvent { .. });
        strong
            && fuse.agent == *agent
            && fuse.version == *version
            && fuse.rollout == suspect.rollout
    };
    if let Some(held) = core.latches.find(same) {
        return Ok(Some(held));
    }
    let fuse = Fuse {
        id: FuseId(Uuid::now_v7()),
        gateway: core.name.clone(),
        agent: agent.clone(),
        version: version.clone(),
        rollout: suspect.rollout,
        cause,
        at_wall_ms,
    };
    let (owner, held) = (Arc::clone(core), fuse.clone());
    tokio::task::spawn_blocking(move || owner.latches.hold(held))
        .await
        .map_err(PortError::new)?
        .map_err(|error| PortError::new(format!("the fuse cannot be written: {error}")))?;
    cut_off(core, agent, version, security).await;
    core.wake.notify_one();
    Ok(Some(fuse))
}

/// Closes the version to requests; for security events, ends what is in flight, its own calls among it, and waits for
/// users' requests.
async fn cut_off(core: &Core, agent: &AgentName, version: &VersionName, security: bool) {
    if security {
        core.calls.cut(|identity, _, _| {
            identity.parties().any(|one| one.agent == *agent && one.version == *version)
        });
    }
    for live in core.registry.of(agent, version) {
        live.close(closed::LATCHED);
        if !security {
            continue;
        }
        live.cut();
        if !live.drained(CUT_WAIT_MAX).await {
            warn!(%agent, %version, "connections to a version that was cut off are still closing");
        }
    }
}

/// The port for whoever sees a security event.
pub(crate) struct FusePort(pub(crate) Arc<Core>);

#[async_trait]
impl Fuses for FusePort {
    async fn latch(&self, event: &SecurityEvent) -> Result<Option<Fuse>, PortError> {
        let cause = FuseCause::SecurityEvent { event: event.id };
        latch(&self.0, &event.agent, &event.version, cause, event.at_wall_ms).await
    }
}

/// A hard limit was crossed: latch, then tell control until it has heard.
pub(crate) async fn hard_limit(core: &Arc<Core>, target: &Target, errors: u32) {
    if core.latches.holds(&target.agent, &target.version) {
        return;
    }
    let cause = FuseCause::HardLimit { limit: format!("{errors} errors in a row") };
    let now = crate::clock::wall_ms();
    match latch(core, &target.agent, &target.version, cause, now).await {
        Ok(Some(fuse)) => {
            warn!(agent = %fuse.agent, version = %fuse.version, errors, "fuse latched: errors in a row");
            // The report carries it as well, should this fail.
            if let Err(error) = core.ports.events.fuse(fuse).await {
                warn!(%error, "control could not be told of the fuse; the next report carries it");
            }
        }
        Ok(None) => {}
        Err(error) => error!(%error, "a fuse could not be latched"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fuse(id: u128) -> Fuse {
        Fuse {
            id: FuseId(Uuid::from_u128(id)),
            gateway: "g".parse().unwrap(),
            agent: "a".parse().unwrap(),
            version: "v2".parse().unwrap(),
            rollout: None,
            cause: FuseCause::HardLimit { limit: "5 errors in a row".into() },
            at_wall_ms: 1,
        }
    }

    #[test]
    fn latches_outlive_a_restart_and_yield_to_their_own_id_only() {
        let dir = tempfile::tempdir().unwrap();
        let (agent, version) = (fuse(1).agent, fuse(1).version);
        let first = Latches::open(dir.path()).unwrap();
        assert!(!first.holds(&agent, &version));
        first.hold(fuse(1)).unwrap();
        first.hold(fuse(2)).unwrap();

        let second = Latches::open(dir.path()).unwrap();
        assert!(second.holds(&agent, &version));
        assert!(second.release(&[FuseId(Uuid::from_u128(9))]).is_empty());
        assert_eq!(second.release(&[fuse(1).id]), [fuse(1)]);
        assert!(second.holds(&agent, &version));
        second.release(&[fuse(2).id]);

        assert!(!Latches::open(dir.path()).unwrap().holds(&agent, &version));
    }

    #[test]
    fn an_unreadable_latch_is_an_error_not_an_open_door() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.json"), "{").unwrap();
        assert!(matches!(Latches::open(dir.path()), Err(LatchError::Parse { .. })));
    }
}
