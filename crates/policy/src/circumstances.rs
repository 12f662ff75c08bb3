//! What is known of an action besides its arguments: the session that it belongs to, who delegated it,
//! what is left to spend, when it is.
//!
//! Whoever asks for a decision says it. What it does not say is unknown, not zero.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::facts::{Fact, Kind};

/// The session that the action belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// How the action was linked to a user's interaction: `explicit`, `trace`, `inferred`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Where what the agent has read came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeSet<String>>,
    /// Actions that were done before in this session without an error, as `tool/action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<BTreeSet<String>>,
    /// Actions that were forwarded before in this session, whatever became of them, as `tool/action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<BTreeSet<String>>,
}

/// Agents that act for agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delegation {
    /// How many agents stand between the user and this one; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<i64>,
}

/// What is left to spend, after what is reserved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Money, in thousand-millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_nanousd: Option<i64>,
    /// Tokens of models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_tokens: Option<i64>,
    /// Calls of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_calls: Option<i64>,
}

/// When the action is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// The hour, 0 to 23, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour_utc: Option<i64>,
    /// The day, `monday` to `sunday`, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekday_utc: Option<String>,
}

/// What is known of an action besides its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Circumstances {
    /// The session that it belongs to.
    pub session: Session,
    /// Agents that act for agents.
    pub delegation: Delegation,
    /// What is left to spend.
    pub budget: Budget,
    /// When it is to be done.
    pub time: Time,
}

/// One thing that is known besides the arguments; rules write `group.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstance {
    /// The first half of its name.
    pub group: &'static str,
    /// The second half.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
}

const fn of(group: &'static str, name: &'static str, kind: Kind) -> Circumstance {
    Circumstance { group, name, kind }
}

/// All of them, one group after the other.
pub const CIRCUMSTANCES: &[Circumstance] = &[
    of("agent", "version", Kind::Text),
    of("session", "link", Kind::Text),
    of("session", "labels", Kind::Texts),
    of("session", "done", Kind::Texts),
    of("session", "tried", Kind::Texts),
    of("delegation", "depth", Kind::Long),
    of("budget", "left_nanousd", Kind::Long),
    of("budget", "left_tokens", Kind::Long),
    of("budget", "left_calls", Kind::Long),
    of("time", "hour_utc", Kind::Long),
    of("time", "weekday_utc", Kind::Text),
];

/// Those that `lockgate serve` never knows: what is left is counted where a limit is reserved, after the decision.
pub const NEVER_SERVED: &[&str] = &["budget"];

/// The groups, in order.
pub const GROUPS: &[&str] = &["agent", "session", "delegation", "budget", "time"];

impl Circumstances {
    /// The value of the circumstance at `index` of [`CIRCUMSTANCES`].
    pub fn fact(&self, version: Option<&str>, index: usize) -> Fact {
        let text = |value: Option<&str>| value.map(|text| Fact::Text(text.to_owned()));
        let texts = |value: &Option<BTreeSet<String>>| value.clone().map(Fact::Texts);
        let said = match index {
            0 => text(version),
            1 => text(self.session.link.as_deref()),
            2 => texts(&self.session.labels),
            3 => texts(&self.session.done),
            4 => texts(&self.session.tried),
            5 => self.delegation.depth.map(Fact::Long),
            6 => self.budget.left_nanousd.map(Fact::Long),
            7 => self.budget.left_tokens.map(Fact::Long),
            8 => self.budget.left_calls.map(Fact::Long),
            9 => self.time.hour_utc.map(Fact::Long),
            10 => text(self.time.weekday_utc.as_deref()),
            _ => None,
        };
        said.unwrap_or(Fact::Unknown("nobody said"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table, values and groups are written apart and must agree.
    #[test]
    fn every_circumstance_has_a_value_of_its_kind() {
        let set = |text: &str| Some(BTreeSet::from([text.to_owned()]));
        let all = Circumstances {
            session: Session {
                link: Some("x".into()),
                labels: set("l"),
                done: set("d"),
                tried: set("t"),
            },
            delegation: Delegation { depth: Some(0) },
            budget: Budget { left_nanousd: Some(1), left_tokens: Some(2), left_calls: Some(3) },
            time: Time { hour_utc: Some(4), weekday_utc: Some("monday".into()) },
        };
        for (index, one) in CIRCUMSTANCES.iter().enumerate() {
            let fits = match all.fact(Some("v1"), index) {
                Fact::Bool(_) => one.kind == Kind::Bool,
                Fact::Long(_) => one.kind == Kind::Long,
                Fact::Text(_) => one.kind == Kind::Text,
                Fact::Texts(_) => one.kind == Kind::Texts,
                Fact::Unknown(_) => false,
            };
            assert!(fits, "{}.{}", one.group, one.name);
            let nothing = Circumstances::default().fact(None, index);
            assert_eq!(nothing, Fact::Unknown("nobody said"));
        }
        assert_eq!(all.fact(None, CIRCUMSTANCES.len()), Fact::Unknown("nobody said"));
        let mut groups: Vec<&str> = CIRCUMSTANCES.iter().map(|one| one.group).collect();
        groups.dedup();
        assert_eq!(groups, GROUPS);
    }
}
