//! What was said last of drift.

use lockgate_model::drift::Drift;
use lockgate_store::DriftRow;

use crate::world::{Database, agent_a};

fn said(source: &str, outcome: Drift, at_wall_ms: i64) -> DriftRow {
    DriftRow {
        agent: agent_a(),
        source: source.parse().unwrap(),
        outcome,
        at_wall_ms,
        received_wall_ms: at_wall_ms,
        by: "ada".into(),
        roots: Vec::new(),
    }
}

/// Also over a restart; who said it can be forgotten.
pub(crate) async fn the_newest_of_each_source_is_kept(db: &Database) {
    let keep = async |row: DriftRow| db.store.keep_drift(&row).await.unwrap();
    assert!(keep(said("infra", Drift::None, 1_000)).await);
    assert!(keep(said("cluster", Drift::Unknown, 500)).await);
    assert!(keep(said("infra", Drift::Drifted, 2_000)).await);
    assert!(!keep(said("infra", Drift::None, 2_000)).await, "as new is not newer");
    assert!(!keep(said("infra", Drift::None, 1_500)).await);
    let store = db.restart().await;
    let agent = agent_a();
    let rows = store.drift(&agent).await.unwrap();
    assert_eq!(rows, [said("cluster", Drift::Unknown, 500), said("infra", Drift::Drifted, 2_000)]);
    store.forget_person("ada").await.unwrap();
    assert!(store.drift(&agent).await.unwrap().iter().all(|row| row.by == "[erased]"));
    assert_eq!(store.drift(&"other".parse().unwrap()).await.unwrap(), []);
}

/// One more is refused, and the known ones go on.
pub(crate) async fn sources_are_bounded(db: &Database) {
    for n in 0..20 {
        let row = said(&format!("s{n}"), Drift::None, 1);
        assert!(db.store.keep_drift(&row).await.unwrap());
    }
    assert!(db.store.keep_drift(&said("one-more", Drift::None, 1)).await.is_err());
    assert!(db.store.keep_drift(&said("s7", Drift::Drifted, 2)).await.unwrap());
}
