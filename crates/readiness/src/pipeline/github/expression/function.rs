//! Comparisons and functions of expressions.

use super::super::number;
use super::{Names, Value};

/// Whether two values are equal, or the way in which that is not known.
pub(super) fn equal(left: &Value, right: &Value, names: &dyn Names) -> Result<bool, Value> {
    if let Some(unknown) = left.unknown().or(right.unknown()) {
        return Err(unknown);
    }
    match (left, right) {
        (Value::Repository, Value::Repository)
        | (Value::Owner, Value::Owner)
        | (Value::Person, Value::Person) => Ok(true),
        (Value::Null, Value::Repository | Value::Owner | Value::Person | Value::Something)
        | (Value::Repository | Value::Owner | Value::Person | Value::Something, Value::Null) => {
            Ok(false)
        }
        (Value::Repository, Value::Text(text)) | (Value::Text(text), Value::Repository) => {
            called(&text.to_lowercase(), names)
        }
        (Value::Owner, Value::Text(text)) | (Value::Text(text), Value::Owner) => {
            called(&format!("{}/", text.to_lowercase()), names)
        }
        // An ordinary person is nobody who is named.
        (Value::Person, Value::Text(_)) | (Value::Text(_), Value::Person) => Ok(false),
        (Value::Something, Value::Text(text)) | (Value::Text(text), Value::Something)
            if text.is_empty() =>
        {
            Ok(false)
        }
        (Value::OneOf(all), Value::Text(text)) | (Value::Text(text), Value::OneOf(all)) => {
            if all.contains(text) { Err(Value::Open) } else { Ok(false) }
        }
        (Value::Number(_), _) | (_, Value::Number(_)) | (Value::Null, Value::Bool(_)) => {
            equal_numbers(left, right)
        }
        (Value::Bool(_), Value::Null) => equal_numbers(left, right),
        _ => match (left.text(), right.text()) {
            (Some(left), Some(right)) => Ok(left.eq_ignore_ascii_case(&right)),
            _ => Err(Value::Unknown),
        },
    }
}

/// Values of two kinds are compared as numbers.
#[expect(clippy::float_cmp, reason = "as GitHub compares them")]
fn equal_numbers(left: &Value, right: &Value) -> Result<bool, Value> {
    match (number::of(left), number::of(right)) {
        (Some(left), Some(right)) => Ok(left == right),
        _ => Err(Value::Unknown),
    }
}

/// Whether this repository has a name; that it has another one no file shows.
fn called(name: &str, names: &dyn Names) -> Result<bool, Value> {
    let is_name = name.split_once('/').is_some_and(|(owner, _)| !owner.is_empty());
    match is_name {
        true if names.is_called(name) => Ok(true),
        true => Err(Value::Unknown),
        false => Ok(false),
    }
}

pub(super) fn ordered(sign: &str, left: &Value, right: &Value) -> Value {
    if let Some(unknown) = left.unknown().or(right.unknown()) {
        return unknown;
    }
    match (number::of(left), number::of(right)) {
        (Some(left), Some(right)) => Value::Bool(match sign {
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            _ => left >= right,
        }),
        _ => Value::Unknown,
    }
}

pub(super) fn call(name: &str, arguments: &[Value], names: &dyn Names) -> Value {
    match (name, arguments) {
        ("success" | "always", []) => Value::Bool(true),
        ("failure" | "cancelled", []) => Value::Bool(false),
        ("contains", [Value::List(items), needle]) => {
            let found: Vec<_> = items.iter().map(|item| equal(item, needle, names)).collect();
            if found.contains(&Ok(true)) {
                Value::Bool(true)
            } else {
                found.into_iter().find_map(Result::err).unwrap_or(Value::Bool(false))
            }
        }
        ("contains" | "startswith" | "endswith", [left, right]) => {
            holds_part(name, left, right, names)
        }
        ("format", [Value::Text(pattern), values @ ..]) => {
            let mut out = pattern.clone();
            for (i, value) in values.iter().enumerate() {
                let Some(value) = value.text() else { return Value::Unknown };
                out = out.replace(&format!("{{{i}}}"), &value);
            }
            // A pattern must not grow into something large.
            if out.len() > 64 * 1024 { Value::Unknown } else { Value::Text(out) }
        }
        ("fromjson", [Value::Text(text)]) => from_json(text),
        ("tojson", [Value::List(items)]) => {
            let texts: Option<Vec<String>> = items.iter().map(Value::text).collect();
            texts.map_or(Value::Unknown, |texts| Value::Text(texts.join(", ")))
        }
        ("tojson", [value]) => value.text().map_or(Value::Unknown, Value::Text),
        // Of files that are not there, some step may make them.
        ("hashfiles", [_, ..]) => {
            let texts: Option<Vec<String>> = arguments.iter().map(Value::text).collect();
            let is_there = texts.is_some_and(|all| all.iter().any(|one| names.has_file(one)));
            if is_there { Value::Something } else { Value::Unknown }
        }
        ("fromjson", [value]) => value.unknown().unwrap_or(Value::Unknown),
        _ => Value::Unknown,
    }
}

/// Whether a text has another in it, at its beginning or at its end.
fn holds_part(how: &str, left: &Value, right: &Value, names: &dyn Names) -> Value {
    match (left, right.text().map(|text| text.to_lowercase())) {
        (Value::Person, Some(_)) => Value::Bool(false),
        (Value::Repository, Some(text)) if how == "startswith" && text.ends_with('/') => {
            called(&text, names).map_or_else(|unknown| unknown, Value::Bool)
        }
        (_, Some(right)) if left.text().is_some() => {
            let left = left.text().unwrap_or_default().to_lowercase();
            Value::Bool(match how {
                "contains" => left.contains(&right),
                "startswith" => left.starts_with(&right),
                _ => left.ends_with(&right),
            })
        }
        _ => left.unknown().or(right.unknown()).unwrap_or(Value::Unknown),
    }
}

fn from_json(text: &str) -> Value {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => json(&value),
        Err(_) => Value::Unknown,
    }
}

fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Text(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(json).collect()),
        serde_json::Value::Object(_) => Value::Unknown,
    }
}
