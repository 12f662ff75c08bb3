//! What was seen of each version since the start, for monitoring. Filled by the sweep, beside the
//! path of requests; users' traffic alone, no probes and no copies.

use std::collections::BTreeMap;

use lockgate_model::ids::{AgentName, VersionName};
use lockgate_telemetry::arm::{Arm, Cost, Feedback, Latency};

/// One version since the start of the gateway.
#[derive(Debug, Clone, Default)]
pub struct VersionTotals {
    /// Latency of every answer that is no stream of events.
    pub plain: Latency,
    /// Latency of streams of events.
    pub sse: Latency,
    /// Cost of ended requests.
    pub cost: Cost,
    /// Votes that counted.
    pub feedback: Feedback,
}

impl VersionTotals {
    /// Adds what one window saw. Votes are in no window: they come with a ticket.
    pub(crate) fn add(&mut self, arm: &Arm) {
        self.plain.merge(&arm.plain);
        self.sse.merge(&arm.sse);
        self.cost.merge(&arm.cost);
    }
}

/// All versions that were seen.
pub(crate) type Totals = BTreeMap<(AgentName, VersionName), VersionTotals>;
