//! Forgetting a person, and what forbids it: the port to the keys behind what is recorded.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ledger::Principal;
use crate::ports::PortError;

/// A legal hold: while it lasts, nobody is erased and nothing is pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHold {
    /// What people call it, such as a case's number.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: String,
    /// When: milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// A hold forbids it.
    #[error("the hold `{hold}` keeps everything as it is")]
    Held {
        /// The oldest hold.
        hold: String,
    },
    /// It was asked for in a way that cannot be.
    #[error("{0}")]
    Refused(String),
    /// It failed, or could not be recorded.
    #[error(transparent)]
    Failed(#[from] PortError),
}

/// The keys of persons, and the holds. Everything that is done here is recorded.
#[async_trait]
pub trait Custody: Send + Sync {
    /// Destroys what opens a person's records. Returns the pseudonym that they keep; `None` when there was no key.
    async fn erase(
        &self,
        by: &Principal,
        name: &str,
        reason: &str,
    ) -> Result<Option<String>, CustodyError>;

    /// Places a hold.
    async fn hold(&self, by: &Principal, name: &str, reason: &str) -> Result<(), CustodyError>;

    /// Lifts a hold; `false` when there is none of this name.
    async fn lift(&self, by: &Principal, name: &str, reason: &str) -> Result<bool, CustodyError>;

    /// The holds that last, oldest first.
    async fn holds(&self) -> Result<Vec<LegalHold>, CustodyError>;
}
