//! Seconds become minutes, minutes hours, and nothing is counted twice or lost.

use lockgate_model::ids::Epoch;
use lockgate_store::Compacted;
use lockgate_telemetry::arm::{Arm, Keys};
use lockgate_telemetry::ports::Windows as _;
use lockgate_telemetry::window::Window;

use crate::world::{Database, T0, agent_a, ended, keys, rollout, window};

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
    assert_eq!(compact(db, T0 + 2 * DAY_MS).await.deleted, 2);
    for rollout in [&ended, &running] {
        let evidence = db.signals(rollout, T0).await.unwrap().evidence;
        assert_eq!(evidence[&Epoch(1)].candidate.keys.assigned, 2);
    }
}
