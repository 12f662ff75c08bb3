//! The audit log as the gateway knows it: it may open later than the gateway, and closes before it. Meanwhile nothing
//! is recorded, and so nothing is done that must be.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_model::ports::PortError;

use crate::serve::ledger::AuditLedger;

/// A log, or the place where it will be or has been.
#[derive(Debug, Clone, Default)]
pub(super) struct LateLedger(Arc<RwLock<Option<AuditLedger>>>);

impl LateLedger {
    /// From now on the port works.
    pub(super) fn opened(&self, ledger: AuditLedger) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(ledger);
    }

    /// From now on it does not: whoever closes the log must be the last to have it.
    pub(super) fn closes(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn get(&self) -> Result<AuditLedger, PortError> {
        let ledger = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ledger.clone().ok_or_else(|| PortError::new("the audit log is not open"))
    }
}

#[async_trait]
impl Ledger for LateLedger {
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError> {
        self.get()?.record(entry).await
    }

    fn refuses(&self) -> Option<String> {
        match self.get() {
            Ok(ledger) => ledger.refuses(),
            Err(error) => Some(error.what),
        }
    }
}
