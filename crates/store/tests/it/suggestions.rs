//! What suggestions are made of: past releases with what was seen, stable windows, questions and what speaks against them.

use lockgate_model::approval::{Answer, Approvals as _, AskTerm, Question};
use lockgate_model::ids::{Epoch, IdentityId, QuarantineId};
use lockgate_model::interaction::Score;
use lockgate_model::ports::Events as _;
use lockgate_model::quarantine::{Quarantine, Stopped};
use lockgate_model::ticket::Answer as Vote;
use lockgate_rollout::replay::Seen;
use lockgate_rollout::state::Rollout;
use lockgate_store::Stretch;
use lockgate_telemetry::ports::Windows as _;
use lockgate_telemetry::window::KeySeen;
use lockgate_value::event::Event;
use lockgate_value::suggest::question::CameTo;
use lockgate_value::window::Window;
use serde_json::json;
use uuid::Uuid;

use crate::world::{
    Database, T0, agent_a, arm, ended, rollout, security_event, ticket, transition, window,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

fn whole() -> Window {
    Window::new(T0 - DAY_MS, T0 + DAY_MS, "UTC").unwrap()
}

async fn promoted(db: &Database, fence: u64, rollout: &Rollout) {
    db.commit_step(lockgate_store::StepCommit {
        fence,
        rollout,
        row_version: 1,
        transition: Some(&transition("promoted")),
        effects: &[],
        handled: &[],
    })
    .await
    .unwrap();
}

/// What was seen is put together as finely as it is kept, with votes at their times and users once for each epoch.
pub(crate) async fn past_releases_have_what_is_kept_of_them(db: &Database) {
    let fence = db.fence().await;
    let one = rollout("agent-a");
    let step = transition("running");
    db.create_rollout(fence, &one, Some(&step), &[], &[]).await.unwrap();
    let mut windows = vec![
        window("gw-1", 1, "v2", &one),
        window("gw-1", 2, "v1", &one),
        window("gw-1", 3, "v2", &one),
        window("gw-1", 4, "v2", &one),
    ];
    windows[2].second_wall_ms = T0 + 25_000;
    windows[2].keys = vec![KeySeen { key: 7, error: true }];
    (windows[3].epoch, windows[3].second_wall_ms) = (Epoch(2), T0 + 30_000);
    db.publish(windows).await.unwrap();
    db.answer(ticket(&one, Some(9)), Vote::Feedback(Score::Negative), T0 + 26_000).await.unwrap();
    let last = ended(&one, T0 + MINUTE_MS);
    promoted(db, fence, &last).await;

    let past = db.past_releases(&agent_a(), &whole()).await.unwrap();
    assert_eq!((past.len(), past[0].steps.len(), past[0].rollout.id), (1, 2, one.id));
    let sum = |of: fn(&Seen) -> u64| past[0].seen.iter().map(of).sum::<u64>();
    assert_eq!(sum(|seen| seen.arms.candidate.assigned), 3);
    assert_eq!(sum(|seen| seen.arms.stable.assigned), 1);
    assert_eq!(sum(|seen| seen.arms.candidate.feedback.negative), 1);
    assert_eq!(sum(|seen| seen.arms.candidate.keys.erroring), 1, "a user is told once");
    let mut epochs: Vec<Epoch> = past[0].seen.iter().map(|seen| seen.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs, [Epoch(1), Epoch(2)]);
    let other = Window::new(T0 + HOUR_MS, T0 + DAY_MS, "UTC").unwrap();
    assert!(db.past_releases(&agent_a(), &other).await.unwrap().is_empty());

    // Kept by the minute, and by the hour: the same, more coarsely.
    for (age_ms, length_ms) in [(2 * DAY_MS, MINUTE_MS), (40 * DAY_MS, HOUR_MS)] {
        while db.compact(T0 + age_ms).await.unwrap().more {}
        let past = db.past_releases(&agent_a(), &whole()).await.unwrap();
        let longest = |seen: &Seen| seen.until_wall_ms - seen.from_wall_ms;
        assert_eq!(past[0].seen.iter().map(longest).max(), Some(length_ms));
        let seen = past[0].seen.iter().map(|seen| seen.arms.candidate.assigned).sum::<u64>();
        assert_eq!(seen, 3);
    }
}

/// Votes come one by one, and are put together as what gateways saw is.
pub(crate) async fn a_release_of_weeks_is_looked_at_no_more_often(db: &Database) {
    let fence = db.fence().await;
    let one = rollout("agent-a");
    db.create_rollout(fence, &one, Some(&transition("running")), &[], &[]).await.unwrap();
    for minute in 0..2_000 {
        let at_wall_ms = T0 + minute * 10 * MINUTE_MS;
        db.answer(ticket(&one, None), Vote::Feedback(Score::Positive), at_wall_ms).await.unwrap();
    }
    let last = ended(&one, T0 + 20_000 * MINUTE_MS);
    promoted(db, fence, &last).await;
    let window = Window::new(T0 - DAY_MS, T0 + 30 * DAY_MS, "UTC").unwrap();
    let past = db.past_releases(&agent_a(), &window).await.unwrap();
    let votes = past[0].seen.iter().map(|seen| seen.arms.candidate.feedback.positive);
    assert_eq!(votes.sum::<u64>(), 2_000);
    assert!(past[0].seen.len() <= 501, "{}", past[0].seen.len());
}

/// A window counts when all of it lies in one stretch, and is not shorter than what is kept.
pub(crate) async fn stable_windows_lie_in_their_stretch(db: &Database) {
    let one = rollout("agent-a");
    let begins = T0.div_euclid(HOUR_MS) * HOUR_MS;
    let mut windows = Vec::new();
    for (seq, minute) in [0, 1, 30, 61, 125].into_iter().enumerate() {
        let mut window = window("gw-1", seq as u64 + 1, "v1", &one);
        (window.second_wall_ms, window.rollout) = (begins + minute * MINUTE_MS, None);
        window.arm = arm(None);
        windows.push(window);
    }
    db.publish(windows).await.unwrap();
    let (hour, minute) = (HOUR_MS.cast_unsigned(), MINUTE_MS.cast_unsigned());
    let stretch = |from_wall_ms: i64, until_wall_ms: i64| Stretch {
        version: "v1".parse().unwrap(),
        from_wall_ms,
        until_wall_ms,
    };
    let read = async |stretches: &[Stretch], length| {
        let windows = db.stable_windows(&agent_a(), stretches, &[length]).await.unwrap();
        windows[&length].iter().map(|(at, arm)| (*at - begins, arm.assigned)).collect::<Vec<_>>()
    };
    let all = [stretch(begins, begins + 3 * HOUR_MS)];
    assert_eq!(read(&all, hour).await, [(0, 3), (HOUR_MS, 1), (2 * HOUR_MS, 1)]);
    let cut = [stretch(begins + MINUTE_MS, begins + 2 * HOUR_MS)];
    assert_eq!(read(&cut, hour).await, [(HOUR_MS, 1)], "the first and the last hour are not whole");
    let minutes =
        [(0, 1), (MINUTE_MS, 1), (30 * MINUTE_MS, 1), (61 * MINUTE_MS, 1), (125 * MINUTE_MS, 1)];
    assert_eq!(read(&all, minute).await, minutes);
    while db.compact(T0 + 40 * DAY_MS).await.unwrap().more {}
    assert_eq!(read(&all, hour).await, [(0, 3), (HOUR_MS, 1), (2 * HOUR_MS, 1)]);
    assert_eq!(read(&all, minute).await, [], "what is kept by the hour tells of no minute");
    assert_eq!(read(&[], hour).await, []);
}

/// Each question has one end, and what was said in between is how long it took.
pub(crate) async fn questions_are_told_by_what_became_of_them(db: &Database) {
    let ask = async |hash: &str, expires_ms: u64| {
        let question = Question {
            agent: agent_a(),
            version: "v1".parse().unwrap(),
            tool: "desk".parse().unwrap(),
            action: "pay".into(),
            hash: hash.into(),
            token: IdentityId(Uuid::from_u128(1)),
            issuer: Some("idp".parse().unwrap()),
            givers: Vec::new(),
            terms: vec![AskTerm { rule: "r".into(), approvals: 1, from: Vec::new() }],
            shown: json!({}),
            settings: lockgate_model::approval::ApprovalSettings {
                expires_ms,
                ..Default::default()
            },
        };
        match db.ask(&question).await.unwrap() {
            Answer::Waiting { id, .. } => id,
            other => panic!("{other:?}"),
        }
    };
    let first = ask("late", 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(db.end_approvals().await.unwrap().len(), 1);
    let asked_ms = db.approval(first).await.unwrap().unwrap().asked_wall_ms;
    let (yes, no) = (ask("yes", 60_000).await, ask("no", 60_000).await);
    ask("open", 60_000).await;
    db.vote(yes, "ada", true, "fine").await.unwrap().unwrap();
    db.vote(no, "ada", false, "never").await.unwrap().unwrap();
    let window = Window::new(asked_ms, asked_ms + HOUR_MS, "UTC").unwrap();
    let told = db.questions(&window).await.unwrap();
    let mut ends: Vec<(CameTo, bool)> =
        told.iter().map(|one| (one.came_to, one.waited_ms.is_some())).collect();
    ends.sort_unstable();
    let expected = [
        (CameTo::Granted, true),
        (CameTo::Denied, true),
        (CameTo::Unanswered, false),
        (CameTo::Open, false),
    ];
    assert_eq!(ends, expected);
    assert!(told.iter().all(|one| one.rules == ["r"] && one.tool == "desk" && one.action == "pay"));
    let before = Window::new(asked_ms - HOUR_MS, asked_ms, "UTC").unwrap();
    assert_eq!(db.questions(&before).await.unwrap(), []);
}

/// What happened in the window speaks against asking less, about whom it happened to.
pub(crate) async fn events_quarantines_and_incidents_are_told(db: &Database) {
    assert_eq!(db.bars(&whole()).await.unwrap(), []);
    db.security(security_event()).await.unwrap();
    let order = Quarantine {
        id: QuarantineId(Uuid::now_v7()),
        stopped: Stopped::Tool { tool: "desk".parse().unwrap() },
    };
    db.quarantine(&order, "ada", "a test", T0).await.unwrap();
    let incident = |key: &str, detected_ms: i64, recovered_ms: i64, corrects: Option<&str>| {
        let event = json!({
            "key": key, "at_wall_ms": T0, "agent": "agent-a", "source": "ops", "kind": "incident",
            "detected_wall_ms": detected_ms, "recovered_wall_ms": recovered_ms,
            "caused_by": "v2", "corrects": corrects,
        });
        Event::from_json(event).unwrap()
    };
    let long_ago = T0 - 9 * DAY_MS;
    let told = [
        incident("a", T0, T0 + 1, None),
        incident("b", long_ago, long_ago + 1, None),
        incident("c", T0, T0 + 1, None),
        incident("d", long_ago, long_ago + 1, Some("c")),
    ];
    db.tell_events(&told.into_iter().map(Into::into).collect::<Vec<_>>(), "ada", T0).await.unwrap();
    let bars = db.bars(&whole()).await.unwrap();
    let why: Vec<&str> = bars.iter().map(|bar| bar.why.as_str()).collect();
    let expected =
        ["agent-a had a security event", "tool desk: quarantined", "agent-a had an incident"];
    assert_eq!(why, expected, "what was corrected and what is long over is not told");
    assert_eq!((bars[1].agent.as_ref(), bars[1].tool.as_deref()), (None, Some("desk")));
    let incidents = db.incidents(&whole()).await.unwrap();
    assert_eq!((incidents.len(), incidents[0].caused_by.as_ref().unwrap().as_str()), (1, "v2"));
    let later = Window::new(T0 + DAY_MS, T0 + 2 * DAY_MS, "UTC").unwrap();
    let still: Vec<String> =
        db.bars(&later).await.unwrap().into_iter().map(|bar| bar.why).collect();
    assert_eq!(still, ["tool desk: quarantined"], "it is in force still");
}
