//! The agent's side of its tools.

use std::path::PathBuf;

use axum::http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::Passage;
use crate::args::AgentArgs;
use crate::config_file::TOOL;
use crate::stage::Addresses;
use crate::tools::{Found, Read, Search};

/// Headers that tell which interaction of a user a call belongs to.
const LINKS: [&str; 2] = ["lockgate-interaction", "traceparent"];

/// Why a tool gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// It could not be reached, or what it said is no answer.
    #[error("the tool server cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// Lockgate does not say where it is, or nobody has issued a token.
    #[error("the tool server is not there yet")]
    NotYet,
    /// It said no.
    #[error("the tool server answered {0}")]
    Refused(reqwest::StatusCode),
}

/// `search` and `read`.
#[derive(Debug, Clone)]
pub(crate) struct Toolbox {
    http: reqwest::Client,
    place: Place,
}

/// Where the tool is.
#[derive(Debug, Clone)]
enum Place {
    /// At this URL, for everyone.
    Direct(String),
    /// Behind Lockgate, which says in one file where it is; in the other is who we are. Both are read with every call:
    /// Lockgate may be started again, and a new token issued.
    Governed { addresses: PathBuf, identity: PathBuf },
}

impl Toolbox {
    /// Connects with the first call.
    pub(crate) fn new(http: reqwest::Client, args: &AgentArgs) -> Self {
        let url = args.tools_url.as_deref().unwrap_or_default();
        let direct = || Place::Direct(url.trim_end_matches('/').to_owned());
        let governed = args.lockgate_addresses.clone().zip(args.identity_file.clone());
        let place = governed
            .map_or_else(direct, |(addresses, identity)| Place::Governed { addresses, identity });
        Self { http, place }
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
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        self.call("read", &Read { paths }, headers).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        tool: &str,
        arguments: &impl Serialize,
        headers: &HeaderMap,
    ) -> Result<T, ToolError> {
        let (url, token) = self.place.find()?;
        let mut request = self.http.post(format!("{url}/{tool}")).json(arguments);
        for name in LINKS {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            return Err(ToolError::Refused(response.status()));
        }
        Ok(response.json().await?)
    }
}

impl Place {
    /// Its base URL, and who we are there.
    fn find(&self) -> Result<(String, Option<String>), ToolError> {
        match self {
            Self::Direct(url) => Ok((url.clone(), None)),
            Self::Governed { addresses, identity } => {
                let found = Addresses::read(addresses).ok_or(ToolError::NotYet)?;
                let token = std::fs::read_to_string(identity).map_err(|_| ToolError::NotYet)?;
                let url = format!("http://{}/http/{TOOL}", found.egress);
                Ok((url, Some(token.trim().to_owned())))
            }
        }
    }
}
