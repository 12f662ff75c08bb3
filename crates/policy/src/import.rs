//! Policies of the Agent Governance Toolkit as rules: its `governance.toolkit/v1` files and the older `PolicyDocument`.
//!
//! What comes out is never weaker than what the files say. What cannot be carried over exactly or more strictly is
//! refused at its place, and each difference that is left is told.

mod emit;
mod expr;
mod fields;
mod foreign;
mod grammar;

use std::collections::BTreeMap;

use lockgate_model::config::Diagnostics;
use lockgate_model::config::document::{Limits, Place, parse_within};

use crate::bundle::Bundle;
use crate::load::findings::{At, Findings};
use crate::names::{ActionName, ArgumentName, ToolName};
use fields::Fields;
use foreign::Foreign;

/// The most files that are imported together.
pub const IMPORT_FILES_MAX: usize = 100;

const FILE: Limits = Limits {
    bytes: 4 * 1024 * 1024,
    depth: 24,
    values: 200_000,
    when_empty: "a policy has `name` and `rules`",
};

/// What the files do not say.
#[derive(Debug, Clone)]
pub struct Importing {
    /// The tool that their actions are actions of.
    pub tool: ToolName,
    /// Actions besides those that conditions name.
    pub actions: Vec<ActionName>,
    /// Which fields of theirs are arguments of the action, and of which name.
    pub arguments: BTreeMap<String, ArgumentName>,
}

/// A file of rules, and how it differs from what was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// A policy file.
    pub yaml: String,
    /// Every difference in meaning, each at its place in the files.
    pub differences: Diagnostics,
}

/// Imports files, given as name and text.
pub fn import(files: &[(&str, &str)], importing: &Importing) -> Result<Imported, Diagnostics> {
    let mut found = Findings::default();
    let mut fields = Fields::new(importing);
    let mut read: Vec<Foreign> = Vec::new();
    if files.len() > IMPORT_FILES_MAX {
        let message = format!("at most {IMPORT_FILES_MAX} files are imported together");
        found.error(At { file: "", path: "" }, Place::START, message, String::new());
    }
    for (file, text) in files.iter().take(IMPORT_FILES_MAX) {
        let parsed = parse_within(text, FILE);
        let broken = !parsed.faults.is_empty();
        for fault in parsed.faults {
            found.add(fault.into_diagnostic(file));
        }
        if let Some(root) = parsed.root.filter(|_| !broken) {
            read.extend(foreign::read(&root, file, &mut fields, &mut found));
        }
    }
    same_default(&read, &mut found);
    let yaml =
        if found.has_errors() { None } else { emit::emit(&read, &fields, importing, &mut found) };
    if let Some(yaml) = &yaml {
        // What is written must be read again: if not, nothing is.
        if let Err(errors) = Bundle::load(&[("imported.yaml", yaml)]) {
            errors.iter().cloned().for_each(|error| found.add(error));
        }
    }
    let differences = found.finish()?;
    yaml.map(|yaml| Imported { yaml, differences }).ok_or_else(Diagnostics::default)
}

/// There, the file that is loaded first says what is done without a rule. Here, order says nothing.
fn same_default(read: &[Foreign], found: &mut Findings) {
    let Some((first, others)) = read.split_first() else { return };
    for other in others.iter().filter(|other| other.allows_by_default != first.allows_by_default) {
        let word = |foreign: &Foreign| if foreign.allows_by_default { "allow" } else { "deny" };
        let message = format!(
            "without a rule this file says {} and {} says {}: there, the one that is loaded first decides",
            word(other),
            first.file,
            word(first)
        );
        let hint = "say the same in both, or import each alone".to_owned();
        found.error(At { file: &other.file, path: "" }, other.default_place, message, hint);
    }
}
