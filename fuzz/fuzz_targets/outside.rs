//! Tokens and keys of issuers outside: any text is read or refused, and a key that was read takes no signature that is none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::tried::{is_token, keys};

fuzz_target!(|data: &[u8]| {
    if let Some((count, has_signed)) = keys(data, b"signed", data) {
        assert!(count <= 64 && !has_signed);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = is_token(text);
    }
});
