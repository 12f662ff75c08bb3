//! Commands, security events and fuses on their way to control.

use lockgate_model::ports::Events as _;
use lockgate_rollout::event::Command;
use lockgate_store::{
    InboxBody, InboxId, InboxItem, InboxOutcome, InboxState, NewInboxItem, StoreError,
};

use crate::world::{Database, T0, agent_a, fuse, security_event};

pub(crate) fn command(key: Option<&str>, reason: &str) -> NewInboxItem {
    NewInboxItem {
        key: key.map(Into::into),
        agent: agent_a(),
        rollout: None,
        body: InboxBody::Command { command: Command::Pause, reason: reason.into() },
        by: "ada".into(),
        at_wall_ms: T0,
    }
}

pub(crate) fn done(result: &str) -> InboxOutcome {
    InboxOutcome::Done { result: result.into() }
}

pub(crate) async fn items_keep_their_order(db: &Database) {
    let mut changed = db.changed();
    changed.mark_unchanged();
    let mut ids = vec![];
    for reason in ["one", "two", "three"] {
        ids.push(db.submit(command(None, reason)).await.unwrap());
        assert!(changed.has_changed().unwrap(), "whoever waits is woken");
        changed.mark_unchanged();
    }
    assert!(ids.is_sorted());
    let pending = db.inbox_pending(10).await.unwrap();
    assert_eq!(pending.iter().map(|item| item.id).collect::<Vec<_>>(), ids);
    assert_eq!(pending[1].body, command(None, "two").body);
    assert_eq!(db.inbox_pending(2).await.unwrap().len(), 2);
}

pub(crate) async fn a_key_counts_once(db: &Database) {
    let mut first = command(Some("k"), "one");
    let id = db.submit(first.clone()).await.unwrap();
    first.at_wall_ms += 1;
    assert_eq!(db.submit(first).await.unwrap(), id, "a repetition at another time");
    let other = db.submit(command(Some("k"), "two")).await;
    assert!(matches!(other, Err(StoreError::KeyReused { id: of }) if of == id), "{other:?}");
    assert_ne!(db.submit(command(None, "one")).await.unwrap(), id);
    assert_eq!(db.inbox_pending(10).await.unwrap().len(), 2);
}

pub(crate) async fn items_are_closed_once(db: &Database) {
    let fence = db.fence().await;
    let id = db.submit(command(Some("k"), "one")).await.unwrap();
    db.finish_inbox(fence, id, done("paused")).await.unwrap();
    db.finish_inbox(fence, id, done("paused")).await.unwrap();
    let other = db.finish_inbox(fence, id, InboxOutcome::Refused { reason: "no".into() }).await;
    assert!(matches!(other, Err(StoreError::AlreadyHandled { .. })), "{other:?}");
    let item: InboxItem = db.inbox_item(id).await.unwrap().unwrap();
    assert_eq!(item.state, InboxState::Done { result: "paused".into() });
    assert_eq!(item.key.as_deref(), Some("k"));
    assert!(db.inbox_pending(10).await.unwrap().is_empty());
    let unknown = db.finish_inbox(fence, InboxId(99), done("")).await;
    assert!(matches!(unknown, Err(StoreError::Unknown { .. })), "{unknown:?}");
    assert_eq!(db.inbox_item(InboxId(99)).await.unwrap(), None);
}

pub(crate) async fn security_events_and_fuses_arrive_once(db: &Database) {
    let fence = db.fence().await;
    let rollout = db.begin(fence, &[]).await;
    let (event, fuse) = (security_event(), fuse());
    for _ in 0..3 {
        db.security(event.clone()).await.unwrap();
        db.fuse(fuse.clone()).await.unwrap();
    }
    let pending = db.inbox_pending(10).await.unwrap();
    assert_eq!(pending.len(), 2);
    assert_eq!(pending[0].body, InboxBody::Security(event.clone()));
    assert_eq!(pending[0].rollout, Some(rollout.id), "the release under way");
    assert_eq!(pending[1].body, InboxBody::Fuse(fuse.clone()));
    assert_eq!(db.security_events(&agent_a(), 10).await.unwrap(), [event]);
    assert_eq!(db.fuses(&agent_a(), 10).await.unwrap()[0].fuse, fuse);
    let feed = db.feed_since(0, 100).await.unwrap();
    let kinds: Vec<&str> = feed.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["transition", "security_event", "fuse"]);
    let after = db.feed_since(feed[1].id, 100).await.unwrap();
    assert_eq!(after, feed[2..]);
    assert_eq!(db.feed_newest().await.unwrap(), feed[2].id);
}
