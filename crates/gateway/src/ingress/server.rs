//! Accepts connections and hands each to the worker with the fewest.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::HeaderValue;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::connection;
use crate::ingress::forward;
use crate::ingress::worker::Worker;

/// Time between two sweeps of idle connections to versions.
const SWEEP: Duration = Duration::from_secs(5);
/// Rest after a failed accept (out of file descriptors): trying at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) ip: IpAddr,
    /// The address as a header's value.
    pub(crate) value: HeaderValue,
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        let value = HeaderValue::from_str(&ip.to_string()).expect("an address is visible ASCII");
        Self { ip, value }
    }
}

/// When to stop what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops {
    /// No new connections; finish requests under way.
    pub(crate) drain: CancellationToken,
    /// End now.
    pub(crate) kill: CancellationToken,
}

type Accepted = (std::net::TcpStream, SocketAddr);

/// A worker's thread and the way to it.
pub(crate) struct Lane {
    worker: Arc<Worker>,
    sender: mpsc::UnboundedSender<Accepted>,
    thread: JoinHandle<()>,
}

impl Lane {
    /// Starts a thread with a runtime of its own.
    pub(crate) fn start(worker: Arc<Worker>, stops: Stops) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = work(Arc::clone(&worker), receiver, stops);
        let thread = thread::Builder::new()
            .name("gateway-worker".to_owned())
            .spawn(move || runtime.block_on(run))?;
        Ok(Self { worker, sender, thread })
    }

    /// Waits for the thread's end. Blocking.
    pub(crate) fn join(self) {
        drop(self.sender);
        if self.thread.join().is_err() {
            warn!("a gateway worker panicked");
        }
    }

    /// Clients connected to it.
    pub(crate) fn clients(&self) -> usize {
        self.worker.clients.load(Ordering::Relaxed)
    }
}

/// Accepts until `drain`. Above `clients_max` connections, new ones are closed at once.
pub(crate) async fn accept(
    listener: TcpListener,
    lanes: Arc<Vec<Lane>>,
    drain: CancellationToken,
    clients_max: usize,
) {
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let clients: usize = lanes.iter().map(Lane::clients).sum();
        let Some(lane) = lanes.iter().min_by_key(|lane| lane.clients()) else { return };
        if clients >= clients_max {
            debug!("a connection was closed: there are as many as allowed");
            continue;
        }
        if let Ok(stream) = stream.into_std() {
            lane.worker.clients.fetch_add(1, Ordering::Relaxed);
            if lane.sender.send((stream, address)).is_err() {
                lane.worker.clients.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

async fn work(worker: Arc<Worker>, mut receiver: mpsc::UnboundedReceiver<Accepted>, stops: Stops) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = stops.kill.cancelled() => return,
            _ = sweep.tick() => worker.sweep_idle(),
            accepted = receiver.recv() => match accepted {
                Some((stream, address)) => {
                    let guard = Client(Arc::clone(&worker));
                    tokio::spawn(serve(guard, stream, address, stops.drain.child_token()));
                }
                None => return,
            }
        }
    }
}

/// Counts a client as long as its connection is served.
struct Client(Arc<Worker>);

impl Drop for Client {
    fn drop(&mut self) {
        let clients: &AtomicUsize = &self.0.clients;
        clients.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    client: Client,
    stream: std::net::TcpStream,
    address: SocketAddr,
    drain: CancellationToken,
) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let peer = Arc::new(Peer::new(address));
    let worker = Arc::clone(&client.0);
    let stall_max = worker.core.client_stall_max;
    let service = service_fn(move |request| {
        let (worker, peer) = (Arc::clone(&worker), Arc::clone(&peer));
        async move { Ok::<_, std::convert::Infallible>(forward::handle(worker, peer, request).await) }
    });
    connection::serve(stream, stall_max, drain, service).await;
}
