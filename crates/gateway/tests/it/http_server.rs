//! A server of plain HTTP that does as the tests want, by the path, and remembers every request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::mcp_server::{Seen, State};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(crate) async fn start() -> (SocketAddr, Arc<State>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State::default());
    let shared = Arc::clone(&state);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&shared);
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(answer(state, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, state)
}

struct Leaving(Arc<State>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let method = parts.method.clone();
    let seen = Seen { method, path: path.clone(), headers: parts.headers, body: body.clone() };
    state.seen.lock().unwrap().push(seen);
    let what = path.split(['/', '?']).nth(3).unwrap_or_default();
    match what {
        "gone" => whole(404, &json!({ "error": "no such order" })),
        "broken" => whole(500, &json!({ "error": "no" })),
        "login" => {
            let mut answer = whole(401, &json!({ "key": "secret" }));
            answer.headers_mut().insert("www-authenticate", "Basic".parse().unwrap());
            answer
        }
        "moved" => {
            let mut answer = whole(302, &json!({}));
            answer.headers_mut().insert("location", "http://elsewhere/".parse().unwrap());
            answer
        }
        "same" => whole(304, &Value::Null),
        "none" => whole(204, &Value::Null),
        "packed" => {
            let mut answer = whole(200, &json!({}));
            answer.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            answer
        }
        "hangs" => {
            let _leaving = Leaving(state);
            std::future::pending().await
        }
        "slow" => slow(Leaving(state)),
        _ => whole(200, &json!({ "asked": path, "body": body })),
    }
}

/// A first part, and then nothing.
fn slow(leaving: Leaving) -> Response<Body> {
    let frames = stream::unfold((true, leaving), |(first, leaving)| async move {
        if !first {
            let _held = leaving;
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let frame = Frame::data(Bytes::from_static(b"begun"));
        Some((Ok(frame), (false, leaving)))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn whole(status: u16, body: &Value) -> Response<Body> {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in [
        ("content-type", "application/json"),
        ("etag", "\"1\""),
        ("set-cookie", "upstream=1"),
        ("server", "inside/1.0"),
        ("x-internal-host", "db-7"),
    ] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}
