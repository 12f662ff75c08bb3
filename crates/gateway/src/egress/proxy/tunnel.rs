//! A tunnel: the client's first words must be for the host that it asked for, and then bytes pass both ways until one of
//! the two, or we, have had enough.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lockgate_model::destination::Host;
use lockgate_model::identity::{Caller, Identity};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::clock;
use crate::egress::calls::UnderWay;
use crate::egress::listener::{Client, Egress};
use crate::egress::outcome::{End, Open, STOPPED};
use crate::egress::standing;
use crate::live::lock;
use crate::protocol::hello::{self, Heard, Hello};

/// Tunnels of one token that are open at once.
const OF_A_TOKEN_MAX: usize = 128;
/// How long one may be open where nothing else is said: what is decided once does not hold for ever.
pub(super) const AGE_MAX: Duration = Duration::from_hours(1);
/// How long the client's first words may take.
pub(super) const HELLO_WAIT_MAX: Duration = Duration::from_secs(15);
/// How long one side may be silent after the other has ended.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(30);
/// Time between two looks at whether whoever has it may go on.
const LOOK: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 16 * 1024;

const SERVER_LEFT: &str = "the server hung up";

/// How many are open, by caller.
#[derive(Debug, Default)]
pub(crate) struct Tunnels(Mutex<HashMap<Caller, usize>>);

impl Tunnels {
    /// A place for one more, unless there are as many as may be.
    pub(crate) fn enter(self: &Arc<Self>, whose: &Identity) -> Option<Place> {
        let mut open = lock(&self.0);
        let caller = whose.caller();
        let own = open.entry(caller.clone()).or_default();
        if *own >= OF_A_TOKEN_MAX {
            return None;
        }
        *own += 1;
        Some(Place { tunnels: Arc::clone(self), caller })
    }
}

/// A tunnel's place among them.
#[derive(Debug)]
pub(crate) struct Place {
    tunnels: Arc<Tunnels>,
    caller: Caller,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.tunnels.0);
        if let Some(own) = open.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

/// One that is allowed, with its intent.
pub(super) struct Tunnel {
    pub(super) egress: Arc<Egress>,
    pub(super) identity: Identity,
    pub(super) under_way: Arc<UnderWay>,
    pub(super) open: Open,
    pub(super) host: Host,
    pub(super) idle_max: Duration,
    pub(super) age_max: Option<Duration>,
    /// Kept for as long as it is open.
    pub(super) client: Client,
    pub(super) place: Place,
}

impl Tunnel {
    /// Lets pass what may, until it ends, and says how it did.
    pub(super) async fn run(mut self, upgrade: OnUpgrade, server: TcpStream) {
        let traffic = Traffic::new();
        let age_max = age_max(&self.identity, self.age_max.unwrap_or(AGE_MAX));
        let end = tokio::select! {
            biased;
            () = self.under_way.cut.cancelled() => End::Cut(STOPPED),
            () = self.egress.kill.cancelled() => End::Cut("Lockgate stopped"),
            () = until_gone(&self.egress, &self.identity) => End::Cut("the caller may not go on"),
            () = tokio::time::sleep(age_max) => End::Cut("it was open for as long as it may be"),
            end = pass(upgrade, server, &self.host, &traffic) => end,
            end = traffic.until_idle(self.idle_max) => end,
        };
        let (up, down) = (Traffic::of(&traffic.up), Traffic::of(&traffic.down));
        self.open.forwarded = up > 0;
        self.open.note("bytes_up", up.into());
        self.open.note("bytes_down", down.into());
        self.open.end(end);
        drop((self.client, self.place));
    }
}

/// How long one may be open: what somebody does for another no longer than that was passed on.
pub(super) fn age_max(identity: &Identity, usual: Duration) -> Duration {
    let Some(acting) = &identity.acting else { return usual };
    let left_s = acting.expires_wall_s.saturating_sub(clock::wall_ms().div_euclid(1_000));
    usual.min(Duration::from_secs(u64::try_from(left_s).unwrap_or_default()))
}

/// Ends when whoever has it may not go on.
pub(super) async fn until_gone(egress: &Egress, identity: &Identity) {
    while !standing::is_gone(egress, identity) {
        tokio::time::sleep(LOOK).await;
    }
}

/// What has passed.
struct Traffic {
    began: Instant,
    /// Bytes of the client's.
    up: AtomicU64,
    /// Bytes of the server's.
    down: AtomicU64,
    /// When something passed last, milliseconds since it began.
    last_ms: AtomicU64,
    /// Whether one side has ended in order.
    half_closed: AtomicBool,
}

impl Traffic {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
            half_closed: AtomicBool::new(false),
        }
    }

    fn of(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }

    fn passed(&self, count: &AtomicU64, bytes: usize) {
        count.fetch_add(bytes as u64, Ordering::Relaxed);
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }

    fn is_half_closed(&self) -> bool {
        self.half_closed.load(Ordering::Relaxed)
    }

    /// Ends when nothing has passed for so long. Clients keep connections that a server has ended long ago.
    async fn until_idle(&self, idle_max: Duration) -> End {
        loop {
            let half_closed = self.is_half_closed();
            let most = if half_closed { idle_max.min(HALF_CLOSED_MAX) } else { idle_max };
            let over = self.began + Duration::from_millis(Self::of(&self.last_ms)) + most;
            if Instant::now() >= over {
                // Only a server that was told something and never said anything has failed.
                return match (Self::of(&self.up), Self::of(&self.down)) {
                    _ if half_closed => End::Ok,
                    (0, 0) => End::Cut("the client said nothing"),
                    (_, 0) => End::Timeout,
                    _ => End::Cut("nothing passed any more"),
                };
            }
            tokio::time::sleep_until(over.min(Instant::now() + HALF_CLOSED_MAX)).await;
        }
    }
}

/// Until both sides have ended, or one has gone.
async fn pass(upgrade: OnUpgrade, mut server: TcpStream, host: &Host, traffic: &Traffic) -> End {
    let Ok(client) = upgrade.await else { return End::Cancelled };
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let first = tokio::time::timeout(HELLO_WAIT_MAX, hello(&mut from_client, host)).await;
    let first = match first {
        Ok(Ok(first)) => first,
        Ok(Err(end)) => return end,
        Err(_) => return End::Cut("its TLS handshake did not come in time"),
    };
    let _ = server.set_nodelay(true);
    let (mut from_server, mut to_server) = server.split();
    if to_server.write_all(&first).await.is_err() {
        return End::Cut(SERVER_LEFT);
    }
    traffic.passed(&traffic.up, first.len());
    let up = one_way(&mut from_client, &mut to_server, traffic, &traffic.up);
    let down = one_way(&mut from_server, &mut to_client, traffic, &traffic.down);
    let (up, down) = (
        async { up.await.map_err(|gone| gone.end(End::Cancelled, End::Cut(SERVER_LEFT))) },
        async { down.await.map_err(|gone| gone.end(End::Cut(SERVER_LEFT), End::Cancelled)) },
    );
    match tokio::try_join!(up, down) {
        // Who has ended in order may go as it likes.
        Err(_) if traffic.is_half_closed() => End::Ok,
        Err(end) => end,
        Ok(_) => End::Ok,
    }
}

/// Who of two is gone.
enum Gone {
    Sender,
    Receiver,
}

impl Gone {
    fn end(self, sender: End, receiver: End) -> End {
        match self {
            Self::Sender => sender,
            Self::Receiver => receiver,
        }
    }
}

/// Passes bytes until their sender ends.
async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    traffic: &Traffic,
    count: &AtomicU64,
) -> Result<(), Gone> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| Gone::Sender)?;
        if read == 0 {
            traffic.half_closed.store(true, Ordering::Relaxed);
            return to.shutdown().await.map_err(|_| Gone::Receiver);
        }
        to.write_all(&buffer[..read]).await.map_err(|_| Gone::Receiver)?;
        traffic.passed(count, read);
    }
}

/// The client's first bytes, once they show that they are for this host.
async fn hello(from: &mut (impl AsyncRead + Unpin), host: &Host) -> Result<Vec<u8>, End> {
    let mut bytes = Vec::new();
    loop {
        match hello::read(&bytes) {
            Ok(Heard::More(needed)) => more(from, &mut bytes, needed).await?,
            Ok(Heard::Hello(hello)) => {
                return if is_for(&hello, host)? { Ok(bytes) } else { Err(End::Cut(OTHER_NAME)) };
            }
            Err(why) => return Err(End::Cut(why.as_str())),
        }
    }
}

const OTHER_NAME: &str = "its TLS handshake is for another host";

/// Reads until so many bytes are there; more may be.
async fn more(
    from: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
    needed: usize,
) -> Result<(), End> {
    while bytes.len() < needed {
        let had = bytes.len();
        let read: io::Result<usize> = from.read_buf(bytes).await;
        match read {
            Ok(0) | Err(_) if had == 0 => return Err(End::Cancelled),
            Ok(0) | Err(_) => return Err(End::Cut("its TLS handshake broke off")),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Whether the first words of TLS are for this host and for nobody besides. To an address no name is said (RFC 6066).
fn is_for(hello: &Hello, host: &Host) -> Result<bool, End> {
    if hello.hides_name {
        return Err(End::Cut("its TLS handshake hides a name (ECH)"));
    }
    Ok(match (host, &hello.name) {
        (Host::Name(host), Some(name)) => host.eq_ignore_ascii_case(name),
        (Host::Address(_), None) => true,
        (Host::Name(_), None) => return Err(End::Cut("its TLS handshake names no host")),
        (Host::Address(_), Some(_)) => false,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use lockgate_model::delegation::Delegation;
    use lockgate_model::ids::{DelegationId, IdentityId};
    use lockgate_model::ledger::Link;

    use super::*;
    use crate::egress::identity::somebody;

    fn identity(id: u128) -> Identity {
        Identity { id: IdentityId(Uuid::from_u128(id)), ..somebody("a", "v1") }
    }

    #[test]
    fn a_token_has_so_many_tunnels_and_no_more() {
        let tunnels = Arc::new(Tunnels::default());
        let mut places: Vec<_> =
            (0..OF_A_TOKEN_MAX).map(|_| tunnels.enter(&identity(1)).unwrap()).collect();
        assert!(tunnels.enter(&identity(1)).is_none());
        let other = tunnels.enter(&identity(2)).unwrap();
        places.pop();
        places.push(tunnels.enter(&identity(1)).unwrap());
        assert!(tunnels.enter(&identity(1)).is_none());
        drop((places, other));
        assert!(lock(&tunnels.0).is_empty());
    }

    #[test]
    fn a_handshake_is_for_the_host_that_was_asked_for() {
        let name = Host::Name("pypi.org".into());
        let address = Host::Address("10.0.0.1".parse().unwrap());
        let hello = |name: Option<&str>| Hello { name: name.map(Into::into), hides_name: false };
        for (host, said, expected) in [
            (&name, Some("pypi.org"), Ok(true)),
            (&name, Some("PyPI.org"), Ok(true)),
            (&name, Some("pypi.org."), Ok(false)),
            (&name, Some("evil.example"), Ok(false)),
            (&name, Some("xpypi.org"), Ok(false)),
            (&name, None, Err(End::Cut("its TLS handshake names no host"))),
            (&address, None, Ok(true)),
            (&address, Some("10.0.0.1"), Ok(false)),
        ] {
            assert_eq!(is_for(&hello(said), host), expected, "{host} {said:?}");
        }
        let hidden = Hello { name: Some("pypi.org".into()), hides_name: true };
        assert!(is_for(&hidden, &name).is_err());
    }

    #[test]
    fn what_is_done_for_another_is_open_no_longer_than_that_was_passed_on() {
        let own = identity(1);
        let acting = |left_s: i64| {
            let delegation = Delegation {
                id: DelegationId(Uuid::nil()),
                to: own.agent.clone(),
                givers: vec![own.clone()],
                scope: vec!["pypi/connect".parse().unwrap()].try_into().unwrap(),
                interaction: None,
                link: Link::None,
                expires_wall_s: clock::wall_ms().div_euclid(1_000) + left_s,
            };
            Identity { acting: Some(Arc::new(delegation)), ..own.clone() }
        };
        let hour = Duration::from_hours(1);
        assert_eq!(age_max(&own, hour), hour);
        assert_eq!(age_max(&acting(7_200), hour), hour);
        assert!(age_max(&acting(300), hour) <= Duration::from_mins(5));
        assert_eq!(age_max(&acting(-5), hour), Duration::ZERO);
    }

    #[tokio::test]
    async fn who_says_nothing_has_had_enough() {
        let traffic = Traffic::new();
        assert_eq!(traffic.until_idle(Duration::ZERO).await, End::Cut("the client said nothing"));
        traffic.passed(&traffic.up, 1);
        assert_eq!(traffic.until_idle(Duration::ZERO).await, End::Timeout);
        traffic.passed(&traffic.down, 1);
        assert_eq!(traffic.until_idle(Duration::ZERO).await, End::Cut("nothing passed any more"));
        let hour = Duration::from_hours(1);
        let waits = tokio::time::timeout(Duration::from_millis(1), traffic.until_idle(hour));
        assert!(waits.await.is_err(), "there is time");
        traffic.half_closed.store(true, Ordering::Relaxed);
        assert_eq!(traffic.until_idle(Duration::ZERO).await, End::Ok);
    }
}
