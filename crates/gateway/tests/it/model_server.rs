//! A provider of models that does as the tests want, by the model's name, and remembers every request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
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
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let headers: HeaderMap = parts.headers;
    let seen = Seen { method: parts.method, path: path.clone(), headers, body: body.clone() };
    state.seen.lock().unwrap().push(seen);
    let model = body["model"].as_str().unwrap_or_default();
    match model {
        "hangs" => {
            let _leaving = Leaving(state);
            return std::future::pending().await;
        }
        "limited" => {
            let mut answer = whole(429, &json!({ "error": { "message": "slow down" } }));
            answer.headers_mut().insert("retry-after", "7".parse().unwrap());
            answer.headers_mut().insert("x-request-id", "req-1".parse().unwrap());
            answer.headers_mut().insert("openai-organization", "acme".parse().unwrap());
            return answer;
        }
        "unpaid" => return whole(401, &json!({ "error": { "message": "sk-secret is no key" } })),
        "moved" => {
            let mut answer = whole(307, &json!({}));
            answer.headers_mut().insert("location", "http://elsewhere/".parse().unwrap());
            return answer;
        }
        "page" => {
            let mut answer = whole(200, &json!({}));
            answer.headers_mut().insert("content-type", "text/html".parse().unwrap());
            return answer;
        }
        _ => {}
    }
    if let Some(wish) = Wish::of(&body) {
        return wish.answer(&path, body["stream"] == true, state);
    }
    match (path.split('?').next().unwrap_or_default(), body["stream"] == true) {
        ("/v1/models", _) => {
            let ids = ["gpt-4o", "other", "dear"].map(|id| json!({ "id": id, "object": "model" }));
            whole(200, &json!({ "object": "list", "data": ids, "has_more": false }))
        }
        ("/v1/embeddings", _) => whole(
            200,
            &json!({ "object": "list", "model": "text-embedding-3-small",
                "data": [{ "embedding": [0.5], "index": 0, "object": "embedding" }],
                "usage": { "prompt_tokens": 4, "total_tokens": 4 } }),
        ),
        ("/v1/chat/completions", false) => {
            let mut answer = chat();
            if body["service_tier"].is_string() {
                answer["service_tier"] = body["service_tier"].clone();
            }
            whole(200, &answer)
        }
        ("/v1/chat/completions", true) => chat_events(&body, state),
        ("/v1/responses", false) => whole(
            200,
            &json!({ "id": "resp_1", "object": "response", "status": "completed", "model": "gpt-4o", "output": [],
                "usage": { "input_tokens": 5, "output_tokens": 7, "output_tokens_details": { "reasoning_tokens": 3 } } }),
        ),
        ("/v1/messages", false) => whole(
            200,
            &json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
                "stop_reason": "end_turn", "usage": { "input_tokens": 5, "output_tokens": 7,
                    "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1 } }),
        ),
        ("/v1/messages", true) => message_events(&body, state),
        ("/v1/messages/count_tokens", _) => whole(200, &json!({ "input_tokens": 9 })),
        _ => whole(404, &json!({ "error": { "message": "no such path" } })),
    }
}

/// Whoever offers a function has it asked for, with the arguments that stand in what was said.
struct Wish {
    name: Value,
    arguments: String,
}

impl Wish {
    fn of(body: &Value) -> Option<Self> {
        let tool = body["tools"].get(0)?;
        let name = tool["function"].get("name").or(tool.get("name"))?.clone();
        let said = body["input"].as_str().or(body["messages"][0]["content"].as_str())?;
        Some(Self { name, arguments: said.to_owned() })
    }

    fn answer(&self, path: &str, stream: bool, state: Arc<State>) -> Response<Body> {
        match (path, stream) {
            ("/v1/chat/completions", false) => {
                let mut answer = chat();
                let function = json!({ "name": self.name, "arguments": self.arguments });
                answer["choices"][0]["message"]["tool_calls"] =
                    json!([{ "id": "call_1", "type": "function", "function": function }]);
                whole(200, &answer)
            }
            ("/v1/chat/completions", true) => {
                stream_of(&self.chat_events(), "data: [DONE]\n\n", End::Hang, state)
            }
            ("/v1/responses", stream) => {
                let item = json!({ "type": "function_call", "name": self.name, "arguments": self.arguments });
                if stream {
                    let done = json!({ "type": "response.output_item.done", "output_index": 0, "item": item });
                    return stream_of(&[done], "", End::Hang, state);
                }
                whole(
                    200,
                    &json!({ "id": "resp_1", "object": "response", "status": "completed", "output": [item] }),
                )
            }
            (_, false) => {
                let input: Value = serde_json::from_str(&self.arguments).unwrap();
                let block =
                    json!({ "type": "tool_use", "id": "t", "name": self.name, "input": input });
                whole(200, &json!({ "id": "msg_1", "type": "message", "content": [block] }))
            }
            (_, true) => stream_of(&self.message_events(), "", End::Hang, state),
        }
    }

    fn chat_events(&self) -> Vec<Value> {
        let chunk = |delta: Value, finish: Value| {
            json!({ "id": "c-1", "object": "chat.completion.chunk", "model": "gpt-4o",
                "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
        };
        let part = |function: Value| {
            chunk(json!({ "tool_calls": [{ "index": 0, "function": function }] }), Value::Null)
        };
        let (one, two) = self.arguments.split_at(self.arguments.len() / 2);
        vec![
            part(json!({ "name": self.name, "arguments": "" })),
            part(json!({ "arguments": one })),
            part(json!({ "arguments": two })),
            chunk(json!({}), "tool_calls".into()),
        ]
    }

    fn message_events(&self) -> Vec<Value> {
        let block = json!({ "type": "tool_use", "id": "t", "name": self.name, "input": {} });
        let adds = |json: &str| {
            json!({ "type": "content_block_delta", "index": 0,
                "delta": { "type": "input_json_delta", "partial_json": json } })
        };
        let (one, two) = self.arguments.split_at(self.arguments.len() / 2);
        vec![
            json!({ "type": "content_block_start", "index": 0, "content_block": block }),
            adds(one),
            adds(two),
            json!({ "type": "content_block_stop", "index": 0 }),
        ]
    }
}

fn chat() -> Value {
    json!({ "id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hello" } }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
            "prompt_tokens_details": { "cached_tokens": 4 },
            "completion_tokens_details": { "reasoning_tokens": 6 } } })
}

fn chat_events(body: &Value, state: Arc<State>) -> Response<Body> {
    let chunk = |choices: Value| {
        json!({ "id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06",
            "choices": choices, "usage": null })
    };
    let text = |text: &str| {
        chunk(json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]))
    };
    let mut events = vec![text("Hel"), text("lo")];
    let stop = chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]));
    if body["model"] == "cut" || body["model"] == "stalls" {
        let end = if body["model"] == "cut" { End::Cut } else { End::Hang };
        return stream_of(&events, "", end, state);
    }
    if body["model"] == "drips" {
        return stream_of(&events, "", End::Drip, state);
    }
    if body["model"] == "fails" {
        events.push(json!({ "error": { "message": "overloaded", "type": "server_error" } }));
        return stream_of(&events, "", End::Over, state);
    }
    events.push(stop);
    if body["stream_options"]["include_usage"] == true {
        let mut last = chat();
        last["object"] = "chat.completion.chunk".into();
        last["choices"] = json!([]);
        events.push(last);
    }
    stream_of(&events, "data: [DONE]\n\n", End::Over, state)
}

fn message_events(body: &Value, state: Arc<State>) -> Response<Body> {
    let start = json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-haiku-4-5", "content": [], "usage": { "input_tokens": 11, "output_tokens": 1 } } });
    let text = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } });
    let delta = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" },
        "usage": { "output_tokens": 13 } });
    if body["model"] == "stalls" {
        return stream_of(&[start, text], "", End::Hang, state);
    }
    stream_of(&[start, text, delta, json!({ "type": "message_stop" })], "", End::Over, state)
}

#[derive(Clone, Copy)]
enum End {
    Over,
    Cut,
    Hang,
    /// Comments, for ever.
    Drip,
}

fn stream_of(events: &[Value], last: &str, end: End, state: Arc<State>) -> Response<Body> {
    let mut texts: Vec<Bytes> = Vec::new();
    for event in events {
        let name =
            event["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
        let text = format!("{name}data: {event}\n\n");
        // Cut in the middle, as networks do.
        let (one, two) = text.split_at(text.len() / 2);
        texts.extend([one, two].map(|part| Bytes::from(part.to_owned())));
    }
    texts.push(Bytes::from(last.to_owned()));
    let leaving = matches!(end, End::Hang | End::Drip).then(|| Leaving(state));
    let frames =
        stream::unfold((texts.into_iter(), leaving), move |(mut texts, leaving)| async move {
            if let Some(text) = texts.next() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                return Some((Ok(Frame::data(text)), (texts, leaving)));
            }
            match end {
                End::Over => None,
                End::Cut => Some((Err(std::io::Error::other("cut")), (texts, leaving))),
                End::Drip => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Some((
                        Ok(Frame::data(Bytes::from_static(b": still here\n\n"))),
                        (texts, leaving),
                    ))
                }
                End::Hang => {
                    let _held = leaving;
                    std::future::pending().await
                }
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
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    answer.headers_mut().insert("set-cookie", "upstream=1".parse().unwrap());
    answer
}
