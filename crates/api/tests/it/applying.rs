//! Trying a configuration, and applying it: both say the same.

use lockgate_store::Role;
use serde_json::json;

use crate::server::{json, problem, without_control};
use crate::world::CONFIG;

/// `v1` under another address, which makes it another version.
fn changed() -> String {
    CONFIG.replacen("http://127.0.0.1:9101", "http://127.0.0.1:9991", 1)
}

/// Without the version that gets all traffic.
fn removed() -> String {
    CONFIG.lines().filter(|line| !line.contains("name: v1,")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_dry_run_refuses_what_applying_refuses() {
    let server = without_control(None).await;
    for (text, part) in [(changed(), "known with other content"), (removed(), "v1")] {
        let tried = server.put_config("?dry_run=true", &server.admin, &text).await;
        let tried = problem(tried, 409).await;
        assert!(tried["detail"].as_str().unwrap().contains(part), "{tried}");
        let applied = server.put_config("?reason=try", &server.admin, &text).await;
        assert_eq!(problem(applied, 409).await, tried);
    }
    // What a dry run looked at is not known from then on.
    let added = CONFIG.replacen("- {name: v3,", "- {name: v4,", 1);
    let tried = server.put_config("?dry_run=true", &server.admin, &added).await;
    json(tried, 200).await;
    let other = added.replacen("9103", "9993", 1);
    json(server.put_config("?reason=another", &server.admin, &other).await, 200).await;
}

#[tokio::test]
async fn whoever_may_look_may_try() {
    let server = without_control(None).await;
    let viewer = server.token(Role::Viewer, None).await;
    let same = json(server.put_config("?dry_run=true", &viewer, CONFIG).await, 200).await;
    assert_eq!((&same["changed"], &same["diff"]), (&json!(false), &json!([])));
    problem(server.put_config("?reason=x", &viewer, CONFIG).await, 403).await;
}

#[tokio::test]
async fn looking_less_at_security_is_told() {
    let server = without_control(None).await;
    let plan = |gates: &str| {
        format!("{CONFIG}plans:\n  - name: p\n    gates: {{error_rate: '< 1%'{gates}}}\n")
    };
    let with = plan(", security_events: '= 0'");
    let applied = json(server.put_config("?reason=x", &server.admin, &with).await, 200).await;
    assert_eq!(applied["weaker"], json!([]));
    let without = plan("");
    let tried = json(server.put_config("?dry_run=true", &server.admin, &without).await, 200).await;
    let weaker = tried["weaker"].as_array().unwrap();
    assert_eq!(weaker.len(), 3, "a line a stage: {tried}");
    assert!(weaker[0].as_str().unwrap().contains("security_events"), "{tried}");
}

const AUDIT: &str = "audit: { retention: 30d, mirror: 'file:///copy' }\n";

/// Who may start releases may not have the records of them thrown away.
#[tokio::test]
async fn how_the_audit_log_is_kept_is_for_admins() {
    let server = without_control(None).await;
    let operator = server.token(Role::Operator, None).await;
    let with = |audit: &str| format!("{audit}{CONFIG}");
    let shorter = with(AUDIT);
    let refused = problem(server.put_config("?reason=x", &operator, &shorter).await, 403).await;
    assert!(refused["detail"].as_str().unwrap().contains("`audit`"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("admin"), "{refused}");
    let tried = json(server.put_config("?dry_run=true", &operator, &shorter).await, 200).await;
    let warned = tried["warnings"].as_array().unwrap();
    assert!(warned.iter().any(|warning| warning["path"] == "audit"), "{tried}");
    assert_eq!(server.world.ledger.actions(), ["request.refused"], "and that it was tried");
    let applied = json(server.put_config("?reason=x", &server.admin, &shorter).await, 200).await;
    assert_eq!(applied["weaker"], json!(["records of the audit log go after 30 days"]));
    assert_eq!(applied["at_next_start"], json!(["audit.mirror", "audit.retention"]));
    for other in [with("audit: { retention: 2d }\n"), with("")] {
        problem(server.put_config("?reason=x", &operator, &other).await, 403).await;
    }
    // What leaves it alone is an operator's to apply.
    let other = with(AUDIT).replacen("9103", "9993", 1).replacen("{name: v3,", "{name: v4,", 1);
    json(server.put_config("?reason=x", &operator, &other).await, 200).await;
}
