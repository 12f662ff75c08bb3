//! Which of the two families a request belongs to, by its headers and its body together.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};

use crate::protocol::mcp::code;
use crate::protocol::mcp::method::{PROMPT, READ};

/// The version that a request is of.
pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session, up to 2025-11-25.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The method, from 2026-07-28 on.
pub(crate) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// What the method is applied to, from 2026-07-28 on.
pub(crate) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Parameters that are mirrored, from 2026-07-28 on.
pub(crate) const PARAM_PREFIX: &str = "mcp-param-";

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const STATELESS: [&str; 1] = ["2026-07-28"];
const SESSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How requests hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Up to 2025-11-25: a session that is initialised.
    Session,
    /// From 2026-07-28 on: each request stands alone.
    Stateless,
}

/// Why a request is of no family.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mismatch {
    /// The error's code.
    pub(crate) code: i64,
    /// What is wrong, in words.
    pub(crate) message: String,
    /// More about it.
    pub(crate) data: Option<Value>,
}

impl Mismatch {
    fn header(message: impl Into<String>) -> Self {
        Self { code: code::HEADER_MISMATCH, message: message.into(), data: None }
    }
}

impl Family {
    /// Of a message that has no headers, as over pipes.
    pub(crate) fn of_params(params: &Map<String, Value>) -> Result<Self, Mismatch> {
        match params.get("_meta").and_then(|meta| meta.get(META_VERSION)) {
            None => Ok(Self::Session),
            Some(Value::String(version)) if STATELESS.contains(&version.as_str()) => {
                Ok(Self::Stateless)
            }
            Some(Value::String(version)) => Err(unsupported(version)),
            Some(_) => Err(Mismatch::header("the version in `_meta` is no text")),
        }
    }

    /// Of a request without a body.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Self, Mismatch> {
        Ok(match one(headers, &VERSION)? {
            Some(version) if STATELESS.contains(&version) => Self::Stateless,
            Some(version) if !SESSIONS.contains(&version) => return Err(unsupported(version)),
            _ => Self::Session,
        })
    }

    /// Of a message. Whatever its headers say of it, its body must say the same.
    pub(crate) fn of(
        headers: &HeaderMap,
        method: Option<&str>,
        params: &Map<String, Value>,
    ) -> Result<Self, Mismatch> {
        let said = one(headers, &VERSION)?;
        let meta = params.get("_meta").and_then(|meta| meta.get(META_VERSION));
        let meta = match meta {
            None => None,
            Some(Value::String(version)) => Some(version.as_str()),
            Some(_) => return Err(Mismatch::header("the version in `_meta` is no text")),
        };
        let family = Self::of_headers(headers)?;
        if family == Self::Session {
            return match meta {
                None => Ok(family),
                Some(version) if STATELESS.contains(&version) => Err(Mismatch::header(
                    "`_meta` names a version, and the header MCP-Protocol-Version another or none",
                )),
                Some(version) => Err(unsupported(version)),
            };
        }
        if meta != said {
            return Err(Mismatch::header(
                "MCP-Protocol-Version is not the version that `_meta` names",
            ));
        }
        if let Some(method) = method {
            compare(headers, method, params)?;
        }
        Ok(family)
    }
}

fn compare(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<(), Mismatch> {
    if one(headers, &METHOD)? != Some(method) {
        return Err(Mismatch::header("Mcp-Method is not the method of the body"));
    }
    let field = match method {
        "tools/call" | PROMPT => "name",
        READ => "uri",
        _ => return Ok(()),
    };
    let named = one(headers, &NAME)?.and_then(decoded);
    if named.is_none() || named.as_deref() != params.get(field).and_then(Value::as_str) {
        return Err(Mismatch::header(format!("Mcp-Name is not `{field}` of the body")));
    }
    Ok(())
}

/// A header's value; one that is there twice has none.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Mismatch> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(Mismatch::header(format!("{name} cannot be read"))),
        },
        _ => Err(Mismatch::header(format!("{name} is there twice"))),
    }
}

/// A value that may be written in Base64 (2026-07-28, "Value Encoding").
fn decoded(text: &str) -> Option<String> {
    let inner = text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?="));
    let Some(inner) = inner else { return Some(text.to_owned()) };
    String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok()
}

fn unsupported(version: &str) -> Mismatch {
    let requested: String = version.chars().take(64).collect();
    let supported: Vec<&str> = STATELESS.into_iter().chain(SESSIONS).collect();
    Mismatch {
        code: code::UNSUPPORTED_VERSION,
        message: "this protocol version is not supported".into(),
        data: Some(json!({ "supported": supported, "requested": requested })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn family(
        fields: &[(&'static str, &'static str)],
        method: &str,
        params: &Value,
    ) -> Result<Family, i64> {
        let params = params.as_object().unwrap();
        Family::of(&headers(fields), Some(method), params).map_err(|mismatch| mismatch.code)
    }

    const NEW: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

    #[test]
    fn without_a_header_it_is_the_old_family() {
        assert_eq!(family(&[], "tools/list", &json!({})), Ok(Family::Session));
        let old = ("mcp-protocol-version", "2025-06-18");
        assert_eq!(family(&[old], "tools/list", &json!({})), Ok(Family::Session));
    }

    #[test]
    fn in_the_new_family_headers_and_body_say_the_same() {
        let meta = json!({ META_VERSION: "2026-07-28" });
        let call = json!({ "name": "grüße", "_meta": meta });
        let method = ("mcp-method", "tools/call");
        let name = ("mcp-name", "=?base64?Z3LDvMOfZQ==?=");
        assert_eq!(family(&[NEW, method, name], "tools/call", &call), Ok(Family::Stateless));
        let list = json!({ "_meta": meta });
        let fields = [NEW, ("mcp-method", "tools/list")];
        assert_eq!(family(&fields, "tools/list", &list), Ok(Family::Stateless));
        for (why, fields, params) in [
            ("no method", vec![NEW, name], &call),
            ("another method", vec![NEW, ("mcp-method", "tools/list"), name], &call),
            ("no name", vec![NEW, method], &call),
            ("another name", vec![NEW, method, ("mcp-name", "read")], &call),
            ("two names", vec![NEW, method, name, name], &call),
            ("no base64", vec![NEW, method, ("mcp-name", "=?base64?%%?=")], &call),
            ("no version in the body", vec![NEW, method, name], &json!({ "name": "grüße" })),
            ("no version in the header", vec![method, name], &call),
            ("an old version in the header", vec![("mcp-protocol-version", "2025-11-25")], &call),
        ] {
            assert_eq!(family(&fields, "tools/call", params), Err(-32_020), "{why}");
        }
    }

    #[test]
    fn a_version_that_nobody_knows_is_refused_with_those_that_are() {
        let future = ("mcp-protocol-version", "2099-01-01");
        assert_eq!(family(&[future], "tools/list", &json!({})), Err(-32_022));
        let error = Family::of_headers(&headers(&[future])).unwrap_err();
        assert_eq!(error.data.unwrap()["supported"][0], "2026-07-28");
    }
}
