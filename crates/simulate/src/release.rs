//! One release from its start to its end, without faults around it.

use std::sync::Arc;

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, Epoch, RolloutId};
use lockgate_model::measure::Measure;
use lockgate_model::plan::{Plan, WHOLE_BP};
use lockgate_rollout::event::{Effect, Event, OutsideGate};
use lockgate_rollout::explain::{Cause, Transition};
use lockgate_rollout::machine;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::{NewRollout, start};
use lockgate_rollout::state::{Block, Phase, Rollout};
use lockgate_telemetry::arm::{Arm, Arms, Probed};
use uuid::Uuid;

use crate::draw::Dice;
use crate::look_back::LookBack;
use crate::traffic::{Pinned, Places, Traffic, Weather, answer};
use crate::truth::{Drawn, Truth};

/// A release to simulate.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The plan to follow.
    pub plan: Arc<Plan>,
    /// Signals the agent produces.
    pub sources: Vec<SignalSource>,
    /// The agent's own measures. Every answer reports all of them.
    pub measures: Vec<Measure>,
    /// Which latency its judges read.
    pub latency: LatencyMeasure,
    /// How users come.
    pub traffic: Traffic,
    /// What the stable version is like.
    pub stable: Truth,
    /// What the candidate is like.
    pub candidate: Truth,
    /// What the candidate is like from some time on, milliseconds after its first user.
    pub later: Option<(u64, Truth)>,
}

impl Setting {
    /// A version like its stable one, of an agent with all signals, under usual traffic.
    pub fn identical(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            sources: vec![SignalSource::Feedback, SignalSource::Cost],
            measures: Vec::new(),
            latency: LatencyMeasure::Total,
            traffic: Traffic::default(),
            stable: Truth::default(),
            candidate: Truth::default(),
            later: None,
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The phase it ended in; `paused` when a person has to decide, and nobody does; `running` and
    /// such when time was over first.
    pub phase: Phase,
    /// The stage it was in.
    pub stage: usize,
    /// Time that it took until its end, or until it was held for good.
    pub time_ms: u64,
    /// Requests of all users since the candidate had its first (or since it changed).
    pub requests: u64,
    /// Of those, the candidate's.
    pub candidate_requests: u64,
    /// Every step on its way.
    pub transitions: Vec<Transition>,
}

impl Ended {
    /// What took it back, or holds it, if something did.
    pub fn cause(&self) -> Option<&Cause> {
        let ill = |step: &&Transition| matches!(step.to.as_str(), "rolling_back" | "paused");
        self.transitions.iter().rev().find(ill)?.causes.first()
    }

    /// Its rule.
    pub fn rule(&self) -> Option<&str> {
        self.cause().map(|cause| cause.rule.as_str())
    }
}

struct World<'a> {
    setting: &'a Setting,
    versions: [Drawn; 2],
    dice: Dice,
    weather: Weather,
    pinned: [Pinned; 2],
    rollout: Rollout,
    /// What the gateways apply, and since when the block counts.
    applied: (Epoch, u32),
    block: Option<Block>,
    look_back: LookBack,
    ended: Ended,
}

/// Runs it until its end, or until twice the longest way through its stages.
pub fn run(setting: &Setting, seed: u64) -> Ended {
    let mut dice = Dice::new(seed);
    let new = new_rollout(setting, &mut dice);
    let begun = start(new, at(0));
    let rollout = begun.rollout;
    let ended = Ended {
        phase: rollout.phase.clone(),
        stage: 0,
        time_ms: 0,
        requests: 0,
        candidate_requests: 0,
        transitions: begun.transition.into_iter().collect(),
    };
    let weather = Weather::new(&setting.traffic.arrivals, &mut dice);
    let mut world = World {
        setting,
        versions: [setting.candidate, setting.stable]
            .map(|truth| Drawn::new(truth, &setting.measures)),
        dice,
        weather,
        pinned: [Pinned::default(), Pinned::under_way(&setting.traffic)],
        applied: (Epoch(0), 0),
        block: None,
        look_back: LookBack::new(&setting.plan.windows_ms()),
        rollout,
        ended,
    };
    world.run(&begun.effects);
    world.ended
}

pub(crate) fn new_rollout(setting: &Setting, dice: &mut Dice) -> NewRollout {
    NewRollout {
        id: RolloutId(Uuid::from_u128(dice.bits())),
        agent: "agent".parse().expect("a literal that is a name"),
        candidate: "candidate".parse().expect("a literal that is a name"),
        stable: Some("stable".parse().expect("a literal that is a name")),
        // Virtual time has no calendar.
        plan: Plan { freeze: Vec::new(), drift: None, ..Plan::clone(&setting.plan) },
        by_key: setting.traffic.conversation.is_some(),
        latency: setting.latency,
        sources: setting.sources.clone(),
        probes: Vec::new(),
        probes_digest: None,
        measures: setting.measures.clone(),
        by: "simulation".into(),
        reason: "what would become of it".into(),
        fuses: Vec::new(),
        waits_for: vec![],
        passed_before: None,
    }
}

/// The candidate in the test environment: like its health, its probes are taken to be well.
pub(crate) fn probes_kept() -> Arm {
    let well = Probed { passed: u64::from(u32::MAX), ..Probed::default() };
    Arm { probes: [("every probe".to_owned(), well)].into(), ..Arm::default() }
}

fn at(ms: u64) -> Now {
    Now {
        wall_ms: i64::try_from(ms).unwrap_or(i64::MAX),
        monotonic_ms: ms,
        boot: BootId(Uuid::nil()),
    }
}

impl World<'_> {
    fn run(&mut self, effects: &[Effect]) {
        let mut event = Event::Tick { signals: Box::default(), observed: true };
        let mut ordered = None;
        take_splits(effects, &mut ordered);
        let tick_ms = self.setting.plan.tick_ms;
        let longest = |stage: &lockgate_model::plan::Stage| {
            stage.duration_ms.saturating_add(stage.extension_max_ms)
        };
        let ticks_max = 2 * self.setting.plan.stages.iter().map(longest).sum::<u64>() / tick_ms + 8;
        let mut held = None;
        for tick in 1..=ticks_max {
            let now = at(tick * tick_ms);
            self.ended.time_ms = tick * tick_ms;
            if let Some((epoch, weight_bp)) = ordered.take() {
                let (_, before_bp) = std::mem::replace(&mut self.applied, (epoch, weight_bp));
                self.follow(before_bp, weight_bp);
                self.begin_epoch(&mut event);
                self.take(&Event::Applied { epoch }, now, &mut ordered);
                if self.rollout.phase.is_end() {
                    break;
                }
            }
            let Event::Tick { signals, .. } = &mut event else { break };
            self.traffic(signals, tick * tick_ms);
            self.take(&event, now, &mut ordered);
            if matches!(self.rollout.phase, Phase::WaitingGate { .. }) {
                // Whoever is asked says yes: what the numbers lead to is the question here.
                let (by, reason) = ("simulation".into(), "assumed".into());
                let gate = OutsideGate::Confirm;
                let about = Some(self.rollout.about());
                let yes = Event::Gate { gate, about, open: true, by, reason };
                self.take(&yes, now, &mut ordered);
            }
            if let Phase::Paused { overrides_gate, .. } = self.rollout.phase {
                let Ended { time_ms, requests, candidate_requests, .. } = self.ended;
                held.get_or_insert((time_ms, requests, candidate_requests));
                // Nobody is here to decide. Triggers stay armed; a gate is not asked again.
                if overrides_gate {
                    break;
                }
            }
        }
        if let Some(held) = held.filter(|_| matches!(self.rollout.phase, Phase::Paused { .. })) {
            let Ended { time_ms, requests, candidate_requests, .. } = &mut self.ended;
            (*time_ms, *requests, *candidate_requests) = held;
        }
        self.ended.phase = self.rollout.phase.clone();
        self.ended.stage = self.rollout.stage;
    }

    fn take(&mut self, event: &Event, now: Now, ordered: &mut Option<(Epoch, u32)>) {
        let Ok(step) = machine::step(&self.rollout, event, now) else { return };
        self.rollout = step.rollout;
        self.ended.transitions.extend(step.transition);
        take_splits(&step.effects, ordered);
    }

    /// Users by key change over with the weight.
    fn follow(&mut self, before_bp: u32, weight_bp: u32) {
        if !self.setting.traffic.conversation.is_some_and(|one| one.keyed) || weight_bp <= before_bp
        {
            return;
        }
        let share = f64::from(weight_bp - before_bp) / f64::from(WHOLE_BP - before_bp);
        let [candidate, stable] = &mut self.pinned;
        stable.change_over(candidate, share, &mut self.dice);
    }

    fn begin_epoch(&mut self, event: &mut Event) {
        let Event::Tick { signals, .. } = event else { return };
        signals.candidate_healthy = Some(true);
        signals.candidate_test_healthy = Some(true);
        signals.tested = probes_kept();
        let arms = signals.evidence.entry(self.applied.0).or_default();
        let [candidate, stable] = &mut self.pinned;
        candidate.new_epoch(&mut arms.candidate);
        stable.new_epoch(&mut arms.stable);
    }

    fn traffic(&mut self, signals: &mut Signals, now_ms: u64) {
        let (epoch, weight_bp) = self.applied;
        if weight_bp == 0 && self.ended.candidate_requests == 0 {
            return;
        }
        if self.block != self.rollout.block {
            self.block = self.rollout.block;
            signals.block = Arms::default();
        }
        let looks_back = !self.look_back.is_empty();
        let mut seen = Arms::default();
        let evidence = signals.evidence.entry(epoch).or_default();
        let before = [evidence.candidate.assigned, evidence.stable.assigned];
        let mut candidate: Places<'_> = [
            Some(&mut evidence.candidate),
            Some(&mut signals.block.candidate),
            looks_back.then_some(&mut seen.candidate),
        ];
        let mut stable: Places<'_> = [
            Some(&mut evidence.stable),
            Some(&mut signals.block.stable),
            looks_back.then_some(&mut seen.stable),
        ];
        let tick_ms = self.setting.plan.tick_ms;
        let length_s = tick_ms as f64 / 1e3;
        let busy = self.weather.next(tick_ms, &mut self.dice);
        let expected = self.setting.traffic.requests_per_s * busy * length_s;
        let weight = f64::from(weight_bp) / f64::from(WHOLE_BP);
        let dice = &mut self.dice;
        match &self.setting.traffic.conversation {
            None => {
                let requests = dice.poisson(expected);
                let to_candidate = dice.binomial(requests, weight);
                answer(&mut candidate, &self.versions[0], to_candidate, dice);
                answer(&mut stable, &self.versions[1], requests - to_candidate, dice);
            }
            Some(conversation) => {
                let begun = dice.poisson(expected / conversation.requests());
                let to_candidate = dice.binomial(begun, weight);
                let [first, second] = &mut self.pinned;
                let [new, old] = &self.versions;
                first.tick(&mut candidate, new, to_candidate, conversation, length_s, dice);
                second.tick(&mut stable, old, begun - to_candidate, conversation, length_s, dice);
            }
        }
        let after = [evidence.candidate.assigned, evidence.stable.assigned];
        self.count(after[0] - before[0], after[1] - before[1]);
        if looks_back {
            self.look_back.push(now_ms, &seen, &mut signals.recent);
        }
    }

    fn count(&mut self, candidate: u64, stable: u64) {
        self.ended.candidate_requests += candidate;
        self.ended.requests += candidate + stable;
        if let Some((after_ms, later)) = self.setting.later
            && self.rollout.elapsed_ms >= after_ms
            && self.versions[0].truth != later
        {
            // From here on it is another version that has to be found.
            self.versions[0] = Drawn::new(later, &self.setting.measures);
            self.ended.candidate_requests = 1;
            self.ended.requests = 0;
        }
    }
}

fn take_splits(effects: &[Effect], ordered: &mut Option<(Epoch, u32)>) {
    for effect in effects {
        if let Effect::SetSplit { split } = effect {
            let weight_bp = split.candidate.as_ref().map_or(0, |member| member.weight_bp);
            *ordered = Some((split.epoch, weight_bp));
        }
    }
}
