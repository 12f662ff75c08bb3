//! What control must handle: commands, security events, fuses. Durable before anyone is told so.

use std::fmt;
use std::str::FromStr;

use lockgate_model::ids::{AgentName, PlanName, RolloutId, VersionName};
use lockgate_model::security::{Fuse, SecurityEvent};
use lockgate_model::version::Digest;
use lockgate_rollout::event::{About, Command, OutsideGate};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::feed::{self, News};
use crate::lease::check_fence;
use crate::store::{Store, now_wall_ms};

/// An item of the inbox; grows in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboxId(pub i64);

impl fmt::Display for InboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for InboxId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The key of a version that the configuration file names. An item with it is kept for good: it is
/// what keeps the file from starting the same version twice.
pub fn file_key(agent: &AgentName, version: &Digest) -> String {
    format!("file:{agent}:{version}")
}

/// What is asked or told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum InboxBody {
    /// Start a rollout.
    Start {
        /// The agent.
        agent: AgentName,
        /// The version to release.
        candidate: VersionName,
        /// The plan, if not the agent's own.
        plan: Option<PlanName>,
        /// Why.
        reason: String,
        /// The rollout that is tried again.
        retry_of: Option<RolloutId>,
        /// Whether an open rollout of the agent is taken back for it.
        #[serde(default)]
        replace: bool,
        /// Why it starts although its path to production is blocked, if it is.
        #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
        in_spite_because: Option<String>,
    },
    /// An operator's word about a rollout.
    Command {
        /// What.
        command: Command,
        /// Why.
        reason: String,
    },
    /// An answer for a gate that no metric decides.
    Gate {
        /// Which.
        gate: OutsideGate,
        /// What was asked about; `None` from a person, who means what waits now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<About>,
        /// What.
        open: bool,
        /// Why.
        reason: String,
    },
    /// A security event.
    Security(SecurityEvent),
    /// A fuse that latched.
    Fuse(Fuse),
}

impl InboxBody {
    fn kind(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Command { .. } => "command",
            Self::Gate { .. } => "gate",
            Self::Security(_) => "security",
            Self::Fuse(_) => "fuse",
        }
    }

    fn feed_kind(&self) -> &'static str {
        match self {
            Self::Start { .. } | Self::Command { .. } | Self::Gate { .. } => "command",
            Self::Security(_) => "security_event",
            Self::Fuse(_) => "fuse",
        }
    }
}

/// An item to submit.
#[derive(Debug, Clone, PartialEq)]
pub struct NewInboxItem {
    /// Makes a repeated submission find the first one. Counted per kind of body.
    pub key: Option<String>,
    /// The agent it concerns.
    pub agent: AgentName,
    /// The rollout it concerns, if there is one.
    pub rollout: Option<RolloutId>,
    /// What.
    pub body: InboxBody,
    /// Who.
    pub by: String,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InboxOutcome {
    /// It was done.
    Done {
        /// What came of it.
        result: String,
    },
    /// It was not.
    Refused {
        /// Why.
        reason: String,
    },
}

impl InboxOutcome {
    fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Done { result } => ("done", result),
            Self::Refused { reason } => ("refused", reason),
        }
    }
}

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InboxState {
    /// Nobody has handled it.
    Pending,
    /// It was done.
    Done {
        /// What came of it.
        result: String,
    },
    /// It was refused.
    Refused {
        /// Why.
        reason: String,
    },
}

/// An item of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxItem {
    /// Its id.
    pub id: InboxId,
    /// The idempotency key that it came with.
    pub key: Option<String>,
    /// The agent it concerns.
    pub agent: AgentName,
    /// The rollout it concerns, if there is one.
    pub rollout: Option<RolloutId>,
    /// What.
    pub body: InboxBody,
    /// Who.
    pub by: String,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Where it is.
    pub state: InboxState,
}

impl Store {
    /// Puts an item into the inbox. When it returns, the item is on disk and control is awake.
    /// A key that was used before gives the id of that item if it says the same.
    pub async fn submit(&self, item: NewInboxItem) -> Result<InboxId, StoreError> {
        if let Some(key) = &item.key {
            // asking again is common and must not queue behind writers
            let mut conn = self.inner.reader.acquire().await?;
            if let Some(id) = known(&mut conn, &item.body, key).await? {
                return same(&mut conn, id, &item).await;
            }
        }
        let mut tx = self.begin().await?;
        let (id, is_new) = insert(&mut tx, &item).await?;
        if !is_new {
            return same(&mut tx, id, &item).await;
        }
        self.commit(tx).await?;
        Ok(id)
    }

    /// Items that nobody has handled, oldest first.
    pub async fn inbox_pending(&self, limit: u32) -> Result<Vec<InboxItem>, StoreError> {
        let rows: Vec<InboxRow> =
            sqlx::query_as("SELECT * FROM inbox WHERE state = 'pending' ORDER BY id LIMIT ?")
                .bind(limit)
                .fetch_all(&self.inner.reader)
                .await?;
        rows.into_iter().map(InboxRow::item).collect()
    }

    /// One item.
    pub async fn inbox_item(&self, id: InboxId) -> Result<Option<InboxItem>, StoreError> {
        fetch(&mut *self.inner.reader.acquire().await?, id).await
    }

    /// Closes an item that leads to no step of a rollout. Saying the same twice is fine.
    pub async fn finish_inbox(
        &self,
        fence: u64,
        id: InboxId,
        outcome: InboxOutcome,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        match finish(&mut tx, id, &outcome).await {
            Err(StoreError::AlreadyHandled { .. }) => {
                let (state, answer) = outcome.columns();
                let before: Option<(String, Option<String>)> =
                    sqlx::query_as("SELECT state, answer FROM inbox WHERE id = ?")
                        .bind(id.0)
                        .fetch_optional(&mut *tx)
                        .await?;
                let Some(before) = before else {
                    return Err(StoreError::Unknown { what: format!("item {id}") });
                };
                if before == (state.to_owned(), Some(answer.to_owned())) {
                    return Ok(());
                }
                Err(StoreError::AlreadyHandled { id })
            }
            Err(other) => Err(other),
            Ok(()) => self.commit(tx).await,
        }
    }
}

/// Adds an item and tells the feed. Gives the earlier item's id, and `false`, when the key was
/// used before.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    item: &NewInboxItem,
) -> Result<(InboxId, bool), StoreError> {
    if let Some(key) = &item.key
        && let Some(id) = known(conn, &item.body, key).await?
    {
        return Ok((id, false));
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO inbox (kind, key, agent, rollout, body, principal, at_wall_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(item.body.kind())
    .bind(&item.key)
    .bind(item.agent.as_str())
    .bind(item.rollout.map(|id| id.to_string()))
    .bind(codec::to_json("inbox item", &item.body)?)
    .bind(&item.by)
    .bind(item.at_wall_ms)
    .fetch_one(&mut *conn)
    .await?;
    let news = News {
        at_wall_ms: item.at_wall_ms,
        kind: item.body.feed_kind(),
        agent: Some(&item.agent),
        rollout: item.rollout,
        body: json!({"id": id, "state": "pending", "by": item.by, "item": item.body}),
    };
    feed::tell(conn, news).await?;
    Ok((InboxId(id), true))
}

/// The item that a key was used for.
async fn known(
    conn: &mut SqliteConnection,
    body: &InboxBody,
    key: &str,
) -> Result<Option<InboxId>, StoreError> {
    let id: Option<i64> = sqlx::query_scalar("SELECT id FROM inbox WHERE kind = ? AND key = ?")
        .bind(body.kind())
        .bind(key)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(InboxId))
}

/// The id of an earlier item, if it says what this one says.
async fn same(
    conn: &mut SqliteConnection,
    id: InboxId,
    item: &NewInboxItem,
) -> Result<InboxId, StoreError> {
    let first = fetch(conn, id).await?;
    let is_same = first.is_some_and(|first| {
        (&first.agent, first.rollout, &first.body) == (&item.agent, item.rollout, &item.body)
    });
    if is_same { Ok(id) } else { Err(StoreError::KeyReused { id }) }
}

/// Closes a pending item.
pub(crate) async fn finish(
    conn: &mut SqliteConnection,
    id: InboxId,
    outcome: &InboxOutcome,
) -> Result<(), StoreError> {
    let (state, answer) = outcome.columns();
    let row: Option<InboxRow> = sqlx::query_as(
        "UPDATE inbox SET state = ?, answer = ? WHERE id = ? AND state = 'pending' RETURNING *",
    )
    .bind(state)
    .bind(answer)
    .bind(id.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else {
        return Err(StoreError::AlreadyHandled { id });
    };
    let item = row.item()?;
    let news = News {
        at_wall_ms: now_wall_ms(conn).await?,
        kind: item.body.feed_kind(),
        agent: Some(&item.agent),
        rollout: item.rollout,
        body: json!({"id": id, "state": state, "answer": answer, "by": item.by}),
    };
    feed::tell(conn, news).await
}

async fn fetch(conn: &mut SqliteConnection, id: InboxId) -> Result<Option<InboxItem>, StoreError> {
    let row: Option<InboxRow> =
        sqlx::query_as("SELECT * FROM inbox WHERE id = ?").bind(id.0).fetch_optional(conn).await?;
    row.map(InboxRow::item).transpose()
}

#[derive(FromRow)]
struct InboxRow {
    id: i64,
    key: Option<String>,
    agent: String,
    rollout: Option<String>,
    body: String,
    principal: String,
    at_wall_ms: i64,
    state: String,
    answer: Option<String>,
}

impl InboxRow {
    fn item(self) -> Result<InboxItem, StoreError> {
        let answer = self.answer.unwrap_or_default();
        let state = match self.state.as_str() {
            "pending" => InboxState::Pending,
            "done" => InboxState::Done { result: answer },
            "refused" => InboxState::Refused { reason: answer },
            _ => {
                return Err(StoreError::Value { what: "inbox state", value: self.state });
            }
        };
        Ok(InboxItem {
            id: InboxId(self.id),
            key: self.key,
            agent: codec::parse("agent", &self.agent)?,
            rollout: codec::parse_some("rollout id", self.rollout.as_deref())?,
            body: codec::from_json("inbox item", &self.body)?,
            by: self.principal,
            at_wall_ms: self.at_wall_ms,
            state,
        })
    }
}
