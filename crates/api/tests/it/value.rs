//! Events about agents' worth, files of them, and reports: who may, and what is refused.

use lockgate_store::Role;
use serde_json::{Value, json};

use crate::server::{json as answered, problem, server};

const EVENTS: &str = "/api/v1/value/events";
const IMPORTS: &str = "/api/v1/value/imports";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn survey(key: &str, agent: Option<&str>) -> Value {
    json!({
        "key": key, "at": "2026-11-20T10:00:00Z", "agent": agent, "source": "survey",
        "kind": "survey", "score": 9,
    })
}

#[tokio::test]
async fn who_is_limited_to_some_agents_tells_and_sees_of_those_alone() {
    let server = server().await;
    let (ours, viewer) = (
        server.token(Role::Operator, Some(&["support"])).await,
        server.token(Role::Viewer, Some(&["support"])).await,
    );
    let told = |token: String, event: Value| {
        let server = &server;
        async move { server.post(EVENTS, &token, json!({ "events": [event] })).await }
    };
    answered(told(ours.clone(), survey("a", Some("support"))).await, 201).await;
    problem(told(ours.clone(), survey("b", Some("other"))).await, 404).await;
    problem(told(ours.clone(), survey("c", None)).await, 403).await;
    problem(told(viewer.clone(), survey("d", Some("support"))).await, 403).await;
    answered(told(server.admin.clone(), survey("e", None)).await, 201).await;
    let keys = async |token: &str| {
        let rows = answered(server.get(EVENTS, token).await, 200).await;
        let keys = rows.as_array().unwrap().iter().map(|row| row["event"]["key"].clone());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&viewer).await, [json!("a")]);
    assert_eq!(keys(&server.admin).await, [json!("e"), json!("a")], "the newest first");
    problem(server.get("/api/v1/value/report", &viewer).await, 403).await;
    let own = "/api/v1/value/report?agent=support&from=2026-11-01&to=2026-11-30";
    let own = answered(server.get(own, &viewer).await, 200).await;
    assert_eq!(own["agent"], "support");
    problem(server.get(IMPORTS, &viewer).await, 403).await;
    let actions = server.world.ledger.actions();
    assert_eq!(actions.iter().filter(|action| *action == "value.record").count(), 2);
}

#[tokio::test]
async fn a_report_is_the_same_canonical_bytes_for_everybody() {
    let server = server().await;
    let viewer = server.token(Role::Viewer, None).await;
    for (n, score) in [(0, 10), (1, 3), (2, 9)] {
        let mut event = survey(&format!("k{n}"), Some("support"));
        event["score"] = json!(score);
        answered(server.post(EVENTS, &server.admin, json!({ "events": [event] })).await, 201).await;
    }
    let query = "?agent=support&from=2026-11-01&to=2026-11-30&time_zone=Europe/Berlin&compare=true";
    for path in ["/api/v1/value/report", "/api/v1/value/suggestions"] {
        let query = if path.ends_with("report") { query } else { "?to=2026-11-30" };
        let mut all = Vec::new();
        for token in [&server.admin, &viewer, &viewer] {
            let answer = server.get(&format!("{path}{query}"), token).await;
            assert_eq!(answer.headers()["content-type"], "application/json");
            all.push(answer.text().await.unwrap());
        }
        assert!(all.iter().all(|text| *text == all[0]), "{path}");
        // Read and written canonically again, nothing changes.
        let read: Value = serde_json::from_str(&all[0]).unwrap();
        let again = lockgate_value::render::canonical(&read).unwrap();
        assert_eq!(all[0], again, "{path}");
    }
}

#[tokio::test]
async fn an_import_is_its_own_tokens_and_of_those_who_see_all() {
    let server = server().await;
    let ours = server.token(Role::Operator, Some(&["support"])).await;
    let theirs = server.named_token("theirs", Role::Operator, Some(&["support"])).await;
    let digest = |n: u8| format!("sha256:{}", format!("{n:02x}").repeat(32));
    let begin = |token: String, n: u8| {
        let (server, body) = (&server, json!({ "digest": digest(n), "name": "f.csv", "rows": 2 }));
        async move { server.post(IMPORTS, &token, body).await }
    };
    answered(begin(ours.clone(), 0).await, 200).await;
    problem(begin(theirs.clone(), 0).await, 403).await;
    let rows = format!("{IMPORTS}/{}/rows", digest(0));
    let first = json!({ "first": 0, "events": [survey("a", Some("support"))] });
    problem(server.post(&rows, &theirs, first.clone()).await, 403).await;
    let taken = answered(server.post(&rows, &ours, first).await, 200).await;
    assert_eq!((&taken["taken"], &taken["done"]), (&json!(1), &json!(false)));
    let last = json!({ "first": 1, "events": [survey("b", Some("support"))] });
    let done = answered(server.post(&rows, &server.admin, last).await, 200).await;
    assert_eq!(done["done"], true);
    // Whoever is limited takes not all places.
    for n in 1..=5 {
        answered(begin(theirs.clone(), n).await, 200).await;
    }
    problem(begin(theirs.clone(), 6).await, 409).await;
    answered(begin(theirs.clone(), 5).await, 200).await;
    answered(begin(ours.clone(), 7).await, 200).await;
}

#[tokio::test]
async fn what_is_no_event_and_too_many_of_them_are_refused_whole() {
    let server = server().await;
    let admin = &server.admin;
    let post = async |body: Value| server.post(EVENTS, admin, body).await;
    problem(post(json!({ "events": [] })).await, 422).await;
    let many: Vec<Value> = (0..1_001).map(|n| survey(&format!("k{n}"), None)).collect();
    problem(post(json!({ "events": many })).await, 422).await;
    let mut wrong = survey("b", None);
    wrong["score"] = json!(11);
    let told = problem(post(json!({ "events": [survey("a", None), wrong] })).await, 422).await;
    assert!(told["detail"].as_str().unwrap().contains("score"), "{told}");
    let two = json!({ "events": [survey("a", None), survey("b", None)] });
    answered(post(two).await, 201).await;
    let mut other = survey("b", None);
    other["score"] = json!(1);
    let told = problem(post(json!({ "events": [survey("c", None), other] })).await, 409).await;
    assert_eq!(told["errors"][0]["path"], "events[1]", "{told}");
    let dry = json!({ "events": [survey("c", None), survey("a", None)], "dry_run": true });
    let dry = answered(post(dry).await, 200).await;
    assert_eq!((&dry["new"], &dry["known"]), (&json!(1), &json!(1)), "c was not recorded");
    for (query, status) in [
        ("?from=2026-13-01", 400),
        ("?time_zone=Mars/Base", 400),
        ("?from=2026-11-02&to=2026-11-01", 400),
        ("?from=0001-01-01", 400),
        ("?agent=nobody", 404),
        ("?unknown=1", 400),
    ] {
        problem(server.get(&format!("/api/v1/value/report{query}"), admin).await, status).await;
    }
}

#[tokio::test]
async fn a_file_counts_when_it_is_whole() {
    let server = server().await;
    let admin = &server.admin;
    let begin = json!({ "digest": DIGEST, "name": "a\u{1b}.csv", "rows": 2 });
    let first = answered(server.post(IMPORTS, admin, begin).await, 200).await;
    assert_eq!((&first["taken"], &first["name"]), (&json!(0), &json!("a.csv")));
    let rows = format!("{IMPORTS}/{DIGEST}/rows");
    let part = |first: u64, key: &str| json!({ "first": first, "events": [survey(key, None)] });
    problem(server.post(&rows, admin, part(1, "b")).await, 409).await;
    answered(server.post(&rows, admin, part(0, "a")).await, 200).await;
    let told =
        problem(server.post(EVENTS, admin, json!({ "events": [survey("a", None)] })).await, 409);
    assert!(told.await["detail"].as_str().unwrap().contains("not whole"));
    assert_eq!(answered(server.get(EVENTS, admin).await, 200).await, json!([]));
    let done = answered(server.post(&rows, admin, part(1, "b")).await, 200).await;
    assert_eq!(done["done"], true);
    let more = json!({ "first": 2, "events": [survey("c", None)] });
    problem(server.post(&rows, admin, more).await, 409).await;
    let other = json!({ "digest": DIGEST, "name": "a.csv", "rows": 3 });
    problem(server.post(IMPORTS, admin, other).await, 409).await;
    for rows in [0, 10_000_001] {
        let body = json!({ "digest": DIGEST, "name": "a.csv", "rows": rows });
        problem(server.post(IMPORTS, admin, body).await, 422).await;
    }
    assert_eq!(answered(server.get(IMPORTS, admin).await, 200).await[0]["rows"], 2);
    let actions = server.world.ledger.actions();
    assert_eq!(actions.iter().filter(|action| *action == "value.import").count(), 1);
}
