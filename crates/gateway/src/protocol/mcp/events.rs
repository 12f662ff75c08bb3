//! A stream of server-sent events in whole events: each as it came, and what it carries.
//!
//! Follows the WHATWG HTML standard, section "Interpreting an event stream".

use bytes::{Bytes, BytesMut};

/// One event, comment, or the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// As it came, its empty line included; but for lines that mean nothing, which a lenient reader could take for
    /// something.
    pub(crate) raw: Bytes,
    /// Its `data`; `None` when it has none or an empty one.
    pub(crate) data: Option<String>,
    /// Whether a stream can go on after it.
    pub(crate) has_id: bool,
}

impl Event {
    /// The same with other data.
    pub(crate) fn with_data(&self, data: &str) -> Bytes {
        let mut text = Vec::with_capacity(data.len() + 64);
        for line in lines(&self.raw) {
            if !line.is_empty() && name(line) != b"data" {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        for line in data.split('\n') {
            text.extend_from_slice(b"data: ");
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        text.push(b'\n');
        text.into()
    }
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("an event is larger than allowed")]
    TooLarge,
    #[error("an event is not Unicode")]
    NotText,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts a stream into events.
pub(crate) struct Cutter {
    held: BytesMut,
    /// Bytes of what is held that have no end of an event in them.
    looked: usize,
    max: usize,
    /// Nothing was seen yet, so that a byte order mark may come.
    begins: bool,
}

impl Cutter {
    /// For events of at most so many bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { held: BytesMut::new(), looked: 0, max, begins: true }
    }

    /// Takes the next part of the stream.
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
    }

    /// What is held when the stream is over: an event without its end.
    pub(crate) fn rest(self) -> Option<Bytes> {
        Some(self.held.freeze()).filter(|held| !held.is_empty())
    }

    /// The next whole event.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Broken> {
        let Some(end) = self.end() else {
            return if self.held.len() > self.max { Err(Broken::TooLarge) } else { Ok(None) };
        };
        self.looked = 0;
        let mut raw = self.held.split_to(end).freeze();
        if std::mem::take(&mut self.begins) && raw.starts_with(BOM) {
            raw = raw.slice(BOM.len()..);
        }
        if raw.len() > self.max {
            return Err(Broken::TooLarge);
        }
        let raw = if lines(&raw).all(means_something) { raw } else { without_others(&raw) };
        let text = std::str::from_utf8(&raw).map_err(|_| Broken::NotText)?;
        let (mut data, mut has_id): (Option<String>, bool) = (None, false);
        for line in lines(text.as_bytes()) {
            has_id |= name(line) == b"id";
            if name(line) != b"data" {
                continue;
            }
            let value = line.get(5..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            let value = std::str::from_utf8(value).map_err(|_| Broken::NotText)?;
            match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            }
        }
        Ok(Some(Event { raw, data: data.filter(|data| !data.is_empty()), has_id }))
    }

    /// Where the first event ends. A comment at its start is one by itself: it keeps connections alive, and must not wait.
    fn end(&mut self) -> Option<usize> {
        let held = &self.held[..];
        let mut start = self.looked;
        let mut only_comments = start == 0;
        while let Some(len) = memchr::memchr2(b'\n', b'\r', &held[start..]) {
            let line = &held[start..start + len];
            let mut next = start + len + 1;
            if held[start + len] == b'\r' {
                match held.get(next) {
                    Some(b'\n') => next += 1,
                    Some(_) => {}
                    // The other half of the line's end may be on its way.
                    None => break,
                }
            }
            only_comments &= line.starts_with(b":");
            if line.is_empty() || only_comments {
                return Some(next);
            }
            start = next;
        }
        self.looked = start;
        None
    }
}

/// The lines of an event.
fn lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    // The empty piece between CR and LF is no line that counts: empty ones say nothing inside an event.
    raw.split(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Whether a line has one of the names that the standard knows, or is a comment or empty.
fn means_something(line: &[u8]) -> bool {
    matches!(name(line), b"" | b"data" | b"id" | b"event" | b"retry")
}

/// The same event without lines that mean nothing.
fn without_others(raw: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(raw.len());
    for line in lines(raw).filter(|line| !line.is_empty() && means_something(line)) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.into()
}

fn name(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<Event> {
        let mut cutter = Cutter::new(1_000);
        let mut events = Vec::new();
        for part in parts {
            cutter.feed(part);
            while let Some(event) = cutter.next().unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_whole_whatever_their_line_ends() {
        for text in [
            "id: 1\nevent: message\ndata: {\"a\":\ndata: 1}\n\n",
            "id: 1\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nx",
            "id: 1\revent: message\rdata:{\"a\":\rdata: 1}\r\rx",
        ] {
            let events = cut(&[text.as_bytes()]);
            assert_eq!(events.len(), 1, "{text:?}");
            assert_eq!(events[0].data.as_deref(), Some("{\"a\":\n1}"), "{text:?}");
            let other = events[0].with_data("{}");
            assert_eq!(&other[..], b"id: 1\nevent: message\ndata: {}\n\n");
        }
    }

    #[test]
    fn comments_do_not_wait_and_empty_data_is_none() {
        let events = cut(&[b": still here\r\n"]);
        assert_eq!(events[0].raw, &b": still here\r\n"[..]);
        let events = cut(&[b"id: 7\nretry: 10\ndata:\n\n"]);
        assert_eq!(events[0].data, None);
    }

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let events = cut(&["\u{feff}data: 1\n\n\u{feff}data: 2\n\n".as_bytes()]);
        assert_eq!(
            (&events[0].raw[..], events[0].data.as_deref()),
            (&b"data: 1\n\n"[..], Some("1"))
        );
        assert_eq!(&events[0].with_data("3")[..], b"data: 3\n\n");
        assert_eq!(events[1].data, None, "only a stream begins with one");
        assert_eq!(&events[1].raw[..], b"\n");
    }

    #[test]
    fn lines_that_mean_nothing_are_left_out() {
        let events = cut(&[b"id: 1\nData: {}\ndata: 1\ndata : 2\n: c\n\n"]);
        assert_eq!(&events[0].raw[..], b"id: 1\ndata: 1\n: c\n\n");
    }

    #[test]
    fn what_is_too_large_ends_it() {
        let mut cutter = Cutter::new(10);
        cutter.feed(b"data: 0123456789");
        assert_eq!(cutter.next(), Err(Broken::TooLarge));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_up_does_not_matter(
            text in "(data: [a-c]{0,3}(\n|\r\n|\r)|id: 1(\n|\r\n)|(\n|\r\n|\r)|:c\n){0,12}",
            at in any::<prop::sample::Index>(),
        ) {
            let bytes = text.as_bytes();
            // A CR at the very end waits for what may follow it.
            let bytes = &[bytes, b"\n"].concat()[..];
            let (one, two) = bytes.split_at(at.index(bytes.len()));
            let whole = cut(&[bytes]);
            prop_assert_eq!(&cut(&[one, two]), &whole);
            let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
            prop_assert!(bytes.starts_with(&raw));
        }
    }
}
