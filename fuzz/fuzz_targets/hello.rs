//! What a client of TLS says first: any bytes, cut anywhere. Cuts must not change what is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::protocol::hello::{self, BYTES_MAX, Heard};

fuzz_target!(|data: &[u8]| {
    let whole = hello::read(data);
    if let Ok(Heard::More(needed)) = whole {
        assert!(needed > data.len() && needed <= BYTES_MAX);
    }
    if let Ok(Heard::Hello(said)) = &whole {
        assert!(said.name.as_ref().is_none_or(|name| !name.is_empty() && name.is_ascii()));
    }
    for end in [data.len() / 3, data.len() / 2, data.len().saturating_sub(1)] {
        match hello::read(&data[..end]) {
            Ok(Heard::More(needed)) => assert!(needed > end && needed <= BYTES_MAX),
            // What was understood, or refused, stays so whatever follows.
            other => assert_eq!(other, whole),
        }
    }
});
