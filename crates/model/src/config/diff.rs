//! What changed between two configurations.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Config;

/// One change. Things with a name are found by it, whatever their place in the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Such as `agents.support.versions.v2.endpoint`.
    pub path: String,
    /// What was there; `None` when it is new.
    pub from: Option<Value>,
    /// What is there; `None` when it is gone.
    pub to: Option<Value>,
}

/// Everything that differs, in the order of the new file. Comments and layout do not count.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", &tree(old), &tree(new), &mut changes);
    changes
}

fn tree(config: &Config) -> Value {
    let mut value = serde_json::to_value(config)
        .expect("the model's types have string keys and finite numbers");
    if let Some(map) = value.as_object_mut() {
        map.remove("digest");
    }
    keyed(value)
}

/// Turns lists of named things into maps by name.
fn keyed(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, keyed(v))).collect()),
        Value::Array(items) => {
            let keys: Option<Vec<String>> = items.iter().map(key).collect();
            match keys {
                Some(keys) if !keys.is_empty() => {
                    Value::Object(keys.into_iter().zip(items.into_iter().map(keyed)).collect())
                }
                _ => Value::Array(items),
            }
        }
        other => other,
    }
}

fn key(item: &Value) -> Option<String> {
    ["name", "metric", "model"]
        .iter()
        .find_map(|field| item.get(field)?.as_str())
        .map(str::to_owned)
}

fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => compare_maps(path, old, new, changes),
        (old, new) if old == new => {}
        (old, new) => changes.push(Change {
            path: path.to_owned(),
            from: Some(old.clone()),
            to: Some(new.clone()),
        }),
    }
}

fn compare_maps(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    let join = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    for (key, to) in new {
        match old.get(key) {
            Some(from) => compare(&join(key), from, to, changes),
            None => changes.push(Change { path: join(key), from: None, to: Some(to.clone()) }),
        }
    }
    for (key, from) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        changes.push(Change { path: join(key), from: Some(from.clone()), to: None });
    }
}
