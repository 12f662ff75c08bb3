//! Reports of gateways and the snapshots they hear back.

use lockgate_model::ids::Revision;
use lockgate_model::ports::{Events as _, Snapshots as _};
use lockgate_store::InboxBody;

use crate::world::{Database, T0, agent, agent_a, fuse, report, set_split, split};

const LONG_WAIT_MS: u64 = 60_000;

pub(crate) async fn a_gateway_hears_what_is_newer(db: &Database) {
    let heard = db.exchange(report("gw-1", 0), 1).await.unwrap();
    assert_eq!((heard.snapshot, heard.control_alive_wall_ms), (None, None));
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let heard = db.exchange(report("gw-1", 0), LONG_WAIT_MS).await.unwrap();
    assert_eq!(heard.snapshot, db.newest_snapshot().await.unwrap());
    let heard = db.exchange(report("gw-1", 1), 1).await.unwrap();
    assert_eq!(heard.snapshot, None);
    let fence = db.fence().await;
    db.control_alive(fence).await.unwrap();
    let heard = db.exchange(report("gw-1", 1), 1).await.unwrap();
    assert_eq!(heard.control_alive_wall_ms, db.control_alive_wall_ms().await.unwrap());
    assert!(heard.control_alive_wall_ms.is_some());
}

pub(crate) async fn a_waiting_gateway_is_woken(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let waiting = tokio::spawn({
        let store = db.store.clone();
        async move { store.exchange(report("gw-1", 1), LONG_WAIT_MS * 60).await }
    });
    while db.gateways(LONG_WAIT_MS).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let rollout = db.begin(fence, &[set_split(1)]).await;
    let id = db.outbox_due(T0, 1).await.unwrap()[0].id;
    let ten = split(rollout.id, 1, 1_000);
    let revision = db.publish_split(fence, id, &ten, &agent_a(), T0).await.unwrap();
    let snapshot = waiting.await.unwrap().unwrap().snapshot.unwrap();
    assert_eq!((snapshot.revision, &snapshot.routes[0].split), (revision, &Some(ten)));
}

pub(crate) async fn reports_say_who_has_applied_what(db: &Database) {
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let mut changed = db.changed();
    for (gateway, applied) in [("gw-1", 0), ("gw-2", 0), ("gw-2", 1)] {
        changed.mark_unchanged();
        db.exchange(report(gateway, applied), 0).await.unwrap();
        assert!(changed.has_changed().unwrap(), "control waits for {gateway} at {applied}");
    }
    let rows = db.gateways(LONG_WAIT_MS).await.unwrap();
    let reports: Vec<_> = rows.into_iter().map(|row| row.report).collect();
    assert_eq!(reports, [report("gw-1", 0), report("gw-2", 1)]);
}

pub(crate) async fn a_fuse_that_was_lost_on_the_way_arrives(db: &Database) {
    let (known, lost) = (fuse(), fuse());
    db.fuse(known.clone()).await.unwrap();
    for applied in 0..3 {
        let mut report = report("gw-1", applied);
        report.fuses = vec![known.clone(), lost.clone()];
        db.exchange(report, 0).await.unwrap();
    }
    let pending = db.inbox_pending(10).await.unwrap();
    let bodies: Vec<_> = pending.into_iter().map(|item| item.body).collect();
    assert_eq!(bodies, [InboxBody::Fuse(known), InboxBody::Fuse(lost)]);
}

pub(crate) async fn a_gateway_that_outlived_the_database_is_taken_along(db: &Database) {
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let heard = db.exchange(report("gw-1", 500), 0).await.unwrap();
    let snapshot = heard.snapshot.unwrap();
    assert!(snapshot.revision > Revision(500));
    assert!(snapshot.route(&agent_a()).is_some());
    let heard = db.exchange(report("gw-1", snapshot.revision.0), 0).await.unwrap();
    assert_eq!(heard.snapshot, None);
}
