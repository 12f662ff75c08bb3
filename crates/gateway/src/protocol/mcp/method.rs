//! What a method is to a gateway. What is not named here does not pass.

use serde_json::{Map, Value};

use crate::protocol::mcp::family::Family;

/// What is to be done with a message by its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Passes: it says or asks nothing that a policy could be about.
    Plain,
    /// The list of tools: passes, and its answer is cut down to what is permitted.
    ListTools,
    /// A call of a tool: decided.
    Call,
    /// Decided, as the action of its own name.
    Action(&'static str),
    /// Passes if the action could be permitted at all.
    About(&'static str),
    /// About a prompt or a resource, as its `ref` says.
    Complete,
}

/// The action of reading a resource.
pub(crate) const READ: &str = "resources/read";
/// The action of having a prompt written.
pub(crate) const PROMPT: &str = "prompts/get";

/// What a client may send; `None` for what is not known.
pub(crate) fn of_client(family: Family, method: &str) -> Option<Kind> {
    Some(match (method, family) {
        ("tools/list", _) => Kind::ListTools,
        ("tools/call", _) => Kind::Call,
        ("resources/read", _) => Kind::Action(READ),
        ("prompts/get", _) => Kind::Action(PROMPT),
        ("resources/list" | "resources/templates/list", _)
        | ("resources/subscribe" | "resources/unsubscribe", Family::Session) => Kind::About(READ),
        ("prompts/list", _) => Kind::About(PROMPT),
        ("completion/complete", _) => Kind::Complete,
        ("initialize" | "ping" | "logging/setLevel", Family::Session)
        | ("server/discover" | "subscriptions/listen", Family::Stateless) => Kind::Plain,
        _ => return None,
    })
}

/// Notifications that a client may send.
pub(crate) fn is_client_note(family: Family, method: &str) -> bool {
    family == Family::Session
        && matches!(
            method,
            "notifications/initialized"
                | "notifications/cancelled"
                | "notifications/progress"
                | "notifications/roots/list_changed"
        )
}

/// What a server may ask its client; nothing from 2026-07-28 on, where questions are part of answers.
pub(crate) fn is_server_request(family: Family, method: &str) -> bool {
    family == Family::Session
        && matches!(method, "ping" | "roots/list" | "sampling/createMessage" | "elicitation/create")
}

/// What a server may tell its client.
pub(crate) fn is_server_note(method: &str) -> bool {
    matches!(
        method,
        "notifications/progress"
            | "notifications/message"
            | "notifications/cancelled"
            | "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated"
            | "notifications/elicitation/complete"
            | "notifications/subscriptions/acknowledged"
    )
}

/// Whether a tool of this name can be told from everything else that is decided. Names are for people and policies
/// to read: no spaces, nothing that cannot be seen.
pub(crate) fn is_tool_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(plain)
        && name != READ
        && name != PROMPT
}

/// Whether parameters of an action hold nothing but what is decided about: a field that nobody knows could be one that
/// the server acts on.
pub(crate) fn has_only_known(family: Family, params: &Map<String, Value>) -> bool {
    params.keys().all(|key| match key.as_str() {
        "name" | "uri" | "arguments" | "_meta" => true,
        "inputResponses" | "requestState" => family == Family::Stateless,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_does_not_pass() {
        for method in ["tasks/get", "tasks/result", "tools/Call", "", "sampling/createMessage"] {
            for family in [Family::Session, Family::Stateless] {
                assert_eq!(of_client(family, method), None, "{method}");
            }
        }
        assert_eq!(of_client(Family::Stateless, "initialize"), None);
        assert_eq!(of_client(Family::Session, "server/discover"), None);
        assert!(!is_client_note(Family::Stateless, "notifications/cancelled"));
        assert!(!is_server_request(Family::Stateless, "sampling/createMessage"));
    }

    #[test]
    fn no_tool_is_called_like_another_action() {
        assert!(is_tool_name("get-sum") && is_tool_name("files/read.v2"));
        for bad in ["resources/read", "prompts/get", "", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(!is_tool_name(bad), "{bad}");
        }
    }
}
