//! What is seen of traffic: one record per request, made when its stream has ended; sharded
//! accumulators; windows once a second; interactions in batches.

pub(crate) mod answered;
pub(crate) mod own_time;
pub(crate) mod publish;
pub(crate) mod record;
pub(crate) mod shard;
pub(crate) mod totals;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::interaction::{ErrorClass, Score};
use lockgate_telemetry::arm::Arm;

use crate::live::lock;
use crate::observe::shard::Shard;
use crate::observe::totals::Totals;

/// Requests that ended, by where they went and how.
pub(crate) type Requests = BTreeMap<(AgentName, Option<VersionName>, Option<ErrorClass>), u64>;

/// The shards of all workers, and counters since the start.
#[derive(Debug)]
pub(crate) struct Observed {
    /// One per worker, and one for what is beside users' traffic.
    pub(crate) shards: Vec<Arc<Shard>>,
    requests: Mutex<Requests>,
    totals: Mutex<Totals>,
    /// Requests that matched no agent, or no valid request at all.
    pub(crate) unmatched: AtomicU64,
    /// Windows that were given up because the queue was full.
    pub(crate) windows_dropped: AtomicU64,
    /// Interactions that were given up because the queue was full.
    pub(crate) interactions_dropped: AtomicU64,
}

impl Observed {
    /// For so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            shards: (0..=workers).map(|_| Arc::default()).collect(),
            requests: Mutex::default(),
            totals: Mutex::default(),
            unmatched: AtomicU64::new(0),
            windows_dropped: AtomicU64::new(0),
            interactions_dropped: AtomicU64::new(0),
        }
    }

    /// The shard for what is beside users' traffic.
    pub(crate) fn aside(&self) -> Arc<Shard> {
        Arc::clone(self.shards.last().expect("there is one more than there are workers"))
    }

    /// Ended requests since the start.
    pub(crate) fn requests(&self) -> Requests {
        let mut sum = lock(&self.requests).clone();
        for shard in &self.shards {
            shard.add_requests(&mut sum);
        }
        sum
    }

    /// What was seen of each version since the start.
    pub(crate) fn totals(&self) -> Totals {
        lock(&self.totals).clone()
    }

    /// A window of a version is complete.
    fn seen(&self, agent: &AgentName, version: &VersionName, arm: &Arm) {
        let key = (agent.clone(), version.clone());
        lock(&self.totals).entry(key).or_default().add(arm);
    }

    /// A vote on an answer of a version counted.
    pub(crate) fn voted(&self, agent: AgentName, version: VersionName, score: Score) {
        lock(&self.totals).entry((agent, version)).or_default().feedback.record(score);
    }

    fn interactions_given_up(&self, count: usize) {
        self.interactions_dropped.fetch_add(count as u64, Ordering::Relaxed);
    }
}
