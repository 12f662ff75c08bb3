//! What a tick knows.

use std::collections::BTreeMap;

use lockgate_model::ids::Epoch;
use lockgate_telemetry::arm::{Arm, Arms};
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
}

impl Signals {
    /// Evidence of all epochs together. Distinct keys are added, so a key that was seen in
    /// several epochs counts in each.
    pub fn evidence_merged(&self) -> Arms {
        self.evidence.values().fold(Arms::default(), |mut sum, arms| {
            sum.candidate.merge(&arms.candidate);
            sum.stable.merge(&arms.stable);
            sum
        })
    }
}
