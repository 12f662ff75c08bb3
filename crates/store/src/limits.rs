//! Counts of actions. A place is taken before the action is done and never given back, so that no span of the length that
//! a limit names ever holds more.

use async_trait::async_trait;
use lockgate_model::limit::{Counted, Reservations, Reserved};
use lockgate_model::ports::PortError;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Slots that a span is divided into. One more is counted, as the oldest is only partly within it: that many parts of a
/// limit can go unused.
const SLOTS: i64 = 20;
/// Slots that are over are taken away in one call, at most.
const SWEPT_MAX: i64 = 64;

impl Store {
    async fn take_places(&self, counts: &[Counted]) -> Result<Reserved, StoreError> {
        let mut tx = self.begin().await?;
        let now_ms = self.steady_ms(&mut tx).await?;
        sqlx::query(
            "DELETE FROM limit_slot WHERE (rule, whose, slot_ms, began_ms) IN
                 (SELECT rule, whose, slot_ms, began_ms FROM limit_slot WHERE over_ms <= ? LIMIT ?)",
        )
        .bind(now_ms)
        .bind(SWEPT_MAX)
        .execute(&mut *tx)
        .await?;
        for count in counts {
            let span_ms = codec::signed("span", count.span_ms)?;
            let slot_ms = (span_ms / SLOTS).max(1);
            let slot = now_ms.div_euclid(slot_ms) * slot_ms;
            let first = slot - slot_ms * SLOTS;
            let slots: Vec<(i64, i64)> = sqlx::query_as(
                "SELECT began_ms, used FROM limit_slot
                 WHERE rule = ? AND whose = ? AND slot_ms = ? AND began_ms >= ? ORDER BY began_ms",
            )
            .bind(&count.rule)
            .bind(&count.whose)
            .bind(slot_ms)
            .bind(first)
            .fetch_all(&mut *tx)
            .await?;
            let used: i64 = slots.iter().map(|(_, used)| used).sum();
            if used >= i64::from(count.times) {
                // Dropped, not committed: no count keeps a place of this action.
                let oldest = slots.first().map_or(slot, |(began, _)| *began);
                let after_ms = (oldest + slot_ms * (SLOTS + 1) - now_ms).max(1);
                let after_ms = codec::unsigned("time", after_ms)?;
                return Ok(Reserved::Full { rule: count.rule.clone(), after_ms });
            }
            sqlx::query(
                "INSERT INTO limit_slot (rule, whose, slot_ms, began_ms, used, over_ms) VALUES (?, ?, ?, ?, 1, ?)
                 ON CONFLICT (rule, whose, slot_ms, began_ms) DO UPDATE SET used = used + 1",
            )
            .bind(&count.rule)
            .bind(&count.whose)
            .bind(slot_ms)
            .bind(slot)
            .bind(slot + slot_ms * (SLOTS + 1))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Reserved::Taken)
    }
}

#[async_trait]
impl Reservations for Store {
    async fn reserve(&self, counts: &[Counted]) -> Result<Reserved, PortError> {
        self.take_places(counts).await.map_err(PortError::from)
    }
}
