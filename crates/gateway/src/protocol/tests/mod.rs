//! Bodies as the real services send them, cut everywhere, and bodies as nobody should send them.

mod bodies;
mod formats;
mod hostile;
mod requests;
mod tool_calls;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use lockgate_model::agent::Protocol;
use lockgate_model::interaction::Usage;

use super::{Scanned, Scanner};

pub(super) const JSON: &str = "application/json";
pub(super) const SSE: &str = "text/event-stream; charset=utf-8";

pub(super) fn headers(content_type: &str, encoding: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    if !encoding.is_empty() {
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
    }
    headers
}

/// One answer, in the form that the scanner meets it.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) protocol: Protocol,
    pub(super) path: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) complete: bool,
}

impl Answer {
    pub(super) fn new(protocol: Protocol, path: &'static str, content_type: &str) -> Self {
        Self { protocol, path, headers: headers(content_type, ""), complete: true }
    }

    pub(super) fn scanner(&self) -> Scanner {
        Scanner::new(self.protocol, self.path, 200, &self.headers)
    }

    pub(super) fn scan<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Scanned {
        let mut scanner = self.scanner();
        parts.into_iter().for_each(|part| scanner.push(part));
        scanner.finish(self.complete)
    }

    /// Scans `body` whole, cut in two at every place, and byte by byte; all have to agree.
    pub(super) fn scan_everywhere(&self, body: &[u8]) -> Scanned {
        let whole = self.scan([body]);
        for at in 0..=body.len() {
            let (left, right) = body.split_at(at);
            assert_eq!(self.scan([left, right]), whole, "cut at {at}");
        }
        assert_eq!(self.scan(body.chunks(1)), whole, "byte by byte");
        whole
    }

    pub(super) fn broken_off(mut self) -> Self {
        self.complete = false;
        self
    }
}

pub(super) fn usage(
    input: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    output: Option<u64>,
) -> Usage {
    Usage {
        input_tokens: input,
        cached_input_tokens: cached,
        cache_write_tokens: written,
        output_tokens: output,
        ..Usage::default()
    }
}
