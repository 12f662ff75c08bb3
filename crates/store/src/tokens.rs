//! API tokens: what they may do, and the hash that knows them again.

use std::fmt;
use std::str::FromStr;

use lockgate_model::ids::AgentName;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Also steer rollouts and report security events.
    Operator,
    /// Look and approve; beside the operator.
    Approver,
    /// Everything.
    Admin,
}

impl Role {
    /// The name used in files, metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        [Self::Viewer, Self::Operator, Self::Approver, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| StoreError::Value { what: "role", value: text.to_owned() })
    }
}

/// A token as the store knows it: by hash, never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the token, in hex.
    pub hash_hex: String,
    /// What it may do.
    pub role: Role,
    /// The agents it may do it to; `None` for all.
    pub agents: Option<Vec<AgentName>>,
    /// Milliseconds since the Unix epoch.
    pub created_wall_ms: i64,
    /// When it was revoked.
    pub revoked_wall_ms: Option<i64>,
}

#[derive(FromRow)]
struct TokenRow {
    id: String,
    name: String,
    hash_hex: String,
    role: String,
    agents: Option<String>,
    created_wall_ms: i64,
    revoked_wall_ms: Option<i64>,
}

impl TokenRow {
    fn record(self) -> Result<TokenRecord, StoreError> {
        let agents = self.agents.map(|text| codec::from_json("token", &text));
        Ok(TokenRecord {
            id: self.id,
            name: self.name,
            hash_hex: self.hash_hex,
            role: self.role.parse()?,
            agents: agents.transpose()?,
            created_wall_ms: self.created_wall_ms,
            revoked_wall_ms: self.revoked_wall_ms,
        })
    }
}

impl Store {
    /// All tokens, revoked ones included, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let rows: Vec<TokenRow> =
            sqlx::query_as("SELECT * FROM token ORDER BY created_wall_ms, id")
                .fetch_all(&self.inner.reader)
                .await?;
        rows.into_iter().map(TokenRow::record).collect()
    }

    /// Adds a token.
    pub async fn insert_token(&self, token: &TokenRecord) -> Result<(), StoreError> {
        let agents = token.agents.as_ref();
        let agents = agents.map(|agents| codec::to_json("token", agents));
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO token (id, name, hash_hex, role, agents, created_wall_ms, revoked_wall_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&token.id)
        .bind(&token.name)
        .bind(&token.hash_hex)
        .bind(token.role.as_str())
        .bind(agents.transpose()?)
        .bind(token.created_wall_ms)
        .bind(token.revoked_wall_ms)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// Revokes a token; `false` when there is none with this id that was valid.
    pub async fn revoke_token(&self, id: &str, at_wall_ms: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE token SET revoked_wall_ms = ? WHERE id = ? AND revoked_wall_ms IS NULL",
        )
        .bind(at_wall_ms)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(updated.rows_affected() == 1)
    }
}
