//! What outlives a snapshot: counters and cut-off switches of every agent and version.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockgate_model::ids::{AgentName, VersionName};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Locks; a poisoned lock still holds consistent data, as nothing here panics half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a version takes no request. Bits, as several may hold at once.
pub(crate) mod closed {
    /// A fuse is latched.
    pub(crate) const LATCHED: u8 = 1;
    /// The snapshot says stopped.
    pub(crate) const STOPPED: u8 = 2;
    /// The snapshot says cut: in-flight requests end too.
    pub(crate) const CUT: u8 = 4;
    /// An order of a person stops it, stable or not.
    pub(crate) const QUARANTINED: u8 = 8;
}

/// Errors in a row. A user counts once: someone whose every request fails is no broken version.
#[derive(Debug, Default)]
pub(crate) struct ErrorRow {
    errors: AtomicU32,
    users: Mutex<HashSet<u64>>,
}

impl ErrorRow {
    /// One more, by this user if the agent knows users. Says how many there are now.
    pub(crate) fn error(&self, user: Option<u64>, max: u32) -> u32 {
        if let Some(user) = user {
            let mut users = lock(&self.users);
            let full = u32::try_from(users.len()).is_ok_and(|count| count >= max);
            if full || !users.insert(user) {
                return self.errors.load(Ordering::Relaxed);
            }
        }
        self.errors.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// A success ends the row.
    pub(crate) fn end(&self) {
        if self.errors.load(Ordering::Relaxed) > 0 {
            let mut users = lock(&self.users);
            users.clear();
            self.errors.store(0, Ordering::Relaxed);
        }
    }
}

/// One version of an agent at one endpoint.
#[derive(Debug)]
pub(crate) struct VersionLive {
    /// Unique in this process; names the connection pool.
    pub(crate) id: u64,
    pub(crate) agent: AgentName,
    pub(crate) version: VersionName,
    /// Bits of [`closed`].
    closed: AtomicU8,
    /// Ends every connection to the version when cancelled; replaced at each cut.
    cut: Mutex<CancellationToken>,
    /// Connections that are open or being opened.
    connections: AtomicUsize,
    drained: Notify,
    /// Errors charged to the version since its last success.
    pub(crate) row: ErrorRow,
    /// Failures to connect since the last success.
    pub(crate) connect_failures: AtomicU32,
    /// Successes to connect since the last failure.
    pub(crate) connect_successes: AtomicU32,
}

impl VersionLive {
    fn new(id: u64, agent: AgentName, version: VersionName) -> Self {
        Self {
            id,
            agent,
            version,
            closed: AtomicU8::new(0),
            cut: Mutex::new(CancellationToken::new()),
            connections: AtomicUsize::new(0),
            drained: Notify::new(),
            row: ErrorRow::default(),
            connect_failures: AtomicU32::new(0),
            connect_successes: AtomicU32::new(0),
        }
    }

    /// Whether no request may go there.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst) != 0
    }

    /// Whether it is stopped by order, also when it is the stable one.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.closed.load(Ordering::SeqCst) & closed::QUARANTINED != 0
    }

    /// Closes for one more reason.
    pub(crate) fn close(&self, reason: u8) {
        self.closed.fetch_or(reason, Ordering::SeqCst);
    }

    /// Takes reasons away.
    pub(crate) fn open(&self, reasons: u8) {
        self.closed.fetch_and(!reasons, Ordering::SeqCst);
    }

    /// Registers a connection before it is opened. `None` when the version is closed: since the
    /// count is raised before the look, whoever closes and then waits for zero misses nobody.
    /// `forced` is for stable, which has no alternative; only an order of a person stops it.
    pub(crate) fn enter(self: &Arc<Self>, forced: bool) -> Option<Connecting> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        // A child of its own, as connections of all workers look at theirs at every turn.
        let cut = lock(&self.cut).child_token();
        let connecting = Connecting { live: Arc::clone(self), cut };
        let open = if forced { !self.is_quarantined() } else { !self.is_closed() };
        open.then_some(connecting)
    }

    /// Ends every connection to the version. Close it first.
    pub(crate) fn cut(&self) {
        let old = std::mem::take(&mut *lock(&self.cut));
        old.cancel();
    }

    /// Waits until no connection is left, at most `limit`. False when time ran out.
    pub(crate) async fn drained(&self, limit: Duration) -> bool {
        let wait = async {
            loop {
                let notified = self.drained.notified();
                if self.connections.load(Ordering::SeqCst) == 0 {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    /// A connection was made, or could not be.
    pub(crate) fn connected(&self, ok: bool) {
        let (up, zero) = if ok {
            (&self.connect_successes, &self.connect_failures)
        } else {
            (&self.connect_failures, &self.connect_successes)
        };
        zero.store(0, Ordering::Relaxed);
        // Saturates far above any threshold rather than wrapping to zero.
        if up.load(Ordering::Relaxed) < u32::MAX / 2 {
            up.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A place among the connections of a version, held for the connection's whole life.
#[derive(Debug)]
pub(crate) struct Connecting {
    live: Arc<VersionLive>,
    /// Cancelled when the version is cut.
    pub(crate) cut: CancellationToken,
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if self.live.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.live.drained.notify_waiters();
        }
    }
}

/// One agent.
#[derive(Debug, Default)]
pub(crate) struct AgentLive {
    in_flight: AtomicU32,
}

impl AgentLive {
    /// A place among the agent's requests in flight; `None` when `max` are taken.
    pub(crate) fn enter(self: &Arc<Self>, max: u32) -> Option<InFlight> {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= max {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(InFlight(Arc::clone(self)))
    }
}

/// Held while a request is in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<AgentLive>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    versions: Mutex<HashMap<(AgentName, VersionName, String), Arc<VersionLive>>>,
    agents: Mutex<HashMap<AgentName, Arc<AgentLive>>>,
    last_id: AtomicU64,
}

impl Registry {
    /// The state of a version at an endpoint; `latched` is asked after the entry became visible,
    /// so that a latch made meanwhile either finds the entry or is found here.
    pub(crate) fn version(
        &self,
        agent: &AgentName,
        version: &VersionName,
        endpoint: &str,
        latched: impl FnOnce() -> bool,
    ) -> Arc<VersionLive> {
        let key = (agent.clone(), version.clone(), endpoint.to_owned());
        let live = Arc::clone(lock(&self.versions).entry(key).or_insert_with(|| {
            let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
            Arc::new(VersionLive::new(id, agent.clone(), version.clone()))
        }));
        if latched() {
            live.close(closed::LATCHED);
        }
        live
    }

    /// Every state of a version, whatever its endpoint.
    pub(crate) fn of(&self, agent: &AgentName, version: &VersionName) -> Vec<Arc<VersionLive>> {
        let versions = lock(&self.versions);
        let same = |live: &&Arc<VersionLive>| live.agent == *agent && live.version == *version;
        versions.values().filter(same).cloned().collect()
    }

    /// Every version's states.
    pub(crate) fn all(&self) -> Vec<Arc<VersionLive>> {
        lock(&self.versions).values().cloned().collect()
    }

    /// The state of an agent.
    pub(crate) fn agent(&self, agent: &AgentName) -> Arc<AgentLive> {
        Arc::clone(lock(&self.agents).entry(agent.clone()).or_default())
    }

    /// Forgets what nobody else holds, so that versions that come and go leave nothing behind.
    pub(crate) fn forget_unused(&self) {
        lock(&self.versions).retain(|_, live| Arc::strong_count(live) > 1);
        lock(&self.agents).retain(|_, live| Arc::strong_count(live) > 1);
    }

    /// Requests in flight, by agent.
    pub(crate) fn in_flight(&self) -> Vec<(AgentName, u32)> {
        let agents = lock(&self.agents);
        let count = |live: &AgentLive| live.in_flight.load(Ordering::Relaxed);
        agents.iter().map(|(name, live)| (name.clone(), count(live))).collect()
    }
}
