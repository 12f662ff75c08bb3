//! Actions in the same repository.

use std::collections::BTreeMap;

use super::super::Step;
use super::Reader;
use super::expression::Value;
use super::job::Around;
use super::scope::Scope;
use crate::tree::join;
use crate::yaml::Node;

/// Actions that use each other.
const DEPTH_MAX: usize = 10;

impl Reader<'_> {
    /// The steps of an action, or why they cannot be read.
    pub(super) fn action(
        &mut self,
        path: &str,
        given: &BTreeMap<String, Value>,
        around: &Around<'_>,
    ) -> Result<Vec<Step>, String> {
        if around.depth >= DEPTH_MAX {
            return Err(format!("actions use each other more than {DEPTH_MAX} times"));
        }
        let path = join("", path).ok_or("the action is outside the repository")?;
        let files = ["action.yml", "action.yaml"];
        let file = files
            .iter()
            .filter_map(|name| join(&path, name))
            .find(|file| self.tree.has(file))
            .ok_or_else(|| format!("the action `./{path}` is not in the repository"))?;
        let root = self.called(&file).ok_or_else(|| format!("{file} cannot be read"))?;
        if root.at(&["runs", "using"]).and_then(Node::text) != Some("composite") {
            return Err(format!("the action `./{path}` is a program"));
        }
        let mut inputs = BTreeMap::new();
        for entry in root.get("inputs").map(Node::entries).unwrap_or_default() {
            let default = entry.value.get("default").and_then(Node::text);
            inputs.insert(entry.key.clone(), Value::Text(default.unwrap_or_default().to_owned()));
        }
        inputs.extend(given.clone());
        let scope = Scope { inputs: Some(inputs), ..around.scope.clone() };
        let inner = Around {
            file: &file,
            scope: &scope,
            defaults: [None, None],
            depth: around.depth + 1,
            ..*around
        };
        Ok(self.steps(root.at(&["runs", "steps"]), &inner))
    }
}
