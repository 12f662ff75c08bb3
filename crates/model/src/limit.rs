//! How often actions may be done and how much they may use: what a rule wants, and the port to where it is counted.
//!
//! What a call uses is known when it is over. So the most that it can use is reserved before it, and what it did use takes
//! the place of that after it. What is never known stays reserved: a count never shows less than what was used.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, VersionName};
use crate::ports::PortError;

/// Whose actions are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// All versions of the agent.
    Agent,
    /// Each version.
    Version,
    /// Each session.
    Session,
    /// Each user.
    User,
    /// Each exact action of each session: what an agent in a loop repeats.
    Call,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOf {
    /// Each action as one.
    Calls,
    /// Tokens that models read and write.
    Tokens,
    /// What models cost, in thousand-millionths of a US dollar.
    CostNanousd,
    /// What one of its arguments says; `None` when that is not known.
    Amount(Option<u64>),
}

/// What one rule wants: at most so much in every span of that length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitTerm {
    /// The rule.
    pub rule: String,
    /// What is counted.
    pub of: LimitOf,
    /// How much, at least 1.
    pub most: u64,
    /// In which span, milliseconds.
    pub span_ms: u64,
    /// Whose are counted together.
    pub by: CountBy,
    /// What is reserved for an action of which nobody knows how much it can use; without it such an action is refused.
    pub otherwise: Option<u64>,
    /// Whose limit it is, when it is not that of whoever does it: an agent's that this is done for.
    pub giver: Option<(AgentName, VersionName)>,
}

/// One count that an action adds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The rule.
    pub rule: String,
    /// Whose, and of what, without a name of anybody.
    pub whose: String,
    /// How much the action adds.
    pub amount: u64,
    /// How much there may be.
    pub most: u64,
    /// In which span, milliseconds.
    pub span_ms: u64,
}

/// What an action has taken of one count: of that part of the span, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The rule.
    pub rule: String,
    /// Whose.
    pub whose: String,
    /// The length of the part, milliseconds.
    pub slot_ms: i64,
    /// When it began, by the store's steady clock.
    pub began_ms: i64,
    /// How much.
    pub amount: u64,
}

/// What becomes of a place that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is taken, in all counts: one place for each, in their order.
    Taken(Vec<Place>),
    /// A count is full; nothing was taken in any.
    Full {
        /// The rule.
        rule: String,
        /// How much is left.
        left: u64,
        /// When there may be room, milliseconds from now; `None` when there never is, as it is more than the whole limit.
        after_ms: Option<u64>,
    },
}

/// Where actions are counted before they are done.
#[async_trait]
pub trait Reservations: Send + Sync {
    /// Takes a place in each count, or in none. Durable when it returns: a restart gives nothing back.
    async fn reserve(&self, counts: &[Counted]) -> Result<Reserved, PortError>;

    /// Puts what was used in the place of what was reserved. Once for each place.
    async fn settle(&self, used: &[(Place, u64)]) -> Result<(), PortError>;
}

/// Where nothing is counted: nothing that is limited goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReservations;

#[async_trait]
impl Reservations for NoReservations {
    async fn reserve(&self, _: &[Counted]) -> Result<Reserved, PortError> {
        Err(PortError::new("nothing is counted here"))
    }

    async fn settle(&self, _: &[(Place, u64)]) -> Result<(), PortError> {
        Err(PortError::new("nothing is counted here"))
    }
}
