//! Traces of users: any text is one or refused with a line, and one that was read says at any time how busy it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_simulate::trace::Trace;

fuzz_target!(|text: &str| {
    match Trace::parse(text) {
        Ok(trace) => {
            assert!(trace.span_ms() > 0);
            for start_ms in [0, 1, 3_600_000] {
                let busy = trace.busy(start_ms, 1_000);
                assert!(busy.is_finite() && busy >= 0.0, "{busy}");
            }
        }
        Err(error) => assert!(error.line <= text.lines().count().max(1)),
    }
});
