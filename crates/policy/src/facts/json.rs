//! The shape of any JSON value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Decided, Fact, Kind, Shape, long};

/// Levels of lists and objects in each other.
pub(super) const DEPTH_MAX: usize = 64;

/// Values whose paths are told; a larger value has none.
pub(super) const PATHS_MAX: usize = 1024;

/// All paths together.
pub(super) const PATHS_BYTES_MAX: usize = 64 * 1024;

/// - `depth`: levels of lists and objects; 0 for anything else
/// - `kind`: `object`, `array`, `text`, `number`, `bool` or `null`
/// - `names`: of the members of an object
/// - `paths`: a JSON pointer (RFC 6901) to every value in it
pub(super) const FACTS: Shape =
    &[("depth", Kind::Long), ("kind", Kind::Text), ("names", Kind::Texts), ("paths", Kind::Texts)];

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let depth = depth(argument);
    vec![
        depth.map(long).into(),
        Fact::Text(kind(argument).to_owned()),
        names(argument).into(),
        depth.and_then(|_| paths(argument)).into(),
    ]
}

/// Whether walking through it could use up the stack.
pub(super) fn is_too_deep(value: &Value) -> bool {
    depth(value).is_err()
}

fn depth(value: &Value) -> Decided<usize> {
    let mut deepest = 0;
    let mut left = vec![(value, 0)];
    while let Some((value, above)) = left.pop() {
        let inside = above + 1;
        match value {
            Value::Array(items) => left.extend(items.iter().map(|item| (item, inside))),
            Value::Object(members) => left.extend(members.values().map(|item| (item, inside))),
            _ => continue,
        }
        deepest = deepest.max(inside);
        if deepest > DEPTH_MAX {
            return Err("too deep");
        }
    }
    Ok(deepest)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn names(value: &Value) -> Decided<BTreeSet<String>> {
    let Value::Object(members) = value else { return Err("not an object") };
    if members.len() > PATHS_MAX || members.keys().map(String::len).sum::<usize>() > PATHS_BYTES_MAX
    {
        return Err("too long");
    }
    Ok(members.keys().cloned().collect())
}

fn paths(value: &Value) -> Decided<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut bytes = 0;
    let mut left = vec![(value, String::new())];
    while let Some((value, at)) = left.pop() {
        let mut step = |name: &str, inner| -> Decided<()> {
            let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            bytes += path.len();
            if found.len() == PATHS_MAX || bytes > PATHS_BYTES_MAX {
                return Err("too long");
            }
            found.insert(path.clone());
            left.push((inner, path));
            Ok(())
        };
        match value {
            Value::Array(items) => {
                items.iter().enumerate().try_for_each(|(at, item)| step(&at.to_string(), item))?;
            }
            Value::Object(members) => {
                members.iter().try_for_each(|(name, member)| step(name, member))?;
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_has_a_path() {
        let facts = extract(&json!({"a/b": [1, {"~": null}], "c": {}}));
        let paths = ["/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/~0", "/c"].map(str::to_owned);
        assert_eq!(facts[0], Fact::Long(3));
        assert_eq!(facts[1], Fact::Text("object".to_owned()));
        assert_eq!(facts[2], Fact::Texts(["a/b", "c"].map(str::to_owned).into()));
        assert_eq!(facts[3], Fact::Texts(paths.into()));
    }

    #[test]
    fn what_is_too_large_is_not_walked() {
        let deep = (0..=DEPTH_MAX).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(extract(&deep)[0], Fact::Unknown("too deep"));
        assert_eq!(extract(&deep)[3], Fact::Unknown("too deep"));
        assert_eq!(extract(&json!(vec![0; PATHS_MAX + 1]))[3], Fact::Unknown("too long"));
        assert_eq!(extract(&json!("x"))[2], Fact::Unknown("not an object"));
    }
}
