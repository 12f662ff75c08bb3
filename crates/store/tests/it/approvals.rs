//! Questions to people: one answer, in time, by those who may, for exactly one use.

use std::time::Duration;

use lockgate_model::approval::{
    Answer, ApprovalSettings, Approvals as _, AskTerm, Question, Waited,
};
use lockgate_model::identity::{Identity, KeyId, Voucher};
use lockgate_model::ids::{ApprovalId, IdentityId};
use lockgate_model::version::Digest;
use lockgate_store::{ApprovalState, NoVote};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Database, T0, agent_a};

const TOKEN: IdentityId = IdentityId(Uuid::from_u128(1));

async fn question(db: &Database, hash: &str, terms: &[(u32, &[&str])]) -> Question {
    let identity = Identity {
        id: TOKEN,
        agent: agent_a(),
        version: "v1".parse().unwrap(),
        manifest: Digest::of(b"manifest"),
        issued_wall_s: T0 / 1_000,
        expires_wall_s: T0 / 1_000 + 1_000,
        voucher: Voucher::Key(KeyId::of([1; 8])),
        acting: None,
    };
    if db.identity(TOKEN).await.unwrap().is_none() {
        db.insert_identity(&identity, "issuer").await.unwrap();
    }
    let terms = terms.iter().map(|(approvals, from)| AskTerm {
        rule: "r".into(),
        approvals: *approvals,
        from: from.iter().map(|name| (*name).to_owned()).collect(),
    });
    Question {
        agent: agent_a(),
        version: "v1".parse().unwrap(),
        tool: "desk".parse().unwrap(),
        action: "pay".into(),
        hash: hash.into(),
        token: TOKEN,
        issuer: None,
        givers: Vec::new(),
        terms: terms.collect(),
        shown: json!({ "arguments": { "to": "mia" } }),
        settings: ApprovalSettings::default(),
    }
}

async fn asked(db: &Database, question: &Question) -> ApprovalId {
    match db.ask(question).await.unwrap() {
        Answer::Waiting { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

async fn say(
    db: &Database,
    id: ApprovalId,
    by: &str,
    agreed: bool,
) -> Result<ApprovalState, NoVote> {
    db.vote(id, by, agreed, "because").await.unwrap()
}

/// The same question is one, a yes is used once, and what it is about makes it another.
pub(crate) async fn a_yes_is_for_one_use_of_one_action(db: &Database) {
    let pay = question(db, "a", &[(1, &[])]).await;
    let id = asked(db, &pay).await;
    assert!(
        matches!(db.ask(&pay).await.unwrap(), Answer::Waiting { is_new: false, id: same, .. } if same == id)
    );
    assert_eq!(say(db, id, "issuer", true).await, Err(NoVote::Requester));
    assert_eq!(say(db, ApprovalId(Uuid::from_u128(5)), "ada", true).await, Err(NoVote::Unknown));
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Granted));
    assert_eq!(say(db, id, "bo", false).await, Err(NoVote::Decided(ApprovalState::Granted)));
    let other = asked(db, &question(db, "b", &[(1, &[])]).await).await;
    assert_ne!(other, id, "other arguments are another question");
    let store = db.restart().await;
    assert_eq!(store.ask(&pay).await.unwrap(), Answer::Granted { id });
    assert!(matches!(store.ask(&pay).await.unwrap(), Answer::Waiting { is_new: true, .. }));
    let used = store.approval(id).await.unwrap().unwrap();
    assert_eq!((used.state, used.shown), (ApprovalState::Used, Value::Null));
}

/// Whoever races for a yes, one gets it.
pub(crate) async fn a_yes_that_is_raced_for_is_used_once(db: &Database) {
    let pay = question(db, "a", &[(1, &[])]).await;
    let id = asked(db, &pay).await;
    let votes: Vec<_> = (0..8)
        .map(|n| {
            let store = db.store.clone();
            tokio::spawn(
                async move { store.vote(id, &format!("p{n}"), n % 2 == 0, "r").await.unwrap() },
            )
        })
        .collect();
    let mut counted = 0;
    for vote in votes {
        counted += u32::from(vote.await.unwrap().is_ok());
    }
    assert_eq!(counted, 1, "the first word decides");
    let decided = db.approval(id).await.unwrap().unwrap().state;
    let uses: Vec<_> = (0..16)
        .map(|_| {
            let (store, pay) = (db.store.clone(), pay.clone());
            tokio::spawn(async move { store.ask(&pay).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for answer in uses {
        granted += u32::from(matches!(answer.await.unwrap(), Answer::Granted { .. }));
    }
    assert_eq!(granted, u32::from(decided == ApprovalState::Granted));
}

/// As many as every rule wants, of those whom it names, each once.
pub(crate) async fn enough_people_must_agree(db: &Database) {
    let id = asked(db, &question(db, "a", &[(2, &["ada", "bo"]), (1, &[])]).await).await;
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Waiting));
    assert_eq!(say(db, id, "ada", true).await, Err(NoVote::Twice));
    assert_eq!(say(db, id, "ada", false).await, Err(NoVote::Twice));
    assert_eq!(
        say(db, id, "cy", true).await,
        Ok(ApprovalState::Waiting),
        "counts for the second rule alone"
    );
    assert_eq!(say(db, id, "bo", true).await, Ok(ApprovalState::Granted));
    let named = asked(db, &question(db, "b", &[(1, &["ada"])]).await).await;
    assert_eq!(say(db, named, "cy", true).await, Err(NoVote::NotAsked));
    assert_eq!(db.approval(named).await.unwrap().unwrap().state, ApprovalState::Waiting);
}

/// A no ends it, stands, and is no yes after any time; a new question comes after it alone.
pub(crate) async fn a_no_is_final(db: &Database) {
    let pay = question(db, "a", &[(2, &[])]).await;
    let id = asked(db, &pay).await;
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Waiting));
    assert_eq!(say(db, id, "bo", false).await, Ok(ApprovalState::Denied));
    assert_eq!(say(db, id, "cy", true).await, Err(NoVote::Decided(ApprovalState::Denied)));
    assert_eq!(db.ask(&pay).await.unwrap(), Answer::Denied { id });
    let mut soon = question(db, "b", &[(1, &[])]).await;
    soon.settings.refusal_ms = 40;
    let over = asked(db, &soon).await;
    assert_eq!(say(db, over, "bo", false).await, Ok(ApprovalState::Denied));
    tokio::time::sleep(Duration::from_millis(60)).await;
    let next = asked(db, &soon).await;
    assert_ne!(next, over);
    assert_eq!(db.approval(over).await.unwrap().unwrap().state, ApprovalState::Over);
    assert_eq!(say(db, over, "cy", true).await, Err(NoVote::Decided(ApprovalState::Over)));
    assert_eq!(db.restart().await.ask(&pay).await.unwrap(), Answer::Denied { id });
}

/// Silence is no, and so is a yes that nobody used in time.
pub(crate) async fn what_comes_too_late_is_nothing(db: &Database) {
    let mut pay = question(db, "a", &[(1, &[])]).await;
    pay.settings.expires_ms = 40;
    let id = asked(db, &pay).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(
        db.approval(id).await.unwrap().unwrap().state,
        ApprovalState::Expired,
        "before anybody ended it"
    );
    assert_eq!(say(db, id, "ada", true).await, Err(NoVote::Decided(ApprovalState::Expired)));
    let ended = db.end_approvals().await.unwrap();
    assert_eq!(ended.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    assert!(db.end_approvals().await.unwrap().is_empty(), "told once");
    pay.settings.expires_ms = 60_000;
    pay.settings.use_within_ms = 40;
    let again = asked(db, &pay).await;
    assert_eq!(say(db, again, "ada", true).await, Ok(ApprovalState::Granted));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(matches!(db.ask(&pay).await.unwrap(), Answer::Waiting { is_new: true, .. }));
    assert_eq!(db.approval(again).await.unwrap().unwrap().state, ApprovalState::Lapsed);
}

/// A version in a loop buries nobody.
pub(crate) async fn questions_are_bounded(db: &Database) {
    for n in 0..100 {
        asked(db, &question(db, &format!("h{n}"), &[(1, &[])]).await).await;
    }
    assert_eq!(db.ask(&question(db, "more", &[(1, &[])]).await).await.unwrap(), Answer::Full);
    let mut other = question(db, "more", &[(1, &[])]).await;
    other.version = "v2".parse().unwrap();
    asked(db, &other).await;
    assert_eq!(db.untold_approvals().await.unwrap().len(), 50);
    let fence = db.fence().await;
    let first = db.untold_approvals().await.unwrap()[0].id;
    db.tell_of_approval(fence, first, None).await.unwrap();
    assert_ne!(db.untold_approvals().await.unwrap()[0].id, first);
}

/// A token that nobody remembers could be anyone's.
pub(crate) async fn nobody_answers_for_who_is_not_known(db: &Database) {
    let mut pay = question(db, "a", &[(1, &[])]).await;
    pay.token = IdentityId(Uuid::from_u128(77));
    let id = asked(db, &pay).await;
    assert_eq!(say(db, id, "ada", true).await, Err(NoVote::RequesterUnknown));
    // Of somebody outside it is known that it was nobody here.
    let mut outside = question(db, "b", &[(1, &[])]).await;
    outside.token = IdentityId(Uuid::from_u128(77));
    outside.issuer = Some("corp".parse().unwrap());
    let id = asked(db, &outside).await;
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Granted));
}

/// Whoever had a token issued for which it is asked has no say either.
pub(crate) async fn nobody_answers_for_whom_it_is_asked(db: &Database) {
    let giver = IdentityId(Uuid::from_u128(78));
    let mut pay = question(db, "a", &[(1, &[])]).await;
    let own = db.identity(TOKEN).await.unwrap().unwrap().identity;
    db.insert_identity(&Identity { id: giver, ..own }, "giver").await.unwrap();
    pay.givers = vec![giver];
    let id = asked(db, &pay).await;
    for by in ["giver", "issuer"] {
        assert_eq!(say(db, id, by, true).await, Err(NoVote::Requester), "{by}");
    }
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Granted));
    let mut forgotten = question(db, "b", &[(1, &[])]).await;
    forgotten.givers = vec![giver, IdentityId(Uuid::from_u128(79))];
    let id = asked(db, &forgotten).await;
    assert_eq!(say(db, id, "ada", true).await, Err(NoVote::RequesterUnknown));
}

/// Those who wait are woken by the answer.
pub(crate) async fn the_wait_ends_with_the_answer(db: &Database) {
    let pay = question(db, "a", &[(1, &[])]).await;
    let id = asked(db, &pay).await;
    let store = db.store.clone();
    let waiting = tokio::spawn(async move { store.wait(id, Duration::from_mins(1)).await });
    assert_eq!(say(db, id, "ada", true).await, Ok(ApprovalState::Granted));
    assert_eq!(waiting.await.unwrap().unwrap(), Waited::Answered);
    assert_eq!(
        db.wait(ApprovalId(Uuid::from_u128(5)), Duration::ZERO).await.unwrap(),
        Waited::Over
    );
    assert_eq!(db.ask(&pay).await.unwrap(), Answer::Granted { id });
}
