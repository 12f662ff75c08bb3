//! Patterns of branches and paths: the first line is a pattern, each other a text. What is spelled out names itself and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tried::names;

fuzz_target!(|text: &str| {
    let (pattern, texts) = text.split_once('\n').unwrap_or((text, ""));
    let is_plain = !pattern.contains(['*', '?', '[', ']', '\\', '+']) && pattern.len() <= 256;
    for text in texts.lines().chain([pattern]) {
        let named = names(pattern, text);
        assert!(!is_plain || named == (pattern == text), "{pattern:?} {text:?} {named}");
    }
});
