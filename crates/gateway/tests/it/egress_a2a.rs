//! Calls of other agents: JSON-RPC and REST are the same actions, and what is not allowed reaches nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use lockgate_model::config::SecretRef;
use lockgate_model::tool::{Credential, Tool, ToolLimits, ToolMode, ToolProtocol};
use serde_json::{Value, json};

use crate::a2a_server::{self, Told};
use crate::egress_world::{World, body, events, token};
use crate::mcp_server::State;
use crate::world::{Got, until};

/// A world with another agent.
pub(crate) async fn start() -> (World, Arc<State>, Arc<Told>) {
    let mut world = World::start().await;
    let (address, server, told) = a2a_server::start().await;
    world.tools.push(Tool {
        name: "desk".parse().unwrap(),
        url: format!("http://{address}/agents/desk/"),
        protocol: ToolProtocol::A2a,
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
    (world, server, told)
}

pub(crate) fn asked(
    method: Method,
    path: &str,
    version: &str,
    sent: &Value,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {}", token("v1")));
    if !version.is_empty() {
        request = request.header("a2a-version", version);
    }
    let mut text = String::new();
    if !sent.is_null() {
        request = request.header("content-type", "application/json");
        text = sent.to_string();
    }
    request.body(Full::new(text.into())).unwrap()
}

fn rpc(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": "q", "method": method, "params": params })
}

fn rest(method: Method, path: &str, sent: &Value) -> Request<Full<Bytes>> {
    asked(method, &format!("/a2a/desk{path}"), "1.0", sent)
}

fn message(text: &str) -> Value {
    json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": text }] } })
}

fn with_push(text: &str) -> Value {
    let mut sent = message(text);
    sent["configuration"] =
        json!({ "taskPushNotificationConfig": { "url": "https://elsewhere.example.com" } });
    sent
}

async fn send(world: &World, request: Request<Full<Bytes>>) -> Got {
    world.client().await.send(request).await
}

/// An answer in JSON-RPC of 1.0.
async fn call(world: &World, method: &str, params: &Value) -> Value {
    let got = send(world, asked(Method::POST, "/a2a/desk", "1.0", &rpc(method, params))).await;
    assert_eq!(got.status, 200, "{got:?}");
    body(&got)
}

#[tokio::test]
async fn every_spelling_of_an_action_is_decided_and_recorded_alike() {
    let before = json!({ "message": { "kind": "message", "messageId": "m", "role": "user", "contextId": "c",
        "parts": [{ "kind": "text", "text": "hi" }] } });
    let mut now = message("hi");
    now["message"]["contextId"] = "c".into();
    let mut told = Vec::new();
    for request in [
        asked(Method::POST, "/a2a/desk", "1.0", &rpc("SendMessage", &now)),
        asked(Method::POST, "/a2a/desk/?A2A-Version=1.0", "", &rpc("SendMessage", &now)),
        asked(Method::POST, "/a2a/desk", "", &rpc("message/send", &before)),
        rest(Method::POST, "/message:send", &now),
    ] {
        let (world, server, _) = start().await;
        let got = send(&world, request).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert_eq!(got.header("a2a-extensions"), "https://x/ext");
        for gone in ["set-cookie", "location", "www-authenticate"] {
            assert_eq!(got.header(gone), "", "{gone}");
        }
        let seen = server.last();
        assert_eq!(seen.headers["x-key"], "Bearer upstream");
        assert!(!seen.headers.contains_key("authorization"));
        assert_eq!(world.outcome().await["outcome"], "ok");
        let [intent] = &world.intents()[..] else { panic!("one intent") };
        assert_eq!(intent.object, "desk/SendMessage");
        let mut payload = intent.detail["governed"]["payload"].clone();
        assert!(payload["bytes"].as_u64().unwrap() > 0);
        payload["bytes"] = Value::Null;
        told.push((payload, seen.path, seen.headers["a2a-version"].clone()));
    }
    for (payload, _, _) in &told {
        assert_eq!(*payload, told[0].0);
        assert_eq!((&payload["text"], &payload["context"]), (&json!("hi"), &json!("c")));
    }
    let paths: Vec<(&str, &str)> =
        told.iter().map(|(_, path, version)| (path.as_str(), version.to_str().unwrap())).collect();
    assert_eq!(
        paths,
        [
            ("/agents/desk/", "1.0"),
            ("/agents/desk/", "1.0"),
            ("/agents/desk/", "0.3"),
            ("/agents/desk/message:send", "1.0")
        ]
    );
}

#[tokio::test]
async fn other_actions_go_where_they_belong() {
    let (world, server, _) = start().await;
    for (method, path, sent, arrives, action) in [
        (
            Method::GET,
            "/tasks/%74?historyLength=2",
            json!(null),
            "GET /tasks/t?historyLength=2",
            "GetTask",
        ),
        (Method::GET, "/eu/tasks/t", json!(null), "GET /eu/tasks/t", "GetTask"),
        (
            Method::POST,
            "/tasks/t:cancel",
            json!({ "id": "t" }),
            "POST /tasks/t:cancel",
            "CancelTask",
        ),
        (
            Method::DELETE,
            "/tasks/t/pushNotificationConfigs/c",
            json!(null),
            "DELETE /tasks/t/pushNotificationConfigs/c",
            "DeleteTaskPushNotificationConfig",
        ),
    ] {
        let got = send(&world, rest(method, path, &sent)).await;
        assert_eq!(
            (got.status, got.header("content-type")),
            (200, "application/a2a+json"),
            "{path}"
        );
        let seen = server.last();
        let (method, end) = arrives.split_once(' ').unwrap();
        assert_eq!((seen.method.as_str(), seen.path), (method, format!("/agents/desk{end}")));
        assert_eq!(world.intents().last().unwrap().object, format!("desk/{action}"));
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_the_form_of_the_protocol_and_reaches_nobody() {
    let (world, server, _) = start().await;
    let push = json!({ "taskId": "t", "url": "https://elsewhere.example.com" });
    let expected = |record: u64, action: &str| {
        json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "UNSUPPORTED_OPERATION",
            "domain": "a2a-protocol.org",
            "metadata": { "reason": "nobody is told anything elsewhere", "message": "Reading is allowed.",
                "rules": format!("rule-{action}"), "audit_record": record.to_string() },
        }])
    };
    for (at, (action, params)) in
        [("SendMessage", with_push("hi")), ("CreateTaskPushNotificationConfig", push.clone())]
            .into_iter()
            .enumerate()
    {
        let error = &call(&world, action, &params).await["error"];
        assert_eq!(error["code"], -32004);
        assert_eq!(error["data"], expected(at as u64, action));
        let text = error["message"].as_str().unwrap();
        assert!(text.contains("nobody is told anything elsewhere. Reading is allowed."), "{text}");
    }
    let got = send(&world, rest(Method::POST, "/tasks/t/pushNotificationConfigs", &push)).await;
    assert_eq!((got.status, got.header("content-type")), (403, "application/a2a+json"));
    let error = &body(&got)["error"];
    assert_eq!((&error["code"], &error["status"]), (&json!(403), &json!("PERMISSION_DENIED")));
    assert_eq!(error["details"], expected(2, "CreateTaskPushNotificationConfig"));
    assert_eq!(world.entries().len(), 3);
    assert!(world.entries().iter().all(|entry| entry.action == "action.refused"));
    assert!(server.seen.lock().unwrap().is_empty() && world.intents().is_empty());
}

#[tokio::test]
async fn what_is_hidden_is_not_there() {
    let (world, server, _) = start().await;
    let hidden = call(&world, "ListTasks", &json!({})).await;
    assert_eq!(hidden, call(&world, "NoSuchMethod", &json!({})).await);
    assert_eq!(hidden["error"]["code"], -32601);
    let hidden = send(&world, rest(Method::GET, "/tasks", &json!(null))).await;
    let unknown = send(&world, rest(Method::GET, "/other", &json!(null))).await;
    assert_eq!((hidden.status, body(&hidden)), (404, body(&unknown)));
    // A version that may do nothing there sees nothing there, whatever it sends.
    let requests = |name: &str| {
        let at = |path: &str| format!("/a2a/{name}{path}");
        let mut all = vec![
            asked(Method::POST, &at(""), "1.0", &rpc("SendMessage", &message("hi"))),
            asked(Method::POST, &at(""), "9.9", &rpc("SendMessage", &message("hi"))),
            asked(Method::POST, &at(""), "1.0", &json!([])),
            asked(Method::GET, &at(""), "1.0", &json!(null)),
            asked(Method::POST, &at("/message:send"), "1.0", &message("hi")),
            asked(Method::GET, &at("/tasks/.."), "1.0", &json!(null)),
            asked(Method::GET, &at("/.well-known/agent-card.json"), "", &json!(null)),
        ];
        for request in &mut all {
            let bearer = format!("Bearer {}", token("v9")).parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        all
    };
    for (desk, none) in requests("desk").into_iter().zip(requests("none")) {
        let shown = format!("{} {}", desk.method(), desk.uri());
        let (desk, none) = (send(&world, desk).await, send(&world, none).await);
        assert_eq!((desk.status, &desk.body), (404, &none.body), "{shown}");
        assert_eq!(desk.header("content-type"), none.header("content-type"), "{shown}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_unclear_is_not_forwarded() {
    let (world, server, _) = start().await;
    let snake = json!({ "message": { "role": "ROLE_USER", "parts": [], "task_id": "t" } });
    for (version, sent, code) in [
        ("1.0", rpc("SendMessage", &json!({})), -32602),
        ("1.0", rpc("SendMessage", &snake), -32602),
        ("1.0", rpc("message/send", &message("hi")), -32009),
        ("", rpc("SendMessage", &message("hi")), -32009),
        ("0.4", rpc("SendMessage", &message("hi")), -32009),
        ("1.0", json!([rpc("SendMessage", &message("hi"))]), -32600),
        ("1.0", json!({ "jsonrpc": "2.0", "method": "GetTask", "params": { "id": "t" } }), -32600),
    ] {
        let got = send(&world, asked(Method::POST, "/a2a/desk", version, &sent)).await;
        assert_eq!((got.status, &body(&got)["error"]["code"]), (200, &json!(code)), "{sent}");
    }
    for (request, status) in [
        (asked(Method::GET, "/a2a/desk", "1.0", &json!(null)), 405),
        (asked(Method::POST, "/a2a/desk?x=1", "1.0", &rpc("GetTask", &json!({ "id": "t" }))), 200),
        (asked(Method::POST, "/a2a/desk/message:send", "", &message("hi")), 400),
        (asked(Method::POST, "/a2a/desk/v1/message:send", "0.3", &message("hi")), 400),
        (asked(Method::GET, "/a2a/desk/tasks/..", "1.0", &json!(null)), 400),
        (asked(Method::GET, "/a2a/desk/tasks/a%2fb", "1.0", &json!(null)), 400),
        (asked(Method::GET, "/a2a/desk/tasks/t", "1.0", &json!({})), 400),
        (asked(Method::GET, "/a2a/files/tasks/t", "1.0", &json!(null)), 404),
        (asked(Method::GET, "/mcp/desk", "1.0", &json!(null)), 404),
    ] {
        let shown = format!("{} {}", request.method(), request.uri());
        assert_eq!(send(&world, request).await.status, status, "{shown}");
    }
    let mut nobody = rest(Method::GET, "/tasks/t", &json!(null));
    nobody.headers_mut().remove("authorization");
    let got = send(&world, nobody).await;
    assert!(got.status == 401 && got.header("www-authenticate").starts_with("Bearer "));
    let mut page = rest(Method::GET, "/tasks/t", &json!(null));
    page.headers_mut().insert("origin", "https://x".parse().unwrap());
    assert_eq!(send(&world, page).await.status, 403);
    let mut text = rest(Method::POST, "/message:send", &message("hi"));
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(send(&world, text).await.status, 415);
    assert!(server.seen.lock().unwrap().is_empty() && world.intents().is_empty());
}

#[tokio::test]
async fn an_action_ends_as_the_other_agent_says() {
    for (text, outcome, code) in [
        ("fails", "tool_error", json!(null)),
        ("asks", "input_required", json!(null)),
        ("none", "error", json!(-32001)),
        ("broken", "upstream_error", json!(-32603)),
        ("login", "upstream_error", json!(-32603)),
        ("moved", "upstream_error", json!(-32603)),
        ("page", "upstream_error", json!(-32006)),
        ("other", "upstream_error", json!(-32006)),
        ("hang", "timeout", json!(-32603)),
    ] {
        let (world, server, _) = start().await;
        let got = call(&world, "SendMessage", &message(text)).await;
        assert_eq!(got["error"]["code"], code, "{text}");
        assert!(!got.to_string().contains("secret"), "{text}");
        assert_eq!(world.outcome().await["outcome"], outcome, "{text}");
        assert_eq!(server.seen.lock().unwrap().len(), 1, "{text}: nothing is tried again");
    }
    for (id, status, outcome) in [
        ("none", 404, "tool_error"),
        ("broken", 500, "upstream_error"),
        ("login", 502, "upstream_error"),
        ("hang", 504, "timeout"),
    ] {
        let (world, _, _) = start().await;
        let got = send(&world, rest(Method::GET, &format!("/tasks/{id}"), &json!(null))).await;
        assert_eq!(got.status, status, "{id}");
        assert!(body(&got)["error"]["code"].is_number(), "{id}");
        assert_eq!(world.outcome().await["outcome"], outcome, "{id}");
    }
}

#[tokio::test]
async fn a_stream_passes_event_by_event_and_ends_with_whoever_leaves() {
    for request in [
        asked(Method::POST, "/a2a/desk", "1.0", &rpc("SendStreamingMessage", &message("stream"))),
        rest(Method::POST, "/message:stream", &message("stream")),
    ] {
        let (world, _, _) = start().await;
        let got = send(&world, request).await;
        assert_eq!((got.header("content-type"), events(&got).len()), ("text/event-stream", 2));
        assert_eq!(world.outcome().await["outcome"], "ok");
    }
    let (world, server, _) = start().await;
    let mut client = world.client().await;
    let sent = asked(
        Method::POST,
        "/a2a/desk",
        "1.0",
        &rpc("SendStreamingMessage", &message("stream-hangs")),
    );
    let mut answer = client.open(sent).await.unwrap().into_body();
    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"data: "));
    assert_eq!(server.left.load(Ordering::SeqCst), 0);
    drop((answer, client));
    until("the other agent is left", || server.left.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.outcome().await["outcome"], "cancelled");
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_lies_is_recorded_as_that() {
    for (text, passes, outcome) in [("stream-ends", 1, "cut"), ("stream-lies", 0, "upstream_error")]
    {
        let (world, _, _) = start().await;
        let sent =
            asked(Method::POST, "/a2a/desk", "1.0", &rpc("SendStreamingMessage", &message(text)));
        let got = world.client().await.try_send(sent).await;
        assert_eq!(got.as_ref().map_or(0, |got| events(got).len()), passes, "{text}");
        assert_eq!(world.outcome().await["outcome"], outcome, "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let (world, server, _) = start().await;
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    assert_eq!(call(&world, "SendMessage", &message("hi")).await["error"]["code"], -32603);
    let got = send(&world, rest(Method::POST, "/message:send", &message("hi"))).await;
    assert_eq!((got.status, &body(&got)["error"]["status"]), (503, &json!("UNAVAILABLE")));
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_says_to_whom_it_belongs() {
    let id = "0190a1b2-0000-7000-8000-000000000001";
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (world, _, _) = start().await;
    let mut sent = message("hi");
    sent["message"]["metadata"] =
        json!({ "lockgate-interaction": id, "traceparent": trace, "a": 1 });
    call(&world, "SendMessage", &sent).await;
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    let named = ("trace", "4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
    assert!(intent.labels.contains(&named), "{:?}", intent.labels);
    let governed = &intent.detail["governed"];
    // The interaction that it names is not one of ours.
    assert_eq!(governed["link"], "none");
    assert_eq!(governed["payload"]["metadata"], json!({ "message": { "a": 1 } }));
}
