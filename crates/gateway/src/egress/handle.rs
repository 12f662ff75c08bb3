//! One request of an agent: who it is, what it is, and which way it goes.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use serde_json::{Map, Value};

use crate::clock;
use crate::egress::a2a;
use crate::egress::authzen;
use crate::egress::body::{self, Sizes};
use crate::egress::calls::{self, UnderWay};
use crate::egress::decide;
use crate::egress::delegation;
use crate::egress::identity::Refused;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::models;
use crate::egress::operations;
use crate::egress::proxy;
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;
use crate::egress::request::Wanted;
use crate::egress::running::Key;
use crate::egress::session::no_session;
use crate::egress::standing;
use crate::egress::upstream::{self, Form};
use crate::protocol::json::Malformed;
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::Family;
use crate::protocol::mcp::message::Message;
use crate::protocol::mcp::method;

/// The largest message.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Up to there a message takes no room of what large ones share.
const SMALL_BYTES_MAX: usize = 64 * 1024;

/// Answers one request.
pub(crate) async fn handle(egress: Arc<Egress>, request: Request<Incoming>) -> Response<OutBody> {
    let (parts, body) = request.into_parts();
    if proxy::is_meant(&parts) {
        return proxy::handle(egress, parts, body).await;
    }
    if parts.uri.path().starts_with(models::PATH) {
        return models::handle(egress, &parts, body).await;
    }
    if decide::is_here(parts.uri.path()) {
        return decide::handle(egress, &parts, body).await;
    }
    if authzen::is_here(parts.uri.path()) {
        return authzen::handle(egress, &parts, body).await;
    }
    if parts.uri.path().starts_with(operations::PATH) {
        return operations::handle(egress, &parts, body).await;
    }
    if parts.uri.path().starts_with(a2a::PATH) {
        return a2a::handle(egress, &parts, body).await;
    }
    let identity = match authenticate(&egress, &parts.headers) {
        Ok(identity) => identity,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    // Nothing that runs in a browser calls here, and a page must not make one do it.
    if parts.headers.contains_key(header::ORIGIN) {
        return refusal::browser();
    }
    let tool = parts.uri.path().strip_prefix("/mcp/").and_then(|name| name.parse().ok());
    let server = tool.and_then(|tool| egress.core.table.load().known.server(&tool).cloned());
    let server = server.filter(|server| server.protocol == ToolProtocol::Mcp);
    // What is not an action is not there either for who has nothing of it.
    let acting = identity.acting.as_deref();
    let server = server.filter(|one| acting.is_none_or(|acting| acting.scope.touches(&one.name)));
    let Some(server) = server else {
        let detail = "tools are at /mcp/NAME, by their names in the configuration";
        return refusal::problem(StatusCode::NOT_FOUND, "no-tool", "No tool is there", detail);
    };
    let under_way = match calls::begin(&egress, &identity, &server.name) {
        Ok(under_way) => under_way,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    let caller = Caller { egress, identity, server, under_way: Arc::clone(&under_way) };
    let answer = under_way.unless_cut(caller.answer(&parts, body)).await;
    answer.unwrap_or_else(refusal::stopped)
}

pub(super) fn not_allowed() -> Response<OutBody> {
    let mut answer = refusal::bare(StatusCode::METHOD_NOT_ALLOWED);
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    answer
}

pub(super) fn authenticate(egress: &Egress, headers: &HeaderMap) -> Result<Identity, Refused> {
    if let Some(token) = bearer(headers) {
        return admit(egress, token, headers);
    }
    egress.refusals.note(Refused::Missing);
    Err(Refused::Missing)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Whose token this is, and for whom it acts by the request's headers. Whose it is not is counted.
pub(super) fn admit(
    egress: &Egress,
    token: &str,
    headers: &HeaderMap,
) -> Result<Identity, Refused> {
    let core = &egress.core;
    let identity = core.table.load().known.verify(token.trim(), &core.outside, clock::wall_ms());
    let admitted = identity.and_then(|identity| {
        standing::admit(egress, &identity)?;
        let identity = delegation::acting(egress, identity, headers)?;
        standing::admit(egress, &identity)?;
        Ok(identity)
    });
    admitted.inspect_err(|refused| egress.refusals.note(*refused))
}

/// Somebody who is known, and the tool that is meant.
pub(super) struct Caller {
    pub(super) egress: Arc<Egress>,
    pub(super) identity: Identity,
    pub(super) server: Arc<Server>,
    pub(super) under_way: Arc<UnderWay>,
}

impl Caller {
    async fn answer(&self, parts: &Parts, body: Incoming) -> Response<OutBody> {
        match parts.method {
            Method::POST => self.post(parts, body).await,
            Method::GET => self.listen(parts).await,
            Method::DELETE => self.end_session(parts).await,
            _ => not_allowed(),
        }
    }

    async fn post(&self, parts: &Parts, body: Incoming) -> Response<OutBody> {
        if upstream::form(&parts.headers) != Form::Json {
            let detail = "send one JSON-RPC message with Content-Type: application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return refusal::problem(status, "media-type", "The body is not JSON", detail);
        }
        let body = match read(&self.egress, body, BODY_BYTES_MAX).await {
            Ok(body) => body,
            Err(status) => {
                let detail =
                    format!("a message has at most {BODY_BYTES_MAX} bytes and comes in one go");
                return refusal::problem(status, "body", "The body did not arrive", &detail);
            }
        };
        let message = match Message::read(&body) {
            Ok(message) => message,
            Err(malformed) => return unreadable(&malformed),
        };
        let none = Map::new();
        let (method, params, id) = match &message {
            Message::Request { id, method, params } => (Some(method), params, id),
            Message::Notification { method, params } => (Some(method), params, &Value::Null),
            Message::Response { id, .. } => (None, &none, id),
        };
        let family = match Family::of(&parts.headers, method.map(String::as_str), params) {
            Ok(family) => family,
            Err(mismatch) => return refusal::mismatch(id, mismatch),
        };
        let Ok(session) = self.session(family, &parts.headers) else {
            return no_session(id);
        };
        let session = session.as_deref();
        match &message {
            Message::Request { id, method, params } => {
                let headers = &parts.headers;
                let wanted = Wanted { family, headers, session, id, method, params, body };
                self.request(&wanted).await
            }
            Message::Notification { method, params } => {
                if !method::is_client_note(family, method) {
                    let detail = "this notification does not pass";
                    let status = StatusCode::BAD_REQUEST;
                    return refusal::problem(status, "notification", "It is not forwarded", detail);
                }
                if method == "notifications/cancelled"
                    && let (Some(session), Some(request)) = (session, params.get("requestId"))
                {
                    self.egress.running.cancel(&self.key(session, request));
                }
                self.tell(family, &parts.headers, session, body).await
            }
            Message::Response { .. } if family == Family::Session => {
                self.tell(family, &parts.headers, session, body).await
            }
            Message::Response { .. } => {
                let detail = "from 2026-07-28 on a client sends no answers";
                refusal::problem(StatusCode::BAD_REQUEST, "answer", "It is not forwarded", detail)
            }
        }
    }

    pub(super) fn key(&self, session: &str, request: &Value) -> Key {
        Key::new(&self.server.name, session, request)
    }

    /// Why nothing is forwarded at the moment.
    pub(super) fn closed(&self) -> Option<Why> {
        self.unable().or_else(|| standing::stopped(&self.egress, &self.identity, &self.server))
    }

    /// Why nothing can be decided or forwarded at the moment.
    pub(super) fn unable(&self) -> Option<Why> {
        standing::closed(&self.egress, &self.server)
    }
}

fn unreadable(malformed: &Malformed) -> Response<OutBody> {
    let code = match malformed {
        Malformed::Json(_) => code::PARSE_ERROR,
        Malformed::Shape(_) => code::INVALID_REQUEST,
    };
    let message = malformed.to_string();
    refusal::error(StatusCode::BAD_REQUEST, &Value::Null, code, &message, None)
}

/// A whole body, with a limit on it and on the time that it takes; what all of them take meanwhile is limited, too.
pub(super) async fn read(
    egress: &Egress,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, StatusCode> {
    let sizes = Sizes { bytes_max, small_bytes_max: SMALL_BYTES_MAX };
    Ok(body::read(body, sizes, &egress.large).await?.bytes)
}
