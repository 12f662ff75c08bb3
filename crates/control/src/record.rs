//! Brings the steps of releases into the audit log, with the numbers behind them.
//!
//! A crash between the log and the store may record a step twice, under the same release and number; never not at all.

use lockgate_model::ledger::{ERASED, Kept, Ledger, LedgerEntry, Principal};
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
    let control = Principal::Part("control".into());
    let rollout = step.rollout.to_string();
    let mut entry =
        LedgerEntry::event(transition.at_wall_ms, control, "rollout.transition", &rollout);
    entry.labels = vec![
        ("agent", step.agent.to_string()),
        ("version", step.candidate.to_string()),
        ("rollout", rollout),
        ("decision", transition.to.clone()),
    ];
    entry.detail = json!({ "step": step.seq, "transition": transition });
    for (at, cause) in transition.causes.iter().enumerate() {
        // Who was forgotten before the step was recorded is nobody any more.
        let by = cause.by.as_deref().filter(|by| *by != ERASED);
        let Some(by) = by.map(Principal::named) else { continue };
        entry.mark(&format!("/transition/causes/{at}/by"), &by, Kept::Name);
        for text in ["rule", "text"] {
            entry.mark(&format!("/transition/causes/{at}/{text}"), &by, Kept::Sealed);
        }
    }
    entry
}
