//! Which functions an answer of a model asks its client to call: whole, or joined from the parts of a stream.
//!
//! Chat completions have them in `choices[].message.tool_calls[]`, and in streams in `choices[].delta.tool_calls[]`, whose
//! parts add up by choice and index. Responses have items of type `function_call`; of a stream, the event that says that an
//! item is done has all of it. Messages have blocks of type `tool_use`, which in streams begin, are added to and stop.
//! Calls that a provider makes itself are none of them.

use serde_json::{Map, Value};

use super::dialect::Dialect;
use super::json::{self, Keys};
use super::pick::{Field, Found};

/// Calls of one answer.
const CALLS_MAX: usize = 256;
/// Arguments of one answer, all together.
const BYTES_MAX: usize = 1024 * 1024;
/// A function's name. Nothing that is called here has a longer one.
const NAME_BYTES_MAX: usize = 256;

/// A call that a model asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolCall {
    /// Of one function.
    Of {
        /// Its name.
        name: String,
        /// `None` when they cannot be read, or are more than is kept: they could be any.
        arguments: Option<Map<String, Value>>,
    },
    /// More calls than are kept: they could be any.
    Others,
}

/// A call, or a part of one, as a document has it.
struct Piece {
    /// What it stands in.
    of: Field,
    choice: u64,
    index: u64,
    kind: Option<String>,
    name: Option<String>,
    /// As they stand in the text.
    arguments: Vec<u8>,
    /// There was no room for its arguments.
    is_cut: bool,
}

/// A call that more may be added to.
struct Open {
    choice: u64,
    index: u64,
    name: String,
    /// What was added so far; `None` when that cannot be read.
    arguments: Option<String>,
    /// What its arguments are when nothing is added.
    first: Option<String>,
}

/// Reads the calls of one answer. Its memory does not grow with the answer beyond the limits above.
pub(super) struct ToolCalls {
    dialect: Dialect,
    /// Of the document at hand.
    pieces: Vec<Piece>,
    piece: Option<Piece>,
    choice: u64,
    /// The first piece of the choice at hand.
    choice_at: usize,
    block: u64,
    /// Whether the choice at hand says why it ended.
    finishes: bool,
    /// Choices that did.
    finished: Vec<u64>,
    /// Of the whole answer.
    open: Vec<Open>,
    asked: Vec<ToolCall>,
    count: usize,
    room: usize,
    is_full: bool,
    items_seen: bool,
}

impl ToolCalls {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            pieces: Vec::new(),
            piece: None,
            choice: 0,
            choice_at: 0,
            block: 0,
            finishes: false,
            finished: Vec::new(),
            open: Vec::new(),
            asked: Vec::new(),
            count: 0,
            room: BYTES_MAX,
            is_full: false,
            items_seen: false,
        }
    }

    /// Whether something may be added to what has begun.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Those that were asked for since this was last asked.
    pub(super) fn take(&mut self) -> Vec<ToolCall> {
        std::mem::take(&mut self.asked)
    }

    /// Takes one picked value.
    pub(super) fn pick(&mut self, field: Field, found: Found<'_>) {
        match (field, found) {
            (Field::Choices, Found::Container) => self.end_choice(),
            (Field::ChoiceIndex, _) => {
                self.choice = found.count().unwrap_or_default();
                let after = self.pieces.iter_mut().skip(self.choice_at);
                for piece in after.chain(&mut self.piece) {
                    piece.choice = self.choice;
                }
            }
            (Field::ToolCall | Field::Item | Field::Block | Field::BlockDelta, _) => {
                if found == Found::Container {
                    self.begin(field);
                }
            }
            (Field::BlockIndex, _) => self.block = found.count().unwrap_or_default(),
            (Field::Finish, _) => self.finishes = true,
            (Field::Arguments, Found::Part(part)) => self.add(part),
            _ => {
                let Some(piece) = &mut self.piece else { return };
                match field {
                    Field::ToolCallIndex => piece.index = found.count().unwrap_or_default(),
                    Field::FunctionType => piece.kind = found.text(),
                    Field::FunctionName => piece.name = found.text(),
                    _ => {}
                }
            }
        }
    }

    fn end_choice(&mut self) {
        self.shelve();
        let is_new = !self.finished.contains(&self.choice) && self.finished.len() < CALLS_MAX;
        if std::mem::take(&mut self.finishes) && is_new {
            self.finished.push(self.choice);
        }
        (self.choice, self.choice_at) = (0, self.pieces.len());
    }

    fn begin(&mut self, of: Field) {
        self.shelve();
        if self.pieces.len() == CALLS_MAX {
            self.fill();
            return;
        }
        let index = (self.pieces.len() - self.choice_at) as u64;
        self.piece = Some(Piece {
            of,
            choice: self.choice,
            index,
            kind: None,
            name: None,
            arguments: Vec::new(),
            is_cut: false,
        });
    }

    fn add(&mut self, part: &[u8]) {
        let Some(piece) = self.piece.as_mut().filter(|piece| !piece.is_cut) else { return };
        if let Some(room) = self.room.checked_sub(part.len()) {
            self.room = room;
            piece.arguments.extend_from_slice(part);
        } else {
            piece.is_cut = true;
            self.room += std::mem::take(&mut piece.arguments).len();
        }
    }

    /// The piece at hand is whole. A list is told like one of its items, so it may be nothing at all.
    fn shelve(&mut self) {
        let Some(piece) = self.piece.take() else { return };
        let wanted = match piece.of {
            Field::Item | Field::Block => {
                matches!(piece.kind.as_deref(), Some("function_call" | "tool_use"))
            }
            _ => piece.name.is_some() || piece.is_cut || !piece.arguments.is_empty(),
        };
        if wanted {
            self.pieces.push(piece);
        } else {
            self.room += piece.arguments.len();
        }
    }

    /// The document at hand is over; it was the whole answer.
    pub(super) fn answer(&mut self) {
        for piece in self.document() {
            let arguments = piece.text();
            self.complete(piece.name.unwrap_or_default(), arguments.as_deref());
        }
    }

    /// The document at hand is over; it was one event of a stream, of this type.
    pub(super) fn event(&mut self, kind: &[u8]) {
        let block = self.block;
        for mut piece in self.document() {
            match piece.of {
                Field::Item => self.item(kind, piece),
                Field::Block | Field::BlockDelta => {
                    piece.index = block;
                    self.join(piece);
                }
                _ => self.join(piece),
            }
        }
        let finished = std::mem::take(&mut self.finished);
        match self.dialect {
            Dialect::Anthropic if kind == b"content_block_stop" => {
                self.close(|open| open.index == block);
            }
            Dialect::OpenAi if !finished.is_empty() => {
                self.close(|open| finished.contains(&open.choice));
            }
            _ => {}
        }
    }

    /// The document at hand is none.
    pub(super) fn discard(&mut self) {
        for piece in self.document() {
            self.room += piece.arguments.len();
        }
        self.finished.clear();
    }

    /// The stream is over, as its format says it.
    pub(super) fn end(&mut self) {
        self.close(|_| true);
    }

    fn document(&mut self) -> Vec<Piece> {
        self.end_choice();
        (self.choice_at, self.block) = (0, 0);
        std::mem::take(&mut self.pieces)
    }

    /// An item is whole when it is done. The last event repeats them all.
    fn item(&mut self, kind: &[u8], piece: Piece) {
        let is_done = kind == b"response.output_item.done";
        let is_last = matches!(kind, b"response.completed" | b"response.incomplete");
        if is_done || (is_last && !self.items_seen) {
            self.items_seen |= is_done;
            let arguments = piece.text();
            self.complete(piece.name.unwrap_or_default(), arguments.as_deref());
        } else {
            self.room += piece.arguments.len();
        }
    }

    /// Adds a part to what has begun, or begins something.
    fn join(&mut self, piece: Piece) {
        let (choice, index) = (piece.choice, piece.index);
        let text = piece.text();
        let name = piece.name.unwrap_or_default();
        let begun = |open: &Open| open.choice == choice && open.index == index;
        let Some(open) = self.open.iter_mut().find(|open| begun(open)) else {
            if piece.of == Field::BlockDelta {
                return;
            }
            if self.open.len() == CALLS_MAX {
                self.fill();
                return;
            }
            let (arguments, first) = match piece.of {
                Field::Block => (text.as_ref().map(|_| String::new()), text),
                _ => (text, None),
            };
            self.open.push(Open { choice, index, name, arguments, first });
            return;
        };
        open.name.push_str(&name);
        open.name.truncate(open.name.floor_char_boundary(NAME_BYTES_MAX + 1));
        open.arguments = open.arguments.take().zip(text).map(|(before, more)| before + &more);
    }

    /// Nothing is added to these any more.
    fn close(&mut self, is_over: impl Fn(&Open) -> bool) {
        let all = std::mem::take(&mut self.open).into_iter();
        let (over, open): (Vec<Open>, Vec<Open>) = all.partition(is_over);
        self.open = open;
        for Open { name, arguments, first, .. } in over {
            let arguments = arguments.map(|added| match first {
                Some(first) if added.is_empty() => first,
                _ => added,
            });
            self.complete(name, arguments.as_deref());
        }
    }

    /// A call that has no name, or one that nothing has, is nobody's.
    fn complete(&mut self, name: String, arguments: Option<&str>) {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return;
        }
        if self.count == CALLS_MAX {
            self.fill();
            return;
        }
        self.count += 1;
        self.asked.push(ToolCall::Of { name, arguments: arguments.and_then(object) });
    }

    /// There is no room for more. That is told once.
    fn fill(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            self.asked.push(ToolCall::Others);
        }
    }
}

impl Piece {
    /// Its arguments: a text that is JSON, or JSON itself.
    fn text(&self) -> Option<String> {
        if self.is_cut {
            return None;
        }
        match self.arguments.first() {
            Some(b'"') => serde_json::from_slice(&self.arguments).ok(),
            _ => std::str::from_utf8(&self.arguments).ok().map(str::to_owned),
        }
    }
}

/// Functions that take nothing are asked for with nothing.
fn object(text: &str) -> Option<Map<String, Value>> {
    if text.trim_ascii().is_empty() {
        return Some(Map::new());
    }
    match json::value(text.as_bytes(), Keys::Exact) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
