//! `if` and `continue-on-error`.

use super::super::{Occasions, Runs};
use super::expression::{self, Truth, Value, told, whole};
use super::scope::Scope;
use crate::shell::Blocking;
use crate::yaml::Node;

/// On which occasions a condition holds.
pub(super) fn runs(condition: Option<&Node>, scope: &Scope) -> Occasions {
    // An empty one asks for nothing.
    let Some(text) = condition.and_then(Node::text).filter(|text| !text.trim().is_empty()) else {
        return Occasions::from_fn(|_| Runs::Yes);
    };
    Occasions::from_fn(|occasion| {
        match value(text, &scope.on(occasion)).truth() {
            // Open conditions ask what there is to do, and an ordinary change has something to do.
            Truth::Yes | Truth::Open => Runs::Yes,
            Truth::No => Runs::No,
            Truth::Unknown => Runs::Unsure(format!(
                "`if: {}` cannot be told from the files; attest it if it holds",
                told(text)
            )),
            Truth::Setting => {
                Runs::Unsure(format!("`if: {}` asks for a setting outside the files", told(text)))
            }
        }
    })
}

/// An `if` is an expression also without its `${{ }}`.
fn value(text: &str, scope: &Scope) -> Value {
    let trimmed = text.trim();
    if !trimmed.contains("${{") {
        return expression::evaluate(trimmed, scope);
    }
    if let Some(inner) = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"))
        && !inner.contains("${{")
    {
        return expression::evaluate(inner, scope);
    }
    // `!${{ a }} && b`: GitHub puts the texts in first, and what remains is an expression again.
    let flat = trimmed.replace("${{", "(").replace("}}", ")");
    expression::evaluate(&flat, scope)
}

/// Whether a condition runs a job although what it needs failed or was left out.
pub(super) fn is_always(condition: Option<&Node>) -> bool {
    condition.and_then(Node::text).is_some_and(|text| {
        let text = text.to_ascii_lowercase().replace(' ', "");
        ["always()", "cancelled()", "failure()"].iter().any(|call| text.contains(call))
    })
}

/// What `continue-on-error` makes of a failure.
pub(super) fn blocking(setting: Option<&Node>, scope: &Scope) -> Blocking {
    let Some(text) = setting.and_then(Node::text) else { return Blocking::Yes };
    match whole(text, scope) {
        Value::Text(value) if value == "true" => no(text),
        Value::Text(value) if value == "false" || value.is_empty() => Blocking::Yes,
        value => match value.truth() {
            Truth::Yes => no(text),
            Truth::No => Blocking::Yes,
            Truth::Open | Truth::Unknown | Truth::Setting => Blocking::Unsure(format!(
                "`continue-on-error: {}` is decided when it runs",
                told(text)
            )),
        },
    }
}

fn no(text: &str) -> Blocking {
    Blocking::No(format!("`continue-on-error: {}`", told(text)))
}
