//! Who an agent is: a version of it, by a token that is bound to the version's content.

use std::fmt;
use std::str::FromStr;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delegation::Delegation;
use crate::ids::{AgentName, IdentityId, IssuerName, VersionName};
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
    /// Whose word it is.
    pub voucher: Voucher,
    /// For whom it acts with the call at hand; no token of its own says so.
    #[serde(skip)]
    pub acting: Option<Arc<Delegation>>,
}

/// Whose calls under way are counted together: a token's, but that issuers outside give out new ones all the time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Whoever has this token.
    Token(IdentityId),
    /// Whoever an issuer outside says is this version.
    Outside(IssuerName, AgentName, VersionName),
}

impl Identity {
    /// Whom its calls are counted with.
    pub fn caller(&self) -> Caller {
        match self.voucher.issuer() {
            Some(issuer) => {
                Caller::Outside(issuer.clone(), self.agent.clone(), self.version.clone())
            }
            None => Caller::Token(self.id),
        }
    }

    /// Those that it acts for, the first giver first.
    pub fn givers(&self) -> &[Self] {
        self.acting.as_ref().map_or(&[], |acting| &acting.givers)
    }

    /// All who must be allowed what is done: itself, and those that it acts for.
    pub fn parties(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.givers())
    }
}

/// Who says that a token's bearer is who it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// We, with this key.
    Key(KeyId),
    /// An issuer outside.
    Issuer {
        /// Its name.
        name: IssuerName,
        /// Digest of what is configured of it: under other terms it might not be believed.
        terms: Digest,
        /// Its key.
        kid: String,
    },
}

impl Voucher {
    /// Our key, if it is we.
    pub fn key(&self) -> Option<&KeyId> {
        match self {
            Self::Key(kid) => Some(kid),
            Self::Issuer { .. } => None,
        }
    }

    /// The issuer outside, if it is one.
    pub fn issuer(&self) -> Option<&IssuerName> {
        match self {
            Self::Key(_) => None,
            Self::Issuer { name, .. } => Some(name),
        }
    }
}

/// Digits in the name of a key.
const KEY_ID_LEN: usize = 16;

/// A key that signs tokens, as they name it (`kid`): the first 8 bytes of the public key's SHA-256, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(std::sync::Arc<str>);

/// Why a text names no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's name has {KEY_ID_LEN} hexadecimal digits, in lower case")]
pub struct InvalidKeyId;

impl KeyId {
    /// Of the key with this digest.
    pub fn of(first: [u8; 8]) -> Self {
        Self(format!("{:016x}", u64::from_be_bytes(first)).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;
    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == KEY_ID_LEN && text.bytes().all(is_digit);
        if is_one { Ok(Self(text.into())) } else { Err(InvalidKeyId) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidKeyId;
    fn try_from(text: String) -> Result<Self, InvalidKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key whose tokens are good: its public half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityKey {
    /// Its name in tokens.
    pub kid: KeyId,
    /// The Ed25519 public key, 32 bytes in base64url without padding (as `x` in RFC 8037).
    pub public: String,
    /// Milliseconds since the Unix epoch; from then on its tokens are nobody's. `None`: as long as they last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_wall_ms: Option<i64>,
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
    /// All that issuers outside have given a version, and will: it was cut off, and they go on.
    Outside {
        /// The agent.
        agent: AgentName,
        /// The version.
        version: VersionName,
    },
}

impl Revoked {
    /// Whether it means this token.
    pub fn covers(&self, identity: &Identity) -> bool {
        match self {
            Self::Token { id } => *id == identity.id,
            Self::Outside { agent, version } => {
                *agent == identity.agent
                    && *version == identity.version
                    && identity.voucher.issuer().is_some()
            }
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
    /// The token that says so, signed with the key that it names.
    fn issue(&self, identity: &Identity) -> Result<String, PortError>;
}

/// The private halves of keys. At most two are kept: of the key that signs, and of the one that will.
pub trait SigningKeys: Issuer {
    /// Makes the key that will sign after `current`, and has it safe before this returns. Blocks.
    fn prepare(&self, current: &KeyId) -> Result<IdentityKey, PortError>;
    /// From now on this key signs; the one before it is removed. Done twice it is done once. Blocks.
    fn settle(&self, current: &KeyId) -> Result<(), PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_is_sixteen_digits_and_no_path() {
        let id = KeyId::of([0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(id.as_str(), "00010203040506ff");
        assert_eq!("00010203040506ff".parse(), Ok(id));
        for text in
            ["", "00010203040506fF", "00010203040506f", "00010203040506ff0", "../../../../keys/"]
        {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidKeyId), "{text}");
        }
    }
}
