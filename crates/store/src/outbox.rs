//! Effects: performed at least once, recorded as performed exactly once.

use lockgate_model::ids::{AgentName, Epoch, FuseId, Revision, RolloutId, VersionName};
use lockgate_model::snapshot::Split;
use lockgate_rollout::event::Effect;
use lockgate_rollout::state::Rollout;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::feed::{self, News};
use crate::identities;
use crate::lease::check_fence;
use crate::snapshot;
use crate::store::{Store, now_wall_ms};

/// An effect that waits to be performed.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Its id, which makes performing it idempotent.
    pub id: i64,
    /// The rollout that asked for it.
    pub rollout: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// What.
    pub effect: Effect,
    /// How often it failed.
    pub attempts: u32,
    /// The step that asked for it is in the audit log.
    pub recorded: bool,
}

/// Where an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// Not performed yet.
    Pending,
    /// Performed.
    Done,
}

/// An effect and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRecord {
    /// Its id in the outbox.
    pub id: i64,
    /// What.
    pub effect: Effect,
    /// Where it is.
    pub state: EffectState,
    /// How often it failed.
    pub attempts: u32,
    /// What was noted when it was done, or why it failed last.
    pub note: Option<String>,
    /// When it was recorded as performed, milliseconds since the Unix epoch.
    pub applied_wall_ms: Option<i64>,
    /// How often it was recorded as performed: 0 or 1.
    pub applied_count: i64,
    /// The snapshot that carried it, for what gateways are told.
    pub revision: Option<Revision>,
}

impl Store {
    /// The splits of all agents that have a stable version.
    pub async fn splits(&self) -> Result<Vec<(AgentName, Split)>, StoreError> {
        snapshot::splits(&mut *self.inner.reader.acquire().await?).await
    }

    /// The split of one agent.
    pub async fn split(&self, agent: &AgentName) -> Result<Option<Split>, StoreError> {
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM split WHERE agent = ?")
            .bind(agent.as_str())
            .fetch_optional(&self.inner.reader)
            .await?;
        body.map(|body| codec::from_json("split", &body)).transpose()
    }

    /// Effects to perform now, oldest first, alerts after everything else: a channel that is down
    /// for long must not keep traffic from being changed. What changes an agent's traffic comes strictly one
    /// after the other: an acknowledged fuse must not yield before the split that replaces it.
    pub async fn outbox_due(
        &self,
        now_wall_ms: i64,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let rows: Vec<DueRow> = sqlx::query_as(
            "SELECT id, rollout, agent, body, attempts, NOT EXISTS (
                 SELECT 1 FROM ledger_queue AS queue
                 WHERE queue.rollout = due.rollout AND queue.seq = due.transition_seq) AS recorded
             FROM outbox AS due
             WHERE state = 'pending' AND next_wall_ms <= ?
                 AND (kind NOT IN ('set_split', 'revoke', 'acknowledge_fuses') OR NOT EXISTS (
                     SELECT 1 FROM outbox AS before
                     WHERE before.agent = due.agent AND before.state = 'pending'
                         AND before.kind IN ('set_split', 'revoke', 'acknowledge_fuses')
                         AND before.id < due.id))
             ORDER BY CASE WHEN kind = 'notify' THEN 1 ELSE 0 END, id LIMIT ?",
        )
        .bind(now_wall_ms)
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(DueRow::due).collect()
    }

    /// Brings a split to the gateways: the split, the snapshot that carries it and the outbox row
    /// change together. An id that was applied before gives its revision and changes nothing.
    pub async fn publish_split(
        &self,
        fence: u64,
        outbox_id: i64,
        split: &Split,
        agent: &AgentName,
        at_wall_ms: i64,
    ) -> Result<Revision, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        if let Some(revision) = begin_apply(&mut tx, outbox_id).await? {
            return Ok(revision);
        }
        sqlx::query(
            "INSERT INTO split (agent, body, revision) VALUES (?, ?, 0)
             ON CONFLICT (agent) DO UPDATE SET body = excluded.body",
        )
        .bind(agent.as_str())
        .bind(codec::to_json("split", split)?)
        .execute(&mut *tx)
        .await?;
        let revision = snapshot::publish(&mut tx, at_wall_ms).await?;
        sqlx::query("UPDATE split SET revision = ? WHERE agent = ?")
            .bind(codec::signed("revision", revision.0)?)
            .bind(agent.as_str())
            .execute(&mut *tx)
            .await?;
        apply(&mut tx, outbox_id, at_wall_ms, "published", Some(revision)).await?;
        let news = News {
            at_wall_ms,
            kind: "split",
            agent: Some(agent),
            rollout: split.rollout,
            body: json!({"revision": revision, "split": split}),
        };
        feed::tell(&mut tx, news).await?;
        self.commit_revision(tx, revision).await?;
        Ok(revision)
    }

    /// Tells gateways that these fuses were taken over and may be released.
    pub async fn acknowledge_fuses(
        &self,
        fence: u64,
        outbox_id: i64,
        ids: &[FuseId],
        at_wall_ms: i64,
    ) -> Result<Revision, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        if let Some(revision) = begin_apply(&mut tx, outbox_id).await? {
            return Ok(revision);
        }
        for id in ids {
            sqlx::query(
                "UPDATE fuse SET acknowledged_wall_ms = ?
                 WHERE id = ? AND acknowledged_wall_ms IS NULL",
            )
            .bind(at_wall_ms)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        }
        let revision = snapshot::publish(&mut tx, at_wall_ms).await?;
        apply(&mut tx, outbox_id, at_wall_ms, "published", Some(revision)).await?;
        self.commit_revision(tx, revision).await?;
        Ok(revision)
    }

    /// Makes every token of a version useless and tells gateways.
    pub async fn revoke_version(
        &self,
        fence: u64,
        outbox_id: i64,
        agent: &AgentName,
        version: &VersionName,
        at_wall_ms: i64,
    ) -> Result<Revision, StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        if let Some(revision) = begin_apply(&mut tx, outbox_id).await? {
            return Ok(revision);
        }
        let tokens = identities::revoke_all(&mut tx, agent, version, at_wall_ms).await?;
        identities::bar_outside(&mut tx, agent, version).await?;
        let revision = snapshot::publish(&mut tx, at_wall_ms).await?;
        let note = format!("{tokens} tokens revoked");
        apply(&mut tx, outbox_id, at_wall_ms, &note, Some(revision)).await?;
        self.commit_revision(tx, revision).await?;
        Ok(revision)
    }

    /// Records an effect as performed. One that was recorded before stays as it is.
    pub async fn outbox_done(&self, fence: u64, id: i64, note: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        let now = now_wall_ms(&mut tx).await?;
        apply(&mut tx, id, now, note, None).await?;
        self.commit(tx).await
    }

    /// Records that an effect failed and is tried again at `next_wall_ms`.
    pub async fn outbox_retry(
        &self,
        fence: u64,
        id: i64,
        next_wall_ms: i64,
        error: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, next_wall_ms = ?, note = ?
             WHERE id = ? AND state = 'pending'",
        )
        .bind(next_wall_ms)
        .bind(error)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The snapshot that first carried the split of this epoch; `None` until it is published.
    pub async fn revision_of_epoch(
        &self,
        rollout: RolloutId,
        epoch: Epoch,
    ) -> Result<Option<Revision>, StoreError> {
        let revision: Option<i64> =
            sqlx::query_scalar("SELECT MIN(revision) FROM outbox WHERE rollout = ? AND epoch = ?")
                .bind(rollout.to_string())
                .bind(codec::signed("epoch", epoch.0)?)
                .fetch_one(&self.inner.reader)
                .await?;
        revision.map(|revision| codec::unsigned("revision", revision).map(Revision)).transpose()
    }

    /// All effects of a rollout in order, also those that no transition asked for.
    pub async fn effects(&self, rollout: RolloutId) -> Result<Vec<EffectRecord>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        let effects = of_rollout(&mut conn, rollout).await?;
        Ok(effects.into_iter().map(|(_, effect)| effect).collect())
    }
}

/// The revision of an id that was applied before; refuses one whose predecessors were not.
async fn begin_apply(conn: &mut SqliteConnection, id: i64) -> Result<Option<Revision>, StoreError> {
    let row: Option<(String, String, Option<i64>)> =
        sqlx::query_as("SELECT agent, state, revision FROM outbox WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *conn)
            .await?;
    let Some((agent, state, revision)) = row else {
        return Err(unknown(id));
    };
    if state == "done" {
        let revision = revision.ok_or_else(|| unknown(id))?;
        return codec::unsigned("revision", revision).map(|revision| Some(Revision(revision)));
    }
    let before: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(id) FROM outbox WHERE agent = ? AND state = 'pending' AND id < ?
             AND kind IN ('set_split', 'revoke', 'acknowledge_fuses')",
    )
    .bind(agent)
    .bind(id)
    .fetch_one(conn)
    .await?;
    match before {
        Some(before) => Err(StoreError::OutOfOrder { id, before }),
        None => Ok(None),
    }
}

async fn apply(
    conn: &mut SqliteConnection,
    id: i64,
    at_wall_ms: i64,
    note: &str,
    revision: Option<Revision>,
) -> Result<(), StoreError> {
    let revision = revision.map(|revision| codec::signed("revision", revision.0)).transpose()?;
    let updated = sqlx::query(
        "UPDATE outbox SET state = 'done', applied_wall_ms = ?, note = ?, revision = ?,
             applied_count = applied_count + 1
         WHERE id = ? AND state = 'pending'",
    )
    .bind(at_wall_ms)
    .bind(note)
    .bind(revision)
    .bind(id)
    .execute(&mut *conn)
    .await?;
    if updated.rows_affected() == 1 {
        return Ok(());
    }
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM outbox WHERE id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    known.map(drop).ok_or_else(|| unknown(id))
}

fn unknown(id: i64) -> StoreError {
    StoreError::Unknown { what: format!("effect {id}") }
}

/// Adds an effect to do.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    transition_seq: i64,
    effect: &Effect,
) -> Result<(), StoreError> {
    let (kind, epoch) = match effect {
        Effect::SetSplit { split } => ("set_split", Some(split.epoch)),
        Effect::AcknowledgeFuses { .. } => ("acknowledge_fuses", None),
        Effect::Revoke { .. } => ("revoke", None),
        Effect::Notify { .. } => ("notify", None),
    };
    let epoch = epoch.map(|epoch| codec::signed("epoch", epoch.0)).transpose()?;
    sqlx::query(
        "INSERT INTO outbox (rollout, agent, transition_seq, kind, epoch, body)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(rollout.id.to_string())
    .bind(rollout.agent.as_str())
    .bind(transition_seq)
    .bind(kind)
    .bind(epoch)
    .bind(codec::to_json("effect", effect)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The effects of a rollout, each with the transition it belongs to.
pub(crate) async fn of_rollout(
    conn: &mut SqliteConnection,
    rollout: RolloutId,
) -> Result<Vec<(i64, EffectRecord)>, StoreError> {
    let rows: Vec<RecordRow> = sqlx::query_as(
        "SELECT id, transition_seq, body, state, attempts, note, applied_wall_ms, applied_count,
             revision
         FROM outbox WHERE rollout = ? ORDER BY id",
    )
    .bind(rollout.to_string())
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(RecordRow::record).collect()
}

#[derive(FromRow)]
struct DueRow {
    id: i64,
    rollout: String,
    agent: String,
    body: String,
    attempts: u32,
    recorded: bool,
}

impl DueRow {
    fn due(self) -> Result<OutboxRow, StoreError> {
        Ok(OutboxRow {
            id: self.id,
            rollout: codec::parse("rollout id", &self.rollout)?,
            agent: codec::parse("agent", &self.agent)?,
            effect: codec::from_json("effect", &self.body)?,
            attempts: self.attempts,
            recorded: self.recorded,
        })
    }
}

#[derive(FromRow)]
struct RecordRow {
    id: i64,
    transition_seq: i64,
    body: String,
    state: String,
    attempts: u32,
    note: Option<String>,
    applied_wall_ms: Option<i64>,
    applied_count: i64,
    revision: Option<i64>,
}

impl RecordRow {
    fn record(self) -> Result<(i64, EffectRecord), StoreError> {
        let revision = self
            .revision
            .map(|revision| codec::unsigned("revision", revision).map(Revision))
            .transpose()?;
        let record = EffectRecord {
            id: self.id,
            effect: codec::from_json("effect", &self.body)?,
            state: codec::from_tag("effect state", &self.state)?,
            attempts: self.attempts,
            note: self.note,
            applied_wall_ms: self.applied_wall_ms,
            applied_count: self.applied_count,
            revision,
        };
        Ok((self.transition_seq, record))
    }
}
