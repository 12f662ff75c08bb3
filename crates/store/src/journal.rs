//! Who changed what.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// One mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Who.
    pub principal: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest, the reason among it.
    pub detail: Value,
}

impl Store {
    /// Adds an entry. It is on disk when this returns.
    pub async fn journal(&self, entry: &JournalEntry) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO journal (at_wall_ms, principal, action, subject, detail)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(entry.at_wall_ms)
        .bind(&entry.principal)
        .bind(&entry.action)
        .bind(&entry.subject)
        .bind(entry.detail.to_string())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes a person out of the list: names and reasons make way for `[erased]`. Returns how many rows there were.
    ///
    /// Its times would otherwise say whose the records of the same moments in the audit log are.
    pub async fn forget_person(&self, name: &str) -> Result<u64, StoreError> {
        const ERASED: &str = "[erased]";
        let mut tx = self.begin().await?;
        let acted = sqlx::query(
            "UPDATE journal SET principal = ?1,
                 detail = CASE WHEN json_type(detail, '$.reason') IS NULL THEN detail
                               ELSE json_set(detail, '$.reason', ?1) END
             WHERE principal = ?2",
        )
        .bind(ERASED)
        .bind(name)
        .execute(&mut *tx)
        .await?;
        let named = sqlx::query(
            "UPDATE journal SET detail = json_set(detail, '$.name', ?1)
             WHERE action LIKE 'token.%' AND json_extract(detail, '$.name') = ?2",
        )
        .bind(ERASED)
        .bind(name)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(acted.rows_affected() + named.rows_affected())
    }

    /// The newest entries, newest first.
    pub async fn journal_recent(&self, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        let rows: Vec<(i64, String, String, String, String)> = sqlx::query_as(
            "SELECT at_wall_ms, principal, action, subject, detail FROM journal
             ORDER BY id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter()
            .map(|(at_wall_ms, principal, action, subject, detail)| {
                Ok(JournalEntry {
                    at_wall_ms,
                    principal,
                    action,
                    subject,
                    detail: codec::from_json("journal entry", &detail)?,
                })
            })
            .collect()
    }
}
