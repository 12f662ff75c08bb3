//! Events about value: any line is an event or refused with the line and a field, and an event that was taken is written as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_value::event::Event;
use lockgate_value::import::{Defaults, jsonl};

const LINE: u64 = 7;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sure = Defaults {
        kind: Some("survey".into()),
        agent: Some("support".parse().expect("it is a name")),
        source: Some("a survey".to_owned().try_into().expect("it is a text")),
    };
    for defaults in [Defaults::default(), sure] {
        match jsonl(LINE, text, &defaults) {
            Ok(Some(event)) => comes_back(&event),
            Ok(None) => assert!(text.trim_start_matches('\u{feff}').trim().is_empty()),
            Err(error) => {
                assert_eq!(error.line, LINE);
                assert!(!error.invalid.field.is_empty() && !error.invalid.reason.is_empty());
                assert!(error.to_string().len() < 4_096, "what is told is bounded");
            }
        }
    }
});

fn comes_back(event: &Event) {
    event.check().expect("what was read is valid");
    let text = serde_json::to_string(event).expect("an event can be written");
    let again: Event = serde_json::from_str(&text).expect("and read again");
    assert_eq!(&again, event);
    assert_eq!(serde_json::to_string(&again).expect("it can be written"), text);
}
