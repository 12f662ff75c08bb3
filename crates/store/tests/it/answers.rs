//! Feedback and outcomes, and the interactions that they are about.

use std::sync::Arc;

use lockgate_model::ids::{Epoch, InteractionId};
use lockgate_model::interaction::{ErrorClass, Outcome, Score, ServiceTier, Usage};
use lockgate_model::ports::{Events as _, Interactions as _};
use lockgate_model::price::PriceTable;
use lockgate_model::ticket::{Answer, Counted};
use lockgate_rollout::state::Rollout;
use lockgate_store::OUTCOMES_OF_USER_MAX;
use lockgate_telemetry::arm::{Arm, Feedback, Outcomes};
use lockgate_telemetry::ports::Windows as _;
use uuid::Uuid;

use crate::world::{
    Database, LONG_MS, SHORT_MS, T0, agent_a, ended, interaction, keys, rollout, ticket, window,
};

const GOOD: Answer = Answer::Feedback(Score::Positive);
const BAD: Answer = Answer::Feedback(Score::Negative);
const FAILED: Answer = Answer::Outcome(Outcome::Failed);

async fn candidate(db: &Database, rollout: &Rollout) -> Arm {
    let signals = db.signals(rollout, T0).await.unwrap();
    signals.evidence.get(&Epoch(1)).cloned().unwrap_or_default().candidate
}

pub(crate) async fn an_answer_counts_once(db: &Database) {
    let rollout = rollout("agent-a");
    let ticket = ticket(&rollout, None);
    let resolved = Answer::Outcome(Outcome::Resolved);
    let mut counted = vec![];
    for answer in [GOOD, GOOD, BAD, resolved, resolved] {
        counted.push(db.answer(ticket.clone(), answer, T0).await.unwrap());
    }
    let (yes, before) = (Counted::Yes, Counted::Before);
    assert_eq!(counted, [yes, before, before, yes, before]);
    let arm = candidate(db, &rollout).await;
    assert_eq!(arm.feedback, Feedback { positive: 1, neutral: 0, negative: 0 });
    assert_eq!((arm.outcomes.resolved, arm.errors_charged(), arm.assigned), (1, 0, 0));
}

pub(crate) async fn a_user_has_one_vote_per_version_and_rollout(db: &Database) {
    let (first, second) = (rollout("agent-a"), rollout("agent-a"));
    let vote = async |rollout: &Rollout, user, version: &str| {
        let mut ticket = ticket(rollout, user);
        ticket.version = version.parse().unwrap();
        db.answer(ticket, BAD, T0).await.unwrap()
    };
    assert_eq!(vote(&first, Some(7), "v2").await, Counted::Yes);
    assert_eq!(vote(&first, Some(7), "v2").await, Counted::Before);
    assert_eq!(vote(&first, Some(u64::MAX), "v2").await, Counted::Yes);
    assert_eq!(vote(&first, Some(7), "v1").await, Counted::Yes);
    assert_eq!(vote(&second, Some(7), "v2").await, Counted::Yes);
    // without a user, tickets are all there is to tell votes apart
    assert_eq!(vote(&first, None, "v2").await, Counted::Yes);
    assert_eq!(vote(&first, None, "v2").await, Counted::Yes);
    assert_eq!(candidate(db, &first).await.feedback.negative, 4);
    // outcomes are about an interaction, not a user's opinion
    for _ in 0..2 {
        let counted = db.answer(ticket(&first, Some(7)), FAILED, T0).await.unwrap();
        assert_eq!(counted, Counted::Yes);
    }
    assert_eq!(candidate(db, &first).await.outcomes.failed, 2);
}

pub(crate) async fn an_answer_counts_when_it_came(db: &Database) {
    let rollout = rollout("agent-a");
    let ages_ms = [0, 9_999, 10_000, 60_000];
    for age_ms in ages_ms {
        db.answer(ticket(&rollout, None), GOOD, T0 - age_ms).await.unwrap();
    }
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.evidence[&Epoch(1)].candidate.feedback.positive, 4);
    assert_eq!(signals.recent[&SHORT_MS].candidate.feedback.positive, 2);
    assert_eq!(signals.recent[&LONG_MS].candidate.feedback.positive, 3);
    let arm = db.arm_since(&agent_a(), &rollout.candidate, T0 - 9_999).await.unwrap();
    assert_eq!(arm.feedback.positive, 2);
}

pub(crate) async fn late_answers_count_for_their_epoch(db: &Database) {
    let fence = db.fence().await;
    let rollout = ended(&rollout("agent-a"), T0);
    db.create_rollout(fence, &rollout, None, &[], &[]).await.unwrap();
    let counted = db.answer(ticket(&rollout, Some(1)), GOOD, T0 + 86_400_000).await.unwrap();
    assert_eq!(counted, Counted::Yes);
    assert_eq!(candidate(db, &rollout).await.feedback.positive, 1);
}

pub(crate) async fn a_failed_outcome_is_an_error_of_its_key(db: &Database) {
    let rollout = rollout("agent-a");
    let mut seen = window("gw-1", 1, "v2", &rollout);
    seen.keys = keys(&[(7, false)]);
    db.publish(vec![seen.clone()]).await.unwrap();
    db.answer(ticket(&rollout, Some(7)), FAILED, T0).await.unwrap();
    db.answer(ticket(&rollout, Some(8)), FAILED, T0).await.unwrap();
    let arm = candidate(db, &rollout).await;
    assert_eq!(arm.errors[&ErrorClass::OutcomeFailed], 2);
    assert_eq!((arm.keys.assigned, arm.keys.erroring), (2, 2));
    // the second user's window comes late, and adds nobody
    seen.seq = 2;
    seen.keys = keys(&[(8, false)]);
    db.publish(vec![seen]).await.unwrap();
    let signals = db.signals(&rollout, T0).await.unwrap();
    for arm in [&signals.evidence[&Epoch(1)].candidate, &signals.recent[&SHORT_MS].candidate] {
        assert_eq!((arm.keys.assigned, arm.keys.erroring), (2, 2));
        assert_eq!(arm.errors_charged(), 2);
    }
}

pub(crate) async fn a_user_is_one_failure_per_version_and_rollout(db: &Database) {
    let (first, second) = (rollout("agent-a"), rollout("agent-a"));
    let fail = async |rollout: &Rollout, user, version: &str, epoch| {
        let mut ticket = ticket(rollout, user);
        ticket.version = version.parse().unwrap();
        ticket.epoch = Epoch(epoch);
        assert_eq!(db.answer(ticket, FAILED, T0).await.unwrap(), Counted::Yes);
    };
    for epoch in [1, 1, 1, 2] {
        fail(&first, Some(7), "v2", epoch).await;
    }
    fail(&first, Some(8), "v2", 2).await;
    // without a user, anyone could be anyone: it is counted, and charged to nobody
    fail(&first, None, "v2", 1).await;
    fail(&first, None, "v2", 1).await;
    fail(&first, Some(7), "v1", 1).await;
    fail(&second, Some(7), "v2", 1).await;

    let signals = db.signals(&first, T0).await.unwrap();
    let of = |arm: &Arm| (arm.outcomes.failed, arm.errors_charged(), arm.keys.erroring);
    assert_eq!(of(&signals.evidence[&Epoch(1)].candidate), (5, 1, 1));
    assert_eq!(of(&signals.evidence[&Epoch(2)].candidate), (2, 1, 1));
    assert_eq!(of(&signals.recent[&SHORT_MS].candidate), (7, 2, 2));
    assert_eq!(of(&signals.evidence[&Epoch(1)].stable), (1, 1, 1));
    assert_eq!(of(&candidate(db, &second).await), (1, 1, 1));
}

pub(crate) async fn one_interaction_has_one_error(db: &Database) {
    let rollout = rollout("agent-a");
    // the interaction is known to have failed when its user says so too
    let known = ticket(&rollout, Some(1));
    let failed = interaction(known.interaction, Some(ErrorClass::Timeout));
    db.append(vec![failed]).await.unwrap();
    assert_eq!(db.answer(known, FAILED, T0).await.unwrap(), Counted::Yes);
    let arm = candidate(db, &rollout).await;
    assert_eq!((arm.outcomes.failed, arm.errors_charged()), (1, 0));

    // the user is faster than the batch of interactions
    let early = ticket(&rollout, Some(2));
    db.answer(early.clone(), FAILED, T0).await.unwrap();
    assert_eq!(candidate(db, &rollout).await.errors_charged(), 1);
    let failed = interaction(early.interaction, Some(ErrorClass::Timeout));
    for _ in 0..2 {
        db.append(vec![failed.clone()]).await.unwrap();
    }
    let signals = db.signals(&rollout, T0).await.unwrap();
    assert_eq!(signals.evidence[&Epoch(1)].candidate.errors_charged(), 0);
    assert_eq!(signals.recent[&SHORT_MS].candidate.errors_charged(), 0);
    assert_eq!(signals.recent[&SHORT_MS].candidate.outcomes.failed, 2);

    // one that went well otherwise stays an error
    let early = ticket(&rollout, Some(3));
    db.answer(early.clone(), FAILED, T0).await.unwrap();
    db.append(vec![interaction(early.interaction, None)]).await.unwrap();
    assert_eq!(candidate(db, &rollout).await.errors_charged(), 1);
}

pub(crate) async fn interactions_are_kept_once_newest_first(db: &Database) {
    let rollout = rollout("agent-a");
    let mut first = interaction(InteractionId(Uuid::now_v7()), None);
    first.usage.input_tokens = Some(u64::MAX);
    let mut second = interaction(InteractionId(Uuid::now_v7()), Some(ErrorClass::Client4xx));
    second.started_wall_ms = T0 + 1;
    second.rollout = Some(rollout.id);
    db.append(vec![first.clone(), second.clone(), first.clone()]).await.unwrap();
    db.append(vec![second.clone()]).await.unwrap();
    db.append(vec![]).await.unwrap();
    let read = db.interactions(&agent_a(), 10).await.unwrap();
    // an absurd count is kept as the largest there is, and keeps nothing else from being written
    first.usage.input_tokens = Some(i64::MAX.unsigned_abs());
    assert_eq!(read, [second.clone(), first]);
    assert_eq!(db.interactions(&agent_a(), 1).await.unwrap(), [second]);
}

pub(crate) async fn a_cost_keeps_the_table_that_it_came_from(db: &Database) {
    let table = |version: &str, date: Option<&str>| {
        let date = date.map(str::to_owned);
        Some(Arc::new(PriceTable { name: "prices".into(), version: version.into(), date }))
    };
    let mut written = Vec::new();
    for (at, table) in [
        (0, table("1", Some("2026-10-30"))),
        (1, table("1", None)),
        (2, table("1", Some("2026-10-30"))),
        (3, table("2", None)),
        (4, None),
    ] {
        let mut one = interaction(InteractionId(Uuid::now_v7()), None);
        one.started_wall_ms = T0 - at;
        one.cost_nanousd = table.is_some().then_some(5);
        one.usage = Usage {
            input_tokens: Some(10),
            cached_input_tokens: Some(1),
            cache_write_tokens: Some(3),
            cache_write_1h_tokens: Some(2),
            output_tokens: Some(7),
            reasoning_tokens: Some(4),
            tier: ServiceTier::ALL.get(usize::try_from(at).unwrap()).copied(),
        };
        one.price_table = table;
        written.push(one);
    }
    // In two batches, so that a table that is known is found again.
    db.append(written[..2].to_vec()).await.unwrap();
    db.append(written[2..].to_vec()).await.unwrap();
    assert_eq!(db.interactions(&agent_a(), 10).await.unwrap(), written);
    assert_eq!(db.restart().await.interactions(&agent_a(), 10).await.unwrap(), written);
}

pub(crate) async fn an_interaction_learns_its_outcome(db: &Database) {
    let rollout = rollout("agent-a");
    let (before, after) = (ticket(&rollout, None), ticket(&rollout, None));
    let escalated = Answer::Outcome(Outcome::Escalated);
    db.answer(before.clone(), escalated, T0).await.unwrap();
    let ids = [before.interaction, after.interaction];
    db.append(ids.iter().map(|id| interaction(*id, None)).collect()).await.unwrap();
    db.answer(after, escalated, T0).await.unwrap();
    let read = db.interactions(&agent_a(), 10).await.unwrap();
    let outcomes: Vec<_> = read.into_iter().map(|interaction| interaction.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Escalated); 2]);
}

/// What a version says of an interaction is in its windows. A user who says it too adds nothing, whoever comes first.
pub(crate) async fn an_outcome_that_both_tell_counts_once(db: &Database) {
    let rollout = rollout("agent-a");
    let resolved = Answer::Outcome(Outcome::Resolved);
    let own = |id| {
        let mut one = interaction(id, None);
        one.outcome = Some(Outcome::Escalated);
        one
    };
    let (late, early, alone) =
        (ticket(&rollout, Some(1)), ticket(&rollout, Some(2)), ticket(&rollout, Some(3)));
    db.append(vec![own(late.interaction)]).await.unwrap();
    for ticket in [&late, &early, &alone] {
        assert_eq!(db.answer(ticket.clone(), resolved, T0).await.unwrap(), Counted::Yes);
    }
    assert_eq!(candidate(db, &rollout).await.outcomes.resolved, 2);
    for _ in 0..2 {
        let batch = vec![own(early.interaction), interaction(alone.interaction, None)];
        db.append(batch).await.unwrap();
    }
    let signals = db.signals(&rollout, T0).await.unwrap();
    for arm in [&signals.evidence[&Epoch(1)].candidate, &signals.recent[&SHORT_MS].candidate] {
        assert_eq!(arm.outcomes, Outcomes { resolved: 1, ..Outcomes::default() });
    }
    // What the version said stays.
    let read = db.interactions(&agent_a(), 10).await.unwrap();
    let escalated = read.iter().filter(|one| one.outcome == Some(Outcome::Escalated));
    assert_eq!((escalated.count(), read.len()), (2, 3));

    // A user who says that it failed is heard all the same: as an error, and as no second outcome.
    let denied = ticket(&rollout, Some(4));
    db.append(vec![own(denied.interaction)]).await.unwrap();
    db.answer(denied, FAILED, T0).await.unwrap();
    let arm = candidate(db, &rollout).await;
    assert_eq!((arm.outcomes.failed, arm.errors_charged()), (0, 1));
}

pub(crate) async fn one_user_tells_the_outcomes_of_few(db: &Database) {
    let (first, second) = (rollout("agent-a"), rollout("agent-a"));
    let resolved = Answer::Outcome(Outcome::Resolved);
    for _ in 0..OUTCOMES_OF_USER_MAX + 5 {
        assert_eq!(db.answer(ticket(&first, Some(7)), resolved, T0).await.unwrap(), Counted::Yes);
    }
    let most = OUTCOMES_OF_USER_MAX.unsigned_abs();
    assert_eq!(candidate(db, &first).await.outcomes.resolved, most);
    // Those are the user's words as well, and count as an error once.
    db.answer(ticket(&first, Some(7)), FAILED, T0).await.unwrap();
    let arm = candidate(db, &first).await;
    assert_eq!((arm.outcomes.count(), arm.errors_charged()), (most, 1));
    // What is not counted is not asked for either: of a user with many answers, so many are known and the others are let be.
    assert_eq!(arm.outcomes.unheard, 6);
    let signals = db.signals(&first, T0).await.unwrap();
    assert_eq!(signals.recent[&SHORT_MS].candidate.outcomes.count(), most);
    // Others, and the same one in another release, are heard.
    db.answer(ticket(&first, Some(8)), resolved, T0).await.unwrap();
    db.answer(ticket(&second, Some(7)), resolved, T0).await.unwrap();
    assert_eq!(candidate(db, &first).await.outcomes.resolved, most + 1);
    assert_eq!(candidate(db, &second).await.outcomes.resolved, 1);
}
