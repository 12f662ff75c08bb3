//! Appending, reading back, proving.

use std::sync::Arc;

use lockgate_audit::{
    AuditError, Entry, InclusionProof, Reader, Record, Step, check_consistency, check_inclusion,
    checkpoint_from_note, prove_consistency, prove_inclusion,
};
use serde_json::json;

use crate::world::{empty, entry, log_of};

#[test]
fn what_was_appended_is_read_back_in_order_and_proved() {
    let made = log_of(600);
    let log = Reader::open(made.root(), made.public()).unwrap();
    assert_eq!((log.size(), log.checkpoint().size), (600, 600));
    for seq in [0, 1, 254, 255, 256, 257, 511, 512, 599] {
        let record = log.record(seq).unwrap();
        assert_eq!((record.seq, record.session_n), (seq, seq + 1));
        assert_eq!(record.object, format!("thing {seq}"));
        assert_eq!(record.detail["text"], "ß \"quoted\"");
        let proof = prove_inclusion(&log, seq).unwrap();
        let again = InclusionProof::parse(&proof.to_text()).unwrap();
        assert_eq!(again, proof);
        assert_eq!(check_inclusion(&again, &made.public()).unwrap().size, 600);
        let mut other = proof.clone();
        other.seq = (seq + 1) % 600;
        check_inclusion(&other, &made.public()).unwrap_err();
        let mut other = proof;
        other.record[10] ^= 1;
        check_inclusion(&other, &made.public()).unwrap_err();
    }
    let all = log.records(0..600).unwrap();
    assert_eq!(all.len(), 600);
    for (seq, bytes) in all.iter().enumerate() {
        assert_eq!(Record::parse(bytes).unwrap().seq, seq as u64);
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(&serde_json_canonicalizer::to_vec(&value).unwrap(), bytes, "RFC 8785");
    }
    assert!(matches!(log.record(600), Err(AuditError::Missing(_))));
    assert!(matches!(prove_inclusion(&log, 600), Err(AuditError::Missing(_))));
}

#[test]
fn a_log_that_only_grew_proves_it() {
    let made = log_of(3);
    let mut before: Vec<Vec<u8>> = Vec::new();
    for more in [0, 1, 5, 247, 1, 256, 300] {
        made.append(more);
        let log = Reader::open(made.root(), made.public()).unwrap();
        for older in &before {
            let older = checkpoint_from_note(older, &made.public()).unwrap();
            let proof = prove_consistency(&log, older).unwrap();
            check_consistency(&proof, older, log.checkpoint()).unwrap();
            let mut forged = older;
            forged.root[0] ^= 1;
            check_consistency(&proof, forged, log.checkpoint()).unwrap_err();
        }
        before.push(log.note().to_vec());
        assert!(made.verify(&[made.kept()]).intact());
    }
}

#[test]
fn sixty_four_writers_get_every_place_once() {
    let made = empty();
    let log = Arc::new(made.open());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let places: Vec<(u64, u64)> = runtime.block_on(async {
        let writers: Vec<_> = (0..64_u64)
            .map(|writer| {
                let session = log.session();
                tokio::spawn(async move {
                    let mut places = Vec::new();
                    for n in 0..20 {
                        let mut act = entry(writer * 1_000 + n);
                        act.step = Step::Intent;
                        let place = session.append(&act).await.unwrap();
                        let mut done = entry(writer * 1_000 + n);
                        done.step = Step::Outcome { of: place };
                        let outcome = session.append(&done).await.unwrap();
                        assert!(outcome > place, "the intent comes first");
                        let twice = session.append(&done).await.unwrap_err();
                        assert!(matches!(twice, AuditError::Missing(_)), "one outcome: {twice}");
                        places.extend([(writer, place), (writer, outcome)]);
                    }
                    places
                })
            })
            .collect();
        let mut all = Vec::new();
        for writer in writers {
            all.extend(writer.await.unwrap());
        }
        all
    });
    Arc::into_inner(log).unwrap().close();
    let mut seqs: Vec<u64> = places.iter().map(|(_, place)| *place).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (0..64 * 40).collect::<Vec<_>>(), "every place once");
    let reader = Reader::open(made.root(), made.public()).unwrap();
    for (writer, place) in places {
        let record = reader.record(place).unwrap();
        assert_eq!(record.detail["n"].as_u64().unwrap() / 1_000, writer);
    }
    let found = made.verify(&[made.kept()]);
    assert!(found.intact() && found.open_intents == 0, "{found:?}");
    assert_eq!(found.unanchored_from, None);
}

/// More than may wait: the rest waits for room, and none is lost.
#[test]
fn more_producers_than_there_is_room_for_get_every_place_once() {
    let made = empty();
    let log = made.open();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let from_thread = log.session();
    let thread = std::thread::spawn(move || -> Vec<u64> {
        (0..50).map(|n| from_thread.append_blocking(&entry(n)).unwrap()).collect()
    });
    let mut places: Vec<u64> = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..10_000 {
            let session = log.session();
            tasks.spawn(async move { session.append(&entry(n)).await.unwrap() });
        }
        tasks.join_all().await
    });
    places.extend(thread.join().unwrap());
    log.close();
    places.sort_unstable();
    assert_eq!(places, (0..10_050).collect::<Vec<_>>());
    assert!(made.verify(&[]).intact());
}

/// A log that ends answers everyone: those it took have their place, the others are told.
#[test]
fn who_waits_when_a_log_ends_is_answered() {
    let made = empty();
    let log = made.open();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (mut taken, mut refused) = (Vec::new(), 0);
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..10_000 {
            let session = log.session();
            tasks.spawn(async move { session.append(&entry(n)).await });
        }
        let ends = tokio::task::spawn_blocking(move || log.close());
        for answer in tasks.join_all().await {
            match answer {
                Ok(place) => taken.push(place),
                Err(AuditError::Stopped { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        ends.await.unwrap();
    });
    taken.sort_unstable();
    assert_eq!(taken, (0..10_000 - refused).collect::<Vec<_>>());
    let found = made.verify(&[]);
    assert!(found.intact() && found.size == taken.len() as u64, "{found:?}");
}

/// Records are written field by field; a canonicalizer that is not ours must find nothing to change.
#[test]
fn records_are_canonical_whatever_is_in_them() {
    let made = empty();
    let log = made.open();
    let session = log.session();
    let nasty =
        "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}\"\\/é\u{2028}\u{fffd}\u{10ffff}\",\"seq\":7";
    let mut act = entry(0);
    act.at_ms = -5;
    act.action = nasty.into();
    act.object = String::new();
    act.principal = nasty.into();
    // By UTF-16 units a character beyond the first plane sorts before U+E000.
    let names = ["\u{e000}", "\u{10000}", "z", "", "a", nasty, "a", "ab"];
    act.labels =
        names.iter().enumerate().map(|(n, name)| ((*name).into(), format!("{n}"))).collect();
    act.detail = json!({ nasty: nasty, "b": [1, -2.5, 1e30, null, true], "seq": 3, "a": {} });
    session.append_blocking(&act).unwrap();
    for at_ms in [i64::MIN, i64::MAX, 1 << 53] {
        let refused = session.append_blocking(&Entry { at_ms, ..entry(1) }).unwrap_err();
        assert!(matches!(refused, AuditError::Unwritable { .. }), "{refused}");
    }
    log.close();
    let reader = Reader::open(made.root(), made.public()).unwrap();
    let bytes = reader.records(0..1).unwrap().remove(0);
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes);
    let record = Record::parse(&bytes).unwrap();
    assert_eq!((record.action.as_str(), record.principal.as_str()), (nasty, nasty));
    assert_eq!((record.at_ms, record.detail), (-5, act.detail));
    assert_eq!(record.labels["a"], "6", "the last of two with one name");
    assert_eq!(record.labels.len(), 7);
    assert!(made.verify(&[]).intact());
}

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_no_gap() {
    let made = empty();
    let log = made.open();
    let session = log.session();
    session.append_blocking(&entry(0)).unwrap();
    let mut large = entry(1);
    large.detail = json!({ "payload": "x".repeat(70 * 1024) });
    let refused = session.append_blocking(&large).unwrap_err();
    assert!(matches!(refused, AuditError::TooLarge { bytes } if bytes > 70 * 1024), "{refused}");
    let mut rounded = entry(1);
    rounded.detail = json!({ "n": (1_u64 << 53) });
    assert!(matches!(session.append_blocking(&rounded), Err(AuditError::Unwritable { .. })));
    let mut lost = entry(1);
    lost.step = Step::Outcome { of: 77 };
    assert!(matches!(session.append_blocking(&lost), Err(AuditError::Missing(_))));
    assert_eq!(session.append_blocking(&entry(1)).unwrap(), 1);
    log.close();
    assert!(made.verify(&[]).intact());
    let reader = Reader::open(made.root(), made.public()).unwrap();
    assert_eq!(reader.record(1).unwrap().session_n, 2);
}

#[test]
fn the_largest_record_fits() {
    let made = empty();
    let log = made.open();
    let session = log.session();
    let mut low = 60_000;
    let mut high = 70_000;
    let sized = |len: usize| Entry { detail: json!("x".repeat(len)), ..entry(0) };
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        match session.append_blocking(&sized(middle)) {
            Ok(_) => low = middle,
            Err(AuditError::TooLarge { .. }) => high = middle,
            Err(other) => panic!("{other}"),
        }
    }
    log.close();
    assert!(made.verify(&[]).intact());
}

#[test]
fn a_clock_that_goes_back_is_told_and_the_order_stands() {
    let made = empty();
    let log = made.open();
    let session = log.session();
    for (n, at_ms) in [5_000, 4_000, 6_000, 4_999, 9_000].into_iter().enumerate() {
        let act = Entry { at_ms, ..entry(n as u64) };
        session.append_blocking(&act).unwrap();
    }
    log.close();
    let found = made.verify(&[]);
    assert!(found.intact());
    assert_eq!(
        found.clock_back_at,
        Some(3),
        "a second is what writers at the same time may differ by"
    );
}

#[test]
fn a_second_process_is_refused() {
    let made = log_of(1);
    let log = made.open();
    let second = lockgate_audit::Log::open(&made.options(), made.key.clone()).unwrap_err();
    assert!(matches!(second, AuditError::Locked { .. }), "{second}");
    log.close();
    made.append(1);
}

/// Or a log that is started often would keep old records in its write-ahead log for good.
#[test]
fn a_start_ends_a_segment_whose_age_nobody_knows() {
    let made = empty();
    for starts in 1..=3 {
        let log = lockgate_audit::Log::open(
            &lockgate_audit::LogOptions::new(made.root()),
            made.key.clone(),
        );
        log.unwrap().session().append_blocking(&entry(starts)).unwrap();
        let segments = made.files().into_iter().filter(|name| name.starts_with("wal/")).count();
        assert_eq!(segments as u64, starts);
    }
    assert!(made.verify(&[]).intact());
}

/// Files are replaced all the time while a log grows; that is no damage.
#[test]
fn a_log_can_be_verified_while_it_grows() {
    let made = empty();
    let mut options = made.options();
    options.publish_every = std::time::Duration::from_millis(5);
    options.segment_max_bytes = 20_000;
    let log = lockgate_audit::Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    let writer = std::thread::spawn(move || {
        for n in 0..1_500 {
            session.append_blocking(&entry(n)).unwrap();
        }
    });
    let mut looks = 0;
    while !writer.is_finished() {
        let found = made.verify(&[]);
        assert!(found.intact(), "look {looks}: {found:?}");
        looks += 1;
    }
    writer.join().unwrap();
    log.close();
    assert!(looks > 1 && made.verify(&[]).intact());
    let all = made.dir.path().join("log/tile/0");
    let empty = std::fs::read_dir(all).unwrap().flatten().filter(|entry| {
        entry.path().is_dir() && std::fs::read_dir(entry.path()).unwrap().next().is_none()
    });
    assert_eq!(empty.count(), 0, "directories of unfinished tiles go with them");
}
