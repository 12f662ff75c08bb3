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
