//! What model, A2A and MCP bodies mean: which conversation a request belongs to, and what an
//! answer says about tokens, its model and its own failure; and what agents' own calls ask for.
//!
//! Everything here only watches. Bodies are outside bytes: whatever they hold, memory and work are
//! bounded, nothing panics, and what cannot be read is unknown. Not here: policy, and the bytes that
//! are forwarded.

pub mod a2a;
mod body;
mod decode;
mod dialect;
pub mod hello;
pub(crate) mod json;
pub(crate) mod mcp;
pub(crate) mod models;
pub(crate) mod operation;
mod paths;
mod pick;
mod reading;
mod request;
mod sse;
#[cfg(test)]
mod tests;
mod tier;
pub mod tool_calls;

use http::HeaderMap;
use lockgate_model::agent::Protocol;
use lockgate_model::interaction::Usage;

use body::Body;
use decode::{Decoder, Encoding};
use dialect::{Dialect, Form};
use tool_calls::ToolCall;

pub use request::{PEEK_BYTES_MAX, RequestIds, request_ids, request_wants_body};

/// What an answer told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct Scanned {
    /// It was a stream of server-sent events.
    pub sse: bool,
    /// Tokens; what is not known for certain is `None`.
    pub usage: Usage,
    /// It counts more tokens than any answer can have taken, so that none of its counts is believed.
    pub bad_usage: bool,
    /// The model it names.
    pub model: Option<String>,
    /// Whose model that most likely is: a hint for prices, in the words of their table.
    pub provider: Option<&'static str>,
    /// Status 200, but the body says that the version failed, or it lacks the end that its format
    /// has.
    pub stream_error: bool,
    /// The body says that the version failed.
    pub failed: bool,
    /// The end that its format has was seen: whoever leaves now has had everything.
    pub ended: bool,
    /// Ids by which a later request names this conversation, without those that
    /// [`Scanner::take_ids`] handed out before.
    pub ids: Vec<String>,
}

enum Stage {
    /// Not looked at.
    Off,
    Reading(Decoder),
    /// Was looked at, and could not be understood.
    Lost,
}

/// Reads an answer while it passes.
pub struct Scanner {
    sse: bool,
    dialect: Option<Dialect>,
    session: Option<String>,
    stage: Stage,
}

impl Scanner {
    /// Decides by protocol, path, status and headers what to look for.
    pub fn new(protocol: Protocol, request_path: &str, status: u16, headers: &HeaderMap) -> Self {
        Self::reading(protocol, request_path, status, headers, false)
    }

    /// The same, and reads also which functions a model asks its client to call.
    pub fn of_model(
        protocol: Protocol,
        request_path: &str,
        status: u16,
        headers: &HeaderMap,
    ) -> Self {
        Self::reading(protocol, request_path, status, headers, true)
    }

    fn reading(
        protocol: Protocol,
        request_path: &str,
        status: u16,
        headers: &HeaderMap,
        tool_calls: bool,
    ) -> Self {
        let form = Form::of(headers);
        let dialect = Dialect::of(protocol, request_path).filter(|_| (200..300).contains(&status));
        let certain = protocol != Protocol::Auto && dialect == Dialect::of_path(request_path);
        let mut body = dialect.and_then(|dialect| Body::new(dialect, form, certain));
        if let Some(body) = body.as_mut().filter(|_| tool_calls) {
            body.read_tool_calls();
        }
        let stage = match (body, Encoding::of(headers)) {
            (None, _) => Stage::Off,
            (Some(body), Some(encoding)) => Stage::Reading(Decoder::new(encoding, body)),
            (Some(_), None) => Stage::Lost,
        };
        let sessions = matches!(protocol, Protocol::Mcp | Protocol::Auto);
        let session = if sessions { request::session(headers) } else { None };
        Self { sse: form == Form::Events, dialect, session, stage }
    }

    /// Takes the next part of the body as it came over the wire.
    pub fn push(&mut self, chunk: &[u8]) {
        if !matches!(self.stage, Stage::Reading(_)) {
            return;
        }
        if let Stage::Reading(decoder) = std::mem::replace(&mut self.stage, Stage::Lost)
            && let Ok(decoder) = decoder.push(chunk)
        {
            self.stage = Stage::Reading(decoder);
        }
    }

    /// Ids by which a later request names this conversation, found since this was last asked. To be
    /// asked after the head and after each part, before either is passed on: a client may use an id
    /// as soon as it has it, while the stream is still open.
    pub fn take_ids(&mut self) -> Vec<String> {
        let mut ids = match &mut self.stage {
            Stage::Reading(decoder) => decoder.take_ids(),
            Stage::Off | Stage::Lost => Vec::new(),
        };
        ids.extend(self.session.take());
        ids
    }

    /// Calls that a model asked for since this was last asked. To be asked after each part, before it is passed on: a client
    /// may do what it is asked for at once.
    pub fn take_tool_calls(&mut self) -> Vec<ToolCall> {
        match &mut self.stage {
            Stage::Reading(decoder) => decoder.take_tool_calls(),
            Stage::Off | Stage::Lost => Vec::new(),
        }
    }

    /// The body is over; `complete` when it came to its end as HTTP sees it.
    pub fn finish(self, complete: bool) -> Scanned {
        let mut scanned = Scanned {
            sse: self.sse,
            provider: self.dialect.and_then(Dialect::provider),
            ids: self.session.into_iter().collect(),
            ..Scanned::default()
        };
        let Stage::Reading(decoder) = self.stage else {
            return scanned;
        };
        let Ok(body) = decoder.finish(complete) else {
            return scanned;
        };
        let mut reading = body.finish();
        let usage = reading.usage();
        (scanned.usage, scanned.bad_usage) = (usage.unwrap_or_default(), usage.is_err());
        scanned.model = reading.take_model();
        scanned.failed = reading.error();
        scanned.stream_error = reading.error() || (self.sse && reading.lacks_end(complete));
        scanned.ended = reading.ended();
        scanned.ids.extend(reading.take_ids());
        scanned
    }
}
