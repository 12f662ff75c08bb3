//! What a request is for: its host, and whether it may be forwarded at all.

use std::borrow::Cow;

use http::header::{self, HeaderMap};
use http::request::Parts;
use http::{Method, Version};

use crate::ingress::problem::Problem;

/// The host of a request, without port and in lower case; empty for HTTP/1.0 without one.
pub(crate) fn host(parts: &Parts) -> Result<Cow<'_, str>, Problem> {
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| Problem::BAD_HOST)?),
        (None, None) if parts.version == Version::HTTP_10 => None,
        _ => return Err(Problem::BAD_HOST),
    };
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = match (field, target) {
        (Some(field), Some(target)) if !field.eq_ignore_ascii_case(target) => {
            return Err(Problem::BAD_HOST);
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => "",
    };
    if !host.bytes().all(is_host_byte) {
        return Err(Problem::BAD_HOST);
    }
    Ok(lower(without_port(host)))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%')
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(host.to_ascii_lowercase());
    }
    Cow::Borrowed(host)
}

/// Refuses what is not plain HTTP/1.1 with a body of a known framing.
pub(crate) fn forwardable(parts: &Parts) -> Result<(), Problem> {
    if parts.method == Method::CONNECT || wants_upgrade(&parts.headers) {
        return Err(Problem::UPGRADE);
    }
    let mut encodings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Problem::BAD_ENCODING),
    }
}

/// Clients offer HTTP/2 with any first request and go on without; everything else is meant.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| {
        let mut protocols = value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii);
        protocols.any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"))
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn port_and_case_of_a_host_do_not_matter() {
        for (host_field, expected) in [
            ("Agent.Example:8080", "agent.example"),
            ("agent.example", "agent.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(host(&parts("/x", &[("host", host_field)])).unwrap(), expected);
        }
    }

    #[test]
    fn unclear_hosts_are_refused() {
        for (uri, fields) in [
            ("/x", &[][..]),
            ("/x", &[("host", "a"), ("host", "a")]),
            ("/x", &[("host", "a, b")]),
            ("/x", &[("host", "a/b")]),
            ("/x", &[("host", "user@a")]),
            ("http://a/x", &[("host", "b")]),
        ] {
            assert_eq!(host(&parts(uri, fields)), Err(Problem::BAD_HOST), "{uri} {fields:?}");
        }
        assert_eq!(host(&parts("http://A/x", &[("host", "a")])).unwrap(), "a");
    }

    #[test]
    fn upgrades_are_refused_but_for_the_offer_of_http_2() {
        for (value, ok) in [("websocket", false), ("h2c", true), ("h2c, websocket", false)] {
            assert_eq!(forwardable(&parts("/", &[("upgrade", value)])).is_ok(), ok, "{value}");
        }
    }

    #[test]
    fn only_plain_chunks_are_forwarded() {
        for (value, ok) in [("chunked", true), ("gzip, chunked", false), ("identity", false)] {
            let parts = parts("/", &[("transfer-encoding", value)]);
            assert_eq!(forwardable(&parts).is_ok(), ok, "{value}");
        }
    }
}
