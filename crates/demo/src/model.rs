//! A real model in place of the composed answer, at any endpoint that speaks chat completions.

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answer::Passage;
use crate::chat;

/// Where the model is.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
    name: Option<String>,
}

impl Model {
    /// From `LOCKGATE_MODEL_URL` (base URL that ends before `/chat/completions`),
    /// `LOCKGATE_MODEL_KEY` and `LOCKGATE_MODEL_NAME`. `None` without a URL.
    pub(crate) fn from_environment(http: reqwest::Client) -> Option<Self> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = read("LOCKGATE_MODEL_URL")?;
        Some(Self {
            http,
            url: format!("{}/chat/completions", url.trim_end_matches('/')),
            key: read("LOCKGATE_MODEL_KEY"),
            name: read("LOCKGATE_MODEL_NAME"),
        })
    }

    /// The user's request with the passages put before it, answered by the model as it is.
    pub(crate) async fn answer(
        &self,
        body: &[u8],
        question: &str,
        passages: &[Passage],
    ) -> Response {
        let Ok(asked) = self.prompt(body, question, passages) else {
            return unreachable("the request cannot be passed on");
        };
        let mut request = self.http.post(&self.url).json(&asked);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let Ok(answer) = request.send().await else {
            return unreachable("the model cannot be reached");
        };
        let status = answer.status();
        let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
        let mut response = (status, Body::from_stream(answer.bytes_stream())).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }

    fn prompt(
        &self,
        body: &[u8],
        question: &str,
        passages: &[Passage],
    ) -> Result<Value, serde_json::Error> {
        let mut asked: Value = serde_json::from_slice(body)?;
        let mut context = String::from(
            "Answer from these passages only, in few sentences, and name the source of each.\n",
        );
        for passage in passages {
            context.extend(["\n[", &passage.path, "]\n", &passage.lines.join("\n"), "\n"]);
        }
        asked["messages"] = json!([
            {"role": "system", "content": context},
            {"role": "user", "content": question},
        ]);
        if let Some(name) = &self.name {
            asked["model"] = json!(name);
        }
        Ok(asked)
    }
}

fn unreachable(message: &str) -> Response {
    (StatusCode::BAD_GATEWAY, Json(chat::error(message, "server_error"))).into_response()
}
