//! Old records that were let go, and records that were taken away: told apart by what was signed.

use std::fs;

use lockgate_audit::{
    AuditError, DamageKind, Durability, Entry, Index, Log, LogOptions, PRUNE_ACTION, Query, Reader,
    Step, check_consistency, checkpoint_from_note, finish_pruning, prove_consistency,
    prove_inclusion, prunable, prune,
};
use serde_json::json;
use signed_note::{Note, StandardSigner};

use crate::world::{Made, empty, entry};

const BUNDLE: u64 = 256;

/// A log of small segments, so that little is in the write-ahead log.
fn options(made: &Made) -> LogOptions {
    let mut options = made.options();
    options.segment_max_bytes = 1;
    options
}

fn open(made: &Made) -> Log {
    Log::open(&options(made), made.key.clone()).unwrap()
}

/// `entry(n)` is of the second n + 1.
fn old(records: u64) -> Made {
    let made = empty();
    let log = open(&made);
    let session = log.session();
    for n in 0..records {
        session.append_blocking(&entry(n)).unwrap();
    }
    log.close();
    made
}

fn reader(made: &Made) -> Reader {
    Reader::open(made.root(), made.public()).unwrap()
}

/// Lets records of before this time go, if there are any. Returns the first that was kept.
fn pruned(made: &Made, before_ms: i64) -> Option<u64> {
    let log = open(made);
    let what = prunable(&reader(made), log.status().pruned_to, before_ms).unwrap()?;
    let mut told = Entry::event(9_999, "lockgate", "", "audit");
    told.detail = json!({ "retention_ms": 1 });
    prune(&options(made), &log, &log.session(), &what, told).unwrap();
    log.close();
    Some(what.to)
}

#[test]
fn whole_bundles_go_and_every_proof_of_the_rest_stays() {
    let made = old(1_000);
    let (kept, note) = (made.kept(), fs::read(made.path("checkpoint")).unwrap());
    assert_eq!(pruned(&made, 1_000), None, "nothing is older");
    assert_eq!(pruned(&made, 1_000 + 255), None, "not the whole bundle is");
    assert_eq!(pruned(&made, 1_000 + 256), Some(BUNDLE));
    assert_eq!(pruned(&made, 1_000 + 600), Some(2 * BUNDLE), "it goes on where it was");
    assert_eq!(pruned(&made, 1_000 + 600), None);
    let files = made.files();
    for gone in ["tile/entries/000", "tile/entries/001"] {
        assert!(!files.iter().any(|file| file == gone), "{gone}");
    }
    for stays in ["tile/entries/002", "tile/0/000", "tile/0/001"] {
        assert!(files.iter().any(|file| file == stays), "{stays}");
    }
    let found = made.verify(&[kept]);
    assert!(found.intact(), "{found:?}");
    let told = found.pruned.unwrap();
    assert_eq!((told.to, told.told_at), (512, 1_001));
    let log = reader(&made);
    assert_eq!((log.first(), log.size()), (512, 1_002));
    let record = log.record(1_001).unwrap();
    assert_eq!(record.action, PRUNE_ACTION);
    assert_eq!((&record.detail["from"], &record.detail["to"]), (&json!(256), &json!(512)));
    for seq in [512, 999, 1_001] {
        assert!(prove_inclusion(&log, seq).is_ok(), "{seq}");
    }
    let before = checkpoint_from_note(&note, &made.public()).unwrap();
    let proof = prove_consistency(&log, before).unwrap();
    check_consistency(&proof, before, log.checkpoint()).unwrap();
    let gone = log.record(511).unwrap_err();
    assert!(gone.to_string().contains("were pruned"), "{gone}");
    // It opens, goes on, and a copy of what is signed is as good.
    made.append(10);
    assert!(made.verify(&[]).intact());
    let copy = made.copy();
    fs::remove_dir_all(copy.path("wal")).unwrap();
    fs::remove_file(copy.path("lock")).unwrap();
    let found = copy.verify(&[]);
    assert!(found.is_copy && found.intact() && found.pruned.is_some(), "{found:?}");
    assert!(!reader(&made).files_since(0).iter().any(|name| name == "tile/entries/001"));
}

#[test]
fn what_is_open_young_or_still_in_the_write_ahead_log_stays() {
    let made = empty();
    let log = open(&made);
    let session = log.session();
    let mut act = entry(0);
    act.step = Step::Intent;
    let early = session.append_blocking(&act).unwrap();
    for n in 1..300 {
        session.append_blocking(&entry(n)).unwrap();
    }
    let late = session.append_blocking(&act).unwrap();
    for n in 301..1_000 {
        session.append_blocking(&entry(n)).unwrap();
    }
    let reader = |made: &Made| {
        // What full tiles hold leaves the write-ahead log a moment after it is signed.
        let segment = made.path("wal/00000000000000000767.wal");
        while log.status().signed_size < log.status().size || segment.exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        reader(made)
    };
    assert_eq!(prunable(&reader(&made), 0, i64::MAX).unwrap(), None, "the oldest bundle is open");
    act.step = Step::Outcome { of: early };
    session.append_blocking(&act).unwrap();
    let what = prunable(&reader(&made), 0, i64::MAX).unwrap().unwrap();
    assert_eq!((what.from, what.to), (0, BUNDLE), "closed far behind it; the next is open");
    act.step = Step::Outcome { of: late };
    session.append_blocking(&act).unwrap();
    let what = prunable(&reader(&made), 0, i64::MAX).unwrap().unwrap();
    assert_eq!(what.to, 3 * BUNDLE, "full bundles alone");
    drop(session);
    log.close();
    // One segment holds it all.
    let made = crate::world::log_of(600);
    assert_eq!(
        prunable(&Reader::open(made.root(), made.public()).unwrap(), 0, i64::MAX).unwrap(),
        None
    );
}

#[test]
fn bundles_that_no_record_explains_are_damage() {
    let made = old(1_000);
    let copy = made.copy();
    fs::remove_file(copy.path("tile/entries/000")).unwrap();
    let found = copy.verify(&[]);
    assert_eq!((found.damage[0].kind, found.damage[0].seq), (DamageKind::Missing, Some(0)));
    assert!(found.damage[0].why.contains("no signed record"), "{found:?}");
    let refused = Log::open(&copy.options(), copy.key.clone()).unwrap_err();
    assert!(matches!(refused, AuditError::Damaged { .. }), "{refused}");
    // One more than the record says.
    pruned(&made, 1_000 + 300).unwrap();
    for (gone, first) in [("tile/entries/001", 256), ("tile/entries/002", 512)] {
        let copy = made.copy();
        fs::remove_file(copy.path(gone)).unwrap();
        let found = copy.verify(&[]);
        let named: Vec<_> = found.damage.iter().map(|damage| (damage.kind, damage.seq)).collect();
        assert_eq!(named, [(DamageKind::Missing, Some(first))], "{gone}");
        assert!(Log::open(&copy.options(), copy.key.clone()).is_err(), "{gone}");
    }
}

/// Whoever has the log's key can write a record that tells of pruning; it has to fit all the same.
#[test]
fn a_record_of_pruning_that_does_not_fit_explains_nothing() {
    let honest = old(600);
    let root = {
        let copy = honest.copy();
        pruned(&copy, 1_000 + 256).unwrap();
        reader(&copy).record(600).unwrap().detail["root"].clone()
    };
    let cases = [
        (json!({ "to": 256, "root": root }), vec![]),
        (json!({ "to": 256, "root": "00" }), vec![(DamageKind::Pruned, 600)]),
        (
            json!({ "to": 255, "root": root }),
            vec![(DamageKind::Missing, 0), (DamageKind::Pruned, 600)],
        ),
        (
            json!({ "to": 768, "root": root }),
            vec![(DamageKind::Missing, 0), (DamageKind::Pruned, 600)],
        ),
        (json!({ "to": 0, "root": root }), vec![(DamageKind::Missing, 0)]),
        (json!({ "to": "256", "root": root }), vec![(DamageKind::Missing, 0)]),
        (json!({ "to": -256, "root": root }), vec![(DamageKind::Missing, 0)]),
        (json!({}), vec![(DamageKind::Missing, 0)]),
    ];
    for (detail, expected) in cases {
        let copy = honest.copy();
        let log = open(&copy);
        let mut told = Entry::event(9_999, "lockgate", PRUNE_ACTION, "audit");
        told.detail = detail.clone();
        told.detail["from"] = json!(0);
        log.session().append_blocking(&told).unwrap();
        log.close();
        fs::remove_file(copy.path("tile/entries/000")).unwrap();
        let found = copy.verify(&[]);
        let named: Vec<_> =
            found.damage.iter().map(|damage| (damage.kind, damage.seq.unwrap())).collect();
        assert_eq!(named, expected, "{detail}: {found:?}");
        // Opening looks at the range alone, and leaves roots to `verify`.
        let opens = expected.iter().all(|(kind, _)| *kind == DamageKind::Pruned);
        assert_eq!(Log::open(&options(&copy), copy.key.clone()).is_ok(), opens, "{detail}");
    }
    // One that is not signed yet explains nothing either.
    let mut late = options(&honest);
    late.publish_every = std::time::Duration::from_hours(1);
    let log = Log::open(&late, honest.key.clone()).unwrap();
    log.session().append_blocking(&entry(600)).unwrap();
    while log.status().signed_size < 601 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut told = Entry::event(9_999, "lockgate", PRUNE_ACTION, "audit");
    told.detail = json!({ "from": 0, "to": 256, "root": root });
    log.session().append_blocking(&told).unwrap();
    let copy = honest.copy();
    // It would wait an hour for its next checkpoint.
    std::mem::forget(log);
    fs::remove_file(copy.path("tile/entries/000")).unwrap();
    let found = copy.verify(&[]);
    assert_eq!((found.unsigned, found.damage[0].kind), (1, DamageKind::Missing));
}

/// Whoever takes the oldest records away cannot have the server cover for them.
#[test]
fn what_was_taken_away_is_not_pruned_over() {
    let made = old(1_000);
    pruned(&made, 1_000 + 256).unwrap();
    fs::remove_file(made.path("tile/entries/001")).unwrap();
    let refused = prunable(&reader(&made), 256, i64::MAX).unwrap_err().to_string();
    assert!(refused.contains("256 to 512 are missing"), "{refused}");
    let refused = Log::open(&options(&made), made.key.clone()).unwrap_err().to_string();
    assert!(refused.contains("tile/entries/001"), "{refused}");
    // A server that was deceived all the same has told where it began.
    let copy = old(1_000);
    let log = open(&copy);
    let root = "00".repeat(32);
    for (from, to) in [(0, 256), (512, 768)] {
        let mut told = Entry::event(9_999, "lockgate", PRUNE_ACTION, "audit");
        told.detail = json!({ "from": from, "to": to, "root": root });
        log.session().append_blocking(&told).unwrap();
    }
    log.close();
    let found = copy.verify(&[]);
    let named: Vec<_> = found.damage.iter().map(|damage| (damage.kind, damage.seq)).collect();
    assert_eq!(named, [(DamageKind::Pruned, Some(1_001))], "{found:?}");
}

/// A crash between the record and the last file: the next round removes the rest.
#[test]
fn a_pruning_that_was_cut_off_is_finished() {
    let made = old(1_000);
    let before = made.copy();
    pruned(&made, 1_000 + 600).unwrap();
    let again = |name: &str| {
        fs::copy(before.path(name), made.path(name)).unwrap();
    };
    again("tile/entries/001");
    let found = made.verify(&[]);
    assert!(found.intact() && found.pruned.is_some(), "{found:?}");
    let finished = || {
        let log = open(&made);
        finish_pruning(&options(&made), log.status().pruned_to).unwrap();
        log.close();
    };
    open(&made).close();
    assert!(made.path("tile/entries/001").exists(), "a hold may last: a start removes nothing");
    finished();
    assert!(!made.path("tile/entries/001").exists());
    // As a file system may leave it that did not keep the order.
    again("tile/entries/000");
    assert!(made.verify(&[]).intact());
    finished();
    assert_eq!(reader(&made).first(), 512);
}

const NOTE: &str = "open-intents";

fn quick(made: &Made) -> LogOptions {
    let mut options = options(made);
    options.durability = Durability::Process;
    options.segment_max_bytes = 1 << 16;
    options
}

/// A long log whose note was signed while intent 300 was open. Intent and outcome are pruned after it.
fn long() -> Made {
    let made = empty();
    let log = Log::open(&quick(&made), made.key.clone()).unwrap();
    let session = log.session();
    for n in 0..10_000 {
        let mut act = entry(n);
        act.step = match n {
            300 => Step::Intent,
            9_000 => Step::Outcome { of: 300 },
            _ => Step::Event,
        };
        session.append_blocking(&act).unwrap();
        if n == 8_500 {
            while !made.path(NOTE).exists() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
    drop(session);
    log.close();
    assert!(fs::read_to_string(made.path(NOTE)).unwrap().contains("lockgate-open-intents 300\n"));
    made
}

fn closed_at_start(made: &Made) -> u64 {
    let log = open(made);
    let closed = log.status().closed_intents;
    log.close();
    closed
}

#[test]
fn a_start_from_a_note_knows_what_was_pruned_before_and_after_it() {
    let made = long();
    let before = made.copy();
    let to = pruned(&made, 1_000 + 9_500).unwrap();
    assert!(to > 9_000, "{to}");
    // The note is older: it names an intent that is gone, and knows of no pruning.
    let old_note = fs::read_to_string(made.path(NOTE)).unwrap();
    assert!(!old_note.contains("lockgate-pruned"), "{old_note}");
    let found = made.verify(&[]);
    assert!(found.intact() && found.pruned.is_some(), "{found:?}");
    assert_eq!(closed_at_start(&made), 0, "what is gone had its outcome");
    let log = Log::open(&quick(&made), made.key.clone()).unwrap();
    let session = log.session();
    for n in 20_000..29_000 {
        session.append_blocking(&entry(n)).unwrap();
    }
    drop(session);
    log.close();
    let note = fs::read_to_string(made.path(NOTE)).unwrap();
    assert!(
        note.contains(&format!("\nlockgate-open-intents none\nlockgate-pruned {to}\n")),
        "{note}"
    );
    assert!(made.verify(&[]).intact());
    // A removal that was cut off long ago is finished, without the record that told of it being read.
    fs::copy(before.path("tile/entries/007"), made.path("tile/entries/007")).unwrap();
    let log = open(&made);
    assert_eq!((log.status().closed_intents, log.status().pruned_to), (0, to));
    finish_pruning(&options(&made), to).unwrap();
    log.close();
    assert!(!made.path("tile/entries/007").exists());
    // Without the note, and without a bundle that should be there.
    fs::remove_file(made.path(NOTE)).unwrap();
    assert_eq!(closed_at_start(&made), 0);
    fs::remove_file(made.path("tile/entries/040")).unwrap();
    assert_eq!(made.verify(&[]).damage[0].kind, DamageKind::Missing);
    assert!(Log::open(&options(&made), made.key.clone()).is_err());
}

/// The key's owner can make a start believe it, and not who verifies.
#[test]
fn a_note_of_pruning_that_no_record_tells_of_is_named() {
    let made = long();
    let note = fs::read(made.path(NOTE)).unwrap();
    let text = String::from_utf8(Note::from_bytes(&note).unwrap().text().to_vec()).unwrap();
    for (line, kind) in [
        ("lockgate-pruned 512", DamageKind::Edited),
        ("lockgate-pruned 500", DamageKind::BadCheckpoint),
        ("lockgate-pruned 1024000", DamageKind::BadCheckpoint),
        ("lockgate-pruned 0", DamageKind::BadCheckpoint),
        ("lockgate-pruned 512\nlockgate-pruned 512", DamageKind::BadCheckpoint),
    ] {
        let mut note = Note::new(format!("{text}{line}\n").as_bytes(), &[]).unwrap();
        note.add_sigs(&[&StandardSigner::new(made.key.secret()).unwrap()]).unwrap();
        let copy = made.copy();
        fs::write(copy.path(NOTE), note.to_bytes()).unwrap();
        let found = copy.verify(&[]);
        let named: Vec<_> =
            found.damage.iter().map(|damage| (damage.kind, damage.file.as_deref())).collect();
        assert_eq!(named, [(kind, Some(NOTE))], "{line}");
    }
}

#[tokio::test]
async fn an_index_lives_with_it() {
    let made = tokio::task::spawn_blocking(|| old(1_000)).await.unwrap();
    let dirs = ["before", "after"].map(|name| made.dir.path().join(name));
    let search = async |made: &Made, dir: &std::path::Path, before| {
        let log = reader(made);
        let mut index = Index::open(dir, &log).await.unwrap();
        index.update(&log, &mut |_, _| {}).await.unwrap();
        let terms = vec![("agent".to_owned(), "support".to_owned())];
        let query = Query { terms, before, limit: 2_000, ..Query::default() };
        let found = index.search(&log, &query).await.unwrap();
        (found.len(), found.last().map(|record| record.seq))
    };
    assert_eq!(search(&made, &dirs[0], None).await, (1_000, Some(0)));
    let made = tokio::task::spawn_blocking(|| {
        pruned(&made, 1_000 + 600).unwrap();
        made
    });
    let made = made.await.unwrap();
    for dir in &dirs {
        assert_eq!(search(&made, dir, None).await, (488, Some(512)));
        assert_eq!(search(&made, dir, Some(520)).await, (8, Some(512)));
        assert_eq!(search(&made, dir, Some(100)).await, (0, None));
    }
}
