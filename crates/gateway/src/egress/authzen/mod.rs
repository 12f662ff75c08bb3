//! `AuthZEN`: the Authorization API 1.0 of the `OpenID` Foundation, for enforcement points that speak it.
//!
//! `POST /access/v1/evaluation` asks about one action, `POST /access/v1/evaluations` about several. A `true` is given
//! once its intent is durable, like an "allow" of [`decide`](super::decide), and its outcome is told there: the standard
//! has no message for it.

mod evaluation;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;

use crate::egress::elsewhere::Enforcer;
use crate::egress::handle::{authenticate, read};
use crate::egress::identity::Refused;
use crate::egress::listener::Egress;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::upstream::{self, Form};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const METADATA: &str = "/.well-known/authzen-configuration";
/// The request's own id, which the answer carries too.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The largest request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest name of a host that metadata repeat.
const HOST_BYTES_MAX: usize = 255;

/// Whether a path is one of these.
pub(crate) fn is_here(path: &str) -> bool {
    path.starts_with("/access/v1/") || path == METADATA
}

/// Answers one request.
pub(crate) async fn handle(
    egress: Arc<Egress>,
    parts: &Parts,
    body: Incoming,
) -> Response<OutBody> {
    let answer = match parts.uri.path() {
        METADATA => metadata(parts),
        EVALUATION => evaluate(egress, parts, body, false).await,
        EVALUATIONS => evaluate(egress, parts, body, true).await,
        _ => Err(Failed::new(StatusCode::NOT_FOUND, "only evaluations are answered here")),
    };
    let mut answer = answer.unwrap_or_else(Failed::answer);
    if let Some(id) = parts.headers.get(REQUEST_ID) {
        answer.headers_mut().insert(REQUEST_ID, id.clone());
    }
    answer
}

/// A request that is not answered with a decision: a status, and a text that says why.
#[derive(Debug)]
struct Failed {
    status: StatusCode,
    why: String,
    more: Option<(HeaderName, HeaderValue)>,
}

impl Failed {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), more: None }
    }

    fn unreadable(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    fn nobody(refused: Refused) -> Self {
        let challenge = (header::WWW_AUTHENTICATE, refusal::challenge(refused));
        Self { more: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, refused.to_string()) }
    }

    fn answer(self) -> Response<OutBody> {
        let mut answer = Response::new(OutBody::own(Bytes::from(self.why)));
        *answer.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, text);
        answer.headers_mut().extend(self.more);
        answer
    }
}

fn allow(method: &'static str) -> Failed {
    let more = Some((header::ALLOW, HeaderValue::from_static(method)));
    Failed { more, ..Failed::new(StatusCode::METHOD_NOT_ALLOWED, format!("use {method}")) }
}

async fn evaluate(
    egress: Arc<Egress>,
    parts: &Parts,
    body: Incoming,
    several: bool,
) -> Result<Response<OutBody>, Failed> {
    let identity = authenticate(&egress, &parts.headers).map_err(Failed::nobody)?;
    if parts.headers.contains_key(header::ORIGIN) {
        let why = "requests with an Origin header come from browsers, which do not ask here";
        return Err(Failed::new(StatusCode::FORBIDDEN, why));
    }
    if parts.method != Method::POST {
        return Err(allow("POST"));
    }
    // The standard has no 415.
    if upstream::form(&parts.headers) != Form::Json {
        return Err(Failed::unreadable("send JSON with Content-Type: application/json"));
    }
    let body = read(&egress, body, BODY_BYTES_MAX).await.map_err(|status| {
        let why = format!("a request has at most {BODY_BYTES_MAX} bytes and comes in one go");
        Failed::new(status, why)
    })?;
    if let Some(why) = egress.closed() {
        return Err(Failed::new(StatusCode::SERVICE_UNAVAILABLE, why));
    }
    let asked = request::read(&body, several)?;
    let enforcer = Enforcer { egress, identity };
    let decision = evaluation::answer(&enforcer, &parts.headers, &asked).await?;
    Ok(refusal::json_answer(StatusCode::OK, &decision))
}

/// Where what is. Whoever asks has said by which name it reaches this.
fn metadata(parts: &Parts) -> Result<Response<OutBody>, Failed> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Err(allow("GET, HEAD"));
    }
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_plain = |host: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(plain)
    };
    let host = text(header::HOST).filter(is_plain);
    let host = host.ok_or_else(|| Failed::unreadable("there is no Host that could be repeated"))?;
    // TLS ends before us, and whatever ends it says so.
    let is_https = text(FORWARDED_PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    let at = format!("{}://{host}", if is_https { "https" } else { "http" });
    let body = json!({
        "policy_decision_point": at,
        "access_evaluation_endpoint": format!("{at}{EVALUATION}"),
        "access_evaluations_endpoint": format!("{at}{EVALUATIONS}"),
    });
    let mut answer = refusal::json_answer(StatusCode::OK, &body);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
