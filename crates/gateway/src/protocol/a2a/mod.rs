//! A2A, as far as a gateway must understand calls of it: which action a request asks for, in JSON-RPC or REST, in
//! 1.0 or 0.3; what of it a policy can be about; what an answer says of its task; and what a card says of its agent. No
//! policy in here.
//!
//! Follows the A2A specification 1.0 (`a2a.proto`, sections 9 and 11) and the JSON-RPC binding of 0.3.

pub(crate) mod action;
pub(crate) mod answer;
pub(crate) mod arguments;
pub(crate) mod card;
mod fields;
mod message;
pub(crate) mod rest;
pub(crate) mod rpc;
#[cfg(test)]
mod tests;

use http::{HeaderMap, Method};
use serde_json::{Map, Value};

use action::Action;

/// The header that says which version is spoken.
pub(crate) const VERSION: &str = "a2a-version";
/// The header that names extensions.
pub(crate) const EXTENSIONS: &str = "a2a-extensions";

/// A version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V0_3,
    V1_0,
}

impl Version {
    /// As a header or a query says it; nothing is 0.3. `None` for one that is not spoken.
    pub(crate) fn read(said: &str) -> Option<Self> {
        let mut parts = said.trim().split('.');
        let version = match (parts.next(), parts.next()) {
            (Some(""), None) => return Some(Self::V0_3),
            (Some("0"), Some("3")) => Self::V0_3,
            (Some("1"), Some("0")) => Self::V1_0,
            _ => return None,
        };
        // A patch changes nothing about what is spoken.
        let is_patch = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (parts.next().is_none_or(is_patch) && parts.next().is_none()).then_some(version)
    }

    /// What headers, and a query's word, say. Two that differ are none.
    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let mut said = headers.get_all(VERSION).iter();
        let header = match (said.next(), said.next()) {
            (None, _) => None,
            (Some(said), None) => Some(said.to_str().ok()?),
            (Some(_), Some(_)) => return None,
        };
        match (header, query) {
            (Some(header), Some(query)) if header.trim() != query.trim() => None,
            (said, other) => Self::read(said.or(other).unwrap_or_default()),
        }
    }

    /// As it is said to the other agent.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V0_3 => "0.3",
            Self::V1_0 => "1.0",
        }
    }
}

/// Why a request is not one that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    /// Nothing like this is known.
    #[error("nothing like this is known")]
    Unknown,
    /// It is not JSON, or has two meanings.
    #[error("{0}")]
    Json(String),
    /// It is no request.
    #[error("{0}")]
    Request(&'static str),
    /// What it asks with is not what it should be.
    #[error("`{0}` {1}")]
    Field(&'static str, &'static str),
    /// It has a field that nobody knows what it does to.
    #[error("`{0}` has a field that is not known here")]
    UnknownField(&'static str),
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) action: Action,
    /// What policies are asked about.
    pub(crate) arguments: Value,
    /// Where it says which interaction of a user it belongs to.
    pub(crate) metadata: Vec<Map<String, Value>>,
}

/// Reads bytes as a request of every kind there is, and says whether it was one of any: for whoever tries what happens.
pub fn is_any_request(target: &str, body: &[u8]) -> bool {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let mut read = false;
    for version in [Version::V0_3, Version::V1_0] {
        read |= rpc::Rpc::read(body, version, &[]).is_ok_and(|rpc| rpc.asked.is_ok());
    }
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let place = rest::Place::read(&method, path, query);
        read |= place.is_ok_and(|place| place.with_body(body, &[]).is_ok());
    }
    read
}
