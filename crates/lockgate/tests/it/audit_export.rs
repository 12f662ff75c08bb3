//! Records as other programs read them, and as evidence.

use std::fs;
use std::path::PathBuf;

use lockgate_audit::{Entry, Log, LogKey, LogOptions, Reader};
use serde_json::{Value, json};

use crate::support::{Ran, run};

const DAY_MS: i64 = 86_400_000;

struct Made {
    dir: tempfile::TempDir,
    key: LogKey,
}

impl Made {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().expect("it is text").to_owned()
    }

    fn export(&self, more: &[&str]) -> Ran {
        let dir = self.path("log");
        run(&[&["audit", "export", "--dir", &dir], more].concat())
    }

    fn check(&self, bundle: &str) -> Ran {
        run(&["audit", "check-bundle", bundle, "--key", &self.key.public().to_string()])
    }
}

/// A log of what people and strangers write: one record a day from the epoch on.
fn made() -> Made {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let key = LogKey::generate("lockgate.local/test").expect("a key");
    let options = LogOptions::new(dir.path().join("log"));
    Log::create(&options, &key).expect("begun");
    let log = Log::open(&options, key.clone()).expect("opens");
    let session = log.session();
    let texts = [
        ("sign_in", "ada", "console", json!(null)),
        ("sign_in.refused", "unknown", "/api", json!({ "count": 3 })),
        ("token.create", "ada", "t1", json!({ "reason": "=HYPERLINK(\"http://x\",\"y\")" })),
        ("rollout.start", "=cmd|' /C calc'!A1", "support/v2", json!({ "reason": "v2" })),
        ("rollout.pause", "+1", "a;=1\n@x, \"q\"", json!({ "text": "zwei\r\nZeilen" })),
        ("rollout.start.refused", "ada", "support/v2", json!({})),
        ("security_event.raise", "-ada", "", json!({ "cause": "\u{0}=1" })),
        ("token.revoke", "ada", "t1", json!({})),
    ];
    for (n, (action, who, object, detail)) in (0..).zip(texts) {
        let mut entry = Entry::event(n * DAY_MS, who, action, object);
        entry.labels = vec![("agent".into(), "=support".into())];
        entry.detail = detail;
        session.append_blocking(&entry).expect("recorded");
    }
    log.close();
    Made { dir, key }
}

fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{}", ran.shown());
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect()
}

#[test]
fn lines_are_the_signed_bytes() {
    let made = made();
    let log = Reader::open(made.path("log"), Vec::new()).expect("reads");
    let signed: Vec<String> = log
        .records(0..8)
        .expect("reads")
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).expect("text"))
        .collect();
    let ran = made.export(&[]);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), signed);
    let out = made.path("out.jsonl");
    let ran = made.export(&["--first", "2", "--last", "4", "--out", &out]);
    assert!(ran.code == 0 && ran.stdout.is_empty(), "{}", ran.shown());
    assert_eq!(fs::read_to_string(&out).expect("written"), signed[2..=4].join("\n") + "\n");
    assert!(!PathBuf::from(out + ".part").exists());
}

#[test]
fn a_range_is_by_number_or_by_time() {
    let made = made();
    let seqs = |more: &[&str]| -> Vec<u64> {
        lines(&made.export(more)).iter().filter_map(|record| record["seq"].as_u64()).collect()
    };
    assert_eq!(seqs(&["--from", "1970-01-03T00:00:00Z", "--to", "1970-01-05T00:00:00Z"]), [2, 3]);
    assert_eq!(seqs(&["--to", "1970-01-02T00:00:00+01:00"]), [0]);
    assert_eq!(seqs(&["--from", "24h"]), [0_u64; 0], "nothing is that young");
    assert_eq!(seqs(&["--first", "6"]), [6, 7]);
    for wrong in [
        &["--first", "8"][..],
        &["--first", "5", "--last", "4"],
        &["--last", "8"],
        &["--from", "yesterday"],
        &["--from", "24h", "--first", "1"],
        &["--format", "xml"],
        &["--bundle", "b", "--format", "csv"],
    ] {
        let ran = made.export(wrong);
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{wrong:?}: {}", ran.shown());
    }
}

#[test]
fn a_table_keeps_every_text_and_runs_no_formula() {
    let made = made();
    let ran = made.export(&["--format", "csv"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let mut table = csv::Reader::from_reader(ran.stdout.as_bytes());
    assert_eq!(&table.headers().expect("a head")[0], "seq");
    let rows: Vec<csv::StringRecord> =
        table.records().collect::<Result<_, _>>().expect("each row is whole");
    assert_eq!(rows.len(), 8);
    assert_eq!(&rows[3][5], "'=cmd|' /C calc'!A1");
    assert_eq!(&rows[4][5], "'+1");
    assert_eq!(&rows[4][4], "a;=1\n@x, \"q\"");
    assert_eq!(&rows[6][5], "'-ada");
    assert_eq!(&rows[3][1], "1970-01-04T00:00:00.000Z");
    let detail: Value = serde_json::from_str(&rows[4][11]).expect("JSON in a cell");
    assert_eq!(detail["text"], "zwei\r\nZeilen");
    for cell in rows.iter().flat_map(csv::StringRecord::iter) {
        let first = cell.trim_start().chars().next();
        assert!(!first.is_some_and(|first| "=+-@".contains(first)), "{cell}");
    }
}

#[test]
fn events_of_the_clouds_name_their_log_and_place() {
    let made = made();
    let events = lines(&made.export(&["--format", "cloudevents"]));
    assert_eq!(events.len(), 8);
    let event = &events[3];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], "3");
    assert_eq!(event["source"], "urn:lockgate:audit:lockgate.local/test");
    assert_eq!(event["type"], "lockgate.audit.rollout.start");
    assert_eq!(event["subject"], "support/v2");
    assert_eq!(event["time"], "1970-01-04T00:00:00.000Z");
    assert_eq!(event["data"]["seq"], 3);
    assert!(events[6].get("subject").is_none(), "it may not be empty");
    let names = events.iter().flat_map(|event| event.as_object().expect("an object").keys());
    assert!(names.into_iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase())));
}

#[test]
fn ocsf_classes_fit_what_was_done() {
    let made = made();
    let events = lines(&made.export(&["--format", "ocsf"]));
    let classes: Vec<(u64, u64, u64)> = events
        .iter()
        .map(|event| {
            let field = |name: &str| event[name].as_u64().expect("a number");
            assert_eq!(field("type_uid"), field("class_uid") * 100 + field("activity_id"));
            assert_eq!(field("category_uid"), field("class_uid") / 1000);
            for required in ["time", "severity_id"] {
                assert!(event[required].is_i64(), "{required}");
            }
            assert_eq!(event["metadata"]["version"], "1.6.0");
            assert_eq!(event["metadata"]["product"]["vendor_name"], "Lockgate");
            match field("class_uid") {
                3002 => assert!(event["user"]["name"].is_string() && event["service"].is_object()),
                3004 => assert!(event["entity"]["name"].is_string()),
                _ => assert!(event.get("entity").is_none()),
            }
            (field("class_uid"), field("activity_id"), field("status_id"))
        })
        .collect();
    assert_eq!(
        classes,
        [
            (3002, 1, 1),
            (3002, 1, 2),
            (3004, 1, 1),
            (3004, 1, 1),
            (3004, 12, 1),
            (3004, 1, 2),
            (0, 99, 1),
            (3004, 4, 1),
        ]
    );
    let raw = events[3]["raw_data"].as_str().expect("text");
    assert_eq!(raw, made.export(&[]).stdout.lines().nth(3).expect("there"));
}

#[test]
fn evidence_is_written_checked_and_no_file_of_it_can_change() {
    let made = made();
    let bundle = made.path("evidence");
    let args =
        ["--from", "1970-01-03T00:00:00Z", "--to", "1970-01-06T00:00:00Z", "--bundle", &bundle];
    let ran = made.export(&args);
    assert!(ran.code == 0 && ran.stdout.starts_with("records 2 to 4 of 8\n"), "{}", ran.shown());
    let manifest = ran.stdout.lines().nth(1).expect("its digest").to_owned();
    fs::remove_dir_all(made.path("log")).expect("it is there");
    let held = made.check(&bundle);
    assert!(held.code == 0 && held.stdout.contains(&manifest), "{}", held.shown());
    let mut files = 0;
    for entry in fs::read_dir(&bundle).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("it can be read");
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        fs::write(&path, changed).expect("it can be written");
        let ran = made.check(&bundle);
        // A digest that was changed looks as its file would.
        let named = if name == "manifest.json" { "manifest" } else { &name };
        assert!(ran.code == 1 && ran.stdout.contains(named), "{name}: {}", ran.shown());
        fs::write(&path, bytes).expect("it can be written");
        files += 1;
    }
    assert_eq!(files, 7);
    let other = LogKey::generate("lockgate.local/test").expect("a key").public().to_string();
    assert_eq!(run(&["audit", "check-bundle", &bundle, "--key", &other]).code, 1);
    let bare = run(&["audit", "check-bundle", &bundle]);
    assert!(
        bare.code == 2 && bare.stderr.contains("without the log's public key"),
        "{}",
        bare.shown()
    );
}

#[test]
fn evidence_is_not_written_over_and_not_of_nothing() {
    let made = made();
    let bundle = made.path("evidence");
    assert_eq!(made.export(&["--bundle", &bundle]).code, 0);
    let again = made.export(&["--bundle", &bundle]);
    assert!(again.code == 2 && again.stderr.contains("is not empty"), "{}", again.shown());
    let nothing = made.export(&["--from", "1h", "--bundle", &made.path("other")]);
    assert!(
        nothing.code == 2 && nothing.stderr.contains("no signed record"),
        "{}",
        nothing.shown()
    );
}
