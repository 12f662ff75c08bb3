//! Rules out of what was read.
//!
//! A rule here says which actions it is about beside its condition. So each imported condition is taken apart action by
//! action, and what is left is the condition of a rule about those actions for which the same is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lockgate_model::config::document::Place;
use serde_json::{Value, json};

use super::Importing;
use super::expr::Expr;
use super::fields::Fields;
use super::foreign::{Action, Foreign, ForeignRule};
use crate::condition::{CLAUSES_MAX, DEPTH_MAX};
use crate::load::findings::{At, Findings};
use crate::names::ActionName;

/// A rule as it is written.
struct Written<'a> {
    id: String,
    actions: Vec<&'a str>,
    effect: &'static str,
    agents: &'a [String],
    when: Option<&'a Value>,
    message: Option<&'a str>,
    rate: Option<&'a str>,
    approvers: &'a [String],
}

/// The policy file, or nothing when something is wrong; that has been said then.
pub(super) fn emit(
    read: &[Foreign],
    fields: &Fields<'_>,
    importing: &Importing,
    found: &mut Findings,
) -> Option<String> {
    let actions = actions(read, importing, found)?;
    let mut emitter =
        Emitter { actions: &actions, rules: String::new(), ids: BTreeSet::new(), importing, found };
    for foreign in read {
        emitter.file(foreign);
    }
    if emitter.found.has_errors() {
        return None;
    }
    let rules = emitter.rules;
    let argument = |(name, of): (&crate::names::ArgumentName, &crate::facts::FactType)| {
        (name.to_string(), json!({ "type": of.name(), "optional": true }))
    };
    let arguments: Value = fields.arguments.iter().map(argument).collect();
    let mut yaml = format!("tools:\n  {}:\n    actions:\n", json!(importing.tool.as_str()));
    for action in &actions {
        // Writing to a text cannot fail.
        let _ = writeln!(yaml, "      {}: {}", json!(action), json!({ "arguments": arguments }));
    }
    yaml.push_str("rules:");
    yaml.push_str(if rules.is_empty() { " []\n" } else { "\n" });
    yaml.push_str(&rules);
    Some(yaml)
}

/// Every action that is named. No other is declared, and what is not declared is denied.
fn actions(read: &[Foreign], importing: &Importing, found: &mut Findings) -> Option<Vec<String>> {
    let mut named: BTreeSet<String> =
        importing.actions.iter().map(|name| name.as_str().to_owned()).collect();
    for foreign in read {
        let at = At { file: &foreign.file, path: "" };
        for rule in &foreign.rules {
            let mut texts = Vec::new();
            rule.condition.actions(&mut texts);
            for text in texts {
                if ActionName::new(text).is_none() {
                    let shown: String = text.chars().take(80).collect();
                    let message = format!("`{shown}` cannot be the name of an action");
                    let hint =
                        "a name has letters, digits, `_`, `-` and `.`; no tool has any other"
                            .to_owned();
                    found.error(at, rule.place, message, hint);
                }
                named.insert(text.to_owned());
            }
        }
    }
    let first = At { file: read.first().map_or("", |foreign| &foreign.file), path: "" };
    if named.is_empty() {
        let message =
            "no condition names an action, so it is not known what there is to decide".to_owned();
        found.error(
            first,
            Place::START,
            message,
            "name the tool's actions with --action NAME".into(),
        );
        return None;
    }
    found.warning(
        first,
        Place::START,
        "only actions that are named and arguments that are tested are declared; every other call is denied".into(),
        "name more with --action, and add arguments to `tools`".into(),
    );
    Some(named.into_iter().collect())
}

struct Emitter<'a, 'f> {
    actions: &'a [String],
    rules: String,
    ids: BTreeSet<String>,
    importing: &'a Importing,
    found: &'f mut Findings,
}

impl Emitter<'_, '_> {
    fn file(&mut self, foreign: &Foreign) {
        self.order(foreign);
        for rule in &foreign.rules {
            self.rule(foreign, rule);
        }
        if foreign.allows_by_default {
            let at = At { file: &foreign.file, path: "" };
            let message = "what no rule matches is allowed there; here a rule `default` allows it, for declared actions only";
            let hint = "remove that rule to deny what nothing allows".to_owned();
            self.found.warning(at, foreign.default_place, message.into(), hint);
            let id = self.id("default");
            self.write(&Written {
                id,
                actions: Vec::new(),
                effect: "allow",
                agents: &foreign.agents,
                when: None,
                message: None,
                rate: None,
                approvers: &[],
            });
        }
    }

    /// There, the rule of the highest priority decides alone. Here, what denies goes before what asks, and that before
    /// what allows.
    fn order(&mut self, foreign: &Foreign) {
        let rank = |rule: &ForeignRule| match rule.action {
            Action::Deny => 2,
            Action::Ask | Action::Watch => 1,
            Action::Allow => 0,
        };
        let before = foreign.rules.iter().enumerate().find_map(|(index, first)| {
            let later = foreign.rules.iter().enumerate().find(|(at, second)| {
                let sooner = (-first.priority, index) < (-second.priority, *at);
                sooner && rank(first) < rank(second)
            });
            later.map(|(_, second)| (first, second))
        });
        if let Some((first, second)) = before {
            let message = format!(
                "`{}` goes before `{}` there; here what denies goes before what asks, and that before what allows",
                first.name, second.name
            );
            let hint = "where both match, the stricter one now decides; take what it should not be about out of its `when`";
            let at = At { file: &foreign.file, path: "" };
            self.found.warning(at, first.place, message, hint.into());
        }
    }

    fn rule(&mut self, foreign: &Foreign, rule: &ForeignRule) {
        let at = At { file: &foreign.file, path: "" };
        let (tests, depth) = rule.condition.size();
        if tests > CLAUSES_MAX || depth > DEPTH_MAX {
            let message = format!(
                "the condition has {tests} tests, {depth} levels deep; a rule has at most {CLAUSES_MAX}, {DEPTH_MAX} deep"
            );
            self.found.error(at, rule.place, message, "make two rules of it".into());
            return;
        }
        let mut left: BTreeMap<String, (Option<Value>, Vec<&str>)> = BTreeMap::new();
        for action in self.actions {
            let when = match rule.condition.of_action(action) {
                Expr::Const(false) => continue,
                Expr::Const(true) => None,
                expr => Some(expr.to_json()),
            };
            let key = when.as_ref().map(Value::to_string).unwrap_or_default();
            left.entry(key).or_insert_with(|| (when, Vec::new())).1.push(action);
        }
        if left.is_empty() {
            let message = format!("the rule `{}` is about no action, and left out", rule.name);
            self.found.warning(at, rule.place, message, String::new());
        }
        let effects: &[(&str, &str)] = match rule.action {
            Action::Allow => &[("", "allow")],
            Action::Deny => &[("", "deny")],
            // What asks allows nothing by itself.
            Action::Ask | Action::Watch => &[("", "ask"), ("-allow", "allow")],
        };
        for (when, actions) in left.values() {
            let limit = rule.limit.as_deref().map(|rate| ("-limit", "limit", Some(rate)));
            let effects =
                effects.iter().map(|(suffix, effect)| (*suffix, *effect, None)).chain(limit);
            for (suffix, effect, rate) in effects {
                let id = self.id(&format!("{}{suffix}", rule.name));
                self.write(&Written {
                    id,
                    actions: if actions.len() == self.actions.len() {
                        Vec::new()
                    } else {
                        actions.clone()
                    },
                    effect,
                    agents: &foreign.agents,
                    when: when.as_ref(),
                    message: rule.message.as_deref(),
                    rate,
                    approvers: if effect == "ask" { &rule.approvers } else { &[] },
                });
            }
        }
    }

    /// A name of its own.
    fn id(&mut self, wanted: &str) -> String {
        const BYTES_MAX: usize = 100;
        let plain = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '-' };
        let text: String = wanted.chars().map(plain).take(BYTES_MAX).collect();
        let text = text.trim_start_matches(['-', '.']);
        let base = if text.is_empty() { "rule" } else { text };
        let numbered = (2..).map(|n| format!("{base}-{n}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        let id = names.find(|name| !self.ids.contains(name)).unwrap_or_default();
        self.ids.insert(id.clone());
        id
    }

    fn write(&mut self, rule: &Written<'_>) {
        let actions = if rule.actions.is_empty() { json!("*") } else { json!(rule.actions) };
        // Writing to a text cannot fail. JSON is YAML.
        let _ = writeln!(self.rules, "  - id: {}", json!(rule.id));
        let mut line = |name: &str, value: &Value| {
            let _ = writeln!(self.rules, "    {name}: {value}");
        };
        line("tool", &json!(self.importing.tool.as_str()));
        line("action", &actions);
        if !rule.agents.is_empty() {
            line("agents", &json!(rule.agents));
        }
        line("effect", &json!(rule.effect));
        if let Some(when) = rule.when {
            line("when", when);
        }
        if let Some(rate) = rule.rate {
            line("limit", &json!({ "rate": rate }));
        }
        if !rule.approvers.is_empty() {
            line("ask", &json!({ "from": rule.approvers }));
        }
        if let Some(message) = rule.message {
            line("message", &json!(message));
        }
    }
}
