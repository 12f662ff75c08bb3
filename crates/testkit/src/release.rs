//! A release without a world around it: time, signals and gateways are what the test says.

use lockgate_model::agent::{LatencyMeasure, SignalSource};
use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, Epoch, RolloutId};
use lockgate_model::plan::{
    ALPHA_DEFAULT, Absent, Action, AlertLevel, Assurance, Bound, Environment, Gate, Judge, Metric,
    OnInsufficient, Plan, Stage, Trigger,
};
use lockgate_model::snapshot::{Mode, Split};
use lockgate_rollout::event::{About, Command, Effect, Event, OutsideGate};
use lockgate_rollout::explain::Transition;
use lockgate_rollout::machine::{self, TransitionError};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::{NewRollout, start};
use lockgate_rollout::state::Rollout;
use lockgate_telemetry::arm::{Arm, Arms};
use uuid::Uuid;

/// How often the plan's judges look.
pub const TICK_MS: u64 = 10_000;
/// How long each stage takes.
pub const STAGE_MS: u64 = 60_000;
/// How far back its triggers look.
pub const WINDOW_MS: u64 = 300_000;

/// A gate as it is when only its bound and samples are given.
pub fn gate(metric: Metric, bound: Bound, min_samples: u64) -> Gate {
    Gate {
        metric,
        bound,
        min_samples,
        judge: Judge::Threshold,
        assurance: Assurance::Observed,
        absent: Absent::Refuse,
        dry_run: false,
    }
}

/// A trigger over [`WINDOW_MS`] and 50 samples.
pub fn trigger(metric: Metric, bound: Bound, action: Action, alert: AlertLevel) -> Trigger {
    let judge = Judge::Threshold;
    let window_ms = WINDOW_MS;
    Trigger { metric, bound, judge, window_ms, min_samples: 50, action, alert, dry_run: false }
}

/// Four stages (0, 10, 50, 100 %), gates on errors and latency, three triggers.
pub fn plan() -> Plan {
    let stage = |name: &str, weight_bp, gates| Stage {
        name: name.into(),
        weight_bp,
        duration_ms: STAGE_MS,
        extension_max_ms: STAGE_MS,
        environment: Environment::Production,
        mirror_bp: 0,
        gates,
        confirm: None,
    };
    let gates = || {
        vec![
            gate(Metric::ErrorRate, Bound::Below(0.005), 100),
            gate(Metric::P95Ms, Bound::Below(200.0), 100),
        ]
    };
    Plan {
        name: "test".parse().unwrap(),
        stages: vec![
            stage("test", 0, vec![gate(Metric::Health, Bound::Equal(1.0), 1)]),
            stage("ten", 1_000, gates()),
            stage("half", 5_000, gates()),
            stage("all", 10_000, vec![]),
        ],
        triggers: vec![
            trigger(Metric::ErrorRate, Bound::Above(0.05), Action::Stop, AlertLevel::High),
            trigger(Metric::P95Ms, Bound::AboveBaselineBy(0.2), Action::Switch, AlertLevel::Medium),
            trigger(
                Metric::SecurityEvents,
                Bound::Above(0.0),
                Action::StopImmediately,
                AlertLevel::Highest,
            ),
        ],
        hard_limits: vec![],
        on_insufficient: OnInsufficient::Rollback,
        alpha: ALPHA_DEFAULT,
        tick_ms: TICK_MS,
        drain_ms: 600_000,
        progress_deadline_ms: None,
        few_stages: None,
        freeze: vec![],
        initial_delay_ms: 0,
        source_errors_max: lockgate_model::plan::SOURCE_ERRORS_MAX_DEFAULT,
        rollback_window_ms: None,
        rollback_gate: None,
        drift: None,
        path: None,
    }
}

/// Requests of one version: so many, of which so many failed, all taking the same time.
pub fn arm(requests: u64, errors: u64, latency_ms: u64) -> Arm {
    let mut arm = Arm { assigned: requests, ..Arm::default() };
    for index in 0..requests {
        arm.complete(&lockgate_telemetry::arm::Completion {
            error: (index < errors).then_some(lockgate_model::interaction::ErrorClass::Upstream5xx),
            total_us: Some(latency_ms * 1_000),
            ..Default::default()
        });
    }
    arm
}

/// The same numbers as evidence and as what was seen lately.
pub fn signals(candidate: Arm, stable: Arm) -> Signals {
    let arms = Arms { candidate, stable };
    Signals {
        tested: Arm::default(),
        block: Arms::default(),
        evidence: [(Epoch(1), arms.clone())].into(),
        recent: [(WINDOW_MS, arms)].into(),
        candidate_healthy: Some(true),
        candidate_test_healthy: Some(true),
        drift: Vec::new(),
    }
}

/// A candidate as good as the stable version.
pub fn good() -> Signals {
    signals(arm(1_000, 0, 100), arm(9_000, 0, 100))
}

/// A release of `v2` over this version, or as the first.
pub fn new_rollout(plan: Plan, stable: Option<&str>) -> NewRollout {
    NewRollout {
        id: RolloutId(Uuid::from_u128(7)),
        agent: "support".parse().unwrap(),
        candidate: "v2".parse().unwrap(),
        stable: stable.map(|name| name.parse().unwrap()),
        plan,
        by_key: false,
        latency: LatencyMeasure::Auto,
        sources: vec![SignalSource::Cost],
        probes: Vec::new(),
        probes_digest: None,
        measures: Vec::new(),
        by: "ada".into(),
        reason: "new prompt".into(),
        fuses: vec![],
        waits_for: vec![],
        passed_before: None,
    }
}

/// One release, its clock, and everything that it did.
#[derive(Debug)]
pub struct World {
    /// Where it is.
    pub rollout: Rollout,
    /// What time it is.
    pub now: Now,
    /// What happened.
    pub transitions: Vec<Transition>,
    /// What it asked for.
    pub effects: Vec<Effect>,
}

impl World {
    /// A release of `v2` over `v1`.
    pub fn new(plan: Plan) -> Self {
        Self::start(plan, Some("v1"))
    }

    /// A release of `v2` over this version, or as the first.
    pub fn start(plan: Plan, stable: Option<&str>) -> Self {
        Self::begin(new_rollout(plan, stable), 1_000_000)
    }

    /// This release, from this moment on.
    pub fn begin(new: NewRollout, wall_ms: i64) -> Self {
        let now = Now { wall_ms, monotonic_ms: 0, boot: BootId(Uuid::from_u128(1)) };
        let step = start(new, now);
        Self {
            rollout: step.rollout,
            now,
            transitions: step.transition.into_iter().collect(),
            effects: step.effects,
        }
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) -> Result<(), TransitionError> {
        let step = machine::step(&self.rollout, event, self.now)?;
        self.rollout = step.rollout;
        self.transitions.extend(step.transition);
        self.effects.extend(step.effects);
        Ok(())
    }

    /// Every gateway reports the split.
    pub fn apply(&mut self) {
        let epoch = self.rollout.epoch;
        self.event(&Event::Applied { epoch }).unwrap();
    }

    /// Lets time go by.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap();
    }

    /// Judges look.
    pub fn tick(&mut self, signals: &Signals) {
        let signals = Box::new(signals.clone());
        self.event(&Event::Tick { signals, observed: true }).unwrap();
    }

    /// Ticks through so much time.
    pub fn run(&mut self, ms: u64, signals: &Signals) {
        self.tick(signals);
        for _ in 0..ms / TICK_MS {
            self.pass_ms(TICK_MS);
            self.tick(signals);
        }
    }

    /// An operator speaks.
    pub fn command(&mut self, command: Command) -> Result<(), TransitionError> {
        self.event(&Event::Command { command, by: "ada".into(), reason: "because".into() })
    }

    /// A gate is answered by a person.
    pub fn gate(&mut self, gate: OutsideGate, open: bool) -> Result<(), TransitionError> {
        self.answer(gate, None, open)
    }

    /// A gate is answered from outside, by one who was asked about this.
    pub fn answer(
        &mut self,
        gate: OutsideGate,
        about: Option<About>,
        open: bool,
    ) -> Result<(), TransitionError> {
        let (by, reason) = ("bob".into(), "looked at it".into());
        self.event(&Event::Gate { gate, about, open, by, reason })
    }

    /// A look that finds no numbers.
    pub fn source_fails(&mut self) {
        self.pass_ms(TICK_MS);
        self.event(&Event::SourceFailed { error: "connection refused".into() }).unwrap();
    }

    /// Something else is in force than what was ordered.
    pub fn drifts(&mut self, found: &str) {
        self.event(&Event::Drifted { found: found.into() }).unwrap();
    }

    /// A security event on the candidate.
    pub fn security(&mut self) {
        let id = lockgate_model::ids::SecurityEventId(Uuid::from_u128(9));
        let detail = "read outside its documents".into();
        self.event(&Event::Security { id, detail, by: "ada".into(), stable_shows_it: None })
            .unwrap();
    }

    /// The phase's name.
    pub fn phase(&self) -> &'static str {
        self.rollout.phase.as_str()
    }

    /// The split that was asked for last.
    pub fn split(&self) -> &Split {
        self.effects
            .iter()
            .rev()
            .find_map(|effect| match effect {
                Effect::SetSplit { split } => Some(split),
                _ => None,
            })
            .expect("a split was asked for")
    }

    /// How the candidate was taken back.
    pub fn mode_back(&self) -> Mode {
        assert_eq!(self.split().candidate, None, "the candidate still has a share");
        self.split().retiring.as_ref().expect("taken back").mode
    }

    /// What happened last.
    pub fn last(&self) -> &Transition {
        self.transitions.last().expect("something happened")
    }

    /// Brings it to the stage of this index, running.
    #[must_use]
    pub fn to_stage(mut self, stage: usize) -> Self {
        self.apply();
        while self.rollout.stage < stage {
            self.run(STAGE_MS, &good());
            self.apply();
        }
        assert_eq!(self.phase(), "running");
        self
    }
}
