//! Starting a release: names that nobody knows, and releases that are in the way.

use lockgate_model::ids::Epoch;
use lockgate_telemetry::arm::{Arm, Completion};
use lockgate_telemetry::window::KeySeen;
use serde_json::{Value, json};

use crate::server::{Server, json, problem, server, without_control};
use crate::world::Traffic;

async fn start(server: &Server, body: Value) -> reqwest::Response {
    server.post("/api/v1/rollouts", &server.admin, body).await
}

#[tokio::test]
async fn an_open_release_is_replaced_only_by_whoever_says_so() {
    let server = server().await;
    let old = server.world.start("support", "v2", Some("v1"), "test").await;
    server.world.applied(old.id).await;
    let body = json!({"agent": "support", "version": "v3", "reason": "newer"});
    let refused = problem(start(&server, body.clone()).await, 409).await;
    let hint = refused["hint"].as_str().unwrap();
    let effect = "takes the place of release of v2, which goes back to 0 % first";
    assert!(hint.contains("`\"replace\": true`") && hint.contains(effect), "{hint}");
    let hint = refused["cli_hint"].as_str().unwrap();
    assert!(hint.contains("--replace` takes the place of release of v2"), "{hint}");
    let phase = async || {
        let rollout = server.world.store.rollout(old.id).await.unwrap().unwrap();
        rollout.value.phase.as_str()
    };
    assert_eq!(phase().await, "running");
    let mut told = body;
    told["replace"] = json!(true);
    let started = json(start(&server, told).await, 202).await;
    assert_eq!(started["replaces"], json!({"rollout": old.id, "version": "v2"}));
    assert_ne!(started["rollout"], json!(old.id));
    assert_eq!(phase().await, "superseded");
}

#[tokio::test]
async fn what_is_on_its_way_already_does_not_take_its_own_place() {
    let server = server().await;
    let old = server.world.start("support", "v2", Some("v1"), "test").await;
    let body = json!({"agent": "support", "version": "v2", "reason": "again"});
    let refused = problem(start(&server, body).await, 409).await;
    for hint in [&refused["hint"], &refused["cli_hint"]] {
        let hint = hint.as_str().unwrap();
        assert!(hint.contains("v2 is being released already"), "{hint}");
        assert!(hint.contains(&old.id.to_string()) && !hint.contains("takes the place"), "{hint}");
    }
}

#[tokio::test]
async fn a_body_that_lacks_something_is_told_what_and_where_to_look() {
    let server = without_control(None).await;
    let refused =
        problem(start(&server, json!({"agent": "support", "reason": "x"})).await, 422).await;
    let hint = refused["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("`version`") && hint.contains("/api/v1/openapi.json"), "{refused}");
}

#[tokio::test]
async fn no_rows_cannot_be_asked_for() {
    let server = without_control(None).await;
    for path in ["rollouts", "journal", "agents/support/interactions"] {
        let refused =
            problem(server.get(&format!("/api/v1/{path}?limit=0"), &server.admin).await, 400).await;
        assert!(refused["detail"].as_str().unwrap().contains("`limit`"), "{refused}");
        json(server.get(&format!("/api/v1/{path}?limit=1"), &server.admin).await, 200).await;
    }
}

#[tokio::test]
async fn a_start_that_is_asked_for_later_names_its_release() {
    let server = server().await;
    let body = json!({"agent": "support", "version": "v2", "reason": "newer"});
    let started = json(start(&server, body).await, 202).await;
    assert!(started["rollout"].is_string(), "{started}");
    let path = format!("/api/v1/commands/{}", started["command"]);
    let later = json(server.get(&path, &server.admin).await, 200).await;
    assert_eq!(later["rollout"], started["rollout"]);
}

#[tokio::test]
async fn starting_again_replaces_nothing_either() {
    let server = server().await;
    let old = server.world.start("support", "v2", Some("v1"), "test").await;
    server.world.applied(old.id).await;
    let abort = format!("/api/v1/rollouts/{}/abort", old.id);
    json(server.post(&abort, &server.admin, json!({"reason": "x"})).await, 200).await;
    server.world.applied(old.id).await;
    server.world.start("support", "v3", Some("v1"), "test").await;
    let retry = format!("/api/v1/rollouts/{}/retry", old.id);
    let refused =
        problem(server.post(&retry, &server.admin, json!({"reason": "x"})).await, 409).await;
    assert!(refused["cli_hint"].as_str().unwrap().contains("release of v3"), "{refused}");
}

#[tokio::test]
async fn unknown_names_come_with_the_known_ones() {
    let server = without_control(None).await;
    let start = |agent: &str, version: &str, plan: Option<&str>| {
        let body = json!({"agent": agent, "version": version, "plan": plan, "reason": "x"});
        start(&server, body)
    };
    let hint = async |answer| {
        let problem = problem(answer, 404).await;
        problem["hint"].as_str().unwrap().to_owned()
    };
    assert_eq!(hint(start("suport", "v2", None).await).await, "did you mean `support`?");
    assert_eq!(hint(start("x", "v2", None).await).await, "There are `support`, `billing`.");
    assert!(hint(start("support", "v22", None).await).await.starts_with("did you mean `v2`?"));
    let versions = hint(start("support", "newest", None).await).await;
    assert!(versions.starts_with("There are `v1`, `v2`, `v3`."), "{versions}");
    let plan = hint(start("support", "v2", Some("standart")).await).await;
    assert_eq!(plan, "did you mean `standard`?");
    for path in ["/api/v1/agents/suport", "/api/v1/rollouts?agent=suport"] {
        assert_eq!(hint(server.get(path, &server.admin).await).await, "did you mean `support`?");
    }
    let path = format!("/api/v1/rollouts/{}", uuid::Uuid::now_v7());
    let unknown = problem(server.get(&path, &server.admin).await, 404).await;
    assert_eq!(unknown["cli_hint"], "`lockgate rollout list` shows them");
    // Names that a token does not see are not told to it.
    let scoped = server.token(lockgate_store::Role::Viewer, Some(&["billing"])).await;
    let told = hint(server.get("/api/v1/agents/suport", &scoped).await).await;
    assert_eq!(told, "There is only `billing`.");
}

#[tokio::test]
async fn a_cost_that_never_comes_is_said_and_users_count_once() {
    let server = without_control(None).await;
    let rollout = server.world.start("support", "v2", Some("v1"), "test").await;
    let traffic = Traffic { requests: 40, errors: 0, ms: 10, cost_nanousd: 5, good: 0, bad: 0 };
    let known = rollout.clone();
    server.world.traffic(&known, Epoch(1), &rollout.candidate, 1, &traffic).await;
    let path = format!("/api/v1/rollouts/{}", rollout.id);
    let view = json(server.get(&path, &server.admin).await, 200).await;
    assert_eq!(view["warnings"], json!([]));

    let silent = server.world.start("billing", "b2", Some("b1"), "test").await;
    // The same users under two weights.
    for (seq, epoch) in [(2, 2), (3, 3)] {
        let mut arm = Arm { assigned: 40, ..Arm::default() };
        (0..40).for_each(|_| arm.complete(&Completion::default()));
        let keys = (0..40).map(|key| KeySeen { key, error: false }).collect();
        let version = &silent.candidate;
        server.world.window(&silent, Epoch(epoch), version, seq, arm, keys).await;
    }
    let path = format!("/api/v1/rollouts/{}", silent.id);
    let view = json(server.get(&path, &server.admin).await, 200).await;
    let warnings = view["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.starts_with("cost: 0 of 80 requests of b2 known"), "{warning}");
    assert_eq!(
        (&view["candidate_arm"]["cost_known"], &view["candidate_arm"]["requests"]),
        (&json!(0), &json!(80))
    );
    assert_eq!(view["candidate_arm"]["keys"], 40, "users of two weights count once");
    let explained = json(server.get(&format!("{path}/explain"), &server.admin).await, 200).await;
    assert_eq!(explained["now"]["warnings"], view["warnings"]);
}
