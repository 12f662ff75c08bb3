//! What another agent answers: in one piece looked at before it is passed on, as a stream event by event.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::failure::{Failure, Form, MEDIA_TYPE};
use super::{Caller, Wanted, is_json};
use crate::egress::conduit::{Conduit, Look};
use crate::egress::outcome::{End, Open};
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::upstream;
use crate::protocol::a2a::action::Action;
use crate::protocol::a2a::answer::Stands;
use crate::protocol::json::{Keys, value};
use crate::protocol::mcp::events::{Cutter, Event};
use crate::protocol::mcp::message::Message;

/// The largest event of a stream.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Headers of the other agent's that go along.
const PASSING: [&str; 3] = ["a2a-extensions", "retry-after", "x-a2a-extensions"];

/// An answer that begins.
pub(super) struct Answer<'a> {
    pub(super) caller: &'a Caller,
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) open: Open,
}

impl Answer<'_> {
    pub(super) async fn pass(
        mut self,
        response: Response<Incoming>,
    ) -> Result<Response<OutBody>, Failure> {
        let status = response.status();
        self.open.note("status", status.as_u16().into());
        match status.as_u16() {
            // Between the other agent and us are redirects and credentials.
            200..=299 => {}
            401 | 403 | 407 => return self.failed(End::Status(status.as_u16())),
            400..=599 if is_json(response.headers()) => {}
            _ => return self.failed(End::Status(status.as_u16())),
        }
        if status == StatusCode::NO_CONTENT {
            self.open.end(End::Ok);
            return Ok(refusal::bare(status));
        }
        let form = upstream::form(response.headers());
        if form == upstream::Form::Events && self.wanted.action.streams() {
            return Ok(self.stream(response));
        }
        if !is_json(response.headers()) {
            let why = "it is neither JSON nor a stream of events";
            return self.failed(End::Protocol(why));
        }
        self.whole(response).await
    }

    fn failed<T>(mut self, end: End) -> Result<T, Failure> {
        self.open.end(end);
        Err(Failure::of_agent(end))
    }

    /// An answer in one piece.
    async fn whole(mut self, response: Response<Incoming>) -> Result<Response<OutBody>, Failure> {
        let (parts, body) = response.into_parts();
        let body =
            match upstream::whole(body, self.caller.server.silence_max, Some(&self.open)).await {
                Ok(body) => body,
                Err(end) => return self.failed(end),
            };
        let result = match read(&self.wanted.form, &body) {
            Ok(result) => result,
            Err(_) if !parts.status.is_success() => {
                return self.failed(End::Status(parts.status.as_u16()));
            }
            Err(why) => return self.failed(End::Protocol(why)),
        };
        let is_good = parts.status.is_success();
        let (end, passed) = match result {
            Err(error) => (end_of_error(parts.status, &error), body),
            // JSON-RPC says what went wrong in an error.
            Ok(_) if !is_good && self.wanted.form != Form::Rest => {
                return self.failed(End::Status(parts.status.as_u16()));
            }
            Ok(_) if !is_good => (end_of_status(parts.status), body),
            Ok(card) if self.wanted.action == Action::GetExtendedCard => {
                match self.caller.extended_card(self.wanted, card) {
                    Ok(body) => (End::Ok, body),
                    Err(end) => return self.failed(end),
                }
            }
            Ok(result) => (end_of(self.wanted.action, Stands::of(&result)), body),
        };
        self.open.end(end);
        let mut answer = refusal::bytes_answer(parts.status, passed);
        let fields = answer.headers_mut();
        if self.wanted.form == Form::Rest {
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        }
        upstream::pass(&PASSING, &parts.headers, fields);
        Ok(answer)
    }

    fn stream(self, response: Response<Incoming>) -> Response<OutBody> {
        let (parts, body) = response.into_parts();
        let Self { caller, wanted, mut open } = self;
        open.answered();
        let look = Events {
            form: wanted.form.clone(),
            action: wanted.action,
            cutter: Cutter::new(EVENT_BYTES_MAX),
            stands: Stands::GoesOn,
            error: None,
        };
        let conduit = Conduit::new(
            body,
            Arc::clone(&caller.egress),
            (caller.identity.clone(), Arc::clone(&caller.under_way)),
            Box::new(look),
            open,
            caller.server.silence_max,
        );
        let mut answer = Response::new(OutBody::Conduit(Box::new(conduit)));
        let fields = answer.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
        upstream::pass(&PASSING, &parts.headers, fields);
        answer
    }
}

/// The result in an answer, or the error.
fn read(form: &Form, body: &[u8]) -> Result<Result<Value, Value>, &'static str> {
    let Form::Rpc(asked) = form else {
        let read = value(body, Keys::Exact).map_err(|_| "it is no JSON, or has two meanings")?;
        return Ok(match read.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(read),
        });
    };
    match Message::read_answer(body) {
        // An error may say that the request could not even be read.
        Ok(Message::Response { id, result }) if id == *asked || id.is_null() && result.is_err() => {
            Ok(result)
        }
        Ok(Message::Response { .. }) => Err("it is the answer to another request"),
        _ => Err("it is no answer of JSON-RPC"),
    }
}

/// How an action ended, by how its task stands.
fn end_of(action: Action, stands: Stands) -> End {
    match stands {
        // Whoever asks about a task that failed has got an answer.
        _ if !action.sends() && action != Action::SubscribeToTask => End::Ok,
        Stands::Failed => End::ToolError,
        Stands::Waits => End::InputRequired,
        Stands::Done | Stands::GoesOn => End::Ok,
    }
}

fn end_of_error(status: StatusCode, error: &Value) -> End {
    match error.get("code").and_then(Value::as_i64) {
        // In REST it is the status.
        Some(code) if code < 0 => End::Error(code),
        _ => end_of_status(status),
    }
}

fn end_of_status(status: StatusCode) -> End {
    if status.is_server_error() { End::Status(status.as_u16()) } else { End::ToolError }
}

/// Looks at the events of a stream.
struct Events {
    form: Form,
    action: Action,
    cutter: Cutter,
    stands: Stands,
    /// The error that it ended with.
    error: Option<End>,
}

impl Events {
    fn event(&mut self, event: &Event) -> Result<(), &'static str> {
        let Some(data) = &event.data else { return Ok(()) };
        match read(&self.form, data.as_bytes())? {
            Ok(result) => match Stands::of(&result) {
                Stands::GoesOn => {}
                stands => self.stands = stands,
            },
            Err(error) => self.error = Some(end_of_error(StatusCode::OK, &error)),
        }
        Ok(())
    }

    /// How it ended, if its end was seen.
    fn end(&self) -> Option<End> {
        let is_over = self.stands != Stands::GoesOn;
        self.error.or_else(|| is_over.then(|| end_of(self.action, self.stands)))
    }
}

impl Look for Events {
    fn take(&mut self, part: Bytes, pass: &mut VecDeque<Bytes>) -> Result<(), (End, &'static str)> {
        self.cutter.feed(&part);
        let broken = |why| (End::Protocol(why), why);
        loop {
            match self.cutter.next() {
                Ok(Some(event)) => {
                    self.event(&event).map_err(broken)?;
                    pass.push_back(event.raw);
                }
                Ok(None) => return Ok(()),
                Err(_) => return Err(broken("an event is too large, or no text")),
            }
        }
    }

    fn over(self: Box<Self>, _: &mut Open, _: &mut VecDeque<Bytes>) -> End {
        self.end().unwrap_or(End::Cut("the stream ended before its end"))
    }

    fn left(self: Box<Self>, _: &mut Open) -> End {
        // Clients close a stream once they have seen its last event.
        self.end().unwrap_or(End::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_belongs_to_its_request() {
        let form = Form::Rpc(json!(7));
        let of = |body: Value| read(&form, body.to_string().as_bytes());
        let answer = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "result": { "message": {} } });
        assert_eq!(of(answer(json!(7))), Ok(Ok(json!({ "message": {} }))));
        assert!(of(answer(json!(8))).is_err() && of(answer(json!("7"))).is_err());
        let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32700 } });
        assert!(matches!(of(error), Ok(Err(_))));
        assert!(of(json!({ "task": {} })).is_err());
        assert!(matches!(read(&Form::Rest, br#"{"error":{"code":404}}"#), Ok(Err(_))));
        assert!(read(&Form::Rest, br#"{"a":1,"a":2}"#).is_err());
    }

    #[test]
    fn an_action_ends_as_its_task_does() {
        for (action, stands, end) in [
            (Action::SendMessage, Stands::Done, End::Ok),
            (Action::SendMessage, Stands::GoesOn, End::Ok),
            (Action::SendMessage, Stands::Failed, End::ToolError),
            (Action::SendStreamingMessage, Stands::Waits, End::InputRequired),
            (Action::SubscribeToTask, Stands::Failed, End::ToolError),
            (Action::GetTask, Stands::Failed, End::Ok),
            (Action::CancelTask, Stands::Failed, End::Ok),
        ] {
            assert_eq!(end_of(action, stands), end, "{action:?} {stands:?}");
        }
        let error = |code: i64| end_of_error(StatusCode::NOT_FOUND, &json!({ "code": code }));
        assert_eq!((error(-32001), error(404)), (End::Error(-32001), End::ToolError));
        assert_eq!(end_of_status(StatusCode::SERVICE_UNAVAILABLE), End::Status(503));
    }
}
