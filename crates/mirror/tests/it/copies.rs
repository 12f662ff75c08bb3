//! What the copy holds, whatever the store does.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockgate_audit::{
    AddCheckpoint, Checkpoint, Entry, LogKey, LogOptions, Outside, Reader, Witness, WitnessKey,
    WitnessOptions, add_cosignature, keep_cosigned, prove_consistency, rotate_key, verify,
    verify_against,
};
use lockgate_mirror::{Copier, Mirror, Pace, Stopped, Target};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::store::Faulty;
use crate::world::{aside, entry, log_of, objects, target};

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[tokio::test]
async fn a_copy_verifies_at_every_size_and_holds_nothing_else() {
    let made = log_of(0);
    let store = memory();
    let mut copier = Copier::new(made.root(), target(&store));
    for (more, objects_expected) in
        [(0, 2), (1, 4), (254, 4), (1, 5), (1, 7), (343, 9), (5_000, 47)]
    {
        made.append(more);
        let size = copier.round().await.unwrap();
        let found = made.verify(&store).await;
        assert!(found.intact() && found.is_copy, "{:?}", found.damage);
        assert_eq!(found.size, size);
        let there = objects(&store).await;
        assert_eq!(there.len(), objects_expected, "{size} records: {there:?}");
    }
}

/// A witness's word comes after the checkpoint that it is for, and is copied when it is there.
#[tokio::test]
async fn what_witnesses_cosigned_is_in_the_copy() {
    let made = log_of(300);
    let away = tempfile::tempdir().unwrap();
    let url = format!("file://{}/mirror", away.path().display());
    let mut copier = Copier::new(made.root(), Target::parse(&url, []).unwrap());
    let key = WitnessKey::generate("witness.example/w1").unwrap();
    let logs = vec![made.key.public().clone()];
    Witness::create(&away.path().join("seen")).unwrap();
    let options = WitnessOptions::new(away.path().join("seen"), key.clone(), logs.clone());
    let witness = Witness::open(options).unwrap();
    let cosign = |old_size: u64| {
        let log = Reader::open_signed(made.root(), vec![]).unwrap();
        let proof = prove_consistency(&log, Checkpoint { size: old_size, root: [0; 32] }).unwrap();
        let request = AddCheckpoint { old_size, proof, note: log.note().to_vec() };
        let answer = witness.add_checkpoint(&request.to_bytes(), 9).unwrap();
        let note = add_cosignature(log.note(), &answer, key.public()).unwrap();
        keep_cosigned(&made.root(), key.public(), &note).unwrap();
    };
    let witnesses = vec![key.public().clone()];
    let outside = Outside { witnesses, cosignatures_min: 1, ..Outside::default() };
    let there = away.path().join("mirror");
    let from = || {
        let found = verify_against(&there, &logs, &outside, &mut |_, _| {}).unwrap();
        assert!(found.intact(), "{:?}", found.damage);
        found.cosigned_enough().then_some(found.unanchored_from)
    };
    assert_eq!((copier.round().await, from()), (Ok(300), None));
    cosign(0);
    assert_eq!((copier.round().await, from()), (Ok(300), Some(None)));
    made.append(5);
    assert_eq!((copier.round().await, from()), (Ok(305), Some(Some(300))));
    cosign(300);
    // By the same process or by the next.
    let mut anew = Copier::new(made.root(), Target::parse(&url, []).unwrap());
    assert_eq!((anew.round().await, from()), (Ok(305), Some(None)));
}

#[tokio::test]
async fn a_copy_can_be_read_and_proved_from_without_a_write_ahead_log() {
    let made = log_of(300);
    let away = tempfile::tempdir().unwrap();
    let url = format!("file://{}/mirror", away.path().display());
    let mut copier = Copier::new(made.root(), Target::parse(&url, []).unwrap());
    assert_eq!(copier.round().await, Ok(300));
    made.append(3);
    assert_eq!(copier.round().await, Ok(303));
    let there = away.path().join("mirror");
    let log = Reader::open(&there, vec![made.key.public().clone()]).unwrap();
    assert_eq!((log.size(), log.record(302).unwrap().seq), (303, 302));
    lockgate_audit::prove_inclusion(&log, 7).unwrap();
    let verified =
        || verify(&there, std::slice::from_ref(made.key.public()), &[], &mut |_, _| {}).unwrap();
    assert!(verified().intact() && verified().is_copy);
    // A log, other than a copy, has its lock: without its write-ahead log it is damaged.
    fs::write(there.join("lock"), "").unwrap();
    assert!(!verified().intact());
    fs::remove_file(there.join("lock")).unwrap();
    fs::remove_file(there.join("tile/entries/000")).unwrap();
    assert!(!verified().intact());
}

#[tokio::test]
async fn whichever_write_fails_the_checkpoint_covers_only_what_is_there() {
    let made = log_of(300);
    let earlier = made.copy();
    made.append(300);
    let mut rounds = 0;
    for lost_answer in [false, true] {
        for fails_in in 0.. {
            let faulty = Arc::new(Faulty::new());
            let store: Arc<dyn ObjectStore> = faulty.clone();
            assert_eq!(Copier::new(earlier.root(), target(&store)).round().await, Ok(300));
            faulty.does_it.store(lost_answer, Ordering::SeqCst);
            faulty.fails_in.store(fails_in, Ordering::SeqCst);
            let mut copier = Copier::new(made.root(), target(&store));
            let first = copier.round().await;
            let found = made.verify(&store).await;
            assert!(found.intact(), "after {fails_in} writes: {:?}", found.damage);
            // By the same process or by the next.
            let mut next = Copier::new(made.root(), target(&store));
            let second = if fails_in % 2 == 0 { copier.round().await } else { next.round().await };
            assert_eq!(second, Ok(600), "after {fails_in} writes");
            let found = made.verify(&store).await;
            assert!(found.intact() && found.size == 600, "{:?}", found.damage);
            rounds += 1;
            if first.is_ok() {
                break;
            }
            assert!(matches!(first, Err(Stopped::Failed(_))), "{first:?}");
        }
    }
    assert!(rounds > 14, "{rounds}");
}

#[tokio::test]
async fn a_start_anew_writes_only_what_is_missing() {
    let made = log_of(600);
    let faulty = Arc::new(Faulty::new());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    Copier::new(made.root(), target(&store)).round().await.unwrap();
    let before = faulty.puts.load(Ordering::SeqCst);
    assert_eq!(Copier::new(made.root(), target(&store)).round().await, Ok(600));
    assert_eq!(faulty.puts.load(Ordering::SeqCst), before, "nothing was new");
    made.append(1);
    assert_eq!(Copier::new(made.root(), target(&store)).round().await, Ok(601));
    // Two unfinished tiles, an unfinished bundle, keys, checkpoint; one tile of level 1 is as it was.
    assert!(faulty.puts.load(Ordering::SeqCst) - before <= 5);
}

async fn refused(copier: &mut Copier, why: &str) {
    let Err(Stopped::Refused(said)) = copier.round().await else { panic!("it was written") };
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn what_is_ahead_forked_or_anothers_is_not_written_over() {
    let made = log_of(300);
    let (fork, longer) = (made.copy(), made.copy());
    made.append(10);
    longer.append(20);
    fork.append(10);
    for (other, why) in [
        (&fork, "are not those of this log"),
        (&longer, "records were lost here"),
        (&log_of(5), "did not sign"),
    ] {
        let store = memory();
        Copier::new(other.root(), target(&store)).round().await.unwrap();
        let before = objects(&store).await;
        let note =
            store.get(&Path::from("logs/a/checkpoint")).await.unwrap().bytes().await.unwrap();
        refused(&mut Copier::new(made.root(), target(&store)), why).await;
        let after =
            store.get(&Path::from("logs/a/checkpoint")).await.unwrap().bytes().await.unwrap();
        assert_eq!((before, note), (objects(&store).await, after), "nothing was written");
    }
    // Someone put another tile where ours belongs, or spoilt the checkpoint.
    let store = memory();
    store.put(&Path::from("logs/a/tile/entries/000"), "other".into()).await.unwrap();
    refused(&mut Copier::new(made.root(), target(&store)), "tile/entries/000").await;
    let store = memory();
    store.put(&Path::from("logs/a/checkpoint"), "other".into()).await.unwrap();
    refused(&mut Copier::new(made.root(), target(&store)), "did not sign").await;
}

#[tokio::test]
async fn two_who_write_at_once_do_not_take_each_others_checkpoint_away() {
    let made = log_of(10);
    let store = memory();
    let mut first = Copier::new(made.root(), target(&store));
    first.round().await.unwrap();
    let behind = made.copy();
    made.append(5);
    let mut second = Copier::new(made.root(), target(&store));
    second.round().await.unwrap();
    // The first knows the checkpoint of before, and has less than the store by now.
    behind.append(2);
    let mut first_elsewhere = Copier::new(behind.root(), target(&store));
    assert!(matches!(first_elsewhere.round().await, Err(Stopped::Refused(_))));
    made.append(5);
    let said = first.round().await;
    assert!(matches!(&said, Err(Stopped::Failed(why)) if why.contains("someone else")), "{said:?}");
    assert_eq!(first.round().await, Ok(20), "looked at again, it is this log's own");
    assert!(made.verify(&store).await.intact());
}

#[tokio::test]
async fn a_log_that_goes_back_is_noticed_while_it_runs() {
    let made = log_of(10);
    let before = made.copy();
    made.append(10);
    let store = memory();
    let mut copier = Copier::new(made.root(), target(&store));
    copier.round().await.unwrap();
    fs::remove_dir_all(made.root()).unwrap();
    fs::rename(before.root(), made.root()).unwrap();
    refused(&mut copier, "records were lost here").await;
}

#[tokio::test]
async fn a_copy_follows_the_log_to_a_new_key() {
    let made = log_of(10);
    let store = memory();
    let mut copier = Copier::new(made.root(), target(&store));
    copier.round().await.unwrap();
    let new = LogKey::generate("test.example/log").unwrap();
    let mut told = Entry::event(1, "ada", "", "log");
    told.detail = serde_json::json!({ "reason": "yearly" });
    aside(|| rotate_key(&LogOptions::new(made.root()), &made.key, &new, told)).unwrap();
    assert_eq!(copier.round().await, Ok(11));
    let found = made.verify(&store).await;
    assert!(found.intact() && found.size == 11, "{:?}", found.damage);
}

/// A store that answers nobody holds up the copy, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_holds_up_no_record() {
    let made = log_of(1);
    let faulty = Arc::new(Faulty::new());
    faulty.hangs.store(true, Ordering::SeqCst);
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let pace = Pace { every: Duration::from_millis(1), last: Duration::from_millis(1) };
    let mirror = Mirror::start(made.root(), target(&store), pace);
    let log = aside(|| made.open());
    let session = log.session();
    for n in 1..500 {
        assert_eq!(session.append(&entry(n)).await.unwrap(), n);
    }
    let status = mirror.status();
    assert_eq!((status.size, status.refused), (None, None));
    tokio::task::spawn_blocking(|| log.close()).await.unwrap();
    // It ends in spite of it, and the next one goes on.
    mirror.stop().await;
    faulty.hangs.store(false, Ordering::SeqCst);
    let mirror = Mirror::start(made.root(), target(&store), pace);
    while mirror.status().size != Some(500) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    mirror.stop().await;
    assert!(made.verify(&store).await.intact());
}

#[test]
fn places_are_taken_at_their_word_and_hold_no_secrets() {
    for (url, why) in [
        ("s3://key:secret@bucket/x", "credentials"),
        ("https://example.com/x", "begins with none"),
        ("bucket/x", "relative URL"),
        ("s3://bucket/x?versionId=1", "a query"),
        ("file://host/x", "absolute path"),
    ] {
        let said = Target::parse(url, []).unwrap_err().to_string();
        assert!(said.contains(why), "{url}: {said}");
    }
    let environment = [("AWS_REGION", "eu-west-1"), ("PATH", "/bin")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(Target::parse("s3://bucket/audit", environment).is_ok());
}
