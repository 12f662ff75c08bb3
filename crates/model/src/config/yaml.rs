//! YAML text to a tree with places. Only the plain part of YAML is taken: no anchors, no tags, one
//! document, text keys, finite numbers. What else YAML can do makes files that read differently
//! from what they mean.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::diagnostic::{Diagnostic, Severity};
use super::node::{Entry, Kind, Node};
use super::place::{Path, Place, Step};
use super::scalar;

/// What a text may be, and what to say of one that holds nothing.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest file, in bytes.
    pub bytes: usize,
    /// The deepest nesting.
    pub depth: usize,
    /// The most values, lists and maps included.
    pub values: usize,
    /// What to do about an empty file.
    pub when_empty: &'static str,
}

/// The longest key, in characters. What is wrong below it is told with it, each time.
const KEY_CHARS_MAX: usize = 256;

/// Those of `lockgate.yaml`.
const USUAL: Limits = Limits {
    bytes: 1024 * 1024,
    depth: 32,
    values: 50_000,
    when_empty: "`lockgate init` writes a file to start from",
};

/// Something that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What it is about.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// Bytes that are no text, after `good`.
    pub(crate) fn not_utf8(good: &str) -> Self {
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().map_or(0, |line| line.chars().count());
        Self {
            place: place(line, column),
            path: Path::default(),
            message: "this is not UTF-8 text".into(),
            hint: Some("save the file as UTF-8".into()),
        }
    }

    /// The same as people are shown it.
    pub fn into_diagnostic(self, file: &str) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: self.place.line,
            column: self.place.column,
            severity: Severity::Error,
            message: self.message,
            hint: self.hint,
            path: self.path.to_string(),
        }
    }
}

/// What became of a text.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; `None` when the text is broken beyond reading on.
    pub root: Option<Node>,
    /// What is refused.
    pub faults: Vec<Fault>,
    /// Paths whose value could not be taken: no use in complaining about them again.
    pub spoiled: HashSet<Path>,
}

/// Reads a text whole.
pub(crate) fn parse(text: &str) -> Parsed {
    parse_within(text, USUAL)
}

/// The same within other limits.
pub fn parse_within(text: &str, limits: Limits) -> Parsed {
    let mut builder = Builder::new(limits);
    let root = match builder.read(text) {
        Ok(root) => root,
        Err(fault) => {
            builder.faults.push(fault);
            None
        }
    };
    Parsed { root, faults: builder.faults, spoiled: builder.spoiled }
}

enum Frame {
    List { place: Place, items: Vec<Node> },
    Map { place: Place, entries: Vec<Entry>, key: Option<Key>, seen: HashMap<String, Place> },
}

struct Key {
    text: String,
    place: Place,
    /// A key that was there before, or is none; its value is read and dropped.
    dropped: bool,
}

struct Builder {
    limits: Limits,
    stack: Vec<Frame>,
    values: usize,
    root: Option<Node>,
    faults: Vec<Fault>,
    spoiled: HashSet<Path>,
}

impl Builder {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            stack: Vec::new(),
            values: 0,
            root: None,
            faults: Vec::new(),
            spoiled: HashSet::new(),
        }
    }

    fn read(&mut self, text: &str) -> Result<Option<Node>, Fault> {
        check_text(text, self.limits.bytes)?;
        let mut parser = Parser::<StrInput<'_>>::new_from_str(text);
        let mut documents = 0_u32;
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| broken(&error))?;
            let place = start(span);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.fault(
                            place,
                            "a second document starts here",
                            "keep one document in the file; remove the line with `---`",
                        ));
                    }
                }
                Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                other => self.take(other, place)?,
            }
        }
        match self.root.take() {
            Some(Node { kind: Kind::Null, .. }) | None if self.faults.is_empty() => Err(Fault {
                place: Place::START,
                path: Path::default(),
                message: "the file is empty".into(),
                hint: Some(self.limits.when_empty.into()),
            }),
            root => Ok(root),
        }
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Fault> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.fault(
                place,
                format!("the file has more than {} values", self.limits.values),
                "check that it is the right file",
            ));
        }
        match event {
            Event::Alias(_) => {
                self.spoil(place, "aliases (`*name`) are not taken", "write the value out");
                self.value(Node { place, kind: Kind::Null });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(place, anchor, tag.is_some());
                self.scalar(&text, style, place);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(place)?;
                self.refuse_extras(place, anchor, tag.is_some());
                self.stack.push(Frame::List { place, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.open(place)?;
                self.refuse_extras(place, anchor, tag.is_some());
                self.stack.push(Frame::Map {
                    place,
                    entries: Vec::new(),
                    key: None,
                    seen: HashMap::new(),
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.stack.pop() {
                    Some(Frame::List { place, items }) => Node { place, kind: Kind::List(items) },
                    Some(Frame::Map { place, entries, .. }) => {
                        Node { place, kind: Kind::Map(entries) }
                    }
                    None => return Ok(()),
                };
                self.value(node);
            }
            _ => {}
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: None, .. }))
    }

    /// Checks that a list or a map may start here.
    fn open(&self, place: Place) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(self.fault(
                place,
                "a key must be text, not a list or a map",
                "put quotes around a text that starts with `{` or `[`",
            ));
        }
        if self.stack.len() >= self.limits.depth {
            return Err(self.fault(
                place,
                format!("nested deeper than {} levels", self.limits.depth),
                "nothing in this file needs to be that deep; check the indentation",
            ));
        }
        Ok(())
    }

    fn refuse_extras(&mut self, place: Place, anchor: usize, tagged: bool) {
        if anchor > 0 {
            self.note(
                place,
                "anchors (`&name`) are not taken",
                "write the value out where it is used",
            );
        }
        if tagged {
            self.spoil(
                place,
                "tags (`!name`) are not taken",
                "remove the tag; quote the value if it should be text",
            );
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) {
        if self.wants_key() {
            return self.key(text, style, place);
        }
        let kind = if style == ScalarStyle::Plain {
            scalar::resolve(text).unwrap_or_else(|problem| {
                self.spoil(place, problem, "write a finite number");
                Kind::Null
            })
        } else {
            Kind::Text(text.to_owned())
        };
        self.value(Node { place, kind });
    }

    fn key(&mut self, text: &str, style: ScalarStyle, place: Place) {
        let is_text =
            style != ScalarStyle::Plain || matches!(scalar::resolve(text), Ok(Kind::Text(_)));
        if !is_text {
            let shown = if text.is_empty() { "an empty key" } else { text };
            self.note(place, format!("a key must be text, not {shown}"), "put the key in quotes");
        }
        let end = text.char_indices().nth(KEY_CHARS_MAX).map(|(end, _)| end);
        if end.is_some() {
            let message = format!("a key has at most {KEY_CHARS_MAX} characters");
            self.note(place, message, "check that it is the right file");
        }
        let text = &text[..end.unwrap_or(text.len())];
        let mut first = None;
        if let Some(Frame::Map { seen, key, .. }) = self.stack.last_mut() {
            first = seen.get(text).copied();
            seen.entry(text.to_owned()).or_insert(place);
            // `<<` only ever stands before an alias, which is refused on its own.
            let dropped = first.is_some() || !is_text || text == "<<";
            *key = Some(Key { text: text.to_owned(), place, dropped });
        }
        if let Some(first) = first {
            self.note(
                place,
                format!("`{text}` is there twice"),
                format!("the first one is in line {}; keep one of them", first.line),
            );
        }
    }

    fn value(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => {
                if let Some(Key { text, place, dropped: false }) = key.take() {
                    entries.push(Entry { key: text, key_place: place, value: node });
                }
            }
        }
    }

    /// The way to the value that is being read.
    fn path(&self) -> Path {
        self.stack
            .iter()
            .filter_map(|frame| match frame {
                Frame::List { items, .. } => Some(Step::Index(items.len())),
                Frame::Map { key, .. } => key.as_ref().map(|key| Step::Key(key.text.clone())),
            })
            .collect()
    }

    fn fault(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { place, path: self.path(), message: message.into(), hint: Some(hint.into()) }
    }

    fn note(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        let fault = self.fault(place, message, hint);
        self.faults.push(fault);
    }

    fn spoil(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.note(place, message, hint);
        self.spoiled.insert(self.path());
    }
}

fn start(span: Span) -> Place {
    place(span.start.line(), span.start.col())
}

fn place(line: usize, column_from_zero: usize) -> Place {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: clamp(line).max(1), column: clamp(column_from_zero).saturating_add(1) }
}

/// Refuses what no YAML may hold. A NUL would end the text early and unseen.
fn check_text(text: &str, bytes_max: usize) -> Result<(), Fault> {
    let at_start = |message: String, hint: &str| Fault {
        place: Place::START,
        path: Path::default(),
        message,
        hint: Some(hint.to_owned()),
    };
    if text.len() > bytes_max {
        let message = format!("the file has {} bytes; at most {bytes_max} are read", text.len());
        return Err(at_start(message, "check that it is the right file"));
    }
    let mut at = Place::START;
    for (i, c) in text.chars().enumerate() {
        let is_mark = c == '\u{feff}' && i == 0;
        let allowed = matches!(c, '\t' | '\n' | '\r' | '\u{85}')
            || !(c.is_control() || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}'));
        if !allowed && !is_mark {
            return Err(Fault {
                place: at,
                path: Path::default(),
                message: format!("the character U+{:04X} is not allowed", u32::from(c)),
                hint: Some("remove it; the file must be plain UTF-8 text".to_owned()),
            });
        }
        if c == '\n' {
            at = Place { line: at.line + 1, column: 1 };
        } else {
            at.column += 1;
        }
    }
    Ok(())
}

/// A fault of the YAML itself, in the parser's words, with what usually helps.
fn broken(error: &ScanError) -> Fault {
    let info = error.info();
    let hint = [
        ("mapping values", "put quotes around a text that contains `: `, or check the indentation"),
        ("tab", "indent with spaces, not tabs"),
        ("simple key", "a `:` may be missing, or the indentation differs from the lines above"),
        ("':' indicator", "a `]`, a `}` or a quote may be missing before this"),
        ("anchor", "anchors and aliases are not taken; write the value out"),
        ("alias", "anchors and aliases are not taken; write the value out"),
        ("flow", "a `]` or `}` may be missing"),
        ("quote", "a closing quote may be missing"),
        ("scalar", "a closing quote may be missing, or the indentation differs"),
        ("block", "lines of one level must start in the same column"),
        ("indent", "lines of one level must start in the same column"),
    ]
    .into_iter()
    .find_map(|(word, hint)| info.contains(word).then_some(hint))
    .unwrap_or("check the indentation and the quotes near this place");
    Fault {
        place: place(error.marker().line(), error.marker().col()),
        path: Path::default(),
        message: format!("this is not valid YAML: {info}"),
        hint: Some(hint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_refused_and_not_told_again_with_all_below_it() {
        let text = format!("? {}\n: {{1: a, 2: b}}\n", "é".repeat(100_000));
        let faults = parse(&text).faults;
        let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let numbers = ["a key must be text, not 1", "a key must be text, not 2"];
        assert_eq!(messages[0], "a key has at most 256 characters");
        assert_eq!(messages[1..], numbers);
        assert!(faults.iter().all(|fault| fault.path.to_string().len() < 1_024));
    }
}
