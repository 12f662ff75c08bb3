//! The loop of control, one write at a time: `lockgate-control`'s pass, with places to die between.

use std::ops::ControlFlow::{self, Break, Continue};

use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, Epoch, SecurityEventId};
use lockgate_rollout::event::{Effect, Event};
use lockgate_rollout::machine;
use uuid::Uuid;

use super::World;
use super::fault::Fault;
use super::store::{Commit, Item, Refused, Write};
use super::watch::Read;

/// How long a lease holds.
const LEASE_MS: u64 = 12_000;

#[derive(Debug)]
pub(super) struct Controller {
    boot: u128,
    since_ms: u64,
    pub(super) wall_skew_ms: i64,
    fence: Option<u64>,
    pub(super) down_until_ms: u64,
    /// It read, decided, and was then put to sleep.
    held: Option<(u64, u64, Write)>,
}

impl Controller {
    pub(super) fn new(name: usize) -> Self {
        Self {
            boot: (name as u128 + 1) << 64,
            since_ms: 0,
            wall_skew_ms: 0,
            fence: None,
            down_until_ms: 0,
            held: None,
        }
    }

    fn restart(&mut self, at_ms: u64) {
        self.boot += 1;
        (self.since_ms, self.down_until_ms, self.fence, self.held) = (at_ms, at_ms, None, None);
    }

    fn now(&self, t_ms: u64) -> Now {
        Now {
            wall_ms: i64::try_from(t_ms).unwrap_or(i64::MAX).saturating_add(self.wall_skew_ms),
            monotonic_ms: t_ms - self.since_ms,
            boot: BootId(Uuid::from_u128(self.boot)),
        }
    }
}

impl World<'_> {
    /// One pass, or what of it a fault leaves.
    pub(super) fn pass(&mut self, name: usize) {
        let t_ms = self.t_ms;
        if t_ms < self.controllers[name].down_until_ms || t_ms < self.store.down_until_ms {
            return;
        }
        if let Some((until_ms, _, _)) = self.controllers[name].held {
            if t_ms >= until_ms
                && let Some((_, fence, write)) = self.controllers[name].held.take()
            {
                self.note(|| format!("controller {name} wakes up and writes what it meant to"));
                let _ = self.apply(name, fence, write);
            }
            return;
        }
        let fence = self.store.acquire_lease(name, LEASE_MS, t_ms);
        self.controllers[name].fence = fence;
        if fence.is_some() {
            let _ = self.lead(name);
        }
    }

    fn lead(&mut self, name: usize) -> ControlFlow<()> {
        self.handle_inbox(name)?;
        self.perform_effects(name)?;
        self.confirm(name)?;
        self.tick(name)?;
        self.perform_effects(name)
    }

    fn handle_inbox(&mut self, name: usize) -> ControlFlow<()> {
        while let Some(item) = self.store.pending() {
            let event = match self.store.inbox[item].0.clone() {
                Item::Command(command) => {
                    let (by, reason) = ("someone".into(), "because".into());
                    Event::Command { command, by, reason }
                }
                Item::Gate(gate) => {
                    let (by, reason) = ("someone".into(), "it is fine".into());
                    Event::Gate { gate, about: None, open: true, by, reason }
                }
                Item::Security { id, stable_shows_it } => Event::Security {
                    id: SecurityEventId(Uuid::from_u128(id)),
                    detail: "read what it must not".into(),
                    by: "someone".into(),
                    stable_shows_it,
                },
                Item::Fuse { id, security } => {
                    Event::Fuse { id, cause: "a gateway cut the version off".into(), security }
                }
                Item::NewerVersion => {
                    Event::Superseded { by: "newer".parse().expect("a literal that is a name") }
                }
            };
            let command = matches!(event, Event::Command { .. } | Event::Gate { .. });
            let open = !self.store.rollout.phase.is_end();
            if open || command {
                self.step(name, event, Some(item), false)?;
            } else {
                self.write(name, Write::Finish { item })?;
            }
        }
        Continue(())
    }

    fn perform_effects(&mut self, name: usize) -> ControlFlow<()> {
        while let Some(id) = self.store.due() {
            let split = matches!(self.store.outbox[id].effect, Effect::SetSplit { .. });
            if split && self.chances.strike(Fault::DriverFailure, 0.15) {
                self.note(|| format!("effect {id} cannot be published"));
                let error = "the driver does not answer".into();
                self.step(name, Event::DriverFailed { error }, None, false)?;
                return Break(());
            }
            self.write(name, Write::Perform { id })?;
        }
        Continue(())
    }

    /// A split is applied when every gateway that is heard of reports it.
    fn confirm(&mut self, name: usize) -> ControlFlow<()> {
        let epoch = self.store.rollout.epoch;
        if self.store.rollout.applied || self.store.rollout.phase.is_end() {
            return Continue(());
        }
        if epoch.0 > 1 && self.chances.strike(Fault::DriverLies, 0.05) {
            self.note(|| "the split before is said to be applied".into());
            self.step(name, Event::Applied { epoch: Epoch(epoch.0 - 1) }, None, false)?;
        }
        let Some(wanted) = self.store.revision_of(epoch) else { return Continue(()) };
        let live = || self.store.live(self.t_ms);
        if live().next().is_none() || live().any(|(_, report)| report.applied < wanted) {
            return Continue(());
        }
        let in_force = live().all(|(gateway, _)| self.gateways[gateway].epoch() == epoch);
        self.step(name, Event::Applied { epoch }, None, in_force)
    }

    fn tick(&mut self, name: usize) -> ControlFlow<()> {
        let rollout = &self.store.rollout;
        let now = self.controllers[name].now(self.t_ms);
        let since_ms = rollout.last_tick.and_then(|last| now.since_ms(&last));
        if rollout.phase.is_end() || since_ms.is_some_and(|since| since < rollout.plan.tick_ms) {
            return Continue(());
        }
        let observed = self.store.live(self.t_ms).next().is_some();
        let signals = Box::new(self.store.signals(now.wall_ms, self.t_ms));
        self.step(name, Event::Tick { signals, observed }, None, false)
    }

    /// Decides what follows from an event, and writes it.
    fn step(
        &mut self,
        name: usize,
        event: Event,
        handled: Option<usize>,
        in_force: bool,
    ) -> ControlFlow<()> {
        let now = self.controllers[name].now(self.t_ms);
        let row_version = self.store.row_version;
        let Ok(step) = machine::step(&self.store.rollout, &event, now) else {
            self.watch.refused(&self.store.rollout, &event);
            return handled.map_or(Continue(()), |item| self.write(name, Write::Finish { item }));
        };
        if handled.is_none() && step.rollout == self.store.rollout {
            return Continue(());
        }
        let read = Read { in_force, at_ms: self.t_ms, wall_ms: now.wall_ms };
        let commit = Commit { row_version, event, step, handled, read };
        self.write(name, Write::Commit(Box::new(commit)))
    }

    fn write(&mut self, name: usize, write: Write) -> ControlFlow<()> {
        let Some(fence) = self.controllers[name].fence else { return Break(()) };
        let routine = match &write {
            Write::Commit(commit) => {
                matches!(commit.event, Event::Tick { .. }) && commit.step.transition.is_none()
            }
            _ => false,
        };
        let chance = if routine { self.rate(1.0) } else { 0.06 };
        if self.chances.strike(Fault::TwoControllers, chance) {
            let sleep_ms = self.chances.below(Fault::TwoControllers, 4 * LEASE_MS);
            self.note(|| format!("controller {name} sleeps {sleep_ms} ms before it writes"));
            self.controllers[name].held = Some((self.t_ms + sleep_ms, fence, write));
            return Break(());
        }
        if self.chances.strike(Fault::Crash, chance) {
            self.note(|| format!("controller {name} dies before {}", told(&write)));
            self.crash(name);
            return Break(());
        }
        if self.chances.strike(Fault::StoreOutage, chance) {
            let written = self.chances.below(Fault::StoreOutage, 2) == 1;
            self.outage();
            if written {
                self.note(|| "the store fails after it has written".into());
                let _ = self.apply(name, fence, write);
            }
            return Break(());
        }
        let dies = self.chances.strike(Fault::Crash, chance);
        self.apply(name, fence, write)?;
        if dies {
            self.note(|| format!("controller {name} dies after it"));
            self.crash(name);
            return Break(());
        }
        Continue(())
    }

    fn crash(&mut self, name: usize) {
        let away_ms = self.chances.below(Fault::Crash, 3 * self.setup.plan.tick_ms);
        self.controllers[name].restart(self.t_ms + away_ms);
    }

    /// The store takes the write, or refuses it; then everything that must hold is looked at.
    fn apply(&mut self, name: usize, fence: u64, write: Write) -> ControlFlow<()> {
        let what = if self.log.is_some() { told(&write) } else { String::new() };
        let refused = match write {
            Write::Commit(commit) => {
                let Commit { row_version, event, step, handled, read } = *commit;
                let before = self.store.rollout.clone();
                let done = self.store.commit(fence, row_version, &step, handled);
                if done.is_ok() {
                    let holds = self.watch.committed(&before, &event, &step, read);
                    self.judge(holds);
                }
                done
            }
            Write::Perform { id } => {
                let done = self.store.perform(fence, id);
                let holds = self.watch.performed(&self.store);
                self.judge(holds);
                done
            }
            Write::Finish { item } => self.store.finish(fence, item),
        };
        match refused {
            Ok(()) => {
                self.note(|| format!("controller {name}: {what}"));
                let holds = self.watch.one_actor(name, fence, &self.store);
                self.judge(holds);
                if self.broken.is_some() { Break(()) } else { Continue(()) }
            }
            Err(refused) => {
                self.note(|| format!("controller {name}: {what} is refused, {refused:?}"));
                if refused == Refused::Fenced {
                    self.controllers[name].fence = None;
                }
                Break(())
            }
        }
    }
}

/// A write in words.
fn told(write: &Write) -> String {
    match write {
        Write::Commit(commit) => {
            let Commit { event, step, .. } = commit.as_ref();
            let event = match event {
                Event::Tick { .. } => "tick".to_owned(),
                event => format!("{event:?}"),
            };
            let to = step.transition.as_ref().map_or("no transition".to_owned(), |transition| {
                let why = transition.causes.first().map_or("", |cause| cause.text.as_str());
                let share = f64::from(transition.weight_bp) / 100.0;
                format!("{} -> {} at {share} %: {why}", transition.from, transition.to)
            });
            format!("{event}: {to}")
        }
        Write::Perform { id } => format!("effect {id} is performed"),
        Write::Finish { item } => format!("item {item} is answered"),
    }
}
