//! Who may do what, what is refused, and that everything is written down.

use lockgate_store::Role;
use reqwest::Method;
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::server::{self, json, problem, server, without_control};
use crate::world::{CONFIG, World};

#[tokio::test]
async fn without_a_valid_token_nothing_is_served() {
    let server = without_control(None).await;
    let bare = server.client.get(format!("{}/api/v1/agents", server.url)).send().await.unwrap();
    assert!(bare.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
    problem(bare, 401).await;
    let unknown = format!("lgk_{}", "A".repeat(43));
    for token in ["", "lgk_short", unknown.as_str()] {
        let answer = server.get("/api/v1/agents", token).await;
        assert!(answer.headers().contains_key(WWW_AUTHENTICATE), "{token}");
        problem(answer, 401).await;
    }
}

#[tokio::test]
async fn the_first_token_is_made_once() {
    let server = without_control(None).await;
    assert_eq!(
        lockgate_api::token::bootstrap(&server.world.store, &*server.world.ledger).await.unwrap(),
        None
    );
    let agents = json(server.get("/api/v1/agents", &server.admin).await, 200).await;
    assert_eq!(agents.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn roles_are_kept_apart() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let viewer = server.token(Role::Viewer, None).await;
    let approver = server.token(Role::Approver, None).await;
    let operator = server.token(Role::Operator, None).await;
    let pause = format!("/api/v1/rollouts/{id}/pause");
    let reason = json!({"reason": "look at it"});
    for token in [&viewer, &approver] {
        json(server.get("/api/v1/rollouts", token).await, 200).await;
        problem(server.post(&pause, token, reason.clone()).await, 403).await;
        problem(server.put_config("?reason=x", token, CONFIG).await, 403).await;
        let raise = "/api/v1/agents/support/versions/v2/security-events";
        problem(server.post(raise, token, json!({"detail": "x"})).await, 403).await;
    }
    for token in [&viewer, &approver, &operator] {
        problem(server.get("/api/v1/tokens", token).await, 403).await;
    }
    let done = json(server.post(&pause, &operator, reason).await, 200).await;
    assert_eq!(done["state"], "done");
}

#[tokio::test]
async fn an_agent_outside_the_scope_does_not_exist() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let scoped = server.token(Role::Operator, Some(&["billing"])).await;
    let agents = json(server.get("/api/v1/agents", &scoped).await, 200).await;
    let names: Vec<_> = agents.as_array().unwrap().iter().map(|agent| &agent["name"]).collect();
    assert_eq!(names, ["billing"]);
    let rollouts = json(server.get("/api/v1/rollouts", &scoped).await, 200).await;
    assert!(rollouts.as_array().unwrap().iter().all(|rollout| rollout["agent"] == "billing"));
    for path in [
        "/api/v1/agents/support".to_owned(),
        "/api/v1/agents/support/versions".to_owned(),
        "/api/v1/agents/support/interactions".to_owned(),
        format!("/api/v1/rollouts/{id}"),
        format!("/api/v1/rollouts/{id}/history"),
        format!("/api/v1/rollouts/{id}/explain"),
        "/api/v1/rollouts/latest?agent=support".to_owned(),
        "/api/v1/rollouts?agent=support".to_owned(),
        "/api/v1/events?agent=support".to_owned(),
    ] {
        problem(server.get(&path, &scoped).await, 404).await;
    }
    let hidden = problem(server.get(&format!("/api/v1/rollouts/{id}"), &scoped).await, 404).await;
    let absent = format!("/api/v1/rollouts/{}", uuid::Uuid::now_v7());
    let absent = problem(server.get(&absent, &scoped).await, 404).await;
    assert_eq!(hidden["title"], absent["title"]);
    for (path, body) in [
        (format!("/api/v1/rollouts/{id}/abort"), json!({"reason": "x"})),
        (
            "/api/v1/rollouts".to_owned(),
            json!({"agent": "support", "version": "v3", "reason": "x"}),
        ),
        ("/api/v1/agents/support/versions/v2/security-events".to_owned(), json!({"detail": "x"})),
    ] {
        problem(server.post(&path, &scoped, body).await, 404).await;
    }
    // what concerns every agent is refused aloud: it hides nothing
    problem(server.put_config("?reason=x", &scoped, CONFIG).await, 403).await;
    problem(server.get("/api/v1/config", &scoped).await, 403).await;
    let journal = json(server.get("/api/v1/journal", &scoped).await, 200).await;
    assert_eq!(journal, json!([]));
}

#[tokio::test]
async fn every_change_needs_a_reason_and_is_written_down() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let pause = format!("/api/v1/rollouts/{id}/pause");
    let long = "x".repeat(501);
    for body in [
        json!({}),
        json!({"reason": ""}),
        json!({"reason": "  "}),
        json!({"reason": long}),
        json!({"reason": "fine", "force": true}),
    ] {
        let refused = problem(server.post(&pause, &server.admin, body).await, 422).await;
        assert!(!refused["errors"][0]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.world.store.journal_recent(10).await.unwrap().len(), 0);
    json(server.post(&pause, &server.admin, json!({"reason": "look at it"})).await, 200).await;
    let again =
        problem(server.post(&pause, &server.admin, json!({"reason": "twice"})).await, 409).await;
    assert!(again["hint"].is_string());
    let journal = json(server.get("/api/v1/journal", &server.admin).await, 200).await;
    let actions: Vec<_> =
        journal.as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["rollout.pause.refused", "rollout.pause", "rollout.pause"]);
    let first = &journal[2];
    assert_eq!(first["principal"], "first-admin");
    assert_eq!(first["subject"], id.to_string());
    assert_eq!(first["detail"]["reason"], "look at it");
}

#[tokio::test]
async fn a_command_that_nobody_handles_is_accepted_and_kept() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let path = format!("/api/v1/rollouts/{id}/pause");
    let send = || {
        server
            .request(Method::POST, &path, &server.admin)
            .header("idempotency-key", "once")
            .json(&json!({"reason": "x"}))
            .send()
    };
    let (first, second) = tokio::join!(send(), send());
    let first = json(first.unwrap(), 202).await;
    let second = json(second.unwrap(), 202).await;
    assert_eq!(first["state"], "pending");
    assert_eq!(first["command"], second["command"]);
    assert_eq!(server.world.handle_inbox().await, 1);
    let path = format!("/api/v1/commands/{}", first["command"]);
    let later = json(server.get(&path, &server.admin).await, 200).await;
    assert_eq!(later["state"], "done");
    let other = server.token(Role::Viewer, Some(&["billing"])).await;
    problem(server.get(&path, &other).await, 404).await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_problem_too() {
    let server = without_control(None).await;
    problem(server.get("/nowhere", &server.admin).await, 404).await;
    problem(server.get("/api/v1/agents/NOT%20A%20NAME", &server.admin).await, 404).await;
    problem(server.get("/api/v1/rollouts/not-an-id", &server.admin).await, 404).await;
    problem(server.get("/api/v1/rollouts/latest", &server.admin).await, 400).await;
    problem(server.get("/api/v1/rollouts?limit=many", &server.admin).await, 400).await;
    problem(server.get("/api/v1/rollouts?colour=red", &server.admin).await, 400).await;
    let delete = server.request(Method::DELETE, "/api/v1/agents", &server.admin);
    problem(delete.send().await.unwrap(), 405).await;
    let text = server.request(Method::POST, "/api/v1/rollouts", &server.admin).body("{}");
    problem(text.send().await.unwrap(), 415).await;
    let broken = server
        .request(Method::POST, "/api/v1/rollouts", &server.admin)
        .header("content-type", "application/json")
        .body("{\"agent\":");
    problem(broken.send().await.unwrap(), 400).await;
    let huge = "#".repeat(21 * 1024 * 1024);
    problem(server.put_config("?dry_run=true", &server.admin, &huge).await, 413).await;
    let events = server
        .request(Method::POST, "/api/v1/value/events", &server.admin)
        .header("content-type", "application/json")
        .body(" ".repeat(5 * 1024 * 1024));
    problem(events.send().await.unwrap(), 413).await;
}

#[tokio::test]
async fn tokens_are_shown_once_and_die_at_once() {
    let server = without_control(None).await;
    let body =
        json!({"name": "ci", "role": "operator", "agents": ["support"], "reason": "pipeline"});
    let minted = json(server.post("/api/v1/tokens", &server.admin, body.clone()).await, 201).await;
    let token = minted["token"].as_str().unwrap();
    assert!(token.starts_with("lgk_"));
    problem(server.post("/api/v1/tokens", &server.admin, body).await, 409).await;
    json(server.get("/api/v1/agents", token).await, 200).await;
    let listed = server.get("/api/v1/tokens", &server.admin).await.text().await.unwrap();
    assert!(!listed.contains(token) && !listed.contains("hash"));
    let path = format!("/api/v1/tokens/{}?reason=leaked", minted["id"].as_str().unwrap());
    let revoke = || server.request(Method::DELETE, &path, &server.admin).send();
    assert_eq!(revoke().await.unwrap().status(), 204);
    problem(server.get("/api/v1/agents", token).await, 401).await;
    problem(revoke().await.unwrap(), 404).await;
    let tokens = json(server.get("/api/v1/tokens", &server.admin).await, 200).await;
    let first = tokens.as_array().unwrap().iter().find(|token| token["name"] == "first-admin");
    let path = format!("/api/v1/tokens/{}?reason=x", first.unwrap()["id"].as_str().unwrap());
    let last = server.request(Method::DELETE, &path, &server.admin).send().await.unwrap();
    problem(last, 409).await;
}

#[tokio::test]
async fn metrics_and_probes_answer_without_a_token_unless_told_otherwise() {
    let open = without_control(None).await;
    open.world.start("support", "v2", Some("v1"), "test").await;
    open.world.gateway(&[("support", "v1", Some(true)), ("support", "v2", None)]).await;
    let get =
        async |path: &str| open.client.get(format!("{}{path}", open.url)).send().await.unwrap();
    assert_eq!(json(get("/livez").await, 200).await["status"], "alive");
    assert_eq!(json(get("/readyz").await, 200).await["status"], "ready");
    let metrics = get("/metrics").await;
    assert!(
        metrics.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = metrics.text().await.unwrap();
    for line in [
        "lockgate_build_info{version=",
        "lockgate_api_requests_total{method=\"GET\",route=\"/livez\",status=\"200\"} 1",
        "lockgate_rollouts_open 1",
        "# TYPE lockgate_rollouts_ended counter",
        "lockgate_rollouts_ended_total{agent=\"support\",outcome=\"promoted\"} 1",
        "lockgate_rollouts_ended_total{agent=\"billing\",outcome=\"promoted\"} 1",
        "lockgate_rollout_open{agent=\"support\",candidate=\"v2\",phase=\"confirming\"} 1",
        "lockgate_version_weight_ratio{agent=\"support\",version=\"v2\",role=\"candidate\"} 0.0",
        "lockgate_version_healthy{gateway=\"gateway-1\",agent=\"support\",version=\"v1\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // health that is not known is absent, not 0
    assert!(
        !text.contains("version_healthy{gateway=\"gateway-1\",agent=\"support\",version=\"v2\"}")
    );
    assert!(text.ends_with("# EOF\n"));

    let closed =
        server::start(World::new().await, None, |options| options.metrics_need_token = true).await;
    let bare = closed.client.get(format!("{}/metrics", closed.url)).send().await.unwrap();
    problem(bare, 401).await;
    assert_eq!(closed.get("/metrics", &closed.admin).await.status(), 200);
}

#[tokio::test]
async fn answers_that_may_be_repeated_say_when() {
    let server = without_control(Some(std::sync::Arc::new(crate::security::Broken))).await;
    server.world.start("support", "v2", Some("v1"), "test").await;
    let raise = "/api/v1/agents/support/versions/v2/security-events";
    let answer = server.post(raise, &server.admin, json!({"detail": "seen"})).await;
    assert!(answer.headers().contains_key(RETRY_AFTER));
}
