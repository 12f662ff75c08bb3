//! What a restart and a crowd must not change.

use std::collections::BTreeSet;

use lockgate_model::ids::Epoch;
use lockgate_model::interaction::Score;
use lockgate_model::ports::{Events as _, Interactions as _, Snapshots as _};
use lockgate_model::ticket::{Answer, Counted};
use lockgate_telemetry::ports::Windows as _;

use crate::inbox::command;
use crate::world::{
    Database, T0, agent, agent_a, fuse, interaction, report, rollout, security_event, set_split,
    split, ticket, window,
};

const WRITERS: u64 = 32;

pub(crate) async fn a_restart_keeps_everything(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"])]).await.unwrap();
    let rollout = db.begin(fence, &[set_split(1), set_split(2)]).await;
    let due = db.outbox_due(T0, 10).await.unwrap();
    let ten = split(rollout.id, 1, 1_000);
    let revision = db.publish_split(fence, due[0].id, &ten, &agent_a(), T0).await.unwrap();
    db.security(security_event()).await.unwrap();
    db.fuse(fuse()).await.unwrap();
    db.publish(vec![window("gw-1", 1, "v2", &rollout)]).await.unwrap();
    let ticket = ticket(&rollout, Some(1));
    db.answer(ticket.clone(), Answer::Feedback(Score::Positive), T0).await.unwrap();
    db.append(vec![interaction(ticket.interaction, None)]).await.unwrap();
    db.exchange(report("gw-1", 1), 0).await.unwrap();

    let items = db.inbox_pending(10).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    let snapshot = db.newest_snapshot().await.unwrap();
    let transitions = db.transitions(rollout.id).await.unwrap();
    let feed = db.feed_since(0, 100).await.unwrap();
    let store = db.restart().await;

    store.check().await.unwrap();
    assert_eq!(store.newest_snapshot().await.unwrap(), snapshot);
    assert_eq!(store.inbox_pending(10).await.unwrap(), items);
    assert_eq!(store.signals(&rollout, T0).await.unwrap(), signals);
    assert_eq!(store.transitions(rollout.id).await.unwrap(), transitions);
    assert_eq!(store.feed_since(0, 100).await.unwrap(), feed);
    assert_eq!(store.rollouts_open().await.unwrap()[0].value, rollout);
    assert_eq!(store.gateways(60_000).await.unwrap()[0].report, report("gw-1", 1));
    assert_eq!(store.interactions(&agent_a(), 9).await.unwrap().len(), 1);
    // and goes on where it was
    let due = store.outbox_due(T0, 10).await.unwrap();
    assert_eq!(due.iter().map(|row| &row.effect).collect::<Vec<_>>(), [&set_split(2)]);
    let heard = store.exchange(report("gw-1", 0), 60_000).await.unwrap();
    assert_eq!(heard.snapshot.unwrap().revision, revision);
    let counted = store.answer(ticket, Answer::Feedback(Score::Positive), T0).await.unwrap();
    assert_eq!(counted, Counted::Before);
    let half = split(rollout.id, 2, 5_000);
    let next = store.publish_split(fence, due[0].id, &half, &agent_a(), T0).await.unwrap();
    assert!(next > revision);
}

pub(crate) async fn many_writers_lose_nothing(db: &Database) {
    let rollout = rollout("agent-a");
    let tasks = (0..WRITERS).map(|writer| {
        let (store, rollout) = (db.store.clone(), rollout.clone());
        tokio::spawn(async move {
            let mut ids = vec![];
            for round in 0..5 {
                let gateway = format!("gw-{writer}");
                let mut window = window(&gateway, round, "v2", &rollout);
                window.keys = crate::world::keys(&[(round, false)]);
                store.publish(vec![window]).await.unwrap();
                ids.push(store.submit(command(None, &gateway)).await.unwrap());
                store.submit(command(Some("shared"), "once")).await.unwrap();
                let vote = Answer::Feedback(Score::Negative);
                store.answer(ticket(&rollout, Some(round)), vote, T0).await.unwrap();
                store.signals(&rollout, T0).await.unwrap();
            }
            ids
        })
    });
    let mut ids = BTreeSet::new();
    for task in tasks.collect::<Vec<_>>() {
        let of_one = task.await.unwrap();
        assert!(of_one.is_sorted());
        ids.extend(of_one);
    }
    assert_eq!(ids.len(), usize::try_from(WRITERS).unwrap() * 5);
    assert_eq!(db.inbox_pending(1_000).await.unwrap().len(), ids.len() + 1);
    let signals = db.signals(&rollout, T0).await.unwrap();
    let candidate = &signals.evidence[&Epoch(1)].candidate;
    assert_eq!(candidate.assigned, WRITERS * 5);
    assert_eq!(candidate.keys.assigned, 5);
    assert_eq!(candidate.feedback.negative, 5, "one vote per user");
}
