//! The file form of what agents reach.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::field::Field;
use crate::config::text::{
    ActionText, CallText, DurationText, HeaderNameText, ModelText, NameText, SecretText, SizeText,
    UrlText,
};
use crate::tool::ToolMode;

/// What a tool's server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ToolProtocol")]
pub(in crate::config) enum Speaks {
    /// Model Context Protocol over streamable HTTP.
    Mcp,
    /// OpenAI's model API, or one that is like it.
    Openai,
    /// Anthropic's model API, or one that is like it.
    Anthropic,
    /// Plain HTTP.
    Http,
    /// Another agent, by A2A.
    A2a,
    /// Something that is decided about here and reached by others, such as an MCP server beside its agent.
    External,
    /// TLS to one host, through Lockgate as a proxy.
    Tunnel,
}

/// Where the host of a tunnel may lead.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Addresses")]
pub(in crate::config) enum AddressesFile {
    /// To the internet.
    Public,
    /// There, to private networks, and to this machine.
    Private,
}

/// Something that agents reach: MCP at `/mcp/NAME` of `listen.egress`, models at `/model/NAME`, HTTP at `/http/NAME`,
/// agents at `/a2a/NAME`; tunnels by `CONNECT`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "ToolServer", extend("required" = ["name"]))]
pub(in crate::config) struct ToolServerFile {
    /// Its name, unique in the file.
    pub(in crate::config) name: Field<NameText>,
    /// Where it is, path included. Only what is external has none.
    pub(in crate::config) url: Field<UrlText>,
    /// What it speaks. Default: mcp.
    pub(in crate::config) protocol: Field<Speaks>,
    /// What it is shown instead of what the agent sends. Default: nothing.
    pub(in crate::config) credential: Field<CredentialFile>,
    /// The longest silence in an answer. Default: 60s, of models, agents, tunnels and what is external 10m.
    pub(in crate::config) timeout: Field<DurationText>,
    /// The models that may be called; `*` at the end is any end. Default: all.
    #[schemars(extend("minItems" = 1, "maxItems" = 256))]
    pub(in crate::config) models: Field<Vec<Field<ModelText>>>,
    /// What may be asked of an HTTP tool.
    #[schemars(extend("minItems" = 1, "maxItems" = 256))]
    pub(in crate::config) operations: Field<Vec<Field<OperationFile>>>,
    /// `shadow` records what its policy says and refuses nothing. Default: enforce.
    pub(in crate::config) mode: Field<ToolMode>,
    /// Actions under way at once, at each gateway. Default: 1024.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) at_once_max: Field<u32>,
    /// When its server is left alone for a while. Default: never.
    pub(in crate::config) breaker: Field<BreakerFile>,
    /// The largest answer. Default: 256MiB.
    pub(in crate::config) answer_max: Field<SizeText>,
    /// The longest that an action may take. Default: as long as its server says something.
    pub(in crate::config) lasts_max: Field<DurationText>,
    /// Where the host of a tunnel may lead. Default: public.
    pub(in crate::config) addresses: Field<AddressesFile>,
    /// Which agent of this file is reached by A2A: it is told who calls. Default: none of them.
    pub(in crate::config) agent: Field<NameText>,
}

/// After so many failures in a row calls are refused for a while, and then one of them tries again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Breaker")]
pub(in crate::config) struct BreakerFile {
    /// Failures in a row: no answer, silence, a status of 5xx, no valid answer. Default: 5.
    #[schemars(range(min = 1, max = 1_000))]
    pub(in crate::config) failures: Field<u32>,
    /// For how long. Default: 30s.
    pub(in crate::config) pause: Field<DurationText>,
}

/// Something that may be asked of an HTTP tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Operation", extend("required" = ["name", "call"]))]
pub(in crate::config) struct OperationFile {
    /// The action's name in policies, unique in the tool.
    pub(in crate::config) name: Field<ActionText>,
    /// Method and path, with `{name}` for what is an argument.
    pub(in crate::config) call: Field<CallText>,
    /// Names that its query may have; they are arguments. Default: none.
    #[schemars(extend("maxItems" = 64))]
    pub(in crate::config) query: Field<Vec<Field<ActionText>>>,
}

/// A header with a secret.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Credential", extend("required" = ["value"]))]
pub(in crate::config) struct CredentialFile {
    /// Its name. Default: authorization, of Anthropic's models x-api-key.
    pub(in crate::config) header: Field<HeaderNameText>,
    /// The whole value, as `env:NAME` or `file:PATH`.
    pub(in crate::config) value: Field<SecretText>,
}
