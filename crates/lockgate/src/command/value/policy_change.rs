//! A suggestion about a rule that asks as a change of its policy file. The changed files are loaded again, and must have the
//! same rules but for this one.

use std::path::{Path, PathBuf};

use lockgate_model::config::document::{Entry, Limits, Node, parse_within};
use lockgate_policy::rule::{Effect, Rule, Scope};
use lockgate_policy::{BYTES_MAX, Bundle};
use lockgate_value::suggest::question::{Asked, Found};

use super::edit::{Edit, apply, entry, items, value, word};
use crate::policy_files;

/// Policies that can be changed.
pub(super) struct Policies {
    directory: PathBuf,
    files: Vec<(String, String)>,
    bundle: Bundle,
}

impl Policies {
    /// `None` when there are none that can be read; `policy check` says why.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let files = policy_files::files(directory).ok()?;
        let bundle = load(&files)?;
        Some(Self { directory: directory.to_owned(), files, bundle })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a rule is: `orders.yaml:12`.
    pub(super) fn place(&self, id: &str) -> Option<String> {
        self.rule(id).map(|rule| format!("{}:{}", rule.file, rule.line))
    }

    fn rule(&self, id: &str) -> Option<&Rule> {
        self.bundle.rules.iter().find(|rule| rule.id.as_str() == id)
    }

    /// The patch that makes what is suggested so, if it can be made line by line.
    pub(super) fn patch(&self, asked: &Asked) -> Option<String> {
        let rule = self.rule(&asked.rule).filter(|rule| rule.effect == Effect::Ask)?;
        let (name, text) = self.files.iter().find(|(name, _)| *name == rule.file)?;
        let limits = Limits { bytes: BYTES_MAX, depth: 64, values: 1_000_000, when_empty: "" };
        let root = parse_within(text, limits).root?;
        let rules = items(&entry(&root, "rules")?.value);
        let is_it = |node: &&Node| {
            entry(node, "id").and_then(|id| word(&id.value)) == Some(asked.rule.as_str())
        };
        let node = rules.iter().find(is_it)?;
        let left = self.left(rule, asked)?;
        let edits = match asked.finding {
            Found::Narrow if left.is_empty() => vec![gone(text, node)?],
            Found::Narrow => vec![narrowed(text, node, &left)?],
            Found::Deny => denied(text, node)?,
            _ => return None,
        };
        let edited = apply(name, text, edits)?;
        let files: Vec<(String, String)> = self
            .files
            .iter()
            .map(|(other, text)| {
                let text = if other == name { &edited.text } else { text };
                (other.clone(), text.clone())
            })
            .collect();
        let after = load(&files)?;
        self.is_meant(&after, rule, asked, &left).then_some(edited.patch)
    }

    /// Actions that it still asks about.
    fn left(&self, rule: &Rule, asked: &Asked) -> Option<Vec<String>> {
        let (tool, all): (_, Vec<String>) = match &rule.scope {
            Scope::Actions(tool, actions) => {
                (tool, actions.iter().map(|action| action.as_str().to_owned()).collect())
            }
            Scope::Tool(tool) => {
                let declared = self.bundle.tools.get(tool)?;
                (tool, declared.actions.keys().map(|action| action.as_str().to_owned()).collect())
            }
            // Of every tool there is no list to shorten.
            Scope::Everything | Scope::Native => {
                return (asked.finding != Found::Narrow).then(Vec::new);
            }
        };
        let is_out = |action: &String| asked.actions.contains(&format!("{tool}/{action}"));
        Some(all.into_iter().filter(|action| !is_out(action)).collect())
    }

    /// Whether all rules are as before but for what is suggested.
    fn is_meant(&self, after: &Bundle, rule: &Rule, asked: &Asked, left: &[String]) -> bool {
        // Lines move.
        let placeless = |rule: &Rule| Rule { line: 0, ..rule.clone() };
        let others = |bundle: &Bundle| -> Vec<Rule> {
            bundle.rules.iter().filter(|other| other.id != rule.id).map(placeless).collect()
        };
        let now = after.rules.iter().find(|other| other.id == rule.id).map(placeless);
        let meant = match asked.finding {
            Found::Deny => Some(Rule { effect: Effect::Deny, ask: None, ..placeless(rule) }),
            Found::Narrow if !left.is_empty() => now.clone().filter(|now| {
                let same = Rule { scope: rule.scope.clone(), ..now.clone() } == placeless(rule);
                let names = match &now.scope {
                    Scope::Actions(_, actions) => {
                        actions.iter().map(|action| action.as_str().to_owned()).collect()
                    }
                    _ => Vec::new(),
                };
                same && names == left
            }),
            _ => None,
        };
        let removes = left.is_empty();
        let as_meant = now == meant && (meant.is_some() || removes);
        as_meant && others(&self.bundle) == others(after)
    }
}

fn load(files: &[(String, String)]) -> Option<Bundle> {
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Bundle::load(&files).ok()
}

/// The rule without a trace: from its dash to the last line that is indented below it.
fn gone(text: &str, node: &Node) -> Option<Edit> {
    let line = usize::try_from(node.place.line).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.get(line - 1)?;
    let dash = first.find("- ").filter(|at| first[..*at].trim().is_empty())?;
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_of_rule = |line: &&&str| line.trim().is_empty() || indent(line) > dash;
    let mut rest = lines[line..].iter().take_while(is_of_rule).count();
    let is_idle = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    while rest > 0 && is_idle(lines[line + rest - 1]) {
        rest -= 1;
    }
    Some(Edit { line, removed: rest + 1, added: Vec::new() })
}

/// The rule with fewer actions. Its list must stand in the line of its key.
fn narrowed(text: &str, node: &Node, left: &[String]) -> Option<Edit> {
    let action = entry(node, "action")?;
    let line = usize::try_from(action.key_place.line).ok()?;
    let old = text.lines().nth(line - 1)?;
    let list = format!("[{}]", left.join(", "));
    if action.value.place.line != action.key_place.line {
        return None;
    }
    let column = usize::try_from(action.value.place.column).ok()? - 1;
    let before: String = old.chars().take(column).collect();
    let rest = old.strip_prefix(&before)?;
    if let Some(inside) = rest.strip_prefix('[') {
        let after = &inside[inside.find(']')? + 1..];
        return Some(Edit { line, removed: 1, added: vec![format!("{before}{list}{after}")] });
    }
    value(text, action.value.place, &list)
}

/// The rule denying. Whom it asked goes, which must be one line.
fn denied(text: &str, node: &Node) -> Option<Vec<Edit>> {
    let effect = entry(node, "effect")?;
    let mut edits = vec![value(text, effect.value.place, "deny")?];
    if let Some(Entry { key_place, value, .. }) = entry(node, "ask") {
        let line = usize::try_from(key_place.line).ok()?;
        let whole = text.lines().nth(line - 1)?;
        let is_alone = whole.trim_start().starts_with("ask:") && value.place.line == key_place.line;
        if !is_alone || !whole.trim_end().ends_with('}') {
            return None;
        }
        edits.push(Edit { line, removed: 1, added: Vec::new() });
    }
    Some(edits)
}

#[cfg(test)]
#[path = "policy_change/tests.rs"]
mod tests;
