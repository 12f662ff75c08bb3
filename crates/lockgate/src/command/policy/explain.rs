//! `lockgate policy explain DIR --request FILE`

use std::path::PathBuf;

use clap::Args;
use lockgate_policy::{Decision, Explained, Explanation, Traced, Truth};
use serde_json::Value;

use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::policy_files;

/// Says why a request would be decided as it would.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The directory of policy files
    directory: PathBuf,
    /// The request, a JSON file
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
}

impl Explain {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let bundle = policy_files::read(&self.directory)?;
        let asked = super::request(&self.request)?;
        let circumstances = asked.circumstances();
        let explanation = bundle.explain(&asked.request(&circumstances));
        match format {
            Format::Json => output::print_json(&explanation)?,
            Format::Text => output::print(&told(&explanation))?,
        }
        Ok(Exit::Done)
    }
}

/// The facts of a decision by name, each as it is printed.
pub(super) fn facts(decision: &Decision) -> Vec<(String, String)> {
    let facts = serde_json::to_value(&decision.facts).unwrap_or_default();
    let facts = facts.as_object().cloned().unwrap_or_default();
    facts.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
}

/// The longest value that is printed, in characters.
const SHOWN_MAX: usize = 200;

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "left out".to_owned(),
        Value::Object(unknown) => {
            format!("unknown, {}", unknown.get("unknown").and_then(Value::as_str).unwrap_or("?"))
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn told(explanation: &Explanation) -> String {
    let decision = &explanation.decision;
    let mut lines = vec![format!("{}: {}", decision.verdict.as_str(), decision.why())];
    if let Some(message) = &decision.message {
        lines.push(format!("message: {message}"));
    }
    if !decision.unknown.is_empty() {
        lines.push(format!("unknown: {}", decision.unknown.join(", ")));
    }
    lines.push("\nfacts".to_owned());
    lines.extend(facts(decision).iter().map(|(name, value)| format!("  {name}: {value}")));
    for rule in &explanation.rules {
        lines.push(of_rule(rule));
    }
    if explanation.others > 0 {
        lines.push(format!(
            "\n{} more rules are about this action; none matched",
            explanation.others
        ));
    }
    lines.join("\n")
}

fn of_rule(rule: &Explained) -> String {
    let matched = match (rule.matched, rule.truth) {
        (true, Some(Truth::Unknown)) => "matched, since a fact is unknown",
        (true, _) => "matched",
        (false, Some(Truth::Unknown)) => "did not match, since a fact is unknown",
        (false, _) => "did not match",
    };
    let place = format!("{}:{}", rule.file, rule.line);
    let mut lines = vec![format!("\n{} ({}, {place}) {matched}", rule.id, rule.effect)];
    if let Some(agents) = &rule.only_for {
        lines.push(format!("  ✗ only for {}", agents.join(", ")));
    }
    if let Some(when) = &rule.when {
        clauses(when, 1, &mut lines);
    }
    lines.extend(rule.cedar.lines().map(|line| format!("  | {line}")));
    lines.join("\n")
}

fn clauses(traced: &Traced, depth: usize, lines: &mut Vec<String>) {
    let mark = match traced.truth {
        Truth::True => "✓",
        Truth::False => "✗",
        Truth::Unknown => "?",
    };
    let value = traced.value.as_ref().map(|value| format!("   is {}", shown(value)));
    let indent = "  ".repeat(depth);
    lines.push(format!("{indent}{mark} {}{}", traced.text, value.unwrap_or_default()));
    for part in &traced.parts {
        clauses(part, depth + 1, lines);
    }
}
