//! Actions that wait for a person. Every question is answered once, by people who may, in time, and a yes is used once:
//! each step is one transaction, and none of them goes by a clock that was moved back.

mod row;

use std::time::Duration;

use async_trait::async_trait;
use lockgate_model::approval::{Answer, ApprovalSettings, Approvals, AskTerm, Question, Waited};
use lockgate_model::ids::{ApprovalId, IssuerName};
use lockgate_model::ports::PortError;
use lockgate_rollout::event::{Alert, Effect};
use lockgate_rollout::state::Rollout;
use sqlx::SqliteConnection;
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::codec;
use crate::error::StoreError;
use crate::events::NO_TRANSITION;
use crate::lease::check_fence;
use crate::outbox;
use crate::store::{Store, Tx};
pub use row::{ApprovalRow, ApprovalState, NoVote, Vote};
use row::{Columns, SELECT, SELECT_SHORT};

/// Questions of one version that are open at once, at most: an agent in a loop must not bury the others'.
const OPEN_OF_VERSION_MAX: i64 = 100;
/// Questions that are open at once, at most.
const OPEN_MAX: i64 = 5_000;
/// How long a question is kept after its end.
const KEPT_MS: i64 = 30 * 86_400_000;
/// How often somebody who waits looks again although nobody wrote.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Store {
    async fn ask_person(&self, question: &Question) -> Result<Answer, StoreError> {
        let mut tx = self.begin().await?;
        let now_ms = self.steady_ms(&mut tx).await?;
        end_overdue(&mut tx, now_ms).await?;
        let open: Option<(String, String, i64)> = sqlx::query_as(
            "SELECT id, state, until_wall_ms FROM approval
             WHERE agent = ? AND version = ? AND hash = ? AND state IN ('waiting', 'granted', 'denied')",
        )
        .bind(question.agent.as_str())
        .bind(question.version.as_str())
        .bind(&question.hash)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some((id, state, until_wall_ms)) = open {
            let id: ApprovalId = codec::parse("approval", &id)?;
            return match ApprovalState::parse(&state)? {
                ApprovalState::Granted => {
                    put(&mut tx, id, ApprovalState::Used, now_ms, now_ms).await?;
                    self.commit(tx).await?;
                    Ok(Answer::Granted { id })
                }
                ApprovalState::Waiting => Ok(Answer::Waiting { id, until_wall_ms, is_new: false }),
                _ => Ok(Answer::Denied { id }),
            };
        }
        if is_full(&mut tx, question).await? {
            return Ok(Answer::Full);
        }
        let id = ApprovalId(Uuid::now_v7());
        let until_wall_ms = after(now_ms, question.settings.expires_ms);
        sqlx::query(
            "INSERT INTO approval (id, agent, version, tool, action, hash, token, issuer, givers, terms, settings, shown,
                 state, asked_wall_ms, until_wall_ms, changed_wall_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)",
        )
        .bind(id.to_string())
        .bind(question.agent.as_str())
        .bind(question.version.as_str())
        .bind(question.tool.as_str())
        .bind(&question.action)
        .bind(&question.hash)
        .bind(question.token.to_string())
        .bind(question.issuer.as_ref().map(IssuerName::as_str))
        .bind(codec::to_json("givers", &question.givers)?)
        .bind(codec::to_json("terms", &question.terms)?)
        .bind(codec::to_json("settings", &question.settings)?)
        .bind(codec::to_json("question", &question.shown)?)
        .bind(now_ms)
        .bind(until_wall_ms)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(Answer::Waiting { id, until_wall_ms, is_new: true })
    }

    /// Whether somebody's word on a question would count now.
    pub async fn may_vote(
        &self,
        id: ApprovalId,
        by: &str,
    ) -> Result<Result<ApprovalRow, NoVote>, StoreError> {
        let mut tx = self.begin().await?;
        self.votable(&mut tx, id, by).await.map(|found| found.map(|(row, _)| row))
    }

    async fn votable(
        &self,
        tx: &mut Tx,
        id: ApprovalId,
        by: &str,
    ) -> Result<Result<(ApprovalRow, i64), NoVote>, StoreError> {
        let now_ms = self.steady_ms(tx).await?;
        let Some(row) = one(tx, id, now_ms).await? else { return Ok(Err(NoVote::Unknown)) };
        if row.state != ApprovalState::Waiting {
            return Ok(Err(NoVote::Decided(row.state)));
        }
        match row.issued_by.as_deref() {
            None if row.issuer.is_some() => {}
            None => return Ok(Err(NoVote::RequesterUnknown)),
            Some(issuer) if issuer == by => return Ok(Err(NoVote::Requester)),
            Some(_) => {}
        }
        let givers: Vec<Option<String>> = sqlx::query_scalar(
            "SELECT i.principal FROM approval a, json_each(a.givers) g LEFT JOIN identity i ON i.id = g.value
             WHERE a.id = ?",
        )
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await?;
        if givers.iter().any(Option::is_none) {
            return Ok(Err(NoVote::RequesterUnknown));
        }
        if givers.iter().flatten().any(|issuer| issuer == by) {
            return Ok(Err(NoVote::Requester));
        }
        if row.votes.iter().any(|vote| vote.by == by) {
            return Ok(Err(NoVote::Twice));
        }
        let counts =
            |term: &AskTerm| term.from.is_empty() || term.from.iter().any(|name| name == by);
        if !row.terms.iter().any(counts) {
            return Ok(Err(NoVote::NotAsked));
        }
        Ok(Ok((row, now_ms)))
    }

    /// Says yes or no. A no decides at once; a yes when it is enough for every rule.
    pub async fn vote(
        &self,
        id: ApprovalId,
        by: &str,
        agreed: bool,
        reason: &str,
    ) -> Result<Result<ApprovalState, NoVote>, StoreError> {
        let mut tx = self.begin().await?;
        let (row, now_ms) = match self.votable(&mut tx, id, by).await? {
            Ok(found) => found,
            Err(no) => return Ok(Err(no)),
        };
        sqlx::query(
            "INSERT INTO approval_vote (approval, principal, agreed, reason, at_wall_ms) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id.to_string())
        .bind(by)
        .bind(agreed)
        .bind(reason)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        let settings: String = sqlx::query_scalar("SELECT settings FROM approval WHERE id = ?")
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
        let settings: ApprovalSettings = codec::from_json("settings", &settings)?;
        let said = row.votes.iter().map(|vote| vote.by.as_str()).chain([by]);
        let is_met = row.terms.iter().all(|term| term.is_met(said.clone()));
        let state = match agreed {
            false => ApprovalState::Denied,
            true if is_met => ApprovalState::Granted,
            true => ApprovalState::Waiting,
        };
        match state {
            ApprovalState::Denied => {
                let until_ms = after(now_ms, settings.refusal_ms);
                put(&mut tx, id, state, now_ms, until_ms).await?;
            }
            ApprovalState::Granted => {
                let until_ms = after(now_ms, settings.use_within_ms);
                put(&mut tx, id, state, now_ms, until_ms).await?;
            }
            _ => {}
        }
        self.commit(tx).await?;
        Ok(Ok(state))
    }

    /// One question.
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        let now_ms = self.steady_ms(&mut conn).await?;
        one(&mut conn, id, now_ms).await
    }

    /// Questions without what people are shown, open ones first, then the last that changed, at most `limit`.
    pub async fn approvals(&self, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        let now_ms = self.steady_ms(&mut conn).await?;
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT_SHORT} ORDER BY a.state NOT IN ('waiting', 'granted'), a.changed_wall_ms DESC, a.id DESC LIMIT ?"
        )))
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(row.row(&mut conn, now_ms).await?);
        }
        Ok(all)
    }

    /// Ends what nobody answered or used in time, and forgets what ended long ago. Says which questions expired.
    pub async fn end_approvals(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        let now_ms = self.steady_ms(&mut conn).await?;
        let overdue: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM approval
                 WHERE state IN ('waiting', 'granted', 'denied') AND until_wall_ms <= ?)
             OR EXISTS (SELECT 1 FROM approval WHERE changed_wall_ms < ?)",
        )
        .bind(now_ms)
        .bind(now_ms - KEPT_MS)
        .fetch_one(&mut *conn)
        .await?;
        drop(conn);
        if !overdue {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let now_ms = self.steady_ms(&mut tx).await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM approval WHERE state = 'waiting' AND until_wall_ms <= ? ORDER BY id",
        )
        .bind(now_ms)
        .fetch_all(&mut *tx)
        .await?;
        end_overdue(&mut tx, now_ms).await?;
        let mut expired = Vec::with_capacity(ids.len());
        for id in ids {
            expired.extend(one(&mut tx, codec::parse("approval", &id)?, now_ms).await?);
        }
        // The newest row stays: it says how late it was.
        sqlx::query(
            "DELETE FROM approval WHERE changed_wall_ms < ? AND state NOT IN ('waiting', 'granted', 'denied')
                 AND changed_wall_ms < (SELECT MAX(changed_wall_ms) FROM approval)",
        )
        .bind(now_ms - KEPT_MS)
        .execute(&mut *tx)
        .await?;
        self.commit(tx).await?;
        Ok(expired)
    }

    /// Questions that wait and that nobody was told of.
    pub async fn untold_approvals(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        let mut conn = self.inner.reader.acquire().await?;
        let now_ms = self.steady_ms(&mut conn).await?;
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{SELECT_SHORT} WHERE a.state = 'waiting' AND a.told = 0 ORDER BY a.id LIMIT 50"
        )))
        .fetch_all(&mut *conn)
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(row.row(&mut conn, now_ms).await?);
        }
        Ok(all)
    }

    /// Has people told of a question, by the channels of the agent; `rollout` is the agent's newest. Without one nobody
    /// can be told, and the question is in the list all the same.
    pub async fn tell_of_approval(
        &self,
        fence: u64,
        id: ApprovalId,
        told: Option<(&Rollout, Alert)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        sqlx::query("UPDATE approval SET told = 1 WHERE id = ?")
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        if let Some((rollout, alert)) = told {
            let effect = Effect::Notify { alert };
            outbox::insert(&mut tx, rollout, NO_TRANSITION, &effect).await?;
        }
        self.commit(tx).await
    }
}

fn after(now_ms: i64, ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX))
}

async fn one(
    conn: &mut SqliteConnection,
    id: ApprovalId,
    now_ms: i64,
) -> Result<Option<ApprovalRow>, StoreError> {
    let row: Option<Columns> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE a.id = ?")))
            .bind(id.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    match row {
        Some(row) => row.row(conn, now_ms).await.map(Some),
        None => Ok(None),
    }
}

async fn is_full(conn: &mut SqliteConnection, question: &Question) -> Result<bool, StoreError> {
    let (of_version, all): (i64, i64) = sqlx::query_as(
        "SELECT COALESCE(SUM(agent = ? AND version = ?), 0), COUNT(*) FROM approval
         WHERE state IN ('waiting', 'granted', 'denied')",
    )
    .bind(question.agent.as_str())
    .bind(question.version.as_str())
    .fetch_one(conn)
    .await?;
    Ok(of_version >= OPEN_OF_VERSION_MAX || all >= OPEN_MAX)
}

/// Puts a question into a state. What a person was shown goes when nobody needs it any more.
async fn put(
    conn: &mut SqliteConnection,
    id: ApprovalId,
    state: ApprovalState,
    now_ms: i64,
    until_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE approval SET state = ?1, changed_wall_ms = ?2, until_wall_ms = ?3,
             shown = CASE WHEN ?1 = 'granted' THEN shown ELSE 'null' END
         WHERE id = ?4",
    )
    .bind(state.as_str())
    .bind(now_ms)
    .bind(until_ms)
    .bind(id.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what has had its time.
async fn end_overdue(conn: &mut SqliteConnection, now_ms: i64) -> Result<(), StoreError> {
    for state in ApprovalState::ALL {
        let Some(then) = state.then() else { continue };
        sqlx::query(
            "UPDATE approval SET state = ?, changed_wall_ms = ?, shown = 'null'
             WHERE state = ? AND until_wall_ms <= ?",
        )
        .bind(then.as_str())
        .bind(now_ms)
        .bind(state.as_str())
        .bind(now_ms)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

#[async_trait]
impl Approvals for Store {
    async fn ask(&self, question: &Question) -> Result<Answer, PortError> {
        self.ask_person(question).await.map_err(PortError::from)
    }

    async fn wait(&self, id: ApprovalId, at_most: Duration) -> Result<Waited, PortError> {
        let deadline = tokio::time::Instant::now() + at_most;
        let mut changed = self.changed();
        loop {
            let _ = changed.borrow_and_update();
            let row = self.approval(id).await.map_err(PortError::from)?;
            match row.map(|row| row.state) {
                Some(ApprovalState::Waiting) => {}
                Some(ApprovalState::Granted | ApprovalState::Denied) => {
                    return Ok(Waited::Answered);
                }
                _ => return Ok(Waited::Over),
            }
            if tokio::time::Instant::now() >= deadline {
                return Ok(Waited::Waits);
            }
            let look = deadline.min(tokio::time::Instant::now() + LOOK_EVERY);
            // Written or not, it is looked at again.
            let _ = timeout_at(look, changed.changed()).await;
        }
    }
}
