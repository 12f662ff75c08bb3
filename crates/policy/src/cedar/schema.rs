//! The Cedar schema of declared tools: what a policy may look at, action by action.
//!
//! An argument's record has an attribute for each fact that could be decided. So a fact that is unknown is
//! an attribute that is not there, and strict validation makes every policy ask before it looks.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{AGENT, TOOL, action_id, group_id};
use crate::circumstances::{CIRCUMSTANCES, GROUPS};
use crate::facts::Kind;
use crate::names::{ActionName, ToolName};
use crate::tools::{Action, Tool, Tools};

/// The schema of these tools, in Cedar's JSON form.
pub(crate) fn schema<'a>(tools: impl Iterator<Item = (&'a ToolName, &'a Tool)>) -> Value {
    let mut actions = Map::new();
    for (name, tool) in tools {
        let group = group_id(name.as_str());
        for (action, declared) in &tool.actions {
            let value = json!({
                "memberOf": [{ "id": group }],
                "appliesTo": {
                    "principalTypes": [AGENT],
                    "resourceTypes": [TOOL],
                    "context": context(declared),
                },
            });
            actions.insert(action_id(name.as_str(), action.as_str()), value);
        }
        actions.insert(group, json!({}));
    }
    let groups: Map<String, Value> =
        GROUPS.iter().map(|group| (common(group), record(group_facts(group)))).collect();
    json!({ "": {
        "commonTypes": groups,
        "entityTypes": { AGENT: {}, TOOL: {} },
        "actions": actions,
    }})
}

/// The schema of a tool that has one action without arguments: what is common to all.
pub(crate) fn any_tool() -> Value {
    let any = ToolName::new("any").into_iter().zip(ActionName::new("any"));
    let tools: Tools = any
        .map(|(tool, action)| {
            let actions = BTreeMap::from([(action, Action::default())]);
            (tool, Tool { actions, ..Tool::default() })
        })
        .collect();
    schema(tools.iter())
}

fn context(action: &Action) -> Value {
    let arguments: Map<String, Value> = action
        .arguments
        .iter()
        .map(|(name, argument)| {
            let mut of = record(argument.of.facts().iter().copied());
            of["required"] = json!(!argument.optional);
            (name.as_str().to_owned(), of)
        })
        .collect();
    let mut attributes = Map::new();
    attributes.insert("arguments".into(), json!({ "type": "Record", "attributes": arguments }));
    attributes
        .extend(GROUPS.iter().map(|group| ((*group).to_owned(), json!({ "type": common(group) }))));
    json!({ "type": "Record", "attributes": attributes })
}

fn group_facts(group: &str) -> impl Iterator<Item = (&'static str, Kind)> {
    CIRCUMSTANCES.iter().filter(move |one| one.group == group).map(|one| (one.name, one.kind))
}

/// The name of a group's type, which stands beside `Agent` and must not be it.
fn common(group: &str) -> String {
    format!("Of_{group}")
}

/// A record of facts, none of which is sure to be there.
fn record(facts: impl Iterator<Item = (&'static str, Kind)>) -> Value {
    let attributes: Map<String, Value> = facts
        .map(|(name, kind)| {
            let mut of = match kind {
                Kind::Bool => json!({ "type": "Boolean" }),
                Kind::Long => json!({ "type": "Long" }),
                Kind::Text => json!({ "type": "String" }),
                Kind::Texts => json!({ "type": "Set", "element": { "type": "String" } }),
            };
            of["required"] = json!(false);
            (name.to_owned(), of)
        })
        .collect();
    json!({ "type": "Record", "attributes": attributes })
}
