//! Ends that nobody chose: torn frames, kill -9, power cuts, full disks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use lockgate_audit::{Log, Reader, Step};

use crate::world::{Made, empty, entry};
use crate::writers;

/// A count that `./test --full` makes larger.
pub(crate) fn rounds(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A log with one signed record and others that were acknowledged and not signed yet, as a crash leaves it.
fn unsigned(records: u64) -> Made {
    let made = empty();
    let mut options = made.options();
    options.publish_every = Duration::from_hours(1);
    let log = Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    session.append_blocking(&entry(0)).unwrap();
    while log.status().signed_size < 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    for n in 1..records {
        session.append_blocking(&entry(n)).unwrap();
    }
    let crashed = made.copy();
    // What the live one does at its end is no part of the crash.
    std::mem::forget(log);
    crashed
}

#[test]
fn a_torn_frame_is_cut_off_wherever_it_is_torn() {
    let made = unsigned(4);
    let wal = "wal/00000000000000000000.wal";
    let whole = fs::read(made.path(wal)).unwrap();
    let before = {
        let made = made.copy();
        fs::write(made.path(wal), &whole).unwrap();
        let found = made.verify(&[]);
        assert!(found.intact() && found.unsigned == 3, "{found:?}");
        whole.len()
    };
    let last_frame = whole.windows(7).rposition(|bytes| bytes == b"thing 3").unwrap();
    let frame_start = frame_start(&whole, 3);
    assert!(frame_start < last_frame && last_frame < before);
    for end in frame_start + 1..whole.len() {
        let copy = made.copy();
        fs::write(copy.path(wal), &whole[..end]).unwrap();
        let found = copy.verify(&[]);
        assert!(found.intact(), "{end}: {found:?}");
        assert_eq!((found.unsigned, found.torn_bytes), (2, (end - frame_start) as u64));
        let log = copy.open();
        assert_eq!((log.status().size, log.status().cut_bytes), (3, (end - frame_start) as u64));
        assert_eq!(log.session().append_blocking(&entry(3)).unwrap(), 3);
        log.close();
        assert!(copy.verify(&[]).intact());
    }
    // Zeros are what some file systems leave where nothing was written yet.
    let copy = made.copy();
    fs::write(copy.path(wal), [&whole[..frame_start], &[0; 500]].concat()).unwrap();
    assert_eq!(copy.open().status().size, 3);
    let copy = made.copy();
    fs::write(copy.path(wal), [&whole[..frame_start], &[0; 100], &[b'x'; 400][..]].concat())
        .unwrap();
    assert!(copy.verify(&[]).intact());
    assert_eq!(copy.open().status().size, 3, "pages may come in any order");
}

/// Where the frame of this record begins: after the headers and records before it.
fn frame_start(wal: &[u8], records: usize) -> usize {
    let mut at = 0;
    for _ in 0..records {
        let len = u32::from_be_bytes(wal[at..at + 4].try_into().unwrap()) as usize;
        at += 20 + len;
    }
    at
}

#[test]
fn a_frame_that_no_crash_can_have_torn_is_damage_and_is_left_alone() {
    let made = unsigned(4);
    let wal = made.path("wal/00000000000000000000.wal");
    let whole = fs::read(&wal).unwrap();
    let second = frame_start(&whole, 1);
    let mut changed = whole.clone();
    changed[second + 30] ^= 1;
    let without_second = [&whole[..second], &whole[frame_start(&whole, 2)..]].concat();
    let twice = [&whole[..], &whole[frame_start(&whole, 3)..]].concat();
    for bytes in [changed, without_second, twice] {
        let copy = made.copy();
        let wal = copy.path("wal/00000000000000000000.wal");
        fs::write(&wal, &bytes).unwrap();
        assert!(!copy.verify(&[]).intact());
        let refused = Log::open(&copy.options(), copy.key.clone()).unwrap_err();
        assert!(refused.to_string().contains("is damaged"), "{refused}");
        assert_eq!(fs::read(&wal).unwrap(), bytes, "evidence stays");
    }
}

#[test]
fn intents_without_an_outcome_are_closed_once() {
    let made = empty();
    let log = made.open();
    let session = log.session();
    let mut act = entry(0);
    act.step = Step::Intent;
    let open = session.append_blocking(&act).unwrap();
    let done = session.append_blocking(&act).unwrap();
    act.step = Step::Outcome { of: done };
    session.append_blocking(&act).unwrap();
    log.close();
    assert_eq!(made.verify(&[]).open_intents, 1);
    for round in 0..3 {
        let log = made.open();
        assert_eq!(log.status().closed_intents, u64::from(round == 0));
        assert_eq!(log.status().size, 4);
        log.close();
    }
    let last = Reader::open(made.root(), made.public()).unwrap().record(3).unwrap();
    assert_eq!((last.step_of, last.action.as_str()), (Some(open), "audit.close_intent"));
    assert_eq!(last.detail["outcome"], "unknown");
    assert!(made.verify(&[]).intact());
}

/// Kills of the writers of one log. The whole log is verified now and then, so that more would take ever longer.
const KILLS_OF_ONE_LOG: u64 = 100;

/// Sixty-four writers, killed at a random moment, again and again.
#[test]
fn what_was_acknowledged_survives_every_kill() {
    let mut left = rounds("LOCKGATE_AUDIT_KILLS", 100);
    while left > 0 {
        let kills = left.min(KILLS_OF_ONE_LOG);
        killed(kills);
        left -= kills;
    }
}

fn killed(kills: u64) {
    let made = empty();
    let key = made.dir.path().join("key");
    fs::write(&key, made.key.secret()).unwrap();
    let mut acknowledged = BTreeMap::new();
    for kill in 0..kills {
        let durability = if kill % 2 == 0 { "process" } else { "power" };
        let mut child = writers::process(&made.root(), &key, durability).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // From early ones to some hundred; what else was said until the end counts as well.
        let enough = (kill * 37) % 400;
        let mut seen = 0;
        while seen < enough
            && let Some(line) = lines.next()
        {
            note(&mut acknowledged, &line.unwrap());
            seen += 1;
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&mut acknowledged, &line);
        }
        child.wait().unwrap();
        if kill % 20 == 0 {
            let found = made.verify(&[]);
            assert!(found.intact(), "after kill {kill}: {found:?}");
        }
    }
    made.open().close();
    let found = made.verify(&[]);
    assert!(found.intact() && found.open_intents == 0, "{found:?}");
    let reader = Reader::open(made.root(), made.public()).unwrap();
    assert!(acknowledged.len() as u64 > kills, "{} acknowledged", acknowledged.len());
    let all = reader.records(0..reader.size()).unwrap();
    for (place, n) in &acknowledged {
        let record = lockgate_audit::Record::parse(&all[usize::try_from(*place).unwrap()]).unwrap();
        assert_eq!(record.object, *n, "record {place}");
    }
}

fn note(acknowledged: &mut BTreeMap<u64, String>, line: &str) {
    // The last line may be cut off, and a number that lost its end would be another one.
    let parsed = line.strip_suffix('.').and_then(|line| line.split_once(' '));
    let Some((Ok(place), n)) = parsed.map(|(place, n)| (place.parse(), n)) else { return };
    if let Some(before) = acknowledged.insert(place, n.to_owned()) {
        panic!("record {place} was acknowledged twice, as {before} and as {n}");
    }
}
