//! HTTP tools: what is declared is decided and passes, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use lockgate_model::config::SecretRef;
use lockgate_model::operation::Operation;
use lockgate_model::tool::{Credential, Tool, ToolLimits, ToolMode, ToolProtocol};
use serde_json::{Value, json};

use crate::egress_world::{World, body, token};
use crate::http_server;
use crate::mcp_server::State;
use crate::world::{Got, until};

/// A world with an HTTP tool.
async fn start() -> (World, Arc<State>) {
    let mut world = World::start().await;
    let (address, server) = http_server::start().await;
    let operation = |(name, call, query): (&str, &str, &[&str])| Operation {
        name: name.into(),
        call: call.parse().unwrap(),
        query: query.iter().map(|name| (*name).to_owned()).collect(),
    };
    let operations = [
        ("look_up", "GET /orders/{id}", &["expand"][..]),
        ("refund", "POST /orders/{id}/refunds", &[]),
        ("write", "PUT /orders/{id}", &[]),
        ("secret", "GET /secret", &[]),
    ];
    world.tools.push(Tool {
        name: "orders".parse().unwrap(),
        url: format!("http://{address}/api/"),
        protocol: ToolProtocol::Http(operations.map(operation).to_vec()),
        credential: Some(Credential {
            header: "x-key".into(),
            value: SecretRef::Env("KEY".into()),
        }),
        timeout_ms: 1_000,
        limits: ToolLimits::default(),
        mode: ToolMode::Enforce,
        agent: None,
    });
    world.publish(Vec::new()).await;
    (world, server)
}

fn request(method: Method, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {}", token("v1")));
    let mut text = String::new();
    if !body.is_null() {
        request = request.header("content-type", "application/json");
        text = body.to_string();
    }
    request.body(Full::new(text.into())).unwrap()
}

fn get(path: &str) -> Request<Full<Bytes>> {
    request(Method::GET, path, &Value::Null)
}

async fn send(world: &World, request: Request<Full<Bytes>>) -> Got {
    world.client().await.send(request).await
}

#[tokio::test]
async fn a_declared_operation_is_decided_by_all_that_it_says() {
    let (world, server) = start().await;
    let mut asked = request(
        Method::POST,
        "/http/orders/orders/a%20b/refunds",
        &json!({ "amount": { "minor": 5 } }),
    );
    for (name, value) in [
        ("cookie", "session=1"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded-host", "evil"),
        ("idempotency-key", "once"),
        ("accept", "application/json"),
        ("x-key", "own"),
    ] {
        asked.headers_mut().insert(name, value.parse().unwrap());
    }
    let got = send(&world, asked).await;
    assert_eq!((got.status, got.header("etag")), (200, "\"1\""));
    assert_eq!(body(&got)["asked"], "/api/orders/a%20b/refunds");
    for gone in ["set-cookie", "server", "x-internal-host"] {
        assert_eq!(got.header(gone), "", "{gone}");
    }
    let seen = server.last();
    assert_eq!((seen.method, &seen.body), (Method::POST, &json!({ "amount": { "minor": 5 } })));
    assert_eq!(seen.headers["x-key"], "Bearer upstream");
    assert_eq!(
        (&seen.headers["idempotency-key"], &seen.headers["accept"]),
        (&"once".parse().unwrap(), &"application/json".parse().unwrap())
    );
    for gone in ["cookie", "authorization", "x-http-method-override", "x-forwarded-host"] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
    let outcome = world.outcome().await;
    assert_eq!((&outcome["outcome"], &outcome["status"]), (&json!("ok"), &json!(200)));
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.object, "orders/refund");
    let payload = &intent.detail["governed"]["payload"];
    assert_eq!(*payload, json!({ "id": "a b", "amount": { "minor": 5 } }));
}

#[tokio::test]
async fn what_is_written_is_sent_in_one_spelling() {
    let (world, server) = start().await;
    assert_eq!(send(&world, get("/http/orders/orders/%61?expand=x+y%2f")).await.status, 200);
    assert_eq!(server.last().path, "/api/orders/a?expand=x%20y%2F");
    assert_eq!(
        world.intents()[0].detail["governed"]["payload"],
        json!({ "id": "a", "expand": "x y/" })
    );
}

#[tokio::test]
async fn a_refusal_says_why_and_reaches_nobody() {
    let (world, server) = start().await;
    let got = send(&world, request(Method::PUT, "/http/orders/orders/1", &json!({}))).await;
    assert_eq!((got.status, got.header("content-type")), (403, "application/problem+json"));
    assert_eq!(
        body(&got),
        json!({ "type": "urn:lockgate:problem:denied", "title": "Refused by Lockgate", "status": 403,
            "detail": "Refused by Lockgate: agents do not write. Reading is allowed. (audit record 0)",
            "reason": "agents do not write", "message": "Reading is allowed.", "rules": ["rule-write"],
            "audit_record": 0, "approval": null })
    );
    assert_eq!(world.entries()[0].action, "action.refused");
    let got = send(&world, get("/http/orders/secret")).await;
    let unknown = send(&world, get("/http/orders/other")).await;
    assert_eq!((got.status, body(&got)), (404, body(&unknown)), "what is hidden does not exist");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_declared_or_unclear_is_not_forwarded() {
    let (world, server) = start().await;
    for (asked, status) in [
        (get("/http/orders/orders"), 404),
        (get("/http/orders"), 404),
        (get("/http/none/orders/1"), 404),
        (get("/http/files/orders/1"), 404),
        (get("/mcp/orders"), 404),
        (request(Method::DELETE, "/http/orders/orders/1", &Value::Null), 404),
        (request(Method::HEAD, "/http/orders/orders/1", &Value::Null), 404),
        (get("/http/orders/orders/.."), 400),
        (get("/http/orders/orders/%2e%2e"), 400),
        (get("/http/orders/orders/1%2f2"), 400),
        (get("/http/orders//orders/1"), 400),
        (get("/http/orders/orders/1?expand=a&expand=b"), 400),
        (get("/http/orders/orders/1?more=a"), 400),
        (request(Method::GET, "/http/orders/orders/1", &json!({})), 400),
        (request(Method::POST, "/http/orders/orders/1/refunds", &json!({ "id": "2" })), 400),
    ] {
        let shown = format!("{} {}", asked.method(), asked.uri());
        let got = send(&world, asked).await;
        assert_eq!(got.status, status, "{shown}");
        assert_eq!(got.header("content-type"), "application/problem+json", "{shown}");
    }
    let mut form = request(Method::POST, "/http/orders/orders/1/refunds", &json!({}));
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(send(&world, form).await.status, 415);
    let mut nobody = get("/http/orders/orders/1");
    nobody.headers_mut().remove("authorization");
    assert_eq!(send(&world, nobody).await.status, 401);
    let mut page = get("/http/orders/orders/1");
    page.headers_mut().insert("origin", "https://x".parse().unwrap());
    assert_eq!(send(&world, page).await.status, 403);
    let large = json!({ "note": "x".repeat(5 * 1024 * 1024) });
    let large = request(Method::POST, "/http/orders/orders/1/refunds", &large);
    let got = world.client().await.try_send(large).await;
    assert!(got.is_err() || got.is_ok_and(|got| got.status == 413));
    assert!(server.seen.lock().unwrap().is_empty() && world.intents().is_empty());
}

#[tokio::test]
async fn what_the_server_answers_passes_but_for_redirects_and_credentials() {
    for (what, status, outcome, said) in [
        ("gone", 404, "tool_error", "no such order"),
        ("broken", 500, "upstream_error", "no"),
        ("same", 304, "ok", ""),
        ("none", 204, "ok", ""),
        ("login", 502, "upstream_error", "status 401"),
        ("moved", 502, "upstream_error", "status 302"),
        ("packed", 502, "upstream_error", "compressed"),
        ("hangs", 502, "timeout", "in time"),
    ] {
        let (world, server) = start().await;
        let got = send(&world, get(&format!("/http/orders/orders/{what}"))).await;
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        assert_eq!(got.status, status, "{what}");
        assert!(text.contains(said) && !text.contains("secret"), "{what}: {text}");
        for absent in ["location", "www-authenticate", "set-cookie"] {
            assert_eq!(got.header(absent), "", "{what}: {absent}");
        }
        assert_eq!(world.outcome().await["outcome"], outcome, "{what}");
        assert_eq!(server.seen.lock().unwrap().len(), 1, "{what}: nothing is tried again");
    }
}

#[tokio::test]
async fn an_answer_is_not_held_back_and_ends_with_whoever_leaves() {
    let (world, server) = start().await;
    let mut client = world.client().await;
    let mut answer = client.open(get("/http/orders/orders/slow")).await.unwrap().into_body();
    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"begun");
    drop((answer, client));
    until("the server is left", || server.left.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.outcome().await["outcome"], "cancelled");
    // And nobody waits for ever.
    let (world, _) = start().await;
    let got = world.client().await.try_send(get("/http/orders/orders/slow")).await;
    assert!(got.is_err(), "it broke off");
    assert_eq!(world.outcome().await["outcome"], "timeout");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let (world, server) = start().await;
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    let got = send(&world, get("/http/orders/orders/1")).await;
    assert_eq!((got.status, &body(&got)["type"]), (503, &json!("urn:lockgate:problem:closed")));
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn through_the_proxy_an_operation_is_the_same_operation() {
    let (world, server) = start().await;
    let at = world.tools[1].url.trim_end_matches("/api/").to_owned();
    let own = format!("Bearer {}", token("v1"));
    let proxied = |method: Method, path: &str| {
        let mut request = request(method, &format!("{at}{path}"), &Value::Null);
        // What is for the tool is ours to say.
        request.headers_mut().insert("authorization", "Bearer the-agents-own".parse().unwrap());
        request.headers_mut().insert("proxy-authorization", own.parse().unwrap());
        request
    };
    let got = send(&world, proxied(Method::GET, "/api/orders/7?expand=items")).await;
    assert_eq!((got.status, &body(&got)["asked"]), (200, &json!("/api/orders/7?expand=items")));
    let seen = server.last();
    assert_eq!(seen.headers["x-key"], "Bearer upstream");
    assert!(seen.headers.get("authorization").is_none(), "{:?}", seen.headers);
    assert_eq!(world.intents()[0].object, "orders/look_up");
    assert_eq!(send(&world, proxied(Method::PUT, "/api/orders/7")).await.status, 403, "decided");
    let nowhere = [
        format!("{at}/orders/7"),
        format!("{at}/apiorders/7"),
        format!("{at}/"),
        "http://elsewhere.test/api/orders/7".to_owned(),
        "http://127.1/api/orders/7".to_owned(),
        format!("http://{}/http/orders/orders/7", world.gateway.egress_addr().unwrap()),
        world.tools[0].url.clone(),
    ];
    for to in &nowhere {
        let mut request = proxied(Method::GET, "");
        *request.uri_mut() = to.parse().unwrap();
        let got = send(&world, request).await;
        assert_eq!(got.status, 403, "{to}");
        assert!(body(&got)["audit_record"].is_u64(), "{to}");
    }
    let mut nobody = proxied(Method::GET, "/api/orders/7");
    nobody.headers_mut().remove("proxy-authorization");
    assert_eq!(send(&world, nobody).await.status, 407);
    assert_eq!(world.intents().len(), 1, "nothing else was about to be done");
    let refused = world.entries().into_iter().filter(|entry| entry.action == "action.refused");
    assert_eq!(refused.count(), nowhere.len() + 1);
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}
