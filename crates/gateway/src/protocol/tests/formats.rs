//! What the real shapes tell.

use lockgate_model::agent::Protocol;
use lockgate_model::interaction::{ServiceTier, Usage};
use proptest::prelude::*;

use super::super::{Scanned, Scanner};
use super::bodies::*;
use super::{Answer, JSON, SSE, headers, usage};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// Without any reasoning, as the answer says.
fn thoughtless(usage: Usage) -> Usage {
    Usage { reasoning_tokens: Some(0), ..usage }
}

fn answers() -> Vec<(Answer, &'static str)> {
    let new = Answer::new;
    vec![
        (new(Protocol::Auto, CHAT, JSON), CHAT_JSON),
        (new(Protocol::Openai, "/", SSE), CHAT_SSE),
        (new(Protocol::Auto, RESPONSES, JSON), RESPONSE_JSON),
        (new(Protocol::Openai, "/", SSE), RESPONSE_SSE),
        (new(Protocol::Auto, MESSAGES, JSON), MESSAGE_JSON),
        (new(Protocol::Anthropic, "/", SSE), MESSAGE_SSE),
        (new(Protocol::A2a, "/", JSON), A2A_JSON),
        (new(Protocol::A2a, "/", SSE), A2A_SSE),
        (new(Protocol::A2a, "/", SSE), A2A_OLD_SSE),
        (new(Protocol::Mcp, "/mcp", SSE), MCP_SSE),
    ]
}

#[test]
fn chat_completions_as_json() {
    for protocol in [Protocol::Auto, Protocol::Openai] {
        let scanned = Answer::new(protocol, CHAT, JSON).scan_everywhere(CHAT_JSON.as_bytes());
        let expected = Scanned {
            sse: false,
            bad_usage: false,
            usage: Usage {
                reasoning_tokens: Some(12),
                tier: Some(ServiceTier::Standard),
                ..usage(Some(1117), Some(1024), None, Some(46))
            },
            model: Some("gpt-4o-2024-08-06".into()),
            provider: Some("openai"),
            stream_error: false,
            failed: false,
            ended: true,
            ids: vec![],
        };
        assert_eq!(scanned, expected);
    }
}

#[test]
fn chat_completions_as_events() {
    for protocol in [Protocol::Auto, Protocol::Openai] {
        let scanned = Answer::new(protocol, CHAT, SSE).scan_everywhere(CHAT_SSE.as_bytes());
        let expected = Scanned {
            sse: true,
            bad_usage: false,
            usage: thoughtless(usage(Some(19), Some(0), None, Some(10))),
            model: Some("gpt-4o-mini".into()),
            provider: Some("openai"),
            stream_error: false,
            failed: false,
            ended: true,
            ids: vec![],
        };
        assert_eq!(scanned, expected);
    }
}

#[test]
fn without_the_usage_event_tokens_are_unknown_and_nothing_failed() {
    let body = CHAT_SSE.replace(r#""usage":{"#, r#""other":{"#);
    let scanned = Answer::new(Protocol::Auto, CHAT, SSE).scan_everywhere(body.as_bytes());
    assert_eq!((scanned.usage, scanned.stream_error), (Usage::default(), false));
    assert_eq!(scanned.model.as_deref(), Some("gpt-4o-mini"));
}

#[test]
fn responses_as_json_and_as_events() {
    let scanned =
        Answer::new(Protocol::Auto, RESPONSES, JSON).scan_everywhere(RESPONSE_JSON.as_bytes());
    assert_eq!(scanned.usage, thoughtless(usage(Some(36), Some(12), Some(20), Some(87))));
    assert_eq!(scanned.model.as_deref(), Some("gpt-4.1-2025-04-14"));
    let ids = [
        "conv_689667905b048191b4740501625afd940c7533ace33a2dab",
        "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    ];
    assert_eq!(
        (scanned.ids.as_slice(), scanned.stream_error),
        (ids.map(String::from).as_slice(), false)
    );

    let scanned =
        Answer::new(Protocol::Auto, RESPONSES, SSE).scan_everywhere(RESPONSE_SSE.as_bytes());
    assert_eq!(scanned.usage, thoughtless(usage(Some(37), Some(0), None, Some(11))));
    assert_eq!(scanned.ids, ["resp_1", "conv_1"]);
    assert!(!scanned.stream_error);
}

#[test]
fn events_without_names_are_told_by_their_type() {
    let lines = RESPONSE_SSE.lines().filter(|line| !line.starts_with("event"));
    let body = lines.collect::<Vec<_>>().join("\n") + "\n";
    let scanned = Answer::new(Protocol::Auto, RESPONSES, SSE).scan_everywhere(body.as_bytes());
    assert_eq!(scanned.usage, thoughtless(usage(Some(37), Some(0), None, Some(11))));
    assert_eq!((scanned.ids.len(), scanned.stream_error), (2, false));
}

#[test]
fn anthropic_input_counts_what_went_through_the_cache() {
    let scanned =
        Answer::new(Protocol::Auto, MESSAGES, JSON).scan_everywhere(MESSAGE_JSON.as_bytes());
    let counts = usage(Some(2095 + 300 + 7000), Some(7000), Some(300), Some(503));
    let tier = Some(ServiceTier::Standard);
    assert_eq!(scanned.usage, Usage { cache_write_1h_tokens: Some(0), tier, ..counts });
    assert_eq!(scanned.provider, Some("anthropic"));

    let scanned =
        Answer::new(Protocol::Auto, MESSAGES, SSE).scan_everywhere(MESSAGE_SSE.as_bytes());
    assert_eq!(scanned.usage, usage(Some(125), Some(100), None, Some(15)));
    assert_eq!(scanned.model.as_deref(), Some("claude-opus-4-5-20251101"));
    assert!(!scanned.stream_error);
}

#[test]
fn tiers_and_long_lived_cache_writes_are_read() {
    let message = MESSAGE_JSON
        .replace("ephemeral_1h_input_tokens\":0", "ephemeral_1h_input_tokens\":200")
        .replace("\"service_tier\":\"standard\"", "\"service_tier\":\"batch\"");
    let scanned = Answer::new(Protocol::Auto, MESSAGES, JSON).scan_everywhere(message.as_bytes());
    let told = (scanned.usage.cache_write_1h_tokens, scanned.usage.tier);
    assert_eq!(told, (Some(200), Some(ServiceTier::Batch)));
    let start = "\"cache_read_input_tokens\": 100,";
    let more = "\"speed\": \"fast\", \"inference_geo\": \"us\", \"cache_creation\": {\"ephemeral_1h_input_tokens\": 7},";
    let stream = MESSAGE_SSE.replace(start, &format!("{start} {more}"));
    let scanned = Answer::new(Protocol::Auto, MESSAGES, SSE).scan_everywhere(stream.as_bytes());
    let told = (scanned.usage.cache_write_1h_tokens, scanned.usage.tier);
    assert_eq!(told, (Some(7), Some(ServiceTier::Other)), "several have no price together");
    // The first event repeats what was asked for, and the last says what was done.
    let stream = RESPONSE_SSE
        .replace(
            "\"response\":{\"id\":\"resp_1\",",
            "\"response\":{\"service_tier\":\"auto\",\"id\":\"resp_1\",",
        )
        .replace(
            "\"conversation\":{\"id\":\"conv_1\"},\"output\":[{",
            "\"service_tier\":\"flex\",\"conversation\":{\"id\":\"conv_1\"},\"output\":[{",
        );
    let scanned = Answer::new(Protocol::Auto, RESPONSES, SSE).scan_everywhere(stream.as_bytes());
    assert_eq!(scanned.usage.tier, Some(ServiceTier::Flex));
    let chat = CHAT_SSE.replace(
        "\"object\":\"chat.completion.chunk\"",
        "\"object\":\"chat.completion.chunk\",\"service_tier\":\"priority\"",
    );
    let scanned = Answer::new(Protocol::Auto, CHAT, SSE).scan_everywhere(chat.as_bytes());
    assert_eq!(scanned.usage.tier, Some(ServiceTier::Priority));
}

#[test]
fn the_first_output_count_of_a_message_is_not_its_last() {
    let cut = MESSAGE_SSE.find("event: message_delta").unwrap();
    let answer = Answer::new(Protocol::Anthropic, MESSAGES, SSE);
    let scanned = answer.scan_everywhere(&MESSAGE_SSE.as_bytes()[..cut]);
    assert_eq!(scanned.usage, usage(Some(125), Some(100), None, None));
    assert!(scanned.stream_error, "message_stop is missing");
}

#[test]
fn errors_inside_a_stream_are_seen() {
    let cases = [
        (
            Protocol::Auto,
            MESSAGES,
            "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n",
        ),
        (Protocol::Auto, MESSAGES, "event: error\ndata: overloaded\n\n"),
        (Protocol::Auto, MESSAGES, "data: {\"type\":\"error\",\"error\":null}\n\n"),
        (
            Protocol::Auto,
            CHAT,
            "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\ndata: [DONE]\n\n",
        ),
        (Protocol::Auto, CHAT, "event: error\ndata: {\"type\":\"server_error\"}\n\n"),
        (
            Protocol::Auto,
            RESPONSES,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"ERR\",\"message\":\"no\",\"sequence_number\":1}\n\n",
        ),
        (
            Protocol::Auto,
            RESPONSES,
            "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\"}}}\n\n",
        ),
        (
            Protocol::A2a,
            "/",
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}\n\n",
        ),
        (
            Protocol::Mcp,
            "/",
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}\n\n",
        ),
    ];
    for (protocol, path, body) in cases {
        let scanned = Answer::new(protocol, path, SSE).scan_everywhere(body.as_bytes());
        assert!(scanned.stream_error, "{body}");
    }
    // an error that comes after a stream that was understood
    let late =
        CHAT_SSE.replace("data: [DONE]", "data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]");
    assert!(Answer::new(Protocol::Auto, CHAT, SSE).scan_everywhere(late.as_bytes()).stream_error);
}

#[test]
fn what_only_looks_like_an_error_is_none() {
    let cases = [
        (
            Protocol::A2a,
            SSE,
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Task not found\"}}\n\n",
        ),
        (
            Protocol::Mcp,
            JSON,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Unknown tool\"}}",
        ),
        (
            Protocol::Mcp,
            SSE,
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n",
        ),
        (Protocol::Openai, SSE, "data: {\"choices\":[],\"error\":null}\n\ndata: [DONE]\n\n"),
        (Protocol::Auto, SSE, "event: error\ndata: x\n\n"),
    ];
    for (protocol, content_type, body) in cases {
        let scanned = Answer::new(protocol, "/", content_type).scan_everywhere(body.as_bytes());
        assert!(!scanned.stream_error, "{body}");
    }
}

#[test]
fn a_response_that_failed_with_status_200_has_failed() {
    let body = RESPONSE_JSON.replacen("completed", "failed", 1);
    assert!(
        Answer::new(Protocol::Auto, RESPONSES, JSON).scan_everywhere(body.as_bytes()).stream_error
    );
}

#[test]
fn a_stream_without_its_end_is_an_error() {
    for (answer, body) in answers() {
        if !answer.scan([body.as_bytes()]).sse || answer.protocol == Protocol::Mcp {
            continue;
        }
        let events: Vec<_> = body.split_inclusive("\n\n").collect();
        let events =
            if events.len() < 2 { body.split_inclusive("\r\n\r\n").collect() } else { events };
        let start = events[0].as_bytes();
        assert!(answer.scan([start]).stream_error, "{}", events[0]);
        assert!(answer.clone().broken_off().scan([start]).stream_error);
        assert!(!answer.broken_off().scan([body.as_bytes()]).stream_error, "the end was seen");
    }
}

#[test]
fn a_chat_stream_may_leave_out_done_but_not_break_off_before_it() {
    let body = CHAT_SSE.strip_suffix("data: [DONE]\n\n").unwrap();
    let answer = Answer::new(Protocol::Auto, CHAT, SSE);
    let scanned = answer.scan_everywhere(body.as_bytes());
    assert_eq!((scanned.stream_error, scanned.usage.output_tokens), (false, Some(10)));
    assert!(answer.broken_off().scan([body.as_bytes()]).stream_error);
}

#[test]
fn a_guess_by_path_demands_no_end_of_streams_it_does_not_recognise() {
    let body = b"data: {\"hello\":1}\n\n";
    for path in [MESSAGES, CHAT, RESPONSES] {
        assert!(
            !Answer::new(Protocol::Auto, path, SSE).broken_off().scan([&body[..]]).stream_error
        );
    }
    for protocol in [Protocol::Openai, Protocol::Anthropic, Protocol::A2a] {
        assert!(!Answer::new(protocol, "/events", SSE).broken_off().scan([&body[..]]).stream_error);
    }
    for (protocol, path) in [(Protocol::Anthropic, MESSAGES), (Protocol::Openai, CHAT)] {
        assert!(Answer::new(protocol, path, SSE).scan([]).stream_error, "nothing came at all");
    }
}

#[test]
fn a2a_gives_its_ids() {
    let ids = |body: &str, content_type| {
        let scanned =
            Answer::new(Protocol::A2a, "/", content_type).scan_everywhere(body.as_bytes());
        assert!(!scanned.stream_error, "{body}");
        assert_eq!((scanned.usage, scanned.provider), (Usage::default(), None));
        scanned.ids
    };
    let task = "363422be-b0f9-4692-a24d-278670e7c7f1";
    assert_eq!(ids(A2A_JSON, JSON), [task, "c295ea44-7543-4f78-b524-7a38915ad6e4"]);
    assert_eq!(ids(A2A_SSE, SSE), ["t-1", "c-1"]);
    assert_eq!(ids(A2A_OLD_SSE, SSE), ["t-2", "c-2"]);
    assert_eq!(ids(A2A_REST_TASK, "application/a2a+json"), ["c-3", "t-3"]);
    let message = r#"{"jsonrpc":"2.0","id":"9","result":{"message":{"messageId":"m","contextId":"c-4","role":"ROLE_AGENT","parts":[]}}}"#;
    assert_eq!(ids(message, JSON), ["c-4"]);
    let rest = r#"data: {"message":{"messageId":"m","contextId":"c-5","parts":[]}}"#;
    assert_eq!(ids(&format!("{rest}\n\n"), SSE), ["c-5"]);
}

#[test]
fn mcp_names_its_session_in_a_header() {
    let mut headers = headers(SSE, "");
    headers.insert("mcp-session-id", "1868a90c".parse().unwrap());
    for protocol in [Protocol::Mcp, Protocol::Auto] {
        let mut reader = Scanner::new(protocol, "/mcp", 200, &headers);
        reader.push(MCP_SSE.as_bytes());
        let scanned = reader.finish(true);
        assert_eq!(
            (scanned.ids.as_slice(), scanned.stream_error),
            (&["1868a90c".to_owned()][..], false)
        );
    }
    assert!(Scanner::new(Protocol::Http, "/mcp", 200, &headers).finish(true).ids.is_empty());
}

#[test]
fn ids_are_known_while_the_stream_is_open() {
    let mut reader = Answer::new(Protocol::A2a, "/", SSE).scanner();
    assert!(reader.take_ids().is_empty());
    let (first, rest) = A2A_SSE.split_at(A2A_SSE.find("\n\n").unwrap() + 2);
    reader.push(first.as_bytes());
    assert_eq!(reader.take_ids(), ["t-1", "c-1"]);
    assert!(reader.take_ids().is_empty());
    reader.push(rest.as_bytes());
    assert!(reader.take_ids().is_empty() && reader.finish(true).ids.is_empty());

    let mut reader = Answer::new(Protocol::Openai, RESPONSES, JSON).scanner();
    reader.push(RESPONSE_JSON.as_bytes());
    assert_eq!(reader.take_ids().len(), 2, "before the connection says that the body is over");

    let mut headers = headers(JSON, "");
    headers.insert("mcp-session-id", "s".parse().unwrap());
    let mut reader = Scanner::new(Protocol::Mcp, "/mcp", 200, &headers);
    assert_eq!(reader.take_ids(), ["s"]);
    assert!(reader.finish(true).ids.is_empty());
}

#[test]
fn who_leaves_after_the_end_has_had_everything() {
    for (answer, body) in answers() {
        if answer.protocol != Protocol::Mcp {
            let scanned = answer.broken_off().scan([body.as_bytes()]);
            assert!(scanned.ended && !scanned.stream_error, "{body}");
        }
    }
}

#[test]
fn plain_http_bodies_are_not_looked_at() {
    for (protocol, path) in [(Protocol::Http, CHAT), (Protocol::Auto, "/ask")] {
        let scanned = Answer::new(protocol, path, JSON).scan([CHAT_JSON.as_bytes()]);
        assert_eq!(scanned, Scanned::default());
        let scanned = Answer::new(protocol, path, SSE).broken_off().scan([CHAT_SSE.as_bytes()]);
        assert_eq!(scanned, Scanned { sse: true, ..Scanned::default() });
    }
}

#[test]
fn error_answers_are_not_looked_at() {
    let mut reader = Scanner::new(Protocol::Openai, CHAT, 500, &headers(JSON, ""));
    reader.push(CHAT_JSON.as_bytes());
    let scanned = reader.finish(true);
    assert_eq!((scanned.usage, scanned.model), (Usage::default(), None));
}

#[test]
fn line_ends_comments_and_several_data_lines() {
    let event = |data: &str, end: &str| format!(":hi{end}{data}{end}{end}data:[DONE]{end}{end}");
    let answer = Answer::new(Protocol::Openai, "/", SSE);
    for end in ["\n", "\r\n", "\r"] {
        let data = [
            "data: {\"model\":\"m\",\"choices\":[],",
            "id: 7",
            "data:\"usage\":{\"prompt_tokens\":3,",
            "retry: 10",
            "data",
            "data: \"completion_tokens\":4}}",
        ];
        let body = event(&data.join(end), end);
        let scanned = answer.scan_everywhere(body.as_bytes());
        assert_eq!(scanned.usage, usage(Some(3), None, None, Some(4)), "{body:?}");
        assert_eq!((scanned.model.as_deref(), scanned.stream_error), (Some("m"), false));
    }
    let marked = [b"\xEF\xBB\xBF", CHAT_SSE.as_bytes()].concat();
    assert_eq!(answer.scan_everywhere(&marked).usage.output_tokens, Some(10));
}

proptest! {
    #[test]
    fn cuts_change_nothing(which in 0_usize..10, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let (answer, body) = answers().swap_remove(which);
        let body = body.as_bytes();
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        places.extend([0, body.len()]);
        places.sort_unstable();
        let parts = places.windows(2).map(|pair| &body[pair[0]..pair[1]]);
        prop_assert_eq!(answer.scan(parts), answer.scan([body]));
    }
}
