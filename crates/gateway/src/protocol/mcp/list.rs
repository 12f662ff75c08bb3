//! Cutting a list of tools down.

use serde_json::Value;

/// Leaves in the result of `tools/list` only tools that `shows`, by name and entry. What has no name is no tool. Pages stay pages: a
/// shorter one still says where the next begins. From then on it is nobody else's list.
pub(crate) fn cut_down(result: &mut Value, shows: impl Fn(&str, &Value) -> bool) {
    let Some(fields) = result.as_object_mut() else { return };
    if let Some(tools) = fields.get_mut("tools") {
        if let Value::Array(tools) = tools {
            tools.retain(|tool| {
                let name = tool.get("name").and_then(Value::as_str);
                name.is_some_and(|name| shows(name, tool))
            });
        } else {
            // Nobody knows what a client would make of it.
            *tools = Value::Array(Vec::new());
        }
    }
    if fields.contains_key("cacheScope") || fields.contains_key("ttlMs") {
        fields.insert("cacheScope".into(), "private".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_shown_is_gone_and_the_rest_stays_as_it_is() {
        let mut result = json!({
            "tools": [{ "name": "read", "x": 1 }, { "name": "write" }, { "title": "no name" }, 7],
            "nextCursor": "p2", "ttlMs": 1000, "cacheScope": "public", "_meta": { "a": 1 },
        });
        cut_down(&mut result, |name, _| name == "read");
        assert_eq!(
            result,
            json!({
                "tools": [{ "name": "read", "x": 1 }], "nextCursor": "p2", "ttlMs": 1000,
                "cacheScope": "private", "_meta": { "a": 1 },
            })
        );
        let mut odd = json!({ "tools": { "name": "write" } });
        cut_down(&mut odd, |_, _| true);
        assert_eq!(odd, json!({ "tools": [] }));
    }
}
