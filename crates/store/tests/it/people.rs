//! Tokens and the journal.

use lockgate_model::plan::AlertLevel;
use lockgate_model::ports::Events as _;
use lockgate_model::security::SecurityEvent;
use lockgate_rollout::event::{Alert, Command, Effect};
use lockgate_rollout::explain::{Cause, Transition};
use lockgate_store::{
    ConfigOrigin, InboxBody, JournalEntry, NewConfig, NewInboxItem, Role, StepCommit, StoreError,
    TokenRecord,
};
use serde_json::json;

use crate::world::{Database, T0, agent, agent_a, config, rollout, security_event, transition};

fn token(id: &str, role: Role) -> TokenRecord {
    TokenRecord {
        id: id.into(),
        name: format!("token {id}"),
        hash_hex: format!("{id}{id}"),
        role,
        agents: None,
        created_wall_ms: T0,
        revoked_wall_ms: None,
    }
}

pub(crate) async fn tokens_are_revoked_once(db: &Database) {
    let admin = token("a", Role::Admin);
    let scoped = TokenRecord { agents: Some(vec![agent_a()]), ..token("b", Role::Approver) };
    db.insert_token(&admin).await.unwrap();
    db.insert_token(&scoped).await.unwrap();
    assert!(db.insert_token(&TokenRecord { id: "c".into(), ..admin.clone() }).await.is_err());
    assert_eq!(db.tokens().await.unwrap(), [admin, scoped.clone()]);
    assert!(db.revoke_token("b", T0 + 1).await.unwrap());
    assert!(!db.revoke_token("b", T0 + 2).await.unwrap());
    assert!(!db.revoke_token("z", T0).await.unwrap());
    assert_eq!(db.tokens().await.unwrap()[1].revoked_wall_ms, Some(T0 + 1));
}

pub(crate) async fn the_journal_is_read_newest_first(db: &Database) {
    let entry = |action: &str| JournalEntry {
        at_wall_ms: T0,
        principal: "ada".into(),
        action: action.into(),
        subject: "rollout".into(),
        detail: json!({"reason": "test"}),
    };
    for action in ["one", "two", "three"] {
        db.journal(&entry(action)).await.unwrap();
    }
    assert_eq!(db.journal_recent(2).await.unwrap(), [entry("three"), entry("two")]);
}

pub(crate) async fn who_is_forgotten_is_in_the_journal_no_more(db: &Database) {
    let entry = |principal: &str, action: &str, detail: serde_json::Value| JournalEntry {
        at_wall_ms: T0,
        principal: principal.into(),
        action: action.into(),
        subject: "s".into(),
        detail,
    };
    let eve = entry("eve", "rollout.start", json!({"reason": "hers", "name": "ada"}));
    for entry in [
        entry("ada", "rollout.start", json!({"agent": "a", "reason": "her words"})),
        entry("ada", "config.apply", json!(null)),
        entry("eve", "token.create", json!({"name": "ada", "reason": "for ada"})),
        eve.clone(),
    ] {
        db.journal(&entry).await.unwrap();
    }
    assert_eq!(db.forget_person("nobody").await.unwrap(), 0);
    assert_eq!(db.forget_person("ada").await.unwrap(), 3);
    assert_eq!(db.forget_person("ada").await.unwrap(), 0);
    let found = db.journal_recent(10).await.unwrap();
    assert_eq!(found[0], eve, "what is nobody's name stays");
    let reason = json!({"name": "[erased]", "reason": "for ada"});
    assert_eq!(found[1], entry("eve", "token.create", reason), "another's words stay");
    assert_eq!(found[2], entry("[erased]", "config.apply", json!(null)));
    let detail = json!({"agent": "a", "reason": "[erased]"});
    assert_eq!(found[3], entry("[erased]", "rollout.start", detail));
}

/// Whoever is forgotten is in no row and in no byte of the file, and what others said stays.
pub(crate) async fn who_is_forgotten_is_in_no_file(db: &Database) {
    const NAME: &str = "Ada Beispiel";
    const WORDS: &str = "since her mother said so";
    let fence = db.fence().await;
    let agents = [agent("agent-a", &["v1", "v2"])];
    let new = NewConfig { by: NAME, reason: WORDS, ..config("[]", &agents, ConfigOrigin::Api) };
    db.activate_config(new).await.unwrap();
    let mut started = rollout("agent-a");
    started.started_by = NAME.into();
    started.reason = WORDS.into();
    started.taken_back_because = Some(WORDS.into());
    let cause = Cause::said(NAME, format!("command start by {NAME}"), WORDS);
    let eve = Cause::said("eve", "command pause by eve", "words of eve");
    let step = Transition { causes: vec![cause, eve], ..transition("running") };
    let alert = Alert { level: AlertLevel::Info, title: "t".into(), text: format!("x; {WORDS}") };
    let effects = [Effect::Notify { alert }];
    db.create_rollout(fence, &started, Some(&step), &effects, &[]).await.unwrap();
    let item = NewInboxItem {
        key: None,
        agent: agent_a(),
        rollout: Some(started.id),
        body: InboxBody::Command { command: Command::Pause, reason: WORDS.into() },
        by: NAME.into(),
        at_wall_ms: T0,
    };
    let item = db.submit(item).await.unwrap();
    let event = SecurityEvent {
        principal: NAME.into(),
        detail: WORDS.into(),
        rule: Some(WORDS.into()),
        ..security_event()
    };
    db.security(event).await.unwrap();
    let detail = json!({"reason": WORDS, "diff": [{"path": WORDS}]});
    let entry = JournalEntry {
        at_wall_ms: T0,
        principal: NAME.into(),
        action: "config.apply".into(),
        subject: "config".into(),
        detail,
    };
    db.journal(&entry).await.unwrap();
    let gone = TokenRecord { name: NAME.into(), ..token("g", Role::Viewer) };
    db.insert_token(&gone).await.unwrap();
    db.revoke_token("g", T0).await.unwrap();
    assert!(holds(db, NAME) && holds(db, WORDS), "or the test sees nothing");

    assert_eq!(db.forget_person(NAME).await.unwrap(), 1);
    assert!(!holds(db, NAME), "the name is in a file");
    assert!(!holds(db, WORDS), "the words are in a file");
    let active = db.active_config().await.unwrap().unwrap();
    assert_eq!((&active.by[..], &active.reason[..]), ("[erased]", "[erased]"));
    let after = db.rollout(started.id).await.unwrap().unwrap();
    assert_eq!(after.value.started_by, "[erased]");
    let steps = db.transitions(started.id).await.unwrap();
    let [hers, of_eve] = &steps[0].transition.causes[..] else { panic!("two causes") };
    assert_eq!((&hers.rule[..], &hers.text[..]), ("command start by [erased]", "[erased]"));
    assert_eq!((&of_eve.rule[..], &of_eve.text[..]), ("command pause by eve", "words of eve"));
    assert_eq!(db.inbox_item(item).await.unwrap().unwrap().by, "[erased]");
    // Whoever read the release before does not write the name back.
    let stale = StepCommit {
        fence,
        rollout: &started,
        row_version: 1,
        transition: None,
        effects: &[],
        handled: &[],
    };
    assert!(matches!(db.commit_step(stale).await, Err(StoreError::Stale)));
}

/// Whether a file of the database holds a text.
fn holds(db: &Database, text: &str) -> bool {
    let dir = db.path.parent().unwrap();
    std::fs::read_dir(dir).unwrap().flatten().any(|file| {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
