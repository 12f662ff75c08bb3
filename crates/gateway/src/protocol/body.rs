//! A decoded body, read as one JSON document or as a stream of events.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::dialect::{Dialect, Form};
use super::pick::Picker;
use super::reading::{Document, Reading};
use super::sse::{Events, Lines};
use super::tool_calls::{ToolCall, ToolCalls};

/// Reads a body part by part. Its memory does not grow with the body.
pub(super) struct Body {
    lines: Option<Lines>,
    event: Event,
}

impl Body {
    /// `None` for a form that is not read. `certain` when both configuration and path say so, which
    /// makes even a stream without any event one that lacks its end.
    pub(super) fn new(dialect: Dialect, form: Form, certain: bool) -> Option<Self> {
        let lines = match form {
            Form::Json => None,
            Form::Events => Some(Lines::default()),
            Form::Other => return None,
        };
        Some(Self {
            lines,
            event: Event {
                reading: Reading::new(dialect, certain),
                picker: Picker::new(dialect.paths()),
                document: Document::default(),
                tool_calls: None,
                name: Name::default(),
                data_lines: 0,
                start: Name::default(),
                skip: false,
            },
        })
    }

    /// Reads also what the model asks to be called.
    pub(super) fn read_tool_calls(&mut self) {
        let dialect = self.event.reading.dialect();
        self.event.tool_calls = Some(Box::new(ToolCalls::new(dialect)));
    }

    /// Takes the next part.
    pub(super) fn push(&mut self, part: &[u8]) {
        match &mut self.lines {
            Some(lines) => lines.feed(part, &mut self.event),
            None if self.event.reading.ended() => {}
            None => {
                self.event.pick(part);
                if self.event.picker.done() {
                    self.event.reading.answer(std::mem::take(&mut self.event.document));
                    if let Some(tool_calls) = &mut self.event.tool_calls {
                        tool_calls.answer();
                    }
                }
            }
        }
    }

    /// The ids that were found since this was last asked.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        self.event.reading.take_ids()
    }

    /// The calls that were asked for since this was last asked.
    pub(super) fn take_tool_calls(&mut self) -> Vec<ToolCall> {
        self.event.tool_calls.as_mut().map(|calls| calls.take()).unwrap_or_default()
    }

    /// The body is over. A JSON document that is not whole tells nothing.
    pub(super) fn finish(mut self) -> Reading {
        if let Some(lines) = &mut self.lines {
            lines.finish(&mut self.event);
        }
        self.event.reading
    }
}

/// The first bytes of a text.
#[derive(Clone, Copy, Default)]
struct Name {
    bytes: [u8; 32],
    len: usize,
}

impl Name {
    fn push(&mut self, part: &[u8]) {
        let take = part.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + take].copy_from_slice(&part[..take]);
        self.len += take;
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The document or event at hand.
struct Event {
    reading: Reading,
    picker: Picker,
    document: Document,
    /// Present where they are wanted.
    tool_calls: Option<Box<ToolCalls>>,
    name: Name,
    data_lines: u32,
    /// How the event's data begins.
    start: Name,
    /// Nothing in this event's data is of interest.
    skip: bool,
}

impl Event {
    fn pick(&mut self, part: &[u8]) {
        let (document, tool_calls) = (&mut self.document, &mut self.tool_calls);
        self.picker.feed(part, &mut |field, found| {
            if let Some(tool_calls) = tool_calls {
                tool_calls.pick(field, found);
            }
            document.pick(field, found);
        });
    }

    /// Whether events of this name carry content only, which most of a stream is.
    fn content_only(&self) -> bool {
        let name = self.name.get();
        let reads = self.tool_calls.as_ref();
        match self.reading.dialect() {
            // What is added to a text, or ends one, is content even where calls are read.
            Dialect::Anthropic if reads.is_some_and(|calls| calls.is_open()) => name == b"ping",
            Dialect::Anthropic if reads.is_some() && name == b"content_block_start" => false,
            Dialect::Anthropic => name.starts_with(b"content_block_") || name == b"ping",
            Dialect::OpenAi if reads.is_some() && name == b"response.output_item.done" => false,
            Dialect::OpenAi => name.strip_prefix(b"response.").is_some_and(|rest| {
                !matches!(
                    rest,
                    b"created"
                        | b"in_progress"
                        | b"completed"
                        | b"incomplete"
                        | b"failed"
                        | b"cancelled"
                )
            }),
            Dialect::A2a | Dialect::Mcp => false,
        }
    }

    /// Whether reading this document would change nothing.
    fn tells_nothing(&self, document: &[u8]) -> bool {
        self.reading.dialect() == Dialect::OpenAi
            && self.name.len == 0
            && self.reading.knows_stream()
            && document.first() == Some(&b'{')
            && !worth_reading(document)
            && !(self.tool_calls.is_some() && has_tool_calls(document))
    }
}

impl Events for Event {
    fn name(&mut self, name: &[u8]) {
        self.name = Name::default();
        self.name.push(name);
    }

    fn data_line(&mut self) {
        if self.data_lines == 0 {
            self.skip = self.content_only();
        } else if !self.skip {
            self.pick(b"\n");
        }
        self.data_lines = self.data_lines.saturating_add(1);
    }

    fn data(&mut self, part: &[u8], whole: bool) {
        self.start.push(part);
        if self.skip || (whole && self.data_lines == 1 && self.tells_nothing(part)) {
            return;
        }
        self.pick(part);
    }

    fn end(&mut self) {
        if self.data_lines == 0 && self.name.len == 0 {
            return;
        }
        let document = std::mem::take(&mut self.document);
        let is_whole = self.picker.done();
        let document = if is_whole { document } else { Document::default() };
        let is_last = self.start.get().starts_with(b"[DONE]");
        if let Some(tool_calls) = &mut self.tool_calls {
            match (is_last, is_whole) {
                (true, _) => tool_calls.end(),
                (false, true) => tool_calls.event(document.kind(self.name.get())),
                (false, false) => tool_calls.discard(),
            }
        }
        if is_last {
            self.reading.end();
        } else {
            self.reading.event(self.name.get(), document);
        }
        self.picker.reset();
        self.name = Name::default();
        self.start = Name::default();
        self.data_lines = 0;
        self.skip = false;
    }
}

/// Whether an event may hold a part of a call, told by looking for the key alone.
fn has_tool_calls(document: &[u8]) -> bool {
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"tool_calls\""));
    KEY.find(document).is_some()
}

/// Whether an unnamed OpenAI event may hold more than content, told by looking for the keys alone.
fn worth_reading(document: &[u8]) -> bool {
    /// The end of every token count's name, errors, and the types of a response's events.
    static KEYS: LazyLock<[Finder<'static>; 3]> = LazyLock::new(|| {
        [Finder::new(b"_tokens\""), Finder::new(b"\"error\""), Finder::new(b"\"response.")]
    });
    static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));
    let finishes = || {
        FINISH.find_iter(document).any(|at| {
            let value = document[at + b"\"finish_reason\"".len()..].trim_ascii_start();
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii_start();
            !value.starts_with(b"null")
        })
    };
    KEYS.iter().any(|key| key.find(document).is_some()) || finishes()
}
