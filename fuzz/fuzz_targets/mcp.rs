//! Messages and streams of MCP: any bytes are read or refused, and where a stream is cut changes no event.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::tried::{events, is_message};

fuzz_target!(|data: &[u8]| {
    let _ = is_message(data);
    let whole = events(&[data]);
    let (one, two) = data.split_at(data.len() / 2);
    assert_eq!(events(&[one, two]), whole);
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(events(&bytes), whole);
});
