//! What an answer says of how its task stands.

use serde_json::Value;

/// How something stands that an agent was given to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It is done.
    Done,
    /// It failed, was refused or cancelled.
    Failed,
    /// It waits for whoever asked.
    Waits,
    /// It goes on.
    GoesOn,
}

impl Stands {
    /// By a result, or one of a stream of them. What says nothing of it goes on.
    pub(crate) fn of(result: &Value) -> Self {
        // A message is an answer by itself.
        if result.get("message").is_some()
            || result.get("kind").is_some_and(|kind| kind == "message")
        {
            return Self::Done;
        }
        let of = ["task", "statusUpdate"].into_iter().find_map(|name| result.get(name));
        let state = of.unwrap_or(result).get("status").and_then(|status| status.get("state"));
        let state = state.and_then(Value::as_str).unwrap_or_default();
        // Words of 1.0 and of 0.3.
        let word = state.strip_prefix("TASK_STATE_").unwrap_or(state);
        match word.to_ascii_uppercase().replace('-', "_").as_str() {
            "COMPLETED" => Self::Done,
            "FAILED" | "REJECTED" | "CANCELED" => Self::Failed,
            "INPUT_REQUIRED" | "AUTH_REQUIRED" => Self::Waits,
            _ => Self::GoesOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_versions_say_how_it_stands() {
        let status = |state: &str| json!({ "state": state });
        for (result, stands) in [
            (json!({ "message": {} }), Stands::Done),
            (json!({ "kind": "message", "parts": [] }), Stands::Done),
            (
                json!({ "task": { "id": "t", "status": status("TASK_STATE_COMPLETED") } }),
                Stands::Done,
            ),
            (
                json!({ "task": { "id": "t", "status": status("TASK_STATE_WORKING") } }),
                Stands::GoesOn,
            ),
            (json!({ "statusUpdate": { "status": status("TASK_STATE_FAILED") } }), Stands::Failed),
            (
                json!({ "statusUpdate": { "status": status("TASK_STATE_INPUT_REQUIRED") } }),
                Stands::Waits,
            ),
            (json!({ "kind": "status-update", "status": status("canceled") }), Stands::Failed),
            (
                json!({ "kind": "task", "id": "t", "status": status("auth-required") }),
                Stands::Waits,
            ),
            (json!({ "artifactUpdate": { "artifact": {} } }), Stands::GoesOn),
            (json!({ "id": "t", "status": 7 }), Stands::GoesOn),
            (json!(null), Stands::GoesOn),
        ] {
            assert_eq!(Stands::of(&result), stands, "{result}");
        }
    }
}
