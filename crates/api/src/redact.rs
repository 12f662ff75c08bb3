//! What a change of configuration says once it is written down: headers and bodies of requests may hold secrets and
//! people's data, so digests stand in their place.

use lockgate_model::config::Change;
use lockgate_model::version::Digest;
use serde_json::Value;

/// The parts of a request, and of what is expected of its answer, that are not written down.
const HIDDEN: [&str; 3] = ["headers", "body", "expect"];

/// The changes with digests for what is hidden: two of the same digest are the same text.
pub(crate) fn changes(changes: &[Change]) -> Vec<Change> {
    let redacted = |change: &Change| {
        let hides = change.path.split('.').any(|part| HIDDEN.contains(&part));
        let part = |value: &Option<Value>| {
            value.clone().map(|value| if hides { digested(value) } else { sought(value) })
        };
        Change { path: change.path.clone(), from: part(&change.from), to: part(&change.to) }
    };
    changes.iter().map(redacted).collect()
}

/// Hides what is to be hidden in a value.
fn sought(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sought).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let hides = HIDDEN.contains(&name.as_str());
                (name, if hides { digested(value) } else { sought(value) })
            })
            .collect(),
        other => other,
    }
}

/// The same shape, with a digest in place of each text and number.
fn digested(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(digested).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, digested(value))).collect()
        }
        Value::String(text) => Digest::of(text.as_bytes()).as_str().into(),
        Value::Number(number) => Digest::of(number.to_string().as_bytes()).as_str().into(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_and_bodies_stand_as_digests_wherever_they_are() {
        let probe = |secret: &str| {
            json!({ "name": "p", "request": {
                "path": "/ask", "headers": { "authorization": secret }, "body": secret,
            }, "expect": { "status": 200, "contains": [secret] } })
        };
        let change = |path: &str, from: Value, to: Value| Change {
            path: path.to_owned(),
            from: Some(from),
            to: Some(to),
        };
        let told = changes(&[
            change("agents.a.probes.set", json!([probe("hush 1")]), json!([probe("hush 2")])),
            change("agents.a.probes.set.p.request.headers.x-key", json!("hush 1"), json!("hush 2")),
            change("agents.a.probes.set.p.request.body", json!("hush 1"), json!("hush 2")),
            change("plans.p.stages.test.weight_bp", json!(1), json!(2)),
        ]);
        let text = serde_json::to_string(&told).expect("it is JSON");
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("/ask") && text.contains("authorization"), "{text}");
        assert_eq!(told[3].to, Some(json!(2)));
        let first = told[0].from.as_ref().and_then(|from| from.pointer("/0/request/body"));
        assert_eq!(first, told[2].from.as_ref(), "the same text has the same digest");
    }
}
