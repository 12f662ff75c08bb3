//! Server-sent events, split into lines and fields wherever the chunks end.
//!
//! Follows the WHATWG HTML standard, section "Interpreting an event stream": lines end with LF, CR or
//! both, comments start with a colon, `data` lines add up, an empty line ends the event.

use memchr::memchr2;

/// What is told about a stream of events.
pub(super) trait Events {
    /// The event's name.
    fn name(&mut self, name: &[u8]);
    /// A `data` line begins.
    fn data_line(&mut self);
    /// Part of the `data` line at hand. `whole` when this is all of it and the event ends here.
    fn data(&mut self, part: &[u8], whole: bool);
    /// The event is over.
    fn end(&mut self);
}

const NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Still reading the field's name.
    Unknown,
    Data,
    Event,
    Ignored,
}

/// Cuts a stream into events.
pub(super) struct Lines {
    field: Field,
    /// The field's name or the event's name, whichever is being read.
    text: [u8; NAME_BYTES_MAX],
    len: usize,
    /// No byte of this line was seen yet.
    line_start: bool,
    /// One space after the colon is not part of the value.
    space: bool,
    after_cr: bool,
    /// Nothing was seen yet, so that a byte order mark may follow.
    bom: usize,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Default for Lines {
    fn default() -> Self {
        Self {
            field: Field::Unknown,
            text: [0; NAME_BYTES_MAX],
            len: 0,
            line_start: true,
            space: false,
            after_cr: false,
            bom: 0,
        }
    }
}

impl Lines {
    /// Takes the next part of the stream.
    pub(super) fn feed(&mut self, chunk: &[u8], events: &mut impl Events) {
        let mut rest = self.past_bom(chunk);
        while let Some(&first) = rest.first() {
            if self.after_cr {
                self.after_cr = false;
                if first == b'\n' {
                    rest = &rest[1..];
                    continue;
                }
            }
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.part(rest, false, events);
                return;
            };
            let after = &rest[end..];
            if end > 0 {
                self.part(&rest[..end], event_ends(after), events);
            }
            self.line_end(events);
            self.after_cr = after[0] == b'\r';
            rest = &after[1..];
        }
    }

    /// The stream ended; an event without its empty line counts as ended too.
    pub(super) fn finish(&mut self, events: &mut impl Events) {
        if !self.line_start {
            self.line_end(events);
        }
        events.end();
    }

    fn past_bom<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let mut rest = chunk;
        while self.bom < BOM.len() {
            match rest.split_first() {
                Some((&byte, tail)) if byte == BOM[self.bom] => {
                    self.bom += 1;
                    rest = tail;
                }
                Some(_) => self.bom = BOM.len(),
                None => break,
            }
        }
        rest
    }

    /// Part of a line. `last` when the line ends here and its event with it.
    fn part(&mut self, part: &[u8], last: bool, events: &mut impl Events) {
        let mut rest = part;
        let mut whole = last && self.line_start;
        self.line_start = false;
        if self.field == Field::Unknown {
            let Some(colon) = memchr::memchr(b':', rest) else {
                self.keep(rest);
                return;
            };
            self.keep(&rest[..colon]);
            self.value_begins(events);
            rest = &rest[colon + 1..];
        } else {
            whole = false;
        }
        if self.space && !rest.is_empty() {
            self.space = false;
            rest = rest.strip_prefix(b" ").unwrap_or(rest);
        }
        match self.field {
            Field::Data => events.data(rest, whole),
            Field::Event => self.keep(rest),
            Field::Unknown | Field::Ignored => {}
        }
    }

    fn value_begins(&mut self, events: &mut impl Events) {
        self.field = match &self.text[..self.len] {
            b"data" => {
                events.data_line();
                Field::Data
            }
            b"event" => Field::Event,
            _ => Field::Ignored,
        };
        self.len = 0;
        self.space = true;
    }

    fn line_end(&mut self, events: &mut impl Events) {
        if self.line_start {
            events.end();
        } else if self.field == Field::Unknown {
            // a field's name without a colon: its value is empty
            self.value_begins(events);
        }
        if self.field == Field::Event {
            events.name(&self.text[..self.len]);
        }
        self.field = Field::Unknown;
        self.len = 0;
        self.line_start = true;
        self.space = false;
    }

    /// Keeps what fits; a name that is cut is no name that anybody waits for.
    fn keep(&mut self, part: &[u8]) {
        let take = part.len().min(self.text.len() - self.len);
        self.text[self.len..self.len + take].copy_from_slice(&part[..take]);
        self.len += take;
    }
}

/// Whether `after`, which begins with the end of a line, goes on with an empty one.
fn event_ends(after: &[u8]) -> bool {
    after.starts_with(b"\n\n")
        || after.starts_with(b"\r\n\r")
        || after.starts_with(b"\r\n\n")
        || after.starts_with(b"\r\r")
        || after.starts_with(b"\n\r")
}
