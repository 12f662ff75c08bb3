//! Starting and stopping a gateway.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockgate_model::approval::Approvals;
use lockgate_model::decision::Decisions;
use lockgate_model::ids::{AgentName, BootId, GatewayName, Revision, VersionName};
use lockgate_model::interaction::ErrorClass;
use lockgate_model::ledger::Ledger;
use lockgate_model::limit::Reservations;
use lockgate_model::ports::{Events, Fuses, Interactions, Secrets, Snapshots};
use lockgate_telemetry::ports::Windows;
use lockgate_telemetry::price::Prices;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::aside::copy::{Copied, Copies};
use crate::aside::{self, mirror};
use crate::connect::{TlsError, connector};
use crate::conversations::Conversations;
use crate::core::{ControlHeard, Core, Crossed};
use crate::egress::listener::{Listener, Ways};
use crate::egress::outside::fetch;
use crate::egress::outside::keys::Keys;
use crate::egress::pins::Unsaid;
use crate::egress::proxy::{Authority, Network, SystemNetwork};
use crate::egress::tally::{CallsOf, Tally};
use crate::follow::{self, Follower};
use crate::fuse::{self, FusePort, LatchError, Latches};
use crate::health::{self, Health};
use crate::ingress::server::{self, Lane, Stops};
use crate::ingress::worker::Worker;
use crate::live::Registry;
use crate::observe::Observed;
use crate::observe::publish::Publisher;
use crate::observe::totals::VersionTotals;
use crate::pin::Pins;
use crate::provenance::Provenance;
use crate::sealed::{self, Salt};
use crate::table::Table;
use crate::tickets::Tickets;

const BACKLOG: i32 = 4_096;
const CROSSED_MAX: usize = 64;
const JOURNAL_EVERY: Duration = Duration::from_millis(500);

/// How a gateway runs.
pub struct Options {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Its own directory: last good snapshot, latched fuses, conversations.
    pub dir: PathBuf,
    /// Its name, the same over restarts.
    pub name: GatewayName,
    /// Signs pins and tickets and salts hashes. All gateways of an installation share it.
    pub signing_key: [u8; 32],
    /// What models cost.
    pub prices: Arc<Prices>,
    /// Threads that serve requests.
    pub workers: usize,
    /// Whether the next hop in front is trusted to say who asked (`X-Forwarded-*`).
    pub trust_forwarded: bool,
    /// How long a ticket is good.
    pub ticket_ttl: Duration,
    /// Clients connected at once; more are closed.
    pub clients_max: usize,
    /// A client that takes nothing for so long, while there is something for it, has left.
    pub client_stall_max: Duration,
    /// Certificate authorities in PEM that vouch for versions' endpoints and tools, beside the web's own.
    pub authorities: Option<String>,
    /// Agents' own calls; `None` takes none.
    pub egress: Option<EgressOptions>,
}

/// How agents' own calls come in.
#[derive(Debug, Clone)]
pub struct EgressOptions {
    /// Where; port 0 for any.
    pub listen: SocketAddr,
    /// Where tunnels lead.
    pub network: Arc<dyn Network>,
    /// Opens tunnels to tools that are asked in their own way; without one there are none.
    pub authority: Option<Arc<Authority>>,
}

impl EgressOptions {
    /// Over the system's network.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, network: Arc::new(SystemNetwork), authority: None }
    }
}

impl Options {
    /// Two workers, tickets good for 7 days, 16,384 clients that may stall for a minute,
    /// `X-Forwarded-*` not trusted, no calls of agents.
    pub fn new(listen: SocketAddr, dir: PathBuf, name: GatewayName, signing_key: [u8; 32]) -> Self {
        Self {
            listen,
            dir,
            name,
            signing_key,
            prices: Arc::default(),
            workers: 2,
            trust_forwarded: false,
            ticket_ttl: Duration::from_hours(7 * 24),
            clients_max: 16_384,
            client_stall_max: Duration::from_mins(1),
            authorities: None,
            egress: None,
        }
    }
}

/// What a gateway talks to.
#[derive(Clone)]
pub struct Ports {
    /// Where snapshots come from.
    pub snapshots: Arc<dyn Snapshots>,
    /// Where windows go.
    pub windows: Arc<dyn Windows>,
    /// Where interactions go.
    pub interactions: Arc<dyn Interactions>,
    /// Where what must not be lost goes.
    pub events: Arc<dyn Events>,
    /// Where agents' actions are recorded.
    pub ledger: Arc<dyn Ledger>,
    /// Who says which of them may be done.
    pub decisions: Arc<dyn Decisions>,
    /// Where what agents are told of tools is pinned.
    pub pins: Arc<dyn lockgate_model::pin::Pins>,
    /// Where those are counted that may be done so often only.
    pub reservations: Arc<dyn Reservations>,
    /// Where people are asked about those that need it.
    pub approvals: Arc<dyn Approvals>,
    /// Where credentials of tools are found.
    pub secrets: Arc<dyn Secrets>,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its directory cannot be used.
    #[error("cannot use the gateway's directory {dir}")]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its latched fuses cannot be read.
    #[error("the latched fuses cannot be read")]
    Latches(#[from] LatchError),
    /// Nothing listens.
    #[error("cannot listen on {listen}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A worker's thread or runtime.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
    /// TLS towards versions and tools.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Counters for `/metrics`.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Ended requests by agent, version (`None`: refused before one was picked) and class (`None`:
    /// well).
    pub requests: Vec<(AgentName, Option<VersionName>, Option<ErrorClass>, u64)>,
    /// Latency, cost and votes by agent and version.
    pub versions: Vec<(AgentName, VersionName, VersionTotals)>,
    /// Requests that matched no agent.
    pub unmatched: u64,
    /// Requests in flight.
    pub in_flight: Vec<(AgentName, u32)>,
    /// Clients connected.
    pub clients: usize,
    /// Interactions that were given up because their queue was full.
    pub interactions_dropped: u64,
    /// Windows that were given up because their queue was full.
    pub windows_dropped: u64,
    /// Pins with a wrong signature.
    pub forged_pins: u64,
    /// The snapshot in force.
    pub applied: Revision,
    /// Whether it is the newest that control had when it was last heard of since the start. Agents' calls wait for that.
    pub is_current: bool,
    /// Agents' calls that ended, or were refused, since the start.
    pub calls: Vec<(CallsOf, u64)>,
    /// Latched fuses.
    pub fuses_latched: usize,
    /// Milliseconds since control was last alive.
    pub control_age_ms: u64,
}

/// A running gateway.
pub struct Gateway {
    core: Arc<Core>,
    local_addr: SocketAddr,
    stops: Stops,
    background: CancellationToken,
    lanes: Arc<Vec<Lane>>,
    accepting: JoinHandle<()>,
    egress: Option<Listener>,
    tasks: Vec<JoinHandle<()>>,
    /// Ends threads and tasks of a gateway that is dropped without a shutdown.
    _ends: [DropGuard; 3],
}

impl Gateway {
    /// Listens and serves, from the last good snapshot until a newer one is heard of. Ports are
    /// called on the runtime that this is called on.
    pub async fn start(options: Options, ports: Ports) -> Result<Self, StartError> {
        let (crossed, crossings) = mpsc::channel(CROSSED_MAX);
        let (copies, to_mirror) = mpsc::channel(mirror::WAITING_MAX);
        let opened = tokio::task::spawn_blocking(move || {
            core(&options, ports, crossed, copies).map(|core| (options, Arc::new(core)))
        });
        let (options, core) =
            opened.await.expect("opening the gateway's directory never panics")?;
        let connector = connector(options.authorities.as_deref())?;
        let listener = listen(options.listen)
            .map_err(|source| StartError::Listen { listen: options.listen, source })?;
        let local_addr = listener
            .local_addr()
            .map_err(|source| StartError::Listen { listen: options.listen, source })?;
        let stops = Stops::default();
        let egress = options.egress.as_ref();
        let egress = egress.map(|egress| {
            let failed = |source| StartError::Listen { listen: egress.listen, source };
            let (core, key) = (Arc::clone(&core), &options.signing_key);
            let listener = listen(egress.listen).map_err(failed)?;
            let ways = Ways {
                connector: connector.clone(),
                network: Arc::clone(&egress.network),
                authority: egress.authority.clone(),
            };
            Listener::start(core, key, ways, listener, stops.clone()).map_err(failed)
        });
        let egress = egress.transpose()?;
        let lanes: Result<Vec<_>, _> = (0..options.workers.max(1))
            .map(|index| {
                let worker = Worker::new(Arc::clone(&core), index, connector.clone());
                Lane::start(Arc::new(worker), stops.clone())
            })
            .collect();
        let lanes = Arc::new(lanes.map_err(StartError::Worker)?);
        let background = CancellationToken::new();
        // It ends by itself: nobody waits for what it does.
        aside::start(Arc::clone(&core), to_mirror, connector.clone(), background.clone())
            .map_err(StartError::Worker)?;
        let tasks = vec![
            tokio::spawn(Follower::new(Arc::clone(&core)).run(background.clone())),
            tokio::spawn(fetch::run(Arc::clone(&core), connector.clone(), background.clone())),
            tokio::spawn(health::run(Arc::clone(&core), connector, background.clone())),
            tokio::spawn(watch_crossings(Arc::clone(&core), crossings, background.clone())),
            tokio::spawn(keep_conversations(Arc::clone(&core), background.clone())),
            tokio::spawn(Publisher::new(Arc::clone(&core)).run(background.clone())),
        ];
        let drain = stops.drain.clone();
        let accept = server::accept(listener, Arc::clone(&lanes), drain, options.clients_max);
        let accepting = tokio::spawn(accept);
        info!(%local_addr, gateway = %core.name, "gateway listening");
        if let Some(egress) = &egress {
            info!(egress_addr = %egress.local_addr, "agents' own calls are taken");
        }
        let ends = [&stops.drain, &stops.kill, &background].map(|token| token.clone().drop_guard());
        Ok(Self {
            core,
            local_addr,
            stops,
            background,
            lanes,
            accepting,
            egress,
            tasks,
            _ends: ends,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it takes agents' own calls.
    pub fn egress_addr(&self) -> Option<SocketAddr> {
        self.egress.as_ref().map(|egress| egress.local_addr)
    }

    /// Its fuse.
    pub fn fuses(&self) -> Arc<dyn Fuses> {
        Arc::new(FusePort(Arc::clone(&self.core)))
    }

    /// Counters since the start.
    pub fn stats(&self) -> Stats {
        let core = &self.core;
        let requests = core.observed.requests().into_iter();
        Stats {
            requests: requests
                .map(|((agent, version, class), count)| (agent, version, class, count))
                .collect(),
            versions: core
                .observed
                .totals()
                .into_iter()
                .map(|((agent, version), totals)| (agent, version, totals))
                .collect(),
            unmatched: core.observed.unmatched.load(Ordering::Relaxed),
            in_flight: core.registry.in_flight(),
            clients: self.lanes.iter().map(Lane::clients).sum(),
            interactions_dropped: core.observed.interactions_dropped.load(Ordering::Relaxed),
            windows_dropped: core.observed.windows_dropped.load(Ordering::Relaxed),
            forged_pins: core.forged_pins.load(Ordering::Relaxed),
            applied: core.applied(),
            is_current: core.is_current.load(Ordering::SeqCst),
            calls: core.tally.all(),
            fuses_latched: core.latches.all().len(),
            control_age_ms: core.control.age_ms(core.monotonic_ms(Instant::now())),
        }
    }

    /// Takes no new connections, lets requests under way finish for at most `drain`, ends the
    /// rest, and hands over what was measured.
    pub async fn shutdown(self, drain: Duration) {
        self.stops.drain.cancel();
        let _ = self.accepting.await;
        let calls = || self.egress.as_ref().map_or(0, Listener::clients);
        let clients = || self.lanes.iter().map(Lane::clients).sum::<usize>() + calls();
        let deadline = Instant::now() + drain;
        while clients() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if clients() > 0 {
            warn!(clients = clients(), "not all requests finished in time");
        }
        self.stops.kill.cancel();
        let lanes = self.lanes;
        let joined = tokio::task::spawn_blocking(move || {
            if let Some(lanes) = Arc::into_inner(lanes) {
                lanes.into_iter().for_each(Lane::join);
            }
        });
        let _ = joined.await;
        if let Some(egress) = self.egress {
            egress.ended().await;
        }
        // Only now, as the last requests to end are measured too.
        self.background.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

fn core(
    options: &Options,
    ports: Ports,
    crossed: mpsc::Sender<Crossed>,
    copies: mpsc::Sender<Copied>,
) -> Result<Core, StartError> {
    let dir = &options.dir;
    let directory = |source| StartError::Directory { dir: dir.clone(), source };
    std::fs::create_dir_all(dir).map_err(directory)?;
    let latches = Latches::open(&dir.join("fuses"))?;
    let provenance = Provenance::open(dir)
        .map_err(|source| StartError::Directory { dir: dir.clone(), source })?;
    let conversations = Conversations::open(&dir.join("conversations")).map_err(directory)?;
    let stored = follow::stored(dir).unwrap_or_else(|error| {
        error!(%error, "the last snapshot cannot be read; waiting for control");
        None
    });
    let registry = Registry::default();
    let age_ms = follow::stored_age_ms(dir, stored.as_ref());
    let key = &options.signing_key;
    let observed = Observed::new(options.workers.max(1));
    let core = Core {
        name: options.name.clone(),
        boot: BootId(Uuid::now_v7()),
        dir: dir.clone(),
        ports,
        prices: Arc::clone(&options.prices),
        trust_forwarded: options.trust_forwarded,
        client_stall_max: options.client_stall_max,
        ticket_ttl_ms: i64::try_from(options.ticket_ttl.as_millis()).unwrap_or(i64::MAX),
        table: arc_swap::ArcSwap::from_pointee(Table::empty()),
        applied: 0.into(),
        registry,
        latches,
        calls: Arc::default(),
        outside: Keys::default(),
        provenance,
        is_current: AtomicBool::new(false),
        tally: Tally::default(),
        unsaid: Unsaid::default(),
        latching: tokio::sync::Mutex::default(),
        pins: Pins::new(key),
        tickets: Tickets::new(key),
        user_salt: Salt::new(key, sealed::USERS),
        conversation_salt: Salt::new(key, "lockgate conversation 1"),
        question_salt: Salt::new(key, "lockgate question 1"),
        conversations,
        control: ControlHeard::new(age_ms),
        copies: Copies::new(copies, observed.aside()),
        observed,
        health: Health::default(),
        crossed,
        wake: Notify::new(),
        main: Handle::current(),
        started: Instant::now(),
        forged_pins: 0.into(),
    };
    if let Some(snapshot) = stored {
        let revision = snapshot.revision.0;
        match core.apply(snapshot) {
            Ok(()) => info!(revision, "serving from the last snapshot"),
            Err(error) => error!(revision, %error, "the last snapshot cannot be applied"),
        }
    }
    Ok(core)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn watch_crossings(
    core: Arc<Core>,
    mut crossings: mpsc::Receiver<Crossed>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            crossed = crossings.recv() => match crossed {
                Some(crossed) => fuse::hard_limit(&core, &crossed.target, crossed.errors).await,
                None => return,
            }
        }
    }
}

async fn keep_conversations(core: Arc<Core>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(JOURNAL_EVERY);
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            _ = tick.tick() => false,
        };
        let owner = Arc::clone(&core);
        let written = tokio::task::spawn_blocking(move || owner.conversations.write()).await;
        if let Ok(Err(error)) = written {
            warn!(%error, "conversations cannot be written; they are kept in memory");
        }
        if stopped {
            return;
        }
    }
}
