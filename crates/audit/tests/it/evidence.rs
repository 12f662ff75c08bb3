//! Ranges of records as evidence: proofs, and bundles that need no log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_audit::{
    BadItem, LogKey, RangeCheck, RangeProof, Reader, check_bundle, prove_range, write_bundle,
};
use sha2::{Digest as _, Sha256};

use crate::world::{Made, entry, log_of};

fn reader(made: &Made) -> Reader {
    Reader::open(made.root(), made.public()).unwrap()
}

fn leaf(record: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(record).finalize().into()
}

fn holds(log: &Reader, proof: &RangeProof, records: &[Vec<u8>]) -> bool {
    let Ok(mut check) = RangeCheck::begin(proof) else { return false };
    for record in records {
        check.leaf(leaf(record));
    }
    check.finish(log.checkpoint()).is_ok()
}

#[test]
fn every_range_of_small_logs_is_proved_and_no_other() {
    for size in 1..=17 {
        let made = log_of(size);
        let log = reader(&made);
        for first in 0..size {
            for end in first + 1..=size {
                let proof = prove_range(&log, first, end).unwrap();
                let records = log.records(first..end).unwrap();
                assert!(holds(&log, &proof, &records), "{first}..{end} of {size}");
                assert_eq!(RangeProof::parse(&proof.to_text()).unwrap(), proof);
                let mut fewer = records.clone();
                fewer.pop();
                assert!(!holds(&log, &proof, &fewer));
                let mut other = records.clone();
                other[0].push(b' ');
                assert!(!holds(&log, &proof, &other));
                let moved = RangeProof { first: first + 1, end: end + 1, ..proof.clone() };
                assert!(!holds(&log, &moved, &records), "{first}..{end} of {size} elsewhere");
            }
        }
        assert!(prove_range(&log, 0, size + 1).is_err());
        assert!(prove_range(&log, 0, 0).is_err());
    }
}

#[test]
fn ranges_over_the_ends_of_tiles_are_proved() {
    for size in [255, 256, 257, 600] {
        let made = log_of(size);
        let log = reader(&made);
        for (first, end) in [(0, size), (size - 1, size), (1, size - 1), (100, 255), (254, 255)] {
            let proof = prove_range(&log, first, end).unwrap();
            assert!(proof.left.len() + proof.right.len() <= 20, "a proof stays short");
            assert!(holds(&log, &proof, &log.records(first..end).unwrap()), "{first}..{end}");
        }
    }
}

fn bundle(made: &Made, first: u64, end: u64) -> PathBuf {
    let dir = made.dir.path().join("bundle");
    write_bundle(&reader(made), first..end, &dir, None, &mut |_, _| {}).unwrap();
    dir
}

fn bad(dir: &Path, made: &Made) -> BadItem {
    check_bundle(dir, &made.public()).unwrap_err()
}

#[test]
fn a_bundle_holds_and_no_byte_of_it_is_free() {
    let made = log_of(11);
    let dir = bundle(&made, 3, 8);
    let found = check_bundle(&dir, &made.public()).unwrap();
    assert_eq!((found.first, found.end, found.size), (3, 8, 11));
    let mut flipped = 0;
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The page is long, and only its digest is looked at.
        let step = if name == "README.md" { 97 } else { 1 };
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let bad = bad(&dir, &made);
            assert!(!bad.file.is_empty() && !bad.why.is_empty(), "{name} at {at}");
            flipped += 1;
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(flipped > 2_000, "{flipped} bytes were flipped");
    assert!(check_bundle(&dir, &made.public()).is_ok());
}

#[test]
fn the_first_bad_item_of_a_bundle_is_named() {
    let made = log_of(300);
    let dir = bundle(&made, 200, 280);
    let lines = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let with = |name: &str, text: &str| {
        let before = lines(name);
        fs::write(dir.join(name), text).unwrap();
        let bad = bad(&dir, &made);
        fs::write(dir.join(name), before).unwrap();
        (bad.file, bad.seq)
    };
    let records = lines("records.jsonl");
    let edited = records.replacen("thing 250", "thing 25O", 1);
    assert_eq!(with("records.jsonl", &edited), ("records.jsonl".into(), Some(250)));
    let shorter = &records[..=records[..records.len() - 1].rfind('\n').unwrap()];
    assert_eq!(with("records.jsonl", shorter), ("records.jsonl".into(), Some(279)));
    let longer = format!("{records}{{}}\n");
    assert_eq!(with("records.jsonl", &longer), ("records.jsonl".into(), None));
    let leaves = lines("leaves");
    let fourth = leaves.lines().nth(4).unwrap();
    let other = leaves.replacen(fourth, leaves.lines().nth(5).unwrap(), 1);
    assert_eq!(with("leaves", &other), ("leaves".into(), Some(204)));
    fs::write(dir.join("more"), "").unwrap();
    assert_eq!(bad(&dir, &made).file, "more");
    fs::remove_file(dir.join("more")).unwrap();
    fs::remove_file(dir.join("README.md")).unwrap();
    assert_eq!(bad(&dir, &made).file, "README.md");
}

#[test]
fn a_bundle_of_another_key_is_none_of_ours() {
    let made = log_of(5);
    let dir = bundle(&made, 0, 5);
    let other = LogKey::generate("test.example/log").unwrap();
    let bad = check_bundle(&dir, &[other.public().clone()]).unwrap_err();
    assert_eq!(bad.file, "log.keys");
    let again = write_bundle(&reader(&made), 0..5, &dir, None, &mut |_, _| {});
    assert!(again.is_err(), "evidence is not written over");
}

/// The page in a bundle tells how to check it without this project; this does what it tells.
#[test]
fn a_bundle_is_checked_by_what_its_page_says() {
    let made = log_of(600);
    let dir = bundle(&made, 250, 520);
    let page = fs::read_to_string(dir.join("README.md")).unwrap();
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let script_path = made.dir.path().join("check.py");
    fs::write(&script_path, script).unwrap();
    let check = || {
        let key = made.key.public().to_string();
        Command::new("python3").arg(&script_path).arg(key).current_dir(&dir).output().unwrap()
    };
    let ran = check();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("records 250 to 519 of 600 in test.example/log: proved"), "{said}");
    for name in ["records.jsonl", "checkpoint", "proof.json"] {
        let path = dir.join(name);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        let digit = changed.iter().position(u8::is_ascii_digit).unwrap();
        changed[digit] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(!check().status.success(), "{name} was changed");
        fs::write(&path, bytes).unwrap();
    }
}

/// Whoever reads while the log is written sees the log as it is at one checkpoint.
#[test]
fn a_growing_log_is_read_as_it_is_at_one_checkpoint() {
    let made = log_of(1);
    let mut options = made.options();
    options.publish_every = std::time::Duration::ZERO;
    options.segment_max_bytes = 4 << 10;
    let log = lockgate_audit::Log::open(&options, made.key.clone()).unwrap();
    let read_enough = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let session = log.session();
            let mut n = 1;
            // So many at most, so that a reader that fails leaves nobody behind.
            while n < 100_000 && !read_enough.load(Ordering::Relaxed) {
                session.append_blocking(&entry(n)).unwrap();
                n += 1;
            }
        });
        let mut sizes = std::collections::HashSet::new();
        while sizes.len() < 12 {
            let read = reader(&made);
            let signed = read.checkpoint().size;
            if sizes.insert(signed) {
                let records = read.records(0..read.size()).unwrap();
                assert_eq!(records.len() as u64, read.size());
                let last: serde_json::Value =
                    serde_json::from_slice(&records[records.len() - 1]).unwrap();
                assert_eq!(last["seq"], read.size() - 1);
                let proof = prove_range(&read, signed / 2, signed).unwrap();
                let half = usize::try_from(signed / 2).unwrap();
                assert!(holds(&read, &proof, &records[half..usize::try_from(signed).unwrap()]));
            }
        }
        read_enough.store(true, Ordering::Relaxed);
    });
    log.close();
}
