//! A decoded body, read as one JSON document or as a stream of events.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::dialect::{Dialect, Form};
use super::pick::Picker;
use super::reading::{Document, Reading};
use super::sse::{Events, Lines};

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
                name: Name::default(),
                data_lines: 0,
                start: Name::default(),
                skip: false,
            },
        })
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
                }
            }
        }
    }

    /// The ids that were found since this was last asked.
    pub(super) fn take_ids(&mut self) -> Vec<String> {
        self.event.reading.take_ids()
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
    name: Name,
    data_lines: u32,
    /// How the event's data begins.
    start: Name,
    /// Nothing in this event's data is of interest.
    skip: bool,
}

impl Event {
    fn pick(&mut self, part: &[u8]) {
        let document = &mut self.document;
        self.picker.feed(part, &mut |field, found| document.pick(field, found));
    }

    /// Whether events of this name carry content only, which most of a stream is.
    fn content_only(&self) -> bool {
        let name = self.name.get();
        match self.reading.dialect() {
            Dialect::Anthropic => name.starts_with(b"content_block_") || name == b"ping",
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
        let document = if self.picker.done() { document } else { Document::default() };
        if self.start.get().starts_with(b"[DONE]") {
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
