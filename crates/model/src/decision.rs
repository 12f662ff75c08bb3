//! Whether an agent may do what it is about to do: the question, the answer, and the port between them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::approval::AskTerm;
use crate::ids::{AgentName, ToolName, VersionName};
use crate::ledger::Link;
use crate::limit::LimitTerm;
use crate::version::Digest;

/// What is known of the session that an action belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// How it is known which interaction of a user it belongs to.
    pub link: Link,
    /// Labels of what the session has read; `None` when that is not known.
    pub labels: Option<BTreeSet<String>>,
    /// Actions that were done in it, as `tool/action`; `None` when that is not known.
    pub done: Option<BTreeSet<String>>,
    /// Actions that were forwarded in it, whatever became of them; `None` when that is not known.
    pub tried: Option<BTreeSet<String>>,
    /// How many agents stand between the user and this one; `None` when that is not known.
    pub delegation_depth: Option<u64>,
}

impl SessionFacts {
    /// Of a session of which nothing else is known.
    pub fn unknown(link: Link) -> Self {
        Self { link, labels: None, done: None, tried: None, delegation_depth: None }
    }
}

/// An action that an agent asks for. What it calls itself is authenticated; the rest is its word.
#[derive(Debug, Clone, Copy)]
pub struct ActionRequest<'a> {
    /// The agent.
    pub agent: &'a AgentName,
    /// Its version.
    pub version: &'a VersionName,
    /// The tool, as configuration names it.
    pub tool: &'a ToolName,
    /// What is to be done with it: for MCP the called tool's own name, `resources/read` or `prompts/get`.
    pub action: &'a str,
    /// With what.
    pub arguments: &'a Value,
    /// In which session.
    pub session: &'a SessionFacts,
}

/// What may become of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
    /// Somebody must be asked first.
    Ask,
}

impl Effect {
    /// As it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }
}

/// A decision, and everything that explains it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// What may become of the action.
    pub effect: Effect,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// Why, in short.
    pub reason: String,
    /// What the agent is told on top, such as what would be allowed.
    pub message: Option<String>,
    /// The risk that the rule names, such as `ASI02`.
    pub risk: Option<String>,
    /// Who must agree, when somebody must be asked; never empty then.
    pub asks: Vec<AskTerm>,
    /// Where what it brings back comes from: labels that the session has from then on.
    pub labels: Vec<String>,
    /// How often it may be done.
    pub limits: Vec<LimitTerm>,
    /// Whether it is a security event of the version.
    pub security_event: bool,
    /// Whose policy denies it, when it is not that of whoever acts: an agent's that this is done for.
    pub giver: Option<(AgentName, VersionName)>,
    /// The facts that rules looked at.
    pub facts: Value,
    /// Digest of the policy in force.
    pub policy: Digest,
}

impl Decided {
    /// A denial without a rule and without a reason.
    pub fn nothing() -> Self {
        Self {
            effect: Effect::Deny,
            rules: Vec::new(),
            reason: String::new(),
            message: None,
            risk: None,
            asks: Vec::new(),
            labels: Vec::new(),
            limits: Vec::new(),
            security_event: false,
            giver: None,
            facts: Value::Null,
            policy: Digest::of(b""),
        }
    }
}

/// Which policy decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyStatus {
    /// Digest of its files.
    pub digest: Digest,
    /// Its rules.
    pub rules: usize,
    /// The tools that it declares.
    pub tools: usize,
    /// Since when, milliseconds since the Unix epoch.
    pub since_wall_ms: i64,
    /// Decisions since the server started.
    pub decisions: u64,
    /// Those of them that took longer than a millisecond.
    pub slow: u64,
}

/// Decides. Answers at once, from memory: it is asked on the way of every call.
pub trait Decisions: Send + Sync {
    /// What may become of an action. Whatever cannot be evaluated is denied.
    fn decide(&self, request: &ActionRequest<'_>) -> Decided;

    /// Whether some call of this action could be allowed, or asked about. What could not is not shown to the agent.
    fn permits(
        &self,
        agent: &AgentName,
        version: &VersionName,
        tool: &ToolName,
        action: &str,
    ) -> bool;

    /// Which policy that is; `None` when there is none.
    fn status(&self) -> Option<PolicyStatus> {
        None
    }
}

/// In force as long as there is no policy: everything is denied.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPolicy;

impl Decisions for NoPolicy {
    fn decide(&self, _: &ActionRequest<'_>) -> Decided {
        Decided {
            reason: "no policy is configured, and without one everything is denied".into(),
            ..Decided::nothing()
        }
    }

    fn permits(&self, _: &AgentName, _: &VersionName, _: &ToolName, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_policy_nothing_is_allowed_and_it_is_said() {
        let agent = "support".parse().unwrap();
        let (version, tool) = ("v1".parse().unwrap(), "files".parse().unwrap());
        let session = SessionFacts::unknown(Link::None);
        let request = ActionRequest {
            agent: &agent,
            version: &version,
            tool: &tool,
            action: "read",
            arguments: &json!({}),
            session: &session,
        };
        let decided = NoPolicy.decide(&request);
        assert_eq!(decided.effect, Effect::Deny);
        assert!(decided.reason.contains("no policy"), "{}", decided.reason);
        assert!(!NoPolicy.permits(&agent, &version, &tool, "read"));
    }
}
