//! Tools that agents reach through Lockgate, as configuration defines them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::SecretRef;
use crate::ids::ToolName;

/// What a tool's server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolProtocol {
    /// Model Context Protocol over streamable HTTP.
    Mcp,
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
    /// Where it is (`http` or `https`), path included.
    pub url: String,
    /// What it speaks.
    pub protocol: ToolProtocol,
    /// What it is to be shown; `None` for nothing.
    pub credential: Option<Credential>,
    /// The longest silence in an answer, from the request on.
    pub timeout_ms: u64,
}
