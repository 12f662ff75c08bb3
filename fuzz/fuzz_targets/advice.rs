//! Answers about an agent system, and assessments of before: any text is read or refused with places, and what was read is advised on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_readiness::advise::{advise, read};
use lockgate_readiness::baseline::Baseline;

fuzz_target!(|text: &str| {
    match read(text) {
        Ok(answers) => {
            let advice = advise(&answers);
            assert!(serde_json::to_string(&advice).is_ok());
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|one| one.place.line > 0 && one.place.column > 0));
        }
    }
    let _ = Baseline::read(text);
});
