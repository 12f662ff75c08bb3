//! A ledger in memory, which can be told to refuse.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use lockgate_model::custody::{Custody, CustodyError, LegalHold};
use lockgate_model::ledger::{Ledger, LedgerEntry, Principal};
use lockgate_model::ports::PortError;

/// Keeps what it is given, in order.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    entries: Mutex<Vec<LedgerEntry>>,
    refuses: Mutex<Option<String>>,
    holds: Mutex<Vec<LegalHold>>,
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

impl MemoryLedger {
    async fn said(&self, by: &Principal, action: &str, object: &str) -> Result<(), CustodyError> {
        self.record(LedgerEntry::event(0, by.clone(), action, object)).await?;
        Ok(())
    }
}

/// Knows the people who have acted.
#[async_trait]
impl Custody for MemoryLedger {
    async fn erase(
        &self,
        by: &Principal,
        name: &str,
        _reason: &str,
    ) -> Result<Option<String>, CustodyError> {
        if let Some(hold) = self.holds().await?.first() {
            return Err(CustodyError::Held { hold: hold.name.clone() });
        }
        let acted = self.entries().iter().any(|entry| entry.principal.name() == name);
        self.said(by, "audit.erase", "someone").await?;
        Ok(acted.then(|| "subject:of the past".to_owned()))
    }

    async fn hold(&self, by: &Principal, name: &str, reason: &str) -> Result<(), CustodyError> {
        self.said(by, "audit.hold", name).await?;
        let (name, reason, by) = (name.into(), reason.into(), by.name().into());
        let hold = LegalHold { name, reason, by, at_wall_ms: 0 };
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).push(hold);
        Ok(())
    }

    async fn lift(&self, by: &Principal, name: &str, _reason: &str) -> Result<bool, CustodyError> {
        self.said(by, "audit.lift_hold", name).await?;
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let before = holds.len();
        holds.retain(|hold| hold.name != name);
        Ok(holds.len() < before)
    }

    async fn holds(&self) -> Result<Vec<LegalHold>, CustodyError> {
        Ok(self.holds.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
