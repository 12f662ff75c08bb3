//! Sending a request on, and passing its answer back in one piece or as it comes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;

use crate::egress::handle::Caller;
use crate::egress::outcome::{End, Open};
use crate::egress::refusal::{self, Why};
use crate::egress::relay::{Audience, Expected, GRACE, OutBody, Relay, end_of};
use crate::egress::request::Wanted;
use crate::egress::running::Place;
use crate::egress::session::no_session;
use crate::egress::upstream::{self, Form, Outgoing};
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::{self, Family};
use crate::protocol::mcp::message::Message;
use crate::protocol::mcp::method::Kind;

impl Caller {
    /// Sends a request on and passes its answer back.
    pub(super) async fn forward(
        &self,
        wanted: &Wanted<'_>,
        open: Option<Open>,
        kind: Kind,
    ) -> Response<OutBody> {
        let place =
            wanted.session.map(|session| self.egress.running.enter(self.key(session, wanted.id)));
        let mut going = Going { caller: self, wanted, open, kind };
        if let Some(open) = &mut going.open {
            open.forwarded = true;
        }
        let cancelled = place.as_ref().map(|place| place.cancelled.clone());
        let answered = upstream::send(&self.egress, &self.server, wanted.outgoing());
        let unwanted = async {
            match &cancelled {
                Some(cancelled) => cancelled.cancelled().await,
                None => std::future::pending().await,
            }
            tokio::time::sleep(GRACE).await;
        };
        let response = tokio::select! {
            response = answered => response,
            () = unwanted => Err(End::Cancelled),
        };
        match response {
            Ok(response) => going.answer(response, place).await,
            Err(end) => going.failed(end),
        }
    }

    /// Sends on what wants no answer.
    pub(super) async fn tell(
        &self,
        family: Family,
        headers: &HeaderMap,
        session: Option<&str>,
        body: Bytes,
    ) -> Response<OutBody> {
        if let Some(why) = self.closed() {
            return unavailable(&why);
        }
        let out = Outgoing { method: Method::POST, family, headers, session, body };
        match upstream::send(&self.egress, &self.server, out).await {
            Ok(response) if response.status().is_success() => refusal::bare(StatusCode::ACCEPTED),
            Ok(response) => self.not_taken(response.status()),
            Err(end) => bad_gateway(end),
        }
    }

    /// A server that does not take something: what the agent can do about it passes, and nothing else.
    pub(super) fn not_taken(&self, status: StatusCode) -> Response<OutBody> {
        match status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => {
                refusal::bare(status)
            }
            status => {
                tracing::debug!(tool = %self.server.name, %status, "a tool's server refused");
                bad_gateway(End::Status(status.as_u16()))
            }
        }
    }

    fn audience(&self, family: Family) -> Audience {
        Audience {
            egress: Arc::clone(&self.egress),
            identity: self.identity.clone(),
            server: Arc::clone(&self.server),
            family,
            under_way: Arc::clone(&self.under_way),
        }
    }

    /// An answer whose body passes as it comes.
    pub(super) fn stream(
        &self,
        response: Response<Incoming>,
        family: Family,
        expected: Expected,
        tail: Tail,
    ) -> Response<OutBody> {
        let (parts, body) = response.into_parts();
        let Tail { open, place, silence_max } = tail;
        let relay = Relay::new(body, self.audience(family), expected, open, place, silence_max);
        let mut answer = Response::new(OutBody::Relay(Box::new(relay)));
        let fields = answer.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
        self.pass_session(&parts.headers, fields);
        answer
    }

    /// The id of a session that begins.
    fn pass_session(&self, from: &HeaderMap, to: &mut HeaderMap) {
        let Some(id) = from.get(family::SESSION).and_then(|value| value.to_str().ok()) else {
            return;
        };
        let Some(sealed) = self.egress.sessions.seal(&self.identity, &self.server.name, id) else {
            tracing::warn!(tool = %self.server.name, "a session's id is longer than it may be; the session is not passed on");
            return;
        };
        let value = HeaderValue::from_str(&sealed).expect("base64url is visible ASCII");
        to.insert(family::SESSION, value);
    }
}

/// What goes along with a stream.
#[derive(Default)]
pub(super) struct Tail {
    open: Option<Open>,
    place: Option<Place>,
    silence_max: Option<Duration>,
}

/// A request that was sent on.
struct Going<'a> {
    caller: &'a Caller,
    wanted: &'a Wanted<'a>,
    open: Option<Open>,
    kind: Kind,
}

impl Going<'_> {
    async fn answer(
        mut self,
        response: Response<Incoming>,
        place: Option<Place>,
    ) -> Response<OutBody> {
        let status = response.status();
        match (status, upstream::form(response.headers())) {
            (StatusCode::OK, Form::Events) => {
                let listens = self.wanted.method == "subscriptions/listen";
                let silence_max = (!listens).then_some(self.caller.server.silence_max);
                let lists_tools = self.kind == Kind::ListTools;
                let expected = Expected::One { id: self.wanted.id.clone(), lists_tools };
                let tail = Tail { open: self.open.take(), place, silence_max };
                self.caller.stream(response, self.wanted.family, expected, tail)
            }
            (_, Form::Json) if status == StatusCode::OK || is_for_the_agent(status) => {
                self.whole(response, place).await
            }
            _ => self.failed(End::Status(status.as_u16())),
        }
    }

    /// An answer in one piece.
    async fn whole(
        mut self,
        response: Response<Incoming>,
        place: Option<Place>,
    ) -> Response<OutBody> {
        let (parts, body) = response.into_parts();
        let bytes =
            match upstream::whole(body, self.caller.server.silence_max, self.open.as_ref()).await {
                Ok(bytes) => bytes,
                Err(end) => return self.failed(end),
            };
        let (id, result) = match Message::read_answer(&bytes) {
            Ok(Message::Response { id, result }) => (id, result),
            _ if parts.status != StatusCode::OK => {
                return self.failed(End::Status(parts.status.as_u16()));
            }
            _ => return self.failed(End::Protocol("it is no answer of JSON-RPC")),
        };
        // An error may say that the request could not even be read.
        if id != *self.wanted.id && !(id.is_null() && result.is_err()) {
            return self.failed(End::Protocol("it is the answer to another request"));
        }
        if parts.status != StatusCode::OK && result.is_ok() {
            return self.failed(End::Status(parts.status.as_u16()));
        }
        if let Some(mut open) = self.open.take() {
            // Some servers answer what was cancelled with an error.
            let cancelled = place.is_some_and(|place| place.cancelled.is_cancelled());
            open.end(if cancelled && result.is_err() { End::Cancelled } else { end_of(&result) });
        }
        let body = match result {
            Ok(mut result) if self.kind == Kind::ListTools => {
                self.caller.audience(self.wanted.family).cut_down(&mut result);
                Bytes::from(json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
            }
            _ => bytes,
        };
        let mut answer = refusal::bytes_answer(parts.status, body);
        self.caller.pass_session(&parts.headers, answer.headers_mut());
        answer
    }

    /// There is no answer of the server's.
    fn failed(mut self, end: End) -> Response<OutBody> {
        if let Some(mut open) = self.open.take() {
            open.end(end);
        }
        // A session that the server has forgotten is one that the client must begin anew.
        if end == End::Status(404) && self.wanted.session.is_some() {
            return no_session(self.wanted.id);
        }
        let code = code::INTERNAL_ERROR;
        refusal::error(StatusCode::OK, self.wanted.id, code, &end.in_words(), None)
    }
}

/// Statuses whose answer says what the agent did wrong. Others are between Lockgate and the server.
fn is_for_the_agent(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY
    )
}

pub(super) fn unavailable(why: &Why) -> Response<OutBody> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    refusal::problem(status, "closed", "Nothing is forwarded at the moment", &why.reason)
}

pub(super) fn bad_gateway(end: End) -> Response<OutBody> {
    let title = "The tool's server did not take it";
    refusal::problem(StatusCode::BAD_GATEWAY, "upstream", title, &end.in_words())
}
