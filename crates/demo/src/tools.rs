//! The tool server: `search` and `read` over the documents, for callers that it knows by a key.
//!
//! A caller that tries to read anything else is refused and reported to Lockgate as a security
//! event of the version that the key belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Passage;
use crate::args::ToolsArgs;
use crate::documents::{self, ReadError, Section};
use crate::error::DemoError;
use crate::server;

/// Passages that a search returns at most.
const HITS_MAX: usize = 3;
/// Paths that one read takes at most; further ones are left out.
const PATHS_MAX: usize = 16;

/// Who may call, and where events go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToolSettings {
    /// Who calls, by key. Empty: everyone may call, nobody can be named in a report.
    pub(crate) callers: BTreeMap<String, Caller>,
    /// File in which Lockgate says where its API listens.
    pub(crate) addresses_file: PathBuf,
    /// File with an operator's token.
    pub(crate) token_file: PathBuf,
}

/// Whom a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// The agent.
    pub(crate) agent: String,
    /// The version of it.
    pub(crate) version: String,
}

/// A search.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    /// In the user's words.
    pub(crate) query: String,
}

/// What a search found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Paths for `read`, best first.
    pub(crate) paths: Vec<String>,
}

/// A read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    /// `file.md#heading`, one or several.
    pub(crate) paths: Vec<String>,
}

struct Tools {
    settings: Option<ToolSettings>,
    http: reqwest::Client,
}

/// Runs the tool server until it is told to stop.
pub async fn tools(args: ToolsArgs) -> Result<(), DemoError> {
    let settings = args.settings.as_deref().map(read_settings).transpose()?;
    let state = Arc::new(Tools { settings, http: server::http_client()? });
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/search", post(search))
        .route("/read", post(read))
        .with_state(state);
    server::serve(router, args.port, args.address_file.as_deref(), args.stop_with_stdin).await
}

fn read_settings(path: &Path) -> Result<ToolSettings, DemoError> {
    let text = std::fs::read(path).map_err(DemoError::file("read", path))?;
    serde_json::from_slice(&text)
        .map_err(std::io::Error::other)
        .map_err(DemoError::file("understand", path))
}

async fn search(
    State(tools): State<Arc<Tools>>,
    headers: HeaderMap,
    Json(asked): Json<Search>,
) -> Response {
    if tools.caller(&headers).is_err() {
        return unknown_caller();
    }
    let hits = documents::search(&asked.query, HITS_MAX);
    Json(Found { paths: hits.iter().map(|hit| path_of(hit.section)).collect() }).into_response()
}

async fn read(
    State(tools): State<Arc<Tools>>,
    headers: HeaderMap,
    Json(asked): Json<Read>,
) -> Response {
    let Ok(caller) = tools.caller(&headers) else {
        return unknown_caller();
    };
    let mut passages = Vec::new();
    for path in asked.paths.iter().take(PATHS_MAX) {
        match documents::read(path) {
            Ok(section) => passages.push(Passage {
                path: path_of(section),
                lines: section.lines.iter().map(|line| (*line).to_owned()).collect(),
            }),
            Err(ReadError::Missing) => {
                let error = json!({"error": "no such document", "path": path});
                return (StatusCode::NOT_FOUND, Json(error)).into_response();
            }
            Err(ReadError::Outside) => {
                if let Some(caller) = caller {
                    tools.report(caller, path).await;
                }
                let error = json!({"error": "only the documents can be read"});
                return (StatusCode::FORBIDDEN, Json(error)).into_response();
            }
        }
    }
    Json(passages).into_response()
}

fn path_of(section: &Section) -> String {
    format!("{}#{}", section.file, section.heading)
}

fn unknown_caller() -> Response {
    (StatusCode::UNAUTHORIZED, Json(json!({"error": "unknown caller"}))).into_response()
}

/// Where Lockgate listens, as it says itself.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Addresses {
    /// Agents' traffic.
    pub(crate) ingress: String,
    /// REST and console.
    pub(crate) api: String,
}

impl Addresses {
    /// From the file that the server writes once it listens.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl Tools {
    /// Whom the key belongs to; `None` when callers need no key.
    fn caller(&self, headers: &HeaderMap) -> Result<Option<&Caller>, ()> {
        let Some(settings) = self.settings.as_ref().filter(|known| !known.callers.is_empty())
        else {
            return Ok(None);
        };
        let key = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(())?;
        settings.callers.get(key).map(Some).ok_or(())
    }

    /// Tells Lockgate. The refusal stands whether or not anyone hears of it.
    async fn report(&self, Caller { agent, version }: &Caller, path: &str) {
        let Some(settings) = &self.settings else { return };
        let Some(addresses) = Addresses::read(&settings.addresses_file) else { return };
        let Ok(token) = std::fs::read_to_string(&settings.token_file) else { return };
        let url = format!(
            "http://{}/api/v1/agents/{agent}/versions/{version}/security-events",
            addresses.api
        );
        let shown: String = path.chars().take(100).collect();
        let body = json!({
            "detail": format!("tried to read `{shown}`, outside its documents; refused"),
            "rule": "documents-only",
            "stable_shows_it": false,
        });
        let request = self.http.post(url).bearer_auth(token.trim()).json(&body);
        let _ = request.send().await;
    }
}
