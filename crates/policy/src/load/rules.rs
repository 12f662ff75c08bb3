//! `rules`: one rule after the other.

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Entry, Node, Place};
use lockgate_model::ids::AgentName;

use super::findings::{At, Findings, words};
use super::form::{self, Form};
use super::limits;
use super::when;
use crate::names::{ActionName, NAME_BYTES_MAX, RuleId, ToolName};
use crate::rule::{APPROVALS_MAX, Ask, Effect, Limit, Risk, Rule, Scope};
use crate::tools::{Action, Tools};

const FIELDS: &[&str] = &[
    "id",
    "tool",
    "action",
    "agents",
    "when",
    "effect",
    "risk",
    "message",
    "security_event",
    "limit",
    "ask",
];

/// A rule and where it starts.
pub(crate) struct Placed {
    pub(crate) rule: Rule,
    pub(crate) place: Place,
}

/// Reads `rules` of one file.
pub(crate) fn read(
    node: &Node,
    file: &str,
    tools: &Tools,
    rules: &mut Vec<Placed>,
    found: &mut Findings,
) {
    let items = form::list(node, "`rules`", At { file, path: "rules" }, found);
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("rules[{index}]");
        if let Some(rule) = rule(item, At { file, path: &path }, tools, found) {
            rules.push(Placed { rule, place: item.place });
        }
    }
}

/// Every field is read, whatever is wrong with the others.
fn rule(node: &Node, at: At<'_>, tools: &Tools, found: &mut Findings) -> Option<Rule> {
    let form = Form::open(node, "a rule", FIELDS, at, found)?;
    let id = id(&form, at, found);
    let scope = scope(&form, at, tools, found);
    let about = scope.as_ref().map(|scope| actions(scope, tools)).unwrap_or_default();
    let when = match (form.get("when"), &scope) {
        (Some(node), Some(_)) => when::read(node, &about, at, found).map(Some),
        (Some(_), None) => None,
        (None, _) => Some(None),
    };
    let effect = effect(&form, at, found);
    let agents = agents(&form, at, found);
    let risk = optional(form.entry("risk"), |entry| risk(&entry.value, at, found));
    let message = optional(form.entry("message"), |entry| {
        form::text(&entry.value, "`message`", at, found).map(str::to_owned)
    });
    let security_event = match form.get("security_event") {
        Some(node) => form::flag(node, "`security_event`", at, found),
        None => Some(false),
    };
    let limit = limit(&form, &about, effect, at, found);
    let ask = ask(&form, effect, at, found);
    if let (Some(true), Some(effect), Some(entry)) =
        (security_event, effect, form.entry("security_event"))
        && effect != Effect::Deny
    {
        let message = format!("a rule with `effect: {effect}` raises no security event");
        found.error(at, entry.key_place, message, "only a denial does".into());
    }
    Some(Rule {
        id: id?,
        file: at.file.to_owned(),
        line: node.place.line,
        effect: effect?,
        scope: scope?,
        agents: agents?,
        when: when?,
        risk: risk.ok()?,
        message: message.ok()?,
        security_event: security_event?,
        limit: limit.ok()?,
        ask: ask.ok()?,
    })
}

/// Something is wrong with a field; that has been said.
struct Wrong;

/// Nothing for a field that is not there.
fn optional<'n, T>(
    entry: Option<&'n Entry>,
    read: impl FnOnce(&'n Entry) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    entry.map(|entry| read(entry).ok_or(Wrong)).transpose()
}

fn id(form: &Form<'_>, at: At<'_>, found: &mut Findings) -> Option<RuleId> {
    let node = form.need("id", "give the rule a name of its own", at, found)?;
    let text = form::text(node, "`id`", at, found)?;
    let id = RuleId::new(text);
    if id.is_none() {
        let shown: String = text.chars().take(80).collect();
        let hint = format!(
            "use 1 to {NAME_BYTES_MAX} letters, digits, `_`, `-` or `.`, starting with a letter, a digit or `_`"
        );
        found.error(at, node.place, format!("`{shown}` cannot be the id of a rule"), hint);
    }
    id
}

fn scope(form: &Form<'_>, at: At<'_>, tools: &Tools, found: &mut Findings) -> Option<Scope> {
    let tool = form.need("tool", "name a declared tool, or \"*\" for every tool", at, found);
    let action =
        form.need("action", "name actions of the tool, or \"*\" for all of them", at, found);
    let (tool, action) = (tool?, action?);
    let name = form::text(tool, "`tool`", at, found)?;
    let wanted = form::texts(action, "`action`", at, found)?;
    let all = matches!(wanted.as_slice(), [("*", _)]);
    if name == "*" {
        if !all {
            let message = "a rule about every tool is about every action".to_owned();
            found.error(at, action.place, message, "write `action: \"*\"`".into());
        }
        return all.then_some(Scope::Everything);
    }
    let Some((name, declared)) = tools.get_key_value(name) else {
        let known: Vec<&str> = tools.keys().map(ToolName::as_str).collect();
        let hint =
            did_you_mean(name, &known).unwrap_or_else(|| "declare it under `tools`".to_owned());
        found.error(at, tool.place, format!("there is no tool `{name}`"), hint);
        return None;
    };
    if all {
        return Some(Scope::Tool(name.clone()));
    }
    let mut actions = Vec::new();
    for (action, place) in &wanted {
        if let Some((action, _)) = declared.actions.get_key_value(*action) {
            actions.push(action.clone());
            continue;
        }
        let known: Vec<&str> = declared.actions.keys().map(ActionName::as_str).collect();
        let hint = did_you_mean(action, &known)
            .unwrap_or_else(|| format!("the actions of `{name}` are {}", words(&known)));
        found.error(at, *place, format!("`{name}` has no action `{action}`"), hint);
    }
    (actions.len() == wanted.len()).then(|| Scope::Actions(name.clone(), actions))
}

/// The declared actions that a scope is about; none for every tool, as no argument is common to all.
pub(crate) fn actions<'a>(scope: &'a Scope, tools: &'a Tools) -> Vec<(&'a ActionName, &'a Action)> {
    match scope {
        Scope::Everything | Scope::Native => Vec::new(),
        Scope::Tool(tool) => tools.get(tool).into_iter().flat_map(|tool| &tool.actions).collect(),
        Scope::Actions(tool, names) => {
            let declared = tools.get(tool);
            names.iter().filter_map(|name| declared?.actions.get_key_value(name)).collect()
        }
    }
}

fn effect(form: &Form<'_>, at: At<'_>, found: &mut Findings) -> Option<Effect> {
    let names: Vec<&str> = Effect::ALL.iter().map(|(name, _)| *name).collect();
    let choices = format!("the effects are {}", words(&names));
    let node = form.need("effect", &choices, at, found)?;
    let text = form::text(node, "`effect`", at, found)?;
    let effect = Effect::ALL.iter().find(|(name, _)| *name == text).map(|(_, effect)| *effect);
    if effect.is_none() {
        let hint = did_you_mean(text, &names).unwrap_or(choices);
        found.error(at, node.place, format!("there is no effect `{text}`"), hint);
    }
    effect
}

fn agents(form: &Form<'_>, at: At<'_>, found: &mut Findings) -> Option<Vec<String>> {
    let Some(node) = form.get("agents") else { return Some(Vec::new()) };
    let mut agents = Vec::new();
    let mut good = true;
    for (name, place) in form::texts(node, "`agents`", at, found)? {
        match name.parse::<AgentName>() {
            Ok(_) => agents.push(name.to_owned()),
            Err(error) => {
                found.error(at, place, error.to_string(), String::new());
                good = false;
            }
        }
    }
    good.then_some(agents)
}

fn risk(node: &Node, at: At<'_>, found: &mut Findings) -> Option<Risk> {
    let text = form::text(node, "`risk`", at, found)?;
    let risk = Risk::new(text);
    if risk.is_none() {
        found.error(
            at,
            node.place,
            format!("there is no risk `{text}`"),
            "the risks are ASI01 to ASI10".into(),
        );
    }
    risk
}

/// A rule has a limit if, and only if, that is its effect.
fn limit(
    form: &Form<'_>,
    about: when::Actions<'_>,
    effect: Option<Effect>,
    at: At<'_>,
    found: &mut Findings,
) -> Result<Option<Limit>, Wrong> {
    match (form.entry("limit"), effect) {
        (None, Some(Effect::Limit)) => {
            form.need("limit", "add `limit: {rate: \"100/hour\"}`", at, found);
            Err(Wrong)
        }
        (None, _) => Ok(None),
        (Some(entry), Some(other)) if other != Effect::Limit => {
            let message = format!("a rule with `effect: {other}` takes no `limit`");
            let hint = "write a second rule with `effect: limit`".to_owned();
            found.error(at, entry.key_place, message, hint);
            Err(Wrong)
        }
        (Some(entry), _) => limits::read(&entry.value, about, at, found).map(Some).ok_or(Wrong),
    }
}

/// Only a rule that asks says whom.
fn ask(
    form: &Form<'_>,
    effect: Option<Effect>,
    at: At<'_>,
    found: &mut Findings,
) -> Result<Option<Ask>, Wrong> {
    let Some(entry) = form.entry("ask") else { return Ok(None) };
    if let Some(other) = effect.filter(|effect| *effect != Effect::Ask) {
        let message = format!("a rule with `effect: {other}` asks nobody");
        found.error(at, entry.key_place, message, "write `effect: ask`".into());
        return Err(Wrong);
    }
    asked(&entry.value, at, found).map(Some).ok_or(Wrong)
}

fn asked(node: &Node, at: At<'_>, found: &mut Findings) -> Option<Ask> {
    let ask = Form::open(node, "`ask`", &["approvals", "from"], at, found)?;
    let approvals = match ask.get("approvals") {
        None => Some(1),
        Some(node) => {
            let wanted = node.to_json().as_u64().and_then(|wanted| u32::try_from(wanted).ok());
            let wanted = wanted.filter(|wanted| (1..=APPROVALS_MAX).contains(wanted));
            if wanted.is_none() {
                let message = "`approvals` is how many people must agree".to_owned();
                found.error(
                    at,
                    node.place,
                    message,
                    format!("write a number from 1 to {APPROVALS_MAX}"),
                );
            }
            wanted
        }
    };
    let Some(from) = ask.get("from") else {
        return Some(Ask { approvals: approvals?, from: Vec::new() });
    };
    let names: Vec<String> = form::texts(from, "`from`", at, found)?
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    if unique.len() != names.len() || names.iter().any(|name| name.trim().is_empty()) {
        let message = "`from` names each person once".to_owned();
        found.error(at, from.place, message, "write the names of API tokens".into());
        return None;
    }
    let approvals = approvals?;
    if names.len() < approvals as usize {
        let message = format!("{approvals} people must agree, and `from` names {}", names.len());
        found.error(at, from.place, message, "name more, or want fewer".into());
        return None;
    }
    Some(Ask { approvals, from: names })
}
