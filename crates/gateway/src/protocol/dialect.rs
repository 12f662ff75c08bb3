//! Which format an answer has.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use lockgate_model::agent::Protocol;

use super::paths;
use super::pick::Node;

/// A family of bodies that is read the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenAi,
    Anthropic,
    A2a,
    Mcp,
}

impl Dialect {
    /// What an agent's answers on `path` are written in; `None` when they are not looked at.
    pub(super) fn of(protocol: Protocol, path: &str) -> Option<Self> {
        match protocol {
            Protocol::Http => None,
            Protocol::Openai => Some(Self::OpenAi),
            Protocol::Anthropic => Some(Self::Anthropic),
            Protocol::A2a => Some(Self::A2a),
            Protocol::Mcp => Some(Self::Mcp),
            Protocol::Auto => Self::of_path(path),
        }
    }

    /// What is served at such a path wherever it is served.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let path = bare(path);
        if path.ends_with("/chat/completions") || path.ends_with("/responses") {
            Some(Self::OpenAi)
        } else if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else {
            None
        }
    }

    /// Whose prices a model of this format most likely has.
    pub(super) fn provider(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("openai"),
            Self::Anthropic => Some("anthropic"),
            Self::A2a | Self::Mcp => None,
        }
    }

    /// Where its answers keep what is read.
    pub(super) fn paths(self) -> &'static Node {
        match self {
            Self::OpenAi => &paths::OPENAI,
            Self::Anthropic => &paths::ANTHROPIC,
            Self::A2a => &paths::A2A,
            Self::Mcp => &paths::MCP,
        }
    }
}

/// The path without query and without a slash at its end.
pub(super) fn bare(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/')
}

/// What a body's content type says about its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Events,
    Other,
}

impl Form {
    /// Reads `content-type`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
            return Self::Other;
        };
        let essence = value.split(';').next().unwrap_or_default().trim();
        let ends_with_json = essence
            .len()
            .checked_sub("+json".len())
            .and_then(|at| essence.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case("+json"));
        if essence.eq_ignore_ascii_case("text/event-stream") {
            Self::Events
        } else if essence.eq_ignore_ascii_case("application/json") || ends_with_json {
            Self::Json
        } else {
            Self::Other
        }
    }
}
