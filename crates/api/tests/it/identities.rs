//! Tokens with which agents call their tools: who may have them issued and revoked, and that it is written down.

use lockgate_model::identity::{Identity, Revoked};
use lockgate_store::Role;
use serde_json::{Value, json};

use crate::server::{json, problem, server};

const ISSUE: &str = "/api/v1/agents/support/versions/v1/identities";

/// What the token would say: here it is no more than that.
fn says(issued: &Value) -> Identity {
    serde_json::from_str(issued["token"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_are_bound_to_a_versions_content_and_revoked_at_once() {
    let server = server().await;
    let operator = server.token(Role::Operator, None).await;
    let issue = async || {
        let body = json!({ "expires_s": 3_600, "reason": "first deployment" });
        json(server.post(ISSUE, &operator, body).await, 201).await
    };
    let one = issue().await;
    let identity = says(&one);
    assert_eq!((identity.agent.as_str(), identity.version.as_str()), ("support", "v1"));
    let manifest = server.world.config.agents[0].versions[0].digest();
    assert_eq!(identity.manifest, manifest);
    assert_eq!(identity.expires_wall_s, identity.issued_wall_s + 3_600);
    assert_eq!(one["id"], identity.id.to_string());

    let revoke = format!("/api/v1/identities/{}?reason=lost", identity.id);
    assert_eq!(server.delete(&revoke, &operator).await.status(), 204);
    problem(server.delete(&revoke, &operator).await, 404).await;
    problem(server.delete("/api/v1/identities/none?reason=x", &operator).await, 404).await;
    let two = says(&issue().await);
    let all = json(server.delete(&format!("{ISSUE}?reason=moved"), &operator).await, 200).await;
    assert_eq!(all["revoked"], 1);
    let three = says(&issue().await);
    let snapshot = server.world.snapshot().await;
    let covers = |identity: &Identity| snapshot.revoked.iter().any(|one| one.covers(identity));
    assert!(covers(&identity) && covers(&two) && !covers(&three));
    assert!(snapshot.revoked.iter().any(|one| matches!(one, Revoked::Version { .. })));

    let rows = json(server.get("/api/v1/identities", &operator).await, 200).await;
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows[0].get("token").is_none() && rows[0]["by"] == "operator-token");
    let actions = server.world.ledger.actions();
    let identity = actions.iter().filter(|action| action.starts_with("identity.")).count();
    assert_eq!(identity, 5, "{actions:?}");
}

#[tokio::test]
async fn not_everybody_may_and_not_for_everything() {
    let server = server().await;
    let body = || json!({ "reason": "test" });
    let viewer = server.token(Role::Viewer, None).await;
    problem(server.post(ISSUE, &viewer, body()).await, 403).await;
    problem(server.delete(&format!("{ISSUE}?reason=x"), &viewer).await, 403).await;
    let scoped = server.token(Role::Operator, Some(&["billing"])).await;
    problem(server.post(ISSUE, &scoped, body()).await, 404).await;
    let operator = server.token(Role::Operator, None).await;
    let unknown = "/api/v1/agents/support/versions/v7/identities";
    problem(server.post(unknown, &operator, body()).await, 404).await;
    problem(server.delete(&format!("{unknown}?reason=x"), &operator).await, 404).await;
    for expires_s in [0, 59, 366 * 86_400 + 1, -1] {
        let body = json!({ "expires_s": expires_s, "reason": "test" });
        problem(server.post(ISSUE, &operator, body).await, 422).await;
    }
    let issued = json(server.post(ISSUE, &operator, body()).await, 201).await;
    assert_eq!(says(&issued).expires_wall_s - says(&issued).issued_wall_s, 90 * 86_400);
    // Whoever does not see the agent sees none of its tokens, and takes none away.
    assert_eq!(json(server.get("/api/v1/identities", &scoped).await, 200).await, json!([]));
    let id = issued["id"].as_str().unwrap();
    let revoke = format!("/api/v1/identities/{id}?reason=x");
    problem(server.delete(&revoke, &scoped).await, 404).await;
    server.world.ledger.refuse(Some("the disk is full"));
    problem(server.post(ISSUE, &operator, body()).await, 503).await;
    problem(server.delete(&revoke, &operator).await, 503).await;
    server.world.ledger.refuse(None);
    let rows = json(server.get("/api/v1/identities", &operator).await, 200).await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "what is not recorded is not done");
    assert_eq!(rows[0]["revoked_wall_ms"], Value::Null);
}

#[tokio::test]
async fn keys_that_sign_take_turns_and_are_retired() {
    const KEYS: &str = "/api/v1/identity-keys";
    let server = server().await;
    let operator = server.token(Role::Operator, None).await;
    let issue = async || {
        let body = json!({ "reason": "test" });
        json(server.post(ISSUE, &operator, body).await, 201).await
    };
    let (first, second) = ("0000000000000001", "0000000000000002");
    let by_first = says(&issue().await);
    let rotate = json!({ "reason": "each spring", "retire_after_s": 3_600 });
    let rotated = json(server.post(KEYS, &operator, rotate).await, 201).await;
    assert_eq!((&rotated["kid"], &rotated["former"]), (&json!(second), &json!(first)));
    let by_second = says(&issue().await);
    let named = |identity: &Identity| serde_json::to_value(&identity.voucher).unwrap();
    assert_eq!(named(&by_first), json!({ "key": first }));
    assert_eq!(named(&by_second), json!({ "key": second }));
    let listed = json(server.get(KEYS, &operator).await, 200).await;
    assert_eq!((&listed[0]["state"], &listed[1]["state"]), (&json!("signs"), &json!("good")));
    assert_eq!(listed[1]["void_wall_ms"], rotated["former_void_wall_ms"]);

    let retire = |kid: &str| format!("{KEYS}/{kid}?reason=seen");
    problem(server.delete(&retire(second), &operator).await, 409).await;
    problem(server.delete(&retire("0000000000000009"), &operator).await, 404).await;
    assert_eq!(server.delete(&retire(first), &operator).await.status(), 204);
    problem(server.delete(&retire(first), &operator).await, 404).await;
    let good: Vec<_> = server.world.snapshot().await.identity_keys;
    assert_eq!(good.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), [second]);
    let rows = json(server.get("/api/v1/identities", &operator).await, 200).await;
    let revoked = |kid: &str| {
        let rows = rows.as_array().unwrap().iter();
        rows.filter(|row| row["key"] == kid).all(|row| row["revoked_wall_ms"].is_number())
    };
    assert!(revoked(first) && !revoked(second), "{rows}");
    let actions = server.world.ledger.actions();
    let of_keys: Vec<_> = actions.iter().filter(|action| action.ends_with("_key")).collect();
    assert_eq!(of_keys, ["identity.rotate_key", "identity.retire_key"]);

    // What concerns every agent is not for whoever sees some, and what cannot be recorded is not done.
    let viewer = server.token(Role::Viewer, None).await;
    let scoped = server.token(Role::Operator, Some(&["support"])).await;
    let body = || json!({ "reason": "test" });
    for token in [&viewer, &scoped] {
        problem(server.post(KEYS, token, body()).await, 403).await;
        problem(server.delete(&retire(second), token).await, 403).await;
    }
    for after in [-1, 366 * 86_400 + 1] {
        let body = json!({ "reason": "test", "retire_after_s": after });
        problem(server.post(KEYS, &operator, body).await, 422).await;
    }
    server.world.ledger.refuse(Some("the disk is full"));
    problem(server.post(KEYS, &operator, body()).await, 503).await;
    server.world.ledger.refuse(None);
    let listed = json(server.get(KEYS, &operator).await, 200).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["kid"]), (2, &json!(second)));
}
