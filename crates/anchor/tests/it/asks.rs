//! Witnesses that do what they should.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lockgate_anchor::{Anchor, Pace, Stopped, covered, fetch_checkpoint};
use lockgate_audit::{LogKey, checkpoint_from_note};

use crate::world::{Made, log_of, witness};

const QUICK: Pace = Pace {
    every: Duration::from_millis(10),
    again: Duration::from_hours(1),
    last: Duration::from_mins(1),
};

fn refused(round: Result<bool, Stopped>, words: &str) {
    match round {
        Err(Stopped::Refused(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_cosigned_and_kept_beside_the_log() {
    let made = log_of(300);
    let served = witness(&[&made]).await;
    let mut asker = made.asker(&served);
    assert_eq!(asker.round().await, Ok(true));
    let found = made.verify(&served);
    assert!(found.intact() && found.cosigned_enough() && found.unanchored_from.is_none());
    assert_eq!((asker.round().await, served.asked.load(Ordering::SeqCst)), (Ok(false), 1));
    made.append(10, "ada");
    assert_eq!(made.verify(&served).unanchored_from, Some(300));
    assert_eq!(asker.round().await, Ok(true));
    assert_eq!((made.verify(&served).unanchored_from, made.kept()), (None, 1));
    // Unchanged, it is cosigned again when that is asked for, and by whoever starts anew.
    asker.again();
    assert_eq!(asker.round().await, Ok(true));
    let mut anew = made.asker(&served);
    assert_eq!(anew.status().size, Some(310));
    assert_eq!((anew.round().await, served.asked.load(Ordering::SeqCst)), (Ok(true), 4));
    // One that knows nothing learns where the witness is.
    std::fs::remove_dir_all(made.root().join("cosigned")).unwrap();
    made.append(10, "ada");
    let mut anew = made.asker(&served);
    assert_eq!((anew.status().size, anew.round().await), (None, Ok(true)));
    assert!(made.verify(&served).intact());
    let told = fetch_checkpoint(&served.url, "test.example/log").await.unwrap().unwrap();
    let told = checkpoint_from_note(&told, &[made.key.public().clone()]).unwrap();
    assert_eq!(told.size, 320);
    assert_eq!(fetch_checkpoint(&served.url, "other").await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_the_one_that_was_cosigned_is_told_so() {
    let made = log_of(300);
    let served = witness(&[&made]).await;
    let older = made.copy();
    made.append(300, "ada");
    assert_eq!(made.asker(&served).round().await, Ok(true));

    // Put back to an older state, as from a backup.
    let mut asker = older.asker(&served);
    refused(asker.round().await, "it has cosigned 600 records of this log");
    refused(asker.round().await, "records were lost here");
    assert_eq!(older.kept(), 0);
    // What was cosigned of another log counts for nothing, nor does a witness that says so.
    std::fs::create_dir(older.root().join("cosigned")).unwrap();
    let other = log_of(900);
    let of_both = witness(&[&other, &older]).await;
    assert_eq!(other.asker(&of_both).round().await, Ok(true));
    let name = format!("cosigned/{:08x}", of_both.key.public().id());
    std::fs::copy(other.root().join(&name), older.root().join(&name)).unwrap();
    assert_eq!(older.asker(&of_both).status().size, None);
    std::fs::remove_dir_all(older.root().join("cosigned")).unwrap();
    let name = format!("cosigned/{:08x}", served.key.public().id());
    std::fs::create_dir(older.root().join("cosigned")).unwrap();
    std::fs::copy(made.root().join(&name), older.root().join(&name)).unwrap();
    let anchor = Anchor::start(&older.root(), vec![served.at()], QUICK);
    let status = anchor.reader();
    while status()[0].refused.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((status()[0].size, covered(&status(), 1)), (Some(600), 0));
    drop(anchor);
    std::fs::remove_dir_all(older.root().join("cosigned")).unwrap();
    // As long as before, and longer, with other records.
    older.append(300, "eve");
    refused(asker.round().await, "do not go on from the 600");
    older.append(1, "eve");
    refused(asker.round().await, "do not go on from the 600");
    refused(older.asker(&served).round().await, "do not go on from the 600");
    assert_eq!(older.kept(), 0);
    made.append(1, "ada");
    assert_eq!(made.asker(&served).round().await, Ok(true), "the log itself goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_was_not_told_of_the_log_or_its_key_says_so() {
    let mut made = log_of(3);
    let other = Made { dir: tempfile::tempdir().unwrap(), key: LogKey::generate("x").unwrap() };
    let served = witness(&[&other]).await;
    let told = made.asker(&served).round().await;
    assert!(matches!(&told, Err(Stopped::Failed(why)) if why.contains("not follow")), "{told:?}");
    let served = witness(&[&made]).await;
    assert_eq!(made.asker(&served).round().await, Ok(true));
    let new = LogKey::generate("test.example/log").unwrap();
    let (options, old) = (lockgate_audit::LogOptions::new(made.root()), made.key.clone());
    let to = new.clone();
    let mut entry = lockgate_audit::Entry::event(9, "ada", "", "log");
    entry.detail = serde_json::json!({});
    tokio::task::spawn_blocking(move || lockgate_audit::rotate_key(&options, &old, &to, entry))
        .await
        .unwrap()
        .unwrap();
    made.key = new;
    let told = made.asker(&served).round().await;
    assert!(matches!(&told, Err(Stopped::Failed(why)) if why.contains("new one")), "{told:?}");
    let found = made.verify(&served);
    assert!(found.intact() && found.unanchored_from == Some(3), "what it cosigned stays good");
}

/// One that is slow, one that is gone: the third has its word all the same, and records are taken.
#[tokio::test(flavor = "multi_thread")]
async fn no_witness_holds_up_another_or_a_record() {
    let made = log_of(5);
    let (silent, gone, honest) =
        (witness(&[&made]).await, witness(&[&made]).await, witness(&[&made]).await);
    silent.acts(|_, _| None);
    let all = vec![silent.at(), gone.at(), honest.at()];
    drop(gone);
    let anchor = Anchor::start(&made.root(), all, QUICK);
    let status = anchor.reader();
    for records in [5_u64, 25, 45] {
        while status()[2].size != Some(records) || status()[1].trouble.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        made.append(20, "ada");
    }
    let sizes: Vec<Option<u64>> = status().iter().map(|status| status.size).collect();
    assert_eq!(sizes[..2], [None, None]);
    assert!(covered(&status(), 1) >= 45);
    assert_eq!((covered(&status(), 2), covered(&status(), 0)), (0, 0));
    assert!(status().iter().all(|status| status.refused.is_none()), "{:?}", status());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_last_is_cosigned_before_it_ends() {
    let made = log_of(5);
    let served = witness(&[&made]).await;
    let pace = Pace { every: Duration::from_hours(1), ..QUICK };
    let anchor = Anchor::start(&made.root(), vec![served.at()], pace);
    let status = anchor.reader();
    while status()[0].size != Some(5) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    made.append(5, "ada");
    anchor.stop().await;
    assert_eq!(status()[0].size, Some(10));
    assert_eq!(made.verify(&served).unanchored_from, None);
}
