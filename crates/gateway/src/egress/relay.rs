//! The body of an answer to an agent: our own few bytes, or a server's stream of events, looked at one by one as they
//! pass. An event is held until it is whole, and no longer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use serde_json::{Value, json};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::egress::calls::UnderWay;
use crate::egress::conduit::Conduit;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open, STOPPED, TOO_LONG, silent_until};
use crate::egress::pins;
use crate::egress::running::{Key, Place};
use crate::egress::standing;
use crate::protocol::mcp::events::{Cutter, Event};
use crate::protocol::mcp::family::Family;
use crate::protocol::mcp::list;
use crate::protocol::mcp::message::Message;
use crate::protocol::mcp::method;

/// The largest event.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// An answer that is under way already may still come after a call was cancelled.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Why an answer was broken off. The client sees a connection that closes before the answer's end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) &'static str);

/// A body.
pub(crate) enum OutBody {
    /// Ours.
    Own(Option<Bytes>),
    /// A server's events.
    Relay(Box<Relay>),
    /// Another body of a server's.
    Conduit(Box<Conduit>),
}

impl OutBody {
    /// Of our own bytes.
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self::Own((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => relay.poll(cx),
            Self::Conduit(conduit) => conduit.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Own(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Relay(_) | Self::Conduit(_) => SizeHint::default(),
        }
    }
}

/// Whose answers pass, and which of them.
pub(crate) struct Audience {
    pub(crate) egress: Arc<Egress>,
    pub(crate) identity: Identity,
    pub(crate) server: Arc<Server>,
    pub(crate) family: Family,
    pub(crate) under_way: Arc<UnderWay>,
}

impl Audience {
    /// Cuts a list of tools down to what is permitted, and is told as it was before.
    pub(crate) fn cut_down(&self, result: &mut Value) {
        list::cut_down(result, |name, entry| {
            method::is_tool_name(name)
                && self.egress.permits(&self.identity, &self.server, name)
                && pins::shows(&self.egress, &self.identity, &self.server, entry)
        });
    }

    /// Whether nothing further may pass: a stream can be older than what forbids it.
    fn is_gone(&self) -> bool {
        standing::is_gone(&self.egress, &self.identity)
    }
}

/// Which answers a stream may hold.
pub(crate) enum Expected {
    /// The one to this request.
    One { id: Value, lists_tools: bool },
    /// None: it is a stream of what the server says by itself.
    None,
    /// Whatever was under way in this session when another stream broke off.
    Resumed { session: String },
}

/// How an action ended, by the answer to it.
pub(crate) fn end_of(result: &Result<Value, Value>) -> End {
    match result {
        Err(error) => End::Error(error.get("code").and_then(Value::as_i64).unwrap_or_default()),
        Ok(result) if result.get("isError") == Some(&Value::Bool(true)) => End::ToolError,
        Ok(result) if result.get("resultType").is_some_and(|kind| kind == "input_required") => {
            End::InputRequired
        }
        Ok(_) => End::Ok,
    }
}

/// What is done with an event.
enum Passing {
    AsIs,
    Instead(String),
    Not,
}

/// A stream under way.
pub(crate) struct Relay {
    inner: Option<Incoming>,
    cutter: Cutter,
    ready: VecDeque<Bytes>,
    audience: Audience,
    expected: Expected,
    answered: bool,
    bytes: u64,
    /// Whether the stream can go on in another one.
    resumable: bool,
    open: Option<Open>,
    /// The longest silence; `None` where silence says nothing.
    silence_max: Option<Duration>,
    silence: Pin<Box<Sleep>>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Ready when the caller or the tool is stopped.
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Armed once the client said that it wants no answer.
    grace: Option<Pin<Box<Sleep>>>,
    place: Option<Place>,
}

impl Relay {
    /// Over a server's body.
    pub(crate) fn new(
        inner: Incoming,
        audience: Audience,
        expected: Expected,
        mut open: Option<Open>,
        place: Option<Place>,
        silence_max: Option<Duration>,
    ) -> Self {
        let cancelled =
            place.as_ref().map(|place| Box::pin(place.cancelled.clone().cancelled_owned()));
        let cut = Box::pin(audience.under_way.cut.clone().cancelled_owned());
        if let Some(open) = &mut open {
            open.answered();
        }
        let until = silent_until(open.as_ref(), silence_max.unwrap_or_default());
        let silence = tokio::time::sleep_until(until);
        Self {
            inner: Some(inner),
            cutter: Cutter::new(EVENT_BYTES_MAX),
            ready: VecDeque::new(),
            audience,
            expected,
            answered: false,
            bytes: 0,
            resumable: false,
            open,
            silence_max,
            silence: Box::pin(silence),
            cancelled,
            cut,
            grace: None,
            place,
        }
    }

    fn end(&mut self, end: End) {
        // The server's connection ends with it.
        self.inner = None;
        if let Some(mut open) = self.open.take() {
            open.end(end);
        }
    }

    fn broken(
        &mut self,
        end: End,
        why: &'static str,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.end(end);
        Poll::Ready(Some(Err(Broken(why))))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.inner.is_none() {
                return Poll::Ready(None);
            }
            if self.cut.as_mut().poll(cx).is_ready() {
                return self.broken(End::Cut(STOPPED), STOPPED);
            }
            if self.open.as_ref().is_some_and(Open::is_over) {
                return self.broken(End::Cut(TOO_LONG), TOO_LONG);
            }
            if self.poll_cancelled(cx) {
                self.end(End::Cancelled);
                return Poll::Ready(None);
            }
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(silence_max) = self.silence_max {
                        let until = silent_until(self.open.as_ref(), silence_max);
                        self.silence.as_mut().reset(until);
                    }
                    if let Ok(data) = frame.into_data()
                        && let Err((end, why)) = self.take(&data)
                    {
                        return self.broken(end, why);
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    return self.broken(End::Cut("the server hung up"), "the server hung up");
                }
                Poll::Ready(None) => {
                    self.over();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if self.silence_max.is_some() && self.silence.as_mut().poll(cx).is_ready() {
                        if self.grace.is_some() {
                            self.end(End::Cancelled);
                            return Poll::Ready(None);
                        }
                        if self.open.as_ref().is_some_and(Open::is_over) {
                            return self.broken(End::Cut(TOO_LONG), TOO_LONG);
                        }
                        return self.broken(End::Timeout, "the server fell silent");
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// The server has nothing more to say here.
    fn over(&mut self) {
        let cancelled = self.grace.is_some();
        let wait_max = self.silence_max.filter(|_| self.resumable && !cancelled);
        if let (Some(place), Some(wait_max)) = (&self.place, wait_max)
            && let Some(open) = self.open.take()
        {
            place.broken_off(open, wait_max);
        }
        self.end(if cancelled { End::Cancelled } else { End::Cut("it ended without an answer") });
    }

    /// Whether the client said that it wants no answer, and none was on its way.
    fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(cancelled) = &mut self.cancelled
            && cancelled.as_mut().poll(cx).is_ready()
        {
            self.cancelled = None;
            self.grace = Some(Box::pin(tokio::time::sleep(GRACE)));
        }
        self.grace.as_mut().is_some_and(|grace| grace.as_mut().poll(cx).is_ready())
    }

    fn take(&mut self, data: &[u8]) -> Result<(), (End, &'static str)> {
        if self.audience.is_gone() {
            let why = "the caller may not go on";
            return Err((End::Cut(why), why));
        }
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.open.as_ref().is_some_and(|open| !open.has_room(self.bytes)) {
            let why = "it is larger than allowed";
            return Err((End::Cut(why), why));
        }
        self.cutter.feed(data);
        loop {
            let event = match self.cutter.next() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(_) => {
                    let why = "an event is too large, or no text";
                    return Err((End::Protocol(why), why));
                }
            };
            self.take_event(&event)?;
        }
    }

    fn take_event(&mut self, event: &Event) -> Result<(), (End, &'static str)> {
        self.resumable |= event.has_id;
        let Some(data) = &event.data else {
            self.ready.push_back(event.raw.clone());
            return Ok(());
        };
        let Ok(message) = Message::read_answer(data.as_bytes()) else {
            let why = "an event holds no message";
            return Err((End::Protocol(why), why));
        };
        match self.look(message) {
            Passing::AsIs => self.ready.push_back(event.raw.clone()),
            Passing::Instead(data) => self.ready.push_back(event.with_data(&data)),
            Passing::Not => {}
        }
        Ok(())
    }

    fn look(&mut self, message: Message) -> Passing {
        let (id, result) = match message {
            Message::Request { method, .. } => {
                let passes = method::is_server_request(self.audience.family, &method);
                return if passes { Passing::AsIs } else { Passing::Not };
            }
            Message::Notification { method, .. } => {
                return if method::is_server_note(&method) { Passing::AsIs } else { Passing::Not };
            }
            Message::Response { id, result } => (id, result),
        };
        let may_list = match &self.expected {
            Expected::One { id: expected, lists_tools } if *expected == id && !self.answered => {
                self.answered = true;
                *lists_tools
            }
            Expected::Resumed { session } => {
                let Audience { egress, server, .. } = &self.audience;
                self.open = egress.running.resumed(&Key::new(&server.name, session, &id));
                true
            }
            Expected::One { .. } | Expected::None => return Passing::Not,
        };
        if let Some(mut open) = self.open.take() {
            // Some servers answer what was cancelled with an error.
            let unwanted = self.grace.is_some() && result.is_err();
            open.end(if unwanted { End::Cancelled } else { end_of(&result) });
        }
        match result {
            Ok(mut result) if may_list && result.get("tools").is_some() => {
                self.audience.cut_down(&mut result);
                Passing::Instead(
                    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string(),
                )
            }
            _ => Passing::AsIs,
        }
    }
}
