//! Picks a few values out of JSON while it streams by, in constant memory.
//!
//! It neither builds a document nor checks the parts that nobody asked for. Keys match byte for byte,
//! so a key that is written with escapes is not found; no known server writes one.

use memchr::memchr2;

/// What one path leads to.
pub(super) struct Node {
    /// Reported under this name.
    pub(super) field: Option<Field>,
    /// Keys below it. The items of an array count as the array itself.
    pub(super) keys: &'static [(&'static str, Node)],
}

/// The values that the bodies of the known protocols are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The arguments of a function that a model asks for, told part by part as they stand in the text.
    Arguments,
    /// A content block of Anthropic's that begins, and what is added to one.
    Block,
    BlockDelta,
    BlockIndex,
    ChoiceIndex,
    Choices,
    ContextId,
    ConversationId,
    Error,
    ErrorCode,
    Finish,
    Final,
    /// The name and the type of what a model asks for.
    FunctionName,
    FunctionType,
    Id,
    InputTokens,
    CacheReadTokens,
    CacheWriteTokens,
    /// Of these, what stays for an hour.
    CacheWrite1hTokens,
    /// One of the things that an answer consists of.
    Item,
    JsonRpc,
    Message,
    Model,
    Object,
    OutputTokens,
    /// Where it was answered, when that has a price.
    Place,
    PreviousId,
    ReasoningTokens,
    ServiceTier,
    Speed,
    State,
    TaskId,
    /// One of the calls that a chat's answer asks for.
    ToolCall,
    ToolCallIndex,
    Type,
}

impl Field {
    /// Whether its value is told part by part, whatever its size.
    fn is_long(self) -> bool {
        self == Self::Arguments
    }
}

/// A value as it stands in the text. `null` is never reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// What stands between the quotes, escapes and all.
    Text(&'a [u8]),
    /// A string longer than [`TEXT_BYTES_MAX`].
    LongText,
    /// A number, `true` or `false`.
    Scalar(&'a [u8]),
    /// The start of an object or array.
    Container,
    /// The next part of a value that is told as it stands in the text, quotes and all.
    Part(&'a [u8]),
}

impl Found<'_> {
    /// The string, with its escapes resolved; `None` for anything else, or when it is not valid.
    pub(super) fn text(&self) -> Option<String> {
        let Self::Text(raw) = *self else { return None };
        if raw.contains(&b'\\') {
            let quoted = [b"\"", raw, b"\""].concat();
            return serde_json::from_slice(&quoted).ok();
        }
        std::str::from_utf8(raw).ok().map(str::to_owned)
    }

    /// The number, when it is one that counts can have.
    pub(super) fn count(&self) -> Option<u64> {
        let Self::Scalar(raw) = *self else { return None };
        if !raw.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(raw).ok()?.parse().ok()
    }

    /// The same of tokens, where more than can be counted is the most that can.
    pub(super) fn tokens(&self) -> Option<u64> {
        let is_number = |raw: &[u8]| !raw.is_empty() && raw.iter().all(u8::is_ascii_digit);
        match *self {
            Self::Scalar(raw) if is_number(raw) => Some(self.count().unwrap_or(u64::MAX)),
            _ => None,
        }
    }
}

/// The longest key, string or number that is looked at.
pub(super) const TEXT_BYTES_MAX: usize = 256;
/// How deep the asked paths can lie, arrays included.
const DEPTH_MAX: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value, or before the end of an array.
    Value,
    /// Before a key, or before the end of an object.
    Key,
    /// Inside a key; `true` right after a backslash.
    InKey(bool),
    Colon,
    /// Inside a string; `true` right after a backslash.
    InText(bool),
    InScalar,
    /// Inside a value that nobody asked for.
    Skip,
    /// Inside a string in there; `true` right after a backslash.
    SkipText(bool),
    AfterValue,
    Done,
    Broken,
}

#[derive(Clone, Copy)]
struct Frame {
    node: &'static Node,
    object: bool,
}

struct Scratch {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
    over: bool,
}

impl Scratch {
    fn clear(&mut self) {
        self.len = 0;
        self.over = false;
    }

    fn push(&mut self, part: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + part.len()) {
            Some(room) if !self.over => {
                room.copy_from_slice(part);
                self.len += part.len();
            }
            _ => self.over = true,
        }
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The reader of one JSON document.
pub(super) struct Picker {
    root: &'static Node,
    state: State,
    frames: [Frame; DEPTH_MAX],
    depth: usize,
    /// Where the value at hand belongs.
    node: Option<&'static Node>,
    /// Open brackets inside a value that nobody asked for.
    skipped: u64,
    /// The field of the value at hand, when that is told part by part.
    long: Option<Field>,
    scratch: Scratch,
}

impl Picker {
    /// Reports the values that `root` leads to.
    pub(super) fn new(root: &'static Node) -> Self {
        Self {
            root,
            state: State::Value,
            frames: [Frame { node: root, object: false }; DEPTH_MAX],
            depth: 0,
            node: Some(root),
            skipped: 0,
            long: None,
            scratch: Scratch { bytes: [0; TEXT_BYTES_MAX], len: 0, over: false },
        }
    }

    /// Starts over with a new document.
    pub(super) fn reset(&mut self) {
        self.state = State::Value;
        self.depth = 0;
        self.node = Some(self.root);
        self.skipped = 0;
        self.long = None;
    }

    /// Whether one whole document went by.
    pub(super) fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next part of the document. What follows a whole one is ignored.
    pub(super) fn feed(&mut self, part: &[u8], on: &mut impl FnMut(Field, Found<'_>)) {
        let mut rest = part;
        while let Some((&byte, tail)) = rest.split_first() {
            let after = match self.state {
                State::Done | State::Broken => return,
                State::InKey(escaped) | State::InText(escaped) => self.text(rest, escaped, on),
                State::SkipText(escaped) => self.skip_text(rest, escaped),
                State::Skip => self.skip(rest),
                State::InScalar => self.scalar(rest, on),
                _ => {
                    if !byte.is_ascii_whitespace() {
                        self.between(byte, on);
                    }
                    tail
                }
            };
            if let Some(field) = self.long {
                on(field, Found::Part(&rest[..rest.len() - after.len()]));
                if matches!(self.state, State::AfterValue | State::Done) {
                    self.long = None;
                }
            }
            rest = after;
        }
    }

    /// A byte outside of strings, numbers and skipped values.
    fn between(&mut self, byte: u8, on: &mut impl FnMut(Field, Found<'_>)) {
        self.state = match (self.state, byte) {
            (State::Value | State::AfterValue, b']') | (State::Key | State::AfterValue, b'}') => {
                self.close(byte == b'}')
            }
            (State::Value, _) => self.open(byte, on),
            (State::Key, b'"') => {
                self.scratch.clear();
                State::InKey(false)
            }
            (State::Colon, b':') => State::Value,
            (State::AfterValue, b',') => match self.frames[..self.depth].last() {
                Some(frame) if frame.object => State::Key,
                Some(frame) => {
                    self.node = Some(frame.node);
                    State::Value
                }
                None => State::Broken,
            },
            _ => State::Broken,
        };
    }

    /// The first byte of a value.
    fn open(&mut self, byte: u8, on: &mut impl FnMut(Field, Found<'_>)) -> State {
        let field = self.node.and_then(|node| node.field);
        self.long = field.filter(|field| field.is_long() && matches!(byte, b'"' | b'{' | b'['));
        match byte {
            b'"' if self.long.is_some() => State::SkipText(false),
            b'"' if self.node.is_some_and(|node| node.field.is_some()) => {
                self.scratch.clear();
                State::InText(false)
            }
            b'"' => State::SkipText(false),
            b'{' | b'[' => {
                if let Some(field) = field.filter(|_| self.long.is_none()) {
                    on(field, Found::Container);
                }
                match self.node {
                    Some(node) if !node.keys.is_empty() && self.depth < DEPTH_MAX => {
                        let object = byte == b'{';
                        self.frames[self.depth] = Frame { node, object };
                        self.depth += 1;
                        if object { State::Key } else { State::Value }
                    }
                    _ => {
                        self.skipped = 1;
                        State::Skip
                    }
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.scratch.clear();
                self.scratch.push(&[byte]);
                State::InScalar
            }
            _ => State::Broken,
        }
    }

    fn close(&mut self, object: bool) -> State {
        match self.frames[..self.depth].last() {
            Some(frame) if frame.object == object => {
                self.depth -= 1;
                self.after()
            }
            _ => State::Broken,
        }
    }

    /// The state after a whole value.
    fn after(&self) -> State {
        if self.depth == 0 { State::Done } else { State::AfterValue }
    }

    /// Inside a key or a wanted string.
    fn text<'a>(
        &mut self,
        rest: &'a [u8],
        escaped: bool,
        on: &mut impl FnMut(Field, Found<'_>),
    ) -> &'a [u8] {
        let key = matches!(self.state, State::InKey(_));
        let within = |escaped| if key { State::InKey(escaped) } else { State::InText(escaped) };
        if escaped {
            self.scratch.push(&rest[..1]);
            self.state = within(false);
            return &rest[1..];
        }
        let Some(at) = memchr2(b'"', b'\\', rest) else {
            self.scratch.push(rest);
            return &[];
        };
        self.scratch.push(&rest[..at]);
        if rest[at] == b'\\' {
            self.scratch.push(b"\\");
            self.state = within(true);
        } else if key {
            self.node = self.child();
            self.state = State::Colon;
        } else {
            let found =
                if self.scratch.over { Found::LongText } else { Found::Text(self.scratch.get()) };
            if let Some(field) = self.node.and_then(|node| node.field) {
                on(field, found);
            }
            self.state = self.after();
        }
        &rest[at + 1..]
    }

    /// The node that the key just read leads to.
    fn child(&self) -> Option<&'static Node> {
        let key = self.scratch.get();
        let frame = self.frames[..self.depth].last()?;
        if self.scratch.over {
            return None;
        }
        frame.node.keys.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, node)| node)
    }

    fn scalar<'a>(&mut self, rest: &'a [u8], on: &mut impl FnMut(Field, Found<'_>)) -> &'a [u8] {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let end = rest.iter().position(|byte| !inside(byte)).unwrap_or(rest.len());
        self.scratch.push(&rest[..end]);
        if end == rest.len() {
            return &[];
        }
        let text = self.scratch.get();
        if let Some(field) = self.node.and_then(|node| node.field)
            && !self.scratch.over
            && text != b"null"
        {
            on(field, Found::Scalar(text));
        }
        self.state = self.after();
        &rest[end..]
    }

    fn skip<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => {
                    self.state = State::SkipText(false);
                    return &rest[at + 1..];
                }
                b'{' | b'[' => self.skipped = self.skipped.saturating_add(1),
                b'}' | b']' => {
                    self.skipped -= 1;
                    if self.skipped == 0 {
                        self.state = self.after();
                        return &rest[at + 1..];
                    }
                }
                _ => {}
            }
        }
        &[]
    }

    fn skip_text<'a>(&mut self, rest: &'a [u8], escaped: bool) -> &'a [u8] {
        if escaped {
            self.state = State::SkipText(false);
            return &rest[1..];
        }
        let Some(at) = memchr2(b'"', b'\\', rest) else {
            return &[];
        };
        self.state = match rest[at] {
            b'\\' => State::SkipText(true),
            _ if self.skipped > 0 => State::Skip,
            _ => self.after(),
        };
        &rest[at + 1..]
    }
}
