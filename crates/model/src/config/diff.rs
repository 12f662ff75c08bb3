//! What changed between two configurations.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::{AuditDurability, AuditSettings, Config};
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

/// Fields that differ and that a running server goes on with as they were, by their names in the
/// file: they take effect at its next start.
pub fn at_next_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let fields = [
        ("listen.ingress", old.listen.ingress != new.listen.ingress),
        ("listen.egress", old.listen.egress != new.listen.egress),
        ("listen.egress_inspect", old.egress_inspect != new.egress_inspect),
        ("listen.api", old.listen.api != new.listen.api),
        ("authorities", old.authorities != new.authorities),
        ("data_dir", old.data_dir != new.data_dir),
        ("metrics_need_token", old.metrics_need_token != new.metrics_need_token),
        ("feedback.ticket_ttl", old.feedback != new.feedback),
        ("audit.durability", old.audit.durability != new.audit.durability),
        ("audit.mirror", old.audit.mirror != new.audit.mirror),
        ("audit.retention", old.audit.retention_ms != new.audit.retention_ms),
        ("audit.witnesses", old.audit.witnesses != new.audit.witnesses),
        ("audit.cosignatures_min", old.audit.cosignatures_min != new.audit.cosignatures_min),
        ("prices", old.prices != new.prices),
        ("prices_file", old.prices_file != new.prices_file),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Where the new file looks at security events less closely than the old one, or keeps the audit log less well, in
/// words. Everything else that a change may loosen shows in its numbers; this shows only in what is not there.
pub fn weakened(old: &Config, new: &Config) -> Vec<String> {
    let mut found = audit_weakened(&old.audit, &new.audit);
    for plan in &new.plans {
        let Some(before) = old.plan(&plan.name) else { continue };
        if let Some(path) = before.path.filter(|path| plan.path != Some(*path)) {
            found.push(format!("plan `{}` no longer asks for the path `{path}`", plan.name));
        }
        for stage in &plan.stages {
            let same = before.stages.iter().find(|one| one.name == stage.name);
            if same.is_some_and(asks_for_security) && !asks_for_security(stage) {
                found.push(format!(
                    "stage `{}` of plan `{}` no longer asks for `security_events`",
                    stage.name, plan.name
                ));
            }
        }
        found.extend(drift_weakened(before, plan));
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

/// Where records are kept less long, or fewer others vouch for them.
fn audit_weakened(old: &AuditSettings, new: &AuditSettings) -> Vec<String> {
    let mut found = Vec::new();
    if (old.durability, new.durability) == (AuditDurability::Power, AuditDurability::Process) {
        found.push("records of the audit log are lost with the power".into());
    }
    match (old.retention_ms, new.retention_ms) {
        (None, Some(kept)) => {
            found.push(format!("records of the audit log go after {}", span(kept)));
        }
        (Some(was), Some(kept)) if kept < was => {
            let (was, kept) = (span(was), span(kept));
            found.push(format!("records of the audit log go after {kept}, and not after {was}"));
        }
        _ => {}
    }
    match (&old.mirror, &new.mirror) {
        (Some(_), None) => found.push("the audit log is no longer copied to a mirror".into()),
        (Some(was), Some(is)) if was != is => {
            found.push("the audit log is copied to another mirror".into());
        }
        _ => {}
    }
    let gone = old.witnesses.iter().filter(|was| new.witnesses.iter().all(|is| is.key != was.key));
    found.extend(
        gone.map(|witness| {
            format!("`{}` is no longer asked to witness the audit log", witness.name)
        }),
    );
    let (was, is) = (old.cosignatures_min, new.cosignatures_min);
    if is < was {
        found.push(format!(
            "a record of the audit log counts as anchored when {is} witnesses vouch for it, and not {was}"
        ));
    }
    found
}

/// A length of time in words.
fn span(ms: u64) -> String {
    const HOUR_MS: u64 = 3_600_000;
    let hours = ms / HOUR_MS;
    if hours.is_multiple_of(24) { format!("{} days", hours / 24) } else { format!("{hours} hours") }
}

/// Where less must be known of drift than before.
fn drift_weakened(old: &Plan, new: &Plan) -> Option<String> {
    let (was, name) = (old.drift.as_ref()?, &new.name);
    let Some(is) = &new.drift else {
        return Some(format!("plan `{name}` no longer asks whether there is drift"));
    };
    if is.covers(was) {
        return None;
    }
    let gone = was.of.iter().find(|source| !is.of.contains(source));
    let how = match gone {
        Some(source) => format!("no longer asks `{source}` whether there is drift"),
        None => "takes older results about drift".into(),
    };
    Some(format!("plan `{name}` {how}"))
}

fn asks_for_security(stage: &Stage) -> bool {
    stage.gates.iter().any(|gate| gate.metric == Metric::SecurityEvents && !gate.dry_run)
}

fn security_trigger(plan: &Plan) -> Option<&Trigger> {
    plan.triggers.iter().find(|trigger| trigger.metric == Metric::SecurityEvents)
}

/// What a configuration means, as JSON.
pub(super) fn tree(config: &Config) -> Value {
    let mut value = serde_json::to_value(config)
        .expect("the model's types have string keys and finite numbers");
    if let Some(map) = value.as_object_mut() {
        map.remove("digest");
    }
    value
}

/// The parts of a value by name: those of a map, and those of a list in which each has one.
pub(super) fn parts(value: &Value) -> Option<Vec<(String, &Value)>> {
    let items = match value {
        Value::Object(map) => return Some(map.iter().map(|(k, v)| (k.clone(), v)).collect()),
        Value::Array(items) => items,
        _ => return None,
    };
    let mut taken = HashSet::new();
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        let name = name(item)?;
        // Nothing may hide behind another of the same name.
        let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}#{n}")));
        let free = names.into_iter().find(|name| !taken.contains(name))?;
        taken.insert(free.clone());
        parts.push((free, item));
    }
    Some(parts)
}

fn name(item: &Value) -> Option<String> {
    // Two triggers look at errors: they must not stand for each other.
    if item.pointer("/bound/above_baseline_by").is_some() && item["metric"] == "error_rate" {
        return Some("errors_vs_baseline".into());
    }
    let named = ["name", "metric", "model"].iter().find_map(|field| item.get(field)?.as_str());
    // A stage of a file need not have a name; its weight is its own.
    named.map(str::to_owned).or_else(|| match item.get("weight")? {
        Value::String(weight) => Some(format!("{}%", weight.trim_end_matches('%').trim())),
        weight => Some(format!("{weight}%")),
    })
}

/// The path of a part.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Adds what differs between two values at a path.
pub(super) fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old.is_array() == new.is_array()).then(|| (parts(old), parts(new))) {
        Some((Some(old), Some(new))) => compare_parts(path, &old, &new, changes),
        _ => changes.push(Change {
            path: path.to_owned(),
            from: Some(old.clone()),
            to: Some(new.clone()),
        }),
    }
}

fn compare_parts(
    path: &str,
    old: &[(String, &Value)],
    new: &[(String, &Value)],
    changes: &mut Vec<Change>,
) {
    let before: HashMap<&str, &Value> =
        old.iter().map(|(name, part)| (name.as_str(), *part)).collect();
    for (name, to) in new {
        match before.get(name.as_str()) {
            Some(from) => compare(&join(path, name), from, to, changes),
            None => {
                changes.push(Change {
                    path: join(path, name),
                    from: None,
                    to: Some((*to).clone()),
                });
            }
        }
    }
    let kept: HashSet<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    for (name, from) in old.iter().filter(|(name, _)| !kept.contains(name.as_str())) {
        changes.push(Change { path: join(path, name), from: Some((*from).clone()), to: None });
    }
}
