//! What is not recorded is not done.

use std::sync::Arc;

use lockgate_model::ledger::{Kept, Principal};
use lockgate_store::Role;
use reqwest::header::{ORIGIN, SET_COOKIE};
use serde_json::json;

use crate::server::{json, problem, server, without_control};
use crate::world::CONFIG;

#[tokio::test]
async fn every_change_is_recorded_before_it_is_made() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let pause = format!("/api/v1/rollouts/{id}/pause");
    let raise = "/api/v1/agents/support/versions/v2/security-events";
    json(server.post(&pause, &server.admin, json!({"reason": "look"})).await, 200).await;
    let seen = json!({"detail": "leaks", "rule": "seen by eve"});
    json(server.post(raise, &server.admin, seen).await, 201).await;
    json(server.put_config("?reason=x", &server.admin, CONFIG).await, 200).await;
    let token = json!({"name": "ada", "role": "viewer", "reason": "reads"});
    let made = json(server.post("/api/v1/tokens", &server.admin, token).await, 201).await;
    let revoke = format!("/api/v1/tokens/{}?reason=done", made["id"].as_str().unwrap());
    let gone =
        server.request(reqwest::Method::DELETE, &revoke, &server.admin).send().await.unwrap();
    assert!(gone.status().is_success(), "{}", gone.status());
    let ledger = &server.world.ledger;
    assert_eq!(
        ledger.actions(),
        ["rollout.pause", "security_event.raise", "config.apply", "token.create", "token.revoke"]
    );
    let entries = ledger.entries();
    assert!(entries.iter().all(|entry| entry.principal == Principal::named("first-admin")));
    assert_eq!(entries[0].detail["reason"], "look");
    assert_eq!(entries[0].labels, [("agent", "support".to_owned())]);
    let marked: Vec<Vec<(&str, &str, Kept)>> = entries
        .iter()
        .map(|entry| {
            entry.personal.iter().map(|one| (&one.at[..], &one.of[..], one.kept)).collect()
        })
        .collect();
    let of_admin = |at: &'static str| (at, "first-admin", Kept::Sealed);
    let reason = of_admin("/reason");
    let name = ("/name", "ada", Kept::Name);
    let expected = [
        vec![reason],
        vec![reason, of_admin("/rule")],
        vec![reason, of_admin("/diff")],
        vec![reason, name],
        vec![reason, name],
    ];
    assert_eq!(marked, expected, "what people wrote, and whom a token is for");
    assert_eq!(entries[1].labels, [("agent", "support".to_owned()), ("version", "v2".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.ledger.refuse(Some("the disk is full"));
    let pause = format!("/api/v1/rollouts/{id}/pause");
    let refused =
        problem(server.post(&pause, &server.admin, json!({"reason": "look"})).await, 503).await;
    assert!(refused["detail"].as_str().unwrap().contains("the disk is full"), "{refused}");
    problem(server.put_config("?reason=x", &server.admin, CONFIG).await, 503).await;
    let token = json!({"name": "ada", "role": "viewer", "reason": "reads"});
    problem(server.post("/api/v1/tokens", &server.admin, token).await, 503).await;
    problem(server.get("/readyz", &server.admin).await, 503).await;
    assert_eq!(server.world.store.tokens().await.unwrap().len(), 1);
    let rollout = server.world.store.rollout(id).await.unwrap().unwrap();
    assert_ne!(rollout.value.phase.as_str(), "paused");
    server.world.ledger.refuse(None);
    json(server.post(&pause, &server.admin, json!({"reason": "look"})).await, 200).await;
    json(server.get("/readyz", &server.admin).await, 200).await;
    assert_eq!(server.world.ledger.actions(), ["rollout.pause"]);
}

/// Being safe comes before being on paper, and the answer says which of the two failed.
#[tokio::test]
async fn a_security_event_is_acted_upon_also_when_it_cannot_be_recorded() {
    let server = server().await;
    server.world.start("support", "v2", Some("v1"), "test").await;
    server.world.ledger.refuse(Some("the disk is full"));
    let raise = "/api/v1/agents/support/versions/v2/security-events";
    let told =
        problem(server.post(raise, &server.admin, json!({"detail": "leaks"})).await, 503).await;
    assert!(told["detail"].as_str().unwrap().contains("acted upon"), "{told}");
    let events = server.world.store.security_events(&"support".parse().unwrap(), 10).await.unwrap();
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn signing_in_and_out_is_recorded_and_guessing_makes_one_record() {
    let server = without_control(None).await;
    let form = |path: &str, body: String| {
        let url = format!("{}{path}", server.url);
        let request = server.client.post(url).header(ORIGIN, &server.url);
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    for _ in 0..3 {
        let wrong = form("/sign-in", "token=lgk_wrong".into()).send().await.unwrap();
        assert_eq!(wrong.status(), 401);
        problem(server.get("/api/v1/agents", "lgk_wrong").await, 401).await;
    }
    let right = form("/sign-in", format!("token={}", server.admin)).send().await.unwrap();
    let cookie =
        right.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    form("/sign-out", String::new()).header("cookie", &cookie).send().await.unwrap();
    let ledger = &server.world.ledger;
    assert_eq!(ledger.actions(), ["sign_in.refused", "sign_in", "sign_out"]);
    let said = format!("{:?}", ledger.entries());
    assert!(!said.contains("lgk_"), "no token is recorded: {said}");
    ledger.refuse(Some("the disk is full"));
    let viewer = server.token(Role::Viewer, None).await;
    let refused = form("/sign-in", format!("token={viewer}")).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(!refused.headers().contains_key(SET_COOKIE));
    // The five that followed the first wait for their minute; a stop does not lose them.
    ledger.refuse(None);
    let ledger = Arc::clone(ledger);
    server.shutdown().await;
    let last = ledger.entries().pop().unwrap();
    let count = &last.detail["refused_since_the_last_record"];
    assert_eq!((&last.action[..], count), ("sign_in.refused", &json!(5)));
}

/// Someone with a token who tries what it does not allow.
#[tokio::test]
async fn changes_that_a_token_does_not_allow_are_recorded_once_a_minute() {
    let server = server().await;
    let viewer = server.token(Role::Viewer, None).await;
    let operator = server.token(Role::Operator, None).await;
    let new = json!({"name": "x", "role": "admin", "reason": "mine"});
    for _ in 0..3 {
        problem(server.post("/api/v1/tokens", &viewer, new.clone()).await, 403).await;
    }
    problem(server.post("/api/v1/tokens", &operator, new).await, 403).await;
    // Looking is no change.
    problem(server.get("/api/v1/tokens", &viewer).await, 403).await;
    let ledger = Arc::clone(&server.world.ledger);
    let refused = || {
        let entries = ledger.entries().into_iter();
        let counts = entries.filter(|entry| entry.action == "request.refused").map(|entry| {
            let count = entry.detail["refused_since_the_last_record"].as_u64().unwrap();
            assert_eq!(entry.object, "POST /api/v1/tokens");
            (entry.principal.name().to_owned(), count)
        });
        counts.collect::<Vec<_>>()
    };
    let first = [("viewer-token".to_owned(), 1), ("operator-token".to_owned(), 1)];
    assert_eq!(refused(), first);
    server.shutdown().await;
    assert_eq!(refused(), [&first[..], &[("viewer-token".to_owned(), 2)]].concat());
}

#[tokio::test]
async fn people_are_forgotten_by_admins_unless_a_hold_forbids_it() {
    let server = server().await;
    let token = json!({"name": "ada", "role": "viewer", "reason": "for ada"});
    json(server.post("/api/v1/tokens", &server.admin, token).await, 201).await;
    let erase = |name: &str| json!({"name": name, "reason": "asked"});
    let operator = server.token(Role::Operator, None).await;
    for (path, body) in [
        ("/api/v1/audit/erase", erase("ada")),
        ("/api/v1/audit/holds", json!({"name": "case 7", "reason": "x"})),
    ] {
        problem(server.post(path, &operator, body).await, 403).await;
    }
    problem(server.get("/api/v1/audit/holds", &operator).await, 403).await;
    let hold = json!({"name": "case 7", "reason": "a law suit"});
    let placed = server.post("/api/v1/audit/holds", &server.admin, hold).await;
    assert_eq!(placed.status(), 204);
    let refused =
        problem(server.post("/api/v1/audit/erase", &server.admin, erase("ada")).await, 409).await;
    assert!(refused["detail"].as_str().unwrap().contains("case 7"), "{refused}");
    let told = server.world.ledger.entries().pop().unwrap();
    assert_eq!(told.action, "audit.erase.refused", "and whoever tried is known");
    assert!(!format!("{:?}", told.detail).contains("ada"), "{told:?}");
    for name in [".", "..", "a\u{202e}b", "a\nb"] {
        let hold = json!({"name": name, "reason": "x"});
        problem(server.post("/api/v1/audit/holds", &server.admin, hold).await, 422).await;
    }
    let listed = json(server.get("/api/v1/audit/holds", &server.admin).await, 200).await;
    assert_eq!((&listed[0]["name"], &listed[0]["by"]), (&json!("case 7"), &json!("first-admin")));
    let lift = async |path: &str| {
        server.request(reqwest::Method::DELETE, path, &server.admin).send().await.unwrap()
    };
    problem(lift("/api/v1/audit/holds/other?reason=over").await, 404).await;
    problem(lift("/api/v1/audit/holds/case%207").await, 422).await;
    let unknown =
        server.request(reqwest::Method::DELETE, "/api/v1/audit/holds/other", &server.admin);
    let unknown = unknown.json(&json!({"reason": "in the body"})).send().await.unwrap();
    problem(unknown, 404).await;
    assert_eq!(lift("/api/v1/audit/holds/case%207?reason=over").await.status(), 204);
    let gone =
        json(server.post("/api/v1/audit/erase", &server.admin, erase("first-admin")).await, 200)
            .await;
    assert_eq!(
        (&gone["subject"], &gone["journal_rows"]),
        (&json!("subject:of the past"), &json!(1))
    );
    let journal = json(server.get("/api/v1/journal", &server.admin).await, 200).await;
    assert_eq!(
        (&journal[0]["principal"], &journal[0]["detail"]["reason"]),
        (&json!("[erased]"), &json!("[erased]"))
    );
    let nobody =
        json(server.post("/api/v1/audit/erase", &server.admin, erase("nobody")).await, 200).await;
    assert_eq!(nobody["subject"], serde_json::Value::Null);
    for body in [
        json!({"name": "", "reason": "x"}),
        json!({"name": "x".repeat(201), "reason": "x"}),
        json!({"name": "ada"}),
    ] {
        problem(server.post("/api/v1/audit/erase", &server.admin, body).await, 422).await;
    }
    for name in ["control", "local", "[erased]", "a\u{202e}b"] {
        let token = json!({"name": name, "role": "viewer", "reason": "x"});
        problem(server.post("/api/v1/tokens", &server.admin, token).await, 422).await;
    }
}
