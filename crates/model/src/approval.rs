//! Actions that wait for a person: the question, what has become of it, and the port to where both are kept.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{AgentName, ApprovalId, IdentityId, IssuerName, ToolName, VersionName};
use crate::ports::PortError;

/// What one rule wants before an action is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskTerm {
    /// The rule.
    pub rule: String,
    /// How many people must agree, at least 1.
    pub approvals: u32,
    /// Whose word counts; anybody's who may approve when empty.
    pub from: Vec<String>,
}

impl AskTerm {
    /// Whether these people are enough.
    pub fn is_met<'a>(&self, agreed: impl Iterator<Item = &'a str>) -> bool {
        let counts = agreed
            .filter(|name| self.from.is_empty() || self.from.iter().any(|from| from == name))
            .count();
        counts >= self.approvals as usize && counts > 0
    }
}

/// How questions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalSettings {
    /// How long a call waits for its answer before it is told to come again; 0 for not at all.
    pub hold_ms: u64,
    /// How long a question can be answered. Then the answer is no.
    pub expires_ms: u64,
    /// How long a yes can be used.
    pub use_within_ms: u64,
    /// How long a no stands: the same action is not asked about again until then.
    pub refusal_ms: u64,
}

impl Default for ApprovalSettings {
    fn default() -> Self {
        const MINUTE_MS: u64 = 60_000;
        Self {
            hold_ms: 20_000,
            expires_ms: 15 * MINUTE_MS,
            use_within_ms: 5 * MINUTE_MS,
            refusal_ms: 24 * 60 * MINUTE_MS,
        }
    }
}

/// A question: may this be done, exactly this, once?
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The agent.
    pub agent: AgentName,
    /// Its version.
    pub version: VersionName,
    /// The tool.
    pub tool: ToolName,
    /// What is to be done with it.
    pub action: String,
    /// A keyed hash of everything that makes the action this one: who, what, with what, and under which policy.
    pub hash: String,
    /// The token that asks. Whoever had it issued could be the one who asks, and has no say.
    pub token: IdentityId,
    /// Who issued it, when it was somebody outside: then it was nobody here.
    pub issuer: Option<IssuerName>,
    /// Tokens, issued here, of those for whom it asks: whoever had one of them issued has no say either.
    pub givers: Vec<IdentityId>,
    /// What the rules want.
    pub terms: Vec<AskTerm>,
    /// What a person is shown: arguments, facts, the rules' message.
    pub shown: Value,
    /// How it is kept.
    pub settings: ApprovalSettings,
}

/// What has become of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nobody has decided yet.
    Waiting {
        /// Which.
        id: ApprovalId,
        /// Until when it can be answered, milliseconds since the Unix epoch.
        until_wall_ms: i64,
        /// Whether it has just been asked for the first time.
        is_new: bool,
    },
    /// Yes, and this use of it is the one.
    Granted {
        /// Which.
        id: ApprovalId,
    },
    /// No.
    Denied {
        /// Which.
        id: ApprovalId,
    },
    /// As many questions are open as there may be.
    Full,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Somebody decided: asking tells what.
    Answered,
    /// Nobody has yet.
    Waits,
    /// It is over: nobody did in time, or the yes was used.
    Over,
}

/// Where questions are kept. Whatever fails is no yes.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// Asks, or looks what became of the same question. A yes is used up by being told.
    async fn ask(&self, question: &Question) -> Result<Answer, PortError>;

    /// Waits until a question does not wait any more, at most so long.
    async fn wait(&self, id: ApprovalId, at_most: Duration) -> Result<Waited, PortError>;
}

/// Where nobody can be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApprovals;

#[async_trait]
impl Approvals for NoApprovals {
    async fn ask(&self, _: &Question) -> Result<Answer, PortError> {
        Err(PortError::new("nobody can be asked here"))
    }

    async fn wait(&self, _: ApprovalId, _: Duration) -> Result<Waited, PortError> {
        Err(PortError::new("nobody can be asked here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_is_as_many_as_wanted_of_those_who_count() {
        let term = |approvals, from: &[&str]| AskTerm {
            rule: "r".into(),
            approvals,
            from: from.iter().map(|name| (*name).to_owned()).collect(),
        };
        let met = |term: &AskTerm, agreed: &[&str]| term.is_met(agreed.iter().copied());
        assert!(met(&term(1, &[]), &["ada"]));
        assert!(!met(&term(1, &[]), &[]));
        assert!(!met(&term(0, &[]), &[]), "nobody is never enough");
        assert!(!met(&term(2, &[]), &["ada"]) && met(&term(2, &[]), &["ada", "bo"]));
        let named = term(1, &["ada"]);
        assert!(met(&named, &["bo", "ada"]) && !met(&named, &["bo", "cy"]));
    }
}
