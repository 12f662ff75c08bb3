//! Tokens and the journal.

use lockgate_store::{JournalEntry, Role, TokenRecord};
use serde_json::json;

use crate::world::{Database, T0, agent_a};

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
