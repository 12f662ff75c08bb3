//! Programs that are not ours read the log's files and check its notes and proofs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lockgate_audit::{
    Checkpoint, CosignerKey, Durability, Log, Outside, Reader, add_cosignature, keep_cosigned,
    prove_consistency, prove_inclusion, verify_against,
};
use serde_json::{Value, json};

use crate::witness::{Watcher, request};
use crate::world::{Made, empty, entry, log_of};

const SIZES: [u64; 10] = [1, 2, 5, 6, 9, 17, 255, 256, 257, 65_537];

/// A log with what it signed and proved at each size.
fn grown() -> (Made, PathBuf) {
    let made = empty();
    let mut states = Vec::new();
    let mut heads: Vec<Checkpoint> = Vec::new();
    for size in SIZES {
        let mut options = made.options();
        options.durability = Durability::Process;
        let log = Log::open(&options, made.key.clone()).unwrap();
        let session = log.session();
        for n in log.status().size..size {
            session.append_blocking(&entry(n)).unwrap();
        }
        log.close();
        let log = Reader::open(made.root(), made.public()).unwrap();
        assert_eq!(log.checkpoint().size, size);
        let mut indexes = vec![0, size / 3, size / 2, size.saturating_sub(2), size - 1];
        indexes.dedup();
        let inclusion: Vec<Value> = indexes
            .into_iter()
            .map(|index| {
                let proof = prove_inclusion(&log, index).unwrap();
                json!({
                    "index": index, "record": BASE64_STANDARD.encode(&proof.record),
                    "path": texts(&proof.path),
                })
            })
            .collect();
        let consistency: Vec<Value> = heads
            .iter()
            .map(|older| {
                let path = prove_consistency(&log, *older).unwrap();
                json!({ "old": older.size, "path": texts(&path) })
            })
            .collect();
        states.push(json!({
            "size": size, "note": std::str::from_utf8(log.note()).unwrap(),
            "inclusion": inclusion, "consistency": consistency,
        }));
        heads.push(log.checkpoint());
    }
    let cases = made.dir.path().join("cases.json");
    let key = made.key.public().to_string();
    fs::write(&cases, json!({ "key": key, "states": states }).to_string()).unwrap();
    (made, cases)
}

fn texts(path: &[[u8; 32]]) -> Vec<String> {
    path.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

/// The Python with other people's verifiers.
fn python(script: &str) -> Command {
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect(
        "LOCKGATE_TEST_PYTHON must name a Python with aics-tlog and pymerkle; ./test sets it",
    );
    let mut command = Command::new(python);
    command.arg(peer(script));
    command
}

/// What a peer has checked. One that is missing fails the test.
fn checked(command: &mut Command, cases: &Path, made: &Made) -> Value {
    let shown = format!("{command:?}");
    let ran = command.args([cases.as_os_str(), made.root().as_os_str()]).output();
    let ran = ran.unwrap_or_else(|error| panic!("{shown}: {error}; ./test installs what it needs"));
    assert!(ran.status.success(), "{shown}: {}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn aics_tlog_pymerkle_and_go_agree() {
    let (made, cases) = grown();
    assert!(made.verify(&[made.kept()]).intact());
    let by_python = checked(&mut python("check.py"), &cases, &made);
    let mut go = Command::new("go");
    // Debian's packages, and nothing fetched.
    go.envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .args([OsStr::new("run"), peer("check.go").as_os_str()]);
    let by_go = checked(&mut go, &cases, &made);
    assert_eq!(by_python, by_go);
    assert_eq!(by_go["states"], SIZES.len());
    assert_eq!(by_go["records"], 65_537);
    assert!(by_go["proofs"].as_u64().unwrap() > 80, "{by_go}");
}

#[test]
fn aics_tlog_takes_our_cosignatures_and_we_take_its_own() {
    let made = log_of(5);
    let watchers = [Watcher::named(&made, "witness.example/w1"), Watcher::named(&made, "w2")];
    let mut notes = Vec::new();
    let mut old = 0;
    for (size, at_s) in
        [(5, 1_u64), (300, 1_700_000_000), (300, 1_700_000_000), (301, 9_999_999_999)]
    {
        made.append(size - old.max(5));
        let asked = request(&made, old);
        let note = watchers.iter().fold(asked.note.clone(), |note, watcher| {
            let answer = watcher.open().add_checkpoint(&asked.to_bytes(), at_s).unwrap();
            add_cosignature(&note, &answer, watcher.key.public()).unwrap()
        });
        let note = String::from_utf8(note).unwrap();
        notes.push(json!({ "note": note, "size": size, "at_s": at_s }));
        old = size;
    }
    let keys: Vec<String> =
        watchers.iter().map(|watcher| watcher.key.public().to_string()).collect();
    let log = made.key.public().to_string();
    let cases = made.dir.path().join("cosigned.json");
    let all = json!({ "log": log, "witnesses": keys, "notes": notes });
    fs::write(&cases, all.to_string()).unwrap();
    let theirs = checked(&mut python("cosigned.py"), &cases, &made);
    assert_eq!(theirs["checked"], 8);
    let key = CosignerKey::parse(theirs["key"].as_str().unwrap()).unwrap();
    let newest = Reader::open(made.root(), made.public()).unwrap();
    let line = theirs["line"].as_str().unwrap();
    let note = add_cosignature(newest.note(), line.as_bytes(), &key).unwrap();
    assert_eq!(keep_cosigned(&made.root(), &key, &note).unwrap().at_s, 1_700_000_000);
    let outside = Outside { witnesses: vec![key], cosignatures_min: 1, ..Outside::default() };
    let found = verify_against(&made.root(), &made.public(), &outside, &mut |_, _| {}).unwrap();
    assert!(found.intact() && found.unanchored_from.is_none(), "{found:?}");
}
