//! One version of the demo's agent: questions in, answers with sources out.
//!
//! Each request is worked on: the question is searched for through the tool server, what was found
//! is read through it, and the answer is composed from that. Only the time that a model would
//! take is imitated. With `LOCKGATE_MODEL_URL` a real model writes the answer instead.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::answer::{self, Passage};
use crate::args::{AgentArgs, AnswerQuality};
use crate::chat::{self, ChatRequest, Reply, Used};
use crate::error::DemoError;
use crate::model::Model;
use crate::server;
use crate::text::{draw, draw_unit, tokens};
use crate::toolbox::{ToolError, Toolbox};

/// Share of questions that are handed to a person although the documents answer them.
const HANDED_OVER: f64 = 0.2;
/// Time to the first word of an answer.
const FIRST_WORD_MS: u64 = 40;
/// Time for each further one, up to [`TIMED_TOKENS_MAX`].
const TOKEN_US: u64 = 120;
/// Longer answers take no longer: the slowest good answer stays well below the plan's 200 ms.
const TIMED_TOKENS_MAX: u64 = 450;
/// Spread of the time, to both sides.
const JITTER_MS: f64 = 5.0;
/// Pieces that a streamed answer comes in.
const PIECES: usize = 8;
/// Largest request that is read.
const BODY_BYTES_MAX: usize = 1024 * 1024;

struct Agent {
    args: AgentArgs,
    tools: Toolbox,
    model: Option<Model>,
}

/// Runs one version of the agent until it is told to stop.
pub async fn agent(args: AgentArgs) -> Result<(), DemoError> {
    let (port, address_file, stop) = (args.port, args.address_file.clone(), args.stop_with_stdin);
    let http = server::http_client()?;
    let tools = Toolbox::new(http.clone(), &args);
    let agent = Arc::new(Agent { tools, model: Model::from_environment(http), args });
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/v1/chat/completions", post(complete))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(agent);
    server::serve(router, port, address_file.as_deref(), stop).await
}

async fn complete(State(agent): State<Arc<Agent>>, headers: HeaderMap, body: Bytes) -> Response {
    let started = Instant::now();
    let request: ChatRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refuse(&format!("the body is no chat request: {error}")),
    };
    let Some(question) = request.question() else {
        return refuse("there is no message of a user");
    };
    // Draws depend on the whole request, so that one request always fares the same.
    let request_key = draw(agent.args.seed, &[&body]);
    if chance("fail", request_key) < agent.args.fail_share {
        sleep(Duration::from_millis(5)).await;
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "this version lost its thread");
    }
    let passages = match agent.look_up(&question, &headers, request_key).await {
        Ok(passages) => passages,
        Err(error) => return failed(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    if let Some(model) = &agent.model {
        return model.answer(&body, &question, &passages).await;
    }
    let reply = agent.compose(&request, &question, &passages, request_key);
    let (first, last) = agent.pace(&reply, request_key);
    let outcome = [(OUTCOME, outcome(&passages, request_key))];
    if !request.stream {
        sleep_until(started + last).await;
        return (outcome, Json(reply.whole())).into_response();
    }
    let usage = request.stream_options.is_some_and(|options| options.include_usage);
    let events = reply.events(PIECES, usage);
    (outcome, stream(events, started + first, last.saturating_sub(first))).into_response()
}

/// The header by which an agent says what came of an interaction.
const OUTCOME: &str = "lockgate-outcome";

/// What it says: without a passage to answer from, and now and then with one, a person takes over.
fn outcome(passages: &[Passage], request_key: u64) -> &'static str {
    let hands_over = passages.is_empty() || chance("hand over", request_key) < HANDED_OVER;
    if hands_over { "escalated" } else { "resolved" }
}

impl Agent {
    async fn look_up(
        &self,
        question: &str,
        headers: &HeaderMap,
        request_key: u64,
    ) -> Result<Vec<Passage>, ToolError> {
        if chance("outside", request_key) < self.args.read_outside {
            // Whatever comes back, the user still gets an answer: the attempt is what counts.
            let _ = self.tools.read(vec!["../../etc/passwd".into()], headers).await;
        }
        let paths = self.tools.search(question, headers).await?;
        self.tools.read(paths, headers).await
    }

    fn compose(
        &self,
        request: &ChatRequest,
        question: &str,
        passages: &[Passage],
        request_key: u64,
    ) -> Reply {
        let text = match self.args.answer_quality {
            AnswerQuality::Good => answer::helpful(question, passages, request.tokens_max()),
            AnswerQuality::Poor => answer::unhelpful(request.tokens_max()),
        };
        let visible = tokens(&text);
        let found: u64 = passages.iter().flat_map(|p| &p.lines).map(|line| tokens(line)).sum();
        let reasoning = self.reasoning(visible);
        Reply {
            id: format!("chatcmpl-{request_key:016x}"),
            created: 1_700_000_000 + request_key % 86_400,
            model: self.args.model.clone(),
            text,
            used: Used {
                prompt: request.prompt_tokens() + found,
                completion: visible + reasoning,
                reasoning,
            },
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "answers have at most 4,000 tokens and the factor is 1 to 100"
    )]
    fn reasoning(&self, visible: u64) -> u64 {
        (visible as f64 * (self.args.tokens_factor - 1.0)).round() as u64
    }

    /// When the first and the last word come, counted from the request. Reasoning takes no time
    /// of its own: the dearer model writes faster, so that cost and latency stay apart.
    fn pace(&self, reply: &Reply, request_key: u64) -> (Duration, Duration) {
        let jitter_ms = JITTER_MS * (1.0 + 2.0 * chance("pace", request_key));
        let first = Duration::from_millis(FIRST_WORD_MS + self.args.delay_ms)
            + Duration::from_secs_f64(jitter_ms / 1e3);
        let visible = reply.used.completion - reply.used.reasoning;
        (first, first + Duration::from_micros(TOKEN_US * visible.min(TIMED_TOKENS_MAX)))
    }
}

/// A draw from 0 to 1 of this request.
fn chance(what: &str, request_key: u64) -> f64 {
    draw_unit(request_key, &[what.as_bytes()])
}

/// Sends the events evenly over `span`, from `first` on.
fn stream(events: Vec<String>, first: Instant, span: Duration) -> Response {
    let steps = u32::try_from(events.len()).unwrap_or(u32::MAX).max(1);
    let step = span / steps;
    let timed = (0..steps).zip(events);
    let body = futures_util::stream::unfold(timed, move |mut timed| async move {
        let (number, event) = timed.next()?;
        sleep_until(first + step * number).await;
        Some((Ok::<_, Infallible>(Bytes::from(event)), timed))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(body)).into_response()
}

fn refuse(message: &str) -> Response {
    let error: Value = chat::error(message, "invalid_request_error");
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

fn failed(status: StatusCode, message: &str) -> Response {
    (status, Json(chat::error(message, "server_error"))).into_response()
}
