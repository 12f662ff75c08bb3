//! Agents' calls in one piece: what passes, what is refused and how, and what is recorded.

use std::sync::atomic::Ordering;

use http::Request;
use http_body_util::Full;
use lockgate_model::ids::QuarantineId;
use lockgate_model::ledger::{Kept, Principal, Step};
use lockgate_model::quarantine::{Quarantine, Stopped};
use lockgate_model::tool::ToolMode;
use serde_json::{Value, json};

use crate::egress_world::{World, body, call, events, post, post_text, request, token};

#[tokio::test]
async fn an_allowed_call_is_recorded_before_and_after() {
    let world = World::start().await;
    let answer = world.call("echo").await;
    assert_eq!(answer["result"]["content"][0]["text"], r#"{"path":"/tmp/a"}"#);
    assert_eq!(answer["id"], 41);
    let outcome = world.outcome().await;
    assert_eq!(outcome["outcome"], "ok");
    assert_eq!(outcome["forwarded"], true);
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.principal, Principal::Part("agent support/v1".into()));
    assert_eq!(intent.object, "files/echo");
    assert_eq!(
        intent.labels[..3],
        [
            ("agent", "support".to_owned()),
            ("version", "v1".to_owned()),
            ("tool", "files".to_owned()),
        ]
    );
    assert_eq!(intent.detail["governed"]["rules"], json!(["rule-echo"]));
    assert_eq!(intent.detail["governed"]["link"], "none");
    // Whatever the arguments hold is nobody's to read in the log.
    let kept: Vec<(&str, Kept)> =
        intent.personal.iter().map(|one| (one.at.as_str(), one.kept)).collect();
    assert!(kept.contains(&("/governed/action", Kept::Committed)));
    assert!(kept.contains(&("/governed/payload", Kept::Sealed)));
    assert_eq!(world.server.calls().len(), 1);
}

#[tokio::test]
async fn the_server_gets_our_credential_and_nothing_of_the_agents_own() {
    let world = World::start().await;
    let mut request = post(&token("v1"), &call("echo"));
    for (name, value) in [
        ("cookie", "session=1"),
        ("lockgate-interaction", "0190a1b2-0000-7000-8000-000000000001"),
        ("x-forwarded-for", "10.0.0.1"),
        ("proxy-authorization", "Basic x"),
        ("mcp-name", "secret"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let got = world.client().await.send(request).await;
    assert_eq!(got.status, 200);
    let seen = world.server.last();
    assert_eq!(seen.path, "/deep/mcp");
    assert_eq!(seen.headers["authorization"], "Bearer upstream");
    for gone in [
        "cookie",
        "lockgate-interaction",
        "x-forwarded-for",
        "proxy-authorization",
        "mcp-name",
        "x-hop",
    ] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
    assert!(seen.headers.contains_key("traceparent"));
    world.outcome().await;
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.detail["governed"]["link"], "none", "nobody knows that interaction");
    let interaction = intent.labels.iter().find(|(name, _)| *name == "interaction");
    assert_eq!(interaction, None, "and it is nobody's to be searched by");
}

#[tokio::test]
async fn a_refused_call_is_a_result_that_says_why_and_reaches_nobody() {
    let world = World::start().await;
    let answer = world.call("write").await;
    assert_eq!(answer["result"]["isError"], true);
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(
        text,
        "Refused by Lockgate: agents do not write. Reading is allowed. (audit record 0)"
    );
    let [refused] = &world.entries()[..] else { panic!("one record") };
    assert_eq!((refused.action.as_str(), refused.step), ("action.refused", Step::Event));
    assert_eq!(refused.detail["why"], "agents do not write");
    let ask = world.call("pay").await;
    assert_eq!(ask["result"]["isError"], true);
    let text = ask["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("nobody can be asked"), "{text}");
    assert!(world.server.calls().is_empty());
}

#[tokio::test]
async fn a_tool_that_is_hidden_does_not_exist() {
    let world = World::start().await;
    for (name, of) in [("secret", "secret"), ("resources/read", "resources/read"), ("ä b", "ä b")]
    {
        let answer = world.call(name).await;
        assert_eq!(
            answer["error"],
            json!({ "code": -32602, "message": format!("Unknown tool: {of}") })
        );
    }
    assert!(world.server.calls().is_empty());
    // The name is whatever somebody wrote.
    assert!(world.entries().iter().all(|entry| entry.object == "files/(unknown)"));
}

#[tokio::test]
async fn lists_show_what_is_permitted_and_stay_pages() {
    let world = World::start().await;
    let whole = body(&world.post(&request("tools/list", &json!({}))).await);
    let streamed =
        events(&world.post(&request("tools/list", &json!({ "cursor": "events" }))).await);
    for answer in [&whole, &streamed[0]] {
        let tools = answer["result"]["tools"].as_array().unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["echo", "write", "fail"]);
        assert_eq!(answer["result"]["nextCursor"], "p2");
        assert_eq!(answer["result"]["cacheScope"], "private");
    }
    let got =
        world.client().await.send(post(&token("v9"), &request("tools/list", &json!({})))).await;
    assert_eq!(body(&got)["result"]["tools"], json!([]), "another version sees another list");
}

#[tokio::test]
async fn what_becomes_of_a_call_is_recorded_as_it_was() {
    for (name, outcome, why) in [
        ("fail", "tool_error", Value::Null),
        ("error", "error", Value::Null),
        ("wrong-id", "upstream_error", "it is the answer to another request".into()),
        ("garbage", "upstream_error", "it is no answer of JSON-RPC".into()),
        ("status", "upstream_error", Value::Null),
        ("login", "upstream_error", Value::Null),
        ("hang", "timeout", Value::Null),
    ] {
        let world = World::start().await;
        let answer = world.call(name).await;
        assert_eq!(answer["id"], 41, "{name}");
        assert!(answer.get("error").is_some() != (name == "fail"), "{name}: {answer}");
        let recorded = world.outcome().await;
        assert_eq!((&recorded["outcome"], &recorded["why"]), (&outcome.into(), &why), "{name}");
        assert_eq!(world.server.calls().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn other_methods_are_governed_too() {
    let world = World::start().await;
    let method =
        async |method: &str, params: Value| body(&world.post(&request(method, &params)).await);
    let read = method("resources/read", json!({ "uri": "file:///a" })).await;
    assert_eq!(read["result"]["contents"][0]["text"], "a");
    assert_eq!(world.outcome().await["outcome"], "ok");
    assert_eq!(world.intents()[0].object, "files/resources/read");
    for (name, params) in [
        ("prompts/get", json!({ "name": "p" })),
        ("prompts/list", json!({})),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "p" } })),
        ("tasks/result", json!({ "taskId": "1" })),
        ("files/steal", json!({})),
        ("server/discover", json!({})),
    ] {
        let seen = world.server.seen.lock().unwrap().len();
        assert_eq!(method(name, params).await["error"]["code"], -32601, "{name}");
        assert_eq!(world.server.seen.lock().unwrap().len(), seen, "{name}");
    }
    for name in ["ping", "resources/list", "logging/setLevel"] {
        assert_eq!(method(name, json!({})).await["result"], json!({}), "{name}");
    }
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(world.post(&note).await.status, 202);
    let odd = json!({ "jsonrpc": "2.0", "method": "notifications/odd" });
    assert_eq!(world.post(&odd).await.status, 400);
}

#[tokio::test]
async fn messages_are_bounded_and_have_one_meaning() {
    let world = World::start().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (text, status, code) in [
        ("[]".to_owned(), 400, -32600),
        (format!("[{}]", call("echo")), 400, -32600),
        ("{".to_owned(), 400, -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#.to_owned(),
            400,
            -32700,
        ),
        (
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{deep}}}}}"#),
            400,
            -32700,
        ),
    ] {
        let got = world.client().await.send(post_text(&token("v1"), text.clone())).await;
        assert_eq!((got.status, &body(&got)["error"]["code"]), (status, &json!(code)), "{text}");
    }
    let huge = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "a": "x".repeat(5_000_000) } });
    let sent = world.client().await.try_send(post(&token("v1"), &huge)).await;
    assert!(sent.map_or(true, |got| got.status == 413));
    let mut text = post(&token("v1"), &call("echo"));
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(world.client().await.send(text).await.status, 415);
    assert!(world.server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_session_is_good_for_who_began_it() {
    let world = World::start().await;
    let got = world.post(&request("initialize", &json!({ "protocolVersion": "2025-11-25" }))).await;
    let session = got.header("mcp-session-id").to_owned();
    assert!(!session.is_empty() && session != "s-1");
    assert_eq!(got.header("set-cookie"), "");
    let with = |version: &str, session: &str| {
        let mut request = post(&token(version), &request("ping", &json!({})));
        request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
        request
    };
    assert_eq!(world.client().await.send(with("v1", &session)).await.status, 200);
    assert_eq!(world.server.last().headers["mcp-session-id"], "s-1");
    let seen = world.server.seen.lock().unwrap().len();
    for (version, session) in [("v2", session.as_str()), ("v1", "s-1")] {
        let got = world.client().await.send(with(version, session)).await;
        assert_eq!(got.status, 404, "{version}");
    }
    assert_eq!(world.server.seen.lock().unwrap().len(), seen);
    let delete = Request::delete("/mcp/files")
        .header("host", "x")
        .header("authorization", format!("Bearer {}", token("v1")))
        .header("mcp-session-id", &session)
        .body(Full::default())
        .unwrap();
    assert_eq!(world.client().await.send(delete).await.status, 200);
    assert_eq!(world.server.last().method, http::Method::DELETE);
}

#[tokio::test]
async fn from_2026_on_headers_and_body_say_the_same() {
    let world = World::start().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = request("tools/call", &json!({ "name": "echo", "arguments": {}, "_meta": meta }));
    let with = |fields: &[(&'static str, &str)]| {
        let mut request = post(&token("v1"), &message);
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let param = ("mcp-param-region", "eu");
    let good = with(&[version, method, ("mcp-name", "echo"), param]);
    assert_eq!(body(&world.client().await.send(good).await)["result"]["isError"], false);
    let seen = world.server.last().headers;
    assert_eq!(
        (&seen["mcp-name"], &seen["mcp-param-region"]),
        (&"echo".parse().unwrap(), &"eu".parse().unwrap())
    );
    let before = world.server.seen.lock().unwrap().len();
    for (fields, status, code) in [
        (vec![version, method, ("mcp-name", "read")], 400, -32020),
        (vec![version, ("mcp-method", "tools/list"), ("mcp-name", "echo")], 400, -32020),
        (vec![version, ("mcp-name", "echo")], 400, -32020),
        (vec![("mcp-protocol-version", "2025-11-25")], 400, -32020),
        (vec![], 400, -32020),
        (vec![("mcp-protocol-version", "2031-01-01"), method, ("mcp-name", "echo")], 400, -32022),
    ] {
        let got = world.client().await.send(with(&fields)).await;
        assert_eq!(
            (got.status, &body(&got)["error"]["code"]),
            (status, &json!(code)),
            "{fields:?}"
        );
    }
    let mut unknown = post(&token("v1"), &request("tasks/get", &json!({ "_meta": meta })));
    for (name, value) in [version, ("mcp-method", "tasks/get")] {
        unknown.headers_mut().insert(name, value.parse().unwrap());
    }
    let got = world.client().await.send(unknown).await;
    assert_eq!((got.status, &body(&got)["error"]["code"]), (404, &json!(-32601)));
    assert_eq!(world.server.seen.lock().unwrap().len(), before);
    for method in ["GET", "DELETE"] {
        let request = Request::builder()
            .method(method)
            .uri("/mcp/files")
            .header("host", "x")
            .header("authorization", format!("Bearer {}", token("v1")))
            .header("mcp-protocol-version", "2026-07-28")
            .body(Full::default())
            .unwrap();
        assert_eq!(world.client().await.send(request).await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn a_security_event_is_raised_before_the_agent_is_answered() {
    let world = World::start().await;
    let answer = world.call("leak").await;
    assert_eq!(answer["result"]["isError"], true);
    let events = world.fake.events.lock().unwrap().clone();
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.version.as_str(), event.rule.as_deref()), ("v1", Some("rule-leak")));
}

/// What the policy says is written down, and nothing else follows; what people order is done.
#[tokio::test]
async fn a_tool_that_is_only_watched_refuses_nothing_and_records_what_it_would() {
    let mut world = World::start().await;
    world.tools[0].mode = ToolMode::Shadow;
    world.server.does_anything.store(true, Ordering::SeqCst);
    world.publish(Vec::new()).await;
    let listed = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let shown = body(&world.post(&listed).await)["result"]["tools"].to_string();
    assert!(shown.contains("\"secret\""), "{shown}");
    let says = [("write", "deny"), ("pay", "ask"), ("leak", "deny"), ("echo", "allow")];
    for (name, _) in says {
        assert_eq!(world.call(name).await["error"], Value::Null, "{name}");
    }
    assert_eq!(world.server.calls().len(), says.len());
    let recorded: Vec<_> = world
        .intents()
        .iter()
        .map(|intent| (intent.object.clone(), intent.detail["effect"].clone()))
        .collect();
    assert_eq!(recorded, says.map(|(name, effect)| (format!("files/{name}"), json!(effect))));
    assert!(world.intents().iter().all(|intent| intent.detail["shadow"] == true));
    assert!(world.fake.events.lock().unwrap().is_empty(), "nothing was refused");
    let mut snapshot = world.snapshot(Vec::new());
    snapshot
        .quarantined
        .push(Quarantine { id: QuarantineId(uuid::Uuid::from_u128(1)), stopped: Stopped::Calls });
    world.put_in_force(snapshot).await;
    assert_eq!(world.call("echo").await["result"]["isError"], true, "an order is an order");
    assert_eq!(world.server.calls().len(), says.len());
}
