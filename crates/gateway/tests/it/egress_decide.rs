//! Decisions for others who enforce them: asked before, told after, and recorded like any other.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use lockgate_model::ledger::Step;
use lockgate_model::tool::{Tool, ToolLimits, ToolMode, ToolProtocol};
use serde_json::{Value, json};

use crate::egress_world::{World, body, token};
use crate::world::Got;

async fn start() -> World {
    let mut world = World::start().await;
    world.tools.push(Tool {
        name: "desk".parse().unwrap(),
        url: String::new(),
        protocol: ToolProtocol::External,
        credential: None,
        timeout_ms: 1_000,
        limits: ToolLimits::default(),
        mode: ToolMode::Enforce,
        agent: None,
    });
    world.publish(Vec::new()).await;
    world
}

fn post(version: &str, path: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {}", token(version)))
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap()
}

async fn ask(world: &World, path: &str, body: &Value) -> Got {
    world.client().await.send(post("v1", path, body)).await
}

fn question(action: &str) -> Value {
    json!({ "tool": "desk", "action": action, "arguments": { "path": "/a" }, "request": 7 })
}

#[tokio::test]
async fn what_is_allowed_is_recorded_before_it_is_known_and_its_outcome_once() {
    let world = start().await;
    let mut asked = question("read");
    asked["interaction"] = "0190a1b2-0000-7000-8000-000000000001".into();
    let got = ask(&world, "/decide", &asked).await;
    let answer = body(&got);
    assert_eq!((got.status, &answer["decision"]), (200, &json!("allow")));
    assert_eq!(answer["outcome_within_ms"], 1_000);
    let [intent] = &world.entries()[..] else { panic!("an intent and nothing else yet") };
    assert_eq!((intent.step, intent.object.as_str()), (Step::Intent, "desk/read"));
    assert_eq!(
        (&intent.detail["request"], &intent.detail["governed"]["link"]),
        (&json!(7), &json!("none")),
        "nobody knows that interaction"
    );
    let at = format!("/decide/{}", answer["record"]);
    let told = json!({ "outcome": "error", "code": -5 });
    let other = post("v2", &at, &told);
    assert_eq!(world.client().await.send(other).await.status, 404, "another version's is nobody's");
    assert_eq!(ask(&world, &at, &json!({ "outcome": "fine" })).await.status, 400);
    assert_eq!(ask(&world, &at, &told).await.status, 204);
    assert_eq!(ask(&world, &at, &told).await.status, 404, "once");
    let outcome = world.outcome().await;
    assert_eq!(
        (&outcome["outcome"], &outcome["code"], &outcome["forwarded"]),
        (&json!("error"), &json!(-5), &json!(true))
    );
}

#[tokio::test]
async fn every_outcome_has_a_name() {
    for (outcome, recorded) in [
        ("ok", "ok"),
        ("input_required", "input_required"),
        ("tool_error", "tool_error"),
        ("unreachable", "upstream_error"),
        ("timeout", "timeout"),
        ("cancelled", "cancelled"),
        ("cut", "cut"),
    ] {
        let world = start().await;
        let record = body(&ask(&world, "/decide", &question("read")).await)["record"].clone();
        let told = json!({ "outcome": outcome, "forwarded": false });
        assert_eq!(ask(&world, &format!("/decide/{record}"), &told).await.status, 204);
        let outcome = world.outcome().await;
        assert_eq!((&outcome["outcome"], &outcome["forwarded"]), (&json!(recorded), &json!(false)));
    }
}

#[tokio::test]
async fn what_nobody_tells_ends_by_itself() {
    let world = start().await;
    let record = body(&ask(&world, "/decide", &question("read")).await)["record"].clone();
    assert_eq!(world.outcome().await["outcome"], "timeout");
    let late = ask(&world, &format!("/decide/{record}"), &json!({ "outcome": "ok" })).await;
    assert_eq!(late.status, 404);
    // Nor does an intent stay open when the gateway stops.
    let mut world = start().await;
    world.tools.last_mut().unwrap().timeout_ms = 3_600_000;
    world.publish(Vec::new()).await;
    assert_eq!(ask(&world, "/decide", &question("read")).await.status, 200);
    let World { gateway, fake, .. } = world;
    gateway.shutdown(Duration::ZERO).await;
    let entries = fake.entries.lock().unwrap().clone();
    let ends: Vec<&Value> =
        entries.iter().map(|entry| &entry.detail["outcome"]).filter(|end| !end.is_null()).collect();
    assert_eq!(ends, [&json!("cut")]);
}

#[tokio::test]
async fn a_denial_says_why() {
    let world = start().await;
    let answer = body(&ask(&world, "/decide", &question("write")).await);
    assert_eq!(
        answer,
        json!({ "decision": "deny", "hidden": false, "reason": "agents do not write",
            "message": "Reading is allowed.", "rules": ["rule-write"], "record": 0, "approval": null,
            "text": "Refused by Lockgate: agents do not write. Reading is allowed. (audit record 0)" })
    );
    let hidden = body(&ask(&world, "/decide", &question("secret")).await);
    assert_eq!(hidden, json!({ "decision": "deny", "hidden": true }));
    assert!(world.entries().iter().all(|entry| entry.action == "action.refused"));
    let which = json!({ "tool": "desk", "actions": ["read", "secret", "write", "a b", 7] });
    assert_eq!(
        body(&ask(&world, "/permits", &which).await),
        json!({ "permitted": ["read", "write"] })
    );
}

#[tokio::test]
async fn a_question_is_understood_or_refused() {
    let world = start().await;
    let with = |field: &str, is: Value| {
        let mut question = question("read");
        question[field] = is;
        question
    };
    for (path, question, status) in [
        ("/decide", with("tool", "files".into()), 404),
        ("/decide", with("tool", "none".into()), 404),
        ("/decide", with("tool", 7.into()), 400),
        ("/decide", with("action", "a b".into()), 400),
        ("/decide", with("arguments", json!([])), 400),
        ("/decide", with("argument", json!({})), 400),
        ("/decide", with("Tool", json!("desk")), 400),
        ("/decide", with("request", json!({})), 400),
        ("/decide", json!([]), 400),
        ("/decide/", json!({ "outcome": "ok" }), 404),
        ("/decide/0", json!({ "outcome": "ok" }), 404),
        ("/decide/-1", json!({ "outcome": "ok" }), 404),
        ("/permits", json!({ "tool": "desk" }), 400),
        ("/permits", json!({ "tool": "desk", "actions": vec!["a"; 4_097] }), 400),
        ("/decided", json!({}), 404),
    ] {
        let got = ask(&world, path, &question).await;
        assert_eq!(got.status, status, "{path} {question}");
        assert_eq!(got.header("content-type"), "application/problem+json", "{path}");
    }
    let mut nobody = post("v1", "/decide", &question("read"));
    nobody.headers_mut().insert("authorization", "Bearer x".parse().unwrap());
    assert_eq!(world.client().await.send(nobody).await.status, 401);
    let mut get = post("v1", "/decide", &question("read"));
    *get.method_mut() = http::Method::GET;
    assert_eq!(world.client().await.send(get).await.status, 405);
    assert!(world.entries().is_empty());
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    let denied = body(&ask(&world, "/decide", &question("read")).await);
    assert_eq!((&denied["decision"], &denied["record"]), (&json!("deny"), &Value::Null));
    let closed = {
        let mut snapshot = world.snapshot(Vec::new());
        snapshot.egress.snapshot_max_age_ms = 0;
        world.put_in_force(snapshot).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        ask(&world, "/decide", &question("read")).await
    };
    assert_eq!(closed.status, 503);
}

#[tokio::test]
async fn no_caller_keeps_more_under_way_than_it_may() {
    let mut world = start().await;
    world.tools.last_mut().unwrap().timeout_ms = 3_600_000;
    world.publish(Vec::new()).await;
    let own = token("v1");
    let mut client = world.client().await;
    let mut ask = async |question: &Value| {
        let mut request = post("v1", "/decide", question);
        request.headers_mut().insert("authorization", format!("Bearer {own}").parse().unwrap());
        client.send(request).await
    };
    for _ in 0..512 {
        assert_eq!(ask(&question("read")).await.status, 200);
    }
    assert_eq!(ask(&question("read")).await.status, 429);
    assert_eq!(world.intents().len(), 512, "what is over is not recorded as about to be done");
}
