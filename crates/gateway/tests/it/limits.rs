//! Limits, and requests that are not what they seem.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use lockgate_model::snapshot::{Route, Split};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::upstream::{Upstream, full};
use crate::world::{World, agent, get, post, version};

/// The status of the answer, without waiting for the connection's end.
async fn status_of(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    let _ = stream.write_all(request).await;
    let mut line = [0; 12];
    let _ = stream.read_exact(&mut line).await;
    String::from_utf8_lossy(&line[9..]).into_owned()
}

async fn raw(world: &World, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    // What is refused early may be reset while it is still being sent.
    let _ = stream.write_all(request).await;
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    String::from_utf8_lossy(&got).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_limit_are_refused() {
    let v1 = Upstream::named("v1").await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.limits.request_body_bytes_max = 1_000;
    let world = World::start(agent, Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    for path in ["/", "/v1/chat/completions"] {
        assert_eq!(client.send(post(path, vec![b'x'; 1_000])).await.status, 200);
        let mut large = world.client().await;
        assert_eq!(large.send(post(path, vec![b'x'; 1_001])).await.status, 413);
        let mut chunked = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..11 {
            chunked.extend_from_slice(b"64\r\n");
            chunked.extend_from_slice(&[b'x'; 100]);
            chunked.extend_from_slice(b"\r\n");
        }
        assert_eq!(status_of(&world, &chunked).await, "413", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_bounded_and_counted() {
    let permits = Arc::new(Semaphore::new(0));
    let gate = permits.clone();
    let v1 = Upstream::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Response::new(full("ok"))
        }
    })
    .await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.limits.in_flight_max = 2;
    let world = World::start(agent, Split::whole(version("v1"))).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = world.client().await;
        waiting.push(tokio::spawn(async move { client.send(get("/")).await.status }));
    }
    crate::world::until("both are in flight", || v1.requests() == 2).await;
    assert_eq!(world.gateway.stats().in_flight[0].1, 2);
    let mut client = world.client().await;
    let refused = client.send(get("/")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    permits.add_permits(3);
    for one in waiting {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(client.send(get("/")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stable_version_or_an_agent_nothing_is_asked() {
    let v1 = Upstream::named("v1").await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.matches[0].host = Some("agent.test".into());
    let route = Route { agent, split: None, hard_limits: Vec::new() };
    let world = World::start_with(vec![route], |_| {}).await;
    let mut client = world.client().await;
    assert_eq!(client.send(get("/")).await.status, 503);
    assert_eq!(status_of(&world, b"GET / HTTP/1.1\r\nhost: other\r\n\r\n").await, "404");
    assert_eq!(world.gateway.stats().unmatched, 1);
    assert_eq!(v1.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_requests_never_reach_a_version() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    for (request, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        ("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", "501"),
        ("CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test:443\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", "400"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "400"),
        ("\u{1}\u{2}\r\n\r\n", "400"),
        (&long, "431"),
        (&many, "431"),
    ] {
        assert_eq!(status_of(&world, request.as_bytes()).await, expected, "{request:.80}");
    }
    assert_eq!(v1.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lengths_smuggle_nothing() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    for order in [
        "content-length: 6\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 6",
    ] {
        let before = v1.requests();
        let request = format!(
            "POST /outer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{order}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
        );
        raw(&world, request.as_bytes()).await;
        let seen = v1.seen.lock().unwrap();
        assert!(seen.len() <= before + 1, "{order}");
        for parts in seen.iter() {
            assert_eq!(parts.uri.path(), "/outer");
            let both = parts.headers.contains_key("content-length")
                && parts.headers.contains_key("transfer-encoding");
            assert!(!both, "{parts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_share_few_connections_to_a_version() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    for n in 0..50_u8 {
        let mut client = world.client().await;
        let body = Bytes::from(vec![n; 100]);
        assert_eq!(client.send(post("/", body.clone())).await.body, body);
    }
    assert!(v1.connections() <= 2, "one per worker, not {}", v1.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_gives_up_on_a_body_that_does_not_arrive_is_not_to_blame() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Reads the head and a little of the body, then closes without a word.
            let mut seen = Vec::new();
            while !seen.ends_with(b"xx") {
                if tokio::io::AsyncReadExt::read_buf(&mut stream, &mut seen).await.unwrap() == 0 {
                    break;
                }
            }
        }
    });
    let world = World::start(agent(&[("v1", at)]), Split::whole(version("v1"))).await;
    let half = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\nxx";
    assert_eq!(status_of(&world, half).await, "408");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_loses_its_place() {
    let v1 = Upstream::start(|_| async { Response::new(full(vec![b'x'; 64 << 20])) }).await;
    let route = Route {
        agent: agent(&[("v1", v1.at)]),
        split: Some(Split::whole(version("v1"))),
        hard_limits: Vec::new(),
    };
    let world = World::start_with(vec![route], |options| {
        options.client_stall_max = std::time::Duration::from_millis(200);
    })
    .await;
    let mut stalled = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    stalled.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    crate::world::until("it is in flight", || world.gateway.stats().in_flight[0].1 == 1).await;
    crate::world::until("its place is free", || world.gateway.stats().in_flight[0].1 == 0).await;
    let mut got = Vec::new();
    let _ = stalled.read_to_end(&mut got).await;
    assert!(got.len() < 64 << 20, "it was cut");
}
