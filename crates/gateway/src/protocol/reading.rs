//! What the documents of one answer add up to.

use lockgate_model::interaction::Usage;

use super::dialect::Dialect;
use super::pick::{Field, Found};
use super::tier::Tiers;

/// Most ids that one answer can give.
const IDS_MAX: usize = 8;

/// JSON-RPC 2.0: the server failed. Other codes blame the request.
const RPC_INTERNAL_ERROR: &[u8] = b"-32603";

/// Token counts as a format states them. They are cumulative wherever they come more than once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.input = self.input.max(other.input);
        self.cache_read = self.cache_read.max(other.cache_read);
        self.cache_write = self.cache_write.max(other.cache_write);
        self.cache_write_1h = self.cache_write_1h.max(other.cache_write_1h);
        self.output = self.output.max(other.output);
        self.reasoning = self.reasoning.max(other.reasoning);
    }
}

/// What is picked from one JSON document: a whole answer, or one event of a stream.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Document {
    kind: Option<String>,
    object: Option<String>,
    state: Option<String>,
    model: Option<String>,
    id: Option<String>,
    ids: Vec<String>,
    counts: Counts,
    tiers: Tiers,
    error: bool,
    error_internal: bool,
    finished: bool,
    choices: bool,
    message: bool,
    rpc: bool,
    last: bool,
}

impl Document {
    /// The type of an event that has this, and whose `event` line says `name`.
    pub(super) fn kind<'a>(&'a self, name: &'a [u8]) -> &'a [u8] {
        self.kind.as_deref().map_or(name, str::as_bytes)
    }

    /// Takes one picked value.
    pub(super) fn pick(&mut self, field: Field, found: Found<'_>) {
        match field {
            Field::Type => self.kind = found.text(),
            Field::Object => self.object = found.text(),
            Field::State => self.state = found.text(),
            Field::Model => self.model = found.text(),
            Field::Id => self.id = found.text(),
            Field::ContextId | Field::ConversationId | Field::TaskId | Field::PreviousId => {
                self.ids.extend(found.text().filter(|_| self.ids.len() < IDS_MAX));
            }
            Field::InputTokens => self.counts.input = found.tokens(),
            Field::CacheReadTokens => self.counts.cache_read = found.tokens(),
            Field::CacheWriteTokens => self.counts.cache_write = found.tokens(),
            Field::CacheWrite1hTokens => self.counts.cache_write_1h = found.tokens(),
            Field::OutputTokens => self.counts.output = found.tokens(),
            Field::ReasoningTokens => self.counts.reasoning = found.tokens(),
            Field::ServiceTier => self.tiers.tier(found),
            Field::Speed => self.tiers.speed(found),
            Field::Place => self.tiers.place(found),
            Field::Error => {
                self.error = !matches!(found, Found::Text(b"") | Found::Scalar(b"false"));
            }
            Field::ErrorCode => self.error_internal = found == Found::Scalar(RPC_INTERNAL_ERROR),
            Field::Finish => self.finished = true,
            Field::Final => self.last = found == Found::Scalar(b"true"),
            Field::Choices => self.choices = true,
            Field::Message => self.message = true,
            Field::JsonRpc => self.rpc = true,
            // What models ask for is read in `tool_calls`.
            Field::Arguments
            | Field::Block
            | Field::BlockDelta
            | Field::BlockIndex
            | Field::ChoiceIndex
            | Field::FunctionName
            | Field::FunctionType
            | Field::Item
            | Field::ToolCall
            | Field::ToolCallIndex => {}
        }
    }
}

/// More tokens of one kind than an answer can have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// What an answer told so far.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Reading {
    dialect: Dialect,
    model: Option<String>,
    ids: Vec<String>,
    /// How many of them were handed out.
    ids_taken: usize,
    counts: Counts,
    tiers: Tiers,
    /// The stream showed that it is of this format.
    recognised: bool,
    /// The model said why it stopped, though not yet that the stream is over.
    stopped: bool,
    /// The format's own end was seen.
    ended: bool,
    error: bool,
}

impl Reading {
    pub(super) fn new(dialect: Dialect, recognised: bool) -> Self {
        Self {
            dialect,
            model: None,
            ids: Vec::new(),
            ids_taken: 0,
            counts: Counts::default(),
            tiers: Tiers::default(),
            recognised,
            stopped: false,
            ended: false,
            error: false,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether nothing but counts, errors and the end is of interest any more.
    pub(super) fn knows_stream(&self) -> bool {
        self.model.is_some() && self.recognised
    }

    /// The stream's own end, where it is not JSON.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// An answer in one document.
    pub(super) fn answer(&mut self, document: Document) {
        match self.dialect {
            Dialect::OpenAi => {
                let response = document.object.as_deref() == Some("response");
                self.error |= response && document.state.as_deref() == Some("failed");
                let known = response || document.object.as_deref() == Some("conversation");
                self.take(document, known);
            }
            Dialect::Anthropic => self.take(document, false),
            Dialect::A2a | Dialect::Mcp => self.rpc(document),
        }
        self.ended = true;
    }

    /// One event of a stream; `name` is what its `event` line says.
    pub(super) fn event(&mut self, name: &[u8], document: Document) {
        match self.dialect {
            Dialect::OpenAi => self.openai_event(name, document),
            Dialect::Anthropic => self.anthropic_event(name, document),
            Dialect::A2a | Dialect::Mcp => self.rpc(document),
        }
    }

    fn openai_event(&mut self, name: &[u8], document: Document) {
        let kind = document.kind(name);
        let response = kind.starts_with(b"response.");
        self.recognised |= response || document.choices;
        self.stopped |= document.finished;
        self.ended |= matches!(
            kind,
            b"response.completed"
                | b"response.incomplete"
                | b"response.failed"
                | b"response.cancelled"
        );
        self.error |= document.error || name == b"error";
        self.error |= matches!(kind, b"response.failed" | b"error");
        self.take(document, response);
    }

    fn anthropic_event(&mut self, name: &[u8], document: Document) {
        let kind = document.kind(name);
        self.recognised |= kind == b"message_start";
        self.ended |= kind == b"message_stop";
        self.error |= document.error || name == b"error" || kind == b"error";
        self.take(document, false);
    }

    fn rpc(&mut self, document: Document) {
        self.error |= document.error && document.error_internal;
        // the states of 1.0, then those of 0.3
        let over = document.state.as_deref().is_some_and(|state| {
            let state = state.strip_prefix("TASK_STATE_").unwrap_or(state);
            ["COMPLETED", "FAILED", "CANCELED", "REJECTED", "INPUT_REQUIRED", "AUTH_REQUIRED"]
                .iter()
                .any(|end| end.eq_ignore_ascii_case(&state.replace('-', "_")))
        });
        let message = document.message || document.kind.as_deref() == Some("message");
        self.recognised |= self.dialect == Dialect::A2a && document.state.is_some();
        self.ended |= over || message || document.last || document.error;
        // at the root, `id` is the task's only where no JSON-RPC envelope is around it
        let task = !document.rpc && !document.ids.is_empty();
        self.take(document, task);
    }

    fn take(&mut self, document: Document, with_id: bool) {
        self.counts.merge(&document.counts);
        self.tiers.merge(document.tiers);
        if self.model.is_none() {
            self.model = document.model.filter(|model| !model.is_empty());
        }
        for id in document.ids.into_iter().chain(document.id.filter(|_| with_id)) {
            self.id(id);
        }
    }

    fn id(&mut self, id: String) {
        if !id.is_empty() && self.ids.len() < IDS_MAX && !self.ids.contains(&id) {
            self.ids.push(id);
        }
    }

    /// Whether a stream of events broke off or ran out before its end.
    pub(super) fn lacks_end(&self, complete: bool) -> bool {
        let stopped = complete && self.stopped;
        self.dialect != Dialect::Mcp && self.recognised && !self.ended && !stopped
    }

    pub(super) fn error(&self) -> bool {
        self.error
    }

    /// Tokens, with cache reads and writes counted as input. Counts of a stream that may still have
    /// grown are unknown; so are all of them when one is more than any answer can have taken.
    pub(super) fn usage(&self) -> Result<Usage, TooMany> {
        if !self.is_settled() {
            return Ok(Usage::default());
        }
        let usage = self.told();
        if usage.can_be() { Ok(usage) } else { Err(TooMany) }
    }

    fn told(&self) -> Usage {
        let counts = &self.counts;
        let cached = counts.cache_read.unwrap_or(0).saturating_add(counts.cache_write.unwrap_or(0));
        let input_tokens = match self.dialect {
            Dialect::Anthropic => counts.input.map(|input| input.saturating_add(cached)),
            _ => counts.input,
        };
        Usage {
            input_tokens,
            cached_input_tokens: counts.cache_read,
            cache_write_tokens: counts.cache_write,
            cache_write_1h_tokens: counts.cache_write_1h,
            output_tokens: counts.output,
            reasoning_tokens: counts.reasoning,
            tier: self.tiers.told(),
        }
    }

    /// Whether counts do not grow any more.
    fn is_settled(&self) -> bool {
        self.dialect == Dialect::Anthropic || self.ended || self.stopped
    }

    /// The ids that were found since this was last asked.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        let new = self.ids[self.ids_taken..].to_vec();
        self.ids_taken = self.ids.len();
        new
    }

    pub(super) fn take_model(&mut self) -> Option<String> {
        self.model.take()
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}
