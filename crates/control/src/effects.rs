//! Performs what rollouts asked for. Each outbox row is applied once: the row and its effect are
//! one transaction, or the effect is idempotent by the row's id.

use lockgate_rollout::event::Effect;
use lockgate_store::{OutboxRow, Store, StoreError};

use crate::clock::wall_ms;

/// Rows looked at in one pass.
const ROWS_MAX: u32 = 100;

/// Performs everything that is due except notifications, which may be slow and have a loop of
/// their own.
pub(crate) async fn perform(store: &Store, fence: u64) -> Result<(), StoreError> {
    for row in store.outbox_due(wall_ms(), ROWS_MAX).await? {
        if row.recorded || goes_back(store, &row).await? {
            perform_one(store, fence, &row).await?;
        }
    }
    Ok(())
}

/// What is not recorded is not done, but for the way back: that one is never held up.
async fn goes_back(store: &Store, row: &OutboxRow) -> Result<bool, StoreError> {
    use lockgate_rollout::state::Phase;
    let rollout = store.rollout(row.rollout).await?;
    Ok(rollout.is_some_and(|rollout| {
        matches!(
            rollout.value.phase,
            Phase::RollingBack { .. } | Phase::RolledBack | Phase::Aborted | Phase::Superseded
        )
    }))
}

async fn perform_one(store: &Store, fence: u64, row: &OutboxRow) -> Result<(), StoreError> {
    match &row.effect {
        Effect::SetSplit { split } => {
            let revision = store.publish_split(fence, row.id, split, &row.agent, wall_ms()).await?;
            tracing::info!(agent = %row.agent, epoch = split.epoch.0, revision = revision.0, "split published");
        }
        Effect::AcknowledgeFuses { ids } => {
            store.acknowledge_fuses(fence, row.id, ids, wall_ms()).await?;
        }
        Effect::Revoke { version } => {
            store.revoke_version(fence, row.id, &row.agent, version, wall_ms()).await?;
            tracing::warn!(agent = %row.agent, %version, "the version's tokens are revoked");
        }
        Effect::Notify { .. } => {}
    }
    Ok(())
}
