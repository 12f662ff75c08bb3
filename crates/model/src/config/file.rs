//! The form of the file. Comments here become descriptions in the JSON Schema.
//!
//! Every field may be missing or wrong on its own ([`Field`]): the schema says what is required,
//! and lowering goes on with what is right.

use schemars::JsonSchema;
use serde::Deserialize;

use super::AuditDurability;
use super::field::Field;
use super::text::{
    AddressText, CommitText, DurationText, FileNameText, MeasureNameText, MirrorText, NameText,
    SecretText, SizeText, SomeText, Switchable, UrlPathText, UrlText, WitnessKeyText,
};
use crate::agent::{LatencyMeasure, OnNewVersion, Protocol, SignalSource};
use crate::measure::Better;
use crate::plan::AlertLevel;
use crate::version::SideEffects;

mod issuers;
mod plan;
mod prices;
mod tools;

pub(super) use issuers::{IssuerFile, IssuerSpeaks, MappedFile};
pub(super) use plan::{
    ConfirmBy, ConfirmFile, DriftFile, GateFile, GatesFile, HardLimitsFile, OverrideFile, PlanFile,
    StageFile, TriggerFile, TriggersFile,
};
pub(super) use prices::{AboveFile, PriceFile, PricesFileFile, TierFile};
pub(super) use tools::{AddressesFile, CredentialFile, OperationFile, Speaks, ToolServerFile};

/// Lockgate's configuration: agents, their versions, and the plans that releases follow.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "lockgate.yaml", extend("required" = ["agents"]))]
pub(super) struct ConfigFile {
    /// Where Lockgate listens.
    pub(super) listen: Field<ListenFile>,
    /// Directory for state. Default: what the command line says.
    pub(super) data_dir: Field<SomeText>,
    /// A gateway that has not heard of the controller for this long gives candidates no traffic.
    /// Default: 10m.
    pub(super) candidate_stale_max: Field<DurationText>,
    /// Calls of agents are refused once the gateway has not heard of the controller for this long. Default: 10m.
    pub(super) snapshot_max_age: Field<DurationText>,
    /// How people are asked about actions that a rule says `ask` to.
    pub(super) approvals: Field<ApprovalsFile>,
    /// Certificate authorities, in PEM, that vouch for endpoints and tools beside the web's own. Default: none.
    pub(super) authorities: Field<SecretText>,
    /// Whether /metrics asks for a token. Default: false.
    pub(super) metrics_need_token: Field<bool>,
    /// How answers of users are taken.
    pub(super) feedback: Field<FeedbackFile>,
    /// How the audit log is kept.
    pub(super) audit: Field<AuditFile>,
    /// The agents that users talk to.
    #[schemars(extend("minItems" = 1))]
    pub(super) agents: Field<Vec<Field<AgentFile>>>,
    /// Servers with tools that agents reach through Lockgate. Default: none.
    #[schemars(extend("maxItems" = 256))]
    pub(super) tools: Field<Vec<Field<ToolServerFile>>>,
    /// Issuers outside whose tokens say which version of an agent calls, beside those that Lockgate issues. Default: none.
    #[schemars(extend("maxItems" = 16))]
    pub(super) issuers: Field<Vec<Field<IssuerFile>>>,
    /// Plans that releases follow. The plan `standard` is built in; one of that name replaces it.
    pub(super) plans: Field<Vec<Field<PlanFile>>>,
    /// Where alerts go.
    pub(super) channels: Field<Vec<Field<ChannelFile>>>,
    /// Prices that replace those of the file and of the built-in list.
    pub(super) prices: Field<Vec<Field<PriceFile>>>,
    /// A file of prices that replace the built-in list's. Default: none.
    pub(super) prices_file: Field<PricesFileFile>,
}

/// Where Lockgate listens.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct ListenFile {
    /// Agents' traffic. Default: 0.0.0.0:8080.
    pub(super) ingress: Field<AddressText>,
    /// Calls that agents make. Default: 127.0.0.1:8081.
    pub(super) egress: Field<AddressText>,
    /// How agents reach that, as cards of other agents tell them. Default: the address that their connection came in at.
    pub(super) egress_url: Field<UrlText>,
    /// Whether tunnels to tools that are asked in their own way are opened, with an authority of Lockgate's own that
    /// agents are told to trust. Default: false.
    pub(super) egress_inspect: Field<bool>,
    /// REST, console and metrics. Default: 127.0.0.1:8090.
    pub(super) api: Field<AddressText>,
}

/// How people are asked about actions that a rule says `ask` to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct ApprovalsFile {
    /// How long a call waits for the answer before its agent is told to call again. `0s`: not at all. Default: 20s.
    pub(super) hold: Field<DurationText>,
    /// How long a question can be answered; then the answer is no. Default: 15m.
    pub(super) expires: Field<DurationText>,
    /// How long a yes can be used, once. Default: 5m.
    pub(super) use_within: Field<DurationText>,
    /// How long a no stands before the same action is asked about again. Default: 24h.
    pub(super) refusal_stands: Field<DurationText>,
}

/// How answers of users are taken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct FeedbackFile {
    /// How long after an answer feedback on it is taken. Default: 24h.
    pub(super) ticket_ttl: Field<DurationText>,
}

/// How the audit log is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct AuditFile {
    /// What an acknowledged record outlives: `process`, its end by `kill -9`, or `power`, a loss of power too. Default:
    /// power.
    pub(super) durability: Field<AuditDurability>,
    /// Where a copy of what is signed goes: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///directory`. Credentials
    /// come from the environment. Default: nowhere.
    pub(super) mirror: Field<MirrorText>,
    /// How long records are kept; older ones go in bundles of 256, and what proves the others stays. Default: for good.
    pub(super) retention: Field<DurationText>,
    /// Witnesses that cosign its checkpoints. Default: none.
    #[schemars(extend("maxItems" = 8))]
    pub(super) witnesses: Field<Vec<Field<WitnessFile>>>,
    /// How many of the witnesses must vouch for a record before it counts as anchored. Default: all.
    #[schemars(range(min = 1, max = 8))]
    pub(super) cosignatures_min: Field<u32>,
}

/// A witness of the audit log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Witness", extend("required" = ["url", "key"]))]
pub(super) struct WitnessFile {
    /// Where it is asked.
    pub(super) url: Field<UrlText>,
    /// Its public key.
    pub(super) key: Field<WitnessKeyText>,
}

/// An agent and its versions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Agent", extend("required" = ["name", "versions"]))]
pub(super) struct AgentFile {
    /// Its name, unique in the file.
    pub(super) name: Field<NameText>,
    /// Which requests are its own; any of these. Default: all requests.
    #[serde(rename = "match")]
    #[schemars(extend("minItems" = 1))]
    pub(super) matches: Field<Vec<Field<MatchFile>>>,
    /// What makes a user stick to a version. Default: nothing; each conversation is drawn anew.
    pub(super) sticky: Field<StickyFile>,
    /// What it speaks: tells where conversation ids and token usage are found. Default: auto.
    pub(super) protocol: Field<Protocol>,
    /// Signals it produces beyond errors and latency. Gates on others are refused. Default: none.
    #[schemars(extend("uniqueItems" = true))]
    pub(super) signals: Field<Vec<SignalSource>>,
    /// Numbers that its versions report of their answers in `lockgate-measure`. Default: none.
    #[schemars(extend("maxItems" = 16))]
    pub(super) measures: Field<Vec<Field<MeasureFile>>>,
    /// Which latency is judged. Default: auto.
    pub(super) latency: Field<LatencyMeasure>,
    /// Active health checks, or `off`. Default: GET / every 5s.
    pub(super) health: Field<Switchable<HealthFile>>,
    /// Limits on its requests.
    pub(super) limits: Field<LimitsFile>,
    /// The plan its releases follow. Default: standard.
    pub(super) plan: Field<NameText>,
    /// Channels that its alerts go to. Default: all channels.
    #[schemars(extend("uniqueItems" = true))]
    pub(super) channels: Field<Vec<Field<NameText>>>,
    /// Whether a version that is new in the file starts a rollout. Default: hold.
    pub(super) on_new_version: Field<OnNewVersion>,
    /// What candidates are asked in the test environment. Default: nothing.
    pub(super) probes: Field<ProbesFile>,
    /// Agents whose open releases end well before one of this agent begins. Default: none.
    #[schemars(extend("uniqueItems" = true))]
    pub(super) after: Field<Vec<Field<NameText>>>,
    /// Its versions. The first becomes stable when none is yet.
    #[schemars(extend("minItems" = 1))]
    pub(super) versions: Field<Vec<Field<VersionFile>>>,
}

/// Requests that belong to an agent: those with this host and below this path.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Match")]
pub(super) struct MatchFile {
    /// Exact host name, without port.
    pub(super) host: Field<SomeText>,
    /// Path prefix, in whole segments.
    pub(super) path: Field<UrlPathText>,
    /// Whether the prefix is removed before forwarding. Default: false.
    pub(super) strip_path: Field<bool>,
}

/// Requests to candidates in the test environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Probes", extend("required" = ["file"]))]
pub(super) struct ProbesFile {
    /// A file of JSON lines beside this one: name, request, and what is expected of the answer.
    pub(super) file: Field<FileNameText>,
    /// How many each gateway sends a second, from 0.001 to 100. Default: 1.
    #[schemars(range(min = 0.001, max = 100))]
    pub(super) per_second: Field<f64>,
}

/// A number that versions report of an answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Measure", extend("required" = ["name", "better"]))]
pub(super) struct MeasureFile {
    /// Its name, unique in the agent.
    pub(super) name: Field<MeasureNameText>,
    /// Which values are the good ones.
    pub(super) better: Field<Better>,
    /// The lowest value; lower ones count as this. Default: 0.
    pub(super) from: Field<f64>,
    /// The highest value; higher ones count as this. Default: 1.
    pub(super) to: Field<f64>,
}

/// Where the sticky key of a request is found: one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Sticky", extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct StickyFile {
    /// A request header.
    pub(super) header: Field<SomeText>,
    /// A cookie.
    pub(super) cookie: Field<SomeText>,
    /// A query parameter.
    pub(super) query: Field<SomeText>,
}

/// Active health checks: GET on each endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Health")]
pub(super) struct HealthFile {
    /// Path below the endpoint. Default: /.
    pub(super) path: Field<UrlPathText>,
    /// Time between two checks. Default: 5s.
    pub(super) interval: Field<DurationText>,
    /// A check that takes longer has failed. Default: 2s.
    pub(super) timeout: Field<DurationText>,
    /// Failures in a row that make an endpoint unhealthy. Default: 3.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) unhealthy_after: Field<u32>,
    /// Successes in a row that make it healthy again. Default: 2.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) healthy_after: Field<u32>,
}

/// Limits on one agent's requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Limits")]
pub(super) struct LimitsFile {
    /// Time to connect. Default: 2s.
    pub(super) connect_timeout: Field<DurationText>,
    /// Time until the first byte of the answer. Default: 60s.
    pub(super) first_byte_timeout: Field<DurationText>,
    /// Longest silence inside an answer. Default: 60s.
    pub(super) idle_timeout: Field<DurationText>,
    /// Largest request body. Default: 32MiB.
    pub(super) request_body_max: Field<SizeText>,
    /// Requests in flight at once. Default: 2048.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) in_flight_max: Field<u32>,
}

/// A version: what runs, immutable. Change anything and it is another version, under a new name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Version", extend("required" = ["name", "endpoint"]))]
pub(super) struct VersionFile {
    /// Its name, unique within the agent.
    pub(super) name: Field<NameText>,
    /// Base URL that production traffic is sent to.
    pub(super) endpoint: Field<UrlText>,
    /// Base URL of the same version in the test environment.
    pub(super) test_endpoint: Field<UrlText>,
    /// Digest of the container image, or of the code.
    pub(super) image: Field<SomeText>,
    /// The model it calls.
    pub(super) model: Field<SomeText>,
    /// Digest of its prompts.
    pub(super) prompt_digest: Field<SomeText>,
    /// Digest of the policies it was tested with.
    pub(super) policy_digest: Field<SomeText>,
    /// Tools and the digests of their descriptions.
    pub(super) tools: Field<Vec<Field<ToolFile>>>,
    /// Whether it changes anything outside itself. Default: some.
    pub(super) side_effects: Field<SideEffects>,
    /// The commit that it was built from, in full. A report of its path must be of it.
    pub(super) commit: Field<CommitText>,
}

/// A tool whose description the version was tested with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Tool", extend("required" = ["name", "digest"]))]
pub(super) struct ToolFile {
    /// The tool's name as the agent sees it.
    pub(super) name: Field<SomeText>,
    /// Digest of its description, schemas and server identity.
    pub(super) digest: Field<SomeText>,
}

/// Where alerts go: a webhook or Slack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Channel", extend("required" = ["name"]))]
pub(super) struct ChannelFile {
    /// Its name, unique in the file.
    pub(super) name: Field<NameText>,
    /// `CloudEvents` by HTTP POST.
    pub(super) webhook: Field<WebhookFile>,
    /// Slack's incoming webhook.
    pub(super) slack: Field<SlackFile>,
    /// Quieter alerts are left out. Default: info.
    pub(super) min_level: Field<AlertLevel>,
}

/// `CloudEvents` by HTTP POST.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Webhook", extend("required" = ["url"]))]
pub(super) struct WebhookFile {
    /// Where to.
    pub(super) url: Field<UrlText>,
    /// Key that bodies are signed with, as `env:NAME` or `file:PATH`.
    pub(super) secret: Field<SecretText>,
}

/// Slack's incoming webhook.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Slack", extend("required" = ["url"]))]
pub(super) struct SlackFile {
    /// Its URL is a secret: `env:NAME` or `file:PATH`.
    pub(super) url: Field<SecretText>,
}
