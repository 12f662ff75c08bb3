//! One request of a user and what became of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, Epoch, InteractionId, RolloutId, VersionName};
use crate::price::{PriceTable, Unpriced};

/// How a request ended that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The version answered 5xx.
    #[serde(rename = "upstream_5xx")]
    Upstream5xx,
    /// No answer, or none further, in time.
    Timeout,
    /// Connection refused, or closed before the answer's end.
    Reset,
    /// The answer was not valid HTTP.
    Protocol,
    /// 200, then an error event or a stream without its end.
    StreamError,
    /// The version reported `lockgate-outcome: failed`, or the client did.
    OutcomeFailed,
    /// The client left before the end.
    ClientCancel,
    /// The version answered 4xx other than 429.
    #[serde(rename = "client_4xx")]
    Client4xx,
    /// Refused here before any version was asked.
    GatewayRefused,
    /// The version sent the client elsewhere: 3xx other than 304.
    #[serde(rename = "upstream_3xx")]
    Upstream3xx,
    /// The version answered 429.
    #[serde(rename = "upstream_429")]
    Upstream429,
}

impl ErrorClass {
    /// All classes, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::Upstream5xx,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::StreamError,
        Self::OutcomeFailed,
        Self::ClientCancel,
        Self::Client4xx,
        Self::GatewayRefused,
        Self::Upstream3xx,
        Self::Upstream429,
    ];

    /// Whether it counts in the version's error rate.
    pub fn charged(self) -> bool {
        match self {
            Self::Upstream5xx
            | Self::Timeout
            | Self::Reset
            | Self::Protocol
            | Self::StreamError
            | Self::OutcomeFailed => true,
            Self::ClientCancel
            | Self::Client4xx
            | Self::GatewayRefused
            | Self::Upstream3xx
            | Self::Upstream429 => false,
        }
    }

    /// The name used in metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream5xx => "upstream_5xx",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::StreamError => "stream_error",
            Self::OutcomeFailed => "outcome_failed",
            Self::ClientCancel => "client_cancel",
            Self::Client4xx => "client_4xx",
            Self::GatewayRefused => "gateway_refused",
            Self::Upstream3xx => "upstream_3xx",
            Self::Upstream429 => "upstream_429",
        }
    }
}

/// What the agent, or its caller, says came of an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The user's need was met.
    Resolved,
    /// Handed to a person.
    Escalated,
    /// Neither.
    Failed,
}

/// A user's opinion of one interaction: −1 negative, 0 neutral, 1 positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// −1, or 0 to 6 of 10.
    Negative,
    /// 0, or 7 to 8 of 10.
    Neutral,
    /// 1, or 9 to 10 of 10.
    Positive,
}

impl Score {
    /// From an answer to "how likely are you to recommend us", 0 to 10.
    pub fn from_nps(answer: u8) -> Option<Self> {
        match answer {
            0..=6 => Some(Self::Negative),
            7..=8 => Some(Self::Neutral),
            9..=10 => Some(Self::Positive),
            _ => None,
        }
    }

    /// From −1, 0 or 1.
    pub fn from_sign(sign: i64) -> Option<Self> {
        match sign {
            -1 => Some(Self::Negative),
            0 => Some(Self::Neutral),
            1 => Some(Self::Positive),
            _ => None,
        }
    }

    /// −1, 0 or 1.
    pub fn sign(self) -> i8 {
        match self {
            Self::Negative => -1,
            Self::Neutral => 0,
            Self::Positive => 1,
        }
    }
}

/// How soon a provider answers, and at which prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// The usual one.
    Standard,
    /// Later and cheaper.
    Flex,
    /// Sooner and dearer.
    Priority,
    /// Faster and dearer.
    Fast,
    /// Within hours, and cheaper.
    Batch,
    /// One that is not known here, or several together.
    Other,
}

impl ServiceTier {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 6] =
        [Self::Standard, Self::Flex, Self::Priority, Self::Fast, Self::Batch, Self::Other];

    /// The name used in records and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Fast => "fast",
            Self::Batch => "batch",
            Self::Other => "other",
        }
    }

    /// One whose prices are not the usual ones.
    pub fn is_special(self) -> bool {
        self != Self::Standard
    }
}

/// The most tokens of one kind that one answer can have taken: twice the longest context that a model is known to have. What
/// says more is no count.
pub const TOKENS_MAX: u64 = 20_000_000;

/// Tokens of one answer. `None` is unknown, never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, cache reads included.
    pub input_tokens: Option<u64>,
    /// Of the input: read from a cache.
    pub cached_input_tokens: Option<u64>,
    /// Of the input: written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Of what was written to a cache: what stays there for an hour.
    #[serde(default)]
    pub cache_write_1h_tokens: Option<u64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Of the output: reasoning.
    #[serde(default)]
    pub reasoning_tokens: Option<u64>,
    /// The tier that the answer names.
    #[serde(default)]
    pub tier: Option<ServiceTier>,
}

impl Usage {
    /// Whether no kind of tokens is more than [`TOKENS_MAX`].
    pub fn can_be(&self) -> bool {
        let Self {
            input_tokens,
            cached_input_tokens,
            cache_write_tokens,
            cache_write_1h_tokens,
            output_tokens,
            reasoning_tokens,
            tier: _,
        } = self;
        let kinds = [
            input_tokens,
            cached_input_tokens,
            cache_write_tokens,
            cache_write_1h_tokens,
            output_tokens,
            reasoning_tokens,
        ];
        kinds.into_iter().flatten().all(|count| *count <= TOKENS_MAX)
    }
}

/// One row per interaction, written in batches. Drops are counted and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// The agent it asked.
    pub agent: AgentName,
    /// The version that answered; `None` when refused before one was picked.
    pub version: Option<VersionName>,
    /// The rollout under way, if any.
    pub rollout: Option<RolloutId>,
    /// The weight epoch at assignment.
    pub epoch: Epoch,
    /// Salted hash of the sticky key.
    pub user: Option<u64>,
    /// Salted hash of the conversation's id.
    pub conversation: Option<u64>,
    /// Milliseconds since the Unix epoch.
    pub started_wall_ms: i64,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// How it failed, if it did.
    pub error: Option<ErrorClass>,
    /// What the version reported.
    pub outcome: Option<Outcome>,
    /// Microseconds to the first byte of the answer.
    pub first_byte_us: Option<u64>,
    /// Microseconds to the end of the answer.
    pub total_us: Option<u64>,
    /// Tokens.
    pub usage: Usage,
    /// The model that the answer names.
    pub model: Option<String>,
    /// Cost in nano-dollars; `None` when it cannot be known.
    pub cost_nanousd: Option<u64>,
    /// Which table the cost came from.
    #[serde(default)]
    pub price_table: Option<Arc<PriceTable>>,
    /// Why the cost is not known, as long as it is told: of one that was stored it is not kept.
    #[serde(default)]
    pub unpriced: Option<Unpriced>,
}
