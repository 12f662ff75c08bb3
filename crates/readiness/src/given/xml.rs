//! XML that others wrote, element by element, within bounds. A document type is skipped, and one that declares anything
//! is refused; no entities but the five of XML itself are known.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::GivenError;

/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// Longest value of an attribute, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// An element, when it begins.
pub(super) struct Element<'a> {
    start: BytesStart<'a>,
    /// How deep it is; 1 for the root.
    pub(super) depth: usize,
}

impl Element<'_> {
    pub(super) fn name(&self) -> &[u8] {
        self.start.local_name().into_inner()
    }

    /// The value of an attribute; none when it is not there or cannot be read.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let attribute = self.start.try_get_attribute(name).ok()??;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).ok()?;
        (value.len() <= VALUE_BYTES_MAX).then(|| value.into_owned())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.attribute(name)?.trim().parse().ok()
    }
}

/// What a reader of elements is told.
pub(super) enum Seen<'a> {
    Begins(Element<'a>),
    /// The element of this depth ends.
    Ends(usize),
}

/// Tells `take` of every element in order. Everything else is left out.
pub(super) fn walk(
    text: &str,
    kind: &'static str,
    mut take: impl FnMut(Seen<'_>) -> Result<(), GivenError>,
) -> Result<(), GivenError> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0;
    loop {
        let at = reader.buffer_position();
        let broken = |why: &str| {
            let before = usize::try_from(at).ok().and_then(|at| text.get(..at)).unwrap_or_default();
            GivenError::broken(kind, format!("line {}: {why}", before.matches('\n').count() + 1))
        };
        match reader.read_event().map_err(|error| broken(&error.to_string()))? {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(broken("elements are nested too deep"));
                }
                take(Seen::Begins(Element { start, depth }))?;
            }
            Event::Empty(start) => {
                take(Seen::Begins(Element { start, depth: depth + 1 }))?;
                take(Seen::Ends(depth + 1))?;
            }
            Event::End(_) => {
                take(Seen::Ends(depth))?;
                depth = depth.saturating_sub(1);
            }
            Event::DocType(declared) if declared.contains(&b'[') => {
                return Err(broken("its document type declares something, which is not read"));
            }
            Event::Eof if depth > 0 => return Err(broken("it ends in the middle")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The name of the first element.
pub(super) fn root(text: &str) -> Result<String, GivenError> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) => {
                return Ok(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
            }
            Ok(Event::Eof) | Err(_) => {
                return Err(GivenError::Unknown("it begins like XML, and is none".into()));
            }
            Ok(_) => {}
        }
    }
}
