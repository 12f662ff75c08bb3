//! What a witness remembers: over restarts, crashes, failing disks and many requests at once.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_audit::{
    AuditError, Disk, LocalDisk, LogKey, Refused, Segment, Witness, WitnessKey, WitnessOptions,
    checkpoint_from_note, cosignatures, origin_hash,
};

use crate::witness::{Watcher, ask, conflict, opened, request};
use crate::world::{empty, log_of};

#[test]
fn it_remembers_and_one_process_has_it() {
    let made = log_of(5);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let second = Witness::open(watcher.options()).unwrap_err();
    assert!(matches!(second, AuditError::Locked { .. }), "{second}");
    ask(&witness, &request(&made, 0)).unwrap();
    drop(witness);
    // As a crash leaves a file that was to be replaced.
    let file = watcher.path().join(origin_hash("test.example/log"));
    fs::write(file.with_extension("tmp"), "torn").unwrap();
    let witness = watcher.open();
    made.append(5);
    assert_eq!(conflict(ask(&witness, &request(&made, 0))), 5);
    ask(&witness, &request(&made, 5)).unwrap();
    drop(witness);

    // Of a log that is no longer followed it still tells, and cosigns nothing.
    let logs = vec![LogKey::generate("other.example/log").unwrap().public().clone()];
    let options = || WitnessOptions { logs: logs.clone(), ..watcher.options() };
    let witness = opened(options).unwrap();
    assert!(witness.checkpoint(&origin_hash("test.example/log")).is_some());
    assert!(matches!(ask(&witness, &request(&made, 10)), Err(Refused::UnknownLog)));
}

#[test]
fn a_witness_that_forgot_does_not_start() {
    let made = log_of(5);
    let watcher = Watcher::of(&[&made.key]);
    ask(&watcher.open(), &request(&made, 0)).unwrap();
    let file = watcher.path().join(origin_hash("test.example/log"));
    let note = fs::read(&file).unwrap();
    for at in 0..note.len() {
        let mut changed = note.clone();
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        match opened(|| watcher.options()) {
            Err(refused) => assert!(refused.to_string().contains("remembered"), "{refused}"),
            // The log's own signature: the witness vouches for what is above it.
            Ok(witness) => assert!(witness.checkpoint(&origin_hash("test.example/log")).is_some()),
        }
    }
    fs::write(&file, "").unwrap();
    assert!(opened(|| watcher.options()).is_err());
    fs::write(&file, &note).unwrap();
    fs::copy(&file, watcher.path().join(origin_hash("other.example/log"))).unwrap();
    assert!(opened(|| watcher.options()).is_err(), "it is of another log");
    fs::remove_file(watcher.path().join(origin_hash("other.example/log"))).unwrap();
    let other = WitnessKey::generate("witness.example/w1").unwrap();
    let options = WitnessOptions::new(watcher.path(), other, watcher.logs.clone());
    assert!(Witness::open(options).is_err(), "another key cosigned it");
    watcher.open();
    // One file, the list, or everything but the directory.
    let list = watcher.path().join("followed");
    for gone in [vec![&file], vec![&list], vec![&file, &list]] {
        let kept: Vec<Vec<u8>> = gone.iter().map(|path| fs::read(path).unwrap()).collect();
        for path in &gone {
            fs::remove_file(path).unwrap();
        }
        let refused = opened(|| watcher.options()).unwrap_err().to_string();
        assert!(refused.contains("remembered"), "{refused}");
        for (path, bytes) in gone.iter().zip(kept) {
            fs::write(path, bytes).unwrap();
        }
        watcher.open();
    }
    fs::remove_dir_all(watcher.path()).unwrap();
    assert!(opened(|| watcher.options()).is_err());
    assert!(!watcher.path().exists());
}

#[test]
fn of_many_requests_at_once_each_goes_on_from_the_one_before() {
    let made = empty();
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let mut states = Vec::new();
    for _ in 0..8 {
        made.append(40);
        states.push(made.copy());
    }
    // All begin from nothing: one of them is first.
    let asked = |old: u64| -> Vec<(u64, Result<Vec<u8>, Refused>)> {
        std::thread::scope(|scope| {
            let witness = &witness;
            let threads: Vec<_> = (1_u64..)
                .zip(&states)
                .filter(|(n, _)| n * 40 >= old)
                .map(|(n, state)| scope.spawn(move || (n * 40, ask(witness, &request(state, old)))))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let mut known = 0;
    while known < 320 {
        let answers = asked(known);
        let cosigned: Vec<u64> =
            answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(size, _)| *size).collect();
        // The one that is there already may be cosigned again before another goes on.
        let new: Vec<u64> = cosigned.iter().copied().filter(|size| *size > known).collect();
        assert!(new.len() <= 1, "{cosigned:?} from {known}");
        for (size, answer) in answers {
            if let Err(refused) = answer {
                let Refused::Conflict { size: told } = refused else { panic!("{size}: {refused}") };
                assert_eq!(Some(&told), new.first());
            }
        }
        known = new.first().copied().unwrap_or(known);
        let told = witness.checkpoint(&origin_hash("test.example/log")).unwrap();
        assert_eq!(checkpoint_from_note(&told, &made.public()).unwrap().size, known);
    }
}

#[test]
fn a_clock_that_goes_back_makes_no_earlier_statement() {
    let made = log_of(5);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    let keys = [watcher.key.public().clone()];
    let mut old = 0;
    for (now_s, says) in [(100, 100), (50, 100), (101, 101)] {
        let asked = request(&made, old);
        let line = witness.add_checkpoint(&asked.to_bytes(), now_s).unwrap();
        let whole = [asked.note.as_slice(), &line].concat();
        assert_eq!(cosignatures(&whole, &keys).unwrap()[0].at_s, says);
        old = checkpoint_from_note(&asked.note, &made.public()).unwrap().size;
        made.append(1);
    }
    let made = log_of(1);
    let watcher = Watcher::of(&[&made.key]);
    let witness = watcher.open();
    for now_s in [0, u64::MAX, 1 << 63] {
        let refused = witness.add_checkpoint(&request(&made, 0).to_bytes(), now_s).unwrap_err();
        assert!(matches!(refused, Refused::Unable(_)), "{now_s}: {refused}");
    }
}

/// A disk that may fail, before or after what it was to write is there.
struct Failing {
    fails: AtomicBool,
    writes: bool,
}

impl Disk for Failing {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir_all(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        LocalDisk.open_append(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalDisk.read(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fails = self.fails.load(Ordering::SeqCst);
        if !fails || self.writes {
            LocalDisk.replace(path, bytes)?;
        }
        if fails { Err(io::Error::other("the disk died")) } else { Ok(()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
}

#[test]
fn nothing_is_cosigned_that_is_not_written_down() {
    for writes in [false, true] {
        let made = log_of(5);
        let watcher = Watcher::of(&[&made.key]);
        ask(&watcher.open(), &request(&made, 0)).unwrap();
        let disk = Arc::new(Failing { fails: AtomicBool::new(true), writes });
        let options = || WitnessOptions { disk: disk.clone(), ..watcher.options() };
        let witness = opened(options).unwrap();
        made.append(5);
        let refused = ask(&witness, &request(&made, 5)).unwrap_err();
        assert!(matches!(refused, Refused::Unable(_)), "{refused}");
        let told = witness.checkpoint(&origin_hash("test.example/log")).unwrap();
        assert_eq!(checkpoint_from_note(&told, &made.public()).unwrap().size, 5);
        disk.fails.store(false, Ordering::SeqCst);
        assert!(ask(&witness, &request(&made, 5)).is_ok(), "with room again it goes on");
        drop(witness);
        made.append(1);
        assert!(ask(&watcher.open(), &request(&made, 10)).is_ok());
    }
}
