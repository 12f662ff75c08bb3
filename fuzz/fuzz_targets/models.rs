//! Bodies of calls of models: read as every endpoint's, and what is sent on is read as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_gateway::tried::model_calls;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for sent in model_calls(text) {
        assert!(model_calls(&sent).contains(&sent), "{sent}");
    }
});
