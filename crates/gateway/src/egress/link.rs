//! To which interaction of a user a call belongs, as far as the agent says so.

use http::{HeaderMap, HeaderName};
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
    /// Whether nothing is said about it, not even anything that cannot be read or holds for nobody.
    pub(crate) is_silent: bool,
}

/// Reads it from a request. Two places that name different interactions name none.
pub(crate) fn of(headers: &HeaderMap, params: &Map<String, Value>) -> Linked {
    let meta = params.get("_meta").and_then(Value::as_object);
    told(headers, meta.as_slice())
}

/// The same where a request says it in these places of its body.
pub(crate) fn told(headers: &HeaderMap, places: &[&Map<String, Value>]) -> Linked {
    let is_told = |name: &HeaderName| {
        headers.contains_key(name) || places.iter().any(|said| said.contains_key(name.as_str()))
    };
    let is_silent = !is_told(&INTERACTION) && !is_told(&TRACEPARENT);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let in_places =
        |name: HeaderName| places.iter().filter_map(move |said| said.get(name.as_str())?.as_str());
    let said: Vec<InteractionId> = header(INTERACTION)
        .into_iter()
        .chain(in_places(INTERACTION))
        .filter_map(|text| text.trim().parse().ok())
        .collect();
    let interaction = said.first().copied().filter(|one| said.iter().all(|other| other == one));
    // The body is closer to the call than headers, which a client may send for all its calls.
    let trace = in_places(TRACEPARENT)
        .chain(header(TRACEPARENT))
        .find_map(|text| trace_of(text).map(|(trace, _)| trace.to_owned()));
    let how = match (interaction, &trace) {
        (Some(_), _) => Link::Explicit,
        (None, Some(_)) => Link::Trace,
        (None, None) => Link::None,
    };
    Linked { how, interaction, trace, is_silent }
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
        let unreadable = linked(Some("x"), &json!({ "traceparent": "00-1-2-3" }));
        assert_eq!(unreadable.how, Link::None);
    }

    #[test]
    fn only_who_says_nothing_at_all_is_silent() {
        let id = json!({ "lockgate-interaction": ID });
        for (header, meta, silent) in [
            (None, json!({}), true),
            (None, json!({ "progressToken": 1 }), true),
            (Some("x"), json!({}), false),
            (None, json!({ "traceparent": "00-1-2-3" }), false),
            (None, json!({ "lockgate-interaction": 7 }), false),
            (Some(ID), id.clone(), false),
            (Some("0190a1b2-0000-7000-8000-000000000002"), id, false),
        ] {
            assert_eq!(linked(header, &meta).is_silent, silent, "{header:?} {meta}");
        }
    }

    #[test]
    fn two_words_that_differ_are_none() {
        let other = json!({ "lockgate-interaction": ID.replace('1', "2") });
        assert_eq!(linked(Some(ID), &other).how, Link::None);
        assert_eq!(linked(Some(ID), &json!({ "lockgate-interaction": ID })).how, Link::Explicit);
        let (same, other) = (json!({ "lockgate-interaction": ID }), other);
        let in_places = |places: &[&Value]| {
            let places: Vec<_> = places.iter().map(|place| place.as_object().unwrap()).collect();
            told(&HeaderMap::new(), &places).how
        };
        assert_eq!(in_places(&[&same, &same]), Link::Explicit);
        assert_eq!(in_places(&[&same, &other]), Link::None);
        assert_eq!(in_places(&[&json!({}), &same]), Link::Explicit);
    }
}
