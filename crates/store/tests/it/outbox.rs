//! Effects: each recorded as performed once, in order.

use lockgate_model::ids::{Epoch, Revision};
use lockgate_model::plan::HardLimit;
use lockgate_model::ports::Events as _;
use lockgate_rollout::event::Effect;
use lockgate_store::{EffectState, StepCommit, StoreError};

use crate::rollouts::notify;
use crate::world::{Database, T0, agent, agent_a, ended, fuse, set_split, split};

pub(crate) async fn each_id_is_applied_once(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let rollout = db.begin(fence, &[set_split(1)]).await;
    let due = db.outbox_due(T0, 10).await.unwrap();
    assert_eq!((due.len(), due[0].rollout, due[0].attempts), (1, rollout.id, 0));
    assert_eq!(db.revision_of_epoch(rollout.id, Epoch(1)).await.unwrap(), None);

    let ten = split(rollout.id, 1, 1_000);
    let revision = db.publish_split(fence, due[0].id, &ten, &agent_a(), T0).await.unwrap();
    let feed = db.feed_newest().await.unwrap();
    // a second controller's copy of the same row, even with another split in hand
    let half = split(rollout.id, 1, 5_000);
    let again = db.publish_split(fence, due[0].id, &half, &agent_a(), T0 + 9).await.unwrap();
    assert_eq!(again, revision);
    db.outbox_done(fence, due[0].id, "again").await.unwrap();
    assert_eq!(db.feed_newest().await.unwrap(), feed);
    assert_eq!(db.split(&agent_a()).await.unwrap(), Some(ten.clone()));
    assert_eq!(db.splits().await.unwrap(), [(agent_a(), ten.clone())]);
    let snapshot = db.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.revision, revision);
    assert_eq!(snapshot.routes[0].split, Some(ten));
    assert_eq!(snapshot.routes[0].hard_limits, [HardLimit::ConsecutiveErrors(7)]);

    let effects = db.effects(rollout.id).await.unwrap();
    assert_eq!(effects[0].applied_count, 1);
    assert_eq!(effects[0].applied_wall_ms, Some(T0));
    assert_eq!((effects[0].state, effects[0].revision), (EffectState::Done, Some(revision)));
    assert!(db.outbox_due(i64::MAX, 10).await.unwrap().is_empty());
    assert_eq!(db.revision_of_epoch(rollout.id, Epoch(1)).await.unwrap(), Some(revision));
    let unknown = db.publish_split(fence, 99, &half, &agent_a(), T0).await;
    assert!(matches!(unknown, Err(StoreError::Unknown { .. })), "{unknown:?}");
    assert!(matches!(db.outbox_done(fence, 99, "").await, Err(StoreError::Unknown { .. })));
}

pub(crate) async fn the_first_snapshot_with_an_epoch_stays_its_revision(db: &Database) {
    let fence = db.fence().await;
    let agents = [agent("agent-a", &["v1", "v2"])];
    db.activate(&agents).await.unwrap();
    let rollout = db.begin(fence, &[set_split(1)]).await;
    let id = db.outbox_due(T0, 10).await.unwrap()[0].id;
    let ten = split(rollout.id, 1, 1_000);
    let revision = db.publish_split(fence, id, &ten, &agent_a(), T0).await.unwrap();
    db.activate(&[agents[0].clone(), agent("agent-b", &["v1"])]).await.unwrap();
    let newest = db.newest_snapshot().await.unwrap().unwrap();
    assert!(newest.revision > revision);
    assert_eq!(newest.routes[0].split, Some(ten), "later snapshots carry it too");
    assert_eq!(db.revision_of_epoch(rollout.id, Epoch(1)).await.unwrap(), Some(revision));

    let end = StepCommit {
        fence,
        rollout: &ended(&rollout, T0),
        row_version: 1,
        transition: None,
        effects: &[set_split(2)],
        handled: &[],
    };
    db.commit_step(end).await.unwrap();
    let id = db.outbox_due(T0, 10).await.unwrap()[0].id;
    db.publish_split(fence, id, &split(rollout.id, 2, 0), &agent_a(), T0).await.unwrap();
    let newest = db.newest_snapshot().await.unwrap().unwrap();
    assert!(newest.routes[0].hard_limits.is_empty(), "no ceilings without an open rollout");
}

pub(crate) async fn what_changes_traffic_comes_in_order(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let fuse = fuse();
    db.fuse(fuse.clone()).await.unwrap();
    let acknowledge = Effect::AcknowledgeFuses { ids: vec![fuse.id] };
    let effects = [notify("now"), set_split(1), acknowledge, set_split(2)];
    let rollout = db.begin(fence, &effects).await;

    let due = db.outbox_due(T0, 10).await.unwrap();
    let kinds: Vec<_> = due.iter().map(|row| row.effect.clone()).collect();
    assert_eq!(kinds, [effects[1].clone(), effects[0].clone()], "one split, then alerts");
    let (first, alert) = (due[0].id, due[1].id);
    let early = db.acknowledge_fuses(fence, first + 1, &[fuse.id], T0).await;
    assert!(matches!(early, Err(StoreError::OutOfOrder { before, .. }) if before == first));
    let early = db.publish_split(fence, first + 2, &split(rollout.id, 2, 0), &agent_a(), T0).await;
    assert!(matches!(early, Err(StoreError::OutOfOrder { .. })), "{early:?}");

    // a split that waits to be tried again holds back what comes after it, and no alert
    db.outbox_retry(fence, first, T0 + 50, "no disk").await.unwrap();
    let due = db.outbox_due(T0, 10).await.unwrap();
    assert_eq!(due.iter().map(|row| row.id).collect::<Vec<_>>(), [alert]);
    db.outbox_done(fence, alert, "sent").await.unwrap();
    let due = db.outbox_due(T0 + 50, 10).await.unwrap();
    assert_eq!((due.len(), due[0].id, due[0].attempts), (1, first, 1));

    db.publish_split(fence, first, &split(rollout.id, 1, 0), &agent_a(), T0).await.unwrap();
    let listed = db.newest_snapshot().await.unwrap().unwrap().acknowledged_fuses;
    assert!(listed.is_empty(), "{listed:?}");
    let revision = db.acknowledge_fuses(fence, first + 1, &[fuse.id], T0).await.unwrap();
    let again = db.acknowledge_fuses(fence, first + 1, &[fuse.id], T0 + 1).await.unwrap();
    assert_eq!(again, revision);
    let snapshot = db.newest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.revision, snapshot.acknowledged_fuses), (revision, vec![fuse.id]));
    assert_eq!(db.fuses(&agent_a(), 1).await.unwrap()[0].acknowledged_wall_ms, Some(T0));
    db.publish_split(fence, first + 2, &split(rollout.id, 2, 0), &agent_a(), T0).await.unwrap();
    let effects = db.effects(rollout.id).await.unwrap();
    let counts: Vec<_> = effects.iter().map(|effect| effect.applied_count).collect();
    assert_eq!(counts, [1, 1, 1, 1]);
}

pub(crate) async fn old_snapshots_are_dropped_and_revisions_grow(db: &Database) {
    for round in 1..=20_u64 {
        let name = format!("agent-{round}");
        db.activate(&[agent(&name, &["v1"])]).await.unwrap();
        let newest = db.newest_snapshot().await.unwrap().unwrap();
        assert_eq!(newest.revision, Revision(round));
        assert_eq!(newest.routes[0].agent.name.as_str(), name);
    }
}
