//! Requests: a path on the first line, a body after it, read as every protocol.

#![no_main]

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use lockgate_gateway::protocol::{request_ids, request_wants_body};
use lockgate_model::agent::Protocol;

const PROTOCOLS: [Protocol; 6] = [
    Protocol::Auto,
    Protocol::Http,
    Protocol::Openai,
    Protocol::Anthropic,
    Protocol::A2a,
    Protocol::Mcp,
];

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(path) = std::str::from_utf8(&data[..end]) else { return };
    let body = data.get(end + 1..).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for protocol in PROTOCOLS {
        let _ = request_wants_body(protocol, &Method::POST, path, &headers);
        for body in [None, Some(body)] {
            let ids = request_ids(protocol, path, &headers, body);
            assert!(ids.conversation.is_none_or(|id| !id.is_empty() && id.len() <= 256));
        }
    }
});
