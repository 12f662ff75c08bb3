//! A witness: what it cosigns, and what it refuses and how.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lockgate_audit::{
    AddCheckpoint, AuditError, Checkpoint, CosignerKey, LogKey, Reader, Refused, VerifierKey,
    Witness, WitnessKey, WitnessOptions, checkpoint_from_note, cosignatures, origin_hash,
    prove_consistency,
};
use signed_note::{Note, StandardSigner};

use crate::world::{Made, log_of};

/// A witness in a directory of its own.
pub(crate) struct Watcher {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: WitnessKey,
    pub(crate) logs: Vec<VerifierKey>,
}

impl Watcher {
    pub(crate) fn of(logs: &[&LogKey]) -> Self {
        let logs = logs.iter().map(|key| key.public().clone()).collect();
        Self::begin("witness.example/w1", logs)
    }

    pub(crate) fn named(made: &Made, name: &str) -> Self {
        Self::begin(name, made.public())
    }

    fn begin(name: &str, logs: Vec<VerifierKey>) -> Self {
        let key = WitnessKey::generate(name).unwrap();
        let watcher = Self { dir: tempfile::tempdir().unwrap(), key, logs };
        Witness::create(&watcher.path()).unwrap();
        watcher
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("seen")
    }

    pub(crate) fn options(&self) -> WitnessOptions {
        WitnessOptions::new(self.path(), self.key.clone(), self.logs.clone())
    }

    pub(crate) fn open(&self) -> Witness {
        opened(|| self.options()).unwrap()
    }
}

/// Opens one. Children that other tests start hold a copy of its lock until they are another program: a moment.
pub(crate) fn opened(options: impl Fn() -> WitnessOptions) -> Result<Witness, AuditError> {
    for _ in 0..500 {
        match Witness::open(options()) {
            Err(AuditError::Locked { .. }) => std::thread::sleep(Duration::from_millis(10)),
            other => return other,
        }
    }
    Witness::open(options())
}

/// What the log asks to go on from so many records.
pub(crate) fn request(made: &Made, old_size: u64) -> AddCheckpoint {
    let log = Reader::open_signed(made.root(), made.public()).unwrap();
    // A proof needs no root of the older tree.
    let older = Checkpoint { size: old_size, root: [0; 32] };
    let proof = prove_consistency(&log, older).unwrap();
    AddCheckpoint { old_size, proof, note: log.note().to_vec() }
}

pub(crate) fn ask(witness: &Witness, request: &AddCheckpoint) -> Result<Vec<u8>, Refused> {
    witness.add_checkpoint(&request.to_bytes(), 1_700_000_000)
}

/// A checkpoint with any content that the log's key has signed.
fn signed(key: &LogKey, size: u64, root: [u8; 32], lines: &str) -> Vec<u8> {
    let root = BASE64_STANDARD.encode(root);
    let text = format!("{}\n{size}\n{root}\n{lines}", key.public().origin());
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&StandardSigner::new(key.secret()).unwrap()]).unwrap();
    note.to_bytes()
}

pub(crate) fn conflict(asked: Result<Vec<u8>, Refused>) -> u64 {
    match asked {
        Err(Refused::Conflict { size }) => size,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_goes_on_is_cosigned_and_what_it_says_can_be_checked() {
    let made = log_of(5);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let first = request(&made, 0);
    assert!(witness.checkpoint(&origin_hash("test.example/log")).is_none());
    let line = ask(&witness, &first).unwrap();
    let whole = [first.note.as_slice(), &line].concat();
    let keys = [watcher.key.public().clone()];
    let found = cosignatures(&whole, &keys).unwrap();
    assert_eq!((found[0].at_s, &found[0].witness), (1_700_000_000, &keys[0]));
    assert_eq!(
        witness.checkpoint(&origin_hash("test.example/log")).unwrap(),
        whole,
        "signed by the log and the witness, and by nobody else"
    );
    assert_eq!(checkpoint_from_note(&whole, &made.public()).unwrap().size, 5);
    // The same again, and what follows.
    assert!(ask(&witness, &AddCheckpoint { old_size: 5, proof: vec![], ..first }).is_ok());
    made.append(300);
    let next = request(&made, 5);
    assert!(!next.proof.is_empty());
    assert!(ask(&witness, &next).is_ok());
    let told = witness.checkpoint(&origin_hash("test.example/log")).unwrap();
    assert_eq!(checkpoint_from_note(&told, &made.public()).unwrap().size, 305);
}

#[test]
fn each_refusal_is_of_its_kind() {
    let made = log_of(5);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let first = request(&made, 0);
    let other = LogKey::generate("other.example/log").unwrap();
    let of_other = AddCheckpoint { note: signed(&other, 1, [1; 32], ""), ..first.clone() };
    assert!(matches!(ask(&witness, &of_other), Err(Refused::UnknownLog)));
    // Another key of the same name; and a signature of the right key over something else.
    let stranger = LogKey::generate("test.example/log").unwrap();
    let by_stranger = AddCheckpoint { note: signed(&stranger, 5, [1; 32], ""), ..first.clone() };
    assert!(matches!(ask(&witness, &by_stranger), Err(Refused::NotSigned(_))));
    let changed = String::from_utf8(first.note.clone()).unwrap().replacen("\n5\n", "\n6\n", 1);
    let changed = AddCheckpoint { note: changed.into_bytes(), ..first.clone() };
    assert!(matches!(ask(&witness, &changed), Err(Refused::NotSigned(_))));
    let backwards = AddCheckpoint { old_size: 6, ..first.clone() };
    assert!(matches!(ask(&witness, &backwards), Err(Refused::Malformed(_))));
    assert_eq!(conflict(ask(&witness, &AddCheckpoint { old_size: 1, ..first.clone() })), 0);
    let needless = AddCheckpoint { proof: vec![[7; 32]], ..first.clone() };
    assert!(matches!(ask(&witness, &needless), Err(Refused::Inconsistent { .. })));
    let nothing = AddCheckpoint { note: signed(&made.key, 0, [7; 32], ""), ..first.clone() };
    assert!(matches!(ask(&witness, &nothing), Err(Refused::Inconsistent { .. })));
    let there = fs::read_dir(watcher.path()).unwrap().count();
    assert_eq!(there, 2, "nothing but its lock and its empty list is there");

    assert!(ask(&witness, &first).is_ok());
    made.append(300);
    assert_eq!(conflict(ask(&witness, &request(&made, 0))), 5);
    assert_eq!(conflict(ask(&witness, &first)), 5);
    let good = request(&made, 5);
    for at in 0..good.proof.len() {
        let mut bad = good.clone();
        bad.proof[at][0] ^= 1;
        assert!(matches!(ask(&witness, &bad), Err(Refused::Inconsistent { fork: None, .. })));
    }
    for size in [5, 6, 305, 1 << 62, u64::MAX] {
        let forged = AddCheckpoint { note: signed(&made.key, size, [7; 32], ""), ..good.clone() };
        assert!(matches!(ask(&witness, &forged), Err(Refused::Inconsistent { .. })), "{size}");
    }
    assert!(ask(&witness, &good).is_ok(), "a refusal changes nothing");
}

#[test]
fn what_is_no_request_is_malformed() {
    let made = log_of(2);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let good = request(&made, 0).to_bytes();
    let text = String::from_utf8(good.clone()).unwrap();
    let hash = BASE64_STANDARD.encode([7; 32]);
    let bad = [
        String::new(),
        "\n\n".into(),
        "old 0\n".into(),
        text.replacen("old 0", "old 00", 1),
        text.replacen("old 0", "old +0", 1),
        text.replacen("old 0", "old -1", 1),
        text.replacen("old 0", "old  0", 1),
        text.replacen("old 0", "Old 0", 1),
        text.replacen("old 0", "old 18446744073709551616", 1),
        text.replacen("old 0\n", "old 0\r\n", 1),
        text.replacen("old 0\n", &format!("old 0\n{}\n", &hash[1..]), 1),
        text.replacen("old 0\n", &format!("old 0\n{}=\n", &hash[..43]).repeat(64), 1),
        text.replacen("old 0\n", &format!("old 0\n{}", format!("{hash}\n").repeat(64)), 1),
        text.replacen("\n\n", "\n", 1),
        text.trim_end().to_owned(),
        format!("{text}x"),
        format!("{text}\n"),
        text.replacen("\n2\n", "\n02\n", 1),
        text + &"x".repeat(AddCheckpoint::MAX_BYTES),
    ];
    for body in &bad {
        let refused = witness.add_checkpoint(body.as_bytes(), 1).unwrap_err();
        assert!(matches!(refused, Refused::Malformed(_)), "{body:?}: {refused:?}");
    }
    // Whatever is done to a request, it is the same one or none.
    for at in 0..good.len() {
        for bit in [1, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= bit;
            assert!(witness.add_checkpoint(&changed, 1).is_err(), "byte {at}, {bit:#x}");
        }
        assert!(witness.add_checkpoint(&good[..at], 1).is_err(), "cut at {at}");
    }
    assert_eq!(AddCheckpoint::parse(&good).unwrap().to_bytes(), good);
    assert!(witness.add_checkpoint(&good, 1).is_ok());
}

#[test]
fn a_fork_a_truncation_and_a_rollback_are_not_cosigned() {
    let made = log_of(300);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    ask(&witness, &request(&made, 0)).unwrap();
    let rolled_back = made.copy();
    made.append(300);
    ask(&witness, &request(&made, 300)).unwrap();

    // Back to what was signed before.
    assert_eq!(conflict(ask(&witness, &request(&rolled_back, 300))), 600);
    let shorter = AddCheckpoint { old_size: 600, ..request(&rolled_back, 300) };
    assert!(matches!(ask(&witness, &shorter), Err(Refused::Malformed(_))));
    // On from there with other records: as long, and longer.
    let forked = rolled_back;
    forked.append(299);
    crate::world::append_as(&forked, "eve");
    let same_size = AddCheckpoint { old_size: 600, proof: vec![], ..request(&forked, 0) };
    let Err(Refused::Inconsistent { fork: Some(fork), .. }) = ask(&witness, &same_size) else {
        panic!("two notes of one size are proof of two histories");
    };
    let roots: Vec<_> = fork
        .iter()
        .map(|note| checkpoint_from_note(note.as_bytes(), &made.public()).unwrap())
        .collect();
    assert!(roots[0].size == roots[1].size && roots[0].root != roots[1].root);
    forked.append(20);
    assert!(matches!(
        ask(&witness, &request(&forked, 600)),
        Err(Refused::Inconsistent { fork: None, .. })
    ));
    made.append(1);
    assert!(ask(&witness, &request(&made, 600)).is_ok(), "the log itself goes on");
}

#[test]
fn keys_have_one_spelling() {
    let key = WitnessKey::generate("witness.example/w1").unwrap();
    let public = key.public().to_string();
    assert_eq!(CosignerKey::parse(&public).unwrap(), *key.public());
    assert_eq!(WitnessKey::parse(key.secret()).unwrap().public(), key.public());
    assert!(!format!("{key:?}").contains(&key.secret()[30..]), "a secret is not shown");
    for at in 0..public.len() {
        let mut changed = public.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert!(CosignerKey::parse(&changed).is_err(), "{changed}");
    }
    let of_log = LogKey::generate("witness.example/w1").unwrap();
    for text in [&of_log.public().to_string(), "", "a+b+c", key.secret()] {
        assert!(CosignerKey::parse(text).is_err(), "{text}");
    }
    assert!(WitnessKey::parse(of_log.secret()).is_err() && WitnessKey::parse(&public).is_err());
    for name in ["", "a b", "a+b", "a\nb"] {
        assert!(WitnessKey::generate(name).is_err(), "{name:?}");
    }
    // The neutral point: under it anyone signs anything.
    let weak = [&[4_u8, 1][..], &[0; 31]].concat();
    let id = signed_note::key_id("w", &weak);
    let weak = format!("w+{id:08x}+{}", BASE64_STANDARD.encode(&weak));
    assert!(CosignerKey::parse(&weak).unwrap_err().to_string().contains("weak"));
}

/// The log may change keys: the witness takes either, once it was told of both.
#[test]
fn a_new_key_of_the_log_is_taken_when_the_witness_knows_it() {
    let mut made = log_of(5);
    let mut watcher = Watcher::of(&[&made.key]);
    ask(&watcher.open(), &request(&made, 0)).unwrap();
    let new = LogKey::generate("test.example/log").unwrap();
    let mut told = lockgate_audit::Entry::event(5_000, "ada", "", "log");
    told.detail = serde_json::json!({});
    lockgate_audit::rotate_key(&made.options(), &made.key, &new, told).unwrap();
    made.key = new;
    made.append(3);
    assert!(matches!(ask(&watcher.open(), &request(&made, 5)), Err(Refused::NotSigned(_))));
    watcher.logs.push(made.key.public().clone());
    let witness = watcher.open();
    let asked = request(&made, 5);
    ask(&witness, &asked).unwrap();
    let newer = checkpoint_from_note(&asked.note, &made.public()).unwrap();
    assert_eq!(newer.size, 9);
}
