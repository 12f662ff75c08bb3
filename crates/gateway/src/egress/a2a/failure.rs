//! Errors as A2A has them: in JSON-RPC with its codes, in REST as `google.rpc.Status`, in both with an `ErrorInfo`.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::egress::outcome::End;
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const DOMAIN: &str = "a2a-protocol.org";
/// Media type of REST.
pub(super) const MEDIA_TYPE: &str = "application/a2a+json";

/// In which form an answer is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// JSON-RPC, to the request of this id.
    Rpc(Value),
    Rest,
}

/// What went wrong, in all the words that there are for it.
#[derive(Debug, Clone, Copy)]
struct Kind {
    rpc: i64,
    status: StatusCode,
    /// As gRPC calls it.
    canonical: &'static str,
    /// As A2A calls it: clients go by it.
    reason: &'static str,
}

const fn kind(rpc: i64, status: StatusCode, canonical: &'static str, reason: &'static str) -> Kind {
    Kind { rpc, status, canonical, reason }
}

/// A decision. A2A has no code for it; an operation that is not to be had is the nearest.
static DENIED: Kind =
    kind(-32004, StatusCode::FORBIDDEN, "PERMISSION_DENIED", "UNSUPPORTED_OPERATION");
static CLOSED: Kind =
    kind(-32603, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "INTERNAL_ERROR");
static NO_METHOD: Kind = kind(-32601, StatusCode::NOT_FOUND, "NOT_FOUND", "METHOD_NOT_FOUND");
static NO_VERSION: Kind =
    kind(-32009, StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED");
static PARAMS: Kind = kind(-32602, StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "INVALID_PARAMS");
static REQUEST: Kind = kind(-32600, StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "INVALID_REQUEST");
static NOT_JSON: Kind =
    kind(-32700, StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "INVALID_REQUEST");
static UPSTREAM: Kind = kind(-32603, StatusCode::BAD_GATEWAY, "UNAVAILABLE", "INTERNAL_ERROR");
static TIMEOUT: Kind =
    kind(-32603, StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", "INTERNAL_ERROR");
static NO_ANSWER: Kind =
    kind(-32006, StatusCode::BAD_GATEWAY, "INTERNAL", "INVALID_AGENT_RESPONSE");

/// Something that is not done, or went wrong.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    kind: &'static Kind,
    message: String,
    /// What HTTP says of it, in JSON-RPC too.
    status: Option<StatusCode>,
    /// Texts, as `ErrorInfo` has them.
    metadata: Vec<(&'static str, String)>,
}

impl Failure {
    fn new(kind: &'static Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, metadata: Vec::new() }
    }

    /// A decision. One that could not be recorded is for now.
    pub(super) fn denied(why: &Why) -> Self {
        let kind = if why.record.is_some() { &DENIED } else { &CLOSED };
        let mut failure = Self::new(kind, why.text());
        let record = why.record.map(|record| record.to_string());
        let approval = why.approval.map(|id| id.to_string());
        let said = [
            ("reason", Some(why.reason.clone())),
            ("message", why.message.clone()),
            ("rules", Some(why.rules.join(","))),
            ("audit_record", record),
            ("approval", approval),
        ];
        let said = said.into_iter().filter_map(|(name, text)| Some((name, text?)));
        failure.metadata = said.collect();
        failure
    }

    /// Nothing is forwarded at the moment.
    pub(super) fn closed(why: &Why) -> Self {
        Self::new(&CLOSED, why.text())
    }

    /// There is no such thing, or not for this agent.
    pub(super) fn unknown() -> Self {
        Self::new(&NO_METHOD, "Nothing like this may be asked here.")
    }

    pub(super) fn version() -> Self {
        Self::new(
            &NO_VERSION,
            "This is not asked in this version of A2A; 1.0 is spoken here, and 0.3 in JSON-RPC.",
        )
    }

    pub(super) fn params(why: &str) -> Self {
        Self::new(&PARAMS, format!("The request cannot be taken: {why}."))
    }

    pub(super) fn request(why: &str) -> Self {
        Self::new(&REQUEST, format!("The request cannot be taken: {why}."))
    }

    pub(super) fn not_json(why: &str) -> Self {
        Self::new(&NOT_JSON, format!("The request cannot be read: {why}."))
    }

    /// What HTTP has a status for.
    pub(super) fn of_http(status: StatusCode, message: &str) -> Self {
        Self { status: Some(status), ..Self::new(&REQUEST, message) }
    }

    /// A call that was cut off.
    pub(super) fn stopped() -> Self {
        let why = "The caller or the other agent was stopped while the call was under way.";
        Self { status: Some(StatusCode::FORBIDDEN), ..Self::new(&DENIED, why) }
    }

    /// The other agent has changed what it says of itself.
    pub(super) fn changed() -> Self {
        let why = "The other agent's card has changed, and nobody has accepted that.";
        Self::new(&DENIED, why)
    }

    /// The other agent gave no answer that can be passed on.
    pub(super) fn of_agent(end: End) -> Self {
        let kind = match end {
            End::Timeout => &TIMEOUT,
            End::Protocol(_) => &NO_ANSWER,
            _ => &UPSTREAM,
        };
        Self::new(kind, format!("The call did not succeed: {}.", end.in_words()))
    }

    pub(super) fn answer(&self, form: &Form) -> Response<OutBody> {
        let Self { kind, message, status, metadata } = self;
        let metadata: Map<String, Value> = metadata
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_str().into()))
            .collect();
        let info = json!([{
            "@type": ERROR_INFO, "reason": kind.reason, "domain": DOMAIN, "metadata": metadata,
        }]);
        match form {
            Form::Rpc(id) => {
                // Its clients look for an error in answers that HTTP calls good.
                let status = status.unwrap_or(StatusCode::OK);
                refusal::error(status, id, kind.rpc, message, Some(info))
            }
            Form::Rest => {
                let status = status.unwrap_or(kind.status);
                let body = json!({ "error": {
                    "code": status.as_u16(), "status": kind.canonical, "message": message, "details": info,
                } });
                let mut answer = refusal::json_answer(status, &body);
                let media_type = HeaderValue::from_static(MEDIA_TYPE);
                answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
                answer
            }
        }
    }
}
