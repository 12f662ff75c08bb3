//! Answers: any bytes, in any encoding, cut anywhere. Cuts must not change what is read.
//!
//! The first three bytes choose protocol, form and encoding, and the size of the parts.

#![no_main]

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use libfuzzer_sys::fuzz_target;
use lockgate_gateway::protocol::tool_calls::ToolCall;
use lockgate_gateway::protocol::{Scanned, Scanner};
use lockgate_model::agent::Protocol;

const PROTOCOLS: [Protocol; 5] =
    [Protocol::Auto, Protocol::Openai, Protocol::Anthropic, Protocol::A2a, Protocol::Mcp];
const PATHS: [&str; 4] = ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/"];
const ENCODINGS: [&str; 4] = ["", "gzip", "deflate", "br"];

fuzz_target!(|data: &[u8]| {
    let [protocol, form, size, body @ ..] = data else { return };
    let protocol = PROTOCOLS[usize::from(*protocol) % PROTOCOLS.len()];
    let path = PATHS[usize::from(form >> 1) % PATHS.len()];
    let encoding = ENCODINGS[usize::from(form >> 3) % ENCODINGS.len()];
    let complete = form >> 5 & 1 == 0;
    let mut headers = HeaderMap::new();
    let content_type = if form & 1 == 0 { "application/json" } else { "text/event-stream" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if !encoding.is_empty() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let scan = |size: usize| -> (Scanned, Vec<ToolCall>) {
        let mut scanner = Scanner::of_model(protocol, path, 200, &headers);
        let mut calls = Vec::new();
        for part in body.chunks(size) {
            scanner.push(part);
            calls.extend(scanner.take_tool_calls());
        }
        (scanner.finish(complete), calls)
    };
    let whole = scan(body.len().max(1));
    let cut = scan(usize::from(*size).max(1));
    assert!(whole.0.ids.len() <= 9, "ids are bounded");
    assert!(whole.1.len() <= 257, "calls are bounded");
    if encoding.is_empty() {
        assert_eq!(whole, cut);
    }
});
