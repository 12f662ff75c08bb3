//! A ledger in memory, which can be told to refuse.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_model::ports::PortError;

/// Keeps what it is given, in order.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    entries: Mutex<Vec<LedgerEntry>>,
    refuses: Mutex<Option<String>>,
}

impl MemoryLedger {
    /// From now on nothing is recorded; `None` ends that.
    pub fn refuse(&self, why: Option<&str>) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// What was recorded.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The actions that were recorded.
    pub fn actions(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.action).collect()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError> {
        if let Some(why) = self.refuses() {
            return Err(PortError::new(why));
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
        Ok(entries.len() as u64 - 1)
    }

    fn refuses(&self) -> Option<String> {
        self.refuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
