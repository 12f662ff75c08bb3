//! Records that hold nothing of a person but what a vault opens.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use lockgate_audit::{
    AuditError, Entry, Hold, Kept, Opened, Personal, Reader, Record, Seal, Vault, prove_inclusion,
};
use serde_json::{Value, json};

use crate::crash::rounds;
use crate::world::{Made, empty};
use crate::writers;

const ORIGIN: &str = "test.example/log";

fn place(made: &Made) -> PathBuf {
    made.dir.path().join("vault")
}

fn vault(made: &Made) -> Vault {
    Vault::create(&place(made), ORIGIN).unwrap();
    Vault::open(&place(made), ORIGIN).unwrap()
}

/// Something that a person did and said.
fn act(who: &str, reason: &str) -> (Entry, Vec<Personal>) {
    let mut entry = Entry::event(1_000, who, "token.create", "t1");
    entry.detail = json!({ "reason": reason, "for": "bob b.", "facts": { "pin": 1234 }, "n": 7 });
    let personal = |at: &str, of: &str, kept| Personal { at: at.into(), of: of.into(), kept };
    let personal = vec![
        personal("/principal", who, Kept::Name),
        personal("/detail/reason", who, Kept::Sealed),
        personal("/detail/for", "bob b.", Kept::Name),
        personal("/detail/facts", who, Kept::Committed),
    ];
    (entry, personal)
}

fn append(made: &Made, vault: &Vault, acts: &[(&str, &str)]) {
    let log = made.open();
    for (who, reason) in acts {
        let (entry, personal) = act(who, reason);
        log.session().append_blocking(&vault.seal(entry, &personal).unwrap()).unwrap();
    }
    log.close();
}

fn records(made: &Made) -> Vec<Record> {
    let log = Reader::open(made.root(), made.public()).unwrap();
    (0..log.size()).map(|seq| log.record(seq).unwrap()).collect()
}

/// Whether any file under a directory holds this text.
pub(crate) fn anywhere(dir: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(anywhere(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|some| some == text.as_bytes())
            || path.to_string_lossy().contains(text)
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_record_names_nobody_without_the_vault_and_everybody_with_it() {
    let made = empty();
    let vault = vault(&made);
    append(
        &made,
        &vault,
        &[("ada l.", "she asked for it"), ("eve m.", "because"), ("ada l.", "again")],
    );
    for text in ["ada l.", "eve m.", "bob b.", "asked for", "\"pin\""] {
        assert_eq!(anywhere(&made.root(), text), [] as [PathBuf; 0], "{text} is not in the log");
    }
    let all = records(&made);
    let raw = &all[0];
    assert_eq!((raw.format, raw.detail["n"].as_u64()), (2, Some(7)));
    assert_eq!(raw.detail["reason"], Value::Null);
    assert_eq!(raw.principal, all[2].principal, "one person has one pseudonym");
    assert_ne!(raw.principal, all[1].principal);
    assert_ne!(raw.sealed["/detail/facts"], all[2].sealed["/detail/facts"], "each has its salt");
    let read = Vault::read(&place(&made), ORIGIN).unwrap().unwrap();
    for vault in [&vault, &read] {
        let shown = vault.reveal(raw.clone());
        assert_eq!((shown.principal.as_str(), shown.object.as_str()), ("ada l.", "t1"));
        assert_eq!(shown.detail["reason"], "she asked for it");
        assert_eq!(shown.detail["for"], "bob b.");
        assert_eq!(shown.detail["facts"], "[committed]");
        let found = |at: &str| shown.sealed[at].found;
        assert_eq!(found("/detail/reason"), Some(Opened::Opened));
        assert_eq!(found("/detail/facts"), Some(Opened::Committed));
        let fits = |value| vault.commits_to(raw, "/detail/facts", &value);
        assert_eq!(fits(json!({ "pin": 1234 })), Some(true));
        assert_eq!(fits(json!({ "pin": 1235 })), Some(false));
    }
    assert!(made.verify(&[]).intact());
    let bytes = Reader::open(made.root(), made.public()).unwrap().records(0..1).unwrap();
    let value: Value = serde_json::from_slice(&bytes[0]).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes[0], "RFC 8785");
}

#[test]
fn an_erased_person_is_nowhere_and_every_proof_stays() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "her secret word"), ("eve m.", "because")]);
    let kept = made.kept();
    let before = vault.pseudonym("ada l.").unwrap();
    let file = place(&made).join("subjects").join(before.trim_start_matches("subject:"));
    // Another name of the same file sees what became of its bytes.
    let alias = made.dir.path().join("alias");
    fs::hard_link(&file, &alias).unwrap();
    assert!(vault.erase(&before).unwrap());
    assert!(!file.exists());
    assert!(fs::read(&alias).unwrap().iter().all(|byte| *byte == 0), "overwritten where it was");
    assert!(!vault.erase(&before).unwrap(), "a second time there is nothing to do");
    assert!(!vault.erase("nobody").unwrap());
    assert_eq!(vault.pseudonyms("ada l."), [""; 0]);
    append(&made, &vault, &[("ada l.", "a new life")]);
    assert_ne!(vault.pseudonym("ada l.").unwrap(), before, "a new subject begins");
    assert!(vault.erase(&vault.pseudonym("ada l.").unwrap()).unwrap());
    for dir in [made.root(), place(&made)] {
        for text in ["ada l.", "secret word"] {
            assert_eq!(anywhere(&dir, text), [] as [PathBuf; 0], "{text}");
        }
    }
    drop(vault);
    for vault in [
        Vault::open(&place(&made), ORIGIN).unwrap(),
        Vault::read(&place(&made), ORIGIN).unwrap().unwrap(),
    ] {
        let shown: Vec<Record> =
            records(&made).into_iter().map(|record| vault.reveal(record)).collect();
        assert_eq!(
            (shown[0].principal.as_str(), &shown[0].detail["reason"]),
            ("[erased]", &json!("[erased]"))
        );
        assert_eq!(shown[0].sealed["/detail/reason"].found, Some(Opened::Erased));
        assert_eq!(shown[0].detail["for"], "bob b.", "another person's name is another's");
        assert_eq!(
            (shown[1].principal.as_str(), &shown[1].detail["reason"]),
            ("eve m.", &json!("because"))
        );
        assert_eq!(
            vault.commits_to(&records(&made)[0], "/detail/facts", &json!({ "pin": 1234 })),
            None
        );
    }
    assert!(made.verify(&[kept]).intact());
    let log = Reader::open(made.root(), made.public()).unwrap();
    assert!((0..3).all(|seq| prove_inclusion(&log, seq).is_ok()));
}

/// A crash leaves a person as before or erased, and no half of a file.
#[test]
fn an_erasure_that_was_cut_off_is_finished_or_was_none() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "x"), ("eve m.", "y")]);
    let pseudonym = vault.pseudonym("ada l.").unwrap();
    drop(vault);
    let name = pseudonym.trim_start_matches("subject:");
    let subjects = place(&made).join("subjects");
    let file = fs::read(subjects.join(name)).unwrap();
    // A new person whose file did not come to its name, and an erased one whose file was not destroyed.
    fs::write(subjects.join("new.part"), &file).unwrap();
    fs::write(place(&made).join("erased").join(name), "").unwrap();
    let read = Vault::read(&place(&made), ORIGIN).unwrap().unwrap();
    let shown = read.reveal(records(&made).remove(0));
    assert_eq!(shown.principal, "[erased]", "whoever is marked is not read, file or no file");
    drop(read);
    let vault = Vault::open(&place(&made), ORIGIN).unwrap();
    assert_eq!((vault.pseudonym("ada l."), vault.len()), (None, 2));
    assert_eq!(anywhere(&place(&made), "ada l."), [] as [PathBuf; 0]);
    assert_eq!(vault.reveal(records(&made).remove(0)).principal, "[erased]");
}

#[test]
fn a_hold_keeps_everybody_and_outlives_a_restart() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "x")]);
    let hold = |name: &str| Hold {
        name: name.into(),
        reason: "a case".into(),
        by: "eve m.".into(),
        at_ms: 1,
    };
    let ada = vault.pseudonym("ada l.").unwrap();
    vault.hold(hold("case 1")).unwrap();
    vault.hold(hold("case 2")).unwrap();
    assert!(vault.hold(hold("case 1")).is_err(), "a name is given once");
    assert!(vault.hold(hold("")).is_err() && vault.hold(hold("a\nb")).is_err());
    for name in [".", "..", "a\u{202E}b", "a\u{9b}b"] {
        assert!(vault.hold(hold(name)).is_err(), "{name:?}");
    }
    drop(vault);
    let vault = Vault::open(&place(&made), ORIGIN).unwrap();
    for left in [2, 1] {
        assert!(matches!(vault.erase(&ada), Err(AuditError::Held { .. })));
        assert_eq!(vault.holds().len(), left);
        assert!(vault.lift(&format!("case {left}")).unwrap());
    }
    assert!(!vault.lift("case 1").unwrap());
    assert!(vault.erase(&ada).unwrap());
    // Who took the list away did not lift the holds.
    vault.hold(hold("case 3")).unwrap();
    drop(vault);
    fs::remove_file(place(&made).join("holds.json")).unwrap();
    for opened in
        [Vault::open(&place(&made), ORIGIN).map(drop), Vault::read(&place(&made), ORIGIN).map(drop)]
    {
        let refused = opened.unwrap_err().to_string();
        assert!(refused.contains("holds.json") && refused.contains("backup"), "{refused}");
    }
}

/// What could not be destroyed is destroyed by the next try, and is nowhere shown meanwhile.
#[test]
fn an_erasure_that_failed_is_not_forgotten() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "x")]);
    let ada = vault.pseudonym("ada l.").unwrap();
    let file = place(&made).join("subjects").join(ada.trim_start_matches("subject:"));
    let aside = made.dir.path().join("aside");
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(vault.erase(&ada).is_err(), "a directory is not destroyed");
    assert_eq!(
        vault.pseudonyms("ada l."),
        std::slice::from_ref(&ada),
        "there is something left to do"
    );
    assert_eq!(vault.reveal(records(&made).remove(0)).principal, "[erased]");
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    let read = Vault::read(&place(&made), ORIGIN).unwrap().unwrap();
    assert_eq!(read.reveal(records(&made).remove(0)).principal, "[erased]");
    assert!(vault.erase(&ada).unwrap());
    assert!(!file.exists());
    assert_eq!(vault.pseudonyms("ada l."), [""; 0]);
}

/// A backup may bring a second key of the same name back.
#[test]
fn all_keys_of_a_name_are_known() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "x")]);
    let first = vault.pseudonym("ada l.").unwrap();
    let name = first.trim_start_matches("subject:");
    let file = fs::read(place(&made).join("subjects").join(name)).unwrap();
    assert!(vault.erase(&first).unwrap());
    append(&made, &vault, &[("ada l.", "y")]);
    let second = vault.pseudonym("ada l.").unwrap();
    drop(vault);
    fs::write(place(&made).join("subjects").join(name), file).unwrap();
    fs::remove_file(place(&made).join("erased").join(name)).unwrap();
    // Nor does a stray file, or a link, keep the vault from opening, or lose what the link leads to.
    fs::write(place(&made).join("subjects/.DS_Store"), "x").unwrap();
    let elsewhere = made.dir.path().join("elsewhere");
    fs::write(&elsewhere, "theirs").unwrap();
    std::os::unix::fs::symlink(&elsewhere, place(&made).join("subjects/z.part")).unwrap();
    let vault = Vault::open(&place(&made), ORIGIN).unwrap();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
    let mut all = vault.pseudonyms("ada l.");
    all.sort();
    let mut both = [first, second];
    both.sort();
    assert_eq!(all, both);
    for pseudonym in &both {
        assert!(vault.erase(pseudonym).unwrap());
    }
    assert_eq!(vault.pseudonyms("ada l."), [""; 0]);
    assert_eq!(vault.pseudonym("ada l."), None);
}

/// Whoever has the log's key can write anything; what they write does not open.
#[test]
fn what_its_key_did_not_seal_in_its_place_does_not_open() {
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "one"), ("ada l.", "two")]);
    let all = records(&made);
    let at = "/detail/reason";
    let shown = |change: &dyn Fn(&mut Record)| {
        let mut record = all[0].clone();
        change(&mut record);
        let shown = vault.reveal(record);
        (
            shown.sealed.values().filter_map(|seal| seal.found).collect::<Vec<_>>(),
            shown.detail[at[8..].to_owned()].clone(),
        )
    };
    let usual = vec![Opened::Committed, Opened::Opened];
    assert_eq!(shown(&|_| {}), (usual, json!("one")));
    let broken = (vec![Opened::Committed, Opened::Broken], json!("[does not open]"));
    let other = all[1].sealed[at].clone();
    let seal = |record: &mut Record, change: &dyn Fn(&mut Seal)| {
        change(record.sealed.get_mut(at).unwrap());
    };
    let swapped = shown(&|record| seal(record, &|seal| seal.text.clone_from(&other.text)));
    assert_eq!(swapped, broken, "a ciphertext of another record");
    let whole = shown(&|record| seal(record, &|seal| *seal = other.clone()));
    assert_eq!(whole, broken, "a seal of another record");
    let changed = shown(&|record| {
        seal(record, &|seal| seal.commitment.clone_from(&other.commitment));
    });
    assert_eq!(changed, broken, "another commitment");
    let moved = shown(&|record| record.id = all[1].id);
    assert_eq!(moved, broken, "another record's id");
    let given = shown(&|record| {
        let bob = vault.pseudonym("bob b.").unwrap();
        seal(record, &|seal| seal.of.clone_from(&bob));
    });
    assert_eq!(given, broken, "another person");
    // In the log itself any of these is another record than the signed one.
    let copy = made.copy();
    let path = copy.path("tile/entries/000.p/2");
    let bytes = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
    let [mine, its] = [&all[0].sealed[at].text, &other.text].map(|text| text.clone().unwrap());
    assert_eq!(mine.len(), its.len());
    let bytes = fs::read(&path).map(|_| bytes.replacen(&mine, &its, 1)).unwrap();
    let whole = fs::read(&path).unwrap();
    let position = whole.windows(mine.len()).position(|some| some == mine.as_bytes()).unwrap();
    let mut tampered = whole;
    tampered[position..position + its.len()].copy_from_slice(its.as_bytes());
    assert!(bytes.contains(&its));
    fs::write(&path, tampered).unwrap();
    assert_eq!(copy.verify(&[]).damage[0].seq, Some(0));
}

#[test]
fn a_vault_of_another_log_or_a_damaged_one_is_not_used() {
    let (made, other) = (empty(), empty());
    let ours = vault(&made);
    append(&made, &ours, &[("ada l.", "x")]);
    Vault::create(&place(&other), "another.example/log").unwrap();
    for refused in [
        Vault::open(&place(&other), ORIGIN).map(drop),
        Vault::read(&place(&other), ORIGIN).map(drop),
    ] {
        assert!(
            refused.unwrap_err().to_string().contains("it is of the log `another.example/log`")
        );
    }
    // One that says that it is this log's: its people are others.
    fs::write(place(&other).join("log"), ORIGIN).unwrap();
    let theirs = Vault::open(&place(&other), ORIGIN).unwrap();
    append(&other, &theirs, &[("ada l.", "y")]);
    let shown = theirs.reveal(records(&made).remove(0));
    assert!(shown.principal.starts_with("subject:"), "{}", shown.principal);
    assert_eq!(shown.sealed["/detail/reason"].found, Some(Opened::NoKey));
    assert_eq!(shown.detail["reason"], "[sealed]");
    assert!(
        matches!(Vault::open(&place(&made), ORIGIN), Err(AuditError::Locked { .. })),
        "it is in use"
    );
    assert!(Vault::read(&made.dir.path().join("none"), ORIGIN).unwrap().is_none());
    let pseudonym = ours.pseudonym("ada l.").unwrap();
    drop(ours);
    let file = place(&made).join("subjects").join(pseudonym.trim_start_matches("subject:"));
    let text = fs::read_to_string(&file).unwrap();
    for wrong in [text.replace("ada l.", "eve m."), text[..20].to_owned(), String::new()] {
        fs::write(&file, wrong).unwrap();
        let refused = Vault::open(&place(&made), ORIGIN).unwrap_err();
        assert!(refused.to_string().contains("put it back from a backup"), "{refused}");
    }
    fs::write(&file, text).unwrap();
    assert_eq!(Vault::open(&place(&made), ORIGIN).unwrap().len(), 2);
}

#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = empty();
    let vault = vault(&made);
    append(&made, &vault, &[("ada l.", "x")]);
    let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(bits(&place(&made)), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(place(&made).join("subjects")).unwrap() {
        assert_eq!(bits(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert_eq!(files, 2);
}

#[test]
fn nothing_personal_is_recorded_where_it_was_not_found() {
    let made = empty();
    let vault = vault(&made);
    let (entry, _) = act("ada l.", "x");
    for at in ["/detail/none", "/labels/x", "detail", ""] {
        for kept in [Kept::Sealed, Kept::Name] {
            let personal = [Personal { at: at.into(), of: "ada l.".into(), kept }];
            let refused = vault.seal(entry.clone(), &personal).unwrap_err();
            assert!(refused.to_string().contains("there is nothing at"), "{refused}");
        }
    }
    for name in ["", &"x".repeat(1_025)] {
        let personal = [Personal { at: "/principal".into(), of: name.into(), kept: Kept::Name }];
        assert!(vault.seal(entry.clone(), &personal).is_err());
    }
    let mut forged = entry;
    forged.principal = format!("subject:{}", "A".repeat(43));
    assert!(vault.seal(forged, &[]).is_err(), "it would be taken for a person");
}

/// Sixty-four writers with ever new people, killed at a random moment: who is in an acknowledged record has a key.
#[test]
fn whoever_is_recorded_has_a_key_after_every_kill() {
    let made = empty();
    let key = made.dir.path().join("key");
    fs::write(&key, made.key.secret()).unwrap();
    Vault::create(&place(&made), ORIGIN).unwrap();
    let mut acknowledged = 0;
    for kill in 0..rounds("LOCKGATE_AUDIT_KILLS", 100).div_ceil(5) {
        let mut child = writers::with_people(&made.root(), &key, &place(&made)).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = (kill * 37) % 120 + 1;
        acknowledged += lines
            .map_while(Result::ok)
            .filter(|line| line.ends_with('.'))
            .take(usize::try_from(enough).unwrap())
            .count();
        child.kill().unwrap();
        child.wait().unwrap();
        // Opening it removes what was half made.
        let vault = Vault::open(&place(&made), ORIGIN).unwrap();
        made.open().close();
        for record in records(&made).into_iter().filter(|record| record.action == "test.act") {
            let shown = vault.reveal(record);
            assert!(shown.principal.starts_with("person "), "kill {kill}: {shown:?}");
            assert_eq!(shown.detail["reason"], format!("why {}", shown.object));
        }
    }
    assert!(acknowledged > 20 && records(&made).len() >= acknowledged, "{acknowledged}");
    assert!(made.verify(&[]).intact());
}
