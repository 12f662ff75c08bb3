//! Programs that are not ours read the log's files and check its notes and proofs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lockgate_audit::{Checkpoint, Durability, Log, Reader, prove_consistency, prove_inclusion};
use serde_json::{Value, json};

use crate::world::{Made, empty, entry};

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
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect(
        "LOCKGATE_TEST_PYTHON must name a Python with aics-tlog and pymerkle; ./test sets it",
    );
    let by_python = checked(Command::new(python).arg(peer("check.py")), &cases, &made);
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
