//! `when` and `unless` of workflows and steps.

use std::rc::Rc;

use super::expression::{evaluate, fits, is_one};
use super::scope::{Run, Scope, Value, value};
use crate::yaml::Node;

/// Deepest conditions in each other.
const DEPTH_MAX: usize = 32;

/// Whether a condition holds, or why that is not known.
pub(super) fn holds<'a>(
    node: &'a Node,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
) -> Result<bool, String> {
    asked(node, scope, run, 0)
}

fn asked<'a>(
    node: &'a Node,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
    depth: usize,
) -> Result<bool, String> {
    if depth > DEPTH_MAX {
        return Err("its condition is too deep".to_owned());
    }
    if let Some(text) = node.text().filter(|text| is_one(text)) {
        return evaluate(text, scope, run).truth();
    }
    let Some(entry) = node.entries().first() else { return value(node, scope, run).truth() };
    let inner = &entry.value;
    match entry.key.as_str() {
        "and" => together(inner, scope, run, depth, false),
        "or" => together(inner, scope, run, depth, true),
        "not" => asked(inner, scope, run, depth + 1).map(|holds| !holds),
        "equal" => {
            let all: Vec<Value<'a>> =
                inner.items().iter().map(|item| value(item, scope, run)).collect();
            equal(&all)
        }
        "matches" => {
            let part = |key: &str| inner.get(key).map(|node| value(node, scope, run));
            let (Some(pattern), Some(text)) = (part("pattern"), part("value")) else {
                return Err("`matches` without a pattern and a value".to_owned());
            };
            match (pattern.text(), text.text()) {
                (Some(pattern), Some(text)) => fits(pattern.trim_matches('/'), &text, false),
                _ => Err(unknown(&[pattern, text])),
            }
        }
        key => Err(format!("the condition `{key}` is not understood")),
    }
}

/// `and` with false, `or` with true: what decides alone, or whether all do.
fn together<'a>(
    all: &'a Node,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
    depth: usize,
    decides: bool,
) -> Result<bool, String> {
    let mut unknown = None;
    for item in all.items() {
        match asked(item, scope, run, depth + 1) {
            Ok(holds) if holds == decides => return Ok(decides),
            Ok(_) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(!decides), Err)
}

fn equal(all: &[Value<'_>]) -> Result<bool, String> {
    let texts: Option<Vec<String>> = all.iter().map(Value::text).collect();
    match texts {
        Some(texts) => Ok(texts.windows(2).all(|two| two[0] == two[1])),
        None => Err(unknown(all)),
    }
}

fn unknown(all: &[Value<'_>]) -> String {
    let why = all.iter().find_map(|value| value.truth().err());
    why.unwrap_or_else(|| "a list is compared".to_owned())
}
