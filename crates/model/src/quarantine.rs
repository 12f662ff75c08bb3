//! What is stopped by a person's order, until a person lifts it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, QuarantineId, ToolName, VersionName};

/// What is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Stopped {
    /// Every call of every agent. Users' requests go on.
    Calls,
    /// An agent: users' requests to it, and its own calls.
    Agent {
        /// Which.
        agent: AgentName,
    },
    /// A version of an agent.
    Version {
        /// The agent.
        agent: AgentName,
        /// Which.
        version: VersionName,
    },
    /// A tool, for every agent.
    Tool {
        /// Which.
        tool: ToolName,
    },
    /// A user of an agent, and what the agent does for this user.
    User {
        /// The agent.
        agent: AgentName,
        /// The salted hash of the user's key, as gateways make it.
        user: u64,
    },
}

impl Stopped {
    /// The agent that it is about; `None` when it is about all.
    pub fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::Agent { agent } | Self::Version { agent, .. } | Self::User { agent, .. } => {
                Some(agent)
            }
            Self::Calls | Self::Tool { .. } => None,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls => f.write_str("all calls of agents"),
            Self::Agent { agent } => write!(f, "agent {agent}"),
            Self::Version { agent, version } => write!(f, "version {agent}/{version}"),
            Self::Tool { tool } => write!(f, "tool {tool}"),
            // Who it is, is nothing for texts that go anywhere.
            Self::User { agent, .. } => write!(f, "a user of agent {agent}"),
        }
    }
}

/// An order that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Its id.
    pub id: QuarantineId,
    /// What is stopped.
    #[serde(flatten)]
    pub stopped: Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let id = QuarantineId(uuid::Uuid::from_u128(1));
        for stopped in [
            Stopped::Calls,
            Stopped::Agent { agent: "a".parse().unwrap() },
            Stopped::Version { agent: "a".parse().unwrap(), version: "v1".parse().unwrap() },
            Stopped::Tool { tool: "t".parse().unwrap() },
            Stopped::User { agent: "a".parse().unwrap(), user: u64::MAX },
        ] {
            let order = Quarantine { id, stopped };
            let text = serde_json::to_string(&order).unwrap();
            assert_eq!(serde_json::from_str::<Quarantine>(&text).unwrap(), order, "{text}");
        }
    }
}
