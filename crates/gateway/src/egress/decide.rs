//! Decisions for others who enforce them: what stands between an agent and a tool that Lockgate does not reach itself
//! asks here before it lets something be done, and says here what became of it.
//!
//! `POST /decide` asks, `POST /decide/RECORD` tells the outcome, `POST /permits` asks which actions could be allowed at
//! all. Whoever gets no answer, or one that is not understood, must let nothing be done.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use lockgate_model::tool::ToolProtocol;
use serde_json::{Map, Value, json};

use crate::egress::call::{Asked, Verdict};
use crate::egress::calls;
use crate::egress::exact;
use crate::egress::forward::unavailable;
use crate::egress::handle::{authenticate, read};
use crate::egress::known::Server;
use crate::egress::link;
use crate::egress::listener::Egress;
use crate::egress::outcome::End;
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::standing;
use crate::egress::upstream::{self, Form};
use crate::ingress::headers::{INTERACTION, TRACEPARENT};
use crate::protocol::json::{Keys, value};
use crate::protocol::mcp::method::{self, PROMPT, READ};

const DECIDE: &str = "/decide";
const PERMITS: &str = "/permits";
/// The largest question.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Actions that may be asked about at once.
const ACTIONS_MAX: usize = 4_096;

/// Whether a path is one of these.
pub(crate) fn is_here(path: &str) -> bool {
    path == PERMITS
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
    let caller = Caller { egress, identity };
    caller.request(parts, body).await.unwrap_or_else(|refused| *refused)
}

struct Caller {
    egress: Arc<Egress>,
    identity: Identity,
}

type Refused = Box<Response<OutBody>>;

fn problem(status: StatusCode, kind: &str, detail: &str) -> Refused {
    Box::new(refusal::problem(status, kind, "This cannot be answered", detail))
}

fn unreadable(detail: &str) -> Refused {
    problem(StatusCode::BAD_REQUEST, "question", detail)
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
        let body = read(body, BODY_BYTES_MAX).await.map_err(|status| {
            let detail =
                format!("a question has at most {BODY_BYTES_MAX} bytes and comes in one go");
            problem(status, "body", &detail)
        })?;
        let path = parts.uri.path();
        if path == PERMITS {
            return self.permits(&body);
        }
        match path.strip_prefix(DECIDE).and_then(|rest| rest.strip_prefix('/')) {
            None => self.decide(&parts.headers, &body).await,
            Some(record) => {
                let record = record.parse().map_err(|_| not_under_way())?;
                self.outcome(record, &body)
            }
        }
    }

    /// The tool of this name, unless it is one that only Lockgate reaches, or nothing is decided at the moment.
    fn tool(&self, name: &str) -> Result<Arc<Server>, Refused> {
        let table = self.egress.core.table.load();
        let server = name.parse().ok().and_then(|name| table.known.server(&name).cloned());
        let server = server.filter(|server| server.protocol == ToolProtocol::External);
        let server = server.ok_or_else(|| {
            let detail = "no tool of this name has `protocol: external` in the configuration";
            problem(StatusCode::NOT_FOUND, "no-tool", detail)
        })?;
        match standing::closed(&self.egress, &server) {
            Some(why) => Err(Box::new(unavailable(&why))),
            None => Ok(server),
        }
    }

    fn permits(&self, body: &Bytes) -> Result<Response<OutBody>, Refused> {
        let question = Question::read(body, &["tool", "actions"])?;
        let server = self.tool(question.text("tool")?)?;
        let actions = question.0.get("actions").and_then(Value::as_array);
        let actions = actions.ok_or_else(|| unreadable("`actions` is no list"))?;
        if actions.len() > ACTIONS_MAX {
            return Err(unreadable("`actions` is longer than allowed"));
        }
        let Identity { agent, version, .. } = &self.identity;
        let decisions = &self.egress.core.ports.decisions;
        let permitted: Vec<&str> = actions
            .iter()
            .filter_map(Value::as_str)
            .filter(|action| {
                is_action(action) && decisions.permits(agent, version, &server.name, action)
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
        let server = self.tool(question.text("tool")?)?;
        let action = question.text("action")?;
        if !is_action(action) {
            return Err(unreadable("`action` has characters that no action has, or is too long"));
        }
        let none = json!({});
        let arguments = match question.0.get("arguments") {
            None => &none,
            Some(arguments @ Value::Object(_)) => arguments,
            Some(_) => return Err(unreadable("`arguments` is not an object")),
        };
        if !self.egress.held.has_room(&self.identity) {
            let detail = "more actions are under way than may be: tell what became of them";
            return Err(problem(StatusCode::TOO_MANY_REQUESTS, "under-way", detail));
        }
        let linked = link::of(headers, &question.link());
        let under_way = calls::begin(&self.egress, &self.identity, &server.name)
            .map_err(|refused| Box::new(refusal::unauthenticated(refused)))?;
        let asked = Asked {
            identity: &self.identity,
            server: &server,
            request: question.request()?,
            action,
            arguments,
            exact: &|| {
                let text = exact::field(body, "exact")?;
                Some(format!("{} {text}", exact::field(body, "arguments")?))
            },
            linked: &linked,
            belongs: &self.egress.core.provenance.find(&self.identity, &linked),
            under_way: &under_way,
        };
        let decided = under_way.unless_cut(asked.decide(&self.egress)).await;
        let answer = match decided.ok_or_else(|| Box::new(refusal::stopped()))? {
            Verdict::Go(mut open) => {
                // From here on it may be done.
                open.forwarded = true;
                let answer = json!({
                    "decision": "allow", "record": open.record,
                    "outcome_within_ms": millis(server.silence_max),
                });
                self.egress.held.keep(&self.identity, open, server.silence_max);
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
        let mut open = self.egress.held.take(&self.identity, record).ok_or_else(not_under_way)?;
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

/// Whether this can be an action: what a policy can name, and what MCP has besides tools.
fn is_action(name: &str) -> bool {
    method::is_tool_name(name) || name == READ || name == PROMPT
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is asked, or told.
struct Question(Map<String, Value>);

impl Question {
    /// Reads an object of these fields. One that is not known is a mistake that should be seen.
    fn read(body: &[u8], known: &[&str]) -> Result<Self, Refused> {
        let read = value(body, Keys::Folded);
        let read =
            read.map_err(|malformed| unreadable(&format!("it cannot be read: {malformed}")))?;
        let Value::Object(fields) = read else { return Err(unreadable("it is no JSON object")) };
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(_) => Err(unreadable(&format!("it has a field besides {}", known.join(", ")))),
            None => Ok(Self(fields)),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Refused> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or_else(|| unreadable(&format!("`{name}` is missing, or no text")))
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

    /// As a request of MCP would say it.
    fn link(&self) -> Map<String, Value> {
        let mut meta = Map::new();
        for (name, of) in [("interaction", INTERACTION), ("traceparent", TRACEPARENT)] {
            if let Some(value) = self.0.get(name) {
                meta.insert(of.as_str().to_owned(), value.clone());
            }
        }
        Map::from_iter([("_meta".to_owned(), Value::Object(meta))])
    }
}
