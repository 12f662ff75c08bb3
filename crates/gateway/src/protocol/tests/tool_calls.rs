//! Which functions answers ask to be called.

use std::fmt::Write as _;

use lockgate_model::agent::Protocol;
use serde_json::{Map, Value, json};

use super::super::Scanner;
use super::super::tool_calls::ToolCall;
use super::bodies::{CHAT_JSON, CHAT_SSE, MESSAGE_JSON, MESSAGE_SSE, RESPONSE_JSON, RESPONSE_SSE};
use super::{JSON, SSE, headers};

const CHAT: (Protocol, &str) = (Protocol::Openai, "/v1/chat/completions");
const RESPONSES: (Protocol, &str) = (Protocol::Openai, "/v1/responses");
const MESSAGES: (Protocol, &str) = (Protocol::Anthropic, "/v1/messages");

fn read<'a>(
    (protocol, path): (Protocol, &str),
    form: &str,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<ToolCall> {
    let mut scanner = Scanner::of_model(protocol, path, 200, &headers(form, ""));
    let mut calls = Vec::new();
    for part in parts {
        scanner.push(part);
        calls.extend(scanner.take_tool_calls());
    }
    calls
}

/// Reads `body` whole, cut in two at every place, and byte by byte; all have to agree.
fn everywhere(api: (Protocol, &str), form: &str, body: &str) -> Vec<ToolCall> {
    let whole = read(api, form, [body.as_bytes()]);
    for at in 0..=body.len() {
        let (left, right) = body.as_bytes().split_at(at);
        assert_eq!(read(api, form, [left, right]), whole, "cut at {at}");
    }
    assert_eq!(read(api, form, body.as_bytes().chunks(1)), whole, "byte by byte");
    whole
}

fn asked(name: &str, arguments: &Value) -> ToolCall {
    ToolCall::Of { name: name.into(), arguments: arguments.as_object().cloned() }
}

fn chat(tool_calls: &Value) -> String {
    let message = json!({ "role": "assistant", "content": "Wait \"tool_calls\": [", "tool_calls": tool_calls });
    json!({ "id": "c", "object": "chat.completion", "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": message }] })
    .to_string()
}

fn function(name: &str, arguments: &Value) -> Value {
    json!({ "id": "call_1", "type": "function", "function": { "name": name, "arguments": arguments } })
}

/// Chunks of a chat, of which each has this for its first choice.
fn chunks(choices: &[Value]) -> String {
    let mut text = String::new();
    for choice in choices {
        let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice] });
        write!(text, "data: {chunk}\n\n").unwrap();
    }
    text
}

fn part(index: u64, function: &Value) -> Value {
    json!({ "index": 0, "delta": { "tool_calls": [{ "index": index, "function": function }] }, "finish_reason": null })
}

fn finish() -> Value {
    json!({ "index": 0, "delta": {}, "finish_reason": "tool_calls" })
}

/// Events with names and types.
fn events(all: &[Value]) -> String {
    all.iter().fold(String::new(), |mut text, event| {
        let name = event["type"].as_str().unwrap();
        write!(text, "event: {name}\ndata: {event}\n\n").unwrap();
        text
    })
}

#[test]
fn a_whole_chat_asks_for_functions_with_arguments_in_texts() {
    let (none, empty) = (json!(null), json!({}));
    let path = json!({ "path": "/tmp/a", "n": [1, { "x": "\u{e9}\"\\" }] });
    for (tool_calls, expected) in [
        (json!(null), vec![]),
        (json!([]), vec![]),
        (json!([function("read", &path.to_string().into())]), vec![asked("read", &path)]),
        (
            json!([function("a", &"{}".into()), function("b", &" { \"x\" : 1 } ".into())]),
            vec![asked("a", &empty), asked("b", &json!({ "x": 1 }))],
        ),
        // Functions that take nothing; an object in place of a text.
        (
            json!([function("a", &"".into()), function("b", &path)]),
            vec![asked("a", &empty), asked("b", &path)],
        ),
        (json!([function("a", &none)]), vec![asked("a", &empty)]),
        // What cannot be read could be anything.
        (json!([function("a", &"{\"x\":".into())]), vec![asked("a", &none)]),
        (json!([function("a", &"[1]".into())]), vec![asked("a", &none)]),
        (json!([function("a", &"{\"x\":1,\"x\":2}".into())]), vec![asked("a", &none)]),
        (json!([function("a", &"[".repeat(100).into())]), vec![asked("a", &none)]),
        // What nobody can call.
        (json!([{ "type": "function" }, function("", &"{}".into()), 7, "x", [[]]]), vec![]),
        (json!([function(&"x".repeat(300), &"{}".into())]), vec![]),
    ] {
        assert_eq!(everywhere(CHAT, JSON, &chat(&tool_calls)), expected, "{tool_calls}");
    }
    let whole = chat(&json!([function("a", &"{}".into())]));
    let broken = &whole[..whole.len() - 1];
    assert!(
        everywhere(CHAT, JSON, broken).is_empty(),
        "an answer that is not whole asks for nothing"
    );
}

#[test]
fn the_parts_of_a_streamed_chat_add_up_by_choice_and_index() {
    let path = json!({ "path": "\u{e9}\"x" });
    let begins = part(0, &json!({ "name": "read", "arguments": "" }));
    let text = json!({ "index": 0, "delta": { "content": "Hm" }, "finish_reason": null });
    // Keys in another order.
    let other = |function: Value, finish: Value| json!({ "finish_reason": finish, "delta": { "tool_calls": [{ "function": function, "index": 0 }] }, "index": 1 });
    let other_begins = other(json!({ "arguments": "{\"x\":", "name": "b" }), json!(null));
    let other_ends = other(json!({ "arguments": "2}" }), json!("tool_calls"));
    let adds = |arguments: &str| part(0, &json!({ "arguments": arguments }));
    for (choices, expected) in [
        (
            vec![
                text.clone(),
                begins.clone(),
                adds("{\"path\""),
                text.clone(),
                adds(":\"\u{e9}\\\"x\"}"),
                finish(),
            ],
            vec![asked("read", &path)],
        ),
        (
            vec![
                begins.clone(),
                part(1, &json!({ "name": "list", "arguments": "{" })),
                adds("{}"),
                part(1, &json!({ "arguments": "}" })),
                finish(),
            ],
            vec![asked("read", &json!({})), asked("list", &json!({}))],
        ),
        // Another choice has indexes of its own, and an end.
        (
            vec![begins.clone(), other_begins, adds("{\"x\":1}"), finish(), other_ends],
            vec![asked("read", &json!({ "x": 1 })), asked("b", &json!({ "x": 2 }))],
        ),
        (vec![begins.clone(), adds("{\"x\":"), finish()], vec![asked("read", &json!(null))]),
        (vec![adds("{}"), finish()], vec![]),
        (vec![begins.clone(), adds("{}")], vec![]),
        (vec![text, finish()], vec![]),
    ] {
        assert_eq!(everywhere(CHAT, SSE, &chunks(&choices)), expected, "{choices:?}");
    }
    // Some servers say only that the stream is over.
    let ends = format!("{}data: [DONE]\n\n", chunks(&[begins, adds("{}")]));
    assert_eq!(everywhere(CHAT, SSE, &ends), [asked("read", &json!({}))]);
}

#[test]
fn a_call_is_known_before_the_stream_that_it_stands_in_is_over() {
    let begins = part(0, &json!({ "name": "read", "arguments": "{}" }));
    let mut scanner = Scanner::of_model(CHAT.0, CHAT.1, 200, &headers(SSE, ""));
    scanner.push(chunks(&[begins]).as_bytes());
    assert!(scanner.take_tool_calls().is_empty(), "more may be added");
    scanner.push(chunks(&[finish()]).as_bytes());
    assert_eq!(scanner.take_tool_calls(), [asked("read", &json!({}))]);
    scanner.push(b"data: [DONE]\n\n");
    assert!(scanner.take_tool_calls().is_empty(), "it is told once");
}

#[test]
fn responses_ask_for_functions_in_items_that_are_done() {
    let path = json!({ "path": "x" });
    let call = |arguments: &str| {
        json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read",
        "arguments": arguments, "status": "completed" })
    };
    let text = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Hm" }] });
    // Done by the provider.
    let remote = json!({ "type": "mcp_call", "name": "read", "arguments": path.to_string(), "server_label": "x" });
    let response = |output: &Value| json!({ "id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": output });
    for (output, expected) in [
        (json!([]), vec![]),
        (json!([text, call(&path.to_string())]), vec![asked("read", &path)]),
        (
            json!([call("{}"), remote, call("{")]),
            vec![asked("read", &json!({})), asked("read", &json!(null))],
        ),
        (json!([remote]), vec![]),
    ] {
        let whole = response(&output).to_string();
        assert_eq!(everywhere(RESPONSES, JSON, &whole), expected, "{output}");
    }

    let event = |kind: &str, more: &Value| {
        let mut event = json!({ "type": format!("response.{kind}") });
        event.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        event
    };
    let all = [
        event("created", &json!({ "response": response(&json!([])) })),
        event("output_item.added", &json!({ "output_index": 0, "item": call("") })),
        event(
            "function_call_arguments.delta",
            &json!({ "output_index": 0, "delta": "{\"path\":" }),
        ),
        event("function_call_arguments.delta", &json!({ "output_index": 0, "delta": "\"x\"}" })),
        event(
            "function_call_arguments.done",
            &json!({ "output_index": 0, "arguments": path.to_string() }),
        ),
        event("output_item.done", &json!({ "output_index": 0, "item": call(&path.to_string()) })),
        event("output_item.done", &json!({ "output_index": 1, "item": remote })),
        event(
            "completed",
            &json!({ "response": response(&json!([call(&path.to_string()), remote])) }),
        ),
    ];
    assert_eq!(everywhere(RESPONSES, SSE, &events(&all)), [asked("read", &path)]);
    let unnamed: String = events(&all)
        .lines()
        .filter(|line| !line.starts_with("event"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(everywhere(RESPONSES, SSE, &unnamed), [asked("read", &path)]);
    // Without the event of the item, the last one has it.
    assert_eq!(
        everywhere(RESPONSES, SSE, &events(&[all[0].clone(), all[7].clone()])),
        [asked("read", &path)]
    );
    assert!(everywhere(RESPONSES, SSE, &events(&all[..5])).is_empty(), "it is not done");
}

#[test]
fn messages_ask_for_functions_in_blocks() {
    let path = json!({ "path": "\u{e9}\"}x{", "n": [1.5] });
    let block = |kind: &str, input: &Value| json!({ "type": kind, "id": "toolu_1", "name": "read", "input": input });
    let text = json!({ "type": "text", "text": "Wait \"tool_use\"" });
    for (content, expected) in [
        (json!([text]), vec![]),
        (json!([text, block("tool_use", &path)]), vec![asked("read", &path)]),
        (
            json!([block("tool_use", &json!({})), block("tool_use", &path)]),
            vec![asked("read", &json!({})), asked("read", &path)],
        ),
        (json!([block("tool_use", &json!([1]))]), vec![asked("read", &json!(null))]),
        // Done by the provider.
        (json!([block("server_tool_use", &path), block("mcp_tool_use", &path)]), vec![]),
    ] {
        let whole = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content });
        assert_eq!(everywhere(MESSAGES, JSON, &whole.to_string()), expected, "{content}");
    }

    let start = |index: u64, block: &Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let adds = |index: u64, json: &str| {
        json!({ "type": "content_block_delta", "index": index,
        "delta": { "type": "input_json_delta", "partial_json": json } })
    };
    let says = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hm" } });
    let stop = |index: u64| json!({ "type": "content_block_stop", "index": index });
    let empty = json!({});
    for (all, expected) in [
        (
            vec![
                start(0, &text),
                says.clone(),
                stop(0),
                start(1, &block("tool_use", &empty)),
                adds(1, ""),
                adds(1, "{\"path\":\"\u{e9}\\\"}x{\","),
                says.clone(),
                adds(1, "\"n\":[1.5]}"),
                stop(1),
                json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 9 } }),
                json!({ "type": "message_stop" }),
            ],
            vec![asked("read", &path)],
        ),
        (vec![start(0, &block("tool_use", &empty)), stop(0)], vec![asked("read", &empty)]),
        (vec![start(0, &block("tool_use", &path)), stop(0)], vec![asked("read", &path)]),
        (
            vec![
                start(0, &block("tool_use", &empty)),
                start(1, &block("tool_use", &empty)),
                adds(1, "{\"x\":1}"),
                stop(1),
                adds(0, "{\"x\":0}"),
                stop(0),
            ],
            vec![asked("read", &json!({ "x": 1 })), asked("read", &json!({ "x": 0 }))],
        ),
        (
            vec![start(0, &block("tool_use", &empty)), adds(0, "{\"x\":"), stop(0)],
            vec![asked("read", &json!(null))],
        ),
        (vec![start(0, &block("tool_use", &empty)), adds(0, "{}")], vec![]),
        (vec![start(0, &block("server_tool_use", &empty)), adds(0, "{}"), stop(0)], vec![]),
        (vec![adds(0, "{}"), stop(0), says], vec![]),
    ] {
        assert_eq!(everywhere(MESSAGES, SSE, &events(&all)), expected, "{all:?}");
    }
}

#[test]
fn what_is_more_than_is_kept_could_be_anything() {
    // Room for arguments, and what comes after it.
    let large = "x".repeat(700 * 1024);
    let text = json!({ "x": large }).to_string();
    let calls = json!([
        function("a", &text.clone().into()),
        function("b", &text.into()),
        function("c", &"{}".into())
    ]);
    let whole = read(CHAT, JSON, [chat(&calls).as_bytes()]);
    assert_eq!(
        whole,
        [asked("a", &json!({ "x": large })), asked("b", &json!(null)), asked("c", &json!({}))]
    );
    let adds = || part(0, &json!({ "arguments": &large }));
    let stream = [
        part(0, &json!({ "name": "a" })),
        adds(),
        adds(),
        part(1, &json!({ "name": "b", "arguments": "{}" })),
        finish(),
    ];
    let calls = read(CHAT, SSE, [chunks(&stream).as_bytes()]);
    assert_eq!(calls[0], asked("a", &json!(null)));
    let input = json!({ "x": large, "y": large });
    let block = json!({ "type": "tool_use", "name": "a", "input": input });
    let block = json!({ "type": "content_block_start", "index": 0, "content_block": block });
    let stop = json!({ "type": "content_block_stop", "index": 0 });
    let calls = read(MESSAGES, SSE, [events(&[block, stop]).as_bytes()]);
    assert_eq!(calls, [asked("a", &json!(null))], "cut is not empty");

    let many: Vec<Value> = (0..300).map(|_| function("a", &"{}".into())).collect();
    let whole = read(CHAT, JSON, [chat(&many.into()).as_bytes()]);
    let others = whole.iter().filter(|call| **call == ToolCall::Others).count();
    assert_eq!((whole.len(), others), (257, 1));
    let mut stream: Vec<Value> =
        (0..300).map(|index| part(index, &json!({ "name": "a" }))).collect();
    stream.push(finish());
    let all = read(CHAT, SSE, [chunks(&stream).as_bytes()]);
    let of_one = ToolCall::Of { name: "a".into(), arguments: Some(Map::new()) };
    assert_eq!(all.iter().filter(|call| **call == of_one).count(), 256);
    assert!(all.contains(&ToolCall::Others));
}

#[test]
fn answers_are_told_the_same_with_and_without_calls() {
    for (api, form, body) in [
        (CHAT, JSON, CHAT_JSON),
        (CHAT, SSE, CHAT_SSE),
        (RESPONSES, JSON, RESPONSE_JSON),
        (RESPONSES, SSE, RESPONSE_SSE),
        (MESSAGES, JSON, MESSAGE_JSON),
        (MESSAGES, SSE, MESSAGE_SSE),
    ] {
        let scan = |mut scanner: Scanner| {
            scanner.push(body.as_bytes());
            scanner.finish(true)
        };
        let headers = headers(form, "");
        let with = scan(Scanner::of_model(api.0, api.1, 200, &headers));
        assert_eq!(with, scan(Scanner::new(api.0, api.1, 200, &headers)), "{api:?} {form}");
        assert!(with.usage.output_tokens.is_some(), "{api:?} {form}");
    }
    // Whoever does not want them is told none.
    let mut scanner = Scanner::new(CHAT.0, CHAT.1, 200, &headers(JSON, ""));
    scanner.push(CHAT_JSON.as_bytes());
    assert!(scanner.take_tool_calls().is_empty());
    assert_eq!(
        everywhere(CHAT, JSON, CHAT_JSON),
        [asked("f", &json!({ "usage": { "completion_tokens": 7 } }))]
    );
}
