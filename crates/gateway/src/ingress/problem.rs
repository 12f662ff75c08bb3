//! Our own refusals: `application/problem+json` (RFC 9457) with a hint.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use lockgate_model::ids::InteractionId;
use lockgate_model::interaction::ErrorClass;
use serde_json::json;

use crate::ingress::answer::AnswerBody;
use crate::ingress::headers;

/// A refusal, or a failure of the version that had to be put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The last part of the problem's type.
    pub(crate) kind: &'static str,
    pub(crate) title: &'static str,
    pub(crate) hint: &'static str,
    /// How it counts.
    pub(crate) class: ErrorClass,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:ident $class:ident $kind:literal $title:literal $hint:literal;)*) => {
        impl Problem {
            $($(#[$doc])* pub(crate) const $name: Self = Self {
                status: StatusCode::$status,
                kind: $kind,
                title: $title,
                hint: $hint,
                class: ErrorClass::$class,
            };)*
        }
    };
}

problems! {
    BAD_HOST = BAD_REQUEST GatewayRefused "bad-host" "The request has no usable Host"
        "send exactly one Host header that agrees with the request's target";
    BAD_PATH = BAD_REQUEST GatewayRefused "bad-path" "The request's path has dot segments"
        "send the path that is meant, without `.` and `..`";
    BAD_ENCODING = NOT_IMPLEMENTED GatewayRefused "transfer-encoding" "The request's transfer encoding is not supported"
        "send the body with Content-Length or as plain chunks";
    UPGRADE = NOT_IMPLEMENTED GatewayRefused "upgrade" "Protocol upgrades and tunnels are not forwarded"
        "use plain HTTP/1.1, or server-sent events for streams";
    NO_AGENT = NOT_FOUND GatewayRefused "no-agent" "No agent answers this host and path"
        "compare host and path with the agents' `match` in the configuration";
    NO_STABLE = SERVICE_UNAVAILABLE GatewayRefused "no-stable-version" "The agent has no stable version yet"
        "see `lockgate agent` for what its first version waits for";
    BUSY = SERVICE_UNAVAILABLE GatewayRefused "too-many-requests-in-flight" "The agent has as many requests in flight as it may"
        "try again, or raise `limits.in_flight_max` of the agent";
    TOO_LARGE = PAYLOAD_TOO_LARGE GatewayRefused "body-too-large" "The request's body is larger than this agent accepts"
        "send less, or raise `limits.request_body_bytes_max` of the agent";
    UPLOAD_STALLED = REQUEST_TIMEOUT GatewayRefused "upload-stalled" "The request's body stopped arriving"
        "send the whole body, or raise `limits.idle_timeout_ms` of the agent";
    CLIENT_GONE = BAD_REQUEST ClientCancel "client-gone" "The request's body ended early"
        "send as many bytes as announced";
    CUT = SERVICE_UNAVAILABLE GatewayRefused "version-cut-off" "The version that was answering has just been cut off"
        "send the request again: it will go to the stable version";
    QUARANTINED = SERVICE_UNAVAILABLE GatewayRefused "quarantined" "The agent is stopped by order"
        "see `lockgate quarantine list` for the order and its reason";
    USER_QUARANTINED = FORBIDDEN GatewayRefused "user-quarantined" "The user is stopped by order"
        "see `lockgate quarantine list` for the order and its reason";
    UNREACHABLE = BAD_GATEWAY Reset "unreachable" "The agent's version cannot be reached"
        "check that its endpoint is up and listens where the configuration says";
    RESET = BAD_GATEWAY Reset "connection-lost" "The agent's version closed the connection before it answered"
        "look into the version's own log";
    PROTOCOL = BAD_GATEWAY Protocol "invalid-answer" "The agent's version did not answer in valid HTTP"
        "check that its endpoint speaks HTTP/1.1";
    CONNECT_TIMEOUT = GATEWAY_TIMEOUT Timeout "connect-timeout" "The agent's version could not be connected to in time"
        "check the endpoint, or raise `limits.connect_timeout_ms` of the agent";
    TIMEOUT = GATEWAY_TIMEOUT Timeout "timeout" "The agent's version did not answer in time"
        "try again, or raise `limits.first_byte_timeout_ms` of the agent";
    BAD_METHOD = METHOD_NOT_ALLOWED GatewayRefused "method" "Only POST is accepted here"
        "send feedback and outcomes by POST";
    NO_TICKET = FORBIDDEN GatewayRefused "no-ticket" "A ticket is needed"
        "send the `lockgate-ticket` header that came with the answer";
    FORGED_TICKET = FORBIDDEN GatewayRefused "forged-ticket" "The ticket was not given out here"
        "send the `lockgate-ticket` header that came with the answer, unchanged";
    EXPIRED_TICKET = FORBIDDEN GatewayRefused "expired-ticket" "The ticket has expired"
        "send feedback sooner after the answer";
    BAD_FEEDBACK = UNPROCESSABLE_ENTITY GatewayRefused "feedback" "The feedback cannot be read"
        "send JSON: {\"score\": -1, 0 or 1} or {\"nps\": 0 to 10}";
    BAD_OUTCOME = UNPROCESSABLE_ENTITY GatewayRefused "outcome" "The outcome cannot be read"
        "send JSON: {\"outcome\": \"resolved\", \"escalated\" or \"failed\"}";
    NOT_RECORDED = SERVICE_UNAVAILABLE GatewayRefused "not-recorded" "It could not be recorded durably"
        "send it again in a moment; it counts once";
}

impl Problem {
    /// The answer to send.
    pub(crate) fn answer(self, interaction: InteractionId) -> Response<AnswerBody> {
        let body = json!({
            "type": format!("urn:lockgate:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "hint": self.hint,
            "interaction": interaction,
        });
        let mut answer = Response::new(AnswerBody::own(Bytes::from(body.to_string())));
        *answer.status_mut() = self.status;
        let fields = answer.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(headers::INTERACTION, headers::id_value(interaction));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            fields.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        answer
    }
}
