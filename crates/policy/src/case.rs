//! Tests beside the rules: a request, and what must come out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::circumstances::{Budget, Circumstances, Delegation, Session, Time};
use crate::decide::{Request, Verdict};
use crate::names::RuleId;

/// A request as files hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Which agent wants to act.
    pub agent: String,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Which tool it wants to use.
    pub tool: String,
    /// For what.
    pub action: String,
    /// With what.
    #[serde(default = "nothing")]
    pub arguments: Value,
    /// The session that the action belongs to.
    #[serde(default)]
    pub session: Session,
    /// Agents that act for agents.
    #[serde(default)]
    pub delegation: Delegation,
    /// What is left to spend.
    #[serde(default)]
    pub budget: Budget,
    /// When it is to be done.
    #[serde(default)]
    pub time: Time,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Asked {
    /// What is known besides the arguments.
    pub fn circumstances(&self) -> Circumstances {
        let Self { session, delegation, budget, time, .. } = self.clone();
        Circumstances { session, delegation, budget, time }
    }

    /// The same to be decided.
    pub fn request<'a>(&'a self, circumstances: &'a Circumstances) -> Request<'a> {
        Request {
            agent: &self.agent,
            version: self.version.as_deref(),
            tool: &self.tool,
            action: &self.action,
            arguments: &self.arguments,
            circumstances,
        }
    }
}

/// A test beside the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub file: String,
    /// The line where it starts.
    pub line: u32,
    /// What is asked.
    pub asked: Asked,
    /// What must come out.
    pub expect: Verdict,
    /// The rules that must decide it, all of them and no others, when the test says so.
    pub rules: Option<Vec<RuleId>>,
}
