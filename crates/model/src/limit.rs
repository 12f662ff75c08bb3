//! How often actions may be done: what a rule wants, and the port to where it is counted.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

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

/// What one rule wants: at most so many in every span of that length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitTerm {
    /// The rule.
    pub rule: String,
    /// How many times, at least 1.
    pub times: u32,
    /// In which span, milliseconds.
    pub span_ms: u64,
    /// Whose are counted together.
    pub by: CountBy,
}

/// One count that an action adds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The rule.
    pub rule: String,
    /// Whose, without a name of anybody.
    pub whose: String,
    /// How many times.
    pub times: u32,
    /// In which span, milliseconds.
    pub span_ms: u64,
}

/// What becomes of a place that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is taken, in all counts.
    Taken,
    /// A count is full; nothing was taken in any.
    Full {
        /// The rule.
        rule: String,
        /// When there may be room again, milliseconds from now.
        after_ms: u64,
    },
}

/// Where actions are counted before they are done.
#[async_trait]
pub trait Reservations: Send + Sync {
    /// Takes a place in each count, or in none. Durable when it returns: a restart gives nothing back.
    async fn reserve(&self, counts: &[Counted]) -> Result<Reserved, PortError>;
}

/// Where nothing is counted: nothing that is limited goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReservations;

#[async_trait]
impl Reservations for NoReservations {
    async fn reserve(&self, _: &[Counted]) -> Result<Reserved, PortError> {
        Err(PortError::new("nothing is counted here"))
    }
}
