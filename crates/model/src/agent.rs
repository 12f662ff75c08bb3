//! An agent as configuration defines it: how requests find it, how users stick, how it is watched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, ChannelName, PlanName, VersionName};
use crate::measure::{Measure, MeasureName};
use crate::probe::Probes;
use crate::version::Manifest;

/// Which requests belong to an agent. Host is matched without port and case, `path` as a prefix of
/// whole segments. A request goes to the most specific match: host before none, longer path first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Exact host name.
    pub host: Option<String>,
    /// Path prefix, starting with `/`.
    pub path: Option<String>,
    /// Whether `path` is removed before forwarding.
    pub strip_path: bool,
}

/// Where the sticky key of a request is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StickyKey {
    /// A request header, by name in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

/// What an agent speaks; decides which ids pin a conversation and where usage is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Told by the end of the path: `/chat/completions`, `/responses`, `/messages`, else plain.
    #[default]
    Auto,
    /// Plain HTTP; bodies are never looked at.
    Http,
    /// OpenAI chat completions and responses.
    Openai,
    /// Anthropic messages.
    Anthropic,
    /// `Agent2Agent`.
    A2a,
    /// Model Context Protocol.
    Mcp,
}

/// Signals that an agent is known to produce, beyond errors and latency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SignalSource {
    /// Users answer through `/feedback`.
    Feedback,
    /// Token usage with known prices, or `lockgate-cost-usd`.
    Cost,
    /// Versions say in `lockgate-outcome`, or users through `/outcome`, how an interaction ended.
    Outcome,
    /// A probe set; follows from the agent's `probes` and is not written.
    #[schemars(skip)]
    Probes,
    /// A measure of the agent; follows from its `measures` and is not written.
    #[schemars(skip)]
    Measure(MeasureName),
}

/// Active health checks: `GET path` on each endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Path below the endpoint.
    pub path: String,
    /// Time between two checks.
    pub interval_ms: u64,
    /// Time after which a check has failed.
    pub timeout_ms: u64,
    /// Failures in a row that make an endpoint unhealthy.
    pub unhealthy_after: u32,
    /// Successes in a row that make it healthy again.
    pub healthy_after: u32,
}

/// Limits on one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time to connect.
    pub connect_timeout_ms: u64,
    /// Time until the first byte of the answer.
    pub first_byte_timeout_ms: u64,
    /// Longest silence inside an answer's body; server-sent events are exempt while the
    /// connection is alive.
    pub idle_timeout_ms: u64,
    /// Largest request body.
    pub request_body_bytes_max: u64,
    /// Requests of this agent in flight at once.
    pub in_flight_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 2_000,
            first_byte_timeout_ms: 60_000,
            idle_timeout_ms: 60_000,
            request_body_bytes_max: 32 * 1024 * 1024,
            in_flight_max: 2_048,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/".into(),
            interval_ms: 5_000,
            timeout_ms: 2_000,
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

/// Which latency a judge reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatencyMeasure {
    /// First byte for server-sent events, total otherwise; the two are judged apart.
    #[default]
    Auto,
    /// Time to the first byte of the body.
    FirstByte,
    /// Time to the end of the body.
    Total,
}

/// What happens when the file names a version that was not there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNewVersion {
    /// Nothing until someone starts a rollout.
    #[default]
    Hold,
    /// A rollout starts at once.
    Start,
}

/// An agent and its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// Which requests are its own.
    pub matches: Vec<Match>,
    /// What makes a user stick to a version; none means a random draw per conversation.
    pub sticky: Option<StickyKey>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Signals it produces.
    pub signals: Vec<SignalSource>,
    /// What its versions report of their answers, besides.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// Which latency its judges read.
    pub latency: LatencyMeasure,
    /// Active health checks; `None` when switched off.
    pub health: Option<HealthCheck>,
    /// Limits on its requests.
    pub limits: Limits,
    /// The plan its releases follow.
    pub plan: PlanName,
    /// Where its alerts go.
    pub channels: Vec<ChannelName>,
    /// What a new version in the file does.
    pub on_new_version: OnNewVersion,
    /// Agents whose open releases end well before one of its own begins.
    #[serde(default)]
    pub after: Vec<AgentName>,
    /// What its candidates are asked in the test environment.
    #[serde(default)]
    pub probes: Option<Probes>,
    /// Its versions, in the file's order. The first becomes stable when none is yet.
    pub versions: Vec<Manifest>,
}

impl Agent {
    /// Where its signals come from: those declared, its probes and its measures.
    pub fn sources(&self) -> Vec<SignalSource> {
        let probes = self.probes.as_ref().map(|_| SignalSource::Probes);
        let measures = self.measures.iter().map(|measure| SignalSource::Measure(measure.name));
        self.signals.iter().copied().chain(probes).chain(measures).collect()
    }

    /// The measure called `name`.
    pub fn measure(&self, name: MeasureName) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name)
    }

    /// The version called `name`.
    pub fn version(&self, name: &VersionName) -> Option<&Manifest> {
        self.versions.iter().find(|version| version.name == *name)
    }
}
