//! The copy of a request, made while the request passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use lockgate_telemetry::arm::Mirrored;
use tokio::sync::mpsc;

use crate::aside::pair::Pair;
use crate::clock;
use crate::observe::shard::Shard;
use crate::table::{AgentRoute, Testing};

/// Largest body that is copied.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Room for the bodies of all copies that are under way or wait.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes held of one copy.
#[derive(Debug)]
struct Room {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// Takes more; false when there is none.
    fn take(&mut self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes += bytes;
        held <= HELD_BYTES_MAX && self.bytes <= BODY_BYTES_MAX
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A whole request for the candidate.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) testing: Arc<Testing>,
    pub(crate) agent: Arc<AgentRoute>,
    pub(crate) user: Option<u64>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// The request's own path, by which its answer is read.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<Bytes>,
    pub(crate) pair: Arc<Pair>,
    room: Room,
}

/// Where copies go.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    pub(crate) sender: mpsc::Sender<Copied>,
    pub(crate) shard: Arc<Shard>,
    held: Arc<AtomicUsize>,
}

impl Copies {
    /// To this queue, counted in this shard.
    pub(crate) fn new(sender: mpsc::Sender<Copied>, shard: Arc<Shard>) -> Self {
        Self { sender, shard, held: Arc::default() }
    }

    /// A copy whose body is still to come.
    pub(crate) fn draft(&self, head: Head, agent: Arc<AgentRoute>, user: Option<u64>) -> Draft {
        let Head { testing, method, uri, path, headers } = head;
        let shard = Arc::clone(&self.shard);
        let pair = Arc::new(Pair::new(shard, Arc::clone(&testing.target)));
        let room = Room { held: Arc::clone(&self.held), bytes: 0 };
        let body = Vec::new();
        let copied = Copied { testing, agent, user, method, uri, path, headers, body, pair, room };
        Draft { copied: Box::new(copied), fits: true, copies: self.clone() }
    }
}

/// What a copy has before its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) testing: Arc<Testing>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

/// A copy under way. One that is dropped unfinished was left by its client.
#[derive(Debug)]
pub(crate) struct Draft {
    copied: Box<Copied>,
    fits: bool,
    copies: Copies,
}

impl Draft {
    /// Where the user's answer is to be told of.
    pub(crate) fn pair(&self) -> Arc<Pair> {
        Arc::clone(&self.copied.pair)
    }

    /// A piece of the body, shared and not copied.
    pub(crate) fn saw(&mut self, bytes: &Bytes) {
        if !self.fits {
            return;
        }
        self.fits = self.copied.room.take(bytes.len());
        if self.fits {
            self.copied.body.push(bytes.clone());
        } else {
            self.copied.body = Vec::new();
        }
    }

    /// The body is over: hands the copy on, or counts that there was no room for it.
    pub(crate) fn submit(self) {
        let Self { copied, fits, copies } = self;
        let testing = Arc::clone(&copied.testing);
        if !fits || copies.sender.try_send(*copied).is_err() {
            skipped(&copies.shard, &testing);
        }
    }
}

/// Counts a request that was chosen and not copied.
pub(crate) fn skipped(shard: &Shard, testing: &Testing) {
    let mirrored = Mirrored { skipped: 1, ..Mirrored::default() };
    shard.mirrored(&testing.target, clock::wall_ms(), &mirrored);
}
