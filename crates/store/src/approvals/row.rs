//! A question as it is kept and read.

use lockgate_model::approval::AskTerm;
use lockgate_model::ids::{AgentName, ApprovalId, IdentityId, IssuerName, ToolName, VersionName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided yet.
    Waiting,
    /// Yes, and not used yet.
    Granted,
    /// No, and it stands.
    Denied,
    /// The yes was used.
    Used,
    /// Nobody answered in time, which is a no.
    Expired,
    /// The yes was not used in time.
    Lapsed,
    /// The no has stood long enough: the same may be asked again.
    Over,
}

impl ApprovalState {
    pub(super) const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Granted,
        Self::Denied,
        Self::Used,
        Self::Expired,
        Self::Lapsed,
        Self::Over,
    ];

    /// As it is kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Over => "over",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| StoreError::Value { what: "approval state", value: text.to_owned() })
    }

    /// What it becomes by itself when its time is over.
    pub(super) fn then(self) -> Option<Self> {
        match self {
            Self::Waiting => Some(Self::Expired),
            Self::Granted => Some(Self::Lapsed),
            Self::Denied => Some(Self::Over),
            _ => None,
        }
    }
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: String,
    /// Yes or no.
    pub agreed: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at_wall_ms: i64,
}

/// A question and everything about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: ApprovalId,
    /// The agent.
    pub agent: AgentName,
    /// Its version.
    pub version: VersionName,
    /// The tool.
    pub tool: ToolName,
    /// What is to be done.
    pub action: String,
    /// What makes the action this one, a keyed hash.
    pub hash: String,
    /// The token that asked.
    pub token: IdentityId,
    /// Who had that token issued, if that is remembered: this person has no say.
    pub issued_by: Option<String>,
    /// Who issued it, when it was somebody outside: then nobody here has no say because of it.
    pub issuer: Option<IssuerName>,
    /// What the rules want.
    pub terms: Vec<AskTerm>,
    /// What a person is shown; null once it is over.
    pub shown: Value,
    /// Where it stands, as of the time it was read.
    pub state: ApprovalState,
    /// When it was asked.
    pub asked_wall_ms: i64,
    /// Until when the state lasts by itself; the end's time for what has ended.
    pub until_wall_ms: i64,
    /// How long that is from now, milliseconds.
    pub left_ms: i64,
    /// What was said so far.
    pub votes: Vec<Vote>,
}

/// Why a word does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoVote {
    /// There is no such question.
    Unknown,
    /// It does not wait any more.
    Decided(ApprovalState),
    /// It is whoever could be the one who asks.
    Requester,
    /// Nobody knows who that could be: the token that asked is not remembered.
    RequesterUnknown,
    /// They have said something already.
    Twice,
    /// None of the rules wants to hear them.
    NotAsked,
}

#[derive(FromRow)]
pub(super) struct Columns {
    id: String,
    agent: String,
    version: String,
    tool: String,
    action: String,
    hash: String,
    token: String,
    terms: String,
    shown: String,
    state: String,
    asked_wall_ms: i64,
    until_wall_ms: i64,
    issued_by: Option<String>,
    issuer: Option<String>,
}

pub(super) const SELECT: &str =
    "SELECT a.id, a.agent, a.version, a.tool, a.action, a.hash, a.token, a.terms, a.shown, a.state,
    a.asked_wall_ms, a.until_wall_ms, i.principal AS issued_by, a.issuer
    FROM approval a LEFT JOIN identity i ON i.id = a.token";

/// The same without what people are shown, which may be long.
pub(super) const SELECT_SHORT: &str =
    "SELECT a.id, a.agent, a.version, a.tool, a.action, a.hash, a.token, a.terms, 'null' AS shown, a.state,
    a.asked_wall_ms, a.until_wall_ms, i.principal AS issued_by, a.issuer
    FROM approval a LEFT JOIN identity i ON i.id = a.token";

impl Columns {
    pub(super) async fn row(
        self,
        conn: &mut SqliteConnection,
        now_ms: i64,
    ) -> Result<ApprovalRow, StoreError> {
        let votes: Vec<(String, bool, String, i64)> = sqlx::query_as(
            "SELECT principal, agreed, reason, at_wall_ms FROM approval_vote
             WHERE approval = ? ORDER BY at_wall_ms, principal",
        )
        .bind(&self.id)
        .fetch_all(conn)
        .await?;
        let kept = ApprovalState::parse(&self.state)?;
        let is_over = self.until_wall_ms <= now_ms;
        Ok(ApprovalRow {
            id: codec::parse("approval", &self.id)?,
            agent: codec::parse("agent", &self.agent)?,
            version: codec::parse("version", &self.version)?,
            tool: codec::parse("tool", &self.tool)?,
            action: self.action,
            hash: self.hash,
            token: codec::parse("identity", &self.token)?,
            issued_by: self.issued_by,
            issuer: self.issuer.map(|name| codec::parse("issuer", &name)).transpose()?,
            terms: codec::from_json("terms", &self.terms)?,
            shown: codec::from_json("question", &self.shown)?,
            state: kept.then().filter(|_| is_over).unwrap_or(kept),
            asked_wall_ms: self.asked_wall_ms,
            until_wall_ms: self.until_wall_ms,
            left_ms: (self.until_wall_ms - now_ms).max(0),
            votes: votes
                .into_iter()
                .map(|(by, agreed, reason, at_wall_ms)| Vote { by, agreed, reason, at_wall_ms })
                .collect(),
        })
    }
}
