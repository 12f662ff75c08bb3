//! An MCP server that does as the tests want, and remembers every request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// Answers that somebody left before they were over.
    pub(crate) left: AtomicUsize,
    /// It does what should never arrive, too.
    pub(crate) does_anything: AtomicBool,
}

impl State {
    /// Calls of tools that arrived.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.body["method"] == "tools/call").cloned().collect()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().expect("a request arrived").clone()
    }
}

/// Starts one.
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

/// Counts an answer that is dropped.
struct Leaving(Arc<State>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let seen_last_event =
        parts.headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    let seen = Seen {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: body.clone(),
    };
    state.seen.lock().unwrap().push(seen);
    if parts.method == Method::GET {
        // What was under way when the stream broke off after this event.
        let result = match seen_last_event.as_deref() {
            Some("call") => json!({ "content": [], "isError": true }),
            _ => tools("echo"),
        };
        let replay = json!({ "jsonrpc": "2.0", "id": 41, "result": result });
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} });
        return events(&[note, replay], End::Hang, state);
    }
    if parts.method == Method::DELETE {
        return bare(StatusCode::OK);
    }
    let id = body["id"].clone();
    let result = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
    match body["method"].as_str() {
        Some("initialize") => {
            let result = result(json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                "serverInfo": { "name": "scripted", "version": "1" } }));
            let mut answer = whole(&result);
            answer.headers_mut().insert("mcp-session-id", "s-1".parse().unwrap());
            answer.headers_mut().insert("set-cookie", "upstream=1".parse().unwrap());
            answer
        }
        Some("tools/list") if body["params"]["cursor"] == "events" => {
            events(&[result(tools("echo"))], End::Over, state)
        }
        Some("tools/list") => whole(&result(tools("echo"))),
        Some("tools/call") => call(&body, state).await,
        Some("resources/read") => {
            whole(&result(json!({ "contents": [{ "uri": "file:///a", "text": "a" }] })))
        }
        Some(method) if method.starts_with("notifications/") => bare(StatusCode::ACCEPTED),
        None => bare(StatusCode::ACCEPTED),
        Some(_) => whole(&result(json!({}))),
    }
}

fn tools(first: &str) -> Value {
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let names = [first, "secret", "write", "fail", "resources/read"];
    let tools: Vec<Value> = names.into_iter().map(tool).collect();
    json!({ "tools": tools, "nextCursor": "p2", "ttlMs": 5000, "cacheScope": "public" })
}

async fn call(body: &Value, state: Arc<State>) -> Response<Body> {
    let id = body["id"].clone();
    let text = |text: &str, error: bool| {
        json!({ "jsonrpc": "2.0", "id": id, "result": {
            "content": [{ "type": "text", "text": text }], "isError": error } })
    };
    let other = json!({ "jsonrpc": "2.0", "id": "another", "result": { "content": [] } });
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
        "params": { "progressToken": 1, "progress": 1 } });
    let ask = json!({ "jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {} });
    let odd = json!({ "jsonrpc": "2.0", "id": 2, "method": "files/steal", "params": {} });
    match body["params"]["name"].as_str().unwrap() {
        "echo" => whole(&text(&body["params"]["arguments"].to_string(), false)),
        "fail" => whole(&text("no", true)),
        "error" => whole(&json!({ "jsonrpc": "2.0", "id": id,
            "error": { "code": -32_000, "message": "no" } })),
        "wrong-id" => whole(&other),
        "garbage" => whole_text("not json"),
        "status" => bare(StatusCode::INTERNAL_SERVER_ERROR),
        "login" => {
            let mut answer = bare(StatusCode::UNAUTHORIZED);
            answer.headers_mut().insert("www-authenticate", "Bearer".parse().unwrap());
            answer
        }
        "stream" => events(&[progress, odd, ask, other, text("done", false)], End::Over, state),
        "stream-cut" => events(&[progress], End::Cut, state),
        "stream-ends" => events(&[progress], End::Over, state),
        "stream-hangs" => events(&[progress], End::Hang, state),
        "stream-goes-on" => events(&[progress], End::Repeat, state),
        "hang" => {
            let _leaving = Leaving(state);
            std::future::pending().await
        }
        _ if state.does_anything.load(Ordering::SeqCst) => whole(&text("done", false)),
        name => panic!("no call of {name} should arrive"),
    }
}

/// How a stream goes on after its events.
#[derive(Clone, Copy)]
enum End {
    Over,
    Cut,
    Hang,
    /// With the last of them, for ever.
    Repeat,
}

fn events(messages: &[Value], end: End, state: Arc<State>) -> Response<Body> {
    let texts: Vec<Bytes> = messages
        .iter()
        .enumerate()
        .map(|(n, message)| format!("id: {n}\nevent: message\ndata: {message}\n\n").into())
        .collect();
    let leaving = matches!(end, End::Hang | End::Repeat).then(|| Leaving(state));
    let last = texts.last().cloned().unwrap_or_default();
    let frames = stream::unfold((texts.into_iter(), leaving), move |(mut texts, leaving)| {
        let last = last.clone();
        async move {
            if let Some(text) = texts.next() {
                // Small pieces, as networks make them.
                tokio::time::sleep(Duration::from_millis(5)).await;
                return Some((Ok(Frame::data(text)), (texts, leaving)));
            }
            match end {
                End::Over => None,
                End::Cut => Some((Err(std::io::Error::other("cut")), (texts, leaving))),
                End::Repeat => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Some((Ok(Frame::data(last)), (texts, leaving)))
                }
                End::Hang => {
                    let _held = leaving;
                    std::future::pending().await
                }
            }
        }
    });
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    answer
}

fn whole(body: &Value) -> Response<Body> {
    whole_text(&body.to_string())
}

fn whole_text(body: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    answer
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut answer = whole_text("");
    *answer.status_mut() = status;
    answer
}
