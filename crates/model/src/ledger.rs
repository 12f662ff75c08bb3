//! What is recorded where nobody can rewrite it, and the port to that place.

use async_trait::async_trait;
use serde_json::Value;

use crate::ports::PortError;

/// Something that was done, or is about to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Who: a token's name, or a part of Lockgate.
    pub principal: String,
    /// What, such as `rollout.start`.
    pub action: String,
    /// To what.
    pub object: String,
    /// What it is searched by: `agent`, `version`, `rollout`, `decision`, `trace` and others.
    pub labels: Vec<(&'static str, String)>,
    /// The rest, the reason among it.
    pub detail: Value,
}

/// A record that nobody can rewrite.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Durable when it returns; gives the entry's place. After an error, what was to be recorded must not be done.
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError>;

    /// Why nothing is recorded at the moment, as far as that is known without trying.
    fn refuses(&self) -> Option<String>;
}
