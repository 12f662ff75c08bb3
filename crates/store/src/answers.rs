//! Feedback and outcomes that come in with a ticket, each counted once.

use lockgate_model::ids::{Epoch, RolloutId};
use lockgate_model::interaction::{ErrorClass, Outcome, Score};
use lockgate_model::ticket::{Answer, Counted, Ticket};
use lockgate_telemetry::arm::Arm;
use lockgate_value::rollup::{Slot, hour_of};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::interactions;
use crate::keys::KeySet;
use crate::store::Store;
use crate::value;
use crate::windows::{Cell, add_evidence, change_evidence, rollout_column};

impl Store {
    /// Counts an answer: once per interaction and kind, and feedback once per user, version and
    /// rollout. A failed outcome is an error of the version, once per user as well, and none where
    /// users are not known: whoever holds many tickets would otherwise set the error rate. On disk
    /// when this returns.
    pub(crate) async fn take_answer(
        &self,
        ticket: &Ticket,
        answer: Answer,
        at_wall_ms: i64,
    ) -> Result<Counted, StoreError> {
        let mut tx = self.begin().await?;
        let failed = answer == Answer::Outcome(Outcome::Failed);
        let charged = match ticket.user.filter(|_| failed) {
            None => false,
            Some(user) => {
                !has_error(&mut tx, ticket).await?
                    && !has_failed_before(&mut tx, ticket, user).await?
            }
        };
        let (kind, value) = columns(answer)?;
        let inserted = sqlx::query(
            "INSERT INTO answer (interaction, kind, value, agent, version, rollout, epoch,
                 sticky_user, charged, at_wall_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(ticket.interaction.to_string())
        .bind(kind)
        .bind(&value)
        .bind(ticket.agent.as_str())
        .bind(ticket.version.as_str())
        .bind(rollout_column(ticket.rollout))
        .bind(codec::signed("epoch", ticket.epoch.0)?)
        .bind(ticket.user.map(u64::cast_signed))
        .bind(charged)
        .bind(at_wall_ms)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Counted::Before);
        }
        if let Some(cell) = cell(ticket) {
            count(&mut tx, &cell, answer, charged, ticket.user).await?;
        }
        match answer {
            Answer::Outcome(outcome) => {
                interactions::learn(&mut tx, &ticket.interaction, outcome).await?;
            }
            Answer::Feedback(score) => {
                value::change(&mut tx, &hour(ticket, at_wall_ms), |bucket| bucket.vote(score))
                    .await?;
            }
        }
        // no wake, as with windows
        tx.commit().await?;
        Ok(Counted::Yes)
    }
}

/// The hour of the interaction that a ticket was given out with, by its id; where that does not tell, now.
fn hour(ticket: &Ticket, now_wall_ms: i64) -> Slot {
    let Ticket { interaction, agent, version, .. } = ticket;
    Slot {
        agent: agent.clone(),
        version: Some(version.clone()),
        start_wall_ms: hour_of(interaction.began_wall_ms().unwrap_or(now_wall_ms)),
    }
}

fn cell(ticket: &Ticket) -> Option<Cell> {
    Some(Cell { rollout: ticket.rollout?, epoch: ticket.epoch, version: ticket.version.clone() })
}

fn columns(answer: Answer) -> Result<(&'static str, String), StoreError> {
    Ok(match answer {
        Answer::Feedback(score) => ("feedback", codec::to_tag("score", &score)?),
        Answer::Outcome(outcome) => ("outcome", codec::to_tag("outcome", &outcome)?),
    })
}

async fn has_error(conn: &mut SqliteConnection, ticket: &Ticket) -> Result<bool, StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM interaction WHERE id = ? AND error IS NOT NULL")
            .bind(ticket.interaction.to_string())
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// Whether this user's word has counted as an error of the version in this rollout.
async fn has_failed_before(
    conn: &mut SqliteConnection,
    ticket: &Ticket,
    user: u64,
) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM answer WHERE agent = ? AND version = ? AND rollout = ?
             AND sticky_user = ? AND charged = 1",
    )
    .bind(ticket.agent.as_str())
    .bind(ticket.version.as_str())
    .bind(rollout_column(ticket.rollout))
    .bind(user.cast_signed())
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Adds an answer to the evidence of its rollout.
async fn count(
    conn: &mut SqliteConnection,
    cell: &Cell,
    answer: Answer,
    charged: bool,
    user: Option<u64>,
) -> Result<(), StoreError> {
    let mut arm = Arm::default();
    add_answer(&mut arm, answer, charged);
    let key = user.filter(|_| charged).map(|key| (key, true));
    add_evidence(conn, cell, arm, &KeySet::from_iter(key)).await
}

fn add_answer(arm: &mut Arm, answer: Answer, charged: bool) {
    match answer {
        Answer::Feedback(score) => arm.feedback.record(score),
        Answer::Outcome(outcome) => arm.outcomes.record(outcome),
    }
    if charged {
        *arm.errors.entry(ErrorClass::OutcomeFailed).or_default() += 1;
    }
}

/// Brings an interaction that has just been written together with the answer that came before
/// it: it learns its outcome, and if it ended in an error of its own, the answer is no second one.
///
/// Gives the outcome that it learnt.
pub(crate) async fn meet(
    conn: &mut SqliteConnection,
    interaction: &str,
) -> Result<Option<Outcome>, StoreError> {
    let row: Option<(String, bool, String, i64, String, bool)> = sqlx::query_as(
        "SELECT answer.value, answer.charged, answer.rollout, answer.epoch, answer.version,
             interaction.error IS NOT NULL
         FROM answer JOIN interaction ON interaction.id = answer.interaction
         WHERE answer.interaction = ? AND answer.kind = 'outcome'",
    )
    .bind(interaction)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((value, charged, rollout, epoch, version, has_error)) = row else {
        return Ok(None);
    };
    let outcome = codec::from_tag("outcome", &value)?;
    sqlx::query("UPDATE interaction SET outcome = ? WHERE id = ? AND outcome IS NULL")
        .bind(value)
        .bind(interaction)
        .execute(&mut *conn)
        .await?;
    if !(charged && has_error) {
        return Ok(Some(outcome));
    }
    sqlx::query("UPDATE answer SET charged = ? WHERE interaction = ? AND kind = 'outcome'")
        .bind(false)
        .bind(interaction)
        .execute(&mut *conn)
        .await?;
    if rollout.is_empty() {
        return Ok(Some(outcome));
    }
    let cell = Cell {
        rollout: codec::parse("rollout id", &rollout)?,
        epoch: Epoch(codec::unsigned("epoch", epoch)?),
        version: codec::parse("version", &version)?,
    };
    change_evidence(conn, &cell, |evidence| {
        if let Some(errors) = evidence.errors.get_mut(&ErrorClass::OutcomeFailed) {
            *errors = errors.saturating_sub(1);
        }
    })
    .await?;
    Ok(Some(outcome))
}

/// Adds an answer as it is kept to an arm.
pub(crate) fn add_told(
    arm: &mut Arm,
    kind: &str,
    value: &str,
    charged: bool,
) -> Result<(), StoreError> {
    let answer = if kind == "feedback" {
        Answer::Feedback(codec::from_tag::<Score>("score", value)?)
    } else {
        Answer::Outcome(codec::from_tag::<Outcome>("outcome", value)?)
    };
    add_answer(arm, answer, charged);
    Ok(())
}

/// An answer as signals read it.
#[derive(Debug, FromRow)]
pub(crate) struct AnswerRow {
    pub(crate) version: String,
    pub(crate) at_wall_ms: i64,
    kind: String,
    value: String,
    sticky_user: Option<i64>,
    charged: bool,
}

impl AnswerRow {
    /// Adds it to an arm, and the user's key to its keys if it counts as an error.
    pub(crate) fn add_to(&self, arm: &mut Arm, keys: &mut KeySet) -> Result<(), StoreError> {
        add_told(arm, &self.kind, &self.value, self.charged)?;
        if self.charged
            && let Some(user) = self.sticky_user
        {
            keys.insert(user.cast_unsigned(), true);
        }
        Ok(())
    }
}

/// Answers of a rollout after `after_wall_ms`, newest first.
pub(crate) async fn of_rollout(
    conn: &mut SqliteConnection,
    rollout: RolloutId,
    after_wall_ms: i64,
    without_epochs: &[Epoch],
) -> Result<Vec<AnswerRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT version, at_wall_ms, kind, value, sticky_user, charged FROM answer
         WHERE rollout = ? AND at_wall_ms > ?
             AND epoch NOT IN (SELECT value FROM json_each(?)) ORDER BY at_wall_ms DESC",
    )
    .bind(rollout.to_string())
    .bind(after_wall_ms)
    .bind(codec::to_json("epochs", &without_epochs)?)
    .fetch_all(conn)
    .await?)
}

/// Answers about a version since `since_wall_ms`.
pub(crate) async fn of_version(
    conn: &mut SqliteConnection,
    agent: &str,
    version: &str,
    since_wall_ms: i64,
) -> Result<Vec<AnswerRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT version, at_wall_ms, kind, value, sticky_user, charged FROM answer
         WHERE agent = ? AND version = ? AND at_wall_ms >= ?",
    )
    .bind(agent)
    .bind(version)
    .bind(since_wall_ms)
    .fetch_all(conn)
    .await?)
}
