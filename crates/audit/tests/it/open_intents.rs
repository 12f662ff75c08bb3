//! A start finds open intents from a note and what came after it, and from everything when the note is not to be believed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lockgate_audit::{
    DamageKind, Disk, Durability, LocalDisk, Log, LogKey, LogOptions, Reader, Segment, Step,
};
use signed_note::{Note, StandardSigner};

use crate::world::{Made, empty, entry};

const NOTE: &str = "open-intents";
/// More than two notes' worth.
const RECORDS: u64 = 17_000;
/// Intents that nobody ended: before the first note, between the notes, after the last.
const OPEN: [u64; 3] = [5, 8_500, RECORDS - 1];

/// A disk that says which files were read.
#[derive(Clone, Default)]
struct Reads(Arc<Mutex<Vec<PathBuf>>>);

impl Disk for Reads {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir_all(path)
    }
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        LocalDisk.open_append(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().push(path.to_owned());
        LocalDisk.read(path)
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.replace(path, bytes)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
}

fn process(made: &Made) -> LogOptions {
    let mut options = made.options();
    options.durability = Durability::Process;
    options
}

#[test]
fn the_log_says_how_many_are_open_now() {
    let made = empty();
    let log = Log::open(&process(&made), made.key.clone()).unwrap();
    let session = log.session();
    let open = || log.status().open_intents;
    let mut act = entry(0);
    act.step = Step::Intent;
    let places = [(); 2].map(|()| session.append_blocking(&act).unwrap());
    session.append_blocking(&entry(1)).unwrap();
    assert_eq!(open(), 2);
    for (of, left) in places.into_iter().zip([1, 0]) {
        act.step = Step::Outcome { of };
        session.append_blocking(&act).unwrap();
        assert_eq!(open(), left);
    }
    assert!(session.append_blocking(&act).is_err(), "its intent has an outcome already");
    assert_eq!(open(), 0);
}

/// The log as kill -9 leaves it: its files, and a note that is older than some of its records.
fn killed() -> Made {
    let made = empty();
    let log = Log::open(&process(&made), made.key.clone()).unwrap();
    let session = log.session();
    let mut done = None;
    for n in 0..RECORDS {
        let mut act = entry(n);
        if OPEN.contains(&n) || n % 1_000 == 10 {
            act.step = Step::Intent;
        }
        if let Some(of) = done.take() {
            act.step = Step::Outcome { of };
        }
        if act.step == Step::Intent && !OPEN.contains(&n) {
            done = Some(n);
        }
        assert_eq!(session.append_blocking(&act).unwrap(), n);
        // Signed in parts, as time does it.
        if n % 4_500 == 4_499 || n == RECORDS - 1 {
            while log.status().signed_size <= n {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
    // What follows a checkpoint is done when files stay the same.
    let mut before = Vec::new();
    while before != made.files() || !made.path(NOTE).exists() {
        before = made.files();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let crashed = made.copy();
    // What the live one does at its end is no part of the crash.
    std::mem::forget(log);
    crashed
}

/// Opens the log; returns how many bundles were read, and the intents that were closed.
fn start(made: &Made) -> (usize, Vec<u64>) {
    let reads = Reads::default();
    let mut options = process(made);
    options.disk = Arc::new(reads.clone());
    let log = Log::open(&options, made.key.clone()).unwrap();
    let bundles = reads.0.lock().unwrap().iter().filter(|path| is_bundle(path)).count();
    let closed = log.status().closed_intents;
    log.close();
    let reader = Reader::open(made.root(), made.public()).unwrap();
    let closing = reader.size() - closed..reader.size();
    (bundles, closing.map(|seq| reader.record(seq).unwrap().step_of.unwrap()).collect())
}

fn is_bundle(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "entries")
}

fn sign(key: &LogKey, text: &str) -> Vec<u8> {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&StandardSigner::new(key.secret()).unwrap()]).unwrap();
    note.to_bytes()
}

fn text(made: &Made) -> String {
    let note = fs::read(made.path(NOTE)).unwrap();
    String::from_utf8(Note::from_bytes(&note).unwrap().text().to_vec()).unwrap()
}

#[test]
fn a_start_after_kill_9_finds_intents_older_than_the_note_without_reading_all() {
    let made = killed();
    let text = text(&made);
    assert!(text.contains("\nlockgate-open-intents 5"), "{text}");
    let all = usize::try_from(RECORDS / 256).unwrap();
    let found = made.verify(&[]);
    assert!(found.intact() && found.open_intents == 3, "{found:?}");

    let whole = made.copy();
    let (bundles, closed) = start(&whole);
    assert_eq!(closed, OPEN);
    assert!(bundles <= 8_192 / 256 + 2, "{bundles} bundles read");
    let found = whole.verify(&[]);
    assert!(found.intact() && found.open_intents == 0, "{found:?}");
    assert_eq!(start(&whole).1, [0_u64; 0], "closed once");

    let without = made.copy();
    fs::remove_file(without.path(NOTE)).unwrap();
    assert!(without.verify(&[]).intact(), "a log need not have one");
    let (bundles, closed) = start(&without);
    assert!(bundles >= all, "{bundles} bundles read");
    assert_eq!(closed, OPEN);
    assert!(without.path(NOTE).exists(), "it has one again");
    assert!(without.verify(&[]).intact());
}

#[test]
fn a_note_that_is_not_the_logs_own_hides_nothing() {
    let made = killed();
    let text = text(&made);
    let all = usize::try_from(RECORDS / 256).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [origin, size, root, open] = lines.as_slice() else { panic!("{text}") };
    let rewritten = |lines: [&str; 4]| lines.join("\n") + "\n";
    let none = "lockgate-open-intents none";
    let other = LogKey::generate("test.example/log").unwrap();
    let beyond = (RECORDS * 2).to_string();
    let forged: Vec<(&str, Vec<u8>)> = vec![
        ("another key", sign(&other, &rewritten([origin, size, root, none]))),
        ("larger than the log", sign(&made.key, &rewritten([origin, &beyond, root, none]))),
        ("another size", sign(&made.key, &rewritten([origin, "10000", root, none]))),
        ("no such line", sign(&made.key, &format!("{origin}\n{size}\n{root}\n"))),
        (
            "a place above it",
            sign(&made.key, &rewritten([origin, size, root, &format!("{open},99999999")])),
        ),
        (
            "no order",
            sign(&made.key, &rewritten([origin, size, root, "lockgate-open-intents 7,5"])),
        ),
        ("not a note", b"lockgate-open-intents none\n".to_vec()),
        ("empty", Vec::new()),
    ];
    for (name, note) in forged {
        let copy = made.copy();
        fs::write(copy.path(NOTE), note).unwrap();
        let found = copy.verify(&[]);
        let in_note = |file: &Option<String>| file.as_deref() == Some(NOTE);
        assert!(found.damage.iter().any(|damage| in_note(&damage.file)), "{name}: {found:?}");
        assert_eq!(found.open_intents, 3, "{name}");
        let (bundles, closed) = start(&copy);
        assert_eq!(closed, OPEN, "{name}");
        assert!(bundles >= all, "{name}: {bundles} bundles read");
        let found = copy.verify(&[]);
        assert!(found.intact() && found.open_intents == 0, "{name}: {found:?}");
    }
    // The key's owner can lie to a start, and not to who verifies.
    let copy = made.copy();
    let lie = sign(&copy.key, &rewritten([origin, size, root, none]));
    fs::write(copy.path(NOTE), lie).unwrap();
    let found = copy.verify(&[]);
    assert_eq!(found.open_intents, 3);
    let named = found.damage.iter().map(|damage| (damage.kind, damage.file.as_deref()));
    assert_eq!(named.collect::<Vec<_>>(), [(DamageKind::Edited, Some(NOTE))]);
}

#[test]
fn no_bit_of_the_note_is_free() {
    let made = killed();
    let note = fs::read(made.path(NOTE)).unwrap();
    // Every byte would verify a long log some hundred times.
    for at in (0..note.len()).step_by(23) {
        let mut changed = note.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(made.path(NOTE), &changed).unwrap();
        assert!(!made.verify(&[]).intact(), "byte {at}");
    }
    fs::write(made.path(NOTE), &note).unwrap();
    assert!(made.verify(&[]).intact());
}
