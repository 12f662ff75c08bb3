//! What is recorded where nobody can rewrite it, and the port to that place.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ports::PortError;
use crate::version::Digest;

/// Names of those who act and are nobody's: they stand in the log as they are, and no token may be called so.
pub const PARTS: [&str; 7] =
    ["lockgate", "control", "configuration file", "configuration", "webhook", "plan", "unknown"];

/// Whoever works on the server's directory without the API. Nobody knows who that is, so it counts as a person.
pub const LOCAL: &str = "local";

/// What stands where someone was forgotten. Nobody may be called so.
pub const ERASED: &str = "[erased]";

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A person, or a program with a person's token: in the log a pseudonym.
    Person(String),
    /// A part of Lockgate, or an agent's version.
    Part(String),
}

impl Principal {
    /// Who is called so: a part of Lockgate if it is one of [`PARTS`], else a person.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        if PARTS.contains(&name.as_str()) { Self::Part(name) } else { Self::Person(name) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Person(name) | Self::Part(name) => name,
        }
    }
}

/// What an entry is to the act that it tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It happened.
    Event,
    /// It is about to be done.
    Intent,
    /// What became of an intent.
    Outcome {
        /// The intent's place.
        of: u64,
    },
}

/// How something personal is kept in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// As a pseudonym; for names.
    Name,
    /// Encrypted under the person's key, with a commitment.
    Sealed,
    /// As a commitment alone: it can be compared and not read.
    Committed,
}

/// A place in an entry's detail that holds something personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// JSON pointer (RFC 6901) into the detail, such as `/reason`.
    pub at: String,
    /// Whose: the person's name.
    pub of: String,
    /// How it is kept.
    pub kept: Kept,
}

/// Something that was done, or is about to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Event, intent or outcome.
    pub step: Step,
    /// Who.
    pub principal: Principal,
    /// What, such as `rollout.start`.
    pub action: String,
    /// To what. Never a person's name.
    pub object: String,
    /// What it is searched by: `agent`, `version`, `rollout`, `decision`, `trace` and others. Nothing personal.
    pub labels: Vec<(&'static str, String)>,
    /// The rest, the reason among it.
    pub detail: Value,
    /// What in the detail is personal. A text that someone wrote is.
    pub personal: Vec<Personal>,
}

impl LedgerEntry {
    /// An event without labels and detail.
    pub fn event(
        at_wall_ms: i64,
        principal: Principal,
        action: impl Into<String>,
        object: impl Into<String>,
    ) -> Self {
        Self {
            at_wall_ms,
            step: Step::Event,
            principal,
            action: action.into(),
            object: object.into(),
            labels: Vec::new(),
            detail: Value::Null,
            personal: Vec::new(),
        }
    }

    /// Marks a place in the detail as this principal's own, if it is a person and something is there.
    pub fn mark(&mut self, at: &str, of: &Principal, kept: Kept) {
        let is_there = self.detail.pointer(at).is_some_and(|value| !value.is_null());
        if let Principal::Person(of) = of
            && is_there
        {
            self.personal.push(Personal { at: at.to_owned(), of: of.clone(), kept });
        }
    }

    /// Adds what is recorded of an action of an agent.
    #[must_use]
    pub fn of_action(mut self, action: &GovernedAction) -> Self {
        let GovernedAction { subject, delegation, rules, policy, trace, link, .. } = action;
        let names: Vec<&str> = delegation.iter().map(Principal::name).collect();
        let governed = json!({
            "subject": subject.name(), "delegation": names, "action": action.action, "facts": action.facts,
            "payload": action.payload, "rules": rules, "policy": policy.as_str(), "link": link.as_str(),
        });
        match &mut self.detail {
            Value::Object(fields) => drop(fields.insert("governed".into(), governed)),
            detail => *detail = json!({ "governed": governed }),
        }
        self.labels.push(("link", link.as_str().to_owned()));
        self.labels.extend(trace.clone().map(|trace| ("trace", trace)));
        self.mark("/governed/subject", subject, Kept::Name);
        for (at, giver) in delegation.iter().enumerate() {
            self.mark(&format!("/governed/delegation/{at}"), giver, Kept::Name);
        }
        self.mark("/governed/action", subject, Kept::Committed);
        self.mark("/governed/facts", subject, Kept::Committed);
        self.mark("/governed/payload", subject, Kept::Sealed);
        self
    }
}

/// An action of an agent, as it is decided about. What it does and what is known of it may be anyone's data, and a
/// digest of little data can be guessed: the log holds commitments under the subject's key.
#[derive(Debug, Clone, PartialEq)]
pub struct GovernedAction {
    /// For whom: the end user whose data it is, or who the agent acts for.
    pub subject: Principal,
    /// Who passed the authority on, the first giver first.
    pub delegation: Vec<Principal>,
    /// The exact action, or its digest; kept as a commitment.
    pub action: Value,
    /// The facts that rules looked at, or their digest; kept as a commitment.
    pub facts: Value,
    /// What is to be read again, encrypted; null for nothing.
    pub payload: Value,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// Digest of the policy in force.
    pub policy: Digest,
    /// The trace's id (W3C Trace Context), if there is one.
    pub trace: Option<String>,
    /// How it is known which interaction of a user it belongs to.
    pub link: Link,
}

/// How it is known which interaction of a user an agent's action belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The agent said so.
    Explicit,
    /// By its trace.
    Trace,
    /// By a tool call that a model asked for.
    Inferred,
    /// It is not known.
    None,
}

impl Link {
    /// As it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Trace => "trace",
            Self::Inferred => "inferred",
            Self::None => "none",
        }
    }
}

/// A record that nobody can rewrite.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Durable when it returns; gives the entry's place. After an error, what was to be recorded must not be done.
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError>;

    /// Why nothing is recorded at the moment, as far as that is known without trying.
    fn refuses(&self) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_names_nobody_who_is_not_marked() {
        let person = |name: &str| Principal::named(name);
        let action = GovernedAction {
            subject: person("mia"),
            delegation: vec![person("ada"), Principal::Part("agent support/v2".into())],
            action: json!({ "tool": "refund", "to": "mia" }),
            facts: json!({ "amount": 3 }),
            payload: Value::Null,
            rules: vec!["refunds".into()],
            policy: Digest::of(b"policy"),
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            link: Link::Trace,
        };
        let part = Principal::Part("agent support/v2".into());
        let entry = LedgerEntry::event(1, part, "action", "refund").of_action(&action);
        let marked: Vec<(&str, &str, Kept)> =
            entry.personal.iter().map(|one| (&one.at[..], &one.of[..], one.kept)).collect();
        assert_eq!(
            marked,
            [
                ("/governed/subject", "mia", Kept::Name),
                ("/governed/delegation/0", "ada", Kept::Name),
                ("/governed/action", "mia", Kept::Committed),
                ("/governed/facts", "mia", Kept::Committed),
            ]
        );
        assert_eq!(entry.labels.len(), 2);
        assert_eq!(entry.detail["governed"]["rules"][0], "refunds");
        assert_eq!(Principal::named("control"), Principal::Part("control".into()));
    }
}
