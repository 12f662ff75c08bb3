//! A version of an agent as an immutable manifest.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{AgentName, VersionName};

/// SHA-256 of something, written `sha256:` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The digest of a value's canonical JSON (RFC 8785).
    pub fn of_json<T: Serialize>(value: &T) -> Self {
        let bytes = serde_json_canonicalizer::to_vec(value)
            .expect("the model's types have string keys and finite numbers only");
        Self::of(&bytes)
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether running a version changes anything outside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SideEffects {
    /// Answers only; its traffic may be mirrored.
    None,
    /// Writes, sends or pays; the default, as nothing else is known.
    #[default]
    Some,
}

/// A tool whose description a version was tested with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolPin {
    /// The tool's name as the agent sees it.
    pub name: String,
    /// Digest of its description, schemas and server identity.
    pub digest: String,
}

/// What a version is. Its digest is its identity: two manifests that differ in any field are
/// different versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The agent it is a version of.
    pub agent: AgentName,
    /// Its name.
    pub name: VersionName,
    /// Base URL (`http` or `https`) that production traffic is sent to.
    pub endpoint: String,
    /// Base URL of the same version in the test environment.
    pub test_endpoint: Option<String>,
    /// Digest of the container image, or of the code.
    pub image: Option<String>,
    /// The model it calls.
    pub model: Option<String>,
    /// Digest of its prompts.
    pub prompt_digest: Option<String>,
    /// Digest of the policies it was tested with.
    pub policy_digest: Option<String>,
    /// Tools and the digests of their descriptions.
    pub tools: Vec<ToolPin>,
    /// Whether it changes anything outside itself.
    pub side_effects: SideEffects,
    /// The commit that it was built from, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Manifest {
    /// The version's identity: SHA-256 over canonical JSON.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }
}
