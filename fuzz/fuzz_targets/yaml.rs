//! YAML as pipelines and templates have it: any text is read or refused, with places that lie inside it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::tried::yaml;

fuzz_target!(|text: &str| {
    let (Ok(line) | Err(line)) = yaml(text);
    // The end of the last line is a place, too, and what ends a line there is a matter of YAML.
    let lines = text.chars().filter(|c| matches!(c, '\n' | '\r')).count() + 2;
    assert!(line as usize <= lines);
});
