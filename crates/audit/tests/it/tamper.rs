//! A log after someone was at it. Whoever holds a checkpoint sees everything; whoever holds the public key alone sees
//! everything but a history that the key's owner wrote anew.

use std::fs;
use std::process::Command;

use lockgate_audit::DamageKind::{self, *};
use lockgate_audit::{Found, Known, Log, LogKey, Reader, verify, write_bundle};

use crate::world::{Made, empty, entry, log_of};

/// Records of the log that is tampered with: two full bundles and an unfinished one.
const RECORDS: u64 = 600;

/// The first damage, and that there is some with and without a checkpoint kept elsewhere.
fn first(made: &Made, known: &Known) -> (DamageKind, Option<u64>) {
    let with = made.verify(std::slice::from_ref(known));
    assert!(!with.intact(), "seen with a checkpoint");
    let without = made.verify(&[]);
    assert!(!without.intact(), "seen without one: {with:?}");
    let first = &without.damage[0];
    (first.kind, first.seq)
}

type Change = fn(&mut Vec<Vec<u8>>);

/// Rewrites the records of a bundle.
fn bundle(made: &Made, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let path = made.path(name);
    let bytes = fs::read(&path).unwrap();
    let mut records = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((len, after)) = rest.split_at_checked(2) {
        let (record, after) = after.split_at(usize::from(u16::from_be_bytes([len[0], len[1]])));
        records.push(record.to_vec());
        rest = after;
    }
    change(&mut records);
    let written: Vec<u8> = records
        .iter()
        .flat_map(|record| {
            let len = u16::try_from(record.len()).unwrap().to_be_bytes();
            [&len[..], record].concat()
        })
        .collect();
    fs::write(path, written).unwrap();
}

fn text(record: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(record.to_vec()).unwrap().replacen(from, to, 1).into_bytes()
}

#[test]
fn records_that_were_changed_taken_out_or_put_in_are_named() {
    let made = log_of(RECORDS);
    let kept = made.kept();
    let cases: [(&str, Change, DamageKind, u64); 8] = [
        ("edit", |all| all[44] = b"{}".to_vec(), Edited, 300),
        ("field", |all| all[44] = text(&all[44], "\"ada\"", "\"eve\""), Edited, 300),
        ("delete", |all| drop(all.remove(44)), Deleted, 300),
        ("truncate", |all| all.truncate(44), Truncated, 300),
        ("reorder", |all| all.swap(44, 45), Reordered, 300),
        ("duplicate", |all| all.insert(44, all[43].clone()), Duplicated, 300),
        ("replace", |all| all[44] = all[43].clone(), Duplicated, 300),
        ("insert", |all| all.insert(44, text(&all[44], "\"ada\"", "\"eve\"")), Inserted, 300),
    ];
    for (name, change, kind, seq) in cases {
        let copy = made.copy();
        bundle(&copy, "tile/entries/001", change);
        assert_eq!(first(&copy, &kept), (kind, Some(seq)), "{name}");
    }
}

#[test]
fn hashes_that_were_changed_are_told_from_records() {
    let made = log_of(RECORDS);
    let kept = made.kept();
    let copy = made.copy();
    let path = copy.path("tile/0/001");
    let mut bytes = fs::read(&path).unwrap();
    bytes[44 * 32] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(first(&copy, &kept), (Tile, Some(300)));
    let copy = made.copy();
    let (one, other) = (copy.path("tile/0/000"), copy.path("tile/0/001"));
    let (a, b) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    fs::write(&one, b).unwrap();
    fs::write(&other, a).unwrap();
    assert_eq!(first(&copy, &kept), (Tile, Some(0)), "swapped tiles");
    let copy = made.copy();
    let (one, other) = (copy.path("tile/entries/000"), copy.path("tile/entries/001"));
    let (a, b) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    fs::write(&one, b).unwrap();
    fs::write(&other, a).unwrap();
    assert_eq!(first(&copy, &kept).1, Some(0), "swapped bundles");
    let copy = made.copy();
    fs::remove_file(copy.path("tile/0/001")).unwrap();
    assert_eq!(first(&copy, &kept), (Missing, Some(256)));
}

#[test]
fn a_log_that_was_emptied_or_cut_is_named() {
    let made = log_of(RECORDS);
    let kept = made.kept();
    let copy = made.copy();
    fs::remove_dir_all(copy.root()).unwrap();
    fs::create_dir(copy.root()).unwrap();
    assert_eq!(first(&copy, &kept).0, Emptied);
    let copy = made.copy();
    fs::remove_file(copy.path("checkpoint")).unwrap();
    assert_eq!(first(&copy, &kept).0, Missing);
    let copy = made.copy();
    fs::remove_file(copy.path("tile/entries/002.p/88")).unwrap();
    assert_eq!(first(&copy, &kept), (Missing, Some(512)));
}

/// The key's owner can go back to what was signed before. Only someone who kept a newer checkpoint sees that.
#[test]
fn a_log_that_was_cut_back_to_an_older_checkpoint_is_seen_by_whoever_kept_a_newer_one() {
    let made = log_of(300);
    let older = made.copy();
    made.append(300);
    let kept = made.kept();
    let found = older.verify(std::slice::from_ref(&kept));
    assert_eq!((found.damage[0].kind, found.damage[0].seq), (Truncated, Some(300)));
    let alone = older.verify(&[]);
    assert!(alone.intact(), "nothing in it is wrong: {alone:?}");
    assert_eq!((alone.unanchored_from, alone.unanchored_since_ms), (Some(0), Some(1_000)));
    // An old checkpoint over newer files is seen by anyone.
    fs::copy(older.path("checkpoint"), made.path("checkpoint")).unwrap();
    let found = made.verify(&[]);
    assert!(found.damage.iter().any(|damage| damage.kind == StaleCheckpoint), "{found:?}");
    assert!(!made.verify(&[kept]).intact());
}

#[test]
fn another_history_by_the_same_key_is_seen_with_a_checkpoint() {
    let made = log_of(RECORDS);
    let kept = made.kept();
    let forked = Made { dir: tempfile::tempdir().unwrap(), key: made.key.clone() };
    Log::create(&forked.options(), &forked.key).unwrap();
    let log = forked.open();
    let session = log.session();
    for n in 0..RECORDS + 10 {
        let mut act = entry(n);
        if n == 300 {
            act.principal = "eve".into();
        }
        session.append_blocking(&act).unwrap();
    }
    log.close();
    let found = forked.verify(&[kept]);
    assert_eq!(found.damage.iter().map(|damage| damage.kind).collect::<Vec<_>>(), [Forked]);
    let alone = forked.verify(&[]);
    assert!(alone.intact());
    assert_eq!(alone.unanchored_from, Some(0), "and that nobody vouches for it is said");
}

#[test]
fn another_key_is_named() {
    let made = log_of(10);
    let kept = made.kept();
    let other = LogKey::generate("test.example/log").unwrap();
    let look = |made: &Made, known: &[Known]| -> Found {
        verify(&made.root(), std::slice::from_ref(other.public()), known, &mut |_, _| {}).unwrap()
    };
    let found = look(&made, &[]);
    assert!(found.damage.iter().any(|damage| damage.kind == WrongKey), "{found:?}");
    assert!(found.damage.iter().any(|damage| damage.kind == BadCheckpoint), "{found:?}");
    // A whole log by another key, in the place of this one.
    let fake = Made { dir: tempfile::tempdir().unwrap(), key: other.clone() };
    Log::create(&fake.options(), &other).unwrap();
    fake.append(10);
    let found = verify(&fake.root(), &made.public(), &[kept], &mut |_, _| {}).unwrap();
    assert!(found.damage.iter().any(|damage| damage.kind == WrongKey), "{found:?}");
    assert!(Log::open(&made.options(), other).is_err(), "nor is it opened with it");
}

/// No bit of any file is free.
#[test]
fn every_bit_counts() {
    let made = log_of(6);
    let kept = made.kept();
    let mut flips = 0;
    for file in made.files() {
        let path = made.path(&file);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let with = made.verify(std::slice::from_ref(&kept));
            let without = made.verify(&[]);
            assert!(!with.intact() && !without.intact(), "byte {at} of {file}");
            flips += 1;
        }
        let longer = [&bytes[..], b"x"].concat();
        fs::write(&path, &longer).unwrap();
        let found = made.verify(&[]);
        assert!(!found.intact() || found.torn_bytes == 1, "a byte more in {file}");
        fs::write(&path, &bytes).unwrap();
    }
    assert!(flips > 3_000, "{flips}");
    assert!(made.verify(&[kept]).intact());
}

#[test]
fn files_that_are_none_of_the_logs_are_named() {
    let made = log_of(300);
    for name in [
        "tile/0/007",
        "tile/entries/000.p/9",
        "notes.txt",
        "wal/x.wal",
        "tile/entries/1000",
        "notes.tmp",
    ] {
        let path = made.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        let found = made.verify(&[]);
        assert_eq!(found.damage.len(), 1, "{name}: {found:?}");
        assert_eq!(found.damage[0].kind, Stranger, "{name}");
        fs::remove_file(path).unwrap();
    }
    assert!(made.verify(&[]).intact());
    assert!(empty().verify(&[]).intact(), "no record yet is no damage");
}

/// What is read is held against what was signed, so that nobody is shown what someone wrote there.
#[test]
fn a_record_that_was_changed_is_not_shown() {
    let made = log_of(RECORDS);
    bundle(&made, "tile/entries/001", |all| all[44] = text(&all[44], "\"ada\"", "\"eve\""));
    let log = Reader::open(made.root(), made.public()).unwrap();
    let refused = log.record(300).unwrap_err().to_string();
    assert!(refused.contains("record 300 is not the one that was signed"), "{refused}");
    assert!(log.records(290..310).is_err());
    assert!(log.records(256..300).is_ok(), "those before it are what they were");
    let dir = made.dir.path().join("bundle");
    assert!(write_bundle(&log, 0..RECORDS, &dir, None, &mut |_, _| {}).is_err());
    // Both together, so that they fit each other.
    let made = log_of(RECORDS);
    fs::copy(made.path("tile/entries/000"), made.path("tile/entries/001")).unwrap();
    fs::copy(made.path("tile/0/000"), made.path("tile/0/001")).unwrap();
    let log = Reader::open(made.root(), made.public()).unwrap();
    let refused = log.record(300).unwrap_err().to_string();
    assert!(refused.contains("tile/0/001 does not follow"), "{refused}");
}

/// Files that are none, or are far too long, stop nobody who looks.
#[test]
fn what_is_no_file_is_not_waited_for() {
    let made = log_of(RECORDS);
    let names = ["checkpoint", "log.keys", "tile/0/000", "tile/entries/001", "tile/1/000.p/2"];
    let wal = made.files().into_iter().find(|name| name.starts_with("wal/")).unwrap();
    for name in names.into_iter().chain([wal.as_str()]) {
        let pipe = made.copy();
        fs::remove_file(pipe.path(name)).unwrap();
        let made_it = Command::new("mkfifo").arg(pipe.path(name)).status().unwrap();
        assert!(made_it.success());
        assert!(!pipe.verify(&[]).intact(), "a pipe as {name}");
        // Those who read less than everything need not meet it; none of them waits.
        let read = Reader::open(pipe.root(), pipe.public()).and_then(|log| log.records(0..RECORDS));
        let is_read = !matches!(name, "log.keys") && !name.starts_with("wal/");
        assert!(read.is_err() || !is_read, "a pipe as {name}");
        let _ = Log::open(&pipe.options(), pipe.key.clone());

        let long = made.copy();
        fs::OpenOptions::new().write(true).open(long.path(name)).unwrap().set_len(8 << 30).unwrap();
        assert!(!long.verify(&[]).intact(), "8 GiB of {name}");
    }
}

/// A broken frame with much behind it that looks like frames: the search for a whole one has an end.
#[test]
fn what_only_looks_like_frames_is_not_searched_for_long() {
    let made = log_of(3);
    let name = made.files().into_iter().find(|name| name.starts_with("wal/")).unwrap();
    let mut bytes = fs::read(made.path(&name)).unwrap();
    bytes.extend_from_slice(&[0xFF; 20]);
    // Each begins with a length of a mebibyte and the next place in order.
    for _ in 0..200_000 {
        bytes.extend_from_slice(&[0, 0x10, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&3_u64.to_be_bytes());
    }
    fs::write(made.path(&name), bytes).unwrap();
    let found = made.verify(&[]);
    assert_eq!(found.damage[0].kind, Frame, "{found:?}");
}
