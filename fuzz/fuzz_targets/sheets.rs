//! CSV files of events and bills in FOCUS: each row is an event, or wrong and told with its line; a bill imported again has the same keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_value::event::{Event, Text};
use lockgate_value::import::{Columns, Defaults, FocusColumns, RowError};

fuzz_target!(|data: &[u8]| {
    let agent = || "support".parse().ok();
    let source = || Text::try_from("a sheet".to_owned()).expect("it is a text");
    let defaults =
        Defaults { kind: Some("survey".into()), agent: agent(), source: Some(source()) };
    for defaults in [Defaults::default(), defaults] {
        let columns = |header: &csv::StringRecord| Columns::of(header, defaults.clone());
        let rows = read(data, columns, |columns, line, row| columns.event(line, row));
        for event in rows.into_iter().flatten() {
            let text = serde_json::to_string(&event).expect("an event can be written");
            assert_eq!(serde_json::from_str::<Event>(&text).expect("and read again"), event);
        }
    }
    let bill = |header: &csv::StringRecord| FocusColumns::of(header, agent(), source(), false);
    let charges = || read(data, bill, |columns, line, row| columns.event(line, row));
    assert_eq!(charges(), charges());
});

/// What the rows of a file are, as whoever imports it reads them.
fn read<C>(
    data: &[u8],
    columns: impl Fn(&csv::StringRecord) -> Result<C, RowError>,
    event: impl Fn(&mut C, u64, &csv::StringRecord) -> Result<Event, RowError>,
) -> Vec<Result<Event, RowError>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(data);
    let Ok(header) = reader.headers().cloned() else { return Vec::new() };
    let mut columns = match columns(&header) {
        Ok(columns) => columns,
        Err(error) => {
            assert_eq!(error.line, 1, "a header is on the first line");
            return vec![Err(error)];
        }
    };
    let lines = 1 + data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    let mut rows = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else { break };
        let line = record.position().map_or(0, csv::Position::line);
        let row = event(&mut columns, line, &record);
        match &row {
            Ok(event) => event.check().expect("what was read is valid"),
            Err(error) => {
                assert!(error.line == line && (1..=lines).contains(&line), "{error}");
                assert!(error.to_string().len() < 4_096, "what is told is bounded");
            }
        }
        rows.push(row);
    }
    rows
}
