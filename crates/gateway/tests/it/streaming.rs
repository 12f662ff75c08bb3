//! Bodies: passed on as they come, unchanged, and given up when either side is gone.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use lockgate_model::agent::Agent;
use lockgate_model::interaction::ErrorClass;
use lockgate_model::snapshot::Split;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::upstream::{Upstream, full, pieces};
use crate::world::{World, agent, get, post, until, version};

async fn world(agent: Agent) -> World {
    World::start(agent, Split::whole(version("v1"))).await
}

/// Sends one event per permit, then ends.
async fn events(permits: Arc<Semaphore>, count: usize) -> Upstream {
    Upstream::start(move |_| {
        let permits = permits.clone();
        async move {
            let (sender, body) = pieces();
            tokio::spawn(async move {
                for n in 0..count {
                    permits.acquire().await.unwrap().forget();
                    let _ = sender.send(Ok(Bytes::from(format!("data: {n}\n\n")))).await;
                }
            });
            Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_passes_before_the_next_is_sent() {
    let permits = Arc::new(Semaphore::new(0));
    let v1 = events(permits.clone(), 20).await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut client = world.client().await;
    let mut body = client.open(get("/")).await.unwrap().into_body();
    for n in 0..20 {
        // The version sends event n only now: were it held back anywhere, this would wait for ever.
        permits.add_permits(1);
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(data, format!("data: {n}\n\n"));
    }
    assert!(body.frame().await.is_none());
    let interaction = world.interactions(1).await.remove(0);
    assert_eq!((interaction.error, interaction.status), (None, Some(200)));
    until("the window arrives", || !world.fake.windows.lock().unwrap().is_empty()).await;
    let windows = world.fake.windows.lock().unwrap();
    let sse: u64 = windows.iter().map(|window| window.arm.sse.total.count()).sum();
    assert!(sse == 1 || windows.iter().all(|window| window.arm.completed == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_event_stream_outlives_every_timeout() {
    let permits = Arc::new(Semaphore::new(1));
    let v1 = events(permits.clone(), 2).await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.limits.idle_timeout_ms = 20;
    agent.limits.first_byte_timeout_ms = 500;
    let world = world(agent).await;
    let mut client = world.client().await;
    let mut body = client.open(get("/")).await.unwrap().into_body();
    assert!(body.frame().await.is_some());
    tokio::time::sleep(Duration::from_millis(700)).await;
    permits.add_permits(1);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "data: 1\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_answer_that_falls_silent_is_a_timeout() {
    let v1 = Upstream::start(|_| async {
        let (sender, body) = pieces();
        tokio::spawn(async move {
            let _ = sender.send(Ok(Bytes::from("half"))).await;
            sender.closed().await;
        });
        Response::new(body)
    })
    .await;
    let mut agent = agent(&[("v1", v1.at)]);
    agent.limits.idle_timeout_ms = 50;
    let world = world(agent).await;
    let mut client = world.client().await;
    let body = client.open(get("/")).await.unwrap().into_body();
    assert!(body.collect().await.is_err(), "must not look like a whole answer");
    let interaction = world.interactions(1).await.remove(0);
    assert_eq!(interaction.error, Some(ErrorClass::Timeout));
}

/// Longer than any answer or request here takes by itself.
const PAUSE: Duration = Duration::from_secs(3);

/// Whether a request's latency is free of its client's pause.
fn is_quick(total_us: Option<u64>) -> bool {
    u128::from(total_us.unwrap()) < PAUSE.as_micros() / 2
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_the_answer_slowly_makes_no_version_slow() {
    let v1 = Upstream::start(|request| async move {
        let kind = if request.uri().path() == "/sse" { "text/event-stream" } else { "text/plain" };
        // More than all buffers on the way hold together.
        let event = "data: 0123456789012345678901234567890123456789\n\n";
        Response::builder().header("content-type", kind).body(full(event.repeat(1 << 18))).unwrap()
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    for path in ["/plain", "/sse"] {
        let mut client = world.client().await;
        let body = client.open(get(path)).await.unwrap().into_body();
        tokio::time::sleep(PAUSE).await;
        assert!(body.collect().await.is_ok());
    }
    for interaction in world.interactions(2).await {
        assert_eq!(interaction.error, None);
        assert!(is_quick(interaction.first_byte_us), "{interaction:?}");
        assert!(is_quick(interaction.total_us), "{interaction:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_request_slowly_makes_no_version_slow() {
    let v1 = Upstream::named("v1").await;
    let world = world(agent(&[("v1", v1.at)])).await;
    // The start of the second body is looked at before the request goes on.
    for path in ["/", "/v1/chat/completions"] {
        let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 10\r\nconnection: close\r\n\r\n{{\"a\":"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(PAUSE).await;
        stream.write_all(b"1234}").await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert!(got.ends_with(b"{\"a\":1234}"));
    }
    for interaction in world.interactions(2).await {
        assert!(is_quick(interaction.total_us), "{interaction:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_its_time_is_slow_whatever_the_client_does() {
    const STEP: Duration = Duration::from_millis(200);
    let v1 = Upstream::start(|request| async move {
        let (sender, body) = pieces();
        tokio::spawn(async move {
            request.into_body().collect().await.unwrap();
            for piece in ["one", "two", "three"] {
                tokio::time::sleep(STEP).await;
                let _ = sender.send(Ok(Bytes::from(piece))).await;
            }
        });
        Response::new(body)
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut client = world.client().await;
    assert_eq!(client.send(post("/", "x")).await.body, "onetwothree");
    let interaction = world.interactions(1).await.remove(0);
    let took = |us: Option<u64>| Duration::from_micros(us.unwrap());
    assert!(took(interaction.first_byte_us) >= STEP, "{interaction:?}");
    assert!(took(interaction.total_us) >= 3 * STEP, "{interaction:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_stream_cancels_the_version() {
    let closed = Arc::new(AtomicBool::new(false));
    let flag = closed.clone();
    let v1 = Upstream::start(move |_| {
        let flag = flag.clone();
        async move {
            let (sender, body) = pieces();
            tokio::spawn(async move {
                let _ = sender.send(Ok(Bytes::from("data: 1\n\n"))).await;
                sender.closed().await;
                flag.store(true, Ordering::SeqCst);
            });
            Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
        }
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut client = world.client().await;
    let mut body = client.open(get("/")).await.unwrap().into_body();
    assert!(body.frame().await.is_some());
    assert!(!closed.load(Ordering::SeqCst));
    drop((body, client));
    until("the version hears of it", || closed.load(Ordering::SeqCst)).await;
    let interaction = world.interactions(1).await.remove(0);
    assert_eq!(interaction.error, Some(ErrorClass::ClientCancel));
    until("nothing is in flight", || world.gateway.stats().in_flight.iter().all(|(_, n)| *n == 0))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_answer_cancels_the_version() {
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    let v1 = Upstream::start(move |_| {
        let guard = Gone(flag.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Response::new(full(""))
        }
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until("the version is asked", || v1.requests() == 1).await;
    drop(stream);
    until("the version hears of it", || gone.load(Ordering::SeqCst)).await;
    let interaction = world.interactions(1).await.remove(0);
    assert_eq!(interaction.error, Some(ErrorClass::ClientCancel));
}

fn noise(len: usize, seed: u64) -> Bytes {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_unchanged_in_both_directions() {
    let v1 = Upstream::named("v1").await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut client = world.client().await;
    for (n, len) in
        [0, 1, 1_023, 65_535, 65_536, 65_537, 1_000_003, 5_000_000].into_iter().enumerate()
    {
        let body = noise(len, n as u64 + 7);
        for path in ["/", "/v1/chat/completions", "/v1/messages"] {
            let mut request = post(path, body.clone());
            let json = "application/json".parse().unwrap();
            request.headers_mut().insert("content-type", json);
            let got = client.send(request).await;
            assert_eq!(got.status, 200);
            assert!(got.body == body, "{len} bytes to {path} came back changed");
        }
    }
    assert_eq!(v1.connections(), 1, "one client, one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_and_compressed_bodies_pass_unchanged() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&b"a long text, often repeated. ".repeat(2_000)).unwrap();
    let packed: Bytes = gzip.finish().unwrap().into();
    let answer = packed.clone();
    let v1 = Upstream::start(move |request| {
        let answer = answer.clone();
        async move {
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(sent, answer);
            let (sender, body) = pieces();
            tokio::spawn(async move {
                for piece in answer.chunks(97) {
                    sender.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
                }
            });
            let gzip = Response::builder().header("content-encoding", "gzip");
            gzip.header("content-type", "application/json").body(body).unwrap()
        }
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in packed.chunks(61) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
        stream.write_all(piece).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    let end = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-encoding: gzip"), "{head}");
    assert_eq!(unchunk(&got[end + 4..]), packed);
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
        if size == 0 {
            return body;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_keep_their_headers() {
    let v1 = Upstream::start(|request| async move {
        let status = match request.uri().path() {
            "/204" => 204,
            "/304" => 304,
            _ => 200,
        };
        let mut answer = Response::builder().status(status);
        if request.method() == Method::HEAD {
            answer = answer.header("content-length", "12345");
        }
        answer.body(full("")).unwrap()
    })
    .await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut client = world.client().await;
    let head = Request::head("/").header("host", "a").body(Full::default()).unwrap();
    let got = client.send(head).await;
    assert_eq!((got.status, got.header("content-length"), got.body.len()), (200, "12345", 0));
    for (path, status) in [("/204", 204), ("/304", 304), ("/", 200)] {
        let got = client.send(get(path)).await;
        assert_eq!((got.status, got.body.len()), (status, 0));
    }
    assert_eq!(v1.connections(), 1);
    let interactions = world.interactions(4).await;
    assert!(interactions.iter().all(|one| one.error.is_none()), "{interactions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_wait_for_continue_are_told_to() {
    let v1 = Upstream::named("v1").await;
    let world = world(agent(&[("v1", v1.at)])).await;
    let mut stream = TcpStream::connect(world.gateway.local_addr()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = [0; 25];
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("hello"), "{got}");
}
