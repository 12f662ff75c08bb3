//! The document of this API, and that answers are what it says.

use jsonschema::{Draft, Validator};
use lockgate_api::openapi_json;
use lockgate_model::ids::Epoch;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{json, problem, server, without_control};
use crate::world::{CONFIG, Traffic};

fn document() -> Value {
    serde_json::from_str(&openapi_json()).unwrap()
}

#[test]
fn the_document() {
    insta::assert_snapshot!("openapi", openapi_json());
}

/// A validator for the body of `GET path` with status 200.
fn validator(document: &Value, method: &str, path: &str, status: &str) -> Validator {
    let content = &document["paths"][path][method]["responses"][status]["content"];
    let schema = content["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{method} {path} {status}");
    let mut whole = json!({"components": document["components"]});
    for (key, value) in schema.as_object().unwrap() {
        whole[key] = value.clone();
    }
    jsonschema::options().with_draft(Draft::Draft202012).build(&whole).unwrap()
}

#[track_caller]
fn check(document: &Value, method: &str, path: &str, status: &str, body: &Value) {
    let validator = validator(document, method, path, status);
    let errors: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{method} {path}: {errors:#?}\n{body:#}");
}

#[tokio::test]
async fn every_path_of_the_document_is_served_and_says_who_may() {
    let server = without_control(None).await;
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut paths = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            paths += 1;
            let open = !path.starts_with("/api/v1") || path == "/api/v1/openapi.json";
            assert_eq!(operation["security"].is_null(), open, "{method} {path}");
            let concrete = path
                .replace("{agent}", "support")
                .replace("{version}", "v1")
                .replace("{source}", "infra")
                .replace("{digest}", &format!("sha256:{}", "0".repeat(64)))
                .replace("{id}", "latest")
                .replace("{command}", "1");
            let method: Method = method.to_uppercase().parse().unwrap();
            let bare = server.client.request(method, format!("{}{concrete}", server.url)).send();
            let expected = if open { 200 } else { 401 };
            assert_eq!(bare.await.unwrap().status(), expected, "{path}");
        }
    }
    assert_eq!(paths, 62);
    let answer = json(server.get("/api/v1/openapi.json", "").await, 200).await;
    assert_eq!(answer, document);
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let server = server().await;
    let document = document();
    let admin = &server.admin;
    let start = json!({"agent": "support", "version": "v2", "reason": "try it"});
    let started = json(server.post("/api/v1/rollouts", admin, start).await, 202).await;
    check(&document, "post", "/api/v1/rollouts", "202", &started);
    assert_eq!(started["state"], "done");
    let id = started["rollout"].as_str().unwrap();
    let rollout = server.world.applied(id.parse().unwrap()).await;
    let traffic =
        Traffic { requests: 50, errors: 2, ms: 120, cost_nanousd: 1_000_000, good: 3, bad: 1 };
    for (seq, version) in [(1, "v1"), (2, "v2")] {
        let version = version.parse().unwrap();
        server.world.traffic(&rollout, Epoch(1), &version, seq, &traffic).await;
    }
    server.world.gateway(&[("support", "v1", Some(true)), ("support", "v2", Some(false))]).await;
    let pause = json!({"reason": "look"});
    let paused = server.post(&format!("/api/v1/rollouts/{id}/pause"), admin, pause).await;
    check(&document, "post", "/api/v1/rollouts/{id}/pause", "200", &json(paused, 200).await);
    let survey = json!({
        "key": "s1", "at": "2026-11-20T10:00:00Z", "source": "survey", "kind": "survey", "score": 9,
    });
    let told = server.post("/api/v1/value/events", admin, json!({ "events": [survey] })).await;
    check(&document, "post", "/api/v1/value/events", "201", &json(told, 201).await);
    for (pattern, path) in [
        ("/api/v1/value/events", "/api/v1/value/events".to_owned()),
        ("/api/v1/value/report", "/api/v1/value/report?compare=true".to_owned()),
        ("/api/v1/agents", "/api/v1/agents".to_owned()),
        ("/api/v1/agents/{agent}", "/api/v1/agents/support".to_owned()),
        ("/api/v1/agents/{agent}/versions", "/api/v1/agents/support/versions".to_owned()),
        ("/api/v1/agents/{agent}/path", "/api/v1/agents/support/path".to_owned()),
        ("/api/v1/agents/{agent}/interactions", "/api/v1/agents/support/interactions".to_owned()),
        ("/api/v1/rollouts", "/api/v1/rollouts?agent=support".to_owned()),
        ("/api/v1/rollouts/{id}", format!("/api/v1/rollouts/{id}")),
        ("/api/v1/rollouts/{id}", "/api/v1/rollouts/latest?agent=support".to_owned()),
        ("/api/v1/rollouts/{id}/history", format!("/api/v1/rollouts/{id}/history")),
        ("/api/v1/rollouts/{id}/explain", format!("/api/v1/rollouts/{id}/explain")),
        ("/api/v1/commands/{command}", format!("/api/v1/commands/{}", started["command"])),
        ("/api/v1/config", "/api/v1/config".to_owned()),
        ("/api/v1/journal", "/api/v1/journal?limit=5".to_owned()),
        ("/api/v1/tokens", "/api/v1/tokens".to_owned()),
    ] {
        let body = json(server.get(&path, admin).await, 200).await;
        assert!(
            body.as_array().is_none_or(|rows| !rows.is_empty() || path.ends_with("interactions")),
            "{path}"
        );
        check(&document, "get", pattern, "200", &body);
    }
    let view = json(server.get(&format!("/api/v1/rollouts/{id}"), admin).await, 200).await;
    assert_eq!(view["candidate_arm"]["requests"], 50);
    assert_eq!(view["candidate_arm"]["error_rate"], 0.04);
    let agent = json(server.get("/api/v1/agents/support", admin).await, 200).await;
    let states: Vec<_> =
        agent["versions"].as_array().unwrap().iter().map(|v| &v["state"]).collect();
    assert_eq!(states, ["stable", "candidate", "idle"]);
    let healthy: Vec<_> =
        agent["versions"].as_array().unwrap().iter().map(|v| &v["healthy"]).collect();
    assert_eq!(healthy, [&json!(true), &json!(false), &Value::Null]);
}

#[tokio::test]
async fn a_configuration_is_tried_applied_and_refused_with_places() {
    let server = without_control(None).await;
    let document = document();
    let put = async |query: &str, text: &str| server.put_config(query, &server.admin, text).await;
    let more = CONFIG.replace("name: v3,", "name: v4,");
    let tried = json(put("?dry_run=true", &more).await, 200).await;
    check(&document, "put", "/api/v1/config", "200", &tried);
    assert_eq!(tried["changed"], true);
    assert!(!tried["diff"].as_array().unwrap().is_empty());
    let active = json(server.get("/api/v1/config", &server.admin).await, 200).await;
    assert_eq!(active["text"], CONFIG);
    problem(put("", &more).await, 422).await;
    let applied = json(put("?reason=next%20version", &more).await, 200).await;
    assert_eq!(applied["revision"], tried["revision"].as_i64().unwrap() + 1);
    let again = json(put("?reason=again", &more).await, 200).await;
    assert_eq!((&again["changed"], &again["revision"]), (&json!(false), &applied["revision"]));
    assert_eq!(again["diff"], json!([]));

    let broken = CONFIG.replace("endpoint: 'http://127.0.0.1:9101'", "endpoint: 'not a url'");
    let broken =
        broken.replace("sticky: {header: x-user}", "sticky: {header: x-user}\n    colour: red");
    let refused = problem(put("?reason=x", &broken).await, 422).await;
    let errors = refused["errors"].as_array().unwrap();
    assert!(errors.len() >= 2, "{refused:#}");
    for error in errors {
        assert!(error["line"].as_u64().unwrap() > 0 && error["column"].as_u64().unwrap() > 0);
        assert_eq!(error["file"], "lockgate.yaml");
    }
    let moved = more.replace("http://127.0.0.1:9101", "http://127.0.0.1:9999");
    let changed = problem(put("?reason=x", &moved).await, 409).await;
    assert!(changed["hint"].as_str().unwrap().contains("new name"), "{changed:#}");
    let journal = json(server.get("/api/v1/journal", &server.admin).await, 200).await;
    assert!(
        journal.as_array().unwrap().iter().any(|entry| entry["detail"]["reason"] == "next version")
    );
}
