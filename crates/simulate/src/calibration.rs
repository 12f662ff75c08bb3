//! Versions that judges should tell apart, released over the standard plan: how often they are
//! wrong about one that is no different, and how soon they find what is bad.

use std::ops::Range;
use std::sync::Arc;

use lockgate_model::plan::Plan;
use lockgate_rollout::state::Phase;

use crate::release::{Ended, Setting, run};
use crate::report::Spread;
use crate::traffic::{Conversation, Traffic};
use crate::truth::Truth;

/// The rates that plans are calibrated at, requests a second of all users.
pub const RATES: [f64; 3] = [1.0, 10.0, 100.0];

/// A pair of versions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// What sets them apart.
    pub name: &'static str,
    /// The stable version.
    pub stable: Truth,
    /// The candidate.
    pub candidate: Truth,
    /// Whether users stay with their version.
    pub pinned: bool,
}

/// All pairs. The first, and the first of the pinned ones, should be promoted; the others found.
pub fn cases() -> Vec<Case> {
    let good = Truth::default();
    let errors = |error_rate| Truth { error_rate, ..good };
    let case = |name, stable, candidate| Case { name, stable, candidate, pinned: false };
    let pinned = |name, stable, candidate| Case { name, stable, candidate, pinned: true };
    vec![
        case("identical", good, good),
        case("errors 5 -> 10 %", errors(0.05), errors(0.10)),
        case("errors 0.5 -> 5 %", errors(0.005), errors(0.05)),
        case("errors 0.2 -> 0.4 %", good, errors(0.004)),
        case("errors 0.2 -> 20 %", good, errors(0.20)),
        case("p95 twice", good, Truth { median_ms: 2.0 * good.median_ms, ..good }),
        case("cost 1.5 times", good, Truth { cost_usd: 1.5 * good.cost_usd, ..good }),
        case("8 % negative", good, Truth { negative: 0.08, satisfied: 0.85, ..good }),
        pinned("pinned, identical", errors(0.0005), errors(0.0005)),
        pinned("pinned, errors 0.05 -> 0.1 %", errors(0.0005), errors(0.001)),
        pinned("pinned, errors 0.5 -> 1 %", errors(0.005), errors(0.01)),
    ]
}

impl Case {
    /// A release of it.
    pub fn setting(&self, plan: &Arc<Plan>, requests_per_s: f64) -> Setting {
        let conversation = self.pinned.then_some(Conversation::USUAL);
        Setting {
            traffic: Traffic { requests_per_s, conversation, ..Traffic::default() },
            stable: self.stable,
            candidate: self.candidate,
            ..Setting::identical(Arc::clone(plan))
        }
    }
}

/// Releases of these seeds.
pub fn releases(setting: &Setting, seeds: Range<u64>) -> Vec<Ended> {
    seeds.map(|seed| run(setting, seed)).collect()
}

/// How soon it was taken back, where it was.
pub fn found(ended: &[Ended], of: impl Fn(&Ended) -> u64) -> Spread {
    Spread::of(ended.iter().filter(|ended| ended.phase == Phase::RolledBack).map(of))
}
