//! The agent's side of its tools.

use std::path::Path;

use axum::http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::Passage;
use crate::error::DemoError;
use crate::tools::{Found, Read, Search};

/// Headers that tell which interaction of a user a call belongs to.
const LINKS: [&str; 2] = ["lockgate-interaction", "traceparent"];

/// Why a tool gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// It could not be reached, or what it said is no answer.
    #[error("the tool server cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// It said no.
    #[error("the tool server answered {0}")]
    Refused(reqwest::StatusCode),
}

/// `search` and `read`.
#[derive(Debug, Clone)]
pub(crate) struct Toolbox {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

impl Toolbox {
    /// Reads the key; connects with the first call.
    pub(crate) fn new(
        http: reqwest::Client,
        url: &str,
        key_file: Option<&Path>,
    ) -> Result<Self, DemoError> {
        let key = key_file
            .map(|path| std::fs::read_to_string(path).map_err(DemoError::file("read", path)))
            .transpose()?
            .map(|key| key.trim().to_owned());
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key })
    }

    /// Paths of what fits, best first.
    pub(crate) async fn search(
        &self,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Vec<String>, ToolError> {
        let found: Found = self.call("search", &Search { query: query.into() }, headers).await?;
        Ok(found.paths)
    }

    /// What stands at `paths`, in their order.
    pub(crate) async fn read(
        &self,
        paths: Vec<String>,
        headers: &HeaderMap,
    ) -> Result<Vec<Passage>, ToolError> {
        self.call("read", &Read { paths }, headers).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        tool: &str,
        arguments: &impl Serialize,
        headers: &HeaderMap,
    ) -> Result<T, ToolError> {
        let mut request = self.http.post(format!("{}/{tool}", self.url)).json(arguments);
        for name in LINKS {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            return Err(ToolError::Refused(response.status()));
        }
        Ok(response.json().await?)
    }
}
