//! What changed between two files, in the words of the files.

use serde_json::Value;

use super::diff::{Change, compare, join, parts, tree};
use super::{Config, yaml};

/// A configuration and the text that it was read from.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What it means.
    pub config: &'a Config,
    /// What it says.
    pub text: &'a str,
}

/// Everything that differs, in the order of the new file, as the files say it: with their names,
/// their units, and without what they leave to defaults. The same in other words is no change.
/// What differs in meaning alone, such as probes in a file beside it, is told as [`super::diff`]
/// tells it.
pub fn diff_in_words(old: Told<'_>, new: Told<'_>) -> Vec<Change> {
    let [meant_old, meant_new] = [old, new].map(|told| tree(told.config));
    let [said_old, said_new] = [old, new]
        .map(|told| yaml::parse(told.text).root.map(|root| root.to_json()).unwrap_or_default());
    let mut changes = Vec::new();
    for thing in things(&meant_new, &meant_old) {
        let (mut meant, mut said) = (Vec::new(), Vec::new());
        differ(&thing, &meant_old, &meant_new, &mut meant);
        if !meant.is_empty() {
            differ(&thing, &said_old, &said_new, &mut said);
        }
        changes.extend(if said.is_empty() { meant } else { said });
    }
    changes
}

/// What is looked at as one: an agent, a plan, a setting.
struct Thing {
    key: String,
    /// Of one in a list.
    name: Option<String>,
}

impl Thing {
    fn path(&self) -> String {
        self.name.as_ref().map_or_else(|| self.key.clone(), |name| join(&self.key, name))
    }

    /// Where it stands in a tree, whose names of settings may carry a unit.
    fn within<'v>(&self, tree: &'v Value) -> Option<&'v Value> {
        let value = tree.get(&self.key).or_else(|| tree.get(format!("{}_ms", self.key)))?;
        let Some(name) = &self.name else { return Some(value) };
        parts(value)?.into_iter().find(|(known, _)| known == name).map(|(_, part)| part)
    }
}

/// Everything in either tree, in the order of the first.
fn things(first: &Value, second: &Value) -> Vec<Thing> {
    let mut things: Vec<Thing> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let keys = first.as_object().into_iter().flat_map(|map| map.keys());
    for key in keys {
        let bare = key.strip_suffix("_ms").unwrap_or(key);
        let [first, second] = [first, second].map(|tree| tree.get(key));
        let listed = first.is_some_and(Value::is_array);
        let names = [first, second].into_iter().flatten().filter_map(parts).flatten();
        let names: Vec<Option<String>> =
            if listed { names.map(|(name, _)| Some(name)).collect() } else { vec![None] };
        for name in names {
            let thing = Thing { key: bare.to_owned(), name };
            if seen.insert(thing.path()) {
                things.push(thing);
            }
        }
    }
    things
}

fn differ(thing: &Thing, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let path = thing.path();
    match (thing.within(old), thing.within(new)) {
        (Some(old), Some(new)) => compare(&path, old, new, changes),
        (None, None) => {}
        (from, to) => changes.push(Change { path, from: from.cloned(), to: to.cloned() }),
    }
}
