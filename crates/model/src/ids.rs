//! Identifiers. Every id is a newtype, so that one cannot stand where another belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not a valid name: use 1 to {NAME_LEN_MAX} lowercase letters, digits, `-`, `_` or `.`, starting with a letter or digit"
)]
pub struct InvalidName {
    /// What was given, cut to a printable length.
    pub given: String,
}

/// The longest name, in bytes.
pub const NAME_LEN_MAX: usize = 63;

fn check_name(text: &str) -> Result<(), InvalidName> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let starts = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && text.len() <= NAME_LEN_MAX && text.chars().all(ok) {
        return Ok(());
    }
    Err(InvalidName { given: text.chars().take(80).collect() })
}

macro_rules! name {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $id(std::sync::Arc<str>);

        impl $id {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $id {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check_name(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $id {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$id> for String {
            fn from(name: $id) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// An agent: what users talk to, whatever version answers.
    AgentName
);
name!(
    /// One immutable version of an agent; unique within its agent.
    VersionName
);
name!(
    /// A rollout plan.
    PlanName
);
name!(
    /// A channel that alerts go to.
    ChannelName
);
name!(
    /// What looks for drift on an agent's behalf, such as the job for one environment.
    DriftSource
);
name!(
    /// A server with tools, as configuration names it.
    ToolName
);
name!(
    /// An issuer of tokens outside, as configuration names it.
    IssuerName
);
name!(
    /// One gateway process, stable over its restarts.
    GatewayName
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $id(pub Uuid);

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $id {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// One release of a candidate, from start to end. `UUIDv7`.
    RolloutId
);
uuid_id!(
    /// One request of a user and its answer. `UUIDv7`.
    InteractionId
);
uuid_id!(
    /// One start of a process; a new one after every restart.
    BootId
);

impl InteractionId {
    /// When it began, milliseconds since the Unix epoch, if its id says so.
    pub fn began_wall_ms(self) -> Option<i64> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        let seconds = i64::try_from(seconds).ok()?;
        seconds.checked_mul(1_000)?.checked_add(i64::from(nanos / 1_000_000))
    }
}

uuid_id!(
    /// One passing on of authority from an agent to another. `UUIDv7`.
    DelegationId
);
uuid_id!(
    /// One security event. `UUIDv7`.
    SecurityEventId
);
uuid_id!(
    /// One token of an agent's version. `UUIDv7`.
    IdentityId
);
uuid_id!(
    /// One question to people about one action. `UUIDv7`.
    ApprovalId
);
uuid_id!(
    /// One order that stops something. `UUIDv7`.
    QuarantineId
);
uuid_id!(
    /// One latch of a gateway's fuse. `UUIDv7`.
    FuseId
);

/// Numbers the splits of one rollout, from 1. Every change of weight or mode starts a new epoch,
/// and evidence is counted per epoch. 0 is the time outside any rollout.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Numbers the snapshots that control publishes; grows by at least one each time.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lowercase_and_printable() {
        for good in ["a", "support-agent", "v1.2.0", "0_x"] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
    }
}
