//! Who an agent is: a version of it, by a token that is bound to the version's content.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, IdentityId, VersionName};
use crate::ports::PortError;
use crate::version::Digest;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The token's own id (`jti`).
    pub id: IdentityId,
    /// The agent.
    pub agent: AgentName,
    /// The version.
    pub version: VersionName,
    /// Digest of the version's manifest: what is called so and has another one is somebody else.
    pub manifest: Digest,
    /// Seconds since the Unix epoch.
    pub issued_wall_s: i64,
    /// Seconds since the Unix epoch; from then on it is nobody's.
    pub expires_wall_s: i64,
}

/// Tokens that are good no more, though they look it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Revoked {
    /// One token.
    Token {
        /// Its id.
        id: IdentityId,
    },
    /// All of a version that were issued before this second.
    Version {
        /// The agent.
        agent: AgentName,
        /// The version.
        version: VersionName,
        /// Seconds since the Unix epoch.
        before_wall_s: i64,
    },
}

impl Revoked {
    /// Whether it means this token.
    pub fn covers(&self, identity: &Identity) -> bool {
        match self {
            Self::Token { id } => *id == identity.id,
            Self::Version { agent, version, before_wall_s } => {
                *agent == identity.agent
                    && *version == identity.version
                    && identity.issued_wall_s < *before_wall_s
            }
        }
    }
}

/// Makes tokens.
pub trait Issuer: Send + Sync {
    /// The token that says so.
    fn issue(&self, identity: &Identity) -> Result<String, PortError>;
}
