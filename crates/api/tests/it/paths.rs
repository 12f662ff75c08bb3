//! What the server tells of paths, and the reports that it takes.

use lockgate_store::{Role, StoreError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, json, problem, server};
use crate::world::CONFIG;

const AT: &str = "/api/v1/agents/support/path";
const REPORTS: &str = "/api/v1/agents/support/path/reports";

/// The same agents; support's plan asks for the path of a monolith.
fn gated() -> String {
    let asks = "plans:\n  - {name: standard, path: monolith}\n  - {name: free}\n";
    format!("{asks}{CONFIG}")
}

fn report(findings: &Value) -> Value {
    json!({"version": "v2", "path": "monolith", "commit": "c".repeat(40), "findings": findings})
}

async fn apply(server: &Server, token: &str, text: &str) -> u16 {
    server.put_config("?reason=test", token, text).await.status().as_u16()
}

#[tokio::test]
async fn what_is_known_is_told_and_reports_are_kept() {
    let server = server().await;
    let plain = json(server.get(AT, &server.admin).await, 200).await;
    assert_eq!(
        (&plain["path"], &plain["release"], &plain["report"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&plain["version"], &plain["facts"]["policy"]), (&json!("v3"), &Value::Null));
    assert_eq!(apply(&server, &server.admin, &gated()).await, 200);
    let before = json(server.get(&format!("{AT}?version=v2"), &server.admin).await, 200).await;
    assert_eq!((&before["path"], &before["release"]["open"]), (&json!("monolith"), &json!(false)));
    let why = before["release"]["blocked_by"][0].as_str().unwrap();
    assert!(why.starts_with("there is no report of version v2"), "{why}");
    let operator = server.token(Role::Operator, None).await;
    let pass = json!({"outcome": "pass", "reason": "shown"});
    let of_files = ["foundations", "agent", "tests", "analysis", "observability"];
    let mut findings: serde_json::Map<_, _> =
        of_files.iter().map(|step| (format!("monolith.{step}"), pass.clone())).collect();
    findings.insert(
        "monolith.review".into(),
        json!({"outcome": "unknown", "reason": "later", "awaited": true}),
    );
    let kept = json(server.post(REPORTS, &operator, report(&findings.into())).await, 201).await;
    assert_eq!(kept["by"], "operator-token");
    let after = json(server.get(&format!("{AT}?version=v2"), &server.admin).await, 200).await;
    assert_eq!(after["release"], json!({"open": true, "blocked_by": []}), "{after:#}");
    assert_eq!(after["report"]["commit"], "c".repeat(40));
    let other =
        json(server.get(&format!("{AT}?version=v3&plan=free"), &server.admin).await, 200).await;
    assert_eq!(other["release"]["open"], false, "another plan does not lead around it");
    let recorded = server.world.ledger.entries();
    let recorded = recorded.iter().find(|entry| entry.action == "path.report").unwrap();
    assert_eq!(
        (recorded.object.as_str(), &recorded.detail["outcomes"]["monolith.tests"]),
        ("support/v2", &json!("pass"))
    );
}

#[tokio::test]
async fn reports_of_what_no_repository_shows_are_refused() {
    let server = server().await;
    let viewer = server.token(Role::Viewer, None).await;
    problem(server.post(REPORTS, &viewer, report(&json!({}))).await, 403).await;
    let finding = |more: Value| {
        let mut finding = json!({"outcome": "pass", "reason": "shown"});
        finding.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        finding
    };
    let long = "x".repeat(1_001);
    let many: Vec<Value> = (0..41).map(|n| json!({"where": n.to_string(), "text": ""})).collect();
    for findings in [
        json!({"monolith.canary": finding(json!({}))}),
        json!({"serverless.platform": finding(json!({}))}),
        json!({"monolith.tests": finding(json!({"reason": long}))}),
        json!({"monolith.tests": finding(json!({"evidence": many}))}),
        json!({"monolith.tests": finding(json!({"outcome": "good"}))}),
        json!({"monolith.tests": finding(json!({"blocks": false}))}),
    ] {
        problem(server.post(REPORTS, &server.admin, report(&findings)).await, 422).await;
    }
    for (field, value, status) in
        [("commit", "HEAD", 422), ("version", "v9", 404), ("path", "elsewhere", 422)]
    {
        let mut body = report(&json!({}));
        body[field] = value.into();
        problem(server.post(REPORTS, &server.admin, body).await, status).await;
    }
    let nobody: Result<_, StoreError> = server
        .world
        .store
        .path_report(
            &"support".parse().unwrap(),
            &"v2".parse().unwrap(),
            lockgate_model::config::Scenario::Monolith,
        )
        .await;
    assert_eq!(nobody.unwrap(), None, "nothing was kept");
}

#[tokio::test]
async fn only_an_admin_leads_around_a_path() {
    let server = server().await;
    assert_eq!(apply(&server, &server.admin, &gated()).await, 200);
    let operator = server.token(Role::Operator, None).await;
    let start =
        json!({"agent": "support", "version": "v2", "reason": "r", "override": "it must go out"});
    let refused =
        problem(server.post("/api/v1/rollouts", &operator, start.clone()).await, 403).await;
    assert!(refused["detail"].as_str().unwrap().contains("`override`"), "{refused}");
    assert_eq!(apply(&server, &operator, CONFIG).await, 403, "nor by taking it out of the plan");
    let dry = server.request(Method::PUT, "/api/v1/config?dry_run=true", &operator);
    let dry = dry.header("content-type", "text/yaml").body(CONFIG).send().await.unwrap();
    let dry = json(dry, 200).await;
    assert!(dry["warnings"].to_string().contains("(`path`)"), "{dry}");
    assert_eq!(dry["weaker"][0], "plan `standard` no longer asks for the path `monolith`");
    json(server.post("/api/v1/rollouts", &server.admin, start).await, 202).await;
    let recorded = server.world.ledger.entries();
    let recorded = recorded.iter().find(|entry| entry.action == "rollout.start").unwrap();
    assert_eq!(recorded.detail["override"], "it must go out");
    assert!(recorded.personal.iter().any(|one| one.at == "/override"), "the words are a person's");
    assert_eq!(apply(&server, &server.admin, CONFIG).await, 200);
}
