//! Disks that fail: what was acknowledged stays, what cannot be kept is refused.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use lockgate_audit::{AuditError, Log, LogKey, LogOptions, Reader, Session, verify};

use crate::crash::rounds;
use crate::faulty::{FaultyDisk, Op};
use crate::world::{Made, empty, entry};

/// A log on a faulty disk. Its directory is real, for the lock alone.
fn on(disk: &FaultyDisk) -> (Made, LogOptions) {
    let made = Made {
        dir: tempfile::tempdir().unwrap(),
        key: LogKey::generate("test.example/log").unwrap(),
    };
    fs::create_dir_all(made.root()).unwrap();
    let mut options = made.options();
    options.disk = Arc::new(disk.clone());
    options.publish_every = Duration::from_millis(1);
    (made, options)
}

/// The log as the next start finds it, on a real disk.
fn found_after(disk: &FaultyDisk, made: &Made) -> Made {
    let found = Made { dir: tempfile::tempdir().unwrap(), key: made.key.clone() };
    disk.after_a_power_cut(&made.root(), &found.root());
    found
}

#[test]
fn a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let disk = FaultyDisk::default();
    let (made, options) = on(&disk);
    Log::create(&options, &made.key).unwrap();
    let log = Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    session.append_blocking(&entry(0)).unwrap();
    for room in [0, 1, 19, 20, 40] {
        disk.set_room(Some(room));
        let refused = session.append_blocking(&entry(1)).unwrap_err();
        assert!(matches!(refused, AuditError::Io { .. }), "{refused}");
        assert!(log.status().refused.is_some() && log.status().stopped.is_none());
    }
    disk.set_room(None);
    for n in 1..300 {
        assert_eq!(session.append_blocking(&entry(n)).unwrap(), n);
    }
    assert_eq!(log.status().refused, None);
    log.close();
    let found = found_after(&disk, &made);
    assert!(found.verify(&[]).intact(), "no gap in the session's count, no torn frame");
    found.append(1);
}

#[test]
fn a_frame_that_cannot_be_taken_back_stops_the_log() {
    let disk = FaultyDisk::default();
    let (made, options) = on(&disk);
    Log::create(&options, &made.key).unwrap();
    let log = Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    session.append_blocking(&entry(0)).unwrap();
    disk.set_room(Some(30));
    disk.fail(Op::Cut, true);
    session.append_blocking(&entry(1)).unwrap_err();
    disk.set_room(None);
    stopped(&log, &session);
    log.close();
    let found = found_after(&disk, &made);
    let log = found.open();
    assert_eq!(log.status().size, 1);
    log.close();
}

/// After a failed sync nobody knows what is on disk: a second one may lie.
#[test]
fn a_failed_sync_stops_the_log() {
    let disk = FaultyDisk::default();
    let (made, options) = on(&disk);
    Log::create(&options, &made.key).unwrap();
    let log = Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    session.append_blocking(&entry(0)).unwrap();
    disk.fail(Op::Sync, true);
    session.append_blocking(&entry(1)).unwrap_err();
    disk.fail(Op::Sync, false);
    stopped(&log, &session);
    log.close();
    let found = found_after(&disk, &made);
    found.append(3);
    assert!(found.verify(&[]).intact());
}

fn stopped(log: &Log, session: &Session) {
    assert!(log.status().stopped.is_some());
    for _ in 0..3 {
        let refused = session.append_blocking(&entry(1)).unwrap_err();
        assert!(matches!(refused, AuditError::Stopped { .. }), "{refused}");
    }
}

#[test]
fn tiles_that_cannot_be_written_are_told_and_written_later() {
    let disk = FaultyDisk::default();
    let (made, options) = on(&disk);
    Log::create(&options, &made.key).unwrap();
    let log = Log::open(&options, made.key.clone()).unwrap();
    disk.fail(Op::Replace, true);
    let session = log.session();
    for n in 0..300 {
        session.append_blocking(&entry(n)).unwrap();
    }
    until(|| log.status().unpublished.is_some());
    assert_eq!(log.status().refused, None, "records are kept all the same");
    assert_eq!(log.status().signed_size, 0);
    disk.fail(Op::Replace, false);
    until(|| log.status().signed_size == 300 && log.status().unpublished.is_none());
    log.close();
    assert!(found_after(&disk, &made).verify(&[]).intact());
}

fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}

#[test]
fn a_directory_that_takes_no_files_is_said() {
    let made = empty();
    made.append(2);
    let mut options = made.options();
    options.dir = made.dir.path().join("none");
    let refused = Log::open(&options, made.key.clone()).unwrap_err();
    assert!(matches!(refused, AuditError::Io { .. }), "{refused}");
    // A file where a directory should be: also root cannot write there.
    let file = made.dir.path().join("file");
    fs::write(&file, "x").unwrap();
    options.dir = file;
    let refused = Log::create(&options, &made.key).unwrap_err();
    assert!(refused.to_string().contains("file"), "{refused}");
}

/// The power goes at a random operation, under sixty-four writers, on a disk that forgets appended bytes that
/// were not synced.
#[test]
fn what_was_acknowledged_survives_every_power_cut() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut acknowledged_in_all = 0;
    for seed in 0..rounds("LOCKGATE_AUDIT_SEEDS", 200) {
        let disk = FaultyDisk::that_ends_after(u64::MAX, seed);
        let (made, mut options) = on(&disk);
        options.segment_max_bytes = 20_000;
        Log::create(&options, &made.key).unwrap();
        disk.end_in(2 + seed * 7 % 600);
        let acknowledged = match Log::open(&options, made.key.clone()) {
            Ok(log) => {
                let acknowledged = runtime.block_on(write_until_it_ends(&log));
                log.close();
                acknowledged
            }
            Err(_) => BTreeMap::new(),
        };
        acknowledged_in_all += acknowledged.len();
        let found = found_after(&disk, &made);
        let seen = verify(&found.root(), &found.public(), &[], &mut |_, _| {}).unwrap();
        assert!(seen.intact(), "seed {seed}: {seen:?}");
        found.append(3);
        assert!(found.verify(&[]).intact(), "seed {seed}");
        let reader = Reader::open(found.root(), found.public()).unwrap();
        for (place, object) in acknowledged {
            assert_eq!(reader.record(place).unwrap().object, object, "seed {seed}, record {place}");
        }
    }
    assert!(acknowledged_in_all > 1_000, "{acknowledged_in_all}");
}

async fn write_until_it_ends(log: &Log) -> BTreeMap<u64, String> {
    let writers: Vec<_> = (0..64_u64)
        .map(|writer| {
            let session = log.session();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0..10 {
                    let act = entry(writer * 100 + n);
                    match session.append(&act).await {
                        Ok(place) => acknowledged.push((place, act.object)),
                        Err(_) => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut all = BTreeMap::new();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    all
}
