//! Sessions of the family up to 2025-11-25: which one a request is of, the server's own stream, and the end.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use crate::egress::forward::{Tail, bad_gateway, unavailable};
use crate::egress::handle::{Caller, not_allowed};
use crate::egress::refusal;
use crate::egress::relay::{Expected, OutBody};
use crate::egress::upstream::{self, Form, LAST_EVENT, Outgoing};
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::{self, Family};

/// A session that is not this caller's, or nobody's.
pub(super) struct NoSession;

pub(super) fn no_session(id: &Value) -> Response<OutBody> {
    let message = "Session not found: initialize again";
    refusal::error(StatusCode::NOT_FOUND, id, code::INVALID_REQUEST, message, None)
}

impl Caller {
    /// The server's own id of the session that a request names.
    pub(super) fn session(
        &self,
        family: Family,
        headers: &HeaderMap,
    ) -> Result<Option<String>, NoSession> {
        let Some(value) = headers.get(family::SESSION).filter(|_| family == Family::Session) else {
            return Ok(None);
        };
        let text = value.to_str().map_err(|_| NoSession)?;
        let sessions = &self.egress.sessions;
        sessions.open(&self.identity, &self.server.name, text).map(Some).ok_or(NoSession)
    }

    /// `GET`: what the server says by itself, or what went on when another stream broke off.
    pub(super) async fn listen(&self, parts: &Parts) -> Response<OutBody> {
        let (family, session) = match self.in_session(parts) {
            Ok(found) => found,
            Err(answer) => return *answer,
        };
        let resumed = parts.headers.contains_key(LAST_EVENT);
        // Without a session, anybody's stream could go on here.
        if resumed && session.is_none() {
            return no_session(&Value::Null);
        }
        let out = Outgoing {
            method: Method::GET,
            family,
            headers: &parts.headers,
            session: session.as_deref(),
            body: Bytes::new(),
        };
        let response = match upstream::send(&self.egress, &self.server, out).await {
            Ok(response) => response,
            Err(end) => return bad_gateway(end),
        };
        if response.status() != StatusCode::OK || upstream::form(response.headers()) != Form::Events
        {
            return self.not_taken(response.status());
        }
        let expected = match session {
            Some(session) if resumed => Expected::Resumed { session },
            _ => Expected::None,
        };
        self.stream(response, family, expected, Tail::default())
    }

    /// `DELETE`: the client is done.
    pub(super) async fn end_session(&self, parts: &Parts) -> Response<OutBody> {
        let (family, session) = match self.in_session(parts) {
            Ok(found) => found,
            Err(answer) => return *answer,
        };
        if session.is_none() {
            return no_session(&Value::Null);
        }
        let out = Outgoing {
            method: Method::DELETE,
            family,
            headers: &parts.headers,
            session: session.as_deref(),
            body: Bytes::new(),
        };
        match upstream::send(&self.egress, &self.server, out).await {
            Ok(response) if response.status().is_success() => refusal::bare(response.status()),
            Ok(response) => self.not_taken(response.status()),
            Err(end) => bad_gateway(end),
        }
    }

    fn in_session(
        &self,
        parts: &Parts,
    ) -> Result<(Family, Option<String>), Box<Response<OutBody>>> {
        let family = Family::of_headers(&parts.headers)
            .map_err(|mismatch| refusal::mismatch(&Value::Null, mismatch))?;
        if family == Family::Stateless {
            let mut answer = not_allowed();
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Err(Box::new(answer));
        }
        if let Some(why) = self.closed() {
            return Err(Box::new(unavailable(&why)));
        }
        let session =
            self.session(family, &parts.headers).map_err(|NoSession| no_session(&Value::Null))?;
        Ok((family, session))
    }
}
