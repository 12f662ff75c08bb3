//! Rollouts, their steps, and who may write them.

use lockgate_model::ids::RolloutId;
use lockgate_rollout::event::{Alert, Effect};
use lockgate_rollout::state::Rollout;
use lockgate_store::{CONTROL_LEASE, EffectState, InboxState, StepCommit, StoreError};
use uuid::Uuid;

use crate::inbox::{command, done};
use crate::world::{Database, T0, agent_a, ended, rollout, set_split, split, transition};

pub(crate) fn notify(title: &str) -> Effect {
    let level = lockgate_model::plan::AlertLevel::High;
    Effect::Notify { alert: Alert { level, title: title.into(), text: String::new() } }
}

fn step(fence: u64, rollout: &Rollout, row_version: i64) -> StepCommit<'_> {
    StepCommit { fence, rollout, row_version, transition: None, effects: &[], handled: &[] }
}

pub(crate) async fn an_agent_has_one_open_rollout(db: &Database) {
    let fence = db.fence().await;
    let first = db.begin(fence, &[]).await;
    let second = Rollout { started_wall_ms: T0 + 2, ..rollout("agent-a") };
    let refused = db.create_rollout(fence, &second, None, &[], &[]).await;
    assert!(
        matches!(&refused, Err(StoreError::RolloutOpen { rollout, .. }) if *rollout == first.id),
        "{refused:?}"
    );
    let other = Rollout { started_wall_ms: T0 + 1, ..rollout("agent-b") };
    db.create_rollout(fence, &other, None, &[], &[]).await.unwrap();
    db.commit_step(step(fence, &ended(&first, T0), 1)).await.unwrap();
    db.create_rollout(fence, &second, None, &[], &[]).await.unwrap();

    let open = db.rollouts_open().await.unwrap();
    assert_eq!(open.iter().map(|open| open.value.id).collect::<Vec<_>>(), [other.id, second.id]);
    let newest: Vec<_> = db.rollouts(None, 10).await.unwrap().iter().map(|r| r.id).collect();
    assert_eq!(newest, [second.id, other.id, first.id]);
    let of_agent = db.rollouts(Some(&agent_a()), 1).await.unwrap();
    assert_eq!(of_agent, [second]);
    assert_eq!(db.rollout(RolloutId(Uuid::nil())).await.unwrap(), None);
}

pub(crate) async fn a_stale_step_is_refused_whole(db: &Database) {
    let fence = db.fence().await;
    let mut rollout = db.begin(fence, &[]).await;
    rollout.dwell_ms = 5;
    db.commit_step(step(fence, &rollout, 1)).await.unwrap();
    let item = db.submit(command(None, "one")).await.unwrap();
    let stale = StepCommit {
        transition: Some(&transition("paused")),
        effects: &[set_split(2)],
        handled: &[(item, done("paused"))],
        ..step(fence, &rollout, 1)
    };
    let refused = db.commit_step(stale).await;
    assert!(matches!(refused, Err(StoreError::Stale)), "{refused:?}");
    let read = db.rollout(rollout.id).await.unwrap().unwrap();
    assert_eq!((read.row_version, read.value), (2, rollout.clone()));
    assert_eq!(db.transitions(rollout.id).await.unwrap().len(), 1);
    assert!(db.outbox_due(T0, 10).await.unwrap().is_empty());
    assert_eq!(db.inbox_item(item).await.unwrap().unwrap().state, InboxState::Pending);

    db.commit_step(StepCommit { row_version: 2, ..stale }).await.unwrap();
    assert_eq!(db.transitions(rollout.id).await.unwrap().len(), 2);
    assert_eq!(db.outbox_due(T0, 10).await.unwrap().len(), 1);
    let answered = db.inbox_item(item).await.unwrap().unwrap().state;
    assert_eq!(answered, InboxState::Done { result: "paused".into() });

    let answered_before = StepCommit { row_version: 3, ..stale };
    let refused = db.commit_step(answered_before).await;
    assert!(matches!(refused, Err(StoreError::AlreadyHandled { .. })), "{refused:?}");
    assert_eq!(db.rollout(rollout.id).await.unwrap().unwrap().row_version, 3);
}

pub(crate) async fn transitions_carry_their_effects(db: &Database) {
    let fence = db.fence().await;
    let rollout = db.begin(fence, &[set_split(1), notify("started")]).await;
    let next = StepCommit {
        transition: Some(&transition("paused")),
        effects: &[notify("paused")],
        ..step(fence, &rollout, 1)
    };
    db.commit_step(next).await.unwrap();
    let records = db.transitions(rollout.id).await.unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(records[0].transition, transition("running"));
    let effects: Vec<_> = records[0].effects.iter().map(|record| record.effect.clone()).collect();
    assert_eq!(effects, [set_split(1), notify("started")]);
    assert_eq!(records[1].effects[0].state, EffectState::Pending);
    assert_eq!(db.effects(rollout.id).await.unwrap().len(), 3);
    let feed = db.feed_since(0, 10).await.unwrap();
    assert_eq!(feed.len(), 2);
    assert_eq!(feed[1].rollout, Some(rollout.id));
    assert_eq!(feed[1].body["transition"]["to"], "paused");
}

pub(crate) async fn a_lease_changes_hands_with_a_higher_token(db: &Database) {
    let first = db.acquire_lease("l", "one", 60_000).await.unwrap().unwrap();
    assert_eq!(db.acquire_lease("l", "one", 60_000).await.unwrap(), Some(first), "renewed");
    assert_eq!(db.acquire_lease("l", "two", 60_000).await.unwrap(), None, "held");
    assert_eq!(db.acquire_lease("l", "one", 0).await.unwrap(), Some(first), "expires at once");
    let second = db.acquire_lease("l", "two", 60_000).await.unwrap().unwrap();
    assert!(second > first);
    db.release_lease("l", "one").await.unwrap();
    assert_eq!(db.acquire_lease("l", "one", 1).await.unwrap(), None, "not its own to release");
    db.release_lease("l", "two").await.unwrap();
    let third = db.acquire_lease("l", "one", 60_000).await.unwrap().unwrap();
    assert!(third > second);
}

pub(crate) async fn a_former_controller_writes_nothing(db: &Database) {
    let old = db.acquire_lease(CONTROL_LEASE, "old", 0).await.unwrap().unwrap();
    let rollout = db.begin(old, &[set_split(1)]).await;
    let item = db.submit(command(None, "one")).await.unwrap();
    let id = db.outbox_due(T0, 10).await.unwrap()[0].id;
    db.control_alive(old).await.unwrap();
    let new = db.acquire_lease(CONTROL_LEASE, "new", 60_000).await.unwrap().unwrap();

    let agent = agent_a();
    let split = split(rollout.id, 1, 1_000);
    let other = crate::world::rollout("agent-b");
    let attempts = [
        db.control_alive(old).await,
        db.finish_inbox(old, item, done("")).await,
        db.create_rollout(old, &other, None, &[], &[]).await,
        db.commit_step(step(old, &rollout, 1)).await,
        db.publish_split(old, id, &split, &agent, T0).await.map(drop),
        db.acknowledge_fuses(old, id, &[], T0).await.map(drop),
        db.outbox_done(old, id, "").await,
        db.outbox_retry(old, id, T0, "").await,
        db.control_alive(0).await,
        db.control_alive(new + 1).await,
    ];
    for (index, attempt) in attempts.iter().enumerate() {
        assert!(matches!(attempt, Err(StoreError::Fenced)), "{index}: {attempt:?}");
    }
    assert_eq!(db.rollout(rollout.id).await.unwrap().unwrap().row_version, 1);
    assert_eq!(db.split(&agent).await.unwrap(), None);
    db.commit_step(step(new, &rollout, 1)).await.unwrap();
}
