//! Functions of Azure Pipelines' expressions that ask nothing of what ran before.

use super::expression::Value;
use super::view::View;

/// Longest text that a function may make, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a function comes to; none for one that is not known.
pub(super) fn call<'a>(name: &str, arguments: &[Value<'a>]) -> Option<Value<'a>> {
    Some(match (name, arguments) {
        ("and", all) => together(all, false),
        ("or", all) => together(all, true),
        ("not", [one]) => one.truth().map_or_else(Value::Unknown, |value| Value::Bool(!value)),
        ("xor", [a, b]) => match (a.truth(), b.truth()) {
            (Ok(a), Ok(b)) => Value::Bool(a != b),
            (Err(why), _) | (_, Err(why)) => Value::Unknown(why),
        },
        ("eq", [a, b]) => told(equal(a, b), false),
        ("ne", [a, b]) => told(equal(a, b), true),
        ("in", [one, rest @ ..]) => any_of(one, rest, false),
        ("notin", [one, rest @ ..]) => any_of(one, rest, true),
        ("containsvalue", [all, one]) => match items(all) {
            Some(items) => any_of(one, &items, false),
            None => Value::Unknown(all.why()),
        },
        ("startswith" | "endswith" | "contains", [a, b]) => compared(name, a, b),
        ("gt" | "ge" | "lt" | "le", [a, b]) => ordered(name, a, b),
        ("coalesce", all) => {
            let first = all.iter().find(|value| {
                !matches!(value, Value::Null)
                    && !matches!(value, Value::Text(text) if text.is_empty())
            });
            first.cloned().unwrap_or(Value::Null)
        }
        ("iif", [condition, yes, no]) => match condition.truth() {
            Ok(true) => yes.clone(),
            Ok(false) => no.clone(),
            Err(why) => Value::Unknown(why),
        },
        ("length", [one]) => match (items(one), one.text()) {
            (Some(items), _) => Value::Text(items.len().to_string()),
            (None, Some(text)) => Value::Text(text.chars().count().to_string()),
            (None, None) => Value::Unknown(one.why()),
        },
        _ => return texts(name, arguments),
    })
}

/// Functions from texts to a text.
fn texts<'a>(name: &str, arguments: &[Value<'a>]) -> Option<Value<'a>> {
    let known: Option<Vec<String>> = arguments.iter().map(Value::text).collect();
    let is_known = matches!(
        name,
        "lower"
            | "upper"
            | "trim"
            | "replace"
            | "format"
            | "split"
            | "join"
            | "counter"
            | "converttojson"
    );
    if !is_known {
        return None;
    }
    if name == "join" {
        return Some(joined(arguments));
    }
    let Some(known) = known else {
        return Some(Value::Unknown(arguments.iter().find(|one| one.text().is_none())?.why()));
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let made = match (name, known.as_slice()) {
        ("lower", [text]) => text.to_lowercase(),
        ("upper", [text]) => text.to_uppercase(),
        ("trim", [text]) => text.trim().to_owned(),
        ("replace", [text, from, to]) if !from.is_empty() => text.replace(from, to),
        ("format", [pattern, values @ ..]) => {
            let mut made = (*pattern).to_owned();
            for (i, value) in values.iter().enumerate() {
                made = made.replace(&format!("{{{i}}}"), value);
                if made.len() > TEXT_BYTES_MAX {
                    return Some(unknown_text());
                }
            }
            made
        }
        ("split", [text, by]) if !by.is_empty() => {
            let parts = text.split(by).map(|part| Value::Text(part.to_owned()));
            return Some(Value::List(parts.collect()));
        }
        ("counter" | "converttojson", _) => return Some(unknown_text()),
        _ => return None,
    };
    Some(if made.len() > TEXT_BYTES_MAX { unknown_text() } else { Value::Text(made) })
}

fn joined<'a>(arguments: &[Value<'a>]) -> Value<'a> {
    let [by, all] = arguments else { return unknown_text() };
    let parts: Option<Vec<String>> =
        items(all).and_then(|items| items.iter().map(Value::text).collect());
    match (by.text(), parts) {
        (Some(by), Some(parts)) => Value::Text(parts.join(&by)),
        _ => unknown_text(),
    }
}

/// The values of a list.
fn items<'a>(value: &Value<'a>) -> Option<Vec<Value<'a>>> {
    match value {
        Value::List(items) => Some(items.clone()),
        Value::Part(part) if part.is_list() => Some(part.items().iter().map(View::value).collect()),
        Value::Part(part) => Some(part.entries().iter().map(|(_, value)| value.value()).collect()),
        _ => None,
    }
}

/// `and` with false, `or` with true: what decides alone, or whether all do.
fn together<'a>(all: &[Value<'a>], decides: bool) -> Value<'a> {
    let mut unknown = None;
    for value in all {
        match value.truth() {
            Ok(value) if value == decides => return Value::Bool(decides),
            Ok(_) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Value::Bool(!decides), Value::Unknown)
}

fn told<'a>(result: Result<bool, String>, turned: bool) -> Value<'a> {
    result.map_or_else(Value::Unknown, |value| Value::Bool(value != turned))
}

fn any_of<'a>(one: &Value<'a>, all: &[Value<'a>], turned: bool) -> Value<'a> {
    let mut unknown = None;
    for other in all {
        match equal(one, other) {
            Ok(true) => return Value::Bool(!turned),
            Ok(false) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Value::Bool(turned), Value::Unknown)
}

/// Without regard to the case of letters, as Azure Pipelines compares.
fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    let bare = |text: &str| text.strip_prefix("refs/heads/").unwrap_or(text).to_lowercase();
    match (a, b, a.text(), b.text()) {
        (Value::Branch(_), _, Some(a), Some(b)) | (_, Value::Branch(_), Some(a), Some(b)) => {
            Ok(bare(&a) == bare(&b))
        }
        (_, _, Some(a), Some(b)) => Ok(a.to_lowercase() == b.to_lowercase()),
        (_, _, None, _) => Err(a.why()),
        (_, _, _, None) => Err(b.why()),
    }
}

fn compared<'a>(name: &str, a: &Value<'a>, b: &Value<'a>) -> Value<'a> {
    let (Some(left), Some(right)) = (a.text(), b.text()) else {
        return Value::Unknown(if a.text().is_none() { a.why() } else { b.why() });
    };
    let (mut left, mut right) = (left.to_lowercase(), right.to_lowercase());
    if matches!(a, Value::Branch(_)) {
        // Whether the prefix is there depends on the forge; what is asked behind it does not.
        left = format!("refs/heads/{left}");
        if !right.starts_with("refs/") && name == "startswith" {
            right = format!("refs/heads/{right}");
        }
    }
    Value::Bool(match name {
        "startswith" => left.starts_with(&right),
        "endswith" => left.ends_with(&right),
        _ => left.contains(&right),
    })
}

fn ordered<'a>(name: &str, a: &Value<'a>, b: &Value<'a>) -> Value<'a> {
    let number = |value: &Value<'_>| value.text().and_then(|text| text.parse::<f64>().ok());
    let (Some(left), Some(right)) = (number(a), number(b)) else {
        return Value::Unknown(format!("`{name}` compares what is not in the files"));
    };
    Value::Bool(match name {
        "gt" => left > right,
        "ge" => left >= right,
        "lt" => left < right,
        _ => left <= right,
    })
}

/// A text of which a part is not in the files.
pub(super) fn unknown_text<'a>() -> Value<'a> {
    Value::Unknown("a part of it is only known when it runs".to_owned())
}
