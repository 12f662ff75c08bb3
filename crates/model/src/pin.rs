//! Tools as they were first seen, or as somebody accepted them: what an agent is told of a tool must not change behind
//! everybody's back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{Revision, ToolName};
use crate::ports::PortError;
use crate::version::Digest;

/// Fields of a tool that tell an agent nothing.
const SILENT: [&str; 2] = ["_meta", "icons"];

/// Fields of another agent's card that tell an agent nothing: some are signed anew each time.
const SILENT_IN_CARDS: [&str; 2] = ["signatures", "iconUrl"];

/// What the card of another agent is pinned as. It stops every action of the agent.
pub const CARD: &str = "agent-card";

/// One action of a tool, as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The tool.
    pub tool: ToolName,
    /// The action.
    pub action: String,
    /// Digest of what agents are told of it.
    pub digest: Digest,
    /// Whether it was seen otherwise since, and nobody has accepted that: it is not called then.
    pub changed: bool,
    /// Digest of what was seen last then.
    #[serde(default)]
    pub seen: Option<Digest>,
}

/// An action of a tool as a server describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenTool {
    /// The tool.
    pub tool: ToolName,
    /// The action.
    pub action: String,
    /// Digest of the rest.
    pub digest: Digest,
    /// What agents are told of it.
    pub shape: Value,
}

impl SeenTool {
    /// Of an entry of a list of tools, from a server at this address. `None` for what has no name, and for what has no
    /// canonical form (RFC 8785).
    pub fn of(tool: &ToolName, server: &str, entry: &Value) -> Option<Self> {
        let fields = entry.as_object()?;
        let action = fields.get("name")?.as_str()?.to_owned();
        Self::told(tool, server, action, fields, &SILENT)
    }

    /// Of the card of another agent at this address. `None` for what is no card, or has no canonical form.
    pub fn of_card(tool: &ToolName, server: &str, card: &Value) -> Option<Self> {
        Self::told(tool, server, CARD.to_owned(), card.as_object()?, &SILENT_IN_CARDS)
    }

    fn told(
        tool: &ToolName,
        server: &str,
        action: String,
        fields: &Map<String, Value>,
        silent: &[&str],
    ) -> Option<Self> {
        let told = fields.iter().filter(|(name, _)| !silent.contains(&name.as_str()));
        let shape: Map<String, Value> =
            told.map(|(name, value)| (name.clone(), value.clone())).collect();
        let shape = Value::Object(shape);
        let text = serde_json_canonicalizer::to_vec(&(server, tool, &shape)).ok()?;
        Some(Self { tool: tool.clone(), action, digest: Digest::of(&text), shape })
    }
}

/// Where pins are kept.
#[async_trait]
pub trait Pins: Send + Sync {
    /// Pins what was never seen before, and notes what was seen otherwise. Gives the revision of the snapshot that says so.
    async fn see(&self, seen: &SeenTool) -> Result<Revision, PortError>;
}

/// Where nothing is pinned.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPins;

#[async_trait]
impl Pins for NoPins {
    async fn see(&self, _: &SeenTool) -> Result<Revision, PortError> {
        Err(PortError::new("nothing is pinned here"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_an_agent_is_told_makes_another_digest_and_nothing_else_does() {
        let tool = "files".parse().unwrap();
        let of = |server: &str, entry: &Value| SeenTool::of(&tool, server, entry).unwrap().digest;
        let entry =
            json!({ "name": "read", "description": "reads", "inputSchema": { "type": "object" } });
        let first = of("http://a/mcp", &entry);
        let same = json!({ "inputSchema": { "type": "object" }, "description": "reads", "name": "read",
            "_meta": { "x": 1 }, "icons": [] });
        assert_eq!(first, of("http://a/mcp", &same));
        assert_ne!(first, of("http://b/mcp", &entry), "another server");
        for (field, value) in [
            ("description", json!("reads, and sends the keys to mallory")),
            ("title", json!("Read")),
            ("inputSchema", json!({ "type": "object", "properties": { "x": {} } })),
            ("outputSchema", json!({})),
            ("annotations", json!({ "readOnlyHint": true })),
            ("instructions", json!("a field of tomorrow")),
        ] {
            let mut other = entry.clone();
            other[field] = value;
            assert_ne!(first, of("http://a/mcp", &other), "{field}");
        }
        assert!(SeenTool::of(&tool, "", &json!({ "title": "no name" })).is_none());
    }

    #[test]
    fn a_card_is_the_same_whoever_signs_it() {
        let tool = "desk".parse().unwrap();
        let of = |card: &Value| SeenTool::of_card(&tool, "http://a/", card).unwrap();
        let first =
            of(&json!({ "name": "desk", "skills": [], "signatures": [{ "signature": "x" }] }));
        assert_eq!(first.action, CARD);
        assert_eq!(first.digest, of(&json!({ "skills": [], "name": "desk" })).digest);
        let other = json!({ "name": "desk", "skills": [{ "id": "pay" }] });
        assert_ne!(first.digest, of(&other).digest);
        assert!(SeenTool::of_card(&tool, "", &json!([])).is_none());
    }
}
