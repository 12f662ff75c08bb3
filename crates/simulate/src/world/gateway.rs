//! A gateway: applies what it is told, routes users, latches its fuse, counts what it sees.

use lockgate_model::ids::{Epoch, FuseId};
use lockgate_model::plan::WHOLE_BP;
use lockgate_model::snapshot::{Mode, Split};
use lockgate_telemetry::arm::Arms;

use super::store::{Report, Store, Window};
use crate::draw::Dice;
use crate::traffic::answer;
use crate::truth::Drawn;

/// A latched fuse.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latched {
    pub(super) id: FuseId,
    security: bool,
}

#[derive(Debug)]
pub(super) struct Gateway {
    name: usize,
    boot: u64,
    seq: u64,
    /// What it applies, and the snapshot that said so. Both are on disk.
    pub(super) applied: u64,
    pub(super) split: Split,
    pub(super) fuses: Vec<Latched>,
    /// Until then it hears of nothing.
    pub(super) cut_off_until_ms: u64,
    /// Until then it says that it hears, and goes on as before.
    pub(super) deaf_until_ms: u64,
    /// Until then it serves nobody.
    pub(super) down_until_ms: u64,
    control_alive_ms: u64,
    heard_ms: u64,
    /// When it last did what the store says.
    pub(super) obeyed_ms: u64,
    dice: Dice,
}

/// What became of users for a while.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) window: Option<Window>,
    /// Requests that began with the candidate.
    pub(super) to_candidate: u64,
    /// Requests of conversations that it began before.
    pub(super) to_draining: u64,
}

/// Of users, and of what they meet.
pub(super) struct Users<'a> {
    pub(super) t_ms: u64,
    pub(super) expected: f64,
    pub(super) versions: [&'a Drawn; 2],
    pub(super) stale_max_ms: u64,
}

impl Gateway {
    pub(super) fn new(name: usize, split: Split, seed: u64) -> Self {
        Self {
            name,
            boot: 0,
            seq: 0,
            applied: 1,
            split,
            fuses: Vec::new(),
            cut_off_until_ms: 0,
            deaf_until_ms: 0,
            down_until_ms: 0,
            control_alive_ms: 0,
            heard_ms: 0,
            obeyed_ms: 0,
            dice: Dice::new(seed ^ (name as u64 + 101).rotate_left(32)),
        }
    }

    pub(super) fn restart(&mut self, until_ms: u64) {
        (self.boot, self.seq, self.down_until_ms) = (self.boot + 1, 0, until_ms);
    }

    /// Whether its split gives the candidate a part, whatever else keeps it off.
    pub(super) fn offers(&self) -> bool {
        self.split.candidate.as_ref().is_some_and(|candidate| candidate.weight_bp > 0)
    }

    /// Cuts the candidate off here and now; `None` when there is nothing to cut off, or it is
    /// already. Written down before it acts.
    pub(super) fn latch(&mut self, id: FuseId, security: bool) -> Option<Latched> {
        let suspect = self.split.candidate.is_some() || self.split.retiring.is_some();
        let held = self.fuses.iter().any(|fuse| fuse.security || !security);
        if !suspect || held {
            return None;
        }
        let fuse = Latched { id, security };
        self.fuses.push(fuse);
        Some(fuse)
    }

    /// Reports to the store and hears back. Gives the fuses that yielded.
    pub(super) fn exchange(&mut self, store: &mut Store, healthy: bool, t_ms: u64) -> Vec<Latched> {
        if t_ms < self.cut_off_until_ms || t_ms < self.down_until_ms || t_ms < store.down_until_ms {
            return Vec::new();
        }
        self.report(store, healthy, t_ms);
        if store.control_alive_ms > self.control_alive_ms {
            (self.control_alive_ms, self.heard_ms) = (store.control_alive_ms, t_ms);
        }
        let newest = store.snapshots.len() as u64;
        if t_ms < self.deaf_until_ms {
            return Vec::new();
        }
        self.obeyed_ms = t_ms;
        if newest <= self.applied {
            return Vec::new();
        }
        let snapshot = store.snapshots.last().expect("there is a first one");
        self.split = snapshot.split.clone();
        self.applied = newest;
        let yields = |fuse: &mut Latched| snapshot.acknowledged.contains(&fuse.id);
        let yielded = self.fuses.extract_if(.., yields).collect();
        if self.dice.chance(0.5) {
            self.report(store, healthy, t_ms);
        }
        yielded
    }

    fn report(&self, store: &mut Store, healthy: bool, t_ms: u64) {
        for fuse in &self.fuses {
            store.report_fuse(fuse.id, fuse.security);
        }
        let (applied, passed_in) = (self.applied, self.split.epoch);
        store.reports[self.name] = Some(Report { applied, healthy, passed_in, seen_ms: t_ms });
    }

    /// Users come.
    pub(super) fn serve(&mut self, users: &Users<'_>) -> Option<Routed> {
        let Users { t_ms, versions: [candidate, stable], .. } = users;
        if *t_ms < self.down_until_ms {
            return None;
        }
        let forgotten = t_ms - self.heard_ms > users.stale_max_ms;
        let kept_off = forgotten || !self.fuses.is_empty();
        let weight_bp = self.split.candidate.as_ref().map_or(0, |candidate| candidate.weight_bp);
        let share = if kept_off { 0.0 } else { f64::from(weight_bp) / f64::from(WHOLE_BP) };
        let requests = self.dice.poisson(users.expected);
        let to_candidate = self.dice.binomial(requests, share);
        let drains = !kept_off && self.drains(*t_ms);
        let to_draining = if drains { self.dice.poisson(users.expected / 50.0) } else { 0 };
        let mut arms = Arms::default();
        let (new, old) = (to_candidate + to_draining, requests - to_candidate);
        answer(&mut [Some(&mut arms.candidate), None, None], candidate, new, &mut self.dice);
        answer(&mut [Some(&mut arms.stable), None, None], stable, old, &mut self.dice);
        self.seq += 1;
        let window = (new + old > 0).then(|| Window {
            key: (self.name, self.boot, self.seq),
            at_wall_ms: i64::try_from(*t_ms).unwrap_or(i64::MAX),
            epoch: self.split.epoch,
            of_rollout: self.split.rollout.is_some(),
            arms,
        });
        Some(Routed { window, to_candidate, to_draining })
    }

    /// Whether conversations with the version that is leaving go on.
    fn drains(&self, t_ms: u64) -> bool {
        let retiring = self.split.retiring.as_ref();
        retiring.is_some_and(|retiring| match retiring.mode {
            Mode::Drain { until_wall_ms } => i64::try_from(t_ms).is_ok_and(|t| t < until_wall_ms),
            _ => false,
        })
    }

    /// The epoch whose weights it goes by.
    pub(super) fn epoch(&self) -> Epoch {
        self.split.epoch
    }
}
