//! What changed between two configurations.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Config;
use crate::plan::{Metric, Plan, Stage, Trigger};

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

/// Where the new file looks at security events less closely than the old one, in words. Everything
/// else that a change may loosen shows in its numbers; this shows only in what is not there.
pub fn weakened(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for plan in &new.plans {
        let Some(before) = old.plan(&plan.name) else { continue };
        for stage in &plan.stages {
            let same = before.stages.iter().find(|one| one.name == stage.name);
            if same.is_some_and(asks_for_security) && !asks_for_security(stage) {
                found.push(format!(
                    "stage `{}` of plan `{}` no longer asks for `security_events`",
                    stage.name, plan.name
                ));
            }
        }
        if let (Some(was), Some(is)) = (security_trigger(before), security_trigger(plan)) {
            let softer = [
                (is.dry_run && !was.dry_run, "only watches"),
                (
                    is.bound != was.bound && is.bound.is_relative(),
                    "spares events that stable shows too",
                ),
                (is.action < was.action, "acts more softly"),
            ];
            found.extend(softer.iter().filter(|(is_so, _)| *is_so).map(|(_, how)| {
                format!("the trigger on `security_events` of plan `{}` now {how}", plan.name)
            }));
        }
    }
    found
}

fn asks_for_security(stage: &Stage) -> bool {
    stage.gates.iter().any(|gate| gate.metric == Metric::SecurityEvents && !gate.dry_run)
}

fn security_trigger(plan: &Plan) -> Option<&Trigger> {
    plan.triggers.iter().find(|trigger| trigger.metric == Metric::SecurityEvents)
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
                    let mut map = Map::new();
                    for (key, item) in keys.into_iter().zip(items) {
                        // Nothing may hide behind another of the same key.
                        let taken = map.keys().filter(|other| other.starts_with(&key)).count();
                        let free = !map.contains_key(&key);
                        let key = if free { key } else { format!("{key}#{}", taken + 1) };
                        map.insert(key, keyed(item));
                    }
                    Value::Object(map)
                }
                _ => Value::Array(items),
            }
        }
        other => other,
    }
}

fn key(item: &Value) -> Option<String> {
    // Two triggers look at errors: they must not stand for each other.
    if item.pointer("/bound/above_baseline_by").is_some() && item["metric"] == "error_rate" {
        return Some("errors_vs_baseline".into());
    }
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
