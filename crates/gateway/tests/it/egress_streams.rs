//! Streams of events: passed as they come, looked at one by one, ended when somebody leaves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::egress_world::{World, breaks_off, call, events, post, request, token};
use crate::world::{Client, until};

#[tokio::test]
async fn what_passes_in_a_stream_is_what_belongs_there() {
    let world = World::start().await;
    let got = world.post(&call("stream")).await;
    assert_eq!(got.header("content-type"), "text/event-stream");
    let methods: Vec<String> = events(&got)
        .iter()
        .map(|event| event["method"].as_str().unwrap_or("(answer)").to_owned())
        .collect();
    assert_eq!(methods, ["notifications/progress", "elicitation/create", "(answer)"]);
    assert_eq!(events(&got)[2]["result"]["content"][0]["text"], "done");
    let text = String::from_utf8(got.body.to_vec()).unwrap();
    assert!(text.starts_with("id: 0\nevent: message\n"), "ids stay: {text}");
    assert_eq!(world.outcome().await["outcome"], "ok");
}

#[tokio::test]
async fn a_stream_is_not_held_back() {
    let world = World::start().await;
    let mut client = world.client().await;
    let mut body =
        client.open(post(&token("v1"), &call("stream-hangs"))).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.windows(8).any(|part| part == b"progress"));
    assert_eq!(world.server.left.load(Ordering::SeqCst), 0);
    // The client leaves: so must we.
    drop((body, client));
    until("the server is left", || world.server.left.load(Ordering::SeqCst) == 1).await;
    let outcome = world.outcome().await;
    assert_eq!((&outcome["outcome"], &outcome["forwarded"]), (&json!("cancelled"), &json!(true)));
}

#[tokio::test]
async fn who_leaves_before_the_answer_begins_has_cancelled_it() {
    let world = World::start().await;
    let mut client = world.client().await;
    let sent = tokio::spawn(async move {
        let _ = client.open(post(&token("v1"), &call("hang"))).await;
    });
    until("the call arrives", || world.server.calls().len() == 1).await;
    sent.abort();
    until("the server is left", || world.server.left.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.outcome().await["outcome"], "cancelled");
}

#[tokio::test]
async fn a_stream_that_breaks_off_looks_broken() {
    for (name, outcome) in
        [("stream-cut", "cut"), ("stream-ends", "cut"), ("stream-hangs", "timeout")]
    {
        let world = World::start().await;
        let got = world.client().await.try_send(post(&token("v1"), &call(name))).await;
        assert_eq!(got.is_ok(), name == "stream-ends", "{name}");
        assert_eq!(world.outcome().await["outcome"], outcome, "{name}");
    }
}

/// Silent or not: a server that never ends an answer does not keep its place for ever.
#[tokio::test]
async fn a_stream_lasts_as_long_as_it_may_and_no_longer() {
    for name in ["stream-hangs", "stream-goes-on"] {
        let mut world = World::patient().await;
        world.tools[0].limits.lasts_max_ms = Some(3_000);
        world.publish(Vec::new()).await;
        let mut client = world.client().await;
        let mut body = client.open(post(&token("v1"), &call(name))).await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(
            first.windows(8).any(|part| part == b"progress"),
            "{name}: what came before is there"
        );
        assert!(breaks_off(body).await, "{name}: it ends, and looks broken");
        let outcome = world.outcome().await;
        assert_eq!(
            (&outcome["outcome"], &outcome["why"]),
            (&json!("cut"), &json!("it lasted longer than it may")),
            "{name}"
        );
        until("the server is left", || world.server.left.load(Ordering::SeqCst) == 1).await;
    }
}

async fn session(world: &World) -> String {
    let begin = request("initialize", &json!({ "protocolVersion": "2025-11-25" }));
    world.post(&begin).await.header("mcp-session-id").to_owned()
}

fn in_session(
    session: &str,
    mut request: Request<Full<bytes::Bytes>>,
) -> Request<Full<bytes::Bytes>> {
    request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    request
}

#[tokio::test]
async fn a_client_may_say_that_it_wants_no_answer() {
    let world = World::start().await;
    let session = session(&world).await;
    let mut client = world.client().await;
    let message = in_session(&session, post(&token("v1"), &call("stream-hangs")));
    let body = client.open(message).await.unwrap().into_body();
    let cancel = |request: u64| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": request } });
    for request in [40, 41] {
        let told = in_session(&session, post(&token("v1"), &cancel(request)));
        assert_eq!(world.client().await.send(told).await.status, 202);
        assert_eq!(world.server.last().body["params"]["requestId"], request);
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
    assert!(ended.expect("it ends").is_ok(), "in order: nothing broke");
    assert_eq!(world.outcome().await["outcome"], "cancelled");
    assert_eq!(world.server.left.load(Ordering::SeqCst), 1);
}

fn listen(session: Option<&str>, last: Option<&str>) -> Request<Full<bytes::Bytes>> {
    let mut request = Request::get("/mcp/files")
        .header("host", "x")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {}", token("v1")));
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    request.body(Full::default()).unwrap()
}

async fn first_events(
    client: &mut Client,
    request: Request<Full<bytes::Bytes>>,
    count: usize,
) -> String {
    let response = client.open(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await;
        let data = frame.expect("in time").unwrap().unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&data).unwrap());
    }
    text
}

#[tokio::test]
async fn a_stream_that_goes_on_shows_no_more_than_the_first_one() {
    let world = World::start().await;
    let session = session(&world).await;
    let mut client = world.client().await;
    let text = first_events(&mut client, listen(Some(&session), Some("7")), 2).await;
    let seen = world.server.last().headers;
    assert_eq!(
        (&seen["last-event-id"], &seen["mcp-session-id"]),
        (&"7".parse().unwrap(), &"s-1".parse().unwrap())
    );
    assert!(text.contains("echo") && text.contains("nextCursor"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    // What a server says by itself has no answers in it.
    let mut client = world.client().await;
    let text = first_events(&mut client, listen(Some(&session), None), 1).await;
    assert!(text.contains("notifications/message") && !text.contains("echo"), "{text}");
    let got = world.client().await.send(listen(None, Some("7"))).await;
    assert_eq!(got.status, 404, "without a session, anybody's stream could go on");
}

#[tokio::test]
async fn an_answer_may_come_in_the_stream_that_goes_on() {
    let world = World::start().await;
    let session = session(&world).await;
    let begun = in_session(&session, post(&token("v1"), &call("stream-ends")));
    assert_eq!(events(&world.client().await.send(begun).await).len(), 1);
    let mut client = world.client().await;
    let text = first_events(&mut client, listen(Some(&session), Some("call")), 2).await;
    assert!(text.contains("isError"), "{text}");
    assert_eq!(world.outcome().await["outcome"], "tool_error");
    // Or it does not.
    let world = World::start().await;
    let session = self::session(&world).await;
    let begun = in_session(&session, post(&token("v1"), &call("stream-ends")));
    world.client().await.send(begun).await;
    assert_eq!(world.outcome().await["outcome"], "cut");
}

#[tokio::test]
async fn a_gateway_that_stops_leaves_no_intent_open() {
    let world = World::start().await;
    let session = session(&world).await;
    let begun = in_session(&session, post(&token("v1"), &call("stream-ends")));
    world.client().await.send(begun).await;
    let mut client = world.client().await;
    let hanging = client.open(post(&token("v1"), &call("stream-hangs"))).await.unwrap();
    assert_eq!(world.intents().len(), 2);
    let World { gateway, fake, .. } = world;
    gateway.shutdown(Duration::ZERO).await;
    let entries = fake.entries.lock().unwrap().clone();
    let ends: Vec<_> =
        entries.iter().filter_map(|entry| entry.detail["outcome"].as_str()).collect();
    assert_eq!((entries.len(), ends.len()), (4, 2), "{ends:?}");
    assert!(ends.contains(&"cut") && ends.contains(&"cancelled"), "{ends:?}");
    drop(hanging);
}
