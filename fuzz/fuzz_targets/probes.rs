//! Probe sets: any text is either read or refused, and whatever was read judges any answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_model::probe::{self, ProbeAnswer};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(probes) = probe::read(text) {
        let answer = ProbeAnswer { status: 200, body: data, total_ms: 1, cost_nanousd: Some(1) };
        for probe in probes {
            let _ = probe.judge(&answer);
        }
    }
});
