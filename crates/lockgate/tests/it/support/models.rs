//! A provider of models with both APIs, scripted by the model's name, which keeps what it was asked.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The keys that it knows, by header.
pub(crate) const OPENAI_KEY: &str = "Bearer sk-real";
pub(crate) const ANTHROPIC_KEY: &str = "sk-ant-real";

/// What it was asked.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    /// Path and model of each request with a key that is known.
    pub(crate) asked: Mutex<Vec<(String, String)>>,
    /// Requests with another key.
    pub(crate) strangers: AtomicUsize,
    /// Streams that somebody left.
    pub(crate) left: AtomicUsize,
}

/// Starts one; gives its address.
pub(crate) fn start(runtime: &Runtime) -> (String, Arc<Provider>) {
    let provider = Arc::new(Provider::default());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&provider));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    runtime.spawn(async move { axum::serve(listener, app).await });
    (url, provider)
}

async fn answer(
    State(provider): State<Arc<Provider>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_known = header("authorization") == Some(OPENAI_KEY) && header("x-api-key").is_none()
        || header("x-api-key") == Some(ANTHROPIC_KEY) && header("authorization").is_none();
    if !is_known {
        provider.strangers.fetch_add(1, Ordering::SeqCst);
        let error = json!({ "error": { "message": "no such key" } });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let model = body["model"].as_str().unwrap_or_default();
    provider.asked.lock().expect("nobody panics").push((uri.path().to_owned(), model.to_owned()));
    if model == "limited" {
        let error = json!({ "error": { "message": "slow down", "type": "rate_limit" } });
        return (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response();
    }
    if model == "unclear" {
        let error = json!({ "error": { "message": "something is wrong", "type": "invalid_request_error" } });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let streams = body["stream"] == true;
    match uri.path() {
        "/v1/models" => {
            let models = ["gpt-4o", "gpt-5", "stalls"]
                .map(|id| json!({ "id": id, "object": "model", "created": 1, "owned_by": "x" }));
            Json(json!({ "object": "list", "data": models })).into_response()
        }
        "/v1/embeddings" => Json(json!({
            "object": "list", "model": "text-embedding-3-small",
            "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, 1.5] }],
            "usage": { "prompt_tokens": 4, "total_tokens": 4 },
        }))
        .into_response(),
        "/v1/responses" => Json(json!({
            "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o",
            "output": [], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
            "usage": { "input_tokens": 5, "output_tokens": 7, "total_tokens": 12,
                "input_tokens_details": { "cached_tokens": 0 },
                "output_tokens_details": { "reasoning_tokens": 3 } },
        }))
        .into_response(),
        "/v1/chat/completions" if streams => chat_events(&body, provider),
        "/v1/chat/completions" => Json(chat()).into_response(),
        "/v1/messages" if streams => message_events(&body, provider),
        "/v1/messages" => Json(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
            "content": [{ "type": "text", "text": "Two." }], "stop_reason": "end_turn",
            "usage": { "input_tokens": 5, "output_tokens": 7 },
        }))
        .into_response(),
        "/v1/messages/count_tokens" => Json(json!({ "input_tokens": 9 })).into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({ "error": {} }))).into_response(),
    }
}

fn chat() -> Value {
    json!({ "id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Two." } }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30 } })
}

fn chat_events(body: &Value, provider: Arc<Provider>) -> Response {
    let chunk = |choices: Value| {
        json!({ "id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06",
            "choices": choices })
    };
    let delta = |content: Value, why: Value| {
        chunk(json!([{ "index": 0, "delta": content, "finish_reason": why }]))
    };
    let mut events = vec![delta(json!({ "content": "Two" }), Value::Null)];
    if body["model"] == "stalls" {
        return events_of(&events, false, Some(Leaving(provider)));
    }
    events.push(delta(json!({ "content": "." }), Value::Null));
    events.push(delta(json!({}), "stop".into()));
    if body["stream_options"]["include_usage"] == true {
        let mut last = chunk(json!([]));
        last["usage"] = chat()["usage"].clone();
        events.push(last);
    }
    events_of(&events, true, None)
}

fn message_events(body: &Value, provider: Arc<Provider>) -> Response {
    let start = json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message",
        "role": "assistant", "model": "claude-haiku-4-5", "content": [], "stop_reason": null,
        "usage": { "input_tokens": 11, "output_tokens": 1 } } });
    let block = json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let text = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Two" } });
    if body["model"] == "stalls" {
        return events_of(&[start, block, text], false, Some(Leaving(provider)));
    }
    let stop = json!({ "type": "content_block_stop", "index": 0 });
    let delta = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 13 } });
    events_of(&[start, block, text, stop, delta, json!({ "type": "message_stop" })], false, None)
}

/// Counts a stream that is dropped before its end.
struct Leaving(Arc<Provider>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

/// Events, and then their end or, with somebody who counts who leaves, none.
fn events_of(events: &[Value], done: bool, leaving: Option<Leaving>) -> Response {
    let mut texts: Vec<String> = events
        .iter()
        .map(|event| match event["type"].as_str() {
            Some(name) => format!("event: {name}\ndata: {event}\n\n"),
            None => format!("data: {event}\n\n"),
        })
        .collect();
    if done {
        texts.push("data: [DONE]\n\n".to_owned());
    }
    let hang = stream::unfold(leaving, |leaving| async move {
        let held = leaving?;
        std::future::pending::<()>().await;
        Some((String::new(), Some(held)))
    });
    let body = stream::iter(texts).chain(hang).map(Ok::<_, Infallible>);
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(body)).into_response()
}
