//! A log that changes keys: who knows one key of the chain can check all of it, and no crash leaves it without one.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lockgate_audit::{
    AuditError, DamageKind, Disk, Entry, LocalDisk, Log, LogKey, LogOptions, Reader, Segment,
    VerifierKey, check_bundle, check_inclusion, current_key, prove_inclusion, rotate_key, verify,
    write_bundle,
};
use serde_json::json;

use crate::world::{Made, entry, log_of};

fn told() -> Entry {
    let mut entry = Entry::event(5_000, "ada", "", "log");
    entry.detail = json!({ "reason": "yearly" });
    entry
}

fn new_key() -> LogKey {
    LogKey::generate("test.example/log").unwrap()
}

/// The log as it is after its key was changed; returns the one before.
fn rotate(made: &mut Made) -> LogKey {
    let new = new_key();
    rotate_key(&made.options(), &made.key, &new, told()).unwrap();
    std::mem::replace(&mut made.key, new)
}

fn damage(root: &Path, keys: &[&VerifierKey]) -> Vec<(DamageKind, String)> {
    let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
    let found = verify(root, &keys, &[], &mut |_, _| {}).unwrap();
    let file = |file: Option<String>| file.unwrap_or_default();
    found.damage.into_iter().map(|damage| (damage.kind, file(damage.file))).collect()
}

#[test]
fn one_known_key_leads_to_all_others() {
    let mut made = log_of(5);
    let kept = made.kept();
    let early = prove_inclusion(&Reader::open(made.root(), vec![]).unwrap(), 2).unwrap();
    let first = rotate(&mut made);
    made.append(300);
    let second = rotate(&mut made);
    made.append(3);
    for key in [first.public(), second.public(), made.key.public()] {
        let found = verify(
            &made.root(),
            std::slice::from_ref(key),
            std::slice::from_ref(&kept),
            &mut |_, _| {},
        );
        let found = found.unwrap();
        assert!(found.intact(), "{:?}", found.damage);
        assert_eq!((found.size, found.unanchored_from), (310, Some(5)));
        let read = Reader::open(made.root(), vec![key.clone()]).unwrap();
        assert_eq!(
            read.keys(),
            [first.public(), second.public(), made.key.public()].map(Clone::clone)
        );
        assert_eq!(read.record(5).unwrap().action, "audit.rotate_key");
        assert_eq!(read.record(306).unwrap().detail["to"], made.key.public().to_string());
        check_inclusion(&early, read.keys()).unwrap();
        let dir = made.dir.path().join("bundle");
        write_bundle(&read, 300..310, &dir, None, &mut |_, _| {}).unwrap();
        assert!(check_bundle(&dir, &[first.public().clone()]).is_ok());
        let note = dir.join("rotation/1");
        let changed = fs::read_to_string(&note).unwrap().replacen("key-to", "key-To", 1);
        fs::write(&note, changed).unwrap();
        assert_eq!(check_bundle(&dir, &[first.public().clone()]).unwrap_err().file, "rotation/1");
        fs::remove_dir_all(dir).unwrap();
    }
    assert!(damage(&made.root(), &[]).is_empty());
    let refused = Log::open(&made.options(), first).unwrap_err();
    assert!(refused.to_string().contains("this key is older"), "{refused}");
    assert!(
        damage(&made.root(), &[new_key().public()])
            .contains(&(DamageKind::WrongKey, "log.keys".into()))
    );
}

#[test]
fn no_bit_of_what_tells_of_keys_is_free() {
    let mut made = log_of(3);
    let first = rotate(&mut made);
    let second = rotate(&mut made);
    made.append(1);
    for name in ["rotation/1", "rotation/2", "log.keys", "checkpoint"] {
        let path = made.path(name);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for bit in [1, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                fs::write(&path, changed).unwrap();
                for keys in [&[][..], &[first.public()], &[second.public()], &[made.key.public()]] {
                    assert!(!damage(&made.root(), keys).is_empty(), "{name}, byte {at}, {bit:#x}");
                }
            }
        }
        for cut in [0, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert!(!damage(&made.root(), &[first.public()]).is_empty(), "{name} cut to {cut}");
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(damage(&made.root(), &[first.public()]).is_empty());
}

#[test]
fn a_forged_rotation_is_a_wrong_key() {
    let mut made = log_of(3);
    let before = made.copy();
    let first = rotate(&mut made);
    let note = fs::read_to_string(made.path("rotation/1")).unwrap();
    let wrong = |name: &str| vec![(DamageKind::WrongKey, name.to_owned())];

    // The old key's signature is taken out, or the new one's.
    let (text, signatures) = note.split_once("\n\n").unwrap();
    for line in signatures.lines() {
        fs::write(made.path("rotation/1"), format!("{text}\n\n{line}\n")).unwrap();
        assert_eq!(damage(&made.root(), &[first.public()])[..1], wrong("rotation/1"));
    }
    // Someone passes the log on to himself.
    let mut theirs = log_of(3);
    rotate(&mut theirs);
    fs::copy(theirs.path("rotation/1"), made.path("rotation/1")).unwrap();
    assert_eq!(damage(&made.root(), &[first.public()])[..1], wrong("rotation/1"));
    fs::copy(theirs.path("log.keys"), made.path("log.keys")).unwrap();
    assert_eq!(damage(&made.root(), &[first.public()])[..1], wrong("log.keys"));
    // A key more is named than was ever given the log.
    fs::write(made.path("rotation/1"), &note).unwrap();
    let keys = format!("{}\n{}\n", first.public(), made.key.public());
    fs::write(made.path("log.keys"), format!("{keys}{}\n", new_key().public())).unwrap();
    assert_eq!(
        damage(&made.root(), &[first.public()]),
        [(DamageKind::Missing, "rotation/2".into())]
    );
    fs::write(made.path("log.keys"), &keys).unwrap();
    assert!(damage(&made.root(), &[first.public()]).is_empty());
    // The note is taken away.
    fs::remove_file(made.path("rotation/1")).unwrap();
    for known in [&[][..], &[first.public()]] {
        assert!(damage(&made.root(), known).contains(&(DamageKind::Missing, "rotation/1".into())));
    }

    // Whoever kept the old key goes on with it.
    before.append(4);
    fs::create_dir(before.path("rotation")).unwrap();
    fs::write(before.path("rotation/1"), &note).unwrap();
    fs::write(before.path("log.keys"), &keys).unwrap();
    assert_eq!(damage(&before.root(), &[first.public()]), wrong("checkpoint"));
    assert!(Reader::open(before.root(), vec![]).is_err());
    // A stranger's file beside the notes.
    fs::write(made.path("rotation/1"), &note).unwrap();
    fs::write(made.path("rotation/01"), &note).unwrap();
    assert_eq!(damage(&made.root(), &[]), [(DamageKind::Stranger, "rotation/01".into())]);
}

/// A disk that fails for good after so many writes; the write that it fails in is done by half.
struct Dying {
    left: Arc<AtomicI64>,
}

impl Dying {
    fn dies(left: &AtomicI64) -> Option<io::Error> {
        (left.fetch_sub(1, Ordering::SeqCst) <= 0).then(|| io::Error::other("the machine died"))
    }
}

impl Disk for Dying {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        Self::dies(&self.left).map_or_else(|| LocalDisk.create_dir_all(path), Err)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let segment = LocalDisk.open_append(path)?;
        Ok(Box::new(DyingSegment { segment, left: self.left.clone() }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalDisk.read(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match Self::dies(&self.left) {
            None => LocalDisk.replace(path, bytes),
            Some(died) => {
                let mut beside = path.as_os_str().to_owned();
                beside.push(".tmp");
                fs::write(Path::new(&beside), &bytes[..bytes.len() / 2])?;
                Err(died)
            }
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Self::dies(&self.left).map_or_else(|| LocalDisk.remove(path), Err)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
}

struct DyingSegment {
    segment: Box<dyn Segment>,
    left: Arc<AtomicI64>,
}

impl Segment for DyingSegment {
    fn byte_len(&self) -> io::Result<u64> {
        self.segment.byte_len()
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match Dying::dies(&self.left) {
            None => self.segment.write_all(bytes),
            Some(died) => {
                self.segment.write_all(&bytes[..bytes.len() / 2])?;
                Err(died)
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        Dying::dies(&self.left).map_or_else(|| self.segment.sync(), Err)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        Dying::dies(&self.left).map_or_else(|| self.segment.set_len(len), Err)
    }
}

#[test]
fn wherever_it_is_cut_off_one_of_the_keys_opens_the_log() {
    let base = log_of(5);
    let (mut old_wins, mut new_wins) = (0, 0);
    for writes in 0.. {
        let made = base.copy();
        let new = new_key();
        let left = Arc::new(AtomicI64::new(writes));
        let options = LogOptions { disk: Arc::new(Dying { left }), ..made.options() };
        let done = rotate_key(&options, &made.key, &new, told());
        let first = made.key.public();
        assert_eq!(damage(&made.root(), &[first]), [], "after {writes} writes");
        let current = current_key(&made.root()).unwrap();
        let (wins, loses) = if current == *new.public() {
            new_wins += 1;
            (&new, &made.key)
        } else {
            old_wins += 1;
            (&made.key, &new)
        };
        assert!(Log::open(&made.options(), loses.clone()).is_err(), "after {writes} writes");
        Log::open(&made.options(), wins.clone()).unwrap().close();
        assert_eq!(damage(&made.root(), &[first]), [], "opened after {writes} writes");
        // Asked for again, it is finished.
        let place = rotate_key(&made.options(), &made.key, &new, told()).unwrap();
        let log = Log::open(&made.options(), new.clone()).unwrap();
        assert!(log.status().size > place);
        log.session().append_blocking(&entry(9)).unwrap();
        log.close();
        assert_eq!(damage(&made.root(), &[first]), []);
        if done.is_ok() {
            break;
        }
    }
    assert!(old_wins >= 5 && new_wins >= 3, "{old_wins} and {new_wins}");
}

#[test]
fn a_log_that_is_open_keeps_its_key() {
    let made = log_of(1);
    let log = made.open();
    let refused = rotate_key(&made.options(), &made.key, &new_key(), told()).unwrap_err();
    assert!(matches!(refused, AuditError::Locked { .. }), "{refused}");
    log.close();
    let other = LogKey::generate("test.example/other").unwrap();
    assert!(rotate_key(&made.options(), &made.key, &other, told()).is_err());
    assert!(rotate_key(&made.options(), &made.key, &made.key, told()).is_err());
    assert_eq!(damage(&made.root(), &[]), []);
}
