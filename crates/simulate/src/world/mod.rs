//! A release in a world where things go wrong: a store, controllers, gateways and users in virtual
//! time, and what must hold looked at after every event. The same seed gives the same story.
//!
//! The machine and the judges are the real ones. Store, control and gateways are small copies of
//! the real ones' rules: leases with tokens, an outbox, windows that count once, fuses that yield to
//! their own id.

mod controller;
mod fault;
mod gateway;
mod judged;
mod oracle;
mod shrink;
mod step;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, FuseId, RolloutId};
use lockgate_model::measure::Measure;
use lockgate_model::plan::Plan;
use lockgate_rollout::event::{Command, OutsideGate};
use lockgate_rollout::start::{NewRollout, start};
use lockgate_rollout::state::Phase;
use uuid::Uuid;

pub use fault::{Fault, Faults, UnknownFault};
pub use shrink::shrink;
pub use watch::Broken;

use crate::draw::Dice;
use crate::truth::{Drawn, Truth};
use controller::Controller;
use fault::Chances;
use gateway::{Gateway, Users};
use store::{Item, Store, Window};
use watch::{Holds, Watch};

/// A release, and what may go wrong with it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The plan to follow.
    pub plan: Arc<Plan>,
    /// Signals the agent produces.
    pub sources: Vec<SignalSource>,
    /// The agent's own measures, all from 0 to 1.
    pub measures: Vec<Measure>,
    /// Which latency its judges read.
    pub latency: LatencyMeasure,
    /// Mean requests per second of all users.
    pub requests_per_s: f64,
    /// What the stable version is like.
    pub stable: Truth,
    /// What the candidate is like.
    pub candidate: Truth,
    /// Whether the candidate passes its health checks.
    pub healthy: bool,
    /// How many gateways.
    pub gateways: usize,
    /// What goes wrong.
    pub faults: Faults,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Where the release was at the end.
    pub phase: Phase,
    /// Virtual time.
    pub time_ms: u64,
    /// How often each fault struck.
    pub struck: BTreeMap<Fault, u32>,
    /// How many steps were committed.
    pub steps: u64,
    /// What did not hold, if something did not: the story ends there.
    pub broken: Option<Broken>,
    /// What happened, for who asked for it.
    pub log: Vec<String>,
}

/// Runs a release until it ended and gateways came to rest, or something does not hold.
pub fn run(setup: &Setup, seed: u64) -> Story {
    World::new(setup, seed, None).run()
}

/// The same, and says what happened.
pub fn tell(setup: &Setup, seed: u64) -> Story {
    World::new(setup, seed, Some(Vec::new())).run()
}

struct World<'a> {
    setup: &'a Setup,
    t_ms: u64,
    /// Everything happens at multiples of it.
    beat_ms: u64,
    planned_ms: u64,
    chances: Chances,
    dice: Dice,
    store: Store,
    controllers: Vec<Controller>,
    gateways: Vec<Gateway>,
    network: Vec<(u64, Window)>,
    versions: [Drawn; 2],
    sick: [Drawn; 2],
    sick_until_ms: u64,
    fresh: u128,
    ended_ms: Option<u64>,
    watch: Watch,
    broken: Option<Broken>,
    log: Option<Vec<String>>,
}

/// Who acts.
#[derive(Clone, Copy)]
enum Actor {
    Gateway(usize),
    Controller(usize),
    Network,
    People,
}

impl<'a> World<'a> {
    fn new(setup: &'a Setup, seed: u64, log: Option<Vec<String>>) -> Self {
        let mut dice = Dice::new(seed);
        let new = NewRollout {
            id: RolloutId(Uuid::from_u128(dice.bits())),
            agent: "agent".parse().expect("a literal that is a name"),
            candidate: "candidate".parse().expect("a literal that is a name"),
            stable: Some("stable".parse().expect("a literal that is a name")),
            plan: Plan::clone(&setup.plan),
            by_key: false,
            latency: setup.latency,
            sources: setup.sources.clone(),
            probes: Vec::new(),
            probes_digest: None,
            measures: setup.measures.clone(),
            by: "simulation".into(),
            reason: "what could become of it".into(),
            fuses: Vec::new(),
            waits_for: vec![],
            passed_before: None,
        };
        let now = Now { wall_ms: 0, monotonic_ms: 0, boot: BootId(Uuid::nil()) };
        let store = Store::new(start(new, now), setup.gateways);
        let chances = Chances::new(&setup.faults, seed);
        let controllers = if chances.on(Fault::TwoControllers) { 2 } else { 1 };
        let split = store.snapshots[0].split.clone();
        let drawn = |truth: Truth| Drawn::coarse(truth, &setup.measures);
        let sick = |truth: Truth| drawn(Truth { error_rate: 0.5, ..truth });
        Self {
            setup,
            t_ms: 0,
            beat_ms: (setup.plan.tick_ms / 2).clamp(1, 5_000),
            planned_ms: setup.plan.stages.iter().map(|stage| stage.duration_ms).sum(),
            chances,
            dice,
            store,
            controllers: (0..controllers).map(Controller::new).collect(),
            gateways: (0..setup.gateways).map(|n| Gateway::new(n, split.clone(), seed)).collect(),
            network: Vec::new(),
            versions: [setup.candidate, setup.stable].map(drawn),
            sick: [setup.candidate, setup.stable].map(sick),
            sick_until_ms: 0,
            fresh: 0,
            ended_ms: None,
            watch: Watch::default(),
            broken: None,
            log,
        }
    }

    fn run(mut self) -> Story {
        let longest =
            |stage: &lockgate_model::plan::Stage| stage.duration_ms + stage.extension_max_ms;
        let longest_ms = self.setup.plan.stages.iter().map(longest).sum::<u64>();
        let quiet_ms = longest_ms + 10 * self.setup.plan.tick_ms;
        let horizon_ms = quiet_ms + 2 * longest_ms + 60 * self.setup.plan.tick_ms;
        let mut actors: Vec<Actor> = (0..self.gateways.len()).map(Actor::Gateway).collect();
        actors.extend((0..self.controllers.len()).map(Actor::Controller));
        actors.extend([Actor::Network, Actor::People]);
        while self.broken.is_none() && !self.is_over(quiet_ms) {
            if self.t_ms >= horizon_ms {
                let phase = self.store.rollout.phase.as_str();
                let what = format!("it is still {phase} long after faults have ceased");
                self.judge(Err(("every release ends", what)));
                break;
            }
            self.t_ms += self.beat_ms;
            self.chances.quiet = self.t_ms >= quiet_ms;
            self.things_go_wrong();
            for index in (1..actors.len()).rev() {
                let other = self.dice.below(index as u64 + 1);
                actors.swap(index, usize::try_from(other).unwrap_or(0));
            }
            for &actor in &actors {
                if self.broken.is_none() {
                    self.act(actor);
                }
            }
        }
        Story {
            phase: self.store.rollout.phase,
            time_ms: self.t_ms,
            struck: self.chances.struck,
            steps: self.store.row_version - 1,
            broken: self.broken,
            log: self.log.unwrap_or_default(),
        }
    }

    /// Whether it has ended and conversations had time to finish, or waits for a person for good.
    fn is_over(&mut self, quiet_ms: u64) -> bool {
        let phase = &self.store.rollout.phase;
        if phase.is_end() {
            let ended_ms = *self.ended_ms.get_or_insert(self.t_ms);
            let rest_ms = self.setup.plan.drain_ms + 4 * self.setup.plan.tick_ms;
            return self.t_ms > ended_ms + rest_ms;
        }
        let held = matches!(phase, Phase::Paused { .. } | Phase::WaitingGate { .. });
        held && self.t_ms > quiet_ms + 4 * self.setup.plan.tick_ms
    }

    fn act(&mut self, actor: Actor) {
        match actor {
            Actor::Controller(name) => self.pass(name),
            Actor::Gateway(name) => self.gateway(name),
            Actor::Network => self.deliver(),
            Actor::People => self.people(),
        }
    }

    fn gateway(&mut self, name: usize) {
        let gateway = &mut self.gateways[name];
        let before = gateway.applied;
        let yielded = gateway.exchange(&mut self.store, self.setup.healthy, self.t_ms);
        if gateway.applied != before && self.log.is_some() {
            let (applied, share) = (gateway.applied, gateway.split.candidate.clone());
            let share = share.map_or(0, |candidate| candidate.weight_bp);
            self.note(|| format!("gateway {name} applies revision {applied}, {share} bp"));
        }
        let gateway = &self.gateways[name];
        let holds = self.watch.yielded(&yielded, gateway);
        let sick = self.t_ms < self.sick_until_ms;
        let [candidate, stable] = if sick { &self.sick } else { &self.versions };
        let users = Users {
            t_ms: self.t_ms,
            expected: self.setup.requests_per_s * self.beat_ms as f64
                / 1e3
                / self.gateways.len() as f64,
            versions: [candidate, stable],
            stale_max_ms: 6 * self.setup.plan.tick_ms,
        };
        let Some(routed) = self.gateways[name].serve(&users) else { return self.judge(holds) };
        let gateway = &self.gateways[name];
        let holds = holds.and_then(|()| self.watch.routed(name, gateway, &routed, self.t_ms));
        self.judge(holds);
        if let Some(window) = routed.window {
            self.send(window);
        }
    }

    fn send(&mut self, window: Window) {
        if self.chances.strike(Fault::LostWindows, 0.03) {
            return self.note(|| format!("window {:?} is lost", window.key));
        }
        let late = |world: &mut Self, fault| {
            world.t_ms + (1 + world.chances.below(fault, 12)) * world.beat_ms
        };
        if self.chances.strike(Fault::DuplicatedWindows, 0.05) {
            let at_ms = late(self, Fault::DuplicatedWindows);
            self.network.push((at_ms, window.clone()));
        }
        let at_ms = if self.chances.strike(Fault::LateWindows, 0.1) {
            late(self, Fault::LateWindows)
        } else {
            self.t_ms
        };
        self.network.push((at_ms, window));
    }

    fn deliver(&mut self) {
        if self.t_ms < self.store.down_until_ms {
            return;
        }
        let due: Vec<(u64, Window)> =
            self.network.extract_if(.., |(at_ms, _)| *at_ms <= self.t_ms).collect();
        for (_, window) in due {
            self.watch.delivered(&window, &self.store.rollout);
            self.store.take_in(window);
        }
        let holds = self.watch.counted(&self.store.evidence);
        self.judge(holds);
    }

    /// What nobody planned.
    fn things_go_wrong(&mut self) {
        let tick_ms = self.setup.plan.tick_ms;
        if self.chances.strike(Fault::StoreOutage, self.rate(1.0)) {
            self.outage();
        }
        if self.chances.strike(Fault::SickBaseline, self.rate(0.5)) {
            let sick_ms = self.chances.below(Fault::SickBaseline, 20 * tick_ms);
            self.sick_until_ms = self.t_ms + sick_ms;
            self.note(|| format!("both versions fail for {sick_ms} ms"));
        }
        for name in 0..self.controllers.len() {
            if self.chances.strike(Fault::ClockJumps, self.rate(1.5)) {
                let reach_ms = [60_000, 3_600_000, 86_400_000];
                let which = self.chances.below(Fault::ClockJumps, 3);
                let reach_ms = reach_ms[usize::try_from(which).unwrap_or(0)];
                let leap_ms = self.chances.below(Fault::ClockJumps, 2 * reach_ms).cast_signed();
                let leap_ms = leap_ms - reach_ms.cast_signed();
                self.controllers[name].wall_skew_ms = leap_ms;
                self.note(|| format!("the clock of controller {name} is {leap_ms} ms off"));
            }
        }
        for name in 0..self.gateways.len() {
            if self.chances.strike(Fault::DriverLies, self.rate(1.0)) {
                let deaf_ms = self.chances.below(Fault::DriverLies, 10 * tick_ms);
                self.gateways[name].deaf_until_ms = self.t_ms + deaf_ms;
                self.note(|| format!("gateway {name} applies nothing for {deaf_ms} ms"));
            }
            if self.chances.strike(Fault::GatewayOutage, self.rate(1.0)) {
                let away_ms = self.chances.below(Fault::GatewayOutage, 10 * tick_ms);
                let gateway = &mut self.gateways[name];
                if away_ms.is_multiple_of(2) {
                    gateway.restart(self.t_ms + away_ms);
                } else {
                    gateway.cut_off_until_ms = self.t_ms + away_ms;
                }
                self.note(|| format!("gateway {name} is away for {away_ms} ms"));
            }
        }
    }

    fn outage(&mut self) {
        let down_ms = self.chances.below(Fault::StoreOutage, 6 * self.setup.plan.tick_ms);
        self.store.down_until_ms = self.t_ms + down_ms;
        self.note(|| format!("the store is down for {down_ms} ms"));
    }

    /// What people and rules say about the release.
    fn people(&mut self) {
        let up = self.t_ms >= self.store.down_until_ms;
        if self.chances.strike(Fault::SecurityEvents, self.rate(0.25)) {
            let stable_shows_it = [None, Some(false), Some(true)];
            let which = self.chances.below(Fault::SecurityEvents, 3);
            let stable_shows_it = stable_shows_it[usize::try_from(which).unwrap_or(0)];
            self.fresh += 1;
            self.note(|| "a security event".into());
            if up {
                let id = self.fresh;
                self.store.inbox.push((Item::Security { id, stable_shows_it }, false));
            }
            self.latch(Fault::SecurityEvents, true);
        }
        if self.chances.strike(Fault::Fuses, self.rate(0.2)) {
            self.latch(Fault::Fuses, false);
        }
        let waits = matches!(self.store.rollout.phase, Phase::WaitingGate { .. });
        // Who is asked answers sooner.
        let often = if waits { 20.0 } else { 2.0 };
        if up && self.chances.strike(Fault::Operators, self.rate(often)) {
            let item = match self.chances.below(Fault::Operators, 16) {
                0..8 if waits => Item::Gate(OutsideGate::Confirm),
                0..6 => Item::Command(Command::Pause),
                6..12 => Item::Command(Command::Resume),
                12 => Item::Command(Command::Promote),
                13 | 14 => Item::Command(Command::Abort),
                _ => Item::NewerVersion,
            };
            self.note(|| format!("someone says {item:?}"));
            self.store.inbox.push((item, false));
        }
    }

    /// One gateway cuts the candidate off.
    fn latch(&mut self, fault: Fault, security: bool) {
        let which = self.chances.below(fault, self.gateways.len() as u64);
        let which = usize::try_from(which).unwrap_or(0);
        self.fresh += 1;
        let id = FuseId(Uuid::from_u128(self.fresh));
        if self.gateways[which].latch(id, security).is_some() {
            self.note(|| format!("gateway {which} latches its fuse"));
        }
    }

    /// The chance at every beat of what happens so many times in a release.
    fn rate(&self, times: f64) -> f64 {
        (times * self.beat_ms as f64 / self.planned_ms.max(1) as f64).min(0.5)
    }

    fn judge(&mut self, holds: Holds) {
        if let Err((invariant, what)) = holds
            && self.broken.is_none()
        {
            self.note(|| format!("BROKEN: {invariant}: {what}"));
            self.broken = Some(Broken { invariant, what, at_ms: self.t_ms });
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        let t_ms = self.t_ms;
        if let Some(log) = &mut self.log {
            log.push(format!("{:>9.1} s  {}", t_ms as f64 / 1e3, what()));
        }
    }
}
