//! Requests to HTTP tools: a path and query on the first line, a body after it. What is sent on is read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::tried::operation;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(target) = std::str::from_utf8(&data[..end]) else { return };
    let body = data.get(end + 1..).unwrap_or_default();
    if let Some(sent) = operation(target, body) {
        assert_eq!(operation(&sent.0, body), Some(sent));
    }
});
