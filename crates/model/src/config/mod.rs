//! `lockgate.yaml`, read and validated whole, before any port is bound.
//!
//! Not here: opening files and looking up secrets; the binary does both.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::agent::Agent;
use crate::approval::ApprovalSettings;
use crate::ids::{AgentName, ChannelName, PlanName};
use crate::issuer::OutsideIssuer;
use crate::plan::{AlertLevel, Plan};
use crate::price::ModelPrice;
use crate::price::litellm::PriceList;
use crate::snapshot::Egress;
use crate::tool::Tool;
use crate::version::Digest;

mod bound;
mod diagnostic;
mod diff;
mod field;
mod file;
mod fit;
mod lower;
mod node;
mod place;
mod report;
mod samples;
mod scalar;
mod schema;
mod secret;
mod source;
mod standard;
mod template;
mod text;
mod told;
mod units;
mod url;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use diff::{Change, at_next_start, diff, weakened};
pub use fit::{Misfit, misfits};
pub use schema::{did_you_mean, schema};
pub use secret::{InvalidSecretRef, SecretRef};
pub use source::{FILE_BYTES_MAX, FILES_MAX, Source, names_files};
pub use standard::rebound;
pub use template::{Scenario, UnknownScenario, template};
pub use told::{Told, diff_in_words};
pub use units::duration_ms;

/// YAML with the place of every value, for other files than `lockgate.yaml`.
pub mod document {
    pub use super::node::{Entry, Kind, Node};
    pub use super::place::{Path, Place, Step};
    pub use super::yaml::{Fault, Limits, Parsed, parse_within};
}

/// The plan of agents that name none.
pub const STANDARD_PLAN: &str = "standard";

/// Where Lockgate listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Listen {
    /// Agents' traffic.
    pub ingress: SocketAddr,
    /// Calls that agents make.
    pub egress: SocketAddr,
    /// REST, console, metrics.
    pub api: SocketAddr,
}

/// How answers of users are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FeedbackSettings {
    /// How long a ticket is good for.
    pub ticket_ttl_ms: u64,
}

/// How a channel is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// `CloudEvents` by HTTP POST.
    Webhook {
        /// Where to.
        url: String,
        /// Key that bodies are signed with.
        secret: Option<SecretRef>,
    },
    /// Slack's incoming webhook; its URL is the secret.
    Slack {
        /// Where the URL is found.
        url: SecretRef,
    },
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// How it is reached.
    pub kind: ChannelKind,
    /// Quieter alerts are left out.
    pub min_level: AlertLevel,
}

/// What a record of the audit log outlives once it is acknowledged.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AuditDurability {
    /// The end of this process.
    Process,
    /// A loss of power.
    #[default]
    Power,
}

/// How the audit log is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditSettings {
    /// What a record outlives.
    pub durability: AuditDurability,
    /// Where a copy of what is signed goes; `None` when there is none.
    pub mirror: Option<String>,
    /// How long records are kept; `None` for good.
    pub retention_ms: Option<u64>,
    /// Witnesses that cosign its checkpoints, in the file's order.
    pub witnesses: Vec<WitnessSettings>,
    /// How many of them must vouch for a record before it counts as anchored; 0 when there is none.
    pub cosignatures_min: u32,
}

/// A witness of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessSettings {
    /// Its name, from its key.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// Its public key, as it is written in signed notes.
    pub key: String,
}

/// A price that replaces those of the file and of the built-in list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceOverride {
    /// The model as answers name it.
    pub model: String,
    /// What it costs.
    #[serde(flatten)]
    pub price: ModelPrice,
}

/// A file of prices that replace the built-in list's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PricesFile {
    /// Its name.
    pub file: String,
    /// The day that its prices are of, `YYYY-MM-DD`, where it was said.
    pub date: Option<String>,
    /// Of its text.
    pub digest: Digest,
    /// What it prices. The digest stands for it where configurations are compared in words.
    #[serde(skip)]
    pub list: Arc<PriceList>,
}

/// A configuration that was read without errors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where Lockgate listens.
    pub listen: Listen,
    /// Where state is kept; `None` leaves it to the command line.
    pub data_dir: Option<String>,
    /// A gateway that has not heard of control for this long gives the candidate nothing.
    pub candidate_stale_max_ms: u64,
    /// Calls of agents are refused once the gateway has not heard of control for this long.
    pub snapshot_max_age_ms: u64,
    /// How agents reach the address for their calls; `None`: at the address that they came in at.
    pub egress_url: Option<String>,
    /// Whether tunnels to tools that are asked in their own way are opened.
    pub egress_inspect: bool,
    /// How questions to people about actions are kept.
    pub approvals: ApprovalSettings,
    /// Where certificate authorities (PEM) are that vouch for endpoints and tools beside the web's own.
    pub authorities: Option<SecretRef>,
    /// Whether `/metrics` asks for a token.
    pub metrics_need_token: bool,
    /// How answers of users are taken.
    pub feedback: FeedbackSettings,
    /// How the audit log is kept.
    pub audit: AuditSettings,
    /// Agents, in the file's order.
    pub agents: Vec<Agent>,
    /// Servers with tools, in the file's order.
    pub tools: Vec<Tool>,
    /// Issuers of tokens outside, in the file's order.
    pub issuers: Vec<OutsideIssuer>,
    /// Plans, in the file's order; the built-in one last unless the file defines it.
    pub plans: Vec<Plan>,
    /// Channels, in the file's order.
    pub channels: Vec<Channel>,
    /// Prices, in the file's order.
    pub prices: Vec<PriceOverride>,
    /// Prices from a file.
    pub prices_file: Option<PricesFile>,
    /// Digest of the text, and of the files that it names.
    pub digest: Digest,
    /// What is allowed but should be known.
    #[serde(skip)]
    pub warnings: Diagnostics,
}

impl Config {
    /// The agent called `name`.
    pub fn agent(&self, name: &AgentName) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == *name)
    }

    /// What gateways decide agents' own calls from.
    pub fn egress(&self) -> Egress {
        let snapshot_max_age_ms = self.snapshot_max_age_ms;
        Egress {
            tools: self.tools.clone(),
            snapshot_max_age_ms,
            approvals: self.approvals,
            url: self.egress_url.clone(),
            issuers: self.issuers.clone(),
        }
    }

    /// The plan called `name`.
    pub fn plan(&self, name: &PlanName) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == *name)
    }

    /// The plan called `name` as it holds for an agent: what the agent's own plan asks of its releases before they may
    /// start or go on is asked whichever plan they follow.
    pub fn plan_for(&self, agent: &Agent, name: &PlanName) -> Option<Plan> {
        let mut plan = self.plan(name)?.clone();
        if let Some(own) = self.plan(&agent.plan) {
            plan.path = own.path.or(plan.path);
            plan.drift = match (plan.drift, &own.drift) {
                (Some(asked), Some(own)) => Some(asked.and(own)),
                (asked, own) => asked.or_else(|| own.clone()),
            };
        }
        Some(plan)
    }

    /// The channel called `name`.
    pub fn channel(&self, name: &ChannelName) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == *name)
    }
}

/// Reads a configuration that names no other file.
pub fn read(file_name: &str, text: &str) -> Result<Config, Diagnostics> {
    read_with(file_name, &Source::from(text))
}

/// Reads a configuration whole. `file_name` only appears in messages. All errors are reported at
/// once; warnings are in [`Config::warnings`] and wait until there are no errors.
pub fn read_with(file_name: &str, source: &Source) -> Result<Config, Diagnostics> {
    let parsed = yaml::parse(&source.text);
    let mut found: Vec<Diagnostic> =
        parsed.faults.into_iter().map(|fault| fault.into_diagnostic(file_name)).collect();
    let mut config = None;
    let mut dropped = 0;
    if let Some(root) = parsed.root {
        let json = root.to_json();
        let mut report = report::Report::new(file_name, &root, parsed.spoiled);
        schema::check(&root, &json, &mut report);
        let file = json.is_object().then(|| serde_json::from_value::<file::ConfigFile>(json));
        if let Some(Ok(file)) = file {
            config = lower::config(&file, source, &mut report);
        }
        let (more, more_dropped) = report.finish();
        found.extend(more);
        dropped = more_dropped;
    }
    let is_error = |found: &Diagnostic| found.severity == Severity::Error;
    match config {
        Some(config) if !found.iter().any(is_error) => {
            Ok(Config { warnings: Diagnostics::from(found), ..config })
        }
        _ => {
            found.retain(is_error);
            Err(Diagnostics::with_dropped(found, dropped))
        }
    }
}

/// The same from bytes that may not even be text.
pub fn read_bytes(file_name: &str, bytes: &[u8]) -> Result<Config, Diagnostics> {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(file_name, text),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let fault = yaml::Fault::not_utf8(&good);
            Err(Diagnostics::from(vec![fault.into_diagnostic(file_name)]))
        }
    }
}
