//! Scripts of shells: any text gives commands on its own lines, and any words before a script are those of a shell or not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tried::{commands, program};

fuzz_target!(|text: &str| {
    let lines = text.split('\n').count();
    assert!(commands(text).into_iter().all(|line| line < lines));
    program(text.lines().next().unwrap_or_default());
});
