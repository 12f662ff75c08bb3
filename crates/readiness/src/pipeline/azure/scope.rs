//! Conditions, variables and macros: what is known of a pipeline while it runs.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::Runs;
use super::expression::{Names, Value, evaluate};
use super::names::predefined;
use super::run::Run;
use super::view::{Around, Variables, View};
use crate::finding::cut;
use crate::shell::{Blocking, UNKNOWN};

/// Variables of one place that are kept.
const VARIABLES_MAX: usize = 500;

/// What names mean where a condition is asked.
pub(super) struct Scope<'s, 'a> {
    pub(super) around: &'s Around<'a>,
    pub(super) variables: &'s Variables<'a>,
    /// The stages or jobs that it waits for, and whether they run.
    pub(super) needed: &'s [(String, Runs)],
    /// Those that what it is a part of waits for.
    pub(super) outer: &'s [(String, Runs)],
}

impl<'a> Scope<'_, 'a> {
    fn result(&self, name: &str) -> Value<'a> {
        let mut all = self.needed.iter().chain(self.outer);
        match all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, runs)| runs) {
            Some(Runs::Yes) => Value::Text("Succeeded".to_owned()),
            Some(Runs::No) => Value::Text("Skipped".to_owned()),
            Some(Runs::Unsure(why)) => Value::Unknown(why.clone()),
            None => Value::Unknown(format!("what became of `{name}` is decided when it runs")),
        }
    }
}

impl<'a> Names<'a> for Scope<'_, 'a> {
    fn value(&self, first: &str, then: &[String]) -> Value<'a> {
        let lower = first.to_ascii_lowercase();
        match (lower.as_str(), then) {
            ("variables", [_, ..]) => self.around.variable(self.variables, &then.join(".")),
            ("dependencies", [name, result]) | ("stagedependencies", [_, name, result])
                if result.eq_ignore_ascii_case("result") =>
            {
                self.result(name)
            }
            _ => self.around.value(first, then),
        }
    }

    fn status(&self, function: &str, of: &[String]) -> Value<'a> {
        let asked = |name: &str| of.is_empty() || of.iter().any(|one| one == name);
        match function {
            "succeeded" => {
                let all = self.needed.iter().filter(|(name, _)| asked(name));
                match all.map(|(_, runs)| runs).max() {
                    // What was left out did not succeed.
                    Some(Runs::No) => Value::Bool(false),
                    Some(Runs::Unsure(why)) => Value::Unknown(why.clone()),
                    _ => Value::Bool(true),
                }
            }
            "failed" | "canceled" => Value::Bool(false),
            _ => Value::Bool(true),
        }
    }
}

/// Whether something runs whose earlier ones all went well.
pub(super) fn runs(condition: Option<&View<'_>>, scope: &Scope<'_, '_>) -> Runs {
    let text = condition.and_then(View::text).unwrap_or_else(|| "succeeded()".to_owned());
    match evaluate(text.trim(), scope).truth() {
        Ok(true) => Runs::Yes,
        Ok(false) => Runs::No,
        Err(why) if condition.is_none() => Runs::Unsure(why),
        Err(why) => Runs::Unsure(format!("`condition: {}`: {why}", shown(&text))),
    }
}

/// Whether it runs although an earlier one failed.
pub(super) fn is_always(condition: Option<&View<'_>>) -> bool {
    let text = condition.and_then(View::text).unwrap_or_default().to_ascii_lowercase();
    ["always()", "failed()", "succeededorfailed()"].iter().any(|call| text.contains(call))
}

/// What `continueOnError` makes of a failure.
pub(super) fn blocking(setting: Option<&View<'_>>) -> Blocking {
    let Some(setting) = setting else { return Blocking::Yes };
    match setting.value() {
        Value::Bool(false) | Value::Null => Blocking::Yes,
        Value::Bool(true) => Blocking::No("`continueOnError: true`".into()),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Blocking::Yes,
        Value::Text(text) if text.eq_ignore_ascii_case("true") => {
            Blocking::No("`continueOnError: true`".into())
        }
        _ => Blocking::Unsure("`continueOnError` is decided when it runs".into()),
    }
}

/// Adds one variable. What stands between `$[` and `]` is asked as a condition is.
pub(super) fn set<'a>(
    variables: &mut Variables<'a>,
    name: &str,
    value: &View<'a>,
    needed: &[(String, Runs)],
) {
    if variables.len() >= VARIABLES_MAX {
        return;
    }
    // A variable is a text, whatever it looks like.
    let mut found = match (value.value(), value.node.text()) {
        (Value::Bool(_), Some(text)) if !text.contains("${{") => Value::Text(text.to_owned()),
        (found, _) => found,
    };
    if let Value::Text(text) = &found {
        let asked = text.trim().strip_prefix("$[").and_then(|rest| rest.strip_suffix(']'));
        found = if let Some(inner) = asked {
            let scope = Scope { around: &value.around, variables, needed, outer: &[] };
            let asked = evaluate(inner.trim(), &scope);
            asked.text().map_or(asked, Value::Text)
        } else {
            let text = expanded(text, variables, value.around.run);
            if text.contains(UNKNOWN) {
                Value::Unknown(format!(
                    "a part of the variable `{name}` is only known when it runs"
                ))
            } else {
                Value::Text(text)
            }
        };
    }
    Rc::make_mut(variables).insert(name.to_ascii_lowercase(), found);
}

/// A variable that a step sets.
pub(super) fn forget(variables: &mut Variables<'_>, name: &str) {
    let why = format!("the variable `{name}` is set while it runs");
    if variables.len() < VARIABLES_MAX {
        Rc::make_mut(variables).insert(name.to_ascii_lowercase(), Value::Unknown(why));
    }
}

/// A text with its macros `$(name)` put in. Others than known names stay, as they do when it runs: a shell takes them
/// for commands.
pub(super) fn expanded(text: &str, variables: &Variables<'_>, run: &Run<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        out.push_str(before);
        let name = |name: &&str| {
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
        };
        let found = after.split_once(')').filter(|(inner, _)| name(inner));
        let Some((inner, behind)) = found else {
            out.push_str("$(");
            rest = after;
            continue;
        };
        let lower = inner.to_ascii_lowercase();
        match (variables.get(&lower), predefined(run, &lower)) {
            (Some(value), _) => match value.text() {
                Some(text) => out.push_str(&text),
                None => out.push(UNKNOWN),
            },
            (None, Value::Text(text)) if text == "." => out.push('.'),
            (None, _) if inner.contains('.') => out.push(UNKNOWN),
            (None, _) => {
                out.push_str("$(");
                out.push_str(inner);
                out.push(')');
            }
        }
        rest = behind;
        if out.len() > 256 * 1024 {
            return UNKNOWN.to_string();
        }
    }
    out.push_str(rest);
    out
}

/// Variables as a script sees them: in upper case, with `_` for dots.
pub(super) fn environment(variables: &Variables<'_>) -> BTreeMap<String, String> {
    variables
        .iter()
        .filter_map(|(name, value)| {
            Some((name.to_uppercase().replace(['.', ' ', '-'], "_"), value.text()?))
        })
        .collect()
}

/// A text as it is told, with a mark for what is not known.
pub(super) fn shown(text: &str) -> String {
    cut(&text.replace(UNKNOWN, "…"), 80)
}
