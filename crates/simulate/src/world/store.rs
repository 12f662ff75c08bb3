//! What survives: a store as `lockgate-store` is one, in memory.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::ids::{Epoch, FuseId};
use lockgate_model::snapshot::Split;
use lockgate_rollout::event::{Command, Effect, Event, OutsideGate};
use lockgate_rollout::machine::Step;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::{Block, Rollout};
use lockgate_telemetry::arm::{Arm, Arms};

use super::watch::Read;
use crate::look_back::merge;

/// Gateways that were not heard of for this long have no say.
pub(super) const GATEWAY_SEEN_MS: u64 = 10_000;

/// Who may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) holder: usize,
    pub(super) token: u64,
    until_ms: u64,
}

/// An effect, and how often it was applied.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) effect: Effect,
    pub(super) applied: u32,
    /// The snapshot that carries it.
    pub(super) revision: u64,
}

/// What control must handle.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Command(Command),
    Gate(OutsideGate),
    Security { id: u128, stable_shows_it: Option<bool> },
    Fuse { id: FuseId, security: bool },
    NewerVersion,
}

/// What gateways are told.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) split: Split,
    pub(super) acknowledged: BTreeSet<FuseId>,
}

/// What a gateway said last.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) applied: u64,
    pub(super) healthy: bool,
    pub(super) passed_in: Epoch,
    pub(super) seen_ms: u64,
}

/// What one gateway saw for a while. Unique by gateway, boot and number.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) key: (usize, u64, u64),
    pub(super) at_wall_ms: i64,
    pub(super) epoch: Epoch,
    pub(super) of_rollout: bool,
    pub(super) arms: Arms,
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// By someone who is no longer the leader.
    Fenced,
    /// About a rollout that has changed since it was read.
    Stale,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) down_until_ms: u64,
    pub(super) lease: Option<Lease>,
    pub(super) rollout: Rollout,
    pub(super) row_version: u64,
    /// Ids are places in it, counted from 0.
    pub(super) outbox: Vec<Row>,
    /// All before this one were applied.
    outbox_done: usize,
    pub(super) inbox: Vec<(Item, bool)>,
    /// Revisions are places in it, counted from 1.
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) reports: Vec<Option<Report>>,
    pub(super) control_alive_ms: u64,
    fuses: BTreeSet<FuseId>,
    counted: BTreeSet<(usize, u64, u64)>,
    pub(super) evidence: BTreeMap<Epoch, Arms>,
    recent: Vec<Window>,
    block: (Option<Block>, Arms),
    longest_ms: u64,
}

impl Store {
    pub(super) fn new(begun: Step, gateways: usize) -> Self {
        let stable = begun.rollout.stable.clone().expect("the world has a stable version");
        let longest_ms = begun.rollout.plan.windows_ms().last().copied().unwrap_or(0);
        let first = Snapshot { split: Split::whole(stable), acknowledged: BTreeSet::new() };
        let mut store = Self {
            down_until_ms: 0,
            lease: None,
            rollout: begun.rollout,
            row_version: 1,
            outbox: Vec::new(),
            outbox_done: 0,
            inbox: Vec::new(),
            snapshots: vec![first],
            reports: vec![None; gateways],
            control_alive_ms: 0,
            fuses: BTreeSet::new(),
            counted: BTreeSet::new(),
            evidence: BTreeMap::new(),
            recent: Vec::new(),
            block: (None, Arms::default()),
            longest_ms,
        };
        store.ask_for(begun.effects);
        store
    }

    pub(super) fn acquire_lease(&mut self, holder: usize, ttl_ms: u64, t_ms: u64) -> Option<u64> {
        let token = match self.lease {
            None => 1,
            Some(lease) if lease.holder == holder => lease.token,
            Some(lease) if lease.until_ms <= t_ms => lease.token + 1,
            Some(_) => return None,
        };
        self.lease = Some(Lease { holder, token, until_ms: t_ms + ttl_ms });
        self.control_alive_ms = t_ms;
        Some(token)
    }

    fn fenced(&self, fence: u64) -> Result<(), Refused> {
        let held = self.lease.is_some_and(|lease| lease.token == fence);
        if held { Ok(()) } else { Err(Refused::Fenced) }
    }

    /// State, effects and the item that was handled, together or not at all.
    pub(super) fn commit(
        &mut self,
        fence: u64,
        row_version: u64,
        step: &Step,
        handled: Option<usize>,
    ) -> Result<(), Refused> {
        self.fenced(fence)?;
        if row_version != self.row_version {
            return Err(Refused::Stale);
        }
        self.row_version += 1;
        self.rollout = step.rollout.clone();
        self.ask_for(step.effects.clone());
        if let Some(item) = handled {
            self.inbox[item].1 = true;
        }
        Ok(())
    }

    /// Nothing to step: the item is answered.
    pub(super) fn finish(&mut self, fence: u64, item: usize) -> Result<(), Refused> {
        self.fenced(fence)?;
        self.inbox[item].1 = true;
        Ok(())
    }

    fn ask_for(&mut self, effects: Vec<Effect>) {
        let row = |effect| Row { effect, applied: 0, revision: 0 };
        self.outbox.extend(effects.into_iter().map(row));
    }

    /// The first item that nobody handled.
    pub(super) fn pending(&self) -> Option<usize> {
        self.inbox.iter().position(|(_, handled)| !handled)
    }

    /// The first effect that was not applied: they come one after the other.
    pub(super) fn due(&self) -> Option<usize> {
        (self.outbox_done < self.outbox.len()).then_some(self.outbox_done)
    }

    /// Performs an effect and records it. One that was recorded before stays as it is.
    pub(super) fn perform(&mut self, fence: u64, id: usize) -> Result<(), Refused> {
        self.fenced(fence)?;
        if self.outbox[id].applied > 0 {
            return Ok(());
        }
        let newest = self.snapshots.last().expect("there is a first one").clone();
        match self.outbox[id].effect.clone() {
            Effect::SetSplit { split } => self.snapshots.push(Snapshot { split, ..newest }),
            Effect::AcknowledgeFuses { ids } => {
                let mut snapshot = newest;
                snapshot.acknowledged.extend(ids);
                self.snapshots.push(snapshot);
            }
            _ => {}
        }
        self.outbox[id].revision = self.snapshots.len() as u64;
        self.outbox[id].applied += 1;
        self.outbox_done = self.outbox_done.max(id + 1);
        Ok(())
    }

    /// The snapshot that first carried the split of this epoch.
    pub(super) fn revision_of(&self, epoch: Epoch) -> Option<u64> {
        let carries = |row: &&Row| match &row.effect {
            Effect::SetSplit { split } => split.epoch == epoch && row.applied > 0,
            _ => false,
        };
        self.outbox.iter().find(carries).map(|row| row.revision)
    }

    /// Gateways that were heard of lately.
    pub(super) fn live(&self, t_ms: u64) -> impl Iterator<Item = (usize, &Report)> {
        self.reports.iter().enumerate().filter_map(move |(name, report)| {
            let report = report.as_ref().filter(|one| t_ms - one.seen_ms <= GATEWAY_SEEN_MS)?;
            Some((name, report))
        })
    }

    /// A fuse that a gateway reports; each is told to control once.
    pub(super) fn report_fuse(&mut self, id: FuseId, security: bool) {
        if self.fuses.insert(id) {
            self.inbox.push((Item::Fuse { id, security }, false));
        }
    }

    /// Takes a window in; `false` when it was counted before, or is of no rollout, or came after
    /// its end.
    pub(super) fn take_in(&mut self, window: Window) -> bool {
        let ended = self.rollout.ended_wall_ms.is_some_and(|ended| window.at_wall_ms > ended);
        if !self.counted.insert(window.key) || !window.of_rollout || ended {
            return false;
        }
        merge(self.evidence.entry(window.epoch).or_default(), &window.arms);
        if self.block.0.is_some_and(|block| window.at_wall_ms > block.since_wall_ms) {
            merge(&mut self.block.1, &window.arms);
        }
        self.recent.push(window);
        true
    }

    /// What judges read.
    pub(super) fn signals(&mut self, now_wall_ms: i64, t_ms: u64) -> Signals {
        let block = self.rollout.block;
        if self.block.0 != block {
            let mut sum = Arms::default();
            let since_ms = block.map_or(i64::MAX, |block| block.since_wall_ms);
            let within = self.recent.iter().filter(|window| window.at_wall_ms > since_ms);
            within.for_each(|window| merge(&mut sum, &window.arms));
            self.block = (block, sum);
        }
        let mut recent = BTreeMap::new();
        for length_ms in self.rollout.plan.windows_ms() {
            let mut sum = Arms::default();
            let after = now_wall_ms.saturating_sub_unsigned(length_ms);
            let within = self.recent.iter().rev().filter(|window| window.at_wall_ms > after);
            within.for_each(|window| merge(&mut sum, &window.arms));
            recent.insert(length_ms, sum);
        }
        self.forget(t_ms);
        let healthy = self.healthy(t_ms);
        Signals {
            tested: Arm::default(),
            evidence: self.evidence.clone(),
            block: self.block.1.clone(),
            recent,
            candidate_healthy: healthy,
            candidate_test_healthy: healthy,
            drift: Vec::new(),
        }
    }

    /// What no judge looks back on any more, clocks that leap aside.
    fn forget(&mut self, t_ms: u64) {
        let keep_ms = self.longest_ms.max(self.rollout.plan.block_ms()).saturating_mul(4);
        if self.recent.len() > 4_000 {
            let after = i64::try_from(t_ms.saturating_sub(keep_ms)).unwrap_or(i64::MAX);
            self.recent.retain(|window| window.at_wall_ms > after);
        }
    }

    /// One gateway that sees it fail decides, then one that does not know under this weight.
    fn healthy(&self, t_ms: u64) -> Option<bool> {
        let epoch = self.rollout.epoch;
        let say = |report: &Report| {
            (!report.healthy || report.passed_in == epoch).then_some(report.healthy)
        };
        let said: Vec<Option<bool>> = self.live(t_ms).map(|(_, report)| say(report)).collect();
        if said.contains(&Some(false)) {
            return Some(false);
        }
        (!said.is_empty() && said.iter().all(Option::is_some)).then_some(true)
    }
}

/// What a controller asks the store to do.
#[derive(Debug)]
pub(super) enum Write {
    Commit(Box<Commit>),
    Perform { id: usize },
    Finish { item: usize },
}

/// A step, with the event that led to it and what was true when it was decided.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) row_version: u64,
    pub(super) event: Event,
    pub(super) step: Step,
    pub(super) handled: Option<usize>,
    pub(super) read: Read,
}
