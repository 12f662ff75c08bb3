//! A release with traffic from its start to its end, and what a store would keep of it.

use std::collections::BTreeMap;

use lockgate_model::ids::{BootId, VersionName};
use lockgate_rollout::replay::{Past, Seen};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::NewRollout;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_telemetry::arm::{Arm, Arms};
use lockgate_telemetry::window::Window;
use uuid::Uuid;

use crate::release::{World, arm};

/// Ticks after which a test that goes on has gone wrong.
const TICKS_MAX: usize = 5_000;

/// What a version is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Of 1,000 requests, so many fail.
    pub errors_per_mille: u64,
    /// How long all of them take.
    pub latency_ms: u64,
}

impl Quality {
    /// So many requests.
    pub fn arm(self, requests: u64) -> Arm {
        arm(requests, requests * self.errors_per_mille / 1_000, self.latency_ms)
    }
}

/// A release under way.
#[derive(Debug)]
pub struct Live {
    /// The release.
    pub world: World,
    signals: Signals,
    seen: Vec<Seen>,
    requests: u64,
    versions: [Quality; 2],
}

impl Live {
    /// Begins it with so many requests of both versions in a tick; `versions` are candidate and stable.
    pub fn begin(new: NewRollout, wall_ms: i64, requests: u64, versions: [Quality; 2]) -> Self {
        let signals = Signals {
            candidate_healthy: Some(true),
            candidate_test_healthy: Some(true),
            ..Signals::default()
        };
        let world = World::begin(new, wall_ms);
        let mut live = Self { world, signals, seen: Vec::new(), requests, versions };
        live.world.apply();
        live
    }

    /// One tick's traffic, and a look at it.
    pub fn tick(&mut self) {
        let Rollout { plan, epoch, weight_bp, block, .. } = &self.world.rollout;
        let (plan, epoch, block) = (plan.clone(), *epoch, *block);
        let of_candidate = self.requests * u64::from(*weight_bp) / 10_000;
        self.world.pass_ms(plan.tick_ms);
        let [candidate, stable] = self.versions;
        let arms = Arms {
            candidate: candidate.arm(of_candidate),
            stable: stable.arm(self.requests - of_candidate),
        };
        let now_ms = self.world.now.wall_ms;
        let from_wall_ms = now_ms.saturating_sub_unsigned(plan.tick_ms);
        add(self.signals.evidence.entry(epoch).or_default(), &arms);
        if block.is_some() {
            add(&mut self.signals.block, &arms);
        }
        self.seen.push(Seen { from_wall_ms, until_wall_ms: now_ms, epoch, arms });
        let recent = |length_ms: u64| {
            let after = now_ms.saturating_sub_unsigned(length_ms);
            let mut sum = Arms::default();
            let lately = self.seen.iter().rev().take_while(|seen| seen.until_wall_ms > after);
            lately.for_each(|seen| add(&mut sum, &seen.arms));
            (length_ms, sum)
        };
        self.signals.recent = plan.windows_ms().into_iter().map(recent).collect::<BTreeMap<_, _>>();
        self.world.tick(&self.signals);
        if self.world.rollout.block != block {
            self.signals.block = Arms::default();
        }
        if !self.world.rollout.applied && self.world.rollout.phase != Phase::Promoted {
            self.world.apply();
        }
    }

    /// Until its end.
    pub fn run(mut self) -> Past {
        for _ in 0..TICKS_MAX {
            if self.world.rollout.phase.is_end() {
                let World { rollout, transitions, .. } = self.world;
                return Past { rollout, steps: transitions, seen: self.seen };
            }
            self.tick();
        }
        panic!("it does not end: {}", self.world.phase());
    }
}

/// What gateways would have published of a release.
pub fn windows(past: &Past) -> Vec<Window> {
    let Rollout { id, agent, candidate, stable, .. } = &past.rollout;
    let mut windows = Vec::new();
    for seen in &past.seen {
        let versions: [(Option<&VersionName>, &Arm); 2] =
            [(Some(candidate), &seen.arms.candidate), (stable.as_ref(), &seen.arms.stable)];
        for (version, arm) in versions {
            let Some(version) = version.filter(|_| arm.assigned > 0) else { continue };
            windows.push(Window {
                gateway: "gw-1".parse().unwrap(),
                boot: BootId(Uuid::from_u128(id.0.as_u128())),
                seq: windows.len() as u64 + 1,
                second_wall_ms: seen.from_wall_ms,
                agent: agent.clone(),
                version: version.clone(),
                rollout: Some(*id),
                epoch: seen.epoch,
                arm: arm.clone(),
                keys: Vec::new(),
                keys_dropped: 0,
            });
        }
    }
    windows
}

fn add(sum: &mut Arms, seen: &Arms) {
    sum.candidate.merge(&seen.candidate);
    sum.stable.merge(&seen.stable);
}
