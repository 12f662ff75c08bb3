use super::*;
use crate::event::What;

const HEADER: [&str; 8] = ["key", "at", "kind", "source", "agent", "score", "minutes", "verified"];

fn columns() -> Columns {
    Columns::of(HEADER, Defaults::default()).unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, RowError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_record_is_an_event_and_an_empty_cell_is_nothing() {
    let event = columns()
        .event(2, ["a", "2026-03-01T09:30:00Z", "survey", "poll", "support", " 9 ", "", ""])
        .unwrap();
    assert_eq!(event.what, What::Survey { score: 9 });
    let saved = columns()
        .event(3, ["b", "2026-03-01T09:30:00Z", "time_saved", "study", "", "", "-2.5", ""])
        .unwrap();
    let What::TimeSaved { minutes, tasks, .. } = saved.what else { panic!("{saved:?}") };
    assert_eq!((minutes.to_string().as_str(), tasks, saved.agent), ("-2.5", 1, None));
}

#[test]
fn errors_name_the_line_and_the_field() {
    let record = |score| ["a", "2026-03-01T09:30:00Z", "survey", "poll", "support", score, "", ""];
    assert_eq!(
        refused(columns().event(7, record("11"))),
        "line 7: score: 11 is no answer from 0 to 10"
    );
    assert_eq!(
        refused(columns().event(7, record("nine"))),
        "line 7: score: `nine` is no whole number"
    );
    assert_eq!(refused(columns().event(7, record(""))), "line 7: score: missing field `score`");
    assert_eq!(refused(columns().event(7, ["a"])), "line 7: event: 1 cells where the header has 8");
    assert!(
        refused(columns().event(7, ["a", "x", "survey", "s", "", "9", "", "maybe"]))
            .starts_with("line 7: verified: use true")
    );
    let long = "x".repeat(LINE_BYTES_MAX);
    assert!(
        refused(columns().event(7, ["a", "b", "c", "d", "e", "1", &long, ""]))
            .contains("65536 bytes")
    );
}

#[test]
fn a_header_is_checked_before_any_row() {
    let of = |header: &[&str]| refused(Columns::of(header.iter().copied(), Defaults::default()));
    assert!(
        of(&["key", "at", "kind", "source", "scroe"])
            .starts_with("line 1: scroe: no such column; there are at_wall_ms")
    );
    assert_eq!(
        of(&["key", "at", "kind", "source", "key"]),
        "line 1: key: this column is there twice"
    );
    assert!(of(&["key", "at", "", "source"]).starts_with("line 1: header: no such column"));
    assert_eq!(of(&["key", "kind", "source"]), "line 1: at: this column is missing");
    assert_eq!(of(&["\u{feff}key", "at", "source"]), "line 1: kind: this column is missing");
}

#[test]
fn defaults_fill_what_rows_leave_out_and_nothing_else() {
    let source = Text::try_from("tool X".to_owned()).unwrap();
    let defaults = Defaults {
        kind: Some("survey".into()),
        agent: Some("support".parse().unwrap()),
        source: Some(source),
    };
    let columns = Columns::of(["key", "at", "score", "agent"], defaults.clone()).unwrap();
    let event = columns.event(2, ["a", "2026-03-01T09:30:00Z", "9", "other"]).unwrap();
    assert_eq!((event.agent.unwrap().as_str(), event.source.as_str()), ("other", "tool X"));
    let line = r#"{"key":"a","at":"2026-03-01T09:30:00Z","score":9}"#;
    assert_eq!(jsonl(1, line, &defaults).unwrap().unwrap().agent.unwrap().as_str(), "support");
}

#[test]
fn a_line_of_jsonl_is_an_event_and_a_blank_one_is_none() {
    let read = |line: &str| jsonl(3, line, &Defaults::default());
    assert_eq!(read("  \r"), Ok(None));
    assert!(refused(read("{\"key\":")).starts_with("line 3: event: column"));
    assert_eq!(refused(read("[]")), "line 3: event: an event is a JSON object");
    assert!(refused(read(&"[".repeat(100_000))).contains("65536 bytes"));
    assert!(refused(read(&"[".repeat(10_000))).starts_with("line 3"));
}

fn bill(header: &[&str]) -> Result<FocusColumns, RowError> {
    let source = Text::try_from("bill".to_owned()).unwrap();
    FocusColumns::of(header.iter().copied(), None, source, false)
}

fn focus(header: &[&str], record: &[&str]) -> Result<Event, RowError> {
    bill(header)?.event(2, record.iter().copied())
}

const BILL: [&str; 7] = [
    "BilledCost",
    "BillingCurrency",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ServiceName",
    "ProviderName",
    "SkuId",
];
const CHARGE: [&str; 7] = [
    "1.234567890123",
    "USD",
    "2026-03-01T00:00:00Z",
    "2026-03-02 00:00:00 UTC",
    "Vector Search",
    "Cloud",
    "s-1",
];

#[test]
fn a_charge_of_a_bill_is_an_event_whose_key_is_its_content() {
    let event = focus(&BILL, &CHARGE).unwrap();
    let What::ExternalCost { billed_cost, charge_period_end_wall_ms, provider_name, .. } =
        &event.what
    else {
        panic!()
    };
    assert_eq!(billed_cost.to_string(), "1.23456789");
    assert_eq!(*charge_period_end_wall_ms, event.at_wall_ms + 86_400_000);
    assert_eq!(provider_name.as_ref().unwrap().as_str(), "Cloud");
    let turned = |row: [&'static str; 7]| row.into_iter().rev().collect::<Vec<_>>();
    assert_eq!(focus(&turned(BILL), &turned(CHARGE)).unwrap(), event);
    let mut other = CHARGE;
    other[6] = "s-2";
    assert_ne!(focus(&BILL, &other).unwrap().key, event.key);
}

/// Another program writes numbers and times otherwise, and has columns that say nothing here.
#[test]
fn a_charge_that_is_exported_otherwise_has_the_key_that_it_had() {
    let event = focus(&BILL, &CHARGE).unwrap();
    let header = [&BILL[..], &["InvoiceId", "Tags", "x_Team", "ResourceId"]].concat();
    let mut charge = [&CHARGE[..], &["i-1", "{\"team\":\"a\"}", "a", ""]].concat();
    charge[0] = "1.23456789012300";
    charge[2] = "2026-03-01 01:00:00+01:00";
    charge[3] = "2026-03-02T00:00:00Z";
    assert_eq!(focus(&header, &charge).unwrap(), event);
    let newer = [&BILL[..5], &["ServiceProviderName", "SkuId"]].concat();
    assert_eq!(focus(&newer, &CHARGE).unwrap(), event, "FOCUS 1.3 calls the provider so");
    charge[10] = "r-1";
    assert_ne!(focus(&header, &charge).unwrap().key, event.key, "another resource");
}

/// Two charges that are alike are two, and the same two in any order.
#[test]
fn charges_that_are_alike_are_counted_through_within_a_file() {
    let other = {
        let mut other = CHARGE;
        other[0] = "2";
        other
    };
    let keys = |records: &[[&'static str; 7]]| {
        let mut columns = bill(&BILL).unwrap();
        let keys = records.iter().map(|record| columns.event(2, *record).unwrap().key);
        keys.collect::<std::collections::BTreeSet<_>>()
    };
    let first = keys(&[CHARGE, other, CHARGE]);
    assert_eq!(first.len(), 3);
    assert_eq!(keys(&[other, CHARGE, CHARGE]), first);
    assert!(keys(&[CHARGE, other]).is_subset(&first), "an export of some of them");
}

#[test]
fn a_file_whose_columns_are_separated_otherwise_is_told_so() {
    let of = |header: &[&str]| refused(Columns::of(header.iter().copied(), Defaults::default()));
    for (header, what) in [
        ("key;at;kind;source", "semicolons"),
        ("\u{feff}\"key\";\"at\"", "semicolons"),
        ("key\tat\tkind", "tabs"),
        ("key|at", "vertical bars"),
    ] {
        let told = of(&[header]);
        assert!(told.starts_with("line 1: header: its columns are separated by"), "{told}");
        assert!(told.contains(what) && told.contains("commas"), "{told}");
    }
    assert!(refused(bill(&[&BILL.join(";")])).contains("semicolons"));
    assert!(of(&["a;b"]).starts_with("line 1: a;b: no such column"), "it means nothing at all");
    assert!(of(&["key", "at;kind"]).starts_with("line 1: at;kind: no such column"));
}

#[test]
fn a_field_that_is_there_twice_is_refused_with_its_line() {
    let line = r#"{"key":"a","at":"2026-03-01T09:30:00Z","kind":"survey","source":"s","score":9,"score":1}"#;
    let read = |line| refused(jsonl(3, line, &Defaults::default()));
    assert_eq!(read(line), "line 3: score: this field is there twice");
    assert_eq!(read(r#"{"key":"a","key":"a"}"#), "line 3: key: this field is there twice");
}

#[test]
fn what_a_person_writes_may_say_no_time() {
    let fields = [("key", "a"), ("kind", "survey"), ("source", "s"), ("score", "9")];
    let written = |more: &[(&'static str, &'static str)]| {
        super::written(fields.iter().chain(more).copied(), Defaults::default())
    };
    assert_eq!(written(&[]).unwrap().at_wall_ms(), None);
    let timed = written(&[("at", "2026-03-01T09:30:00Z")]).unwrap();
    assert_eq!(timed.at_wall_ms(), Some(1_772_357_400_000));
    assert_eq!(written(&[("score", "8")]).unwrap_err().field, "score");
    assert_eq!(written(&[("points", "8")]).unwrap_err().field, "points");
}

#[test]
fn a_bill_that_lacks_something_is_refused_with_its_column() {
    assert_eq!(
        refused(focus(&BILL[1..], &CHARGE[1..])),
        "line 1: BilledCost: this column is missing; FOCUS has it"
    );
    for (at, cell, field) in [
        (0, "", "BilledCost"),
        (1, "dollar", "billing_currency"),
        (2, "March", "ChargePeriodStart"),
        (3, "2026-02-01", "charge_period_end_wall_ms"),
        (4, " ", "ServiceName"),
    ] {
        let mut charge = CHARGE;
        charge[at] = cell;
        let error = focus(&BILL, &charge).unwrap_err();
        assert_eq!((error.line, error.invalid.field.as_str()), (2, field), "{error}");
    }
}
