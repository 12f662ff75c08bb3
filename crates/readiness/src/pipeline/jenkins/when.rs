//! `when`: on which occasions a stage runs.

use super::super::{Occasion, Occasions, Runs, glob_matches};
use super::syntax::{Block, Call, Expression, Says, Statement, Value};
use super::value::{Known, Names, branch, fits};
use crate::tree::{Tree, has_end};

/// On which occasions all conditions of a `when` hold.
pub(super) fn runs(block: &Block, names: Names<'_>, tree: &Tree, line: u32) -> Occasions {
    Occasions::from_fn(|on| match all(block, names, tree, on) {
        Some(true) => Runs::Yes,
        Some(false) => Runs::No,
        None => Runs::Unsure(format!("the `when` in line {line} is decided when it runs")),
    })
}

fn all(block: &Block, names: Names<'_>, tree: &Tree, on: Occasion) -> Option<bool> {
    join(block, false, |statement| holds(statement, names, tree, on))
}

/// Whether all of some conditions hold, or with `any` one of them.
fn join(
    block: &Block,
    any: bool,
    holds: impl Fn(&Statement) -> Option<Option<bool>>,
) -> Option<bool> {
    let mut open = false;
    for known in block.iter().filter_map(holds) {
        match known {
            Some(truth) if truth == any => return Some(any),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!any) }
}

/// Whether a condition holds; the outer none for what is no condition.
#[expect(clippy::option_option, reason = "what is no condition and what is not known are two")]
fn holds(
    statement: &Statement,
    names: Names<'_>,
    tree: &Tree,
    on: Occasion,
) -> Option<Option<bool>> {
    let Says::Expression(expression) = &statement.says else { return Some(None) };
    let Some(call) = expression.call() else {
        // `changeRequest` without its parentheses is none; `beforeAgent` alone neither.
        return Some(None);
    };
    let inner = |any: bool| {
        let body = call.body()?;
        join(body, any, |statement| holds(statement, names, tree, on))
    };
    let text = |expression: &Expression| match names.evaluate(expression, on) {
        Known::Text(text) => Some(text),
        _ => None,
    };
    Some(match call.name.as_str() {
        "beforeAgent" | "beforeInput" | "beforeOptions" => return None,
        "allOf" => inner(false),
        "anyOf" => inner(true),
        "not" => inner(false).map(|truth| !truth),
        "branch" => {
            if on == Occasion::Tag {
                Some(false)
            } else {
                pattern(call, "pattern", names, on, branch(on, names.main))
            }
        }
        "buildingTag" => Some(on == Occasion::Tag),
        "tag" if on == Occasion::Tag => pattern(call, "pattern", names, on, "v1.0.0"),
        "tag" | "isRestartedRun" => Some(false),
        "changeRequest" => request(call, names, on),
        "triggeredBy" => triggered(call, on),
        "environment" => {
            let asked = |key: &str| call.named(key).and_then(text);
            match (asked("name"), asked("value")) {
                (Some(name), Some(value)) => environment(&name, &value, names, on),
                _ => None,
            }
        }
        "equals" => match (call.named("expected"), call.named("actual")) {
            (Some(expected), Some(actual)) => {
                match (names.evaluate(expected, on), names.evaluate(actual, on)) {
                    (Known::Unknown, _) | (_, Known::Unknown) => None,
                    (expected, actual) => Some(expected == actual),
                }
            }
            _ => None,
        },
        "expression" => call.body().and_then(|body| returned(body, names, on)),
        "changeset" => call
            .plain()
            .next()
            .or_else(|| call.named("pattern"))
            .and_then(text)
            .and_then(|pattern| touches(&pattern, tree)),
        _ => None,
    })
}

fn environment(name: &str, value: &str, names: Names<'_>, on: Occasion) -> Option<bool> {
    let place = crate::finding::Place::START;
    let name = Expression { place, value: Value::Name(name.to_owned()) };
    match names.evaluate(&name, on) {
        Known::Unknown => None,
        Known::Text(found) => Some(found == value),
        Known::Truth(found) => Some(found.to_string() == value),
        Known::Null => Some(value.is_empty()),
    }
}

/// What the last statement of a condition comes to, when it is the only one that matters.
fn returned(body: &Block, names: Names<'_>, on: Occasion) -> Option<bool> {
    match body.as_slice() {
        [Statement { says: Says::Expression(one) | Says::Return(Some(one)), .. }] => {
            names.evaluate(one, on).truth()
        }
        _ => None,
    }
}

/// Whether the pattern of a condition names a text.
fn pattern(call: &Call, key: &str, names: Names<'_>, on: Occasion, text: &str) -> Option<bool> {
    let given = call.plain().next().or_else(|| call.named(key));
    let Some(given) = given else { return Some(true) };
    let Known::Text(pattern) = names.evaluate(given, on) else { return None };
    compared(&pattern, comparator(call).as_deref(), text)
}

fn comparator(call: &Call) -> Option<String> {
    call.named("comparator").and_then(Expression::text)
}

fn compared(pattern: &str, comparator: Option<&str>, text: &str) -> Option<bool> {
    match comparator {
        None | Some("GLOB") => Some(glob_matches(&pattern.to_lowercase(), &text.to_lowercase())),
        Some("EQUALS") => Some(pattern == text),
        Some("REGEXP") => fits(pattern, text, true),
        Some(_) => None,
    }
}

/// `changeRequest` with what it asks of the change: an ordinary one, by a person, from this repository.
fn request(call: &Call, names: Names<'_>, on: Occasion) -> Option<bool> {
    if on != Occasion::PullRequest {
        return Some(false);
    }
    let comparator = call.named("comparator").and_then(Expression::text);
    let default = if comparator.is_none() { Some("EQUALS") } else { comparator.as_deref() };
    let mut open = false;
    for argument in &call.arguments {
        let text = match argument.name.as_deref() {
            Some("target") => names.main,
            Some("branch") => "topic",
            Some("fork") => return Some(false),
            Some("comparator") | None => continue,
            Some(_) => {
                open = true;
                continue;
            }
        };
        match argument.value.text().and_then(|pattern| compared(&pattern, default, text)) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => open = true,
        }
    }
    if open { None } else { Some(true) }
}

fn triggered(call: &Call, on: Occasion) -> Option<bool> {
    let cause = call.plain().next().or_else(|| call.named("cause"))?.text()?;
    let is = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if is(&["Timer"]) {
        Some(on == Occasion::Schedule)
    } else if is(&["UserId", "UserCause"]) {
        Some(on == Occasion::Manual)
    } else if is(&["Upstream"]) {
        Some(on == Occasion::Other)
    } else if is(&["SCM", "Branch", "Push"]) {
        Some(!matches!(on, Occasion::Schedule | Occasion::Manual | Occasion::Other))
    } else {
        None
    }
}

/// Whether an ordinary change touches files of a pattern; `None` when too much was compared before.
fn touches(pattern: &str, tree: &Tree) -> Option<bool> {
    tree.has_fitting(&[pattern], |path| !has_end(path, "md") && !path.starts_with("docs/"))
}
