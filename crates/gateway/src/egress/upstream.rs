//! One request to a tool's server. Its address comes from the snapshot; of what the agent sent only what the protocol
//! needs goes along, and never its own token.

use std::time::Duration;

use bytes::Bytes;
use http::uri::{self, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::timeout_at;

use crate::connect::is_untrusted;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open, silent_until};
use crate::ingress::headers;
use crate::protocol::mcp::family::{self, Family};
use crate::table::Endpoint;

/// The largest answer in one piece.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The event that a stream goes on after.
pub(crate) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

const ACCEPT_ANY: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static("lockgate");

/// What is sent.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) family: Family,
    /// As the agent sent them.
    pub(crate) headers: &'a HeaderMap,
    /// The server's own id of the session.
    pub(crate) session: Option<&'a str>,
    pub(crate) body: Bytes,
}

/// Sends, and waits for the head of the answer.
pub(crate) async fn send(
    egress: &Egress,
    server: &Server,
    out: Outgoing<'_>,
) -> Result<Response<Incoming>, End> {
    exchange(egress, server, request(server, out)?).await
}

/// Sends a request that is made already.
pub(crate) async fn exchange(
    egress: &Egress,
    server: &Server,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, End> {
    let wait_max =
        server.limits.lasts_max().map_or(server.silence_max, |max| max.min(server.silence_max));
    let sent = tokio::time::timeout(wait_max, egress.client.request(request)).await;
    match sent {
        Ok(Ok(response)) if response.headers().contains_key(header::CONTENT_ENCODING) => {
            Err(End::Protocol("it is compressed, which nobody asked for"))
        }
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => {
            if is_untrusted(&error) {
                tracing::warn!(tool = %server.name, "nobody who is trusted vouches for a tool's server; see `authorities`");
                return Err(UNTRUSTED);
            }
            tracing::debug!(tool = %server.name, %error, "a tool's server did not answer");
            Err(End::Unreachable)
        }
        Err(_) => Err(End::Timeout),
    }
}

fn request(server: &Server, out: Outgoing<'_>) -> Result<Request<Full<Bytes>>, End> {
    let mut request = Request::new(Full::new(out.body));
    let endpoint = server.endpoint.as_ref().ok_or(UNMAKEABLE)?;
    *request.uri_mut() = address(endpoint, &server.path)?;
    let fields = request.headers_mut();
    for name in passing(out.family, out.headers) {
        for value in out.headers.get_all(&name) {
            fields.append(name.clone(), value.clone());
        }
    }
    headers::stamp_trace(fields);
    fields.insert(header::HOST, endpoint.host.clone());
    fields.insert(header::USER_AGENT, AGENT);
    if out.method == Method::POST {
        fields.insert(header::CONTENT_TYPE, JSON);
    }
    let accept = if out.method == Method::GET { ACCEPT_EVENTS } else { ACCEPT_ANY };
    fields.insert(header::ACCEPT, accept);
    if let Some(session) = out.session {
        let value = HeaderValue::from_str(session).map_err(|_| UNMAKEABLE)?;
        fields.insert(family::SESSION, value);
    }
    show_credential(server, fields);
    *request.method_mut() = out.method;
    Ok(request)
}

const UNTRUSTED: End =
    End::Protocol("its certificate is not trusted here; see `authorities` in the configuration");
const UNMAKEABLE: End = End::Protocol("the request cannot be made");

/// Where a path and query of a server are.
fn address(endpoint: &Endpoint, path: &str) -> Result<Uri, End> {
    let mut place = uri::Parts::default();
    place.scheme = endpoint.connect.scheme().cloned();
    place.authority = endpoint.connect.authority().cloned();
    place.path_and_query = Some(path.parse::<PathAndQuery>().map_err(|_| UNMAKEABLE)?);
    Uri::from_parts(place).map_err(|_| UNMAKEABLE)
}

/// To be done last, so that nothing takes its place.
fn show_credential(server: &Server, fields: &mut HeaderMap) {
    if let Ok(Some((name, value))) = server.credential() {
        fields.insert(name.clone(), value.clone());
    }
}

/// What is sent to a server that speaks no MCP.
pub(crate) struct Plain<'a> {
    pub(crate) method: Method,
    /// Path and query after the tool's own URL.
    pub(crate) target: &'a str,
    /// As the agent sent them.
    pub(crate) headers: &'a HeaderMap,
    /// Names of those that go along.
    pub(crate) passing: &'static [&'static str],
    /// JSON, or nothing.
    pub(crate) body: Option<Bytes>,
}

/// Sends it, and waits for the head of the answer.
pub(crate) async fn send_plain(
    egress: &Egress,
    server: &Server,
    out: Plain<'_>,
) -> Result<Response<Incoming>, End> {
    let prefix = server.endpoint.as_ref().map_or("", |endpoint| &endpoint.prefix);
    let path = format!("{prefix}{}", out.target);
    send_plain_at(egress, server, &path, out).await
}

/// The same to another path of the same server.
pub(crate) async fn send_plain_at(
    egress: &Egress,
    server: &Server,
    path: &str,
    out: Plain<'_>,
) -> Result<Response<Incoming>, End> {
    let has_body = out.body.is_some();
    let mut request = Request::new(Full::new(out.body.unwrap_or_default()));
    let endpoint = server.endpoint.as_ref().ok_or(UNMAKEABLE)?;
    *request.uri_mut() = address(endpoint, path)?;
    *request.method_mut() = out.method;
    let fields = request.headers_mut();
    let trace = [headers::TRACEPARENT, headers::TRACESTATE];
    let others = out.passing.iter().map(|name| HeaderName::from_static(name));
    for name in trace.into_iter().chain(others) {
        for value in out.headers.get_all(&name) {
            fields.append(name.clone(), value.clone());
        }
    }
    headers::stamp_trace(fields);
    fields.insert(header::HOST, endpoint.host.clone());
    fields.insert(header::USER_AGENT, AGENT);
    if !has_body {
        fields.remove(header::CONTENT_TYPE);
    } else if !fields.contains_key(header::CONTENT_TYPE) {
        fields.insert(header::CONTENT_TYPE, JSON);
    }
    if !fields.contains_key(header::ACCEPT) {
        fields.insert(header::ACCEPT, ACCEPT_ANY);
    }
    show_credential(server, fields);
    exchange(egress, server, request).await
}

/// Names of headers that go along.
fn passing(family: Family, headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = vec![family::VERSION, headers::TRACEPARENT, headers::TRACESTATE];
    match family {
        Family::Session => names.push(LAST_EVENT),
        Family::Stateless => {
            names.extend([family::METHOD, family::NAME]);
            let mirrored =
                headers.keys().filter(|name| name.as_str().starts_with(family::PARAM_PREFIX));
            names.extend(mirrored.cloned());
        }
    }
    names
}

/// Passes headers of these names on.
pub(super) fn pass(names: &[&'static str], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names.iter().copied().map(HeaderName::from_static) {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

/// A whole body, with a limit on it and on every silence in it, and with those of an action that it ends.
pub(crate) async fn whole(
    mut body: Incoming,
    silence_max: Duration,
    open: Option<&Open>,
) -> Result<Bytes, End> {
    let mut all = Vec::new();
    loop {
        let until = silent_until(open, silence_max);
        let frame = timeout_at(until, body.frame()).await.map_err(|_| End::Timeout)?;
        let Some(frame) = frame else { return Ok(all.into()) };
        let Ok(data) = frame.map_err(|_| End::Cut("the server hung up"))?.into_data() else {
            continue;
        };
        let bytes = all.len() + data.len();
        if bytes > ANSWER_BYTES_MAX || open.is_some_and(|open| !open.has_room(bytes as u64)) {
            return Err(End::Cut("it is larger than allowed"));
        }
        all.extend_from_slice(&data);
    }
}

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Events,
    Other,
}

/// By its media type.
pub(crate) fn form(headers: &HeaderMap) -> Form {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Form::Json
    } else if kind.eq_ignore_ascii_case("text/event-stream") {
        Form::Events
    } else {
        Form::Other
    }
}
