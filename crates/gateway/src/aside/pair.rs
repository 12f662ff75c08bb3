//! The answer that a user got beside the one to the copy: compared, never kept.

use std::sync::{Arc, Mutex};

use lockgate_telemetry::arm::Mirrored;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::live::lock;
use crate::observe::shard::Shard;
use crate::table::Target;

/// The body of one answer, digested as it passes.
#[derive(Debug, Default)]
pub(crate) struct Half(Sha256);

impl Half {
    /// A piece of it.
    pub(crate) fn saw(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }
}

/// Two answers to one request. Whichever comes to its end second has them compared; an answer that
/// broke off is compared with nothing.
#[derive(Debug)]
pub(crate) struct Pair {
    shard: Arc<Shard>,
    /// What the copy is counted for.
    target: Arc<Target>,
    first: Mutex<Option<(u16, Half)>>,
}

impl Pair {
    /// Of a request that is copied to `target`.
    pub(crate) fn new(shard: Arc<Shard>, target: Arc<Target>) -> Self {
        Self { shard, target, first: Mutex::default() }
    }

    /// One of the two answers is whole.
    pub(crate) fn whole(&self, status: u16, body: Half) {
        let mut first = lock(&self.first);
        let Some((other_status, other)) = first.take() else {
            *first = Some((status, body));
            return;
        };
        let same_status = status == other_status;
        let same_body = same_status && body.0.finalize() == other.0.finalize();
        let mirrored = Mirrored {
            compared: 1,
            same_status: u64::from(same_status),
            same_body: u64::from(same_body),
            ..Mirrored::default()
        };
        self.shard.mirrored(&self.target, clock::wall_ms(), &mirrored);
    }
}
