//! The forward proxy, for agents whose only way out this is: `CONNECT` to the hosts of declared tunnels, and plain HTTP
//! requests that are operations of declared tools. Everything else is refused, and recorded.
//!
//! Tunnels are not looked into: what rules are to look at has none. Where an authority of ours is trusted, a tunnel to
//! such a tool ends here instead, and what is asked inside is asked of the tool in its own way.

mod authority;
mod connect;
mod inspect;
mod network;
mod plain;
mod refused;
mod tunnel;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;

use crate::egress::handle::admit;
use crate::egress::identity::Refused;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
pub use authority::Authority;
pub use network::{Network, SystemNetwork};
pub(crate) use tunnel::Tunnels;

/// Whether a request is for somebody else, by way of us.
pub(crate) fn is_meant(parts: &Parts) -> bool {
    parts.method == Method::CONNECT || parts.uri.scheme().is_some()
}

/// Answers one of these.
pub(crate) async fn handle(egress: Arc<Egress>, parts: Parts, body: Incoming) -> Response<OutBody> {
    let (identity, token) = match authenticate(&egress, &parts.headers) {
        Ok(known) => known,
        Err(refused) => return unauthenticated(refused),
    };
    // Nothing that runs in a browser calls here, and a page must not make one do it.
    if parts.headers.contains_key(header::ORIGIN) {
        return refusal::browser();
    }
    if parts.method == Method::CONNECT {
        return connect::handle(egress, (identity, token), parts).await;
    }
    plain::handle(egress, identity, parts, body).await
}

/// Clients of proxies have a user and a password in the proxy's URL: the password is the token. Some can send it as it is.
fn authenticate(egress: &Egress, headers: &HeaderMap) -> Result<(Identity, String), Refused> {
    let token = if headers.contains_key(header::PROXY_AUTHORIZATION) {
        token(headers).ok_or(Refused::Malformed)
    } else {
        Err(Refused::Missing)
    };
    match token {
        Ok(token) => Ok((admit(egress, &token, headers)?, token)),
        Err(refused) => {
            egress.refusals.note(refused);
            Err(refused)
        }
    }
}

fn token(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::PROXY_AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, shown) = value.to_str().ok()?.split_once(' ')?;
    let shown = shown.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(shown.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(shown).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whoever calls is nobody (RFC 9110, section 15.5.8).
fn unauthenticated(refused: Refused) -> Response<OutBody> {
    let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
    let why = format!("{refused}; the token of the agent's version is the password of the proxy");
    let mut answer = refusal::problem(status, "unauthenticated", "Who calls is not known", &why);
    for scheme in ["Basic realm=\"lockgate-egress\"", "Bearer realm=\"lockgate-egress\""] {
        let challenge = HeaderValue::from_static(scheme);
        answer.headers_mut().append(header::PROXY_AUTHENTICATE, challenge);
    }
    answer
}

/// Somebody has as many tunnels as it may.
fn full() -> Response<OutBody> {
    let detail = "as many tunnels of this token are open as may be";
    refusal::problem(StatusCode::TOO_MANY_REQUESTS, "tunnels", "Too many tunnels", detail)
}

/// Where a tool is reached that is not to be gone around.
fn way_to(server: &Server) -> String {
    let name = &server.name;
    match server.protocol {
        ToolProtocol::Mcp => format!("/mcp/{name}"),
        ToolProtocol::Openai(_) | ToolProtocol::Anthropic(_) => format!("/model/{name}"),
        ToolProtocol::Http(_) => format!("/http/{name}"),
        ToolProtocol::A2a => format!("/a2a/{name}"),
        ToolProtocol::Tunnel(_) => "CONNECT".to_owned(),
        ToolProtocol::External => "a place of its own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_the_password_whoever_the_user_is() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::PROXY_AUTHORIZATION, value.parse().unwrap());
            token(&headers)
        };
        let basic = |pair: &str| of(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(basic("agent:a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(basic(":a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(basic("a:b:c").as_deref(), Some("b:c"));
        assert_eq!(of("bearer a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(
            (basic("a.b.c"), of("Basic !"), of("Digest x"), of("x")),
            (None, None, None, None)
        );
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(header::PROXY_AUTHORIZATION, "Bearer a".parse().unwrap());
        }
        assert_eq!(token(&twice), None);
    }
}
