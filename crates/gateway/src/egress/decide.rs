//! Decisions for others who enforce them: what stands between an agent and a tool that Lockgate does not reach itself
//! asks here before it lets something be done, and says here what became of it.
//!
//! `POST /decide` asks, `POST /decide/RECORD` tells the outcome, `POST /permits` asks which actions could be allowed at
//! all. What agents say and ask about one another comes in the same way ([`delegation`]). Whoever gets no answer, or one that is not understood, must let nothing be done.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::egress::call::Verdict;
use crate::egress::delegation;
use crate::egress::elsewhere::{self, Enforcer, Undecided, Wanted, is_action};
use crate::egress::exact;
use crate::egress::forward::unavailable;
use crate::egress::handle::{authenticate, read};
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::outcome::End;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::upstream::{self, Form};
use crate::protocol::json::{Keys, value};

const DECIDE: &str = "/decide";
const PERMITS: &str = "/permits";
const DELEGATE: &str = "/delegate";
const REDEEM: &str = "/redeem";
/// The largest question.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Actions that may be asked about at once.
const ACTIONS_MAX: usize = 4_096;

/// Whether a path is one of these.
pub(crate) fn is_here(path: &str) -> bool {
    [PERMITS, DELEGATE, REDEEM].contains(&path)
        || path.strip_prefix(DECIDE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

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
    let caller = Caller(Enforcer { egress, identity });
    caller.request(parts, body).await.unwrap_or_else(|refused| *refused)
}

struct Caller(Enforcer);

pub(super) type Refused = Box<Response<OutBody>>;

pub(super) fn problem(status: StatusCode, kind: &str, detail: &str) -> Refused {
    Box::new(refusal::problem(status, kind, "This cannot be answered", detail))
}

pub(super) fn unreadable(detail: &str) -> Refused {
    problem(StatusCode::BAD_REQUEST, "question", detail)
}

impl From<Undecided> for Refused {
    fn from(undecided: Undecided) -> Self {
        let detail = undecided.in_words();
        match undecided {
            Undecided::NoTool => problem(StatusCode::NOT_FOUND, "no-tool", &detail),
            Undecided::NoAction => unreadable(&detail),
            Undecided::Full => problem(StatusCode::TOO_MANY_REQUESTS, "under-way", &detail),
            Undecided::Closed(why) => Box::new(unavailable(&why)),
            Undecided::Nobody(refused) => Box::new(refusal::unauthenticated(refused)),
            Undecided::Stopped => Box::new(refusal::stopped()),
        }
    }
}

impl Caller {
    async fn request(&self, parts: &Parts, body: Incoming) -> Result<Response<OutBody>, Refused> {
        if parts.method != Method::POST {
            let mut answer = refusal::bare(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Err(Box::new(answer));
        }
        if upstream::form(&parts.headers) != Form::Json {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(problem(
                status,
                "media-type",
                "send JSON with Content-Type: application/json",
            ));
        }
        let body = read(&self.0.egress, body, BODY_BYTES_MAX).await.map_err(|status| {
            let detail =
                format!("a question has at most {BODY_BYTES_MAX} bytes and comes in one go");
            problem(status, "body", &detail)
        })?;
        let path = parts.uri.path();
        let Enforcer { egress, identity } = &self.0;
        match path {
            PERMITS => return self.permits(&body),
            DELEGATE => {
                return delegation::give::give(egress, identity, &parts.headers, &body).await;
            }
            REDEEM => return delegation::callers::redeem(egress, identity, &body),
            _ => {}
        }
        match path.strip_prefix(DECIDE).and_then(|rest| rest.strip_prefix('/')) {
            None => self.decide(&parts.headers, &body).await,
            Some(record) => {
                let record = record.parse().map_err(|_| not_under_way())?;
                self.outcome(record, &body)
            }
        }
    }

    fn permits(&self, body: &Bytes) -> Result<Response<OutBody>, Refused> {
        let question = Question::read(body, &["tool", "actions"])?;
        let server = self.0.tool(question.text("tool")?)?;
        let actions = question.0.get("actions").and_then(Value::as_array);
        let actions = actions.ok_or_else(|| unreadable("`actions` is no list"))?;
        if actions.len() > ACTIONS_MAX {
            return Err(unreadable("`actions` is longer than allowed"));
        }
        let permitted: Vec<&str> = actions
            .iter()
            .filter_map(Value::as_str)
            .filter(|action| {
                is_action(action) && self.0.egress.permits(&self.0.identity, &server, action)
            })
            .collect();
        Ok(refusal::json_answer(StatusCode::OK, &json!({ "permitted": permitted })))
    }

    async fn decide(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<OutBody>, Refused> {
        let known =
            ["tool", "action", "arguments", "exact", "request", "interaction", "traceparent"];
        let question = Question::read(body, &known)?;
        let server = self.0.tool(question.text("tool")?)?;
        let action = question.text("action")?;
        let none = json!({});
        let arguments = match question.0.get("arguments") {
            None => &none,
            Some(arguments @ Value::Object(_)) => arguments,
            Some(_) => return Err(unreadable("`arguments` is not an object")),
        };
        let wanted = Wanted {
            action,
            arguments,
            request: question.request()?,
            exact: &|| {
                let text = exact::field(body, "exact")?;
                Some(format!("{} {text}", exact::field(body, "arguments")?))
            },
            linked: &link::of(headers, &elsewhere::link(&question.0)),
            waits: true,
            objection: None,
            before: 0,
        };
        let answer = match self.0.decide(&server, wanted).await? {
            Verdict::Go(open) => {
                let answer = json!({
                    "decision": "allow", "record": open.record,
                    "outcome_within_ms": millis(server.silence_max),
                });
                self.0.hold(open, &server);
                answer
            }
            Verdict::Hidden => json!({ "decision": "deny", "hidden": true }),
            Verdict::Refused(why) => json!({
                "decision": "deny", "hidden": false, "reason": why.reason, "message": why.message,
                "rules": why.rules, "record": why.record, "approval": why.approval, "text": why.text(),
            }),
        };
        Ok(refusal::json_answer(StatusCode::OK, &answer))
    }

    fn outcome(&self, record: u64, body: &Bytes) -> Result<Response<OutBody>, Refused> {
        let told = Question::read(body, &["outcome", "code", "forwarded"])?;
        let code = told.0.get("code").and_then(Value::as_i64).unwrap_or_default();
        let end = match told.text("outcome")? {
            "ok" => End::Ok,
            "input_required" => End::InputRequired,
            "tool_error" => End::ToolError,
            "error" => End::Error(code),
            "unreachable" => End::Unreachable,
            "timeout" => End::Timeout,
            "cancelled" => End::Cancelled,
            "cut" => End::Cut("whoever did it says so"),
            _ => return Err(unreadable("`outcome` is none that is known")),
        };
        let mut open =
            self.0.egress.held.take(&self.0.identity, record).ok_or_else(not_under_way)?;
        if told.0.get("forwarded") == Some(&Value::Bool(false)) {
            open.forwarded = false;
        }
        open.end(end);
        Ok(refusal::bare(StatusCode::NO_CONTENT))
    }
}

fn not_under_way() -> Refused {
    let detail = "no action of this agent's version is under way under this number";
    problem(StatusCode::NOT_FOUND, "not-under-way", detail)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is asked, or told.
pub(super) struct Question(Map<String, Value>);

impl Question {
    /// Reads an object of these fields. One that is not known is a mistake that should be seen.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, Refused> {
        let read = value(body, Keys::Folded);
        let read =
            read.map_err(|malformed| unreadable(&format!("it cannot be read: {malformed}")))?;
        let Value::Object(fields) = read else { return Err(unreadable("it is no JSON object")) };
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(_) => Err(unreadable(&format!("it has a field besides {}", known.join(", ")))),
            None => Ok(Self(fields)),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Refused> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or_else(|| unreadable(&format!("`{name}` is missing, or no text")))
    }

    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The request's own id, if it has one.
    fn request(&self) -> Result<&Value, Refused> {
        match self.0.get("request") {
            None => Ok(&Value::Null),
            Some(id @ (Value::Null | Value::Number(_))) => Ok(id),
            Some(id @ Value::String(text)) if text.len() <= 256 => Ok(id),
            Some(_) => Err(unreadable("`request` is neither a short text nor a number")),
        }
    }
}
