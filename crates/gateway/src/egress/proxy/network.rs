//! Getting to a host: its name is looked up once, what it leads to is looked at, and exactly that is connected to.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use lockgate_model::destination::{Destination, Host};
use lockgate_model::tool::Addresses;
use tokio::net::TcpStream;

/// How long a look-up may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(10);
/// How long one address may take to answer.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const TRIED_MAX: usize = 4;

/// What is outside, as far as tunnels need it.
#[async_trait]
pub trait Network: Debug + Send + Sync {
    /// Where a name leads.
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Connects to an address, and to nothing else.
    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream>;
}

/// The system's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

#[async_trait]
impl Network for SystemNetwork {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotConnected {
    /// The name leads nowhere, as far as could be found out.
    Unknown,
    /// It leads where it must not.
    Forbidden,
    /// Nobody answers there.
    Unreachable,
}

/// Connects. One address that must not be is enough to connect to none: who answers so is not to be believed.
pub(super) async fn connect(
    network: &dyn Network,
    to: &Destination,
    addresses: Addresses,
) -> Result<(TcpStream, IpAddr), NotConnected> {
    let found = match &to.host {
        Host::Address(ip) => vec![*ip],
        Host::Name(name) => {
            let found = tokio::time::timeout(LOOK_UP_MAX, network.look_up(name)).await;
            found.ok().and_then(Result::ok).ok_or(NotConnected::Unknown)?
        }
    };
    if found.is_empty() {
        return Err(NotConnected::Unknown);
    }
    if !found.iter().all(|ip| addresses.hold(*ip)) {
        return Err(NotConnected::Forbidden);
    }
    for ip in found.into_iter().take(TRIED_MAX) {
        let connecting = network.connect(SocketAddr::new(ip, to.port));
        if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_MAX, connecting).await {
            return Ok((stream, ip));
        }
    }
    Err(NotConnected::Unreachable)
}
