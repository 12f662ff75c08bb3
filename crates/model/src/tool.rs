//! Tools that agents reach through Lockgate, as configuration defines them.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{self, Class};
use crate::config::SecretRef;
use crate::ids::{AgentName, ToolName};
use crate::operation::Operation;

/// What a tool's server speaks, and how much of it agents may use at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolProtocol {
    /// Model Context Protocol over streamable HTTP.
    Mcp,
    /// OpenAI's model API, or one that is like it.
    Openai(Models),
    /// Anthropic's model API, or one that is like it.
    Anthropic(Models),
    /// Plain HTTP: these operations and no others.
    Http(Vec<Operation>),
    /// Another agent, by A2A: over JSON-RPC and REST.
    A2a,
    /// Whatever it is, somebody else speaks it: actions are decided and recorded here, and nothing is forwarded.
    External,
    /// TLS to one host and port, of which nothing else is seen.
    Tunnel(Addresses),
}

/// Where a name may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addresses {
    /// To the internet.
    #[default]
    Public,
    /// There, to networks of one's own, and to this machine.
    Private,
}

impl Addresses {
    /// Whether one may be connected to. Where clouds keep their metadata, and what is nobody's in particular, is nowhere
    /// that a name should lead.
    pub fn hold(self, ip: IpAddr) -> bool {
        let class = address::class(ip);
        match self {
            _ if address::is_metadata(ip) => false,
            Self::Public => class == Class::Public,
            Self::Private => matches!(class, Class::Public | Class::Private | Class::Loopback),
        }
    }
}

/// Which models may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Models(
    /// `None`: whichever the policy allows.
    pub Option<Vec<ModelPattern>>,
);

impl Models {
    /// Whether a model of this name is among them.
    pub fn hold(&self, model: &str) -> bool {
        self.0.as_ref().is_none_or(|all| all.iter().any(|one| one.matches(model)))
    }
}

/// A model's name, or the beginning of one and a `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelPattern(pub String);

impl ModelPattern {
    /// Whether it is about this model.
    pub fn matches(&self, model: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning),
            None => self.0 == model,
        }
    }
}

/// A header that every request to a tool's server carries, and that no agent sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The header's name, in lower case.
    pub header: String,
    /// Where its value is found.
    pub value: SecretRef,
}

/// A server with tools. Where it is stands here alone: no request chooses where we connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name, by which agents reach it.
    pub name: ToolName,
    /// Where it is (`http` or `https`), path included: of a model API, what a client takes as its base URL. Empty where
    /// nothing is forwarded.
    pub url: String,
    /// What it speaks.
    pub protocol: ToolProtocol,
    /// What it is to be shown; `None` for nothing.
    pub credential: Option<Credential>,
    /// The longest silence in an answer, from the request on.
    pub timeout_ms: u64,
    /// How much of it there may be at once.
    #[serde(default)]
    pub limits: ToolLimits,
    /// Whether what the policy says is done.
    #[serde(default)]
    pub mode: ToolMode,
    /// Which agent of this configuration it is, if it is one: it is told who calls, and may act for them.
    #[serde(default)]
    pub agent: Option<AgentName>,
}

/// Whether what the policy says of a tool's actions is done, or only written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ToolMode")]
pub enum ToolMode {
    /// It is done.
    #[default]
    Enforce,
    /// It is recorded with each action, and refuses none: to see what a policy would do before it does it. Orders of
    /// people, identities and pins are in force all the same.
    Shadow,
}

/// What keeps one tool from harming others, and agents from waiting for one that fails. Counted by each gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolLimits {
    /// Actions under way at once; more are refused.
    pub at_once_max: u32,
    /// When it is left alone for a while; `None` for never.
    pub breaker: Option<Breaker>,
    /// The largest answer, bytes.
    pub answer_bytes_max: u64,
    /// The longest that an action may take; `None` for as long as its server says something.
    pub lasts_max_ms: Option<u64>,
}

impl ToolLimits {
    /// The longest that an action may take.
    pub fn lasts_max(&self) -> Option<Duration> {
        self.lasts_max_ms.map(Duration::from_millis)
    }
}

impl Default for ToolLimits {
    fn default() -> Self {
        Self {
            at_once_max: 1_024,
            breaker: None,
            answer_bytes_max: 256 * 1024 * 1024,
            lasts_max_ms: None,
        }
    }
}

/// When a tool's server is left alone: after so many failures in a row, for so long. Then one action tries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Failures in a row, at least 1.
    pub failures: u32,
    /// For how long, milliseconds.
    pub pause_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_whole_or_by_its_beginning() {
        let models = Models(Some(vec![
            ModelPattern("gpt-4o".into()),
            ModelPattern("claude-haiku-*".into()),
        ]));
        for (model, held) in [
            ("gpt-4o", true),
            ("gpt-4o-mini", false),
            ("GPT-4o", false),
            ("claude-haiku-4-5", true),
            ("claude-opus-4-5", false),
            ("", false),
        ] {
            assert_eq!(models.hold(model), held, "{model}");
        }
        assert!(Models(None).hold("any") && !Models(Some(Vec::new())).hold("any"));
    }

    #[test]
    fn a_snapshot_of_before_is_still_read() {
        let read: ToolProtocol = serde_json::from_str("\"mcp\"").unwrap();
        assert_eq!(read, ToolProtocol::Mcp);
        let tool =
            r#"{"name":"t","url":"","protocol":"external","credential":null,"timeout_ms":5}"#;
        let tool: Tool = serde_json::from_str(tool).unwrap();
        assert_eq!(tool.limits, ToolLimits::default());
    }

    #[test]
    fn a_name_leads_to_the_internet_or_where_one_said_that_it_may() {
        for (ip, public, private) in [
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("64:ff9b::808:808", true, true),
            ("10.1.2.3", false, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("fd12::1", false, true),
            ("100.64.0.1", false, true),
            ("64:ff9b::a00:1", false, true),
            ("169.254.169.254", false, false),
            ("100.100.100.200", false, false),
            ("fd00:ec2::254", false, false),
            ("fe80::1", false, false),
            ("224.0.0.1", false, false),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("255.255.255.255", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("2002:a00:1::", false, false),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(Addresses::Public.hold(ip), public, "{ip}");
            assert_eq!(Addresses::Private.hold(ip), private, "{ip}");
        }
    }
}
