//! What a ticket says. Without a ticket that was given out with an answer, feedback would be a
//! lever that anyone can pull. Signing is the gateway's.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, Epoch, InteractionId, RolloutId, VersionName};
use crate::interaction::{Outcome, Score};

/// The claims of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The interaction that it was given out with.
    pub interaction: InteractionId,
    /// The agent.
    pub agent: AgentName,
    /// The version that answered.
    pub version: VersionName,
    /// The rollout under way.
    pub rollout: Option<RolloutId>,
    /// The weight epoch.
    pub epoch: Epoch,
    /// Salted hash of the sticky key: one vote per user, version and rollout.
    pub user: Option<u64>,
    /// Milliseconds since the Unix epoch after which it is refused.
    pub expires_wall_ms: i64,
}

/// What came in with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A user's opinion.
    Feedback(Score),
    /// What came of the interaction.
    Outcome(Outcome),
}

/// Whether an answer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// It does.
    Yes,
    /// The ticket, or the same user for this version, was counted before.
    Before,
}
