//! One worker: a thread with its own runtime, connections to versions, and accumulators. Workers
//! share nothing on the way of a request but the table and counters.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use tracing::debug;

use crate::connect::Connector;
use crate::core::Core;
use crate::ingress::problem::Problem;
use crate::ingress::upload::Upload;
use crate::live::lock;
use crate::observe::shard::Shard;
use crate::table::Target;

/// Idle connections kept per version and worker.
const IDLE_MAX: usize = 512;

/// Idle connections older than this are closed.
const IDLE_AGE_MAX: Duration = Duration::from_mins(1);

struct Idle {
    sender: SendRequest<Upload>,
    cut: CancellationToken,
    since: Instant,
}

/// One worker.
pub(crate) struct Worker {
    pub(crate) core: Arc<Core>,
    index: usize,
    connector: Connector,
    idle: Mutex<HashMap<u64, Vec<Idle>>>,
    /// Clients connected to this worker.
    pub(crate) clients: AtomicUsize,
}

/// Why no connection to a version was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseError {
    /// The version takes no requests any more: route again.
    Closed,
    /// It cannot be reached.
    Failed(Problem),
}

impl Worker {
    /// The worker with this index.
    pub(crate) fn new(core: Arc<Core>, index: usize, connector: Connector) -> Self {
        let idle = Mutex::default();
        Self { core, index, connector, idle, clients: AtomicUsize::new(0) }
    }

    /// Its accumulators.
    pub(crate) fn shard(&self) -> &Shard {
        &self.core.observed.shards[self.index]
    }

    /// A connection for one request: an idle one unless `fresh`, else a new one. `forced` is for
    /// stable, which has no alternative.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        target: &Target,
        forced: bool,
        fresh: bool,
        connect_timeout: Duration,
    ) -> Result<Lease, LeaseError> {
        if !forced && target.live.is_closed() {
            return Err(LeaseError::Closed);
        }
        if !fresh && let Some(idle) = self.take_idle(target.live.id) {
            return Ok(self.leased(target, idle.sender, idle.cut, true));
        }
        self.connect(target, forced, connect_timeout).await
    }

    async fn connect(
        self: &Arc<Self>,
        target: &Target,
        forced: bool,
        connect_timeout: Duration,
    ) -> Result<Lease, LeaseError> {
        let connecting = target.live.enter(forced).ok_or(LeaseError::Closed)?;
        let dial = self.connector.clone().call(target.endpoint.connect.clone());
        let dialled = tokio::select! {
            biased;
            () = connecting.cut.cancelled() => return Err(LeaseError::Closed),
            dialled = tokio::time::timeout(connect_timeout, dial) => dialled,
        };
        target.live.connected(matches!(dialled, Ok(Ok(_))));
        let io = match dialled {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => {
                debug!(agent = %target.agent, version = %target.version, %error, "cannot connect");
                return Err(LeaseError::Failed(Problem::UNREACHABLE));
            }
            Err(_) => return Err(LeaseError::Failed(Problem::CONNECT_TIMEOUT)),
        };
        let (sender, connection) = http1::Builder::new()
            .handshake(io)
            .await
            .map_err(|_| LeaseError::Failed(Problem::UNREACHABLE))?;
        let cut = connecting.cut.clone();
        tokio::spawn(async move {
            let ended = connecting.cut.run_until_cancelled(connection).await;
            if let Some(Err(error)) = ended {
                debug!(%error, "connection to a version ended");
            }
            // The guard goes after the connection, so that zero connections means zero.
            drop(connecting);
        });
        Ok(self.leased(target, sender, cut, false))
    }

    fn leased(
        self: &Arc<Self>,
        target: &Target,
        sender: SendRequest<Upload>,
        cut: CancellationToken,
        reused: bool,
    ) -> Lease {
        Lease { sender, cut, reused, live_id: target.live.id, worker: Arc::clone(self) }
    }

    /// The idle connection that was used last, as it is the least likely to have gone stale.
    fn take_idle(&self, live_id: u64) -> Option<Idle> {
        let mut pool = lock(&self.idle);
        let idle = pool.get_mut(&live_id)?;
        let now = Instant::now();
        while let Some(last) = idle.pop() {
            let young = now.duration_since(last.since) < IDLE_AGE_MAX;
            if young && last.sender.is_ready() && !last.cut.is_cancelled() {
                return Some(last);
            }
        }
        None
    }

    /// Closes idle connections that are old, or whose other end is closed.
    pub(crate) fn sweep_idle(&self) {
        let now = Instant::now();
        lock(&self.idle).retain(|_, idle| {
            idle.retain(|one| {
                now.duration_since(one.since) < IDLE_AGE_MAX && !one.sender.is_closed()
            });
            !idle.is_empty()
        });
    }
}

/// A connection to a version, for one request.
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<Upload>,
    /// Whether it served a request before: then its other end may have closed it meanwhile.
    pub(crate) reused: bool,
    cut: CancellationToken,
    live_id: u64,
    worker: Arc<Worker>,
}

impl Lease {
    /// Whether the version was cut off since.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// The answer is over: the connection may serve the next request.
    pub(crate) fn release(self) {
        if self.sender.is_closed() || self.cut.is_cancelled() {
            return;
        }
        let idle = Idle { sender: self.sender, cut: self.cut, since: Instant::now() };
        let mut pool = lock(&self.worker.idle);
        let waiting = pool.entry(self.live_id).or_default();
        if waiting.len() < IDLE_MAX {
            waiting.push(idle);
        }
    }
}
