//! Another agent that does as the tests want, by the text of a message or the id of a task, and remembers every request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

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

/// What it says of itself, and where.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) card: Mutex<Value>,
    pub(crate) card_path: Mutex<String>,
}

pub(crate) async fn start() -> (SocketAddr, Arc<State>, Arc<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (state, told) = (Arc::new(State::default()), Arc::new(Told::default()));
    *told.card.lock().unwrap() = card(&address.to_string());
    *told.card_path.lock().unwrap() = "/agents/desk/.well-known/agent-card.json".into();
    let shared = (Arc::clone(&state), Arc::clone(&told));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = shared.clone();
            let service = service_fn(move |request| {
                let (state, told) = shared.clone();
                async move { Ok::<_, Infallible>(answer(state, told, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, state, told)
}

/// A card with an interface of each binding.
pub(crate) fn card(at: &str) -> Value {
    let interface = |url: String, binding: &str| json!({ "url": url, "protocolBinding": binding, "protocolVersion": "1.0" });
    json!({
        "name": "desk", "description": "books", "version": "1", "skills": [],
        "supportedInterfaces": [
            interface(format!("http://{at}/agents/desk/"), "JSONRPC"),
            interface(format!("http://{at}/agents/desk"), "HTTP+JSON"),
            interface(format!("{at}1"), "GRPC"),
        ],
        "capabilities": { "streaming": true },
        "signatures": [{ "protected": "x", "signature": "y" }],
    })
}

struct Leaving(Arc<State>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

async fn answer(state: Arc<State>, told: Arc<Told>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let method = parts.method.clone();
    let seen = Seen { method, path: path.clone(), headers: parts.headers, body: body.clone() };
    state.seen.lock().unwrap().push(seen);
    if path.ends_with("agent-card.json") {
        if path != *told.card_path.lock().unwrap() {
            return whole(404, &json!({}));
        }
        return whole(200, &told.card.lock().unwrap());
    }
    let is_rpc = path == "/agents/desk/";
    let params = if is_rpc { &body["params"] } else { &body };
    let text = &params["message"]["parts"][0]["text"];
    let id = params["id"].as_str().or_else(|| path.rsplit('/').next());
    let what =
        text.as_str().or(id).unwrap_or_default().split(['?', ':']).next().unwrap_or_default();
    let wrapped = |result: &Value| {
        if is_rpc {
            json!({ "jsonrpc": "2.0", "id": body["id"], "result": result })
        } else {
            result.clone()
        }
    };
    let done = json!({ "task": task("TASK_STATE_COMPLETED") });
    match what {
        "hang" => {
            let _leaving = Leaving(state);
            std::future::pending().await
        }
        "login" => whole(401, &json!({ "key": "secret" })),
        "moved" => whole(302, &json!({})),
        "page" => {
            let mut answer = whole(200, &json!({}));
            answer.headers_mut().insert("content-type", "text/html".parse().unwrap());
            answer
        }
        "other" => whole(200, &json!({ "jsonrpc": "2.0", "id": "another", "result": done })),
        "none" if is_rpc => whole(
            200,
            &json!({ "jsonrpc": "2.0", "id": body["id"], "error": { "code": -32001, "message": "no such task" } }),
        ),
        "none" => whole(404, &json!({ "error": { "code": 404, "message": "no such task" } })),
        "broken" => whole(500, &json!({ "error": { "code": 500, "message": "no" } })),
        "fails" => whole(200, &wrapped(&json!({ "task": task("TASK_STATE_FAILED") }))),
        "asks" => whole(200, &wrapped(&json!({ "task": task("TASK_STATE_INPUT_REQUIRED") }))),
        "stream" | "stream-hangs" | "stream-ends" | "stream-lies" => {
            let working = json!({ "task": task("TASK_STATE_WORKING") });
            let mut events = vec![wrapped(&working)];
            match what {
                "stream" => {
                    events.push(wrapped(&json!({ "statusUpdate": task("TASK_STATE_COMPLETED") })));
                }
                "stream-lies" => {
                    events.push(json!({ "jsonrpc": "2.0", "id": "another", "result": {} }));
                }
                _ => {}
            }
            streamed(events, (what == "stream-hangs").then(|| Leaving(state)))
        }
        "extendedAgentCard" => whole(200, &told.card.lock().unwrap()),
        _ if body["method"] == "GetExtendedAgentCard" => {
            whole(200, &wrapped(&told.card.lock().unwrap()))
        }
        _ => whole(200, &wrapped(&done)),
    }
}

fn task(state: &str) -> Value {
    json!({ "id": "t", "contextId": "c", "status": { "state": state } })
}

fn streamed(events: Vec<Value>, hangs: Option<Leaving>) -> Response<Body> {
    let events = events.into_iter().map(|event| format!("data: {event}\n\n"));
    let frames = stream::unfold((events, hangs), |(mut events, hangs)| async move {
        match (events.next(), hangs) {
            (Some(event), hangs) => Some((Ok(Frame::data(Bytes::from(event))), (events, hangs))),
            (None, Some(_held)) => std::future::pending().await,
            (None, None) => None,
        }
    });
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    answer
}

fn whole(status: u16, body: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in [
        ("content-type", "application/json"),
        ("a2a-extensions", "https://x/ext"),
        ("set-cookie", "inside=1"),
        ("location", "http://elsewhere/"),
        ("www-authenticate", "Basic"),
    ] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}
