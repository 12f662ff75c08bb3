//! Calls of nobody who is known: counted, and recorded once a minute, so that guessing tokens leaves a trace and fills no
//! log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_model::ledger::{Ledger, LedgerEntry, Principal};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::clock;
use crate::egress::identity::Refused;
use crate::live::lock;

/// Time between two records.
const EVERY: Duration = Duration::from_mins(1);

/// How often, by reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<String, u64>>);

impl Refusals {
    /// One more.
    pub(crate) fn note(&self, refused: Refused) {
        *lock(&self.0).entry(refused.to_string()).or_default() += 1;
    }

    /// Records what was counted since the last time.
    async fn tell(&self, ledger: &dyn Ledger) {
        let counted = std::mem::take(&mut *lock(&self.0));
        if counted.is_empty() {
            return;
        }
        if let Err(error) = ledger.record(entry(&counted)).await {
            error!(%error, "refused tokens are not recorded yet");
            let mut since = lock(&self.0);
            for (reason, times) in counted {
                *since.entry(reason).or_default() += times;
            }
        }
    }
}

fn entry(counted: &BTreeMap<String, u64>) -> LedgerEntry {
    let by = Principal::Part("unknown".into());
    let mut entry = LedgerEntry::event(clock::wall_ms(), by, "identity.refused", "egress");
    entry.labels = vec![("decision", "deny".to_owned())];
    let reasons: Map<String, Value> =
        counted.iter().map(|(reason, times)| (reason.clone(), json!(times))).collect();
    entry.detail = json!({ "reasons": reasons });
    entry
}

/// Records them until told to stop, and what is left then.
pub(crate) async fn run(refusals: Arc<Refusals>, ledger: Arc<dyn Ledger>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        refusals.tell(ledger.as_ref()).await;
    }
    refusals.tell(ledger.as_ref()).await;
}
