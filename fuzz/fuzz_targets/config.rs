//! Configuration files: any text is either read or refused with places that lie inside it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_model::config;

fuzz_target!(|data: &[u8]| {
    let _ = config::read_bytes("lockgate.yaml", data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = config::read("lockgate.yaml", text);
    }
});
