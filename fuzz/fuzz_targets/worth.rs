//! Whole reports: lines of events in any order, come to one report that can be read in every form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_value::event::Event;
use lockgate_value::gather::Gathered;
use lockgate_value::import::{Defaults, jsonl};
use lockgate_value::ledger::Ledger;
use lockgate_value::render;
use lockgate_value::report::{ValueReport, report};
use lockgate_value::window::Window;

/// March 2026 in a zone whose clocks are changed then.
const FROM_WALL_MS: i64 = 1_772_319_600_000;
const TO_WALL_MS: i64 = 1_774_994_400_000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut ledger = Ledger::default();
    for (line, text) in (1..).zip(text.lines()) {
        if let Ok(Some(event)) = jsonl(line, text, &Defaults::default()) {
            let _ = ledger.admit(event);
        }
    }
    let events: Vec<&Event> = ledger.effective().collect();
    for agent in [None, Some("support")] {
        let window =
            || Window::new(FROM_WALL_MS, TO_WALL_MS, "Europe/Berlin").expect("it is a window");
        let told = |events: &mut dyn Iterator<Item = &&Event>| -> ValueReport {
            let only = agent.map(|name| name.parse().expect("it is a name"));
            let mut gathered = Gathered::new(window(), only);
            events.for_each(|event| gathered.event(event));
            report(&gathered)
        };
        let one = told(&mut events.iter());
        let json = render::json(&one).expect("a report can be written");
        let other = render::json(&told(&mut events.iter().rev())).expect("a report can be written");
        assert_eq!(json, other, "the order says nothing");
        let again: ValueReport = serde_json::from_str(&json).expect("and read again");
        assert_eq!(render::json(&again).expect("it can be written"), json);
        for form in [render::html, render::markdown, render::text, render::csv] {
            assert_eq!(form(&one), form(&again));
        }
    }
});
