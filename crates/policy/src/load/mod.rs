//! Policy files to tools, rules and tests. All errors come out at once, each at its place.

pub(crate) mod cases;
pub(crate) mod declared;
pub(crate) mod findings;
pub(crate) mod form;
mod limits;
pub(crate) mod native;
pub(crate) mod rules;
pub(crate) mod when;

use std::collections::HashMap;

use lockgate_model::config::document::{Limits, Node, Place, parse_within};

use crate::names::RuleId;
use crate::tools::Tools;
use findings::{At, Findings};
use form::Form;
use native::Native;

/// The most files of a bundle.
pub const FILES_MAX: usize = 1_000;
/// The most bytes of all files together.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most rules, native policies included.
pub const RULES_MAX: usize = 100_000;

const YAML: Limits = Limits {
    bytes: 32 * 1024 * 1024,
    depth: 40,
    values: 5_000_000,
    when_empty: "a policy file has `tools`, `rules` or `tests`",
};

/// What the files say, before it is compiled.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) tools: Tools,
    pub(crate) declared: Vec<declared::Declared>,
    pub(crate) rules: Vec<rules::Placed>,
    pub(crate) natives: Vec<Native>,
    pub(crate) cases: Vec<cases::Placed>,
}

/// Reads all files. Order does not matter: tools may be declared after the rules about them.
pub(crate) fn read(files: &[(&str, &str)], found: &mut Findings) -> Draft {
    let mut draft = Draft::default();
    let whole = At { file: "", path: "" };
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    if files.len() > FILES_MAX || bytes > BYTES_MAX {
        let message = format!(
            "{} files with {bytes} bytes; at most {FILES_MAX} files with {BYTES_MAX} bytes are read",
            files.len()
        );
        found.error(whole, Place::START, message, String::new());
        return draft;
    }
    let mut trees = Vec::new();
    for (file, text) in files {
        match extension(file) {
            Some("yaml") => trees.extend(tree(file, text, found)),
            Some("cedar") => native::read(file, text, &mut draft.natives, found),
            _ => {
                let message = "a policy file ends in .yaml or .cedar".to_owned();
                found.error(At { file, path: "" }, Place::START, message, "rename it".into());
            }
        }
    }
    let forms: Vec<(&str, Form<'_>)> = trees
        .iter()
        .filter_map(|(file, root)| {
            let fields = &["tools", "rules", "tests"];
            let form = Form::open(root, "a policy file", fields, At { file, path: "" }, found)?;
            Some((*file, form))
        })
        .collect();
    let parts = |field: &'static str| {
        forms.iter().filter_map(move |(file, form)| Some((*file, form.get(field)?)))
    };
    for (file, node) in parts("tools") {
        declared::read(node, file, &mut draft, found);
    }
    for (file, node) in parts("rules") {
        rules::read(node, file, &draft.tools, &mut draft.rules, found);
    }
    for (file, node) in parts("tests") {
        cases::read(node, file, &mut draft.cases, found);
    }
    check_ids(&draft, found);
    draft
}

/// Whether a file's name says that it is in Cedar.
pub(crate) fn is_native(file: &str) -> bool {
    extension(file) == Some("cedar")
}

fn extension(file: &str) -> Option<&str> {
    file.rsplit_once('.').map(|(_, extension)| extension)
}

fn tree<'f>(file: &'f str, text: &str, found: &mut Findings) -> Option<(&'f str, Node)> {
    let parsed = parse_within(text, YAML);
    let broken = !parsed.faults.is_empty();
    for fault in parsed.faults {
        found.add(fault.into_diagnostic(file));
    }
    // What a value that was not taken would have said, nobody knows: no further errors about it.
    parsed.root.filter(|_| !broken).map(|root| (file, root))
}

/// No id twice, no test of a rule that is not there, not too many rules.
fn check_ids(draft: &Draft, found: &mut Findings) {
    let mut first: HashMap<&RuleId, (&str, Place)> = HashMap::new();
    let rules = draft.rules.iter().map(|placed| (&placed.rule, placed.place));
    let natives = draft.natives.iter().map(|native| (&native.rule, native.place));
    for (rule, place) in rules.chain(natives) {
        if let Some((file, at)) = first.get(&rule.id) {
            let message = format!("there are two rules `{}`", rule.id);
            let hint = format!("the first one is in {file}:{}; rename one", at.line);
            found.error(At { file: &rule.file, path: rule.id.as_str() }, place, message, hint);
        } else {
            first.insert(&rule.id, (&rule.file, place));
        }
    }
    let count = draft.rules.len() + draft.natives.len();
    if count > RULES_MAX {
        let message = format!("there are {count} rules; at most {RULES_MAX} are taken");
        found.error(At { file: "", path: "" }, Place::START, message, String::new());
    }
    if found.has_errors() {
        // A rule with an error is not in the draft, and a test that names it is not wrong.
        return;
    }
    for placed in &draft.cases {
        let ids = placed.case.rules.iter().flatten();
        for (id, place) in ids.zip(&placed.rules).filter(|(id, _)| !first.contains_key(id)) {
            let at = At { file: &placed.case.file, path: "tests" };
            found.error(at, *place, format!("there is no rule `{id}`"), String::new());
        }
    }
}
