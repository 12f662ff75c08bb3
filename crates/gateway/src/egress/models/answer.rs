//! What a provider answers: passed on as it comes, and read for what it used.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use lockgate_model::agent::Protocol;
use lockgate_model::identity::Identity;
use lockgate_model::ids::InteractionId;
use lockgate_telemetry::price::Prices;
use serde_json::{Value, json};

use super::failure::{self, Failure};
use super::{Caller, Wanted, end_of};
use crate::egress::conduit::{Conduit, Look};
use crate::egress::limit::Uses;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open};
use crate::egress::refusal;
use crate::egress::relay::OutBody;
use crate::egress::upstream::{self, Form};
use crate::observe::answered::priced;
use crate::protocol::mcp::events::Cutter;
use crate::protocol::models::Api;
use crate::protocol::models::endpoint::Kind;
use crate::protocol::models::events::only_counts;
use crate::protocol::tool_calls::ToolCall;
use crate::protocol::{Scanned, Scanner};

/// The largest event of a stream that is looked at event by event.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Headers of a provider's that its clients go by.
const PASSING: [&str; 5] =
    ["request-id", "retry-after", "retry-after-ms", "x-request-id", "x-should-retry"];

/// An answer that begins.
pub(super) struct Answer<'a> {
    pub(super) caller: &'a Caller,
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) began_wall_ms: i64,
    pub(super) open: Open,
}

impl Answer<'_> {
    pub(super) async fn pass(
        mut self,
        response: Response<Incoming>,
    ) -> Result<Response<OutBody>, Failure> {
        let form = upstream::form(response.headers());
        if response.status() != StatusCode::OK {
            return self.error(response, form).await;
        }
        if self.wanted.endpoint.kind == Kind::Models {
            return self.list(response).await;
        }
        if form == Form::Other {
            let end = End::Protocol("it is neither JSON nor a stream of events");
            self.open.end(end);
            return Err(Failure::of_server(end));
        }
        let (parts, body) = response.into_parts();
        let Self { caller, wanted, began_wall_ms, mut open } = self;
        open.answered();
        let protocol = match caller.api {
            Api::Openai => Protocol::Openai,
            Api::Anthropic => Protocol::Anthropic,
        };
        let events = form == Form::Events;
        let counts_hidden = wanted.counts_hidden && events;
        let asks = matches!(wanted.endpoint.kind, Kind::Chat | Kind::Responses | Kind::Messages);
        let scanner = if asks { Scanner::of_model } else { Scanner::new };
        let look = Reading {
            scanner: scanner(protocol, wanted.endpoint.path, 200, &parts.headers),
            asked: Asked {
                egress: Arc::clone(&caller.egress),
                identity: caller.identity.clone(),
                interaction: open.interaction(),
            },
            hiding: counts_hidden.then(|| Cutter::new(EVENT_BYTES_MAX)),
            prices: Arc::clone(&caller.egress.core.prices),
            kind: wanted.endpoint.kind,
            events,
            began_wall_ms,
            is_dear: wanted.is_dear,
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
        let kind = if events { "text/event-stream; charset=utf-8" } else { "application/json" };
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if events {
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        upstream::pass(&PASSING, &parts.headers, fields);
        Ok(answer)
    }

    /// What the agent can do something about passes. Between the provider and us are redirects and credentials.
    async fn error(
        mut self,
        response: Response<Incoming>,
        form: Form,
    ) -> Result<Response<OutBody>, Failure> {
        let status = response.status();
        let is_ours = matches!(status.as_u16(), 401 | 403 | 407);
        let passes = (400..600).contains(&status.as_u16()) && !is_ours;
        let (parts, body) = response.into_parts();
        let mut answer = if passes && form == Form::Json {
            let silence_max = self.caller.server.silence_max;
            match upstream::whole(body, silence_max, Some(&self.open)).await {
                Ok(body) => failure::own(status, body),
                Err(end) => {
                    self.open.end(end);
                    return Err(Failure::of_server(end));
                }
            }
        } else if passes {
            let why = format!("The provider answered with status {}.", status.as_u16());
            Failure::new(status, &why).answer(self.caller.api)
        } else {
            self.open.end(end_of(status));
            return Err(Failure::of_server(end_of(status)));
        };
        if matches!(status.as_u16(), 404 | 413 | 415 | 422 | 429) {
            // That was not even begun; after a 400 nobody knows.
            self.open.used(Uses::NOTHING);
        }
        self.open.end(end_of(status));
        upstream::pass(&PASSING, &parts.headers, answer.headers_mut());
        Ok(answer)
    }

    /// A list of models shows those that may be called.
    async fn list(mut self, response: Response<Incoming>) -> Result<Response<OutBody>, Failure> {
        let silence_max = self.caller.server.silence_max;
        let read = upstream::whole(response.into_body(), silence_max, Some(&self.open)).await;
        let list = read.and_then(|body| {
            let list: Result<Value, _> = serde_json::from_slice(&body);
            list.map_err(|_| End::Protocol("it is no JSON"))
        });
        let mut list = match list {
            Ok(list) => list,
            Err(end) => {
                self.open.end(end);
                return Err(Failure::of_server(end));
            }
        };
        if let Some(all) = list.get_mut("data").and_then(Value::as_array_mut) {
            let models = self.caller.models();
            let may = |id: &str| models.is_some_and(|models| models.hold(id));
            all.retain(|model| model.get("id").and_then(Value::as_str).is_some_and(may));
        }
        self.open.end(End::Ok);
        Ok(refusal::json_answer(StatusCode::OK, &list))
    }
}

/// Whom an answer asks to call something.
struct Asked {
    egress: Arc<Egress>,
    identity: Identity,
    /// The session that the call of the model belongs to.
    interaction: Option<InteractionId>,
}

impl Asked {
    fn hear(&self, calls: &[ToolCall]) {
        if !calls.is_empty() {
            self.egress.core.provenance.asks_for(&self.identity, self.interaction, calls);
        }
    }
}

/// Reads an answer while it passes.
struct Reading {
    scanner: Scanner,
    asked: Asked,
    /// Present when an event is to be left out.
    hiding: Option<Cutter>,
    prices: Arc<Prices>,
    kind: Kind,
    events: bool,
    began_wall_ms: i64,
    is_dear: bool,
}

impl Look for Reading {
    fn take(&mut self, part: Bytes, pass: &mut VecDeque<Bytes>) -> Result<(), (End, &'static str)> {
        self.scanner.push(&part);
        self.asked.hear(&self.scanner.take_tool_calls());
        let Some(cutter) = &mut self.hiding else {
            pass.push_back(part);
            return Ok(());
        };
        cutter.feed(&part);
        loop {
            match cutter.next() {
                Ok(Some(event)) if event.data.as_deref().is_some_and(only_counts) => {}
                Ok(Some(event)) => pass.push_back(event.raw),
                Ok(None) => return Ok(()),
                Err(_) => {
                    let why = "an event is too large, or no text";
                    return Err((End::Protocol(why), why));
                }
            }
        }
    }

    fn over(mut self: Box<Self>, open: &mut Open, pass: &mut VecDeque<Bytes>) -> End {
        // Some servers leave out the empty line at the very end.
        if let Some(rest) = self.hiding.take().and_then(Cutter::rest) {
            pass.push_back(rest);
        }
        let Self { scanner, prices, kind, events, began_wall_ms, is_dear, .. } = *self;
        let scanned = scanner.finish(true);
        let end = match (scanned.failed, scanned.ended, events) {
            (true, _, _) => End::ToolError,
            (false, false, true) if scanned.stream_error => {
                End::Cut("the stream ended before its end")
            }
            (false, false, false) => End::Protocol("it is no whole JSON"),
            _ => End::Ok,
        };
        tell(open, scanned, kind, &prices, began_wall_ms, is_dear, end);
        end
    }

    fn left(self: Box<Self>, open: &mut Open) -> End {
        let Self { scanner, prices, kind, began_wall_ms, is_dear, .. } = *self;
        let scanned = scanner.finish(false);
        // Clients close a stream once they have seen its last event.
        let end = match (scanned.ended, scanned.failed) {
            (true, false) => End::Ok,
            (true, true) => End::ToolError,
            (false, _) => End::Cancelled,
        };
        tell(open, scanned, kind, &prices, began_wall_ms, is_dear, end);
        end
    }
}

/// Says in the outcome what was used. What is not known is null, and of an answer that broke off nothing is.
fn tell(
    open: &mut Open,
    mut scanned: Scanned,
    kind: Kind,
    prices: &Prices,
    began_wall_ms: i64,
    is_dear: bool,
    end: End,
) {
    if matches!(end, End::Cancelled | End::Cut(_)) {
        open.note("usage", Value::Null);
        open.note("cost_nanousd", Value::Null);
        return;
    }
    if kind == Kind::Embeddings && scanned.usage.input_tokens.is_some() {
        // There is no output.
        scanned.usage.output_tokens.get_or_insert(0);
    }
    let usage = &scanned.usage;
    let counts = json!({
        "input_tokens": usage.input_tokens, "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens, "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    });
    let known = counts.as_object().is_some_and(|counts| counts.values().any(|n| !n.is_null()));
    let cost = priced(prices, &scanned, began_wall_ms).ok();
    let tokens = usage.input_tokens.zip(usage.output_tokens);
    let tokens = tokens.and_then(|(input, output)| input.checked_add(output));
    // What prices do not tell apart is not settled below what was reserved.
    let cost_nanousd = cost.as_ref().map(|cost| cost.nanousd);
    open.used(Uses { tokens, cost_nanousd: cost_nanousd.filter(|_| !is_dear) });
    open.note("usage", if known { counts } else { Value::Null });
    if let Some(tier) = usage.tier {
        open.note("service_tier", tier.as_str().into());
    }
    open.note("cost_nanousd", json!(cost_nanousd));
    if let Some(cost) = cost {
        open.note("prices", cost.table.to_string().into());
    }
    open.note("model", json!(scanned.model));
}
