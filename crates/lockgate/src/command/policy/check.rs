//! `lockgate policy check DIR`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use lockgate_model::config::Diagnostic;
use lockgate_policy::{Bundle, Effect};
use serde_json::json;

use crate::error::{CliResult, Exit};
use crate::output::{self, Format};
use crate::policy_files::{self, Unusable};

/// Checks policies without a server.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The directory of policy files
    directory: PathBuf,
}

impl Check {
    pub(crate) fn run(self, format: Format) -> CliResult {
        if format == Format::Text {
            let bundle = policy_files::read(&self.directory)?;
            output::print(&summary(&self.directory, &bundle))?;
            return Ok(Exit::Done);
        }
        let loaded = policy_files::load(&self.directory);
        let (bundle, found) = match loaded {
            Ok(bundle) => {
                let warnings: Vec<Diagnostic> = bundle.warnings.iter().cloned().collect();
                (Some(bundle), warnings)
            }
            Err(Unusable::Invalid(errors)) => (None, errors.iter().cloned().collect()),
            Err(Unusable::Unreadable(error)) => return Err(error),
        };
        output::print_json(&json!({
            "directory": self.directory.display().to_string(),
            "valid": bundle.is_some(),
            "digest": bundle.as_ref().map(|bundle| bundle.digest.as_str()),
            "tools": bundle.as_ref().map(tools),
            "rules": bundle.as_ref().map(rules),
            "tests": bundle.as_ref().map(|bundle| bundle.cases.len()),
            "diagnostics": found,
        }))?;
        Ok(if bundle.is_some() { Exit::Done } else { Exit::Usage })
    }
}

fn tools(bundle: &Bundle) -> serde_json::Value {
    let of_tool = |tool: &lockgate_policy::Tool| -> serde_json::Value {
        let actions = tool.actions.iter().map(|(name, action)| {
            let arguments = action.arguments.iter().map(|(name, argument)| {
                let of = json!({ "type": argument.of.name(), "optional": argument.optional });
                (name.to_string(), of)
            });
            (name.to_string(), arguments.collect::<serde_json::Value>())
        });
        actions.collect()
    };
    bundle.tools.iter().map(|(name, tool)| (name.to_string(), of_tool(tool))).collect()
}

fn rules(bundle: &Bundle) -> Vec<serde_json::Value> {
    let of_rule = |rule: &lockgate_policy::Rule| {
        json!({
            "id": rule.id,
            "effect": rule.effect,
            "risk": rule.risk,
            "security_event": rule.security_event,
            "file": rule.file,
            "line": rule.line,
        })
    };
    bundle.rules.iter().map(of_rule).collect()
}

fn summary(directory: &Path, bundle: &Bundle) -> String {
    let head = format!(
        "{} is valid: tools {}, rules {}, tests {}",
        directory.display(),
        bundle.tools.len(),
        bundle.rules.len(),
        bundle.cases.len(),
    );
    let tools: Vec<Vec<String>> = bundle
        .tools
        .iter()
        .map(|(name, tool)| {
            let actions: Vec<&str> =
                tool.actions.keys().map(lockgate_policy::ActionName::as_str).collect();
            vec![name.to_string(), actions.join(", ")]
        })
        .collect();
    let mut by_risk: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for rule in &bundle.rules {
        let risk = rule.risk.map_or("none named".to_owned(), |risk| risk.to_string());
        let column = Effect::ALL.iter().position(|(_, effect)| *effect == rule.effect);
        if let Some(n) = column.and_then(|column| by_risk.entry(risk).or_default().get_mut(column))
        {
            *n += 1;
        }
    }
    let rows: Vec<Vec<String>> = by_risk
        .into_iter()
        .map(|(risk, counts)| [risk].into_iter().chain(counts.map(output::count)).collect())
        .collect();
    let mut parts = vec![head];
    if !tools.is_empty() {
        parts.push(output::table(&["tool", "actions"], &tools));
    }
    if !rows.is_empty() {
        parts.push(output::table(&["risk", "allow", "deny", "ask", "limit"], &rows));
    }
    parts.join("\n\n")
}
