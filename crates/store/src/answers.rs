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

/// Outcomes that one user can add to the evidence of a version in a rollout. Beyond it they are kept, and say nothing of the
/// version: whoever holds many tickets would otherwise set the share of what was resolved.
pub const OUTCOMES_OF_USER_MAX: i64 = 10;

impl Store {
    /// Counts an answer: once per interaction and kind, and feedback once per user, version and
    /// rollout. A failed outcome is an error of the version, once per user as well, and none where
    /// users are not known: whoever holds many tickets would otherwise set the error rate. What the
    /// version said of an interaction itself is not counted again. On disk when this returns.
    pub(crate) async fn take_answer(
        &self,
        ticket: &Ticket,
        answer: Answer,
        at_wall_ms: i64,
    ) -> Result<Counted, StoreError> {
        let mut tx = self.begin().await?;
        let how = weighed(&mut tx, ticket, answer).await?;
        let (kind, value) = columns(answer)?;
        let inserted = sqlx::query(
            "INSERT INTO answer (interaction, kind, value, agent, version, rollout, epoch,
                 sticky_user, charged, counted, at_wall_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(ticket.interaction.to_string())
        .bind(kind)
        .bind(&value)
        .bind(ticket.agent.as_str())
        .bind(ticket.version.as_str())
        .bind(rollout_column(ticket.rollout))
        .bind(codec::signed("epoch", ticket.epoch.0)?)
        .bind(ticket.user.map(u64::cast_signed))
        .bind(how.charged)
        .bind(how.counted)
        .bind(at_wall_ms)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Counted::Before);
        }
        if let Some(cell) = cell(ticket) {
            count(&mut tx, &cell, answer, how, ticket.user).await?;
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

/// What an answer does to the evidence of its version.
#[derive(Debug, Clone, Copy, FromRow)]
struct Weight {
    /// It is an error of the version.
    charged: bool,
    /// Whether it is one more vote or outcome.
    counted: Heard,
}

/// What an answer adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[repr(i64)]
enum Heard {
    /// Nothing: the version said it itself.
    Before = 0,
    /// Itself.
    Counted = 1,
    /// Nothing, and nothing is known of its interaction: enough of its user's were counted.
    Beyond = 2,
}

async fn weighed(
    conn: &mut SqliteConnection,
    ticket: &Ticket,
    answer: Answer,
) -> Result<Weight, StoreError> {
    let Answer::Outcome(outcome) = answer else {
        return Ok(Weight { charged: false, counted: Heard::Counted });
    };
    let known = known(conn, &ticket.interaction.to_string()).await?;
    let user = match ticket.user {
        None => None,
        Some(user) => Some(said_before(conn, ticket, user).await?),
    };
    Ok(Weight {
        charged: outcome == Outcome::Failed
            && !known.has_error
            && user.is_some_and(|said| !said.has_failed),
        counted: match user {
            _ if known.has_outcome => Heard::Before,
            Some(said) if said.outcomes >= OUTCOMES_OF_USER_MAX => Heard::Beyond,
            _ => Heard::Counted,
        },
    })
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

/// What an interaction said itself; nothing before it is written.
#[derive(Debug, Clone, Copy, Default, FromRow)]
struct Known {
    has_error: bool,
    has_outcome: bool,
}

async fn known(conn: &mut SqliteConnection, interaction: &str) -> Result<Known, StoreError> {
    let known: Option<Known> = sqlx::query_as(
        "SELECT error IS NOT NULL AS has_error, outcome IS NOT NULL AS has_outcome
         FROM interaction WHERE id = ?",
    )
    .bind(interaction)
    .fetch_optional(conn)
    .await?;
    Ok(known.unwrap_or_default())
}

/// What a user has said of this version in this rollout.
#[derive(Debug, Clone, Copy, FromRow)]
struct Said {
    /// It has counted as an error.
    has_failed: bool,
    /// Outcomes that have counted.
    outcomes: i64,
}

async fn said_before(
    conn: &mut SqliteConnection,
    ticket: &Ticket,
    user: u64,
) -> Result<Said, StoreError> {
    Ok(sqlx::query_as(
        "SELECT
             EXISTS (SELECT 1 FROM answer WHERE agent = ?1 AND version = ?2 AND rollout = ?3
                 AND sticky_user = ?4 AND charged = 1) AS has_failed,
             (SELECT COUNT(*) FROM answer WHERE agent = ?1 AND version = ?2 AND rollout = ?3
                 AND sticky_user = ?4 AND kind = 'outcome' AND counted = 1) AS outcomes",
    )
    .bind(ticket.agent.as_str())
    .bind(ticket.version.as_str())
    .bind(rollout_column(ticket.rollout))
    .bind(user.cast_signed())
    .fetch_one(conn)
    .await?)
}

/// Adds an answer to the evidence of its rollout.
async fn count(
    conn: &mut SqliteConnection,
    cell: &Cell,
    answer: Answer,
    how: Weight,
    user: Option<u64>,
) -> Result<(), StoreError> {
    let mut arm = Arm::default();
    add_answer(&mut arm, answer, how);
    let key = user.filter(|_| how.charged).map(|key| (key, true));
    add_evidence(conn, cell, arm, &KeySet::from_iter(key)).await
}

fn add_answer(arm: &mut Arm, answer: Answer, how: Weight) {
    match (how.counted, answer) {
        (Heard::Before, _) => {}
        (Heard::Beyond, _) => arm.outcomes.unheard += 1,
        (Heard::Counted, Answer::Feedback(score)) => arm.feedback.record(score),
        (Heard::Counted, Answer::Outcome(outcome)) => arm.outcomes.record(outcome),
    }
    if how.charged {
        *arm.errors.entry(ErrorClass::OutcomeFailed).or_default() += 1;
    }
}

/// An answer that came before its interaction was written.
#[derive(Debug, FromRow)]
struct Early {
    value: String,
    rollout: String,
    epoch: i64,
    version: String,
    #[sqlx(flatten)]
    how: Weight,
    #[sqlx(flatten)]
    known: Known,
}

/// Brings an interaction that has just been written together with the answer that came before
/// it: it learns its outcome. If it ended in an error of its own, the answer is no second one, and
/// if it said how it ended, the answer is no second outcome.
///
/// Gives the outcome that it learnt.
pub(crate) async fn meet(
    conn: &mut SqliteConnection,
    interaction: &str,
) -> Result<Option<Outcome>, StoreError> {
    let early: Option<Early> = sqlx::query_as(
        "SELECT answer.value, answer.charged, answer.counted, answer.rollout, answer.epoch,
             answer.version, interaction.error IS NOT NULL AS has_error,
             interaction.outcome IS NOT NULL AS has_outcome
         FROM answer JOIN interaction ON interaction.id = answer.interaction
         WHERE answer.interaction = ? AND answer.kind = 'outcome'",
    )
    .bind(interaction)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(early) = early else { return Ok(None) };
    let outcome = codec::from_tag("outcome", &early.value)?;
    sqlx::query("UPDATE interaction SET outcome = ? WHERE id = ? AND outcome IS NULL")
        .bind(&early.value)
        .bind(interaction)
        .execute(&mut *conn)
        .await?;
    let second_error = early.how.charged && early.known.has_error;
    let second_outcome = early.how.counted != Heard::Before && early.known.has_outcome;
    if !(second_error || second_outcome) {
        return Ok(Some(outcome));
    }
    sqlx::query(
        "UPDATE answer SET charged = ?, counted = ? WHERE interaction = ? AND kind = 'outcome'",
    )
    .bind(early.how.charged && !second_error)
    .bind(if second_outcome { Heard::Before } else { early.how.counted })
    .bind(interaction)
    .execute(&mut *conn)
    .await?;
    if early.rollout.is_empty() {
        return Ok(Some(outcome));
    }
    let cell = Cell {
        rollout: codec::parse("rollout id", &early.rollout)?,
        epoch: Epoch(codec::unsigned("epoch", early.epoch)?),
        version: codec::parse("version", &early.version)?,
    };
    change_evidence(conn, &cell, |evidence| {
        if second_error && let Some(errors) = evidence.errors.get_mut(&ErrorClass::OutcomeFailed) {
            *errors = errors.saturating_sub(1);
        }
        match early.how.counted {
            Heard::Counted if second_outcome => evidence.outcomes.take_back(outcome),
            Heard::Beyond if second_outcome => {
                evidence.outcomes.unheard = evidence.outcomes.unheard.saturating_sub(1);
            }
            _ => {}
        }
    })
    .await?;
    Ok(Some(outcome))
}

/// An answer as it is kept. Read `kind`, `value`, `charged` and `counted`.
#[derive(Debug, FromRow)]
pub(crate) struct Told {
    kind: String,
    value: String,
    #[sqlx(flatten)]
    how: Weight,
}

impl Told {
    /// Adds it to an arm.
    pub(crate) fn add_to(&self, arm: &mut Arm) -> Result<(), StoreError> {
        let answer = if self.kind == "feedback" {
            Answer::Feedback(codec::from_tag::<Score>("score", &self.value)?)
        } else {
            Answer::Outcome(codec::from_tag::<Outcome>("outcome", &self.value)?)
        };
        add_answer(arm, answer, self.how);
        Ok(())
    }
}

/// An answer as signals read it.
#[derive(Debug, FromRow)]
pub(crate) struct AnswerRow {
    pub(crate) version: String,
    pub(crate) at_wall_ms: i64,
    sticky_user: Option<i64>,
    #[sqlx(flatten)]
    told: Told,
}

impl AnswerRow {
    /// Adds it to an arm, and the user's key to its keys if it counts as an error.
    pub(crate) fn add_to(&self, arm: &mut Arm, keys: &mut KeySet) -> Result<(), StoreError> {
        self.told.add_to(arm)?;
        if self.told.how.charged
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
        "SELECT version, at_wall_ms, kind, value, sticky_user, charged, counted FROM answer
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
        "SELECT version, at_wall_ms, kind, value, sticky_user, charged, counted FROM answer
         WHERE agent = ? AND version = ? AND at_wall_ms >= ?",
    )
    .bind(agent)
    .bind(version)
    .bind(since_wall_ms)
    .fetch_all(conn)
    .await?)
}
