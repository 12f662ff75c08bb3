//! Rollouts and their steps. A step is one transaction: the state, the transition, its effects
//! and the inbox items it answers are all there, or none is.

use lockgate_model::ids::{AgentName, RolloutId};
use lockgate_rollout::event::Effect;
use lockgate_rollout::explain::Transition;
use lockgate_rollout::state::Rollout;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::feed::{self, News};
use crate::inbox::{self, InboxId, InboxOutcome};
use crate::lease::check_fence;
use crate::outbox::{self, EffectRecord};
use crate::store::Store;

/// A value with the version of its row, which a write must name.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// Grows with every write.
    pub row_version: i64,
    /// The value.
    pub value: T,
}

/// One step of a rollout, to be written whole.
#[derive(Debug, Clone, Copy)]
pub struct StepCommit<'a> {
    /// Token of the control lease.
    pub fence: u64,
    /// The state after.
    pub rollout: &'a Rollout,
    /// The row version that the step started from.
    pub row_version: i64,
    /// The transition, when the phase, stage or weight changed.
    pub transition: Option<&'a Transition>,
    /// What it asks for.
    pub effects: &'a [Effect],
    /// The inbox items that it answers.
    pub handled: &'a [(InboxId, InboxOutcome)],
}

/// One step on a release's way, with what became of its effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitionRecord {
    /// From 1.
    pub seq: i64,
    /// The step.
    pub transition: Transition,
    /// Its effects, in order.
    pub effects: Vec<EffectRecord>,
    /// Where it stands in the audit log; `None` until it does.
    pub ledger_seq: Option<u64>,
}

impl Store {
    /// Rollouts that have not ended, oldest first.
    pub async fn rollouts_open(&self) -> Result<Vec<Versioned<Rollout>>, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT row_version, body FROM rollout WHERE is_open = 1")
                .fetch_all(&self.inner.reader)
                .await?;
        // sorted here: asked to, the database walks all rollouts there ever were
        let open: Result<Vec<_>, _> = rows.into_iter().map(versioned).collect();
        let mut open = open?;
        open.sort_by_key(|open| (open.value.started_wall_ms, open.value.id));
        Ok(open)
    }

    /// How many rollouts have ended, by agent and the phase that they ended in.
    pub async fn rollouts_ended(&self) -> Result<Vec<(AgentName, String, u64)>, StoreError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT agent, phase, COUNT(*) FROM rollout WHERE is_open = 0
             GROUP BY agent, phase ORDER BY agent, phase",
        )
        .fetch_all(&self.inner.reader)
        .await?;
        let row = |(agent, phase, count): (String, String, i64)| {
            Ok((codec::parse("agent", &agent)?, phase, codec::unsigned("rollouts", count)?))
        };
        rows.into_iter().map(row).collect()
    }

    /// One rollout.
    pub async fn rollout(&self, id: RolloutId) -> Result<Option<Versioned<Rollout>>, StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT row_version, body FROM rollout WHERE id = ?")
                .bind(id.to_string())
                .fetch_optional(&self.inner.reader)
                .await?;
        row.map(versioned).transpose()
    }

    /// Rollouts of one agent or of all, newest first.
    pub async fn rollouts(
        &self,
        agent: Option<&AgentName>,
        limit: u32,
    ) -> Result<Vec<Rollout>, StoreError> {
        let query = match agent {
            Some(agent) => sqlx::query_scalar(
                "SELECT body FROM rollout WHERE agent = ?
                 ORDER BY started_wall_ms DESC, id DESC LIMIT ?",
            )
            .bind(agent.as_str()),
            None => sqlx::query_scalar(
                "SELECT body FROM rollout ORDER BY started_wall_ms DESC, id DESC LIMIT ?",
            ),
        };
        let bodies: Vec<String> = query.bind(limit).fetch_all(&self.inner.reader).await?;
        bodies.iter().map(|body| codec::from_json("rollout", body)).collect()
    }

    /// The way of one rollout, from its start.
    pub async fn transitions(
        &self,
        rollout: RolloutId,
    ) -> Result<Vec<TransitionRecord>, StoreError> {
        // one read transaction, so that no effect is missing beside its transition
        let mut tx = self.inner.reader.begin().await?;
        let rows: Vec<(i64, String, Option<i64>)> = sqlx::query_as(
            "SELECT seq, body, ledger_seq FROM rollout_transition WHERE rollout = ? ORDER BY seq",
        )
        .bind(rollout.to_string())
        .fetch_all(&mut *tx)
        .await?;
        let mut effects = outbox::of_rollout(&mut tx, rollout).await?;
        rows.into_iter()
            .map(|(seq, body, place)| {
                let place = place.map(|place| codec::unsigned("place in the audit log", place));
                let of_seq = effects.extract_if(.., |(of, _)| *of == seq);
                Ok(TransitionRecord {
                    seq,
                    effects: of_seq.map(|(_, effect)| effect).collect(),
                    transition: codec::from_json("transition", &body)?,
                    ledger_seq: place.transpose()?,
                })
            })
            .collect()
    }

    /// Writes a new rollout with its first step. An agent has one open rollout at most.
    pub async fn create_rollout(
        &self,
        fence: u64,
        rollout: &Rollout,
        transition: Option<&Transition>,
        effects: &[Effect],
        handled: &[(InboxId, InboxOutcome)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        if let Some(open) = open_of(&mut tx, &rollout.agent).await? {
            return Err(StoreError::RolloutOpen { agent: rollout.agent.clone(), rollout: open });
        }
        sqlx::query(
            "INSERT INTO rollout (id, agent, phase, is_open, started_wall_ms, ended_wall_ms,
                 row_version, body)
             VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        )
        .bind(rollout.id.to_string())
        .bind(rollout.agent.as_str())
        .bind(rollout.phase.as_str())
        .bind(!rollout.phase.is_end())
        .bind(rollout.started_wall_ms)
        .bind(rollout.ended_wall_ms)
        .bind(codec::to_json("rollout", rollout)?)
        .execute(&mut *tx)
        .await?;
        record(&mut tx, rollout, transition, effects, handled).await?;
        self.commit(tx).await
    }

    /// Writes one step. `Stale` when the rollout was changed since it was read.
    pub async fn commit_step(&self, step: StepCommit<'_>) -> Result<(), StoreError> {
        let rollout = step.rollout;
        let mut tx = self.begin().await?;
        check_fence(&mut tx, step.fence).await?;
        let updated = sqlx::query(
            "UPDATE rollout SET phase = ?, is_open = ?, ended_wall_ms = ?, body = ?,
                 row_version = row_version + 1
             WHERE id = ? AND row_version = ?",
        )
        .bind(rollout.phase.as_str())
        .bind(!rollout.phase.is_end())
        .bind(rollout.ended_wall_ms)
        .bind(codec::to_json("rollout", rollout)?)
        .bind(rollout.id.to_string())
        .bind(step.row_version)
        .execute(&mut *tx)
        .await?;
        if updated.rows_affected() != 1 {
            return Err(StoreError::Stale);
        }
        record(&mut tx, rollout, step.transition, step.effects, step.handled).await?;
        if step.transition.is_none() && step.effects.is_empty() && step.handled.is_empty() {
            // only its clock moved on: nobody waits for that
            return Ok(tx.commit().await?);
        }
        self.commit(tx).await
    }
}

fn versioned((row_version, body): (i64, String)) -> Result<Versioned<Rollout>, StoreError> {
    Ok(Versioned { row_version, value: codec::from_json("rollout", &body)? })
}

/// What a step leaves beside the rollout itself.
async fn record(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    transition: Option<&Transition>,
    effects: &[Effect],
    handled: &[(InboxId, InboxOutcome)],
) -> Result<(), StoreError> {
    let id = rollout.id.to_string();
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(seq) FROM rollout_transition WHERE rollout = ?")
            .bind(&id)
            .fetch_one(&mut *conn)
            .await?;
    let mut seq = last.unwrap_or(0);
    if let Some(transition) = transition {
        seq += 1;
        sqlx::query("INSERT INTO rollout_transition (rollout, seq, body) VALUES (?, ?, ?)")
            .bind(&id)
            .bind(seq)
            .bind(codec::to_json("transition", transition)?)
            .execute(&mut *conn)
            .await?;
        sqlx::query("INSERT INTO ledger_queue (rollout, seq) VALUES (?, ?)")
            .bind(&id)
            .bind(seq)
            .execute(&mut *conn)
            .await?;
        let news = News {
            at_wall_ms: transition.at_wall_ms,
            kind: "transition",
            agent: Some(&rollout.agent),
            rollout: Some(rollout.id),
            body: json!({"seq": seq, "candidate": rollout.candidate, "transition": transition}),
        };
        feed::tell(conn, news).await?;
    }
    for effect in effects {
        outbox::insert(conn, rollout, seq, effect).await?;
    }
    for (id, outcome) in handled {
        inbox::finish(conn, *id, outcome).await?;
    }
    Ok(())
}

/// The open rollout of an agent.
pub(crate) async fn open_of(
    conn: &mut SqliteConnection,
    agent: &AgentName,
) -> Result<Option<RolloutId>, StoreError> {
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM rollout WHERE agent = ? AND is_open = 1")
            .bind(agent.as_str())
            .fetch_optional(conn)
            .await?;
    codec::parse_some("rollout id", id.as_deref())
}

/// When a rollout ended; `None` for one that has not, or is not known.
pub(crate) async fn end_of(
    conn: &mut SqliteConnection,
    rollout: RolloutId,
) -> Result<Option<i64>, StoreError> {
    let ended: Option<Option<i64>> =
        sqlx::query_scalar("SELECT ended_wall_ms FROM rollout WHERE id = ?")
            .bind(rollout.to_string())
            .fetch_optional(conn)
            .await?;
    Ok(ended.flatten())
}

/// All open rollouts.
pub(crate) async fn open(conn: &mut SqliteConnection) -> Result<Vec<Rollout>, StoreError> {
    let bodies: Vec<String> =
        sqlx::query_scalar("SELECT body FROM rollout WHERE is_open = 1 ORDER BY id")
            .fetch_all(conn)
            .await?;
    bodies.iter().map(|body| codec::from_json("rollout", body)).collect()
}
