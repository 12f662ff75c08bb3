//! What must hold after every event, whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::ids::{Epoch, FuseId};
use lockgate_model::plan::Action;
use lockgate_rollout::event::{Command, Event, OutsideGate};
use lockgate_rollout::machine::Step;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_telemetry::arm::Arms;
use serde::Serialize;

use super::gateway::{Gateway, Latched, Routed};
use super::step::{Seen, last_action, whole};
use super::store::{GATEWAY_SEEN_MS, Store, Window};

/// Something that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// What should have held.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
    /// Virtual time.
    pub at_ms: u64,
}

/// Whether something holds; if not, what should have and what was seen.
pub(super) type Holds = Result<(), (&'static str, String)>;

pub(super) const WEIGHTS: &str = "weights sum to the whole";
const ONE_ACTOR: &str = "one actor";
pub(super) const CONFIRMED: &str = "no stage without a confirmed weight";
pub(super) const LASTS: &str = "a stage lasts its time";
pub(super) const NO_DATA: &str = "no pass on missing data";
const STOP: &str = "stop means zero";
pub(super) const EXPLAINED: &str = "every transition explained";
pub(super) const ENDED: &str = "ended releases stay ended";
const ONCE: &str = "effects are applied once, in order";
const COUNTED: &str = "a window counts once";
pub(super) const FUSES: &str = "a fuse yields only to a release without the candidate";
pub(super) const TAKEN_BACK: &str = "what is bad is taken back, and nothing else";
pub(super) const COMMANDS: &str = "a command does what it says";
pub(super) const WAITS: &str = "nothing goes on unasked, or in a freeze window";
pub(super) const WAY: &str = "phases follow one another as they must";

pub(super) fn need(holds: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err((invariant, what())) }
}

/// What is remembered to compare with.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Epochs that the gateways truly applied when that was said.
    confirmed: BTreeSet<Epoch>,
    /// Time that the stage had under a confirmed weight, by the true clock.
    dwell_ms: u64,
    since_ms: u64,
    highest_token: u64,
    /// Gateways that said they had stopped, and whether conversations may finish there.
    stopped: Option<bool>,
    stopped_ms: u64,
    delivered: BTreeSet<(usize, u64, u64)>,
    requests: [u64; 2],
    wrongly_refused: Option<String>,
    /// Whether the stage under way was confirmed by whom it asks.
    agreed: bool,
}

/// What was true when a step was decided, which may be long before it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    /// Whether the gateways that are heard of truly applied the newest split.
    pub(super) in_force: bool,
    /// When, by the true clock.
    pub(super) at_ms: u64,
    /// What the controller took for the time.
    pub(super) wall_ms: i64,
}

impl Watch {
    /// A step was committed. Time is that of its decision: what follows counts from there.
    pub(super) fn committed(
        &mut self,
        before: &Rollout,
        event: &Event,
        step: &Step,
        read: Read,
    ) -> Holds {
        let Read { in_force, at_ms: t_ms, wall_ms } = read;
        let runs = matches!(before.phase, Phase::Running | Phase::Extended) && before.applied;
        if runs {
            self.dwell_ms += t_ms.saturating_sub(self.since_ms);
        }
        self.since_ms = t_ms;
        let seen = Seen {
            before,
            event,
            after: &step.rollout,
            transition: step.transition.as_ref(),
            effects: &step.effects,
            frozen: before.plan.frozen_until(wall_ms).is_some(),
        };
        if let Event::Applied { epoch } = event
            && in_force
        {
            self.confirmed.insert(*epoch);
        }
        self.agreed |= matches!(event, Event::Gate { gate: OutsideGate::Confirm, open: true, .. });
        seen.ended()?;
        seen.explained()?;
        seen.split()?;
        seen.way()?;
        self.clock(&seen)?;
        self.raised(&seen)?;
        if let Event::Tick { signals, .. } = event {
            seen.judged(signals)?;
        }
        if seen.after.stage != before.stage {
            (self.dwell_ms, self.agreed) = (0, false);
        }
        if matches!(before.phase, Phase::RollingBack { .. }) && seen.after.phase.is_end() {
            let drains = last_action(before) == Some(Action::Switch);
            (self.stopped, self.stopped_ms) = (Some(drains), t_ms);
        }
        let refused = self.wrongly_refused.take();
        need(refused.is_none(), COMMANDS, || refused.unwrap_or_default())
    }

    /// No more time than went by under a confirmed weight, and no end of a stage before its time.
    fn clock(&self, seen: &Seen<'_>) -> Holds {
        let Seen { before, after, event, .. } = seen;
        let real_ms = self.dwell_ms;
        let grown_ms = after.dwell_ms.saturating_sub(before.dwell_ms);
        let watched = matches!(event, Event::Tick { observed: true, .. });
        need(watched || grown_ms == 0, LASTS, || {
            format!("{grown_ms} ms count that nobody watched")
        })?;
        need(grown_ms <= 2 * before.plan.tick_ms, LASTS, || {
            format!("one look added {grown_ms} ms to the stage's clock")
        })?;
        need(after.stage != before.stage || after.dwell_ms >= before.dwell_ms, LASTS, || {
            format!("the stage's clock went back to {} ms", after.dwell_ms)
        })?;
        need(after.stage != before.stage || after.dwell_ms <= real_ms, LASTS, || {
            format!("the stage's clock says {} ms, {real_ms} ms went by", after.dwell_ms)
        })?;
        let stands = !matches!(before.phase, Phase::Running | Phase::Extended);
        need(
            !stands || after.dwell_ms == before.dwell_ms || after.stage != before.stage,
            LASTS,
            || format!("the stage's clock runs while it is {}", before.phase),
        )
    }

    /// A stage was passed: its weight was in force, for its time, and its gates held.
    fn raised(&self, seen: &Seen<'_>) -> Holds {
        let Seen { before, event, after, .. } = seen;
        let passed = after.stage > before.stage
            || after.phase == Phase::Promoted && before.phase != Phase::Promoted;
        if !passed {
            return need(after.stage == before.stage, WAY, || "a stage came again".into());
        }
        need(after.stage <= before.stage + 1, CONFIRMED, || "a stage was left out".into())?;
        let Event::Tick { signals, .. } = event else { return Ok(()) };
        let last = before.stage + 1 == before.plan.stages.len();
        need(last == (after.phase == Phase::Promoted), CONFIRMED, || {
            format!("{} after stage {}", after.phase, before.stage)
        })?;
        need(before.applied && self.confirmed.contains(&before.epoch), CONFIRMED, || {
            format!("stage {} went on, epoch {} was not in force", before.stage, before.epoch.0)
        })?;
        let least_ms = before.stage().duration_ms;
        need(self.dwell_ms >= least_ms, LASTS, || {
            format!("stage {} had {} of {least_ms} ms", before.stage, self.dwell_ms)
        })?;
        need(!seen.frozen, WAITS, || format!("stage {} went on while frozen", before.stage))?;
        let asks = before.stage().confirm.is_some();
        need(!asks || self.agreed, WAITS, || format!("nobody confirmed stage {}", before.stage))?;
        seen.gates(signals)
    }

    /// A command that was refused, which is right in few cases.
    pub(super) fn refused(&mut self, rollout: &Rollout, event: &Event) {
        let waits = matches!(rollout.phase, Phase::WaitingGate { .. });
        if matches!(event, Event::Gate { .. }) && !waits {
            return;
        }
        let Event::Command { command, .. } = event else {
            self.wrongly_refused = Some(format!("{event:?} was refused"));
            return;
        };
        let paused = matches!(rollout.phase, Phase::Paused { .. });
        let right = rollout.phase.is_end()
            || matches!(rollout.phase, Phase::RollingBack { .. })
            || *command == Command::Pause && paused
            || *command == Command::Resume && (!paused || overrides_while_frozen(rollout))
            || rollout.candidate_healthy == Some(false)
                && matches!(command, Command::Promote | Command::Resume);
        if !right {
            self.wrongly_refused = Some(format!("{command:?} was refused in {}", rollout.phase));
        }
    }

    /// A write was taken.
    pub(super) fn one_actor(&mut self, name: usize, fence: u64, store: &Store) -> Holds {
        let leads = store.lease.is_some_and(|lease| lease.holder == name && lease.token == fence);
        let newest = fence >= self.highest_token;
        self.highest_token = self.highest_token.max(fence);
        need(leads && newest, ONE_ACTOR, || format!("controller {name} wrote with token {fence}"))
    }

    /// An effect was performed.
    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    pub(super) fn performed(&self, store: &Store) -> Holds {
        let mut open = None;
        for (id, row) in store.outbox.iter().enumerate() {
            need(row.applied <= 1, ONCE, || format!("effect {id} was applied twice"))?;
            need(row.applied == 0 || open.is_none(), ONCE, || {
                format!("effect {id} was applied before {open:?}")
            })?;
            open = open.or((row.applied == 0).then_some(id));
        }
        let newest = store.snapshots.last().map(|snapshot| &snapshot.split);
        newest.map_or(Ok(()), whole)
    }

    /// Fuses yielded.
    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    pub(super) fn yielded(&self, yielded: &[Latched], gateway: &Gateway) -> Holds {
        need(yielded.is_empty() || !gateway.offers(), FUSES, || {
            let ids: Vec<FuseId> = yielded.iter().map(|fuse| fuse.id).collect();
            format!("{ids:?} yielded while the candidate has a share")
        })
    }

    /// Users were routed.
    pub(super) fn routed(
        &self,
        name: usize,
        gateway: &Gateway,
        routed: &Routed,
        t_ms: u64,
    ) -> Holds {
        let Routed { to_candidate, to_draining, .. } = routed;
        let any = to_candidate + to_draining;
        need(gateway.fuses.is_empty() || any == 0, STOP, || {
            format!("gateway {name} sent {any} requests past its fuse")
        })?;
        let Some(drains) = self.stopped else { return Ok(()) };
        // Whoever took no part in the confirmation, and has met no store since that says so, gives
        // up when it hears nothing for long.
        let no_part = gateway.obeyed_ms + GATEWAY_SEEN_MS < self.stopped_ms;
        if no_part
            || t_ms < gateway.cut_off_until_ms
            || t_ms < gateway.deaf_until_ms
            || gateway.offers()
        {
            return Ok(());
        }
        need(*to_candidate == 0 && (drains || *to_draining == 0), STOP, || {
            format!("gateway {name} sent {to_candidate} + {to_draining} requests after the stop")
        })
    }

    /// A window reached the store.
    pub(super) fn delivered(&mut self, window: &Window, rollout: &Rollout) {
        let late = rollout.ended_wall_ms.is_some_and(|ended| window.at_wall_ms > ended);
        if self.delivered.insert(window.key) && window.of_rollout && !late {
            self.requests[0] += window.arms.candidate.assigned;
            self.requests[1] += window.arms.stable.assigned;
        }
    }

    /// What judges will read is what was delivered.
    pub(super) fn counted(&self, evidence: &BTreeMap<Epoch, Arms>) -> Holds {
        let sum = |of: fn(&Arms) -> u64| evidence.values().map(of).sum::<u64>();
        let seen = [sum(|arms| arms.candidate.assigned), sum(|arms| arms.stable.assigned)];
        need(seen == self.requests, COUNTED, || {
            format!("evidence has {seen:?} requests, {:?} were delivered", self.requests)
        })
    }
}

/// A person may go past an open gate, but not in a freeze window.
fn overrides_while_frozen(rollout: &Rollout) -> bool {
    let overrides = matches!(rollout.phase, Phase::Paused { overrides_gate: true, .. });
    overrides && rollout.frozen_until_wall_ms.is_some()
}
