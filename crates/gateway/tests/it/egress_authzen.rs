//! The Authorization API of `AuthZEN`: evaluations are decided and recorded like any action that others do.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use lockgate_model::ledger::{LedgerEntry, Step};
use lockgate_model::tool::{Tool, ToolLimits, ToolMode, ToolProtocol};
use serde_json::{Value, json};

use crate::egress_world::{World, body, token};
use crate::world::{Got, until};

const ONE: &str = "/access/v1/evaluation";
const SEVERAL: &str = "/access/v1/evaluations";

async fn start(timeout_ms: u64) -> World {
    let mut world = World::start().await;
    world.tools.push(Tool {
        name: "desk".parse().unwrap(),
        url: String::new(),
        protocol: ToolProtocol::External,
        credential: None,
        timeout_ms,
        limits: ToolLimits::default(),
        mode: ToolMode::Enforce,
        agent: None,
    });
    world.publish(Vec::new()).await;
    world
}

fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {}", token("v1")))
        .header("content-type", "application/json")
        .header("x-request-id", "r-1")
        .body(Full::new(body.to_string().into()))
        .unwrap()
}

async fn ask(world: &World, path: &str, body: &Value) -> Got {
    world.client().await.send(post(path, body)).await
}

fn evaluation(action: &str) -> Value {
    json!({
        "subject": { "type": "agent", "id": "support/v1" },
        "resource": { "type": "tool", "id": "desk" },
        "action": { "name": action, "properties": { "path": "/a" } },
    })
}

fn with(field: &str, is: Value) -> Value {
    let mut asked = evaluation("read");
    asked[field] = is;
    asked
}

fn boxcar(semantic: &str, actions: &[&str]) -> Value {
    let all: Vec<Value> =
        actions.iter().map(|action| json!({ "action": { "name": action } })).collect();
    json!({
        "subject": { "type": "agent", "id": "support" },
        "resource": { "type": "tool", "id": "desk" },
        "options": { "evaluations_semantic": semantic },
        "evaluations": all,
    })
}

fn decisions(answer: &Value) -> Vec<bool> {
    assert!(answer.get("decision").is_none(), "{answer}");
    let all = answer["evaluations"].as_array().unwrap();
    all.iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

fn ends(world: &World) -> Vec<(u64, Value)> {
    let end = |entry: LedgerEntry| match entry.step {
        Step::Outcome { of } => Some((of, entry.detail["outcome"].clone())),
        _ => None,
    };
    world.entries().into_iter().filter_map(end).collect()
}

#[tokio::test]
async fn a_permit_has_its_intent_and_its_outcome_is_told_like_any_other() {
    let world = start(3_600_000).await;
    let mut asked = evaluation("read");
    asked["context"] =
        json!({ "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });
    let got = ask(&world, ONE, &asked).await;
    assert_eq!((got.status, got.header("content-type")), (200, "application/json"));
    assert_eq!(got.header("x-request-id"), "r-1");
    let answer = body(&got);
    assert_eq!(
        answer,
        json!({ "decision": true, "context": { "record": 0, "outcome_within_ms": 3_600_000 } })
    );
    let [intent] = &world.entries()[..] else { panic!("an intent and nothing else yet") };
    assert_eq!((intent.step, intent.object.as_str()), (Step::Intent, "desk/read"));
    assert_eq!(intent.detail["request"], "r-1");
    assert!(intent.labels.contains(&("trace", "4bf92f3577b34da6a3ce929d0e0e4736".into())));
    assert_eq!(ask(&world, "/decide/0", &json!({ "outcome": "ok" })).await.status, 204);
    assert_eq!(ask(&world, "/decide/0", &json!({ "outcome": "ok" })).await.status, 404);
    assert_eq!(world.outcome().await["outcome"], "ok");
}

#[tokio::test]
async fn a_permit_of_which_nobody_tells_the_outcome_ends_by_itself() {
    let world = start(1_000).await;
    assert_eq!(body(&ask(&world, ONE, &evaluation("read")).await)["decision"], true);
    assert_eq!(world.outcome().await["outcome"], "timeout");
}

#[tokio::test]
async fn a_denial_says_why_and_what_does_not_exist_is_denied() {
    let world = start(1_000).await;
    assert_eq!(
        body(&ask(&world, ONE, &evaluation("write")).await),
        json!({ "decision": false, "context": { "reason": "agents do not write",
            "message": "Reading is allowed.", "rules": ["rule-write"], "record": 0 } })
    );
    for asked in [
        evaluation("secret"),
        with("resource", json!({ "type": "tool", "id": "files" })),
        with("resource", json!({ "type": "tool", "id": "none" })),
        with("resource", json!({ "type": "tool", "id": "a b" })),
        with("resource", json!({ "type": "document", "id": "desk" })),
    ] {
        let got = ask(&world, ONE, &asked).await;
        let answer = body(&got);
        assert_eq!((got.status, &answer["decision"]), (200, &json!(false)), "{asked}");
        assert_eq!(answer["context"]["error"]["status"], 404, "{asked}");
    }
    let answer = body(&ask(&world, ONE, &evaluation("a b")).await);
    assert_eq!(answer["decision"], false);
    let unsure = body(&ask(&world, ONE, &evaluation("pay")).await);
    assert_eq!(unsure["decision"], false, "nobody can be asked here");
    assert!(world.entries().iter().all(|entry| entry.action == "action.refused"));
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    let answer = body(&ask(&world, ONE, &evaluation("read")).await);
    assert_eq!(answer["decision"], false, "what is not recorded is not permitted");
}

#[tokio::test]
async fn nobody_asks_for_somebody_else() {
    let world = start(3_600_000).await;
    let subjects = [
        json!({ "type": "agent", "id": "support/v2" }),
        json!({ "type": "agent", "id": "clerk" }),
        json!({ "type": "agent", "id": "support/v1/x" }),
        json!({ "type": "agent", "id": "Support" }),
        json!({ "type": "user", "id": "support" }),
    ];
    for subject in &subjects {
        let answer = body(&ask(&world, ONE, &with("subject", subject.clone())).await);
        assert_eq!(answer["decision"], false, "{subject}");
        let reason = answer["context"]["reason"].as_str().unwrap();
        assert!(reason.contains("the subject is not whose token this is"), "{reason}");
        assert!(answer["context"]["record"].is_u64(), "{subject}");
    }
    let refused = world.entries();
    assert_eq!(refused.len(), subjects.len());
    assert!(refused.iter().all(|entry| entry.action == "action.refused"));
    let own =
        with("subject", json!({ "type": "agent", "id": "support", "properties": { "x": 1 } }));
    assert_eq!(body(&ask(&world, ONE, &own).await)["decision"], true);
}

#[tokio::test]
async fn a_boxcar_is_decided_one_by_one_and_stops_where_it_should() {
    for (semantic, actions, expected) in [
        ("execute_all", ["write", "read", "list"], vec![false, true, true]),
        ("deny_on_first_deny", ["read", "write", "list"], vec![true, false]),
        ("permit_on_first_permit", ["write", "read", "list"], vec![false, true]),
    ] {
        let world = start(3_600_000).await;
        let answer = body(&ask(&world, SEVERAL, &boxcar(semantic, &actions)).await);
        assert_eq!(decisions(&answer), expected, "{semantic}");
        let permits = expected.iter().filter(|permit| **permit).count();
        assert_eq!(world.intents().len(), permits, "{semantic}: nothing else is about to be done");
        assert_eq!(world.entries().len(), expected.len(), "{semantic}");
        for one in answer["evaluations"].as_array().unwrap() {
            if one["decision"] == true {
                let at = format!("/decide/{}", one["context"]["record"]);
                let told = json!({ "outcome": "ok" });
                assert_eq!(ask(&world, &at, &told).await.status, 204, "each its own");
            }
        }
        until("outcomes are recorded", || ends(&world).len() == permits).await;
    }
}

#[tokio::test]
async fn what_cannot_be_understood_in_a_boxcar_is_denied_by_itself() {
    let world = start(3_600_000).await;
    let mut asked = boxcar("execute_all", &["read", "list"]);
    asked["evaluations"][0] = json!({});
    let answer = body(&ask(&world, SEVERAL, &asked).await);
    assert_eq!(decisions(&answer), [false, true]);
    assert_eq!(answer["evaluations"][0]["context"]["error"]["status"], 400);
    asked["options"]["evaluations_semantic"] = "deny_on_first_deny".into();
    assert_eq!(decisions(&body(&ask(&world, SEVERAL, &asked).await)), [false]);
    // Without evaluations it is one.
    for mut one in [evaluation("read"), with("evaluations", json!([]))] {
        assert_eq!(body(&ask(&world, SEVERAL, &one).await)["decision"], true);
        one["evaluations"] = json!([{ "action": { "name": "write" } }]);
        assert_eq!(body(&ask(&world, ONE, &one).await)["decision"], true, "not looked at there");
    }
}

#[tokio::test]
async fn a_boxcar_holds_no_more_than_may_be_under_way() {
    let world = start(3_600_000).await;
    let own = token("v1");
    let mut client = world.client().await;
    for full in 0..3 {
        let mut request = post(SEVERAL, &boxcar("execute_all", &["read"; 256]));
        request.headers_mut().insert("authorization", format!("Bearer {own}").parse().unwrap());
        let got = client.send(request).await;
        let answer = body(&got);
        if full < 2 {
            assert_eq!(decisions(&answer), [true; 256]);
        } else {
            assert_eq!(decisions(&answer), [false; 256]);
            assert_eq!(answer["evaluations"][0]["context"]["error"]["status"], 429);
        }
    }
    assert_eq!(world.intents().len(), 512);
}

#[tokio::test]
async fn errors_are_statuses_with_a_text() {
    let world = start(1_000).await;
    let subjectless =
        json!({ "action": { "name": "read" }, "resource": evaluation("read")["resource"] });
    for (path, asked, status) in [
        (ONE, subjectless, 400),
        (ONE, with("subject", "support".into()), 400),
        (ONE, with("action", json!({ "name": 7 })), 400),
        (ONE, json!([]), 400),
        (SEVERAL, with("evaluations", json!({})), 400),
        (SEVERAL, boxcar("some", &["read"]), 400),
        (SEVERAL, boxcar("execute_all", &["read"; 257]), 400),
        ("/access/v1/search/subject", evaluation("read"), 404),
    ] {
        let got = ask(&world, path, &asked).await;
        assert_eq!(got.status, status, "{path} {asked}");
        assert!(!got.body.is_empty() && got.header("content-type").starts_with("text/plain"));
        assert_eq!(got.header("x-request-id"), "r-1");
    }
    let send = async |change: fn(&mut Request<Full<Bytes>>)| {
        let mut request = post(ONE, &evaluation("read"));
        change(&mut request);
        world.client().await.send(request).await
    };
    let got = send(|request| drop(request.headers_mut().remove("authorization"))).await;
    assert_eq!((got.status, got.header("x-request-id")), (401, "r-1"));
    assert!(got.header("www-authenticate").starts_with("Bearer"));
    let got = send(|request| {
        request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    })
    .await;
    assert_eq!(got.status, 400);
    let got = send(|request| {
        request.headers_mut().insert("origin", "https://a.example".parse().unwrap());
    })
    .await;
    assert_eq!(got.status, 403);
    assert_eq!(send(|request| *request.method_mut() = Method::GET).await.status, 405);
    assert_eq!(send(|request| *request.body_mut() = Full::default()).await.status, 400);
    assert!(world.entries().is_empty());
    let mut snapshot = world.snapshot(Vec::new());
    snapshot.egress.snapshot_max_age_ms = 0;
    world.put_in_force(snapshot).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(ask(&world, ONE, &evaluation("read")).await.status, 503);
}

#[tokio::test]
async fn where_what_is_stands_where_clients_look() {
    let world = start(1_000).await;
    let get = |host: &str, proto: Option<&str>| {
        let mut request = Request::get("/.well-known/authzen-configuration").header("host", host);
        if let Some(proto) = proto {
            request = request.header("x-forwarded-proto", proto);
        }
        request.body(Full::<Bytes>::default()).unwrap()
    };
    let got = world.client().await.send(get("pdp.example", Some("https"))).await;
    assert_eq!(
        body(&got),
        json!({
            "policy_decision_point": "https://pdp.example",
            "access_evaluation_endpoint": "https://pdp.example/access/v1/evaluation",
            "access_evaluations_endpoint": "https://pdp.example/access/v1/evaluations",
        })
    );
    let got = world.client().await.send(get("127.0.0.1:8081", None)).await;
    assert_eq!(body(&got)["policy_decision_point"], "http://127.0.0.1:8081");
    assert_eq!(world.client().await.send(get("a\"b", None)).await.status, 400);
}
