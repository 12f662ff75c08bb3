//! How a refusal reaches an agent: in the form of its protocol, with a reason that it can act upon.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use lockgate_model::ids::ApprovalId;

use crate::egress::identity::Refused;
use crate::egress::relay::OutBody;
use crate::protocol::mcp::code;
use crate::protocol::mcp::family::{Family, Mismatch};

/// The code of an action that is refused and has no other form. Positive: the specification's own range is not ours.
const REFUSED: i64 = 403;

/// An answer in JSON.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response<OutBody> {
    bytes_answer(status, Bytes::from(body.to_string()))
}

/// The same of bytes that are JSON.
pub(crate) fn bytes_answer(status: StatusCode, body: Bytes) -> Response<OutBody> {
    let mut answer = Response::new(OutBody::own(body));
    *answer.status_mut() = status;
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer without a body.
pub(crate) fn bare(status: StatusCode) -> Response<OutBody> {
    let mut answer = Response::new(OutBody::own(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// An error of JSON-RPC.
pub(crate) fn error(
    status: StatusCode,
    id: &Value,
    code: i64,
    message: &str,
    data: Option<Value>,
) -> Response<OutBody> {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    json_answer(status, &json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}

/// Headers and body do not go together.
pub(crate) fn mismatch(id: &Value, mismatch: Mismatch) -> Response<OutBody> {
    error(StatusCode::BAD_REQUEST, id, mismatch.code, &mismatch.message, mismatch.data)
}

/// A method that does not pass.
pub(crate) fn no_method(family: Family, id: &Value, method: &str) -> Response<OutBody> {
    let status = match family {
        Family::Session => StatusCode::OK,
        Family::Stateless => StatusCode::NOT_FOUND,
    };
    let method: String = method.chars().take(64).collect();
    let message = format!("Method not found: {method}");
    error(status, id, code::METHOD_NOT_FOUND, &message, None)
}

/// A tool that is not there for this agent, whether it exists or not.
pub(crate) fn unknown_tool(id: &Value, name: &str) -> Response<OutBody> {
    let name: String = name.chars().take(128).collect();
    error(StatusCode::OK, id, code::INVALID_PARAMS, &format!("Unknown tool: {name}"), None)
}

/// Why something is not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) reason: String,
    /// What the policy has to say on top.
    pub(crate) message: Option<String>,
    /// The record of the refusal.
    pub(crate) record: Option<u64>,
    /// The question to people that it waits for, or that they said no to.
    pub(crate) approval: Option<ApprovalId>,
    /// Ids of the rules that decided.
    pub(crate) rules: Vec<String>,
}

impl Why {
    /// Without a record.
    pub(crate) fn unrecorded(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// In one text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("Refused by Lockgate: {}.", self.reason.trim_end_matches('.'));
        if let Some(message) = &self.message {
            text.push(' ');
            text.push_str(message);
        }
        let record = match self.record {
            Some(record) => format!(" (audit record {record})"),
            None => " (not recorded)".to_owned(),
        };
        text + &record
    }
}

/// A call that is refused: a result that says so, so that the model can do something else.
pub(crate) fn call(family: Family, id: &Value, why: &Why) -> Response<OutBody> {
    let mut result = json!({
        "content": [{ "type": "text", "text": why.text() }],
        "isError": true,
    });
    if let Some(approval) = why.approval {
        result["structuredContent"] = json!({ "lockgate_approval": approval });
    }
    if family == Family::Stateless {
        result["resultType"] = "complete".into();
    }
    json_answer(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// Another action that is refused.
pub(crate) fn action(id: &Value, why: &Why) -> Response<OutBody> {
    let data = json!({ "record": why.record, "approval": why.approval });
    error(StatusCode::OK, id, REFUSED, &why.text(), Some(data))
}

/// Something that is refused for now, and not for what it is.
pub(crate) fn not_now(id: &Value, why: &Why) -> Response<OutBody> {
    error(StatusCode::OK, id, code::INTERNAL_ERROR, &why.text(), None)
}

/// Whoever calls is nobody (RFC 6750).
pub(crate) fn unauthenticated(refused: Refused) -> Response<OutBody> {
    let mut answer = problem(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Who calls is not known",
        &refused.to_string(),
    );
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge(refused));
    answer
}

/// What a caller must show, and what is wrong with what it has shown.
pub(crate) fn challenge(refused: Refused) -> HeaderValue {
    let challenge = match refused {
        Refused::Missing => "Bearer realm=\"lockgate-egress\"".to_owned(),
        // The words are ours and hold no quotes.
        _ => format!(
            "Bearer realm=\"lockgate-egress\", error=\"invalid_token\", error_description=\"{refused}\""
        ),
    };
    HeaderValue::from_str(&challenge).expect("our words are visible ASCII")
}

/// A page in a browser must not make it call here.
pub(crate) fn browser() -> Response<OutBody> {
    let detail = "requests with an Origin header come from browsers";
    problem(StatusCode::FORBIDDEN, "origin", "Browsers do not call here", detail)
}

/// It was stopped while it was under way.
pub(crate) fn stopped() -> Response<OutBody> {
    let detail = "the caller or the tool was stopped while the call was under way";
    problem(StatusCode::FORBIDDEN, "stopped", "The call was cut off", detail)
}

/// What is no message at all (RFC 9457).
pub(crate) fn problem(
    status: StatusCode,
    kind: &str,
    title: &str,
    detail: &str,
) -> Response<OutBody> {
    problem_with(status, kind, title, detail, &Value::Null)
}

/// The same with more fields.
pub(crate) fn problem_with(
    status: StatusCode,
    kind: &str,
    title: &str,
    detail: &str,
    more: &Value,
) -> Response<OutBody> {
    let mut body = json!({
        "type": format!("urn:lockgate:problem:{kind}"),
        "title": title, "status": status.as_u16(), "detail": detail,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let mut answer = json_answer(status, &body);
    let kind = HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
