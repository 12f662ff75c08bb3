//! Which conversation a request belongs to.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};
use lockgate_model::agent::Protocol;

use super::super::{PEEK_BYTES_MAX, request_ids, request_wants_body};
use super::{JSON, headers};

fn id(protocol: Protocol, path: &str, body: &str) -> Option<String> {
    request_ids(protocol, path, &headers(JSON, ""), Some(body.as_bytes())).conversation
}

#[test]
fn a2a_requests_name_context_or_task() {
    let cases = [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","taskId":"t","contextId":"c","parts":[{"data":{"contextId":"no"}}]}}}"#,
            Some("c"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","taskId":"t"}}}"#,
            Some("t"),
        ),
        (r#"{"jsonrpc":"2.0","id":"rpc","method":"GetTask","params":{"id":"t"}}"#, Some("t")),
        (r#"{"message":{"messageId":"m","contextId":"c"}}"#, Some("c")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m"}}}"#,
            None,
        ),
        (r#"{"params":{"message":{"contextId":""}}}"#, None),
        (r#"{"params":{"message":{"contextId":7}}}"#, None),
        ("[]", None),
        ("", None),
    ];
    for (body, expected) in cases {
        assert_eq!(id(Protocol::A2a, "/a2a", body).as_deref(), expected, "{body}");
    }
    assert_eq!(id(Protocol::A2a, "/v1/tasks/t-9:cancel?x=1", "").as_deref(), Some("t-9"));
    assert_eq!(id(Protocol::A2a, "/v1/message:send", ""), None);
}

#[test]
fn responses_name_a_conversation_or_the_response_before() {
    let cases = [
        (
            r#"{"model":"m","conversation":"conv_1","input":"{\"conversation\":\"no\"}"}"#,
            Some("conv_1"),
        ),
        (r#"{"conversation":{"id":"conv_2"},"previous_response_id":null}"#, Some("conv_2")),
        (r#"{"previous_response_id":"resp_3","input":[{"conversation":"no"}]}"#, Some("resp_3")),
        (r#"{"previous_response_id":"resp_3","conversation":"conv_3"}"#, Some("conv_3")),
        (r#"{"conversation":null}"#, None),
        (r#"{"input":"hello"}"#, None),
    ];
    for protocol in [Protocol::Openai, Protocol::Auto] {
        for (body, expected) in cases {
            assert_eq!(id(protocol, "/v1/responses", body).as_deref(), expected, "{body}");
        }
    }
    for (path, expected) in [
        ("/v1/responses/resp_1", Some("resp_1")),
        ("/v1/responses/resp_1/cancel", Some("resp_1")),
        ("/v1/conversations/conv_1/items?limit=2", Some("conv_1")),
        ("/v1/responses", None),
        ("/v1/responses/", None),
    ] {
        assert_eq!(id(Protocol::Auto, path, "").as_deref(), expected, "{path}");
    }
    assert_eq!(id(Protocol::Auto, "/survey/responses/17", ""), None);
    assert_eq!(id(Protocol::Http, "/v1/responses", cases[0].0), None);
}

#[test]
fn mcp_names_its_session_in_a_header() {
    let mut headers = headers(JSON, "");
    headers.insert("mcp-session-id", "s-1".parse().unwrap());
    let of = |protocol| request_ids(protocol, "/mcp", &headers, None).conversation;
    assert_eq!(of(Protocol::Mcp).as_deref(), Some("s-1"));
    assert_eq!(of(Protocol::Auto).as_deref(), Some("s-1"));
    assert_eq!(of(Protocol::Http), None);
}

#[test]
fn ids_have_a_length_and_a_place() {
    let body = |id: &str| format!(r#"{{"conversation":"{id}"}}"#);
    let longest = "x".repeat(256);
    assert_eq!(id(Protocol::Openai, "/v1/responses", &body(&longest)), Some(longest.clone()));
    assert_eq!(id(Protocol::Openai, "/v1/responses", &body(&format!("{longest}x"))), None);
    let far = format!(r#"{{"input":"{}","conversation":"c"}}"#, "x".repeat(PEEK_BYTES_MAX));
    assert_eq!(id(Protocol::Openai, "/v1/responses", &far), None);
    let cut = format!(r#"{{"conversation":"c","input":"{}"#, "x".repeat(PEEK_BYTES_MAX * 2));
    assert_eq!(id(Protocol::Openai, "/v1/responses", &cut).as_deref(), Some("c"));
    let escaped = r#"{"conversation":"\u0063onv\n"}"#;
    assert_eq!(id(Protocol::Openai, "/v1/responses", escaped).as_deref(), Some("conv\n"));
}

#[test]
fn only_bodies_that_can_hold_ids_are_wanted() {
    let json = headers(JSON, "");
    let wants = |protocol, method: &Method, path| request_wants_body(protocol, method, path, &json);
    assert!(wants(Protocol::Auto, &Method::POST, "/v1/responses?a=b"));
    assert!(wants(Protocol::Openai, &Method::POST, "/v1/responses/"));
    assert!(wants(Protocol::A2a, &Method::POST, "/"));
    assert!(!wants(Protocol::A2a, &Method::GET, "/"));
    assert!(!wants(Protocol::Auto, &Method::POST, "/v1/chat/completions"));
    for protocol in [Protocol::Http, Protocol::Anthropic, Protocol::Mcp] {
        assert!(!wants(protocol, &Method::POST, "/v1/responses"));
    }
    let mut other = HeaderMap::new();
    assert!(!request_wants_body(Protocol::A2a, &Method::POST, "/", &other));
    other.insert(CONTENT_TYPE, "application/a2a+json; charset=utf-8".parse().unwrap());
    assert!(request_wants_body(Protocol::A2a, &Method::POST, "/", &other));
    other.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    assert!(!request_wants_body(Protocol::A2a, &Method::POST, "/", &other));
}
