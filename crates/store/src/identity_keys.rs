//! Keys that sign tokens of agents' versions: which one does, and whose tokens are still good. Their private halves are
//! not here.

use lockgate_model::identity::{IdentityKey, KeyId};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Keys whose tokens may be good at once.
pub const IDENTITY_KEYS_MAX: usize = 16;
/// Rows kept after the key was taken out of use: longer than any token lasts.
const KEPT_MS: i64 = 400 * 86_400_000;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityKeyRow {
    /// Its name in tokens.
    pub kid: KeyId,
    /// The public half.
    pub public: String,
    /// Since when it signs, milliseconds since the Unix epoch.
    pub since_wall_ms: i64,
    /// Until when it did; `None` for the one that signs.
    pub until_wall_ms: Option<i64>,
    /// From when on its tokens are void by plan.
    pub ends_wall_ms: Option<i64>,
    /// When someone voided them.
    pub retired_wall_ms: Option<i64>,
    /// Who brought it into use.
    pub by: String,
}

impl IdentityKeyRow {
    /// Since when its tokens are void, if they are.
    pub fn void_since(&self, now_wall_ms: i64) -> Option<i64> {
        let ended = self.ends_wall_ms.filter(|ends| *ends <= now_wall_ms);
        self.retired_wall_ms.into_iter().chain(ended).min()
    }
}

/// Why the key that signs was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotRotated {
    /// Another change came first.
    #[error("another key signs by now")]
    Other,
    /// Every gateway has all of them.
    #[error("there are {IDENTITY_KEYS_MAX} keys whose tokens are good")]
    TooMany,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for NotRotated {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(FromRow)]
struct Columns {
    kid: String,
    public: String,
    since_wall_ms: i64,
    until_wall_ms: Option<i64>,
    ends_wall_ms: Option<i64>,
    retired_wall_ms: Option<i64>,
    principal: String,
}

impl Columns {
    fn row(self) -> Result<IdentityKeyRow, StoreError> {
        Ok(IdentityKeyRow {
            kid: codec::parse("key of tokens", &self.kid)?,
            public: self.public,
            since_wall_ms: self.since_wall_ms,
            until_wall_ms: self.until_wall_ms,
            ends_wall_ms: self.ends_wall_ms,
            retired_wall_ms: self.retired_wall_ms,
            by: self.principal,
        })
    }
}

impl Store {
    /// All keys that are remembered, the one that signs first.
    pub async fn identity_keys(&self) -> Result<Vec<IdentityKeyRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT * FROM identity_key ORDER BY until_wall_ms IS NOT NULL, until_wall_ms DESC, kid",
        )
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// The key that signs; `None` before there was one.
    pub async fn signing_key(&self) -> Result<Option<IdentityKeyRow>, StoreError> {
        let row: Option<Columns> =
            sqlx::query_as("SELECT * FROM identity_key WHERE until_wall_ms IS NULL")
                .fetch_optional(&self.inner.reader)
                .await?;
        row.map(Columns::row).transpose()
    }

    /// Takes the first key into use, unless there was one. Tokens of before are its own.
    pub async fn adopt_identity_key(
        &self,
        key: &IdentityKey,
        by: &str,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM identity_key)")
            .fetch_one(&mut *tx)
            .await?;
        if known {
            return Ok(false);
        }
        insert(&mut tx, key, by, at_wall_ms).await?;
        sqlx::query("UPDATE identity SET kid = ? WHERE kid = ''")
            .bind(key.kid.as_str())
            .execute(&mut *tx)
            .await?;
        // In a new store the first configuration tells gateways.
        let told: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM snapshot)")
            .fetch_one(&mut *tx)
            .await?;
        if told {
            self.commit_published(tx, at_wall_ms).await?;
        } else {
            self.commit(tx).await?;
        }
        Ok(true)
    }

    /// Has a new key sign in place of `former`, whose tokens are good until `ends_wall_ms`, and tells gateways of both.
    pub async fn rotate_identity_key(
        &self,
        former: &KeyId,
        ends_wall_ms: Option<i64>,
        new: &IdentityKey,
        by: &str,
        at_wall_ms: i64,
    ) -> Result<(), NotRotated> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM identity_key WHERE until_wall_ms < ?")
            .bind(at_wall_ms - KEPT_MS)
            .execute(&mut *tx)
            .await?;
        let replaced = sqlx::query(
            "UPDATE identity_key SET until_wall_ms = ?, ends_wall_ms = ?
             WHERE kid = ? AND until_wall_ms IS NULL",
        )
        .bind(at_wall_ms)
        .bind(ends_wall_ms)
        .bind(former.as_str())
        .execute(&mut *tx)
        .await?;
        if replaced.rows_affected() == 0 {
            return Err(NotRotated::Other);
        }
        insert(&mut tx, new, by, at_wall_ms).await?;
        if good(&mut tx, at_wall_ms).await?.len() > IDENTITY_KEYS_MAX {
            return Err(NotRotated::TooMany);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(())
    }

    /// Voids every token of a key that signs no more, and tells gateways; `false` when there is none of that name whose
    /// tokens were good.
    pub async fn retire_identity_key(
        &self,
        kid: &KeyId,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE identity_key SET retired_wall_ms = ? WHERE kid = ? AND until_wall_ms IS NOT NULL
             AND retired_wall_ms IS NULL AND (ends_wall_ms IS NULL OR ends_wall_ms > ?)",
        )
        .bind(at_wall_ms)
        .bind(kid.as_str())
        .bind(at_wall_ms)
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(true)
    }
}

async fn insert(
    conn: &mut SqliteConnection,
    key: &IdentityKey,
    by: &str,
    at_wall_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO identity_key (kid, public, since_wall_ms, principal) VALUES (?, ?, ?, ?)",
    )
    .bind(key.kid.as_str())
    .bind(&key.public)
    .bind(at_wall_ms)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keys whose tokens gateways may take.
pub(crate) async fn good(
    conn: &mut SqliteConnection,
    at_wall_ms: i64,
) -> Result<Vec<IdentityKey>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT * FROM identity_key
         WHERE retired_wall_ms IS NULL AND (ends_wall_ms IS NULL OR ends_wall_ms > ?) ORDER BY kid",
    )
    .bind(at_wall_ms)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let IdentityKeyRow { kid, public, ends_wall_ms, .. } = row.row()?;
            Ok(IdentityKey { kid, public, ends_wall_ms })
        })
        .collect()
}
