//! Counts of actions, before they are done.

use std::time::Duration;

use lockgate_model::limit::{Counted, Reservations as _, Reserved};

use crate::world::Database;

fn count(whose: &str, times: u32, span_ms: u64) -> Counted {
    Counted { rule: "r".into(), whose: whose.into(), times, span_ms }
}

/// However many race for places, and over a restart; there is room again when the span is over.
pub(crate) async fn no_span_holds_more_than_its_limit(db: &Database) {
    let few = [count("agent a", 5, 2_000)];
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let (store, few) = (db.store.clone(), few.clone());
            tokio::spawn(async move { store.reserve(&few).await.unwrap() })
        })
        .collect();
    let mut taken = 0;
    for one in racing {
        taken += u32::from(one.await.unwrap() == Reserved::Taken);
    }
    assert_eq!(taken, 5);
    assert_eq!(db.reserve(&[count("agent b", 5, 2_000)]).await.unwrap(), Reserved::Taken);
    let long = [count("agent a", 1, 3_600_000)];
    assert_eq!(db.reserve(&long).await.unwrap(), Reserved::Taken);
    let store = db.restart().await;
    match store.reserve(&long).await.unwrap() {
        Reserved::Full { rule, after_ms } => {
            assert_eq!(rule, "r");
            assert!((3_500_000..=3_800_000).contains(&after_ms), "{after_ms}");
        }
        Reserved::Taken => panic!("a restart gives nothing back"),
    }
    tokio::time::sleep(Duration::from_millis(2_300)).await;
    assert_eq!(store.reserve(&few).await.unwrap(), Reserved::Taken);
}

/// What one count has no room for leaves no mark in another.
pub(crate) async fn a_place_is_taken_in_all_counts_or_in_none(db: &Database) {
    let (wide, narrow) = (count("agent a", 3, 60_000), count("session 1", 1, 60_000));
    let both = [wide.clone(), narrow];
    assert_eq!(db.reserve(&both).await.unwrap(), Reserved::Taken);
    for _ in 0..5 {
        assert!(matches!(db.reserve(&both).await.unwrap(), Reserved::Full { .. }));
    }
    let wide = [wide];
    assert_eq!(db.reserve(&wide).await.unwrap(), Reserved::Taken);
    assert_eq!(db.reserve(&wide).await.unwrap(), Reserved::Taken);
    assert!(matches!(db.reserve(&wide).await.unwrap(), Reserved::Full { .. }));
}
