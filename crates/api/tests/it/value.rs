//! Events about agents' worth, files of them, and reports: who may, and what is refused.

use lockgate_store::Role;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
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
    let rows = format!("{IMPORTS}/{}/rows", digest(0));
    let part =
        |first: u64, key: &str| json!({ "first": first, "events": [survey(key, Some("support"))] });
    problem(server.post(&rows, &theirs, part(0, "x")).await, 404).await;
    let taken = answered(server.post(&rows, &ours, part(0, "a")).await, 200).await;
    assert_eq!((&taken["taken"], &taken["done"]), (&json!(1), &json!(false)));
    let done = answered(server.post(&rows, &ours, part(1, "b")).await, 200).await;
    assert_eq!((&done["done"], &done["digest"]), (&json!(true), &json!(digest(0))));
    // Whatever it sent under that digest: to others the file is not imported.
    for token in [&theirs, &server.admin] {
        let fresh = answered(begin(token.clone(), 0).await, 200).await;
        assert_eq!((&fresh["taken"], &fresh["done"]), (&json!(0), &json!(false)));
    }
    answered(server.post(&rows, &theirs, part(0, "c")).await, 200).await;
    let gone = server
        .request(Method::DELETE, &format!("{IMPORTS}/{}", digest(0)), &server.admin)
        .json(&json!({ "reason": "a test" }));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    // The admin's own is gone; the next one is that of the other token.
    let gone = server
        .request(Method::DELETE, &format!("{IMPORTS}/{}", digest(0)), &server.admin)
        .json(&json!({ "reason": "a test" }));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    problem(server.post(&rows, &theirs, part(1, "d")).await, 404).await;
    // What is refused at its first rows takes no place.
    answered(begin(theirs.clone(), 9).await, 200).await;
    let nine = format!("{IMPORTS}/{}/rows", digest(9));
    let mut other = part(0, "a");
    other["events"][0]["score"] = json!(1);
    problem(server.post(&nine, &theirs, other).await, 409).await;
    problem(server.post(&nine, &theirs, part(0, "e")).await, 404).await;
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
async fn what_is_yet_to_come_is_refused_and_keys_are_not_taken_from_others() {
    let server = server().await;
    let admin = &server.admin;
    let tell = async |token: &str, event: Value| {
        server.post(EVENTS, token, json!({ "events": [event] })).await
    };
    let mut late = survey("a", Some("support"));
    late["at"] = json!("2036-01-01T00:00:00Z");
    let told = problem(tell(admin, late).await, 409).await;
    assert!(told["detail"].as_str().unwrap().contains("yet to come"), "{told}");
    let incident = json!({
        "key": "i", "source": "s", "kind": "incident", "agent": "support",
        "at": "2026-11-01T00:00:00Z", "detected": "2026-11-01T00:00:00Z", "recovered": "2036-01-01T00:00:00Z",
    });
    let told = problem(tell(admin, incident).await, 409).await;
    assert!(told["detail"].as_str().unwrap().starts_with("Recovered: "), "{told}");
    // A charge may be of a time to come.
    let charge = json!({
        "key": "c", "source": "s", "kind": "external_cost", "agent": "support", "at": "2036-01-01T00:00:00Z",
        "billed_cost": "1", "billing_currency": "USD", "service_name": "s",
        "charge_period_start": "2036-01-01T00:00:00Z", "charge_period_end": "2036-02-01T00:00:00Z",
    });
    answered(tell(admin, charge).await, 201).await;

    let limited = server.token(Role::Operator, Some(&["support"])).await;
    let mut corrects = survey("x", Some("support"));
    corrects["corrects"] = json!("of-others");
    problem(tell(&limited, corrects.clone()).await, 409).await;
    answered(tell(admin, survey("of-others", Some("billing"))).await, 201).await;
    answered(tell(&limited, survey("own", Some("support"))).await, 201).await;
    corrects["corrects"] = json!("own");
    answered(tell(&limited, corrects).await, 201).await;
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
    answered(server.post(&rows, admin, part(0, "a")).await, 200).await;
    problem(server.post(&rows, admin, part(2, "c")).await, 409).await;
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

/// With a limit that events of others would fill, a page still holds the own ones.
#[tokio::test]
async fn who_is_limited_to_some_agents_gets_whole_pages() {
    let server = server().await;
    let viewer = server.token(Role::Viewer, Some(&["support"])).await;
    let tell = async |event: Value| {
        let body = json!({ "events": [event] });
        answered(server.post(EVENTS, &server.admin, body).await, 201).await;
    };
    tell(survey("a", Some("support"))).await;
    tell(survey("b", Some("support"))).await;
    for n in 0..4 {
        tell(survey(&format!("c{n}"), Some("billing"))).await;
        tell(survey(&format!("d{n}"), None)).await;
    }
    let page = async |query: &str| {
        answered(server.get(&format!("{EVENTS}?{query}"), &viewer).await, 200).await
    };
    let first = page("limit=1").await;
    assert_eq!(first[0]["event"]["key"], "b", "{first}");
    let second = page(&format!("limit=1&before={}", first[0]["id"])).await;
    assert_eq!(second[0]["event"]["key"], "a", "{second}");
    assert_eq!(page("agent=support&limit=2").await.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn who_is_limited_to_some_agents_says_nothing_of_another_as_a_system() {
    let server = server().await;
    let ours = server.token(Role::Operator, Some(&["support"])).await;
    let both = server.named_token("both", Role::Operator, Some(&["support", "billing"])).await;
    let system = |key: &str, name: &str| {
        json!({
            "key": key, "at": "2026-11-20T10:00:00Z", "agent": "support", "source": "map",
            "kind": "system", "name": name, "stage": "retired",
        })
    };
    let told = async |token: &str, event: Value| {
        server.post(EVENTS, token, json!({ "events": [survey("s", Some("support")), event] })).await
    };
    let refused = problem(told(&ours, system("a", "billing")).await, 403).await;
    assert!(refused["detail"].as_str().unwrap().contains("System `billing`"), "{refused}");
    let begin = json!({ "digest": DIGEST, "name": "f.csv", "rows": 1 });
    answered(server.post(IMPORTS, &ours, begin).await, 200).await;
    let rows = json!({ "first": 0, "events": [system("a", "billing")] });
    problem(server.post(&format!("{IMPORTS}/{DIGEST}/rows"), &ours, rows).await, 403).await;
    for (token, key, name) in [
        (&ours, "b", "support"),
        (&ours, "c", "Desk of ours"),
        (&both, "d", "billing"),
        (&server.admin, "e", "billing"),
    ] {
        answered(told(token, system(key, name)).await, 201).await;
    }
}

#[tokio::test]
async fn an_event_may_say_no_time_and_is_the_same_when_it_is_sent_again() {
    let server = server().await;
    let post = async |event: &Value| {
        server.post(EVENTS, &server.admin, json!({ "events": [event] })).await
    };
    let at = |told: &Value| told["at_wall_ms"][0].as_i64().unwrap();
    let first = answered(post(&survey("a", None)).await, 201).await;
    let correction = json!({
        "key": "b", "corrects": "a", "source": "survey", "kind": "survey", "score": 2,
    });
    let corrected = answered(post(&correction).await, 201).await;
    assert_eq!(at(&corrected), at(&first), "it stays where it was");
    let again = answered(post(&correction).await, 201).await;
    assert_eq!((&again["known"], at(&again)), (&json!(1), at(&first)));
    let mut fresh = correction.clone();
    fresh["key"] = json!("c");
    fresh["corrects"] = Value::Null;
    let now = answered(post(&fresh).await, 201).await;
    assert!(at(&now) > at(&first));
    let again = answered(post(&fresh).await, 201).await;
    assert_eq!((&again["known"], at(&again)), (&json!(1), at(&now)));
    fresh["at"] = json!("2026-11-20T10:00:00Z");
    let other = problem(post(&fresh).await, 409).await;
    assert!(other["detail"].as_str().unwrap().contains("`c` is there as of"), "{other}");
}

/// The way that a refusal used to tell people to go: to correct the correction that is not whole.
#[tokio::test]
async fn nothing_takes_the_place_of_what_is_not_whole() {
    let server = server().await;
    let correction = |key: &str, corrects: &str| {
        let mut event = survey(key, Some("support"));
        event["corrects"] = json!(corrects);
        event["score"] = json!(1);
        event
    };
    let post =
        async |event: Value| server.post(EVENTS, &server.admin, json!({ "events": [event] })).await;
    let votes = async || {
        let path = "/api/v1/value/report?agent=support&from=2026-11-01&to=2026-11-30";
        let report = answered(server.get(path, &server.admin).await, 200).await;
        let all = report["measures"].as_array().unwrap();
        let nps = all.iter().find(|one| one["id"] == "nps").unwrap();
        (nps["n"].as_u64(), nps["value"].as_f64())
    };
    answered(post(survey("a", Some("support"))).await, 201).await;
    let begin = json!({ "digest": DIGEST, "name": "f.csv", "rows": 2 });
    answered(server.post(IMPORTS, &server.admin, begin).await, 200).await;
    let import = format!("{IMPORTS}/{DIGEST}");
    let rows = json!({ "first": 0, "events": [correction("b", "a")] });
    answered(server.post(&format!("{import}/rows"), &server.admin, rows).await, 200).await;
    for (key, corrects) in [("c", "a"), ("d", "b")] {
        let refused = problem(post(correction(key, corrects)).await, 409).await;
        assert!(refused["detail"].as_str().unwrap().contains("not whole"), "{refused}");
    }
    assert_eq!(votes().await, (Some(1), Some(100.0)), "a alone");
    let why = json!({ "reason": "a test" });
    let gone = server.request(Method::DELETE, &import, &server.admin).json(&why).send().await;
    assert_eq!(gone.unwrap().status(), 204);
    assert_eq!(votes().await, (Some(1), Some(100.0)), "a alone");
    answered(post(correction("c", "a")).await, 201).await;
    assert_eq!(votes().await, (Some(1), Some(-100.0)));
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused() {
    let server = server().await;
    let body = r#"{"events":[{"key":"a","source":"s","kind":"survey","score":9,"score":1}]}"#;
    let sent = server.request(Method::POST, EVENTS, &server.admin);
    let sent = sent.header(CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
    let told = problem(sent, 422).await;
    assert!(
        told["detail"].as_str().unwrap().contains("score: this field is there twice"),
        "{told}"
    );
}

/// Nobody can know whether two lists of amounts are one bill: it is told, in a dry run and when it counts.
#[tokio::test]
async fn charges_that_may_be_there_twice_are_told() {
    let server = server().await;
    let charge = |key: &str| {
        json!({
            "key": key, "at": "2026-11-01T00:00:00Z", "agent": "support", "source": "bill",
            "kind": "external_cost", "billed_cost": "1", "billing_currency": "USD",
            "charge_period_start": "2026-11-01T00:00:00Z",
            "charge_period_end": "2026-11-02T00:00:00Z", "service_name": "Search",
        })
    };
    let post = async |body: Value| server.post(EVENTS, &server.admin, body).await;
    let first = answered(post(json!({ "events": [charge("a")] })).await, 201).await;
    assert_eq!(first["also_charged"], json!([]));
    let dry = json!({ "events": [charge("b")], "dry_run": true });
    let dry = answered(post(dry).await, 200).await;
    let expected = json!([{
        "agent": "support", "service": "Search", "from_wall_ms": 1_793_491_200_000_i64,
        "to_wall_ms": 1_793_577_600_000_i64,
    }]);
    assert_eq!(dry["also_charged"], expected);
    let begin = json!({ "digest": DIGEST, "name": "f.csv", "rows": 1 });
    answered(server.post(IMPORTS, &server.admin, begin).await, 200).await;
    let rows = json!({ "first": 0, "events": [charge("b")] });
    let path = format!("{IMPORTS}/{DIGEST}/rows");
    let done = answered(server.post(&path, &server.admin, rows).await, 200).await;
    assert_eq!((&done["done"], &done["also_charged"]), (&json!(true), &expected));
}
