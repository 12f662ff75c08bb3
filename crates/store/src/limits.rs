//! Counts of actions and of what they use. A place is taken before the action is done; what it used takes its place after
//! it. So no span of the length that a limit names ever holds more than what was reserved in it.

use async_trait::async_trait;
use lockgate_model::limit::{Counted, Place, Reservations, Reserved};
use lockgate_model::ports::PortError;

use crate::codec;
use crate::error::StoreError;
use crate::store::{Store, Tx};

/// Slots that a span is divided into. One more is counted, as the oldest is only partly within it: that many parts of a
/// limit can go unused.
const SLOTS: i64 = 20;
/// What one call can have used, whatever a provider says: sums stay whole numbers.
const USED_MAX: u64 = 1_000_000_000_000_000_000;
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
        let mut places = Vec::with_capacity(counts.len());
        for count in counts {
            match take_place(&mut tx, count, now_ms).await? {
                Ok(place) => places.push(place),
                // Dropped, not committed: no count keeps a place of this action.
                Err(full) => return Ok(full),
            }
        }
        tx.commit().await?;
        Ok(Reserved::Taken(places))
    }

    async fn settle_places(&self, used: &[(Place, u64)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (place, used) in used {
            // What is over meanwhile is counted no more.
            sqlx::query(
                "UPDATE limit_slot SET used = max(0, used - ? + ?)
                 WHERE rule = ? AND whose = ? AND slot_ms = ? AND began_ms = ?",
            )
            .bind(codec::signed("amount", place.amount)?)
            .bind(codec::signed("amount", (*used).min(USED_MAX))?)
            .bind(&place.rule)
            .bind(&place.whose)
            .bind(place.slot_ms)
            .bind(place.began_ms)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn take_place(
    tx: &mut Tx,
    count: &Counted,
    now_ms: i64,
) -> Result<Result<Place, Reserved>, StoreError> {
    let span_ms = codec::signed("span", count.span_ms)?;
    let [amount, most] =
        [codec::signed("amount", count.amount)?, codec::signed("limit", count.most)?];
    let slot_ms = (span_ms / SLOTS).max(1);
    let slot = now_ms.div_euclid(slot_ms) * slot_ms;
    let slots: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT began_ms, used FROM limit_slot
         WHERE rule = ? AND whose = ? AND slot_ms = ? AND began_ms >= ? ORDER BY began_ms",
    )
    .bind(&count.rule)
    .bind(&count.whose)
    .bind(slot_ms)
    .bind(slot - slot_ms * SLOTS)
    .fetch_all(&mut **tx)
    .await?;
    let used = slots.iter().fold(0_i64, |sum, (_, used)| sum.saturating_add(*used));
    let left = most.saturating_sub(used);
    if amount > left {
        let after_ms = room_after_ms(&slots, amount.saturating_sub(left), slot_ms, now_ms);
        return Ok(Err(Reserved::Full {
            rule: count.rule.clone(),
            left: u64::try_from(left).unwrap_or(0),
            after_ms: after_ms.filter(|_| amount <= most),
        }));
    }
    sqlx::query(
        "INSERT INTO limit_slot (rule, whose, slot_ms, began_ms, used, over_ms) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (rule, whose, slot_ms, began_ms) DO UPDATE SET used = used + excluded.used",
    )
    .bind(&count.rule)
    .bind(&count.whose)
    .bind(slot_ms)
    .bind(slot)
    .bind(amount)
    .bind(slot + slot_ms * (SLOTS + 1))
    .execute(&mut **tx)
    .await?;
    let (rule, whose) = (count.rule.clone(), count.whose.clone());
    Ok(Ok(Place { rule, whose, slot_ms, began_ms: slot, amount: count.amount }))
}

/// When as much as is missing will be over, if nothing else is done meanwhile.
fn room_after_ms(slots: &[(i64, i64)], missing: i64, slot_ms: i64, now_ms: i64) -> Option<u64> {
    let mut over = 0_i64;
    let began_ms = slots.iter().find_map(|(began_ms, used)| {
        over = over.saturating_add(*used);
        (over >= missing).then_some(*began_ms)
    })?;
    u64::try_from((began_ms + slot_ms * (SLOTS + 1) - now_ms).max(1)).ok()
}

#[async_trait]
impl Reservations for Store {
    async fn reserve(&self, counts: &[Counted]) -> Result<Reserved, PortError> {
        self.take_places(counts).await.map_err(PortError::from)
    }

    async fn settle(&self, used: &[(Place, u64)]) -> Result<(), PortError> {
        self.settle_places(used).await.map_err(PortError::from)
    }
}
