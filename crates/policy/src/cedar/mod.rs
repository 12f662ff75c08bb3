//! The way to Cedar: a schema from what is declared, policies from rules, a request from facts.

pub(crate) mod context;
pub(crate) mod expr;
pub(crate) mod policy;
pub(crate) mod schema;

/// The entity type of agents.
pub(crate) const AGENT: &str = "Agent";
/// The entity type of tools.
pub(crate) const TOOL: &str = "Tool";

/// The id of an action's entity. Names have no `/`, so no two actions share one.
pub(crate) fn action_id(tool: &str, action: &str) -> String {
    format!("{tool}/{action}")
}

/// The id of the group of all actions of a tool.
pub(crate) fn group_id(tool: &str) -> String {
    format!("{tool}/*")
}
