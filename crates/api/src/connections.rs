//! Who holds a connection. One that asks nothing makes room for the next, so that sockets that
//! nobody uses never keep anyone out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// One address may hold this part of all connections; more than there are event streams.
const PEER_PART: usize = 2;

/// All connections that are open.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    open_max: usize,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// Grows with everything that happens: a number for each connection, and the order of times.
    now: u64,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    peer: IpAddr,
    /// Requests whose answers are not sent yet.
    under_way: usize,
    idle_since: u64,
    /// Dropped to make it leave.
    _leave: oneshot::Sender<()>,
}

/// A place among the connections, as long as it lives.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    table: Arc<Mutex<Table>>,
}

impl Connections {
    pub(crate) fn new(open_max: usize) -> Self {
        Self { open_max, table: Arc::default() }
    }

    /// A place, and what ends when it has to be left. At the limit the connection that has been
    /// idle longest leaves, of the same address if that has its part; `None` when none is idle.
    pub(crate) fn admit(&self, peer: IpAddr) -> Option<(Place, oneshot::Receiver<()>)> {
        let peer = peer.to_canonical();
        let mut table = lock(&self.table);
        let of_peer = table.open.values().filter(|open| open.peer == peer).count();
        if of_peer >= (self.open_max / PEER_PART).max(1) {
            table.evict(|open| open.peer == peer)?;
        } else if table.open.len() >= self.open_max {
            table.evict(|_| true)?;
        }
        table.now += 1;
        let (id, idle_since) = (table.now, table.now);
        let (leave, left) = oneshot::channel();
        table.open.insert(id, Open { peer, under_way: 0, idle_since, _leave: leave });
        Some((Place { id, table: Arc::clone(&self.table) }, left))
    }
}

impl Table {
    fn evict(&mut self, of: impl Fn(&Open) -> bool) -> Option<()> {
        let idle = self.open.iter().filter(|(_, open)| open.under_way == 0 && of(open));
        let longest = idle.min_by_key(|(_, open)| open.idle_since).map(|(id, _)| *id)?;
        self.open.remove(&longest).map(drop)
    }
}

impl Place {
    /// Until its end the connection is not idle.
    pub(crate) fn busy(&self) -> Busy {
        if let Some(open) = lock(&self.table).open.get_mut(&self.id) {
            open.under_way += 1;
        }
        Busy { id: self.id, table: Arc::clone(&self.table) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.table).open.remove(&self.id);
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Busy {
    id: u64,
    table: Arc<Mutex<Table>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        table.now += 1;
        let now = table.now;
        if let Some(open) = table.open.get_mut(&self.id) {
            open.under_way -= 1;
            open.idle_since = now;
        }
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer's body; its connection is busy until it is sent.
pub(crate) struct Sending {
    body: Body,
    _busy: Busy,
}

impl Sending {
    pub(crate) fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        hyper::body::Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn left(receiver: &mut oneshot::Receiver<()>) -> bool {
        !matches!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    #[test]
    fn the_longest_idle_one_leaves_and_a_busy_one_stays() {
        let all = Connections::new(3);
        let (first, mut first_left) = all.admit(peer(1)).expect("a place");
        let (_second, mut second_left) = all.admit(peer(2)).expect("a place");
        let (third, mut third_left) = all.admit(peer(3)).expect("a place");
        let busy = first.busy();
        let (_fourth, mut fourth_left) = all.admit(peer(4)).expect("the second makes room");
        assert!(left(&mut second_left) && !left(&mut first_left) && !left(&mut third_left));
        // Since its request it has been idle for less time than the third.
        drop(busy);
        let _fifth = all.admit(peer(5)).expect("the third makes room");
        assert!(left(&mut third_left) && !left(&mut first_left) && !left(&mut fourth_left));
        drop(third);
        assert_eq!(lock(&all.table).open.len(), 3, "who has left counts once");
    }

    #[test]
    fn one_address_drives_out_only_itself() {
        let all = Connections::new(4);
        let (_other, mut other_left) = all.admit(peer(1)).expect("a place");
        let places: Vec<_> = (0..50).filter_map(|_| all.admit(peer(2))).collect();
        assert_eq!(places.len(), 50);
        assert!(!left(&mut other_left));
        assert_eq!(lock(&all.table).open.len(), 3);
        // The same one as an IPv6 socket tells it.
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 2).to_ipv6_mapped());
        let _mapped = all.admit(mapped).expect("a place");
        assert_eq!(lock(&all.table).open.len(), 3);
    }

    #[test]
    fn nobody_who_is_served_is_cut() {
        let all = Connections::new(4);
        let (one, mut one_left) = all.admit(peer(1)).expect("a place");
        let (two, mut two_left) = all.admit(peer(1)).expect("a place");
        let _busy = [one.busy(), two.busy()];
        assert!(all.admit(peer(1)).is_none());
        assert!(!left(&mut one_left) && !left(&mut two_left));
        assert!(all.admit(peer(2)).is_some(), "another address has room");
    }
}
