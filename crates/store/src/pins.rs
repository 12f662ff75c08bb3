//! What agents are told of tools, pinned.

use async_trait::async_trait;
use lockgate_model::ids::{Revision, ToolName};
use lockgate_model::pin::{Pin, Pins, SeenTool};
use lockgate_model::ports::PortError;
use lockgate_model::version::Digest;
use lockgate_rollout::event::{Alert, Effect};
use lockgate_rollout::state::Rollout;
use serde_json::Value;
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::events::NO_TRANSITION;
use crate::lease::check_fence;
use crate::outbox;
use crate::store::{Store, now_wall_ms};

/// Actions of all tools that are pinned, at most: every gateway has all of them.
const PINS_MAX: i64 = 5_000;

/// A pin and what was seen since.
#[derive(Debug, Clone, PartialEq)]
pub struct PinRow {
    /// The tool.
    pub tool: ToolName,
    /// The action.
    pub action: String,
    /// Digest of what agents are told.
    pub digest: Digest,
    /// What that is.
    pub shape: Value,
    /// Since when, milliseconds since the Unix epoch.
    pub since_wall_ms: i64,
    /// What was seen otherwise since, its digest first; the action is not called until one of both is accepted.
    pub changed: Option<(Digest, Value)>,
    /// When that was seen first.
    pub changed_wall_ms: Option<i64>,
}

#[derive(FromRow)]
struct Columns {
    tool: String,
    action: String,
    digest: String,
    shape: String,
    since_wall_ms: i64,
    new_digest: Option<String>,
    new_shape: Option<String>,
    changed_wall_ms: Option<i64>,
}

impl Columns {
    fn row(self) -> Result<PinRow, StoreError> {
        let changed = match (self.new_digest, self.new_shape) {
            (Some(digest), Some(shape)) => {
                Some((codec::from_tag("digest", &digest)?, codec::from_json("tool", &shape)?))
            }
            _ => None,
        };
        Ok(PinRow {
            tool: codec::parse("tool", &self.tool)?,
            action: self.action,
            digest: codec::from_tag("digest", &self.digest)?,
            shape: codec::from_json("tool", &self.shape)?,
            since_wall_ms: self.since_wall_ms,
            changed,
            changed_wall_ms: self.changed_wall_ms,
        })
    }
}

const SELECT: &str =
    "SELECT tool, action, digest, shape, since_wall_ms, new_digest, new_shape, changed_wall_ms
    FROM tool_pin";

impl Store {
    async fn see_tool(&self, seen: &SeenTool) -> Result<Revision, StoreError> {
        let mut tx = self.begin().await?;
        let now_ms = now_wall_ms(&mut tx).await?;
        let known: Option<(String, Option<String>)> =
            sqlx::query_as("SELECT digest, new_digest FROM tool_pin WHERE tool = ? AND action = ?")
                .bind(seen.tool.as_str())
                .bind(&seen.action)
                .fetch_optional(&mut *tx)
                .await?;
        let digest = seen.digest.as_str();
        match known {
            Some((pinned, changed))
                if changed.as_deref() == Some(digest) || changed.is_none() && pinned == digest =>
            {
                return Ok(*self.inner.revision.borrow());
            }
            // What was pinned is seen again after it was seen otherwise: somebody has to look all the same.
            Some((pinned, Some(_))) if pinned == digest => {
                return Ok(*self.inner.revision.borrow());
            }
            Some(_) => {
                sqlx::query(
                    "UPDATE tool_pin SET new_digest = ?, new_shape = ?, changed_wall_ms = ?,
                         told = CASE WHEN new_digest IS NULL THEN 0 ELSE told END
                     WHERE tool = ? AND action = ?",
                )
                .bind(digest)
                .bind(codec::to_json("tool", &seen.shape)?)
                .bind(now_ms)
                .bind(seen.tool.as_str())
                .bind(&seen.action)
                .execute(&mut *tx)
                .await?;
            }
            None => {
                let pins: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM tool_pin").fetch_one(&mut *tx).await?;
                if pins >= PINS_MAX {
                    return Err(StoreError::Full { what: "pinned tools", max: PINS_MAX });
                }
                sqlx::query(
                    "INSERT INTO tool_pin (tool, action, digest, shape, since_wall_ms) VALUES (?, ?, ?, ?, ?)",
                )
                .bind(seen.tool.as_str())
                .bind(&seen.action)
                .bind(digest)
                .bind(codec::to_json("tool", &seen.shape)?)
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
            }
        }
        self.commit_published(tx, now_ms).await
    }

    /// All pins, those that were seen otherwise first.
    pub async fn pins(&self) -> Result<Vec<PinRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} ORDER BY new_digest IS NULL, tool, action"
        )))
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// Accepts what is pinned or what was seen since, by its digest, and tells gateways; `false` when that is neither of
    /// both, or nothing was seen since.
    pub async fn accept_pin(
        &self,
        tool: &ToolName,
        action: &str,
        digest: &Digest,
        at_wall_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE tool_pin SET
                 shape = CASE WHEN new_digest = ?1 THEN new_shape ELSE shape END,
                 digest = ?1, since_wall_ms = ?2, new_digest = NULL, new_shape = NULL, changed_wall_ms = NULL
             WHERE tool = ?3 AND action = ?4 AND new_digest IS NOT NULL AND (digest = ?1 OR new_digest = ?1)",
        )
        .bind(digest.as_str())
        .bind(at_wall_ms)
        .bind(tool.as_str())
        .bind(action)
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        self.commit_published(tx, at_wall_ms).await?;
        Ok(true)
    }

    /// Changes that nobody was told of.
    pub async fn untold_pins(&self) -> Result<Vec<PinRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE new_digest IS NOT NULL AND told = 0 LIMIT 50"
        )))
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }

    /// Has people told of a change, by the channels of these agents.
    pub async fn tell_of_pin(
        &self,
        fence: u64,
        pin: &PinRow,
        rollouts: &[Rollout],
        alert: &Alert,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        sqlx::query("UPDATE tool_pin SET told = 1 WHERE tool = ? AND action = ?")
            .bind(pin.tool.as_str())
            .bind(&pin.action)
            .execute(&mut *tx)
            .await?;
        for rollout in rollouts {
            let effect = Effect::Notify { alert: alert.clone() };
            outbox::insert(&mut tx, rollout, NO_TRANSITION, &effect).await?;
        }
        self.commit(tx).await
    }
}

/// What gateways are told.
pub(crate) async fn told(conn: &mut SqliteConnection) -> Result<Vec<Pin>, StoreError> {
    let rows: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT tool, action, digest, new_digest FROM tool_pin ORDER BY tool, action",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(tool, action, digest, seen)| {
            let seen = seen.map(|seen| codec::from_tag("digest", &seen)).transpose()?;
            Ok(Pin {
                tool: codec::parse("tool", &tool)?,
                action,
                digest: codec::from_tag("digest", &digest)?,
                changed: seen.is_some(),
                seen,
            })
        })
        .collect()
}

#[async_trait]
impl Pins for Store {
    async fn see(&self, seen: &SeenTool) -> Result<Revision, PortError> {
        self.see_tool(seen).await.map_err(PortError::from)
    }
}
