//! What a tick knows.

use std::collections::BTreeMap;

use lockgate_model::drift::DriftSeen;
use lockgate_model::ids::Epoch;
use lockgate_telemetry::arm::{Arm, Arms, Keys};
use serde::{Deserialize, Serialize};

/// Everything that judges read, merged over all gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// Since the start of the release, by weight epoch. What copies of requests showed in the test
    /// environment is here only while the release is there.
    pub evidence: BTreeMap<Epoch, Arms>,
    /// The candidate in the test environment, all of it.
    #[serde(default)]
    pub tested: Arm,
    /// Since the block of evidence began, see [`crate::state::Block`]. Empty without one.
    #[serde(default)]
    pub block: Arms,
    /// Of the last so many milliseconds, for every look-back window of the plan.
    pub recent: BTreeMap<u64, Arms>,
    /// Whether the candidate's production endpoint is healthy on every gateway; `None` when not
    /// known.
    pub candidate_healthy: Option<bool>,
    /// The same for the test endpoint.
    pub candidate_test_healthy: Option<bool>,
    /// What was said last of drift, each source once. Empty when its plan does not ask.
    #[serde(default)]
    pub drift: Vec<DriftSeen>,
}

impl Signals {
    /// Evidence of all epochs together. A key that several epochs met is one key, and at risk once.
    pub fn evidence_merged(&self) -> Arms {
        let mut sum = self.evidence.values().fold(Arms::default(), |mut sum, arms| {
            sum.candidate.merge(&arms.candidate);
            sum.stable.merge(&arms.stable);
            sum
        });
        sum.candidate.keys = self.release_keys(|arms| &arms.candidate);
        sum.stable.keys = self.release_keys(|arms| &arms.stable);
        sum
    }

    /// Keys of one version in the whole release. Those that were met first where nothing counts (in a
    /// test, or during a delay) are first ones nowhere: then the largest epoch says how many there are
    /// at least.
    fn release_keys(&self, of: fn(&Arms) -> &Arm) -> Keys {
        let epochs = || self.evidence.values().map(|arms| of(arms).keys);
        let first: u64 = epochs().map(|keys| keys.first_assigned).sum();
        let distinct = epochs().map(|keys| keys.assigned).fold(first, u64::max);
        let mut keys = epochs().fold(Keys::default(), |mut sum, keys| {
            sum.erroring += keys.erroring;
            sum.first_errors += keys.first_errors;
            sum.keys_dropped += keys.keys_dropped;
            sum
        });
        (keys.assigned, keys.at_risk, keys.first_assigned) = (distinct, distinct, distinct);
        keys.erroring = keys.erroring.min(distinct);
        keys
    }
}
