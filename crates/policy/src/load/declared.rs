//! `tools`: which tools there are, their actions, and what their arguments are.

use std::collections::BTreeSet;

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Entry, Kind, Node, Place};

use super::Draft;
use super::findings::{At, Findings, words};
use super::form::{self, Form};
use crate::facts::FactType;
use crate::names::{ActionName, ArgumentName, NAME_BYTES_MAX, ToolName};
use crate::tools::{Action, Argument, Tool};

/// The most arguments of an action. A decision counts them in one machine word.
pub(crate) const ARGUMENTS_MAX: usize = 64;
/// The most labels of a tool or an action.
const LABELS_MAX: usize = 16;
/// The most actions of all tools.
pub(crate) const ACTIONS_MAX: usize = 200_000;

/// Where an action is declared.
pub(crate) struct Declared {
    pub(crate) tool: ToolName,
    pub(crate) action: ActionName,
    pub(crate) file: String,
    pub(crate) place: Place,
}

/// Reads `tools` of one file into what others declared.
pub(crate) fn read(node: &Node, file: &str, draft: &mut Draft, found: &mut Findings) {
    let at = At { file, path: "tools" };
    for entry in form::map(node, "`tools`", at, found).unwrap_or_default() {
        let path = format!("tools.{}", entry.key);
        let at = At { file, path: &path };
        let Some(name) = named(entry, "a tool", ToolName::new, at, found) else { continue };
        let places = &mut draft.declared;
        let tool = tool(&entry.value, at, found, &mut |action, place| {
            let file = file.to_owned();
            places.push(Declared { tool: name.clone(), action, file, place });
        });
        if draft.tools.insert(name, tool).is_some() {
            let message = format!("the tool `{}` is declared twice", entry.key);
            found.error(
                at,
                entry.key_place,
                message,
                "declare all its actions in one place".into(),
            );
        }
    }
    let actions: usize = draft.tools.values().map(|tool| tool.actions.len()).sum();
    if actions > ACTIONS_MAX {
        let message = format!("more than {ACTIONS_MAX} actions are declared");
        found.error(at, node.place, message, String::new());
    }
}

fn named<N>(
    entry: &Entry,
    what: &str,
    new: fn(&str) -> Option<N>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<N> {
    let name = new(&entry.key);
    if name.is_none() {
        let shown: String = entry.key.chars().take(80).collect();
        let hint = format!(
            "use 1 to {NAME_BYTES_MAX} letters, digits, `_`, `-` or `.`, starting with a letter, a digit or `_`"
        );
        found.error(at, entry.key_place, format!("`{shown}` cannot be the name of {what}"), hint);
    }
    name
}

fn tool(
    node: &Node,
    at: At<'_>,
    found: &mut Findings,
    declared: &mut dyn FnMut(ActionName, Place),
) -> Tool {
    let mut tool = Tool::default();
    let Some(form) = Form::open(node, "a tool", &["actions", "labels"], at, found) else {
        return tool;
    };
    tool.labels = labels(&form, at, found);
    let Some(actions) = form.need("actions", "name what the tool can do", at, found) else {
        return tool;
    };
    for entry in form::map(actions, "`actions`", at, found).unwrap_or_default() {
        if let Some(name) = named(entry, "an action", ActionName::new, at, found) {
            declared(name.clone(), entry.key_place);
            tool.actions.insert(name, action(&entry.value, at, found));
        }
    }
    tool
}

fn action(node: &Node, at: At<'_>, found: &mut Findings) -> Action {
    let mut action = Action::default();
    let Some(form) = Form::open(node, "an action", &["arguments", "labels"], at, found) else {
        return action;
    };
    action.labels = labels(&form, at, found);
    let Some(arguments) = form.get("arguments") else { return action };
    let entries = form::map(arguments, "`arguments`", at, found).unwrap_or_default();
    if entries.len() > ARGUMENTS_MAX {
        let message = format!("an action has at most {ARGUMENTS_MAX} arguments");
        found.error(at, arguments.place, message, String::new());
        return action;
    }
    for entry in entries {
        let name = named(entry, "an argument", ArgumentName::new, at, found);
        let argument = argument(&entry.value, at, found);
        if let (Some(name), Some(argument)) = (name, argument) {
            action.arguments.insert(name, argument);
        }
    }
    action
}

/// What a session is labelled with that has read something.
fn labels(form: &Form<'_>, at: At<'_>, found: &mut Findings) -> BTreeSet<String> {
    let Some(node) = form.get("labels") else { return BTreeSet::new() };
    let mut labels = BTreeSet::new();
    for (label, place) in form::texts(node, "`labels`", at, found).unwrap_or_default() {
        // As tools are called: short, and nothing that looks like something else.
        if ToolName::new(label).is_some() {
            labels.insert(label.to_owned());
        } else {
            let hint = format!("use 1 to {NAME_BYTES_MAX} letters, digits, `_`, `-` or `.`");
            found.error(at, place, "this cannot be a label".to_owned(), hint);
        }
    }
    if labels.len() > LABELS_MAX {
        let message = format!("there are at most {LABELS_MAX} labels");
        found.error(at, node.place, message, String::new());
    }
    labels
}

fn argument(node: &Node, at: At<'_>, found: &mut Findings) -> Option<Argument> {
    if !matches!(node.kind, Kind::Map(_)) {
        return Some(Argument { of: fact_type(node, at, found)?, optional: false });
    }
    let form = Form::open(node, "an argument", &["type", "optional"], at, found)?;
    let of = form.need("type", "say what the argument is", at, found);
    let optional = match form.get("optional") {
        Some(node) => form::flag(node, "`optional`", at, found)?,
        None => false,
    };
    Some(Argument { of: fact_type(of?, at, found)?, optional })
}

fn fact_type(node: &Node, at: At<'_>, found: &mut Findings) -> Option<FactType> {
    let text = form::text(node, "the type of an argument", at, found)?;
    let of = FactType::from_name(text);
    if of.is_none() {
        let known: Vec<&str> = FactType::ALL.iter().map(|of| of.name()).collect();
        let hint = did_you_mean(text, &known)
            .unwrap_or_else(|| format!("the types are {}", words(&known)));
        found.error(at, node.place, format!("there is no type `{text}`"), hint);
    }
    of
}
