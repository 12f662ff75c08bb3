//! What every part of a running gateway shares.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use lockgate_model::ids::{BootId, GatewayName, Revision};
use lockgate_model::snapshot::{Mode, Snapshot};
use lockgate_telemetry::price::Prices;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tracing::info;

use crate::Ports;
use crate::affinity::Moment;
use crate::aside::copy::Copies;
use crate::conversations::Conversations;
use crate::egress::calls::Calls;
use crate::egress::outside::keys::Keys;
use crate::egress::pins::Unsaid;
use crate::egress::tally::Tally;
use crate::fuse::Latches;
use crate::health::Health;
use crate::live::{Registry, closed};
use crate::observe::Observed;
use crate::pin::Pins;
use crate::provenance::Provenance;
use crate::sealed::Salt;
use crate::table::{AgentRoute, ApplyError, Beside, Table, Target};
use crate::tickets::Tickets;

/// A version that crossed a hard limit, and at how many errors.
pub(crate) struct Crossed {
    pub(crate) target: Arc<Target>,
    pub(crate) errors: u32,
}

/// Shared by all workers and background tasks.
pub(crate) struct Core {
    pub(crate) name: GatewayName,
    pub(crate) boot: BootId,
    pub(crate) dir: PathBuf,
    pub(crate) ports: Ports,
    pub(crate) prices: Arc<Prices>,
    /// A client that takes nothing for so long, while there is something for it, has left.
    pub(crate) client_stall_max: std::time::Duration,
    pub(crate) trust_forwarded: bool,
    pub(crate) ticket_ttl_ms: i64,
    /// The current picture: one pointer load per request.
    pub(crate) table: ArcSwap<Table>,
    /// The revision whose every effect is in force: what reports say.
    pub(crate) applied: AtomicU64,
    pub(crate) registry: Registry,
    pub(crate) latches: Latches,
    /// Whether the newest snapshot was heard of since the start: the one on disk may be older.
    pub(crate) is_current: AtomicBool,
    /// How agents' calls ended.
    pub(crate) tally: Tally,
    /// What was seen of tools and is not in the snapshot yet.
    pub(crate) unsaid: Unsaid,
    /// What agents have read and done.
    pub(crate) provenance: Provenance,
    /// Keys of issuers outside.
    pub(crate) outside: Keys,
    /// Calls of agents under way.
    pub(crate) calls: Arc<Calls>,
    /// Held while a latch is being made.
    pub(crate) latching: tokio::sync::Mutex<()>,
    pub(crate) pins: Pins,
    pub(crate) tickets: Tickets,
    pub(crate) user_salt: Salt,
    pub(crate) conversation_salt: Salt,
    /// For what people are asked about.
    pub(crate) question_salt: Salt,
    pub(crate) conversations: Conversations,
    pub(crate) control: ControlHeard,
    pub(crate) observed: Observed,
    pub(crate) health: Health,
    /// To the thread that sends copies of requests to candidates.
    pub(crate) copies: Copies,
    /// To the task that latches hard limits.
    pub(crate) crossed: mpsc::Sender<Crossed>,
    /// Makes the follower report at once.
    pub(crate) wake: Notify,
    /// Where ports are called: workers have runtimes of their own.
    pub(crate) main: Handle,
    pub(crate) started: Instant,
    pub(crate) forged_pins: AtomicU64,
}

impl Core {
    /// Milliseconds since the start.
    pub(crate) fn monotonic_ms(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.started).as_millis()).unwrap_or(i64::MAX)
    }

    /// The time as routing needs it.
    pub(crate) fn moment(&self, table: &Table, at: Instant, wall_ms: i64) -> Moment {
        let stale_max_ms = table.snapshot.candidate_stale_max_ms;
        let control_stale = self.control.age_ms(self.monotonic_ms(at)) > stale_max_ms;
        Moment { wall_ms, control_stale }
    }

    /// The newest revision that is wholly in force.
    pub(crate) fn applied(&self) -> Revision {
        Revision(self.applied.load(Ordering::SeqCst))
    }

    /// Makes a snapshot the current one, or leaves everything as it is.
    pub(crate) fn apply(&self, snapshot: Snapshot) -> Result<(), ApplyError> {
        let table = Arc::new(Table::compile(
            snapshot,
            &self.registry,
            &self.latches,
            &*self.ports.secrets,
        )?);
        for route in &table.agents {
            open_allowed(route);
        }
        let old = self.table.swap(Arc::clone(&table));
        // From here on no new pick can choose what the new table forbids; what was picked from the
        // old one finds the door closed and picks again.
        for route in &table.agents {
            close_forbidden(route);
        }
        for target in targets(&old) {
            if !targets(&table).any(|kept| kept.live.id == target.live.id) {
                target.live.close(closed::STOPPED);
            }
        }
        self.quarantine(&table);
        self.calls.cut(|identity, tool, user| {
            let orders = &table.quarantined;
            identity.parties().any(|one| table.known.admit(one, &self.outside).is_err())
                || orders.call(identity, tool).is_some()
                || user.is_some_and(|user| orders.user_of_call(identity, user).is_some())
        });
        for fuse in self.latches.release(&table.snapshot.acknowledged_fuses) {
            info!(fuse = %fuse.id, agent = %fuse.agent, version = %fuse.version, "fuse released");
            if !self.latches.holds(&fuse.agent, &fuse.version) {
                for live in self.registry.of(&fuse.agent, &fuse.version) {
                    live.row.end();
                    live.open(closed::LATCHED);
                    // A latch that came in between must not be undone.
                    if self.latches.holds(&fuse.agent, &fuse.version) {
                        live.close(closed::LATCHED);
                    }
                }
            }
        }
        drop(old);
        self.outside.look_again();
        self.registry.forget_unused();
        self.applied.store(table.snapshot.revision.0, Ordering::SeqCst);
        Ok(())
    }
}

impl Core {
    /// Stops what an order is in force against, in the split or not, and opens what none is.
    fn quarantine(&self, table: &Table) {
        for live in self.registry.all() {
            if table.quarantined.version(&live.agent, &live.version).is_none() {
                live.open(closed::QUARANTINED);
            } else if !live.is_quarantined() {
                live.close(closed::QUARANTINED);
                live.cut();
            }
        }
    }
}

fn members(route: &AgentRoute) -> impl Iterator<Item = &Beside> {
    let shares = route.shares.as_ref();
    shares.into_iter().flat_map(|shares| [&shares.candidate, &shares.retiring]).flatten()
}

fn targets(table: &Table) -> impl Iterator<Item = &Arc<Target>> {
    table.agents.iter().flat_map(|route| {
        let stable = route.shares.as_ref().map(|shares| &shares.stable);
        let testing = route.testing().map(|testing| &testing.target);
        stable.into_iter().chain(members(route).map(|beside| &beside.target)).chain(testing)
    })
}

fn forbidden(mode: Mode) -> u8 {
    match mode {
        Mode::Open | Mode::Drain { .. } => 0,
        Mode::Stopped => closed::STOPPED,
        Mode::Cut => closed::CUT,
    }
}

fn open_allowed(route: &AgentRoute) {
    for beside in members(route) {
        beside.target.live.open((closed::STOPPED | closed::CUT) & !forbidden(beside.mode));
    }
    if let Some(testing) = route.testing() {
        testing.target.live.open(closed::STOPPED | closed::CUT);
    }
    if let Some(shares) = &route.shares {
        shares.stable.live.open(closed::STOPPED | closed::CUT);
    }
}

fn close_forbidden(route: &AgentRoute) {
    for beside in members(route) {
        beside.target.live.close(forbidden(beside.mode));
        if beside.mode == Mode::Cut {
            beside.target.live.cut();
        }
    }
}

/// When control was last alive, on this process's clock.
#[derive(Debug)]
pub(crate) struct ControlHeard {
    /// Milliseconds since the start; negative for before it.
    alive_monotonic_ms: AtomicI64,
    /// The newest sign of life, by the store's clock; `i64::MIN` without any.
    alive_wall_ms: AtomicI64,
}

impl ControlHeard {
    /// At a start, `age_ms` after control was last alive.
    pub(crate) fn new(age_ms: i64) -> Self {
        Self {
            alive_monotonic_ms: AtomicI64::new(0_i64.saturating_sub(age_ms.max(0))),
            alive_wall_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// A sign of life came in. Only a new one counts: the time since is measured here, as the
    /// store's clock may differ from ours. Returns whether it is new.
    pub(crate) fn heard(
        &self,
        alive_wall_ms: i64,
        now_monotonic_ms: i64,
        now_wall_ms: i64,
    ) -> bool {
        let before = self.alive_wall_ms.swap(alive_wall_ms, Ordering::Relaxed);
        if alive_wall_ms <= before {
            return false;
        }
        let first = before == i64::MIN;
        let age_ms = if first { (now_wall_ms - alive_wall_ms).max(0) } else { 0 };
        self.alive_monotonic_ms.fetch_max(now_monotonic_ms - age_ms, Ordering::Relaxed);
        true
    }

    /// Milliseconds since control was last alive.
    pub(crate) fn age_ms(&self, now_monotonic_ms: i64) -> u64 {
        let alive = self.alive_monotonic_ms.load(Ordering::Relaxed);
        u64::try_from(now_monotonic_ms.saturating_sub(alive)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_sign_of_life_resets_the_age() {
        let control = ControlHeard::new(500);
        assert_eq!(control.age_ms(0), 500);
        assert!(control.heard(10_000, 100, 10_050));
        assert_eq!(control.age_ms(100), 50);
        assert!(!control.heard(10_000, 900, 10_850));
        assert_eq!(control.age_ms(900), 850);
        // The store's clock may be far off: what counts is that it moved.
        assert!(control.heard(10_500, 1_000, 99_999_999));
        assert_eq!(control.age_ms(1_000), 0);
    }
}
