//! Where agents' calls come in, and what all of them share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolMode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::connect::Connector;
use crate::connection;
use crate::core::Core;
use crate::egress::a2a::peer::CameIn;
use crate::egress::ask;
use crate::egress::delegation::Delegations;
use crate::egress::gate::Gates;
use crate::egress::handle;
use crate::egress::held::Held;
use crate::egress::known::Server;
use crate::egress::outcome::{self, Outcomes};
use crate::egress::proxy::{Authority, Network, Tunnels};
use crate::egress::refusals::{self, Refusals};
use crate::egress::running::Running;
use crate::egress::security::Forgeries;
use crate::egress::sessions::Sessions;
use crate::ingress::server::Stops;

/// How long connections wait after a start for the controller to be heard of, and how often that is looked at.
const HEARING_MAX: Duration = Duration::from_secs(2);
const HEARD_EVERY: Duration = Duration::from_millis(5);
/// Connections open at once; more are closed.
const CLIENTS_MAX: usize = 4_096;
/// Connections to one server that are kept for the next call.
const IDLE_MAX: usize = 64;
const IDLE_AGE_MAX: Duration = Duration::from_secs(30);
/// Rest after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What all large bodies may hold at once.
const LARGE_KIB_MAX: usize = 512 * 1024;
/// How long outcomes may take to be recorded when everything stops.
const RECORDING_MAX: Duration = Duration::from_secs(10);

/// Shared by all calls.
pub(crate) struct Egress {
    pub(crate) core: Arc<Core>,
    pub(crate) client: legacy::Client<Connector, Full<Bytes>>,
    pub(crate) sessions: Sessions,
    pub(crate) outcomes: Outcomes,
    pub(crate) running: Arc<Running>,
    /// Calls of nobody who is known.
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) forgeries: Forgeries,
    /// Places for calls that wait for people.
    pub(crate) waiting: Semaphore,
    pub(crate) held: Arc<Held>,
    /// Where tunnels lead, and who has how many.
    pub(crate) network: Arc<dyn Network>,
    pub(crate) tunnels: Arc<Tunnels>,
    /// Opens tunnels to tools that are asked in their own way.
    pub(crate) authority: Option<Arc<Authority>>,
    /// Cancelled when no further request is taken.
    pub(crate) drain: CancellationToken,
    /// Cancelled when everything ends.
    pub(crate) kill: CancellationToken,
    /// Kilobytes that large bodies may hold at once.
    pub(crate) large: Arc<Semaphore>,
    pub(crate) gates: Gates,
    pub(crate) delegations: Delegations,
    clients: AtomicUsize,
}

impl Egress {
    /// Whether some call of an action could be allowed, or asked about: to whoever does it, and to those whom it is done
    /// for. Nothing is hidden of a tool that is only watched, but for what was not passed on.
    pub(crate) fn permits(&self, identity: &Identity, server: &Server, action: &str) -> bool {
        if !identity.acting.as_deref().is_none_or(|one| one.scope.holds(&server.name, action)) {
            return false;
        }
        let decisions = &self.core.ports.decisions;
        server.mode == ToolMode::Shadow
            || identity
                .parties()
                .all(|party| decisions.permits(&party.agent, &party.version, &server.name, action))
    }

    /// Why nothing is decided at the moment: what is revoked or forbidden by now may not have been heard of.
    pub(crate) fn closed(&self) -> Option<String> {
        let core = &self.core;
        if core.applied().0 == 0 {
            return Some("there is no configuration yet".into());
        }
        if !core.is_current.load(Ordering::SeqCst) {
            let why = "the controller was not heard of since the start, and what is revoked meanwhile is not known";
            return Some(why.into());
        }
        let max_ms = core.table.load().snapshot.egress.snapshot_max_age_ms;
        let age_ms = core.control.age_ms(core.monotonic_ms(Instant::now()));
        (age_ms > max_ms).then(|| {
            format!(
                "the controller was last heard of {} s ago, and what is revoked since is not known",
                age_ms / 1_000
            )
        })
    }
}

/// How to get to tools, and between agents and them.
pub(crate) struct Ways {
    pub(crate) connector: Connector,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) authority: Option<Arc<Authority>>,
}

/// A listener that runs.
pub(crate) struct Listener {
    pub(crate) local_addr: SocketAddr,
    egress: Arc<Egress>,
    accepting: JoinHandle<()>,
    recording: JoinHandle<()>,
    telling: JoinHandle<()>,
}

impl Listener {
    /// Takes calls from now on, on the runtime that this is called on.
    pub(crate) fn start(
        core: Arc<Core>,
        signing_key: &[u8; 32],
        ways: Ways,
        listener: TcpListener,
        stops: Stops,
    ) -> std::io::Result<Self> {
        let local_addr = listener.local_addr()?;
        let (outcomes, sent) = Outcomes::new();
        let recording = tokio::spawn(outcome::record(Arc::clone(&core), sent));
        let refused = Arc::new(Refusals::default());
        let telling = refusals::run(
            Arc::clone(&refused),
            Arc::clone(&core.ports.ledger),
            stops.drain.child_token(),
        );
        let telling = tokio::spawn(telling);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_AGE_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(ways.connector);
        let egress = Arc::new(Egress {
            core,
            client,
            sessions: Sessions::new(signing_key),
            outcomes,
            running: Arc::default(),
            refusals: Arc::clone(&refused),
            forgeries: Forgeries::default(),
            waiting: Semaphore::new(ask::HELD_MAX),
            held: Arc::default(),
            network: ways.network,
            authority: ways.authority,
            tunnels: Arc::default(),
            drain: stops.drain.clone(),
            kill: stops.kill.clone(),
            large: Arc::new(Semaphore::new(LARGE_KIB_MAX)),
            gates: Gates::default(),
            delegations: Delegations::new(signing_key),
            clients: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(Arc::clone(&egress), listener, stops));
        Ok(Self { local_addr, egress, accepting, recording, telling })
    }

    /// Connections that are open.
    pub(crate) fn clients(&self) -> usize {
        self.egress.clients.load(Ordering::Relaxed)
    }

    /// After everything was told to stop: waits until what became of the last calls is recorded.
    pub(crate) async fn ended(self) {
        let _ = self.accepting.await;
        let _ = self.telling.await;
        self.egress.running.give_up();
        self.egress.held.give_up();
        // Whoever serves a connection holds it too, and lets go when it was killed.
        drop(self.egress);
        if tokio::time::timeout(RECORDING_MAX, self.recording).await.is_err() {
            warn!(
                "not all outcomes were recorded in time; their intents are closed at the next start"
            );
        }
    }
}

/// Waits a little for what must be known before anything is decided: who calls right after a start is not sent away.
async fn until_current(core: &Core) {
    let until = Instant::now() + HEARING_MAX;
    while !core.is_current.load(Ordering::SeqCst) && Instant::now() < until {
        tokio::time::sleep(HEARD_EVERY).await;
    }
}

async fn accept(egress: Arc<Egress>, listener: TcpListener, stops: Stops) {
    tokio::select! {
        () = stops.drain.cancelled() => return,
        () = until_current(&egress.core) => {}
    }
    loop {
        let accepted = tokio::select! {
            () = stops.drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if egress.clients.load(Ordering::Relaxed) >= CLIENTS_MAX {
            debug!("a connection was closed: there are as many as allowed");
            continue;
        }
        let client = Client::new(Arc::clone(&egress));
        let (drain, kill) = (stops.drain.child_token(), stops.kill.clone());
        tokio::spawn(async move {
            kill.run_until_cancelled(serve(&client, stream, drain)).await;
            drop(client);
        });
    }
}

/// Counts a client as long as its connection is served.
pub(crate) struct Client(Arc<Egress>);

impl Client {
    pub(crate) fn new(egress: Arc<Egress>) -> Self {
        egress.clients.fetch_add(1, Ordering::Relaxed);
        Self(egress)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(client: &Client, stream: TcpStream, drain: CancellationToken) {
    let stall_max = client.0.core.client_stall_max;
    let came_in = stream.local_addr().ok().map(CameIn::At);
    let service = service_fn(|mut request: Request<Incoming>| {
        let egress = Arc::clone(&client.0);
        if let Some(came_in) = came_in {
            request.extensions_mut().insert(came_in);
        }
        async move { Ok::<_, std::convert::Infallible>(handle::handle(egress, request).await) }
    });
    connection::serve(stream, stall_max, drain, service).await;
}
