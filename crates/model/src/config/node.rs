//! A file's structure with the place of every value and every key.

use serde_json::{Map, Number, Value};

use super::place::{Path, Place, Step};

/// A value and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// The number, and how it was written.
    Number(Number, String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Keys in order, each once.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key starts.
    pub key_place: Place,
    /// What stands under it.
    pub value: Node,
}

impl Node {
    /// The same without places.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number, _) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.kind, step) {
            (Kind::List(items), Step::Index(index)) => items.get(*index),
            (Kind::Map(_), Step::Key(key)) => self.entry(key).map(|entry| &entry.value),
            _ => None,
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The node at `path`, or the last one on the way that exists.
    pub(crate) fn nearest(&self, path: &Path) -> &Self {
        let mut node = self;
        for step in path.steps() {
            match node.child(step) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }

    /// Where the value at `path` starts, or the last thing on the way that exists. An empty value
    /// has no place of its own: its key stands for it.
    pub(crate) fn place_of(&self, path: &Path) -> Place {
        let mut node = self;
        let mut place = self.place;
        for step in path.steps() {
            let key_place = match step {
                Step::Key(key) => node.entry(key).map(|entry| entry.key_place),
                Step::Index(_) => None,
            };
            let Some(child) = node.child(step) else { break };
            node = child;
            place = match (&child.kind, key_place) {
                (Kind::Null, Some(key_place)) => key_place,
                _ => child.place,
            };
        }
        place
    }

    /// Where the key at the end of `path` starts.
    pub(crate) fn key_place_of(&self, path: &Path) -> Place {
        let Some((Step::Key(key), parent)) = path.steps().split_last() else {
            return self.place_of(path);
        };
        let parent: Path = parent.iter().cloned().collect();
        let node = self.nearest(&parent);
        node.entry(key).map_or(node.place, |entry| entry.key_place)
    }
}
