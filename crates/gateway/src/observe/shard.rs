//! The accumulators of one worker: touched by that worker alone but for one sweep a second.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::interaction::{ErrorClass, Interaction};
use lockgate_telemetry::arm::{Arm, Completion, Mirrored, Probed};
use lockgate_telemetry::window::KEYS_MAX;

use crate::live::lock;
use crate::observe::Requests;
use crate::table::Target;

/// Interactions that wait in one shard for the next sweep.
const INTERACTIONS_MAX: usize = 32_768;

/// One version under one split in one second.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) target: Arc<Target>,
    pub(crate) arm: Arm,
    /// Salted hashes of sticky keys, and whether a charged error hit them.
    pub(crate) keys: HashMap<u64, bool>,
    pub(crate) keys_dropped: u64,
}

impl Tally {
    fn new(target: &Arc<Target>) -> Self {
        let target = Arc::clone(target);
        Self { target, arm: Arm::default(), keys: HashMap::new(), keys_dropped: 0 }
    }

    fn see(&mut self, user: Option<u64>, error: bool) {
        let Some(user) = user else { return };
        let full = self.keys.len() >= KEYS_MAX;
        match self.keys.entry(user) {
            Entry::Occupied(mut seen) => *seen.get_mut() |= error,
            Entry::Vacant(_) if full => self.keys_dropped += 1,
            Entry::Vacant(free) => {
                free.insert(error);
            }
        }
    }

    /// Adds everything of `other`, which is of the same target and second.
    pub(crate) fn merge(&mut self, other: Self) {
        self.arm.merge(&other.arm);
        self.keys_dropped += other.keys_dropped;
        for (user, error) in other.keys {
            self.see(Some(user), error);
        }
    }
}

/// By target and second.
pub(crate) type Tallies = HashMap<(u64, i64), Tally>;

type RequestKey = (AgentName, Option<VersionName>, Option<ErrorClass>);

#[derive(Debug, Default)]
struct Inner {
    tallies: Tallies,
    interactions: Vec<Interaction>,
    interactions_dropped: usize,
    requests: HashMap<RequestKey, u64>,
}

/// The accumulators of one worker.
#[derive(Debug, Default)]
pub(crate) struct Shard(Mutex<Inner>);

fn second_of(wall_ms: i64) -> i64 {
    wall_ms.div_euclid(1_000) * 1_000
}

impl Shard {
    /// A request was routed.
    pub(crate) fn assigned(&self, target: &Arc<Target>, user: Option<u64>, wall_ms: i64) {
        let mut inner = lock(&self.0);
        let key = (target.id, second_of(wall_ms));
        let tally = inner.tallies.entry(key).or_insert_with(|| Tally::new(target));
        tally.arm.assigned += 1;
        if user.is_none() {
            tally.arm.keyless(None);
        }
        tally.see(user, false);
    }

    /// A routed request ended.
    pub(crate) fn completed(
        &self,
        target: &Arc<Target>,
        user: Option<u64>,
        wall_ms: i64,
        completion: &Completion,
    ) {
        let mut inner = lock(&self.0);
        let key = (target.id, second_of(wall_ms));
        let tally = inner.tallies.entry(key).or_insert_with(|| Tally::new(target));
        tally.arm.complete(completion);
        if user.is_none() {
            tally.arm.keyless(Some(completion.error));
        }
        let error = completion.error.is_some_and(ErrorClass::charged);
        tally.see(user, error);
    }

    /// Copies of users' requests were sent, skipped or compared.
    pub(crate) fn mirrored(&self, target: &Arc<Target>, wall_ms: i64, mirrored: &Mirrored) {
        self.add(target, wall_ms, |arm| arm.mirrored.merge(mirrored));
    }

    /// A probe was run.
    pub(crate) fn probed(&self, target: &Arc<Target>, wall_ms: i64, name: String, run: &Probed) {
        self.add(target, wall_ms, |arm| arm.probes.entry(name).or_default().merge(run));
    }

    fn add(&self, target: &Arc<Target>, wall_ms: i64, add: impl FnOnce(&mut Arm)) {
        let mut inner = lock(&self.0);
        let key = (target.id, second_of(wall_ms));
        add(&mut inner.tallies.entry(key).or_insert_with(|| Tally::new(target)).arm);
    }

    /// A request ended, routed or not.
    pub(crate) fn ended(&self, interaction: Interaction) {
        let mut inner = lock(&self.0);
        let key = (interaction.agent.clone(), interaction.version.clone(), interaction.error);
        *inner.requests.entry(key).or_default() += 1;
        if inner.interactions.len() < INTERACTIONS_MAX {
            inner.interactions.push(interaction);
        } else {
            inner.interactions_dropped += 1;
        }
    }

    /// Takes the tallies of seconds before `before_wall_ms`.
    pub(crate) fn take_tallies(&self, before_wall_ms: i64) -> Tallies {
        let mut inner = lock(&self.0);
        let (done, open) = std::mem::take(&mut inner.tallies)
            .into_iter()
            .partition(|((_, second), _)| *second < before_wall_ms);
        inner.tallies = open;
        done
    }

    /// Takes the interactions, and how many there was no room for.
    pub(crate) fn take_interactions(&self) -> (Vec<Interaction>, usize) {
        let mut inner = lock(&self.0);
        let dropped = std::mem::take(&mut inner.interactions_dropped);
        (std::mem::take(&mut inner.interactions), dropped)
    }

    /// Adds this worker's counts.
    pub(crate) fn add_requests(&self, sum: &mut Requests) {
        for (key, count) in &lock(&self.0).requests {
            *sum.entry(key.clone()).or_default() += count;
        }
    }
}
