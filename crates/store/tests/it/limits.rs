//! Counts of actions, before they are done.

use std::time::Duration;

use lockgate_model::limit::{Counted, Place, Reservations, Reserved};

use crate::world::Database;

fn count(whose: &str, most: u64, span_ms: u64) -> Counted {
    Counted { rule: "r".into(), whose: whose.into(), amount: 1, most, span_ms }
}

async fn is_taken(store: &impl Reservations, counts: &[Counted]) -> bool {
    matches!(store.reserve(counts).await.unwrap(), Reserved::Taken(_))
}

/// However many race for places, and over a restart; there is room again when the span is over.
pub(crate) async fn no_span_holds_more_than_its_limit(db: &Database) {
    let few = [count("agent a", 5, 2_000)];
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let (store, few) = (db.store.clone(), few.clone());
            tokio::spawn(async move { is_taken(&store, &few).await })
        })
        .collect();
    let mut taken = 0;
    for one in racing {
        taken += u32::from(one.await.unwrap());
    }
    assert_eq!(taken, 5);
    assert!(is_taken(&db.store, &[count("agent b", 5, 2_000)]).await);
    let long = [count("agent a", 1, 3_600_000)];
    assert!(is_taken(&db.store, &long).await);
    let store = db.restart().await;
    match store.reserve(&long).await.unwrap() {
        Reserved::Full { rule, left, after_ms } => {
            assert_eq!((rule.as_str(), left), ("r", 0));
            let after_ms = after_ms.unwrap();
            assert!((3_500_000..=3_800_000).contains(&after_ms), "{after_ms}");
        }
        Reserved::Taken(_) => panic!("a restart gives nothing back"),
    }
    tokio::time::sleep(Duration::from_millis(2_300)).await;
    assert!(is_taken(&store, &few).await);
}

/// What one count has no room for leaves no mark in another.
pub(crate) async fn a_place_is_taken_in_all_counts_or_in_none(db: &Database) {
    let (wide, narrow) = (count("agent a", 3, 60_000), count("session 1", 1, 60_000));
    let both = [wide.clone(), narrow];
    assert!(is_taken(&db.store, &both).await);
    for _ in 0..5 {
        assert!(matches!(db.reserve(&both).await.unwrap(), Reserved::Full { .. }));
    }
    let wide = [wide];
    assert!(is_taken(&db.store, &wide).await);
    assert!(is_taken(&db.store, &wide).await);
    assert!(matches!(db.reserve(&wide).await.unwrap(), Reserved::Full { .. }));
}

fn of(amount: u64, most: u64) -> [Counted; 1] {
    [Counted { amount, ..count("tokens of agent a", most, 3_600_000) }]
}

async fn place(store: &impl Reservations, counts: &[Counted]) -> Place {
    match store.reserve(counts).await.unwrap() {
        Reserved::Taken(mut places) => places.remove(0),
        full @ Reserved::Full { .. } => panic!("{full:?}"),
    }
}

/// What is reserved is there for nobody else, over a restart too; what was used takes its place.
pub(crate) async fn what_is_used_takes_the_place_of_what_was_reserved(db: &Database) {
    let first = place(&db.store, &of(600, 1_000)).await;
    match db.store.reserve(&of(500, 1_000)).await.unwrap() {
        Reserved::Full { rule, left, after_ms } => {
            assert_eq!((rule.as_str(), left), ("r", 400));
            assert!(after_ms.unwrap() > 3_000_000);
        }
        Reserved::Taken(_) => panic!("600 and 500 are more than 1,000"),
    }
    match db.store.reserve(&of(1_001, 1_000)).await.unwrap() {
        Reserved::Full { after_ms, .. } => assert_eq!(after_ms, None, "there is never room for it"),
        Reserved::Taken(_) => panic!("it is more than all there is"),
    }
    let second = place(&db.store, &of(400, 1_000)).await;
    let store = db.restart().await;
    assert!(!is_taken(&store, &of(1, 1_000)).await, "a restart gives nothing back");
    store.settle(&[(first, 100), (second, 400)]).await.unwrap();
    assert!(!is_taken(&store, &of(501, 1_000)).await);
    let third = place(&store, &of(500, 1_000)).await;
    // More than was reserved is counted too, and then there is less than nothing left.
    store.settle(&[(third, 700)]).await.unwrap();
    match store.reserve(&of(1, 1_000)).await.unwrap() {
        Reserved::Full { left, .. } => assert_eq!(left, 0),
        Reserved::Taken(_) => panic!("1,200 of 1,000 are used"),
    }
}

/// However many race for parts of a budget of different size.
pub(crate) async fn no_budget_is_exceeded_by_a_race(db: &Database) {
    let racing: Vec<_> = (1..=40)
        .map(|amount| {
            let store = db.store.clone();
            tokio::spawn(async move {
                if is_taken(&store, &of(amount, 100)).await { amount } else { 0 }
            })
        })
        .collect();
    let mut taken = 0;
    for one in racing {
        taken += one.await.unwrap();
    }
    // Whoever came last and was refused wanted at most 40.
    assert!((61..=100).contains(&taken), "{taken}");
}
