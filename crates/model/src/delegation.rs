//! Authority that an agent passes on to another: for these actions, for a while, for one interaction of a user. On its
//! way it only ever gets smaller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::ids::{AgentName, DelegationId, InteractionId, ToolName};
use crate::ledger::Link;

/// Agents that pass something on in a row, at most: the givers of one delegation.
pub const DEPTH_MAX: usize = 4;
/// Parts of one scope.
pub const SCOPE_MAX: usize = 64;
/// The longest name of an action.
const ACTION_BYTES_MAX: usize = 128;

/// What an agent may do for others, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Its id, by which records name it.
    pub id: DelegationId,
    /// Who may act: any version of this agent, with a token of its own.
    pub to: AgentName,
    /// Who has passed it on, the first giver first; never empty.
    pub givers: Vec<Identity>,
    /// What may be done.
    pub scope: Scope,
    /// The user's interaction that it is all for, if that is known: one that the first giver answers.
    pub interaction: Option<InteractionId>,
    /// How it is known that it is for that one.
    pub link: Link,
    /// Seconds since the Unix epoch; from then on nothing begins by it.
    pub expires_wall_s: i64,
}

/// Actions: at least one part, at most [`SCOPE_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ScopePart>", into = "Vec<ScopePart>")]
pub struct Scope(Vec<ScopePart>);

/// One action of a tool (`desk/read`), or all (`desk/*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopePart {
    /// The tool.
    pub tool: ToolName,
    /// The action; `None` for all.
    pub action: Option<String>,
}

/// Why something is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// Not of the form.
    #[error("a part of a scope is TOOL/ACTION or TOOL/*, with names that a policy can have")]
    Part,
    /// None, or too many.
    #[error("a scope has 1 to {SCOPE_MAX} parts")]
    Parts,
}

impl Scope {
    /// Its parts.
    pub fn parts(&self) -> &[ScopePart] {
        &self.0
    }

    /// Whether it holds an action.
    pub fn holds(&self, tool: &ToolName, action: &str) -> bool {
        self.0.iter().any(|part| {
            part.tool == *tool && part.action.as_deref().is_none_or(|own| own == action)
        })
    }

    /// Whether it holds anything of a tool.
    pub fn touches(&self, tool: &ToolName) -> bool {
        self.0.iter().any(|part| part.tool == *tool)
    }

    /// Whether it holds everything that a part of another holds.
    pub fn covers(&self, other: &ScopePart) -> bool {
        match &other.action {
            Some(action) => self.holds(&other.tool, action),
            None => self.0.contains(other),
        }
    }
}

impl TryFrom<Vec<ScopePart>> for Scope {
    type Error = InvalidScope;
    fn try_from(parts: Vec<ScopePart>) -> Result<Self, InvalidScope> {
        if (1..=SCOPE_MAX).contains(&parts.len()) {
            Ok(Self(parts))
        } else {
            Err(InvalidScope::Parts)
        }
    }
}

impl From<Scope> for Vec<ScopePart> {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl FromStr for ScopePart {
    type Err = InvalidScope;
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let (tool, action) = text.split_once('/').ok_or(InvalidScope::Part)?;
        let tool = tool.parse().map_err(|_| InvalidScope::Part)?;
        if action == "*" {
            return Ok(Self { tool, action: None });
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
        let is_action =
            (1..=ACTION_BYTES_MAX).contains(&action.len()) && action.bytes().all(is_plain);
        if !is_action {
            return Err(InvalidScope::Part);
        }
        Ok(Self { tool, action: Some(action.to_owned()) })
    }
}

impl TryFrom<String> for ScopePart {
    type Error = InvalidScope;
    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl From<ScopePart> for String {
    fn from(part: ScopePart) -> Self {
        part.to_string()
    }
}

impl fmt::Display for ScopePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tool, self.action.as_deref().unwrap_or("*"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope(parts: &[&str]) -> Scope {
        let parts: Vec<ScopePart> = parts.iter().map(|part| part.parse().unwrap()).collect();
        parts.try_into().unwrap()
    }

    #[test]
    fn a_scope_holds_what_it_names_and_nothing_else() {
        let scope = scope(&["desk/read", "files/*", "files/resources/read"]);
        for (tool, action, held) in [
            ("desk", "read", true),
            ("desk", "Read", false),
            ("desk", "write", false),
            ("desk", "*", false),
            ("files", "anything", true),
            ("files", "resources/read", true),
            ("file", "read", false),
            ("mail", "read", false),
        ] {
            assert_eq!(scope.holds(&tool.parse().unwrap(), action), held, "{tool}/{action}");
        }
    }

    #[test]
    fn a_scope_covers_what_is_no_larger() {
        let scope = scope(&["desk/read", "files/*"]);
        for (part, covered) in [
            ("desk/read", true),
            ("desk/*", false),
            ("desk/write", false),
            ("files/*", true),
            ("files/read", true),
            ("mail/*", false),
        ] {
            assert_eq!(scope.covers(&part.parse().unwrap()), covered, "{part}");
        }
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let long = format!("desk/{}", "x".repeat(129));
        for text in [
            "",
            "desk",
            "desk/",
            "/read",
            "*/read",
            "*",
            "Desk/read",
            "desk/a b",
            "desk/r*",
            "desk/é",
            &long,
        ] {
            assert_eq!(text.parse::<ScopePart>(), Err(InvalidScope::Part), "{text}");
        }
        let read = |parts: usize| serde_json::from_value::<Scope>(json!(vec!["desk/read"; parts]));
        assert!(read(0).is_err() && read(65).is_err());
        assert_eq!(serde_json::to_value(read(64).unwrap()).unwrap(), json!(vec!["desk/read"; 64]));
    }
}
