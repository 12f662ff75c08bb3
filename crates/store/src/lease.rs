//! Who may act. A lease runs by the database's clock, and every change of hands gives a higher
//! token, so that what a former holder still sends is refused.

use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::store::{Store, now_wall_ms};

/// The lease whose token fences everything that control writes.
pub const CONTROL_LEASE: &str = "control";

impl Store {
    /// Takes the lease `name` for `ttl_ms`, or renews it. Gives the fencing token, or `None`
    /// while another holds it. The token stays the same until another holder takes over.
    pub async fn acquire_lease(
        &self,
        name: &str,
        holder: &str,
        ttl_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.begin().await?;
        let now = now_wall_ms(&mut tx).await?;
        let expires = now.saturating_add(codec::signed("lease time", ttl_ms)?);
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT holder, token, expires_wall_ms FROM lease WHERE name = ?")
                .bind(name)
                .fetch_optional(&mut *tx)
                .await?;
        let token = match row {
            None => 1,
            Some((held_by, token, _)) if held_by == holder => token,
            Some((_, token, until)) if until <= now => token + 1,
            Some(_) => return Ok(None),
        };
        sqlx::query(
            "INSERT INTO lease (name, holder, token, expires_wall_ms) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = excluded.token,
                 expires_wall_ms = excluded.expires_wall_ms",
        )
        .bind(name)
        .bind(holder)
        .bind(token)
        .bind(expires)
        .execute(&mut *tx)
        .await?;
        // a renewal is no news to anyone
        tx.commit().await?;
        codec::unsigned("token", token).map(Some)
    }

    /// Gives the lease back, so that the next holder need not wait for its end. Without effect
    /// when `holder` does not hold it.
    pub async fn release_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE lease SET expires_wall_ms = 0 WHERE name = ? AND holder = ?")
            .bind(name)
            .bind(holder)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }

    /// Notes that control acts: gateways hear of it with the next exchange.
    pub async fn control_alive(&self, fence: u64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        let now = now_wall_ms(&mut tx).await?;
        sqlx::query("UPDATE lease SET alive_wall_ms = ? WHERE name = ?")
            .bind(now)
            .bind(CONTROL_LEASE)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// When control last acted, by the database's clock.
    pub async fn control_alive_wall_ms(&self) -> Result<Option<i64>, StoreError> {
        let row: Option<Option<i64>> =
            sqlx::query_scalar("SELECT alive_wall_ms FROM lease WHERE name = ?")
                .bind(CONTROL_LEASE)
                .fetch_optional(&self.inner.reader)
                .await?;
        Ok(row.flatten())
    }
}

/// Refuses what comes from a controller that has been replaced. In the transaction of the write
/// itself, or it would prove nothing.
pub(crate) async fn check_fence(conn: &mut SqliteConnection, fence: u64) -> Result<(), StoreError> {
    let token: Option<i64> = sqlx::query_scalar("SELECT token FROM lease WHERE name = ?")
        .bind(CONTROL_LEASE)
        .fetch_optional(conn)
        .await?;
    if token.is_some_and(|token| u64::try_from(token) == Ok(fence)) {
        return Ok(());
    }
    Err(StoreError::Fenced)
}
