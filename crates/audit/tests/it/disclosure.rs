//! Evidence that names people: whoever has it can check names and words against what was signed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_audit::{
    BadItem, Disclosure, Entry, Kept, Personal, Reader, Vault, check_bundle, write_bundle,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{Made, empty};

const FILE: &str = "disclosed.jsonl";

/// What someone does to the lines of it.
type Forgery = fn(&mut Vec<Value>);

/// Six records of two people, and the keys.
fn made() -> (Made, Vault) {
    let made = empty();
    let dir = made.dir.path().join("vault");
    Vault::create(&dir, "test.example/log").unwrap();
    let vault = Vault::open(&dir, "test.example/log").unwrap();
    let log = made.open();
    for n in 0..6 {
        let who = if n % 2 == 0 { "ada l." } else { "eve m." };
        let mut entry = Entry::event(1_000 + n, who, "token.create", "t");
        entry.detail = json!({ "reason": format!("grüße \"{n}\""), "for": ["bob b."], "facts": n });
        let personal = |at: &str, of: &str, kept| Personal { at: at.into(), of: of.into(), kept };
        let personal = [
            personal("/principal", who, Kept::Name),
            personal("/detail/reason", who, Kept::Sealed),
            personal("/detail/for/0", "bob b.", Kept::Name),
            personal("/detail/facts", who, Kept::Committed),
        ];
        log.session().append_blocking(&vault.seal(entry, &personal).unwrap()).unwrap();
    }
    log.close();
    (made, vault)
}

fn bundle(made: &Made, vault: &Vault, places: &[&str], name: &str) -> PathBuf {
    let dir = made.dir.path().join(name);
    let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
    let log = Reader::open(made.root(), made.public()).unwrap();
    let disclosure = Disclosure { vault, places: &places };
    write_bundle(&log, 1..5, &dir, Some(disclosure), &mut |_, _| {}).unwrap();
    dir
}

fn lines(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join(FILE)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes other lines, and a manifest that fits them: it is signed by nobody.
fn forge(dir: &Path, lines: &[Value]) {
    let lines = lines.iter().map(|line| serde_json_canonicalizer::to_string(line).unwrap() + "\n");
    let text: String = lines.collect();
    fs::write(dir.join(FILE), &text).unwrap();
    let path = dir.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut digest = String::new();
    for byte in Sha256::digest(&text) {
        write!(digest, "{byte:02x}").unwrap();
    }
    manifest["files"][FILE] = json!({ "bytes": text.len(), "sha256": digest });
    fs::write(path, serde_json::to_string_pretty(&manifest).unwrap() + "\n").unwrap();
}

fn bad(dir: &Path, made: &Made) -> BadItem {
    check_bundle(dir, &made.public()).unwrap_err()
}

#[test]
fn what_is_disclosed_is_what_was_signed_and_nothing_else_is() {
    let (made, vault) = made();
    let places =
        ["/principal", "/detail/reason", "/detail/for/0", "/detail/facts", "/detail/none", "x"];
    let dir = bundle(&made, &vault, &places, "bundle");
    assert_eq!(
        check_bundle(&dir, &made.public()).unwrap().disclosed,
        12,
        "four records, three places"
    );
    let told = lines(&dir);
    let said: Vec<&Value> = told[..3].iter().map(|line| &line["value"]).collect();
    assert_eq!(said, [&json!("eve m."), &json!("grüße \"1\""), &json!("bob b.")]);
    let plain = bundle(&made, &vault, &["/detail/reason"], "reasons");
    assert_eq!(check_bundle(&plain, &made.public()).unwrap().disclosed, 4);
    assert!(
        !fs::read_to_string(plain.join(FILE)).unwrap().contains("eve m."),
        "no more than was asked for"
    );
    let forgeries: [(&str, Forgery, Option<u64>); 9] = [
        ("another name", |all| all[0]["value"] = "mallory".into(), Some(1)),
        ("another word", |all| all[1]["value"] = "another".into(), Some(1)),
        ("another kind of value", |all| all[1]["value"] = json!(1), Some(1)),
        ("another salt", |all| all[1]["salt"] = all[4]["salt"].clone(), Some(1)),
        ("no salt", |all| all[1]["salt"] = "AA==".into(), Some(1)),
        ("another place", |all| all[1]["at"] = "/detail/facts".into(), Some(1)),
        ("another record", |all| all[4]["seq"] = 3.into(), Some(3)),
        ("of no record of it", |all| all[11]["seq"] = 5.into(), Some(5)),
        ("another order", |all| all.swap(2, 3), Some(1)),
    ];
    for (what, forgery, seq) in forgeries {
        let mut all = told.clone();
        forgery(&mut all);
        forge(&dir, &all);
        let found = bad(&dir, &made);
        assert_eq!((found.file.as_str(), found.seq), (FILE, seq), "{what}: {found}");
    }
    forge(&dir, &told);
    assert!(check_bundle(&dir, &made.public()).is_ok());
    fs::write(dir.join(FILE), "{}\n").unwrap();
    assert_eq!(bad(&dir, &made).file, FILE);
    fs::remove_file(dir.join(FILE)).unwrap();
    assert_eq!(bad(&dir, &made).why, "it is missing");
}

#[test]
fn who_was_erased_is_disclosed_no_more_and_older_evidence_holds() {
    let (made, vault) = made();
    let places = ["/principal", "/detail/reason"];
    let before = bundle(&made, &vault, &places, "before");
    assert!(vault.erase(&vault.pseudonym("ada l.").unwrap()).unwrap());
    assert_eq!(check_bundle(&before, &made.public()).unwrap().disclosed, 8, "it was handed out");
    let after = bundle(&made, &vault, &places, "after");
    assert_eq!(check_bundle(&after, &made.public()).unwrap().disclosed, 4);
    assert!(!fs::read_to_string(after.join(FILE)).unwrap().contains("ada l."));
}

/// As the page in a bundle tells, without this project.
#[test]
fn the_page_checks_what_is_disclosed() {
    let (made, vault) = made();
    let dir = bundle(&made, &vault, &["/principal", "/detail/reason", "/detail/for/0"], "bundle");
    let page = fs::read_to_string(dir.join("README.md")).unwrap();
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let path = made.dir.path().join("check.py");
    fs::write(&path, script).unwrap();
    let check = || {
        let key = made.key.public().to_string();
        Command::new("python3").arg(&path).arg(key).current_dir(&dir).output().unwrap()
    };
    let ran = check();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("disclosed: record 1 /principal \"eve m.\""), "{said}");
    let told = lines(&dir);
    for at in 0..3 {
        let mut all = told.clone();
        all[at]["value"] = "mallory".into();
        forge(&dir, &all);
        assert!(!check().status.success(), "line {at}");
    }
}
