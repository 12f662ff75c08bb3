//! To which interaction of a user a call belongs, as far as the agent says so.

use http::HeaderMap;
use lockgate_model::ids::InteractionId;
use lockgate_model::ledger::Link;
use serde_json::{Map, Value};

use crate::ingress::headers::{INTERACTION, TRACEPARENT, trace_of};

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linked {
    pub(crate) how: Link,
    /// The interaction that the agent named.
    pub(crate) interaction: Option<InteractionId>,
    /// The trace's id.
    pub(crate) trace: Option<String>,
}

/// Reads it from a request. Two places that name different interactions name none.
pub(crate) fn of(headers: &HeaderMap, params: &Map<String, Value>) -> Linked {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let meta = |name: &str| params.get("_meta")?.get(name)?.as_str();
    let said: Vec<InteractionId> = [header(INTERACTION), meta(INTERACTION.as_str())]
        .into_iter()
        .flatten()
        .filter_map(|text| text.trim().parse().ok())
        .collect();
    let interaction = match said[..] {
        [one] => Some(one),
        [one, other] if one == other => Some(one),
        _ => None,
    };
    // The body is closer to the call than headers, which a client may send for all its calls.
    let trace = [meta(TRACEPARENT.as_str()), header(TRACEPARENT)]
        .into_iter()
        .flatten()
        .find_map(|text| trace_of(text).map(|(trace, _)| trace.to_owned()));
    let how = match (interaction, &trace) {
        (Some(_), _) => Link::Explicit,
        (None, Some(_)) => Link::Trace,
        (None, None) => Link::None,
    };
    Linked { how, interaction, trace }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0190a1b2-0000-7000-8000-000000000001";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn linked(header: Option<&str>, meta: &Value) -> Linked {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(INTERACTION, value.parse().unwrap());
        }
        of(&headers, json!({ "_meta": meta }).as_object().unwrap())
    }

    #[test]
    fn a_word_of_the_agent_comes_before_a_trace() {
        let trace = json!({ "traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01") });
        let explicit = linked(Some(ID), &trace);
        assert_eq!(explicit.how, Link::Explicit);
        assert_eq!(explicit.interaction.map(|id| id.to_string()).as_deref(), Some(ID));
        assert_eq!(explicit.trace.as_deref(), Some(TRACE));
        assert_eq!(linked(None, &json!({ "lockgate-interaction": ID })).how, Link::Explicit);
        assert_eq!(linked(None, &trace).how, Link::Trace);
        assert_eq!(linked(None, &json!({})).how, Link::None);
        assert_eq!(linked(Some("x"), &json!({ "traceparent": "00-1-2-3" })).how, Link::None);
    }

    #[test]
    fn two_words_that_differ_are_none() {
        let other = json!({ "lockgate-interaction": ID.replace('1', "2") });
        assert_eq!(linked(Some(ID), &other).how, Link::None);
        assert_eq!(linked(Some(ID), &json!({ "lockgate-interaction": ID })).how, Link::Explicit);
    }
}
