//! Seconds become minutes, minutes hours, and nothing is counted twice or lost.

use lockgate_model::ids::{Epoch, InteractionId};
use lockgate_model::ports::{Events as _, Interactions as _};
use lockgate_model::version::Digest;
use lockgate_rollout::state::Rollout;
use lockgate_store::{Compacted, InboxId, JournalEntry, NewInboxItem, file_key};
use lockgate_telemetry::arm::{Arm, Keys};
use lockgate_telemetry::ports::Windows as _;
use lockgate_telemetry::window::Window;
use uuid::Uuid;

use crate::inbox::{command, done};
use crate::world::{
    Database, T0, agent, agent_a, ended, fuse, interaction, keys, rollout, security_event,
    set_split, split, transition, window,
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// What was seen, apart from keys, which only seconds know.
async fn total(db: &Database) -> Arm {
    let mut arm = db.arm_since(&agent_a(), &"v2".parse().unwrap(), 0).await.unwrap();
    arm.keys = Keys::default();
    arm
}

async fn compact(db: &Database, now_wall_ms: i64) -> Compacted {
    let mut sum = Compacted::default();
    loop {
        let done = db.compact(now_wall_ms).await.unwrap();
        sum.seconds += done.seconds;
        sum.minutes += done.minutes;
        sum.deleted += done.deleted;
        if !done.more {
            return sum;
        }
    }
}

pub(crate) async fn totals_and_evidence_survive(db: &Database) {
    let rollout = rollout("agent-a");
    let windows: Vec<Window> = (0..2_500_u32)
        .map(|second| {
            let mut window = window("gw-1", u64::from(second), "v2", &rollout);
            window.second_wall_ms += i64::from(second) * 1_000;
            window.epoch = Epoch(u64::from(second / 1_000));
            window.keys = keys(&[(u64::from(second), true)]);
            window
        })
        .collect();
    db.publish(windows.clone()).await.unwrap();
    let (before, evidence) = (total(db).await, db.signals(&rollout, T0).await.unwrap().evidence);
    assert_eq!(before.assigned, 2_500);

    let unchanged = compact(db, T0 + DAY_MS).await;
    assert_eq!(unchanged, Compacted::default(), "nothing is older than a day");
    let part = compact(db, T0 + DAY_MS + 90_000).await;
    assert_eq!(part.seconds, 90, "in the middle of a minute");
    assert_eq!(total(db).await, before);
    let rest = compact(db, T0 + 2 * DAY_MS).await;
    assert_eq!(part.seconds + rest.seconds, 2_500);
    assert_eq!(total(db).await, before);
    let minutes = compact(db, T0 + 40 * DAY_MS).await;
    assert!((42..=46).contains(&minutes.minutes), "{minutes:?}");
    assert_eq!(total(db).await, before);

    // what was merged and comes again was counted
    db.publish(windows).await.unwrap();
    assert_eq!(total(db).await, before);
    assert_eq!(db.signals(&rollout, T0).await.unwrap().evidence, evidence);

    let hours = compact(db, T0 + 800 * DAY_MS).await;
    assert!(hours.deleted >= 3, "{hours:?}");
    assert_eq!(total(db).await, Arm::default());
    assert_eq!(db.signals(&rollout, T0).await.unwrap().evidence, evidence);
}

pub(crate) async fn a_new_window_joins_an_old_minute(db: &Database) {
    let rollout = rollout("agent-a");
    for seq in 1..=2 {
        db.publish(vec![window("gw-1", seq, "v2", &rollout)]).await.unwrap();
        compact(db, T0 + 2 * DAY_MS).await;
    }
    assert_eq!(total(db).await.assigned, 2);
}

pub(crate) async fn keys_of_ended_rollouts_go_and_their_counts_stay(db: &Database) {
    let fence = db.fence().await;
    let running = rollout("agent-b");
    let ended = ended(&rollout("agent-a"), T0);
    db.create_rollout(fence, &ended, None, &[], &[]).await.unwrap();
    db.create_rollout(fence, &running, None, &[], &[]).await.unwrap();
    for (seq, rollout) in [(1, &ended), (2, &running)] {
        let mut window = window("gw-1", seq, "v2", rollout);
        window.keys = keys(&[(1, true), (2, false)]);
        db.publish(vec![window]).await.unwrap();
    }
    assert_eq!(compact(db, T0 + DAY_MS).await.deleted, 0);
    let deleted = compact(db, T0 + 2 * DAY_MS).await.deleted;
    assert_eq!(deleted, 4, "two of the epoch, and the same two of the release");
    for rollout in [&ended, &running] {
        let evidence = db.signals(rollout, T0).await.unwrap().evidence;
        assert_eq!(evidence[&Epoch(1)].candidate.keys.assigned, 2);
    }
}

pub(crate) async fn interactions_are_kept_for_90_days(db: &Database) {
    let (older, newer) = (InteractionId(Uuid::now_v7()), InteractionId(Uuid::now_v7()));
    let mut batch = vec![interaction(older, None), interaction(newer, None)];
    batch[1].started_wall_ms += 1;
    db.append(batch).await.unwrap();
    assert_eq!(compact(db, T0 + 90 * DAY_MS).await.deleted, 0);
    assert_eq!(compact(db, T0 + 90 * DAY_MS + 1).await.deleted, 1);
    let left = db.interactions(&agent_a(), 10).await.unwrap();
    assert_eq!(left.iter().map(|interaction| interaction.id).collect::<Vec<_>>(), [newer]);
}

/// A release with a command that was answered, a split that was published, and what was measured.
async fn release(db: &Database, fence: u64, seq: u64, rollout: &Rollout) -> InboxId {
    let item = NewInboxItem { rollout: Some(rollout.id), ..command(None, "one") };
    let item = db.submit(item).await.unwrap();
    let handled = [(item, done("paused"))];
    let step = transition("running");
    db.create_rollout(fence, rollout, Some(&step), &[set_split(1)], &handled).await.unwrap();
    let due = db.outbox_due(T0, 10).await.unwrap();
    let ten = split(rollout.id, 1, 1_000);
    db.publish_split(fence, due[0].id, &ten, &rollout.agent, T0).await.unwrap();
    db.publish(vec![window("gw-1", seq, "v2", rollout)]).await.unwrap();
    item
}

/// Effects, transitions and epochs with evidence that are left of a release.
async fn left(db: &Database, rollout: &Rollout) -> (usize, usize, usize) {
    (
        db.effects(rollout.id).await.unwrap().len(),
        db.transitions(rollout.id).await.unwrap().len(),
        db.signals(rollout, T0).await.unwrap().evidence.len(),
    )
}

pub(crate) async fn an_ended_release_goes_step_by_step_and_a_running_one_stays(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1", "v2"]), agent("agent-b", &["v1", "v2"])]).await.unwrap();
    let running = rollout("agent-b");
    let ended = ended(&rollout("agent-a"), T0);
    let old = release(db, fence, 1, &ended).await;
    let needed = release(db, fence, 2, &running).await;
    let waiting = db.submit(command(None, "nobody has looked at it")).await.unwrap();
    let answered = async |key: &str| {
        let item = db.submit(command(Some(key), key)).await.unwrap();
        db.finish_inbox(fence, item, done("started")).await.unwrap();
        item
    };
    let of_file = answered(&file_key(&agent_a(), &Digest::of(b"v2"))).await;
    let of_somebody = answered("0190:file:agent-a").await;
    let items = async || {
        let mut left = vec![];
        for id in [old, needed, waiting, of_file, of_somebody] {
            left.push(db.inbox_item(id).await.unwrap().is_some());
        }
        left
    };

    compact(db, T0 + 90 * DAY_MS).await;
    assert_eq!(items().await, [true; 5]);
    assert_eq!((left(db, &ended).await, left(db, &running).await), ((1, 1, 1), (1, 1, 1)));
    compact(db, T0 + 90 * DAY_MS + 1).await;
    assert_eq!(items().await, [false, true, true, true, false]);
    assert_eq!((left(db, &ended).await, left(db, &running).await), ((0, 1, 1), (1, 1, 1)));
    compact(db, T0 + 400 * DAY_MS).await;
    assert_eq!(left(db, &ended).await, (0, 1, 1));
    compact(db, T0 + 1_000 * DAY_MS).await;
    assert_eq!(items().await, [false, true, true, true, false]);
    assert_eq!((left(db, &ended).await, left(db, &running).await), ((0, 0, 0), (1, 1, 1)));
    assert!(db.rollout(ended.id).await.unwrap().is_some(), "that there was a release is kept");
}

pub(crate) async fn who_did_what_is_kept_for_400_days(db: &Database) {
    let fence = db.fence().await;
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let (latched, acknowledged) = (fuse(), fuse());
    for fuse in [&latched, &acknowledged] {
        db.fuse(fuse.clone()).await.unwrap();
    }
    let set = lockgate_rollout::event::Effect::AcknowledgeFuses { ids: vec![acknowledged.id] };
    db.begin(fence, &[set]).await;
    let due = db.outbox_due(T0, 1).await.unwrap();
    db.acknowledge_fuses(fence, due[0].id, &[acknowledged.id], T0).await.unwrap();
    db.security(security_event()).await.unwrap();
    db.journal(&JournalEntry {
        at_wall_ms: T0,
        principal: "ada".into(),
        action: "rollout.pause".into(),
        subject: "agent-a".into(),
        detail: serde_json::json!({"reason": "test"}),
    })
    .await
    .unwrap();
    let left = async || {
        (
            db.journal_recent(10).await.unwrap().len(),
            db.security_events(&agent_a(), 10).await.unwrap().len(),
            db.fuses(&agent_a(), 10).await.unwrap().len(),
        )
    };
    compact(db, T0 + 400 * DAY_MS).await;
    assert_eq!(left().await, (1, 1, 2));
    compact(db, T0 + 400 * DAY_MS + 1).await;
    assert_eq!(left().await, (0, 0, 1));
    let fuses = db.fuses(&agent_a(), 10).await.unwrap();
    assert_eq!(fuses[0].fuse.id, latched.id, "nobody has acknowledged it");
}
