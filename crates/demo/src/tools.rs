//! The tool server: `search` and `read` over the documents, for whoever shows its key. Who may do what is not its business:
//! Lockgate stands before it and has the key, the agents do not.

use std::path::PathBuf;
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
    /// What callers must show; everyone may call without one.
    key: Option<String>,
}

/// Runs the tool server until it is told to stop.
pub async fn tools(args: ToolsArgs) -> Result<(), DemoError> {
    let text =
        |path: &PathBuf| std::fs::read_to_string(path).map_err(DemoError::file("read", path));
    let key = args.key_file.as_ref().map(text).transpose()?;
    let state = Arc::new(Tools { key: key.map(|key| key.trim().to_owned()) });
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/search", post(search))
        .route("/read", post(read))
        .with_state(state);
    server::serve(router, args.port, args.address_file.as_deref(), args.stop_with_stdin).await
}

async fn search(
    State(tools): State<Arc<Tools>>,
    headers: HeaderMap,
    Json(asked): Json<Search>,
) -> Response {
    if !tools.knows(&headers) {
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
    if !tools.knows(&headers) {
        return unknown_caller();
    }
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

impl Tools {
    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.key else { return true };
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
        shown.is_some_and(|shown| shown == key)
    }
}
