//! Tools that agents reach through Lockgate, as configuration defines them.

use serde::{Deserialize, Serialize};

use crate::config::SecretRef;
use crate::ids::ToolName;
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
    /// Whatever it is, somebody else speaks it: actions are decided and recorded here, and nothing is forwarded.
    External,
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
    }
}
