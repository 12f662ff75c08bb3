//! HTTP tools, at `/http/NAME`: only declared operations are asked, each is decided by what its path, query and body
//! say, and its answer passes as it comes.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::operation::Operation;
use lockgate_model::tool::ToolProtocol;
use serde_json::{Map, Value, json};

use crate::egress::call::{Asked, Verdict};
use crate::egress::calls::{self, UnderWay};
use crate::egress::conduit::{Conduit, Unseen};
use crate::egress::exact;
use crate::egress::forward::{bad_gateway, unavailable};
use crate::egress::handle::{authenticate, read};
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open};
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::egress::upstream::{self, Form, Plain};
use crate::protocol::operation::{Request, Unclear};
use crate::provenance::Call;

/// Where HTTP tools are.
pub(crate) const PATH: &str = "/http/";
/// The largest body.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Headers of an agent's that go along. They say how an answer is wanted, or that something is done once.
const PASSING: [&str; 8] = [
    "accept",
    "accept-language",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "prefer",
];
/// Headers of a server's that go along. None says where it is, or gives anything to keep.
const ANSWERED: [&str; 7] = [
    "cache-control",
    "content-language",
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
    "x-request-id",
];

/// Answers one request.
pub(crate) async fn handle(
    egress: Arc<Egress>,
    parts: &Parts,
    body: Incoming,
) -> Response<OutBody> {
    let identity = match authenticate(&egress, &parts.headers) {
        Ok(identity) => identity,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    if parts.headers.contains_key(header::ORIGIN) {
        return refusal::browser();
    }
    let Some((server, path)) = find(&egress, parts.uri.path()) else {
        let detail = "HTTP tools are at /http/NAME, by their names in the configuration";
        return refusal::problem(StatusCode::NOT_FOUND, "no-tool", "No tool is there", detail);
    };
    serve(egress, identity, server, path, parts, body).await
}

/// Answers a request of somebody who is known, with what of its path is the tool's.
pub(super) async fn serve(
    egress: Arc<Egress>,
    identity: Identity,
    server: Arc<Server>,
    path: &str,
    parts: &Parts,
    body: Incoming,
) -> Response<OutBody> {
    let under_way = match calls::begin(&egress, &identity, &server.name) {
        Ok(under_way) => under_way,
        Err(refused) => return refusal::unauthenticated(refused),
    };
    let caller = Caller { egress, identity, server, under_way: Arc::clone(&under_way) };
    match under_way.unless_cut(caller.request(parts, path, body)).await {
        Some(answer) => answer.unwrap_or_else(|refused| *refused),
        None => refusal::stopped(),
    }
}

/// The tool that a path names, and the rest of the path.
fn find<'p>(egress: &Egress, path: &'p str) -> Option<(Arc<Server>, &'p str)> {
    let rest = path.strip_prefix(PATH)?;
    let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = egress.core.table.load().known.server(&name.parse().ok()?)?.clone();
    matches!(server.protocol, ToolProtocol::Http(_)).then_some((server, path))
}

/// Somebody who is known, and the tool that is meant.
struct Caller {
    egress: Arc<Egress>,
    identity: Identity,
    server: Arc<Server>,
    under_way: Arc<UnderWay>,
}

type Refused = Box<Response<OutBody>>;

impl Caller {
    fn operations(&self) -> &[Operation] {
        match &self.server.protocol {
            ToolProtocol::Http(operations) => operations,
            _ => &[],
        }
    }

    async fn request(
        &self,
        parts: &Parts,
        path: &str,
        body: Incoming,
    ) -> Result<Response<OutBody>, Refused> {
        if let Some(why) = standing::closed(&self.egress, &self.server) {
            return Err(Box::new(unavailable(&why)));
        }
        let request = Request::find(self.operations(), &parts.method, path, parts.uri.query())
            .map_err(|unclear| refused(&unclear))?;
        let body = read(&self.egress, body, BODY_BYTES_MAX).await.map_err(|status| {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes and comes in one go");
            Box::new(refusal::problem(status, "body", "The body did not arrive", &detail))
        })?;
        if !body.is_empty() && upstream::form(&parts.headers) != Form::Json {
            let detail = "send JSON with Content-Type: application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let problem = refusal::problem(status, "media-type", "The body is not JSON", detail);
            return Err(Box::new(problem));
        }
        let operation = request.operation;
        let (target, arguments) = request.with_body(&body).map_err(|unclear| refused(&unclear))?;
        let exact = || {
            let body = if body.is_empty() { Some(String::new()) } else { exact::value(&body) };
            Some(format!("{target} {}", body?))
        };
        let open = self.decide(&parts.headers, operation, &arguments, &exact).await?;
        let body = Some(body).filter(|body| !body.is_empty());
        Ok(self.forward(parts, &target, body, open).await)
    }

    /// Decides; what is allowed has its intent recorded.
    async fn decide(
        &self,
        headers: &HeaderMap,
        operation: &Operation,
        arguments: &Value,
        exact: &(dyn Fn() -> Option<String> + Sync),
    ) -> Result<Open, Refused> {
        let linked = link::of(headers, &Map::new());
        let call = Call { tool: &self.server.name, action: &operation.name, arguments };
        let asked = Asked {
            identity: &self.identity,
            server: &self.server,
            request: &Value::Null,
            action: &operation.name,
            arguments,
            exact,
            linked: &linked,
            belongs: &self.egress.core.provenance.find_call(&self.identity, &linked, &call),
            under_way: &self.under_way,
            uses: &|| Uses::NOTHING,
        };
        match asked.decide(&self.egress).await {
            Verdict::Go(open) => Ok(open),
            Verdict::Hidden => Err(refused(&Unclear::Unknown)),
            Verdict::Refused(why) => Err(Box::new(denied(&why))),
        }
    }

    async fn forward(
        &self,
        parts: &Parts,
        target: &str,
        body: Option<Bytes>,
        mut open: Open,
    ) -> Response<OutBody> {
        open.forwarded = true;
        let out = Plain {
            method: parts.method.clone(),
            target,
            headers: &parts.headers,
            passing: &PASSING,
            body,
        };
        let response = match upstream::send_plain(&self.egress, &self.server, out).await {
            Ok(response) => response,
            Err(end) => {
                open.end(end);
                return bad_gateway(end);
            }
        };
        let status = response.status();
        open.note("status", status.as_u16().into());
        let Some(end) = end_of(status) else {
            let end = End::Status(status.as_u16());
            open.end(end);
            return bad_gateway(end);
        };
        let (head, body) = response.into_parts();
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            // Nobody would ask for a body that cannot be, and so nobody see its end.
            open.end(end);
            let mut answer = refusal::bare(status);
            upstream::pass(&ANSWERED, &head.headers, answer.headers_mut());
            return answer;
        }
        if end == End::Ok {
            open.answered();
        }
        let conduit = Conduit::new(
            body,
            Arc::clone(&self.egress),
            (self.identity.clone(), Arc::clone(&self.under_way)),
            Box::new(Unseen(end)),
            open,
            self.server.silence_max,
        );
        let mut answer = Response::new(OutBody::Conduit(Box::new(conduit)));
        *answer.status_mut() = status;
        upstream::pass(&ANSWERED, &head.headers, answer.headers_mut());
        answer
    }
}

/// How an action ended that was answered so; `None` for what is between the server and us: redirects, and credentials.
fn end_of(status: StatusCode) -> Option<End> {
    match status.as_u16() {
        401 | 407 => None,
        200..=299 | 304 => Some(End::Ok),
        400..=499 => Some(End::ToolError),
        status @ 500..=599 => Some(End::Status(status)),
        _ => None,
    }
}

fn refused(unclear: &Unclear) -> Refused {
    let (status, kind, title) = match unclear {
        Unclear::Unknown => {
            (StatusCode::NOT_FOUND, "no-operation", "Nothing like this may be asked")
        }
        Unclear::Odd(_) | Unclear::Body(_) => {
            (StatusCode::BAD_REQUEST, "unclear", "The request can be read in more ways than one")
        }
    };
    Box::new(refusal::problem(status, kind, title, &unclear.to_string()))
}

/// A decision (RFC 9457). One that could not be recorded is for now.
pub(super) fn denied(why: &Why) -> Response<OutBody> {
    if why.record.is_none() {
        return unavailable(why);
    }
    let more = json!({
        "reason": why.reason, "message": why.message, "rules": why.rules, "audit_record": why.record,
        "approval": why.approval,
    });
    let title = "Refused by Lockgate";
    refusal::problem_with(StatusCode::FORBIDDEN, "denied", title, &why.text(), &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_and_credentials_are_nobodys_answer() {
        for (status, end) in [
            (200, Some(End::Ok)),
            (204, Some(End::Ok)),
            (304, Some(End::Ok)),
            (404, Some(End::ToolError)),
            (403, Some(End::ToolError)),
            (503, Some(End::Status(503))),
            (401, None),
            (407, None),
            (301, None),
            (307, None),
            (103, None),
        ] {
            assert_eq!(end_of(StatusCode::from_u16(status).unwrap()), end, "{status}");
        }
    }
}
