//! Sweeps the shards, makes windows, and hands windows and interactions to their ports. Both
//! queues are bounded: while a port is away the oldest are given up, and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockgate_model::interaction::Interaction;
use lockgate_telemetry::window::{KeySeen, Window};
use tracing::warn;

use crate::clock;
use crate::core::Core;
use crate::observe::shard::{Tallies, Tally};
use crate::table::Target;

const WINDOWS_MAX: usize = 20_000;
const WINDOWS_BATCH: usize = 500;
const INTERACTIONS_MAX: usize = 200_000;
const INTERACTIONS_BATCH: usize = 2_000;

/// Time between two sweeps.
const SWEEP_MS: u64 = 250;

/// Longest wait for a port; one that hangs must not hold up the other.
const PORT_WAIT_MAX: Duration = Duration::from_secs(10);

/// Queues of one gateway.
pub(crate) struct Publisher {
    core: Arc<Core>,
    windows: VecDeque<Window>,
    interactions: VecDeque<Interaction>,
    seq: u64,
    failing: bool,
}

impl Publisher {
    /// With empty queues.
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let (windows, interactions) = (VecDeque::new(), VecDeque::new());
        Self { core, windows, interactions, seq: 0, failing: false }
    }

    /// Until `stop`, then once more for what is left.
    pub(crate) async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_millis(SWEEP_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            self.sweep(clock::wall_ms().div_euclid(1_000) * 1_000);
            self.send().await;
        }
        self.sweep(i64::MAX);
        self.send().await;
    }

    /// Takes what the shards hold of seconds before `before_wall_ms`.
    fn sweep(&mut self, before_wall_ms: i64) {
        let mut merged = Tallies::new();
        let observed = &self.core.observed;
        let aside = observed.aside();
        for shard in &observed.shards {
            let of_users = !Arc::ptr_eq(shard, &aside);
            for (key, tally) in shard.take_tallies(before_wall_ms) {
                if of_users {
                    let Target { agent, version, .. } = &*tally.target;
                    observed.seen(agent, version, &tally.arm);
                }
                match merged.get_mut(&key) {
                    Some(sum) => sum.merge(tally),
                    None => {
                        merged.insert(key, tally);
                    }
                }
            }
            let (interactions, dropped) = shard.take_interactions();
            self.interactions.extend(interactions);
            observed.interactions_given_up(dropped);
        }
        let mut done: Vec<_> = merged.into_iter().collect();
        done.sort_by_key(|((target, second), _)| (*second, *target));
        for ((_, second_wall_ms), tally) in done {
            let window = self.window(second_wall_ms, tally);
            self.windows.push_back(window);
        }
        self.bound();
    }

    fn bound(&mut self) {
        let windows = self.windows.len().saturating_sub(WINDOWS_MAX);
        self.windows.drain(..windows);
        self.core.observed.windows_dropped.fetch_add(windows as u64, Ordering::Relaxed);
        let interactions = self.interactions.len().saturating_sub(INTERACTIONS_MAX);
        self.interactions.drain(..interactions);
        self.core.observed.interactions_given_up(interactions);
    }

    fn window(&mut self, second_wall_ms: i64, tally: Tally) -> Window {
        self.seq += 1;
        let mut keys: Vec<KeySeen> =
            tally.keys.into_iter().map(|(key, error)| KeySeen { key, error }).collect();
        keys.sort_unstable();
        Window {
            gateway: self.core.name.clone(),
            boot: self.core.boot,
            seq: self.seq,
            second_wall_ms,
            agent: tally.target.agent.clone(),
            version: tally.target.version.clone(),
            rollout: tally.target.rollout,
            epoch: tally.target.epoch,
            arm: tally.arm,
            keys,
            keys_dropped: tally.keys_dropped,
        }
    }

    async fn send(&mut self) {
        let mut failed = None;
        while !self.windows.is_empty() {
            let batch: Vec<_> = self.windows.iter().take(WINDOWS_BATCH).cloned().collect();
            let count = batch.len();
            let sent = self.core.ports.windows.publish(batch);
            match tokio::time::timeout(PORT_WAIT_MAX, sent).await {
                Ok(Ok(())) => drop(self.windows.drain(..count)),
                Ok(Err(error)) => {
                    failed = Some(error.to_string());
                    break;
                }
                Err(_) => {
                    failed = Some("no answer in time".to_owned());
                    break;
                }
            }
        }
        while failed.is_none() && !self.interactions.is_empty() {
            let batch: Vec<_> =
                self.interactions.iter().take(INTERACTIONS_BATCH).cloned().collect();
            let count = batch.len();
            let sent = self.core.ports.interactions.append(batch);
            match tokio::time::timeout(PORT_WAIT_MAX, sent).await {
                Ok(Ok(())) => drop(self.interactions.drain(..count)),
                Ok(Err(error)) => failed = Some(error.to_string()),
                Err(_) => failed = Some("no answer in time".to_owned()),
            }
        }
        if let (Some(error), false) = (&failed, self.failing) {
            warn!(error, "measurements cannot be handed over; they are kept and tried again");
        }
        self.failing = failed.is_some();
    }
}
