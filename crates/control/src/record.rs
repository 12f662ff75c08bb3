//! Brings the steps of releases into the audit log, with the numbers behind them.
//!
//! A crash between the log and the store may record a step twice, under the same release and number; never not at all.

use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_store::{Store, StoreError, UnrecordedStep};
use serde_json::json;

/// Steps recorded in one pass.
const STEPS_MAX: u32 = 100;

/// Records what is due. What cannot be recorded stays due; what it would widen is held by [`crate::effects`].
pub(crate) async fn steps(
    store: &Store,
    ledger: &dyn Ledger,
    fence: u64,
) -> Result<(), StoreError> {
    for step in store.steps_unrecorded(STEPS_MAX).await? {
        match ledger.record(entry(&step)).await {
            Ok(place) => store.step_recorded(fence, step.rollout, step.seq, place).await?,
            Err(error) => {
                tracing::error!(%error, rollout = %step.rollout, step = step.seq, "a step is not recorded yet; nothing goes on before it is");
                return Ok(());
            }
        }
    }
    Ok(())
}

fn entry(step: &UnrecordedStep) -> LedgerEntry {
    let transition = &step.transition;
    LedgerEntry {
        at_wall_ms: transition.at_wall_ms,
        principal: "control".to_owned(),
        action: "rollout.transition".to_owned(),
        object: step.rollout.to_string(),
        labels: vec![
            ("agent", step.agent.to_string()),
            ("version", step.candidate.to_string()),
            ("rollout", step.rollout.to_string()),
            ("decision", transition.to.clone()),
        ],
        detail: json!({ "step": step.seq, "transition": transition }),
    }
}
