//! Server-sent events: in order, resumable, and only what the token sees.

use futures_util::StreamExt as _;
use lockgate_store::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, problem, server, without_control};

/// One event as it came over the wire.
#[derive(Debug)]
struct Got {
    id: i64,
    kind: String,
    data: Value,
}

/// Reads events until there are `count`.
async fn read(
    server: &Server,
    path: &str,
    token: &str,
    last_id: Option<i64>,
    count: usize,
) -> Vec<Got> {
    let mut request = server.request(Method::GET, path, token);
    if let Some(last_id) = last_id {
        request = request.header("last-event-id", last_id);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = response.bytes_stream();
    let mut text = String::new();
    let mut got = Vec::new();
    while got.len() < count {
        let chunk = bytes.next().await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            got.extend(parse(event));
            text = rest.to_owned();
        }
    }
    got
}

fn parse(event: &str) -> Option<Got> {
    let field =
        |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some(Got {
        id: field("id")?.parse().unwrap(),
        kind: field("event")?.to_owned(),
        data: serde_json::from_str(field("data")?).unwrap(),
    })
}

#[tokio::test]
async fn a_listener_resumes_where_it_left() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let path = format!("/api/v1/events?rollout={id}");
    let all = read(&server, &path, &server.admin, Some(0), 3).await;
    assert!(all.is_sorted_by_key(|got| got.id));
    assert!(
        all.iter().all(|got| got.data["rollout"] == id.to_string() && got.data["id"] == got.id)
    );
    assert!(all.iter().any(|got| got.kind == "transition"), "{all:?}");
    let rest = read(&server, &path, &server.admin, Some(all[0].id), 2).await;
    assert_eq!(rest[0].id, all[1].id);
    assert_eq!(rest[1].id, all[2].id);
}

#[tokio::test]
async fn without_an_id_only_what_comes_is_heard() {
    let server = without_control(None).await;
    let listen = read(&server, "/api/v1/events", &server.admin, None, 1);
    let raise = async {
        // the listener may not listen yet: say it until it was heard
        loop {
            let path = "/api/v1/agents/billing/versions/b1/security-events";
            server.post(path, &server.admin, json!({"detail": "now"})).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let got = tokio::select! { got = listen => got, () = raise => unreachable!() };
    assert_eq!(got[0].kind, "security_event");
    assert_eq!(got[0].data["agent"], "billing");
}

#[tokio::test]
async fn other_agents_are_silent() {
    let server = without_control(None).await;
    let scoped = server.token(Role::Viewer, Some(&["billing"])).await;
    server.world.start("support", "v2", Some("v1"), "test").await;
    let billing = server.world.start("billing", "b2", Some("b1"), "test").await;
    let first = read(&server, "/api/v1/events", &scoped, Some(0), 1).await;
    assert_eq!(first[0].data["agent"], "billing");
    let of_it = read(&server, "/api/v1/events", &scoped, Some(0), 3).await;
    assert!(of_it.iter().all(|got| got.data["agent"] == "billing"));
    assert!(of_it.iter().any(|got| got.data["rollout"] == billing.id.to_string()));
}

#[tokio::test]
async fn a_wrong_id_is_refused() {
    let server = without_control(None).await;
    for id in ["x", "-1"] {
        let request = server.request(Method::GET, "/api/v1/events", &server.admin);
        problem(request.header("last-event-id", id).send().await.unwrap(), 400).await;
    }
}

#[tokio::test]
async fn going_down_ends_the_stream() {
    let server = without_control(None).await;
    let request = server.request(Method::GET, "/api/v1/events", &server.admin);
    let mut bytes = request.send().await.unwrap().bytes_stream();
    server.shutdown().await;
    while let Some(Ok(_)) = bytes.next().await {}
}

#[tokio::test]
async fn streams_are_bounded() {
    let server = without_control(None).await;
    let mut open = Vec::new();
    for _ in 0..256 {
        let stream = server.get("/api/v1/events", &server.admin).await;
        assert_eq!(stream.status(), 200);
        open.push(stream);
    }
    problem(server.get("/api/v1/events", &server.admin).await, 503).await;
    // everything else goes on
    assert_eq!(server.get("/api/v1/agents", &server.admin).await.status(), 200);
}
