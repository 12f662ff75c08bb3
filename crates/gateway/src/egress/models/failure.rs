//! Errors in the form of the API that is called, so that its clients raise what their programs know.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::egress::identity::Refused;
use crate::egress::outcome::End;
use crate::egress::refusal::{self, Why};
use crate::egress::relay::OutBody;
use crate::protocol::models::Api;

/// Clients of both APIs try again by themselves, unless they are told not to.
const SHOULD_RETRY: &str = "x-should-retry";

/// Something that is not done, or went wrong.
pub(super) struct Failure {
    status: StatusCode,
    message: String,
    /// The record of the refusal.
    record: Option<u64>,
    /// Ids of the rules that decided.
    rules: Vec<String>,
    /// Whether it may have been done all the same.
    is_open: bool,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
            record: None,
            rules: Vec::new(),
            is_open: false,
        }
    }

    /// A decision. One that could not be recorded is for now.
    pub(super) fn denied(why: &Why) -> Self {
        let status = if why.record.is_some() {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        Self { record: why.record, rules: why.rules.clone(), ..Self::new(status, &why.text()) }
    }

    /// The provider gave no answer that can be passed on.
    pub(super) fn of_server(end: End) -> Self {
        let status = match end {
            End::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let message = format!("The call did not succeed: {}.", end.in_words());
        Self { is_open: true, ..Self::new(status, &message) }
    }

    pub(super) fn answer(&self, api: Api) -> Response<OutBody> {
        let Self { status, message, record, rules, .. } = self;
        let body = match api {
            Api::Openai => json!({ "error": {
                "message": message, "type": kind(api, *status), "param": null, "code": code(*status),
                "audit_record": record, "rules": rules,
            } }),
            Api::Anthropic => json!({ "type": "error", "error": {
                "type": kind(api, *status), "message": message, "audit_record": record, "rules": rules,
            } }),
        };
        let mut answer = refusal::json_answer(*status, &body);
        if self.is_open || *status == StatusCode::FORBIDDEN {
            answer.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        answer
    }
}

/// Whoever calls is nobody.
pub(super) fn unauthenticated(api: Api, refused: Refused) -> Response<OutBody> {
    let message = format!("Who calls is not known: {refused}. The API key is a token of Lockgate.");
    let mut answer = Failure::new(StatusCode::UNAUTHORIZED, &message).answer(api);
    let challenge =
        refusal::unauthenticated(refused).headers_mut().remove(header::WWW_AUTHENTICATE);
    if let Some(challenge) = challenge {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// A provider's own error passes as it is.
pub(super) fn own(status: StatusCode, body: Bytes) -> Response<OutBody> {
    refusal::bytes_answer(status, body)
}

fn kind(api: Api, status: StatusCode) -> &'static str {
    match (status.as_u16(), api) {
        (401, _) => "authentication_error",
        (403, _) => "permission_error",
        (404, _) => "not_found_error",
        (413, Api::Anthropic) => "request_too_large",
        (400..=499, _) => "invalid_request_error",
        (_, Api::Openai) => "server_error",
        (_, Api::Anthropic) => "api_error",
    }
}

fn code(status: StatusCode) -> Value {
    match status.as_u16() {
        401 => "invalid_api_key".into(),
        403 => "denied".into(),
        404 => "not_found".into(),
        503 => "unavailable".into(),
        502 | 504 => "upstream".into(),
        _ => Value::Null,
    }
}
