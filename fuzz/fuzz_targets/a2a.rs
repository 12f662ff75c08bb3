//! Calls of other agents: a path and query on the first line, a body after it, read as every binding and version.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::protocol::a2a::is_any_request;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(target) = std::str::from_utf8(&data[..end]) else { return };
    let _ = is_any_request(target, data.get(end + 1..).unwrap_or_default());
});
