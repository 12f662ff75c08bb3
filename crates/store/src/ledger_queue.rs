//! Steps of releases on their way into the audit log.

use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_rollout::explain::Transition;
use lockgate_rollout::state::Rollout;

use crate::codec;
use crate::error::StoreError;
use crate::lease::check_fence;
use crate::store::Store;

/// A step that the audit log does not have yet.
#[derive(Debug, Clone, PartialEq)]
pub struct UnrecordedStep {
    /// The release.
    pub rollout: RolloutId,
    /// Its agent.
    pub agent: AgentName,
    /// The version that is released.
    pub candidate: VersionName,
    /// The step's number within the release, from 1.
    pub seq: i64,
    /// The step.
    pub transition: Transition,
}

impl Store {
    /// Steps that are to be recorded, oldest first.
    pub async fn steps_unrecorded(&self, limit: u32) -> Result<Vec<UnrecordedStep>, StoreError> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT queue.seq, step.body, rollout.body FROM ledger_queue AS queue
             JOIN rollout_transition AS step USING (rollout, seq)
             JOIN rollout ON rollout.id = queue.rollout
             ORDER BY queue.id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter()
            .map(|(seq, step, rollout)| {
                let rollout: Rollout = codec::from_json("rollout", &rollout)?;
                Ok(UnrecordedStep {
                    rollout: rollout.id,
                    agent: rollout.agent,
                    candidate: rollout.candidate,
                    seq,
                    transition: codec::from_json("transition", &step)?,
                })
            })
            .collect()
    }

    /// Notes where a step stands in the audit log. One that has its place keeps it.
    pub async fn step_recorded(
        &self,
        fence: u64,
        rollout: RolloutId,
        seq: i64,
        place: u64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        sqlx::query(
            "UPDATE rollout_transition SET ledger_seq = ?
             WHERE rollout = ? AND seq = ? AND ledger_seq IS NULL",
        )
        .bind(codec::signed("place in the audit log", place)?)
        .bind(rollout.to_string())
        .bind(seq)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM ledger_queue WHERE rollout = ? AND seq = ?")
            .bind(rollout.to_string())
            .bind(seq)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
