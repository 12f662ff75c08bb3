//! What the policy files declare: tools, their actions, the arguments of those.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::FactType;
use crate::names::{ActionName, ArgumentName, ToolName};

/// All that is declared.
pub type Tools = BTreeMap<ToolName, Tool>;

/// A tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its actions.
    pub actions: BTreeMap<ActionName, Action>,
    /// Where what any of them brings back comes from.
    pub labels: BTreeSet<String>,
}

/// An action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Action {
    /// Its arguments.
    pub arguments: BTreeMap<ArgumentName, Argument>,
    /// Where what it brings back comes from, on top of the tool's own.
    pub labels: BTreeSet<String>,
}

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// What it is.
    pub of: FactType,
    /// Whether it may be left out.
    pub optional: bool,
}
