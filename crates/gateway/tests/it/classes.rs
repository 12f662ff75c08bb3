//! How requests that do not end well are counted, and what the client is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lockgate_model::agent::{Agent, Protocol};
use lockgate_model::interaction::{ErrorClass, Outcome};
use lockgate_model::snapshot::Split;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::upstream::{Upstream, full, nowhere, pieces};
use crate::world::{World, agent, get, post, version};

async fn outcome_of(agent: Agent, path: &str) -> (Option<u16>, Option<ErrorClass>, World) {
    let world = World::start(agent, Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    let status = client.try_send(get(path)).await.ok().map(|got| {
        if got.header("content-type") == "application/problem+json" {
            let problem: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
            assert_eq!(problem["status"], got.status);
            assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
            assert_eq!(problem["interaction"], got.header("lockgate-interaction"));
        }
        got.status
    });
    let error = world.interactions(1).await[0].error;
    (status, error, world)
}

async fn of(at: SocketAddr) -> (Option<u16>, Option<ErrorClass>) {
    let (status, error, _) = outcome_of(agent(&[("v1", at)]), "/").await;
    (status, error)
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_have_their_classes() {
    for (status, class) in [
        (200, None),
        (302, Some(ErrorClass::Upstream3xx)),
        (304, None),
        (404, Some(ErrorClass::Client4xx)),
        (429, Some(ErrorClass::Upstream429)),
        (500, Some(ErrorClass::Upstream5xx)),
        (503, Some(ErrorClass::Upstream5xx)),
    ] {
        let v1 = Upstream::start(move |_| async move {
            Response::builder().status(status).body(full("x")).unwrap()
        })
        .await;
        assert_eq!(of(v1.at).await, (Some(status), class));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_upstreams_have_their_classes() {
    let refused = of(nowhere().await).await;
    assert_eq!(refused, (Some(502), Some(ErrorClass::Reset)));
    let closed = of(Upstream::raw(b"").await).await;
    assert_eq!(closed, (Some(502), Some(ErrorClass::Reset)));
    for garbage in [
        &b"not http at all\r\n\r\n"[..],
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    ] {
        assert_eq!(of(Upstream::raw(garbage).await).await, (Some(502), Some(ErrorClass::Protocol)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_end_early_are_never_passed_as_whole() {
    for early in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let (status, class) = of(Upstream::raw(early).await).await;
        assert_eq!((status, class), (None, Some(ErrorClass::StreamError)));
    }
    let garbage = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n";
    assert_eq!(of(Upstream::raw(garbage).await).await, (None, Some(ErrorClass::Protocol)));
    let by_close = b"HTTP/1.1 200 OK\r\n\r\nall of it";
    assert_eq!(of(Upstream::raw(by_close).await).await, (Some(200), None));
    let old = b"HTTP/1.0 200 OK\r\n\r\nall of it";
    assert_eq!(of(Upstream::raw(old).await).await, (Some(200), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_before_the_answer_is_a_timeout() {
    let v1 = Upstream::start(|_| async {
        std::future::pending::<()>().await;
        Response::new(full(""))
    })
    .await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.limits.first_byte_timeout_ms = 50;
    let (status, class, _) = outcome_of(agent, "/").await;
    assert_eq!((status, class), (Some(504), Some(ErrorClass::Timeout)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_event_in_a_stream_is_charged_though_its_status_was_200() {
    let v1 = Upstream::start(|_| async {
        let (sender, body) = pieces();
        tokio::spawn(async move {
            for piece in [
                "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"choices\":[]}\n\n",
                "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n",
            ] {
                sender.send(Ok(Bytes::from(piece))).await.unwrap();
            }
        });
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    })
    .await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.protocol = Protocol::Openai;
    let (status, class, _) = outcome_of(agent, "/v1/chat/completions").await;
    assert_eq!((status, class), (Some(200), Some(ErrorClass::StreamError)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_says_it_failed_has_failed() {
    let v1 = Upstream::start(|_| async {
        Response::builder().header("lockgate-outcome", "failed").body(full("sorry")).unwrap()
    })
    .await;
    let (status, class, world) = outcome_of(agent(&[("v1", v1.at)]), "/").await;
    assert_eq!((status, class), (Some(200), Some(ErrorClass::OutcomeFailed)));
    assert_eq!(world.interactions(1).await[0].outcome, Some(Outcome::Failed));
}

/// Answers the first request of a connection; at the second, closes without a word.
async fn forgetful() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4_096];
                let _ = stream.read(&mut buffer).await;
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = stream.read(&mut buffer).await;
                count.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (at, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_may_be_done_twice_is_sent_again_after_a_dead_connection() {
    let (at, seen) = forgetful().await;
    let world = World::start(agent(&[("v1", at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    assert_eq!(client.send(get("/")).await.status, 200);
    // On the kept connection; fails there, and is sent again on a new one.
    assert_eq!(client.send(get("/")).await.status, 200);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
    // The version may have acted on it: not sent again.
    assert_eq!(client.send(post("/", "pay")).await.status, 502);
    assert_eq!(seen.load(Ordering::SeqCst), 4);
    let errors: Vec<_> = world.interactions(3).await.iter().map(|one| one.error).collect();
    assert_eq!(errors, [None, None, Some(ErrorClass::Reset)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_version_closed_meanwhile_is_not_used() {
    let v1 = Upstream::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let world = World::start(agent(&[("v1", v1)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    for _ in 0..5 {
        assert_eq!(client.send(post("/", "x")).await.status, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
