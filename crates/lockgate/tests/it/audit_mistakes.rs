//! What someone gets to see who mistypes, mixes up or misses something, on a log that this test wrote.

use std::fs;
use std::path::Path;

use lockgate_audit::{Entry, Log, LogKey, LogOptions, WitnessKey};

use crate::support::{Ran, run};

/// A data directory with a log of three records in it, and the log's public key.
fn log(dir: &Path) -> (String, String) {
    let key = LogKey::generate("log.example/a").expect("a key");
    let public = key.public().to_string();
    let options = LogOptions::new(dir.join("audit"));
    Log::create(&options, &key).expect("begins");
    let log = Log::open(&options, key).expect("opens");
    let session = log.session();
    for at_ms in [0, 86_400_000, 172_800_000] {
        let entry = Entry::event(at_ms, "lockgate", "test", "a\u{202e}b");
        session.append_blocking(&entry).expect("recorded");
    }
    drop(session);
    log.close();
    (text(&dir.join("audit")), public)
}

fn text(path: &Path) -> String {
    path.to_str().expect("it is text").to_owned()
}

#[track_caller]
fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let ran = run(&[&["audit"], args].concat());
    assert_eq!(ran.code, code, "{}", ran.shown());
    for part in parts {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.shown());
    }
}

#[track_caller]
fn done(args: &[&str]) -> Ran {
    let ran = run(&[&["audit"], args].concat());
    assert_eq!(ran.code, 0, "{}", ran.shown());
    ran
}

#[test]
fn a_directory_that_is_no_log_is_told_from_a_damaged_one() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (log, key) = log(dir.path());
    done(&["verify", &log, "--key", &key]);
    let above = text(dir.path());
    refused(&["verify", &above], 2, &["is no audit log", "did you mean", &log]);
    refused(&["verify", &above, "--key", &key], 2, &["did you mean", &log]);
    let other = dir.path().join("other");
    fs::create_dir(&other).expect("takes directories");
    fs::write(other.join("notes"), "").expect("takes files");
    refused(&["verify", &text(&other)], 2, &["is no audit log"]);
    // Whoever knows the key of a log expects one there.
    refused(&["verify", &text(&other), "--key", &key], 1, &[]);
    refused(&["verify", &text(&dir.path().join("none"))], 2, &["does not exist"]);
}

#[test]
fn keys_and_checkpoints_that_are_others_are_named() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (log, _) = log(dir.path());
    let witness = WitnessKey::generate("witness.example/w1").expect("a key").public().to_string();
    refused(
        &["verify", &log, "--key", &witness],
        2,
        &["the key of the witness `witness.example/w1`"],
    );
    let own = done(&["keys", "--dir", &log]).stdout.trim().to_owned();
    refused(&["verify", &log, "--witness", &own], 2, &["the key of the log `log.example/a`"]);
    let empty = text(&dir.path().join("empty"));
    fs::write(&empty, "\n").expect("takes files");
    for file in [&empty[..], "/dev/null"] {
        refused(&["verify", &log, "--key", file], 2, &["is empty", file]);
        let none = ["verify", &log, "--known-checkpoint", "/dev/null"];
        refused(&none, 2, &["/dev/null is empty"]);
    }
    let [right, wrong] = ["right", "wrong"].map(|name| text(&dir.path().join(name)));
    fs::write(&right, done(&["checkpoint", "--dir", &log]).stdout).expect("takes files");
    fs::write(&wrong, "nonsense").expect("takes files");
    let both = ["--known-checkpoint", &right, "--known-checkpoint", &wrong];
    let found = run(&[&["audit", "verify", &log][..], &both].concat());
    assert!(found.code == 1 && found.stdout.contains(&wrong), "{}", found.shown());
    assert!(!found.stdout.contains(&right), "{}", found.shown());
}

#[test]
fn a_search_that_can_find_nobody_is_no_answer() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (log, _) = log(dir.path());
    let index = text(&dir.path().join("index"));
    let search = ["search", "--dir", &log, "--index", &index];
    let with = |more: &[&'static str]| [&search[..], more].concat();
    let why = ["cannot be looked up", "--data-dir"];
    refused(&with(&["--principal", "ada"]), 2, &why);
    assert_eq!(done(&with(&["--principal", "lockgate"])).stdout.lines().count(), 4);
    done(&with(&["--principal", "subject:AAAA"]));
    refused(&with(&["--from", "1d", "--to", "2d"]), 2, &["is not before"]);
    refused(&["export", "--dir", &log, "--from", "1d", "--to", "20d"], 2, &["is not before"]);
    let one = done(&with(&["--from", "1970-01-02", "--to", "1970-01-03"])).stdout;
    assert_eq!(one.lines().count(), 2, "{one}");
}

#[test]
fn what_is_shown_is_for_terminals_and_programs() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (log, _) = log(dir.path());
    let told = done(&["checkpoint", "--dir", &log, "--output", "json"]).json();
    assert_eq!((&told["origin"], &told["size"]), (&"log.example/a".into(), &3.into()));
    assert_eq!(told["note"], done(&["checkpoint", "--dir", &log]).stdout);
    let shown = done(&["show", "1", "--dir", &log]);
    assert!(shown.stderr.contains("recorded: 1970-01-02 00:00:00Z"), "{}", shown.shown());
    assert_eq!(shown.json()["object"], "a\u{202e}b", "programs read what was recorded");
    assert!(!shown.stdout.contains('\u{202e}'), "and terminals obey nothing of it");
    assert!(!done(&["tail", "--dir", &log]).stdout.contains('\u{202e}'));
    // A file may be called anything.
    let evil = Path::new(&log).join("tile/\u{1b}[2J\u{202e}x\ny");
    fs::write(evil, "").expect("takes files");
    let found = run(&["audit", "verify", &log]);
    assert_eq!(found.code, 1, "{}", found.shown());
    let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!found.stdout.contains(obeyed), "{:?}", found.stdout);
    assert!(!found.stdout.lines().any(|line| line.starts_with('y')), "{}", found.stdout);
}

#[cfg(unix)]
#[test]
fn an_export_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().expect("a directory for the test");
    let (log, _) = log(dir.path());
    let out = text(&dir.path().join("out.csv"));
    // What was left of an export that was cut off.
    fs::write(format!("{out}.part"), "").expect("takes files");
    done(&["export", "--dir", &log, "--format", "csv", "--out", &out]);
    let mode = fs::metadata(&out).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
