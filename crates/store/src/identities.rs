//! Tokens of agents' versions: which were issued, and which are revoked.

use lockgate_model::identity::{Identity, Revoked, Voucher};
use lockgate_model::ids::{AgentName, IdentityId, VersionName};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Rows kept after their token expired, for whoever must explain, seconds.
const KEPT_S: i64 = 30 * 86_400;

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    /// What it says.
    #[serde(flatten)]
    pub identity: Identity,
    /// Who had it issued.
    pub by: String,
    /// When it was revoked by itself, or with its version.
    pub revoked_wall_ms: Option<i64>,
}

#[derive(FromRow)]
struct Columns {
    id: String,
    agent: String,
    version: String,
    manifest: String,
    issued_wall_s: i64,
    expires_wall_s: i64,
    principal: String,
    revoked_wall_ms: Option<i64>,
    kid: String,
}

impl Columns {
    fn row(self) -> Result<IdentityRow, StoreError> {
        Ok(IdentityRow {
            identity: Identity {
                id: codec::parse("identity", &self.id)?,
                agent: codec::parse("agent", &self.agent)?,
                version: codec::parse("version", &self.version)?,
                manifest: codec::from_tag("manifest digest", &self.manifest)?,
                issued_wall_s: self.issued_wall_s,
                expires_wall_s: self.expires_wall_s,
                voucher: Voucher::Key(codec::parse("key of tokens", &self.kid)?),
                acting: None,
            },
            by: self.principal,
            revoked_wall_ms: self.revoked_wall_ms,
        })
    }
}

impl Store {
    /// Remembers a token before it is handed out, and forgets those that expired long ago.
    pub async fn insert_identity(&self, identity: &Identity, by: &str) -> Result<(), StoreError> {
        let kid = identity.voucher.key().ok_or_else(|| StoreError::Value {
            what: "key of tokens",
            value: "a token of somebody else".to_owned(),
        })?;
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM identity WHERE expires_wall_s < ?")
            .bind(identity.issued_wall_s - KEPT_S)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO identity (id, agent, version, manifest, issued_wall_s, expires_wall_s, principal, kid)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(identity.id.to_string())
        .bind(identity.agent.as_str())
        .bind(identity.version.as_str())
        .bind(identity.manifest.as_str())
        .bind(identity.issued_wall_s)
        .bind(identity.expires_wall_s)
        .bind(by)
        .bind(kid.as_str())
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await
    }

    /// The second before which every token of a version is revoked; `None` when none is.
    pub async fn identity_floor(
        &self,
        agent: &AgentName,
        version: &VersionName,
    ) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT before_wall_s FROM identity_floor WHERE agent = ? AND version = ?",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .fetch_optional(&self.inner.reader)
        .await?)
    }

    /// Tokens that were issued and are remembered, newest first, at most `limit`.
    pub async fn identities(&self, limit: u32) -> Result<Vec<IdentityRow>, StoreError> {
        let rows: Vec<Columns> =
            sqlx::query_as("SELECT * FROM identity ORDER BY issued_wall_s DESC, id DESC LIMIT ?")
                .bind(limit)
                .fetch_all(&self.inner.reader)
                .await?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// Whether a version ever had a token that is remembered.
    pub async fn has_identities(
        &self,
        agent: &AgentName,
        version: &VersionName,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM identity WHERE agent = ? AND version = ?)",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .fetch_one(&self.inner.reader)
        .await?)
    }

    /// How many tokens have not expired.
    pub async fn live_identities(&self, now_wall_s: i64) -> Result<u64, StoreError> {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM identity WHERE expires_wall_s > ?")
                .bind(now_wall_s)
                .fetch_one(&self.inner.reader)
                .await?;
        codec::unsigned("identities", count)
    }

    /// One that was issued.
    pub async fn identity(&self, id: IdentityId) -> Result<Option<IdentityRow>, StoreError> {
        let row: Option<Columns> = sqlx::query_as("SELECT * FROM identity WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.inner.reader)
            .await?;
        row.map(Columns::row).transpose()
    }

    /// Revokes a token and tells gateways; `false` when there is none with this id that was valid.
    pub async fn revoke_identity(
        &self,
        id: IdentityId,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE identity SET revoked_wall_ms = ? WHERE id = ? AND revoked_wall_ms IS NULL",
        )
        .bind(at_wall_ms)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(true)
    }

    /// Revokes everything that was issued for a version so far, remembered or not, and tells gateways. Says how many
    /// were remembered and valid.
    pub async fn revoke_identities_of(
        &self,
        agent: &AgentName,
        version: &VersionName,
        at_wall_ms: i64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let tokens = revoke_all(&mut tx, agent, version, at_wall_ms).await?;
        self.commit_published(tx, at_wall_ms).await?;
        Ok(tokens)
    }

    /// Lets issuers outside vouch for a version again that was cut off, and tells gateways; `false` when they may.
    pub async fn admit_outside(
        &self,
        agent: &AgentName,
        version: &VersionName,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE identity_floor SET outside_barred = 0
             WHERE agent = ? AND version = ? AND outside_barred = 1",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(true)
    }

    /// Whether issuers outside vouch for a version in vain.
    pub async fn is_outside_barred(
        &self,
        agent: &AgentName,
        version: &VersionName,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM identity_floor
             WHERE agent = ? AND version = ? AND outside_barred = 1)",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .fetch_one(&self.inner.reader)
        .await?)
    }
}

/// All tokens of a version so far. Says how many were remembered and valid.
pub(crate) async fn revoke_all(
    conn: &mut SqliteConnection,
    agent: &AgentName,
    version: &VersionName,
    at_wall_ms: i64,
) -> Result<u64, StoreError> {
    // Whole seconds are what tokens say: the one under way is over, and the next token is of the next.
    let latest: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(issued_wall_s) FROM identity WHERE agent = ? AND version = ?",
    )
    .bind(agent.as_str())
    .bind(version.as_str())
    .fetch_one(&mut *conn)
    .await?;
    let before_wall_s = at_wall_ms.div_euclid(1_000).max(latest.unwrap_or(i64::MIN)) + 1;
    sqlx::query(
        "INSERT INTO identity_floor (agent, version, before_wall_s) VALUES (?, ?, ?)
         ON CONFLICT (agent, version)
         DO UPDATE SET before_wall_s = MAX(before_wall_s, excluded.before_wall_s)",
    )
    .bind(agent.as_str())
    .bind(version.as_str())
    .bind(before_wall_s)
    .execute(&mut *conn)
    .await?;
    let updated = sqlx::query(
        "UPDATE identity SET revoked_wall_ms = ?
         WHERE agent = ? AND version = ? AND revoked_wall_ms IS NULL AND expires_wall_s > ?",
    )
    .bind(at_wall_ms)
    .bind(agent.as_str())
    .bind(version.as_str())
    .bind(at_wall_ms.div_euclid(1_000))
    .execute(&mut *conn)
    .await?;
    Ok(updated.rows_affected())
}

/// Issuers outside vouch for a version no more: what they issue later would be good otherwise. Its tokens are revoked
/// already.
pub(crate) async fn bar_outside(
    conn: &mut SqliteConnection,
    agent: &AgentName,
    version: &VersionName,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE identity_floor SET outside_barred = 1 WHERE agent = ? AND version = ?")
        .bind(agent.as_str())
        .bind(version.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// What gateways must refuse though it looks good. What is expired looks bad by itself.
pub(crate) async fn revoked(
    conn: &mut SqliteConnection,
    at_wall_ms: i64,
) -> Result<Vec<Revoked>, StoreError> {
    let floors: Vec<(String, String, i64, bool)> = sqlx::query_as(
        "SELECT agent, version, before_wall_s, outside_barred FROM identity_floor
         ORDER BY agent, version",
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT i.id FROM identity i
         LEFT JOIN identity_floor f ON f.agent = i.agent AND f.version = i.version
         WHERE i.revoked_wall_ms IS NOT NULL AND i.expires_wall_s > ?
           AND (f.before_wall_s IS NULL OR i.issued_wall_s >= f.before_wall_s)
         ORDER BY i.id",
    )
    .bind(at_wall_ms.div_euclid(1_000))
    .fetch_all(conn)
    .await?;
    let mut revoked = Vec::with_capacity(floors.len() + ids.len());
    for (agent, version, before_wall_s, outside_barred) in floors {
        let agent: AgentName = codec::parse("agent", &agent)?;
        let version: VersionName = codec::parse("version", &version)?;
        if outside_barred {
            revoked.push(Revoked::Outside { agent: agent.clone(), version: version.clone() });
        }
        revoked.push(Revoked::Version { agent, version, before_wall_s });
    }
    for id in ids {
        revoked.push(Revoked::Token { id: codec::parse("identity", &id)? });
    }
    Ok(revoked)
}
