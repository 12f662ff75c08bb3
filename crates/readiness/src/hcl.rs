//! HCL (Terraform, `OpenTofu`, Terragrunt) to the same tree as YAML, as the JSON syntax of Terraform has it: a block
//! `resource "a" "b" { … }` is `resource: {a: {b: …}}`, and a block that is there twice is an entry that is there twice.
//! What only a run can tell (references, calls, templates) is a text with the tag [`COMPUTED`]. Nothing is evaluated.

mod text;

use crate::finding::Place;
use crate::yaml::{Entry, Kind, Node, Unread};

/// The tag of what is no plain value.
pub(crate) const COMPUTED: &str = "!computed";

/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// Most values of a file.
const VALUES_MAX: usize = 200_000;

/// Most labels of a block.
const LABELS_MAX: usize = 8;

/// Functions that leave what they are given as it is, for one who only looks at it.
const PLAIN_CALLS: [&str; 4] = ["jsonencode", "yamlencode", "tolist", "toset"];

/// A whole file.
pub(crate) fn document(text: &str) -> Result<Node, Unread> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, mark: Mark { at: 0, line: 1, column: 1 }, values: 0 };
    let entries = reader.body(0, false)?;
    Ok(Node { place: Place::START, tag: None, kind: Kind::Map(entries) })
}

/// How far a text is read.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: usize,
    line: u32,
    column: u32,
}

struct Reader<'a> {
    text: &'a str,
    mark: Mark,
    values: usize,
}

impl Reader<'_> {
    /// Attributes and blocks, to the bracket that closes them or to the end.
    fn body(&mut self, depth: usize, closed: bool) -> Result<Vec<Entry>, Unread> {
        self.deep(depth)?;
        let mut entries = Vec::new();
        loop {
            self.blanks(true);
            match self.peek() {
                None if !closed => return Ok(entries),
                Some('}') if closed => {
                    self.bump();
                    return Ok(entries);
                }
                _ => {}
            }
            let key_place = self.place();
            let key = self.name()?;
            self.blanks(false);
            let value = if self.peek() == Some('=') {
                self.bump();
                self.blanks(false);
                self.value(depth + 1, false)?
            } else {
                self.block(key_place, depth + 1)?
            };
            entries.push(Entry { key, key_place, value });
        }
    }

    /// What follows the name of a block: its labels and its body. All labels are shown where the block begins.
    fn block(&mut self, place: Place, depth: usize) -> Result<Node, Unread> {
        self.count()?;
        let mut labels = Vec::new();
        while self.peek() != Some('{') {
            if labels.len() == LABELS_MAX {
                return Err(self.wrong("a block was expected"));
            }
            labels.push(self.name()?);
            self.blanks(false);
        }
        self.bump();
        let body = Kind::Map(self.body(depth, true)?);
        let mut node = Node { place, tag: None, kind: body };
        for key in labels.into_iter().rev() {
            let entry = Entry { key, key_place: place, value: node };
            node = Node { place, tag: None, kind: Kind::Map(vec![entry]) };
        }
        Ok(node)
    }

    /// A value; in brackets a line may end anywhere.
    fn value(&mut self, depth: usize, in_brackets: bool) -> Result<Node, Unread> {
        self.deep(depth)?;
        self.count()?;
        let start = self.mark;
        if let Some(node) = self.plain(depth)? {
            self.blanks(in_brackets);
            let ends = matches!(self.peek(), None | Some(',' | '}' | ']' | ')'));
            if ends || matches!(self.peek(), Some('\n' | '\r')) {
                return Ok(node);
            }
        }
        self.mark = start;
        self.computed(in_brackets)
    }

    /// A value that is written out; `None` for the beginning of anything else.
    fn plain(&mut self, depth: usize) -> Result<Option<Node>, Unread> {
        let place = self.place();
        Ok(match self.peek() {
            Some('"') => Some(self.quoted()?),
            Some('<') if self.starts("<<") => Some(self.heredoc()?),
            Some('[') => self.list(place, depth)?,
            Some('{') => self.object(place, depth)?,
            Some(c) if c.is_ascii_digit() || c == '-' => {
                self.bump();
                let start = self.mark.at - 1;
                self.skip(|c| c.is_ascii_alphanumeric() || c == '.');
                Some(self.scalar(place, start, None))
            }
            Some(c) if c.is_alphabetic() => {
                let start = self.mark.at;
                self.skip(|c| c.is_alphanumeric() || "_-".contains(c));
                let node = self.scalar(place, start, None);
                match node.text() {
                    Some(call) if PLAIN_CALLS.contains(&call) && self.peek() == Some('(') => {
                        self.bump();
                        self.blanks(true);
                        let inner = self.value(depth + 1, true).ok();
                        self.blanks(true);
                        inner.filter(|_| self.bump() == Some(')'))
                    }
                    None | Some("true" | "false") => Some(node),
                    Some(_) => None,
                }
            }
            _ => None,
        })
    }

    fn list(&mut self, place: Place, depth: usize) -> Result<Option<Node>, Unread> {
        self.bump();
        let mut items = Vec::new();
        loop {
            self.blanks(true);
            match self.peek() {
                Some(']') => break,
                _ if items.is_empty() && self.is_for() => return Ok(None),
                _ => items.push(self.value(depth + 1, true)?),
            }
            self.blanks(true);
            match self.peek() {
                Some(',') => self.bump(),
                Some(']') => break,
                _ => return Err(self.wrong("`,` or `]` was expected")),
            };
        }
        self.bump();
        Ok(Some(Node { place, tag: None, kind: Kind::List(items) }))
    }

    fn object(&mut self, place: Place, depth: usize) -> Result<Option<Node>, Unread> {
        self.bump();
        let mut entries = Vec::new();
        loop {
            self.blanks(true);
            while self.peek() == Some(',') {
                self.bump();
                self.blanks(true);
            }
            if self.peek() == Some('}') {
                break;
            }
            if entries.is_empty() && self.is_for() {
                return Ok(None);
            }
            let key_place = self.place();
            // A key that is made when it runs: then so is the object.
            let Ok(key) = self.name() else { return Ok(None) };
            self.blanks(true);
            if !matches!(self.peek(), Some('=' | ':')) {
                return Ok(None);
            }
            self.bump();
            self.blanks(true);
            let value = self.value(depth + 1, false)?;
            entries.push(Entry { key, key_place, value });
        }
        self.bump();
        Ok(Some(Node { place, tag: None, kind: Kind::Map(entries) }))
    }

    fn is_for(&self) -> bool {
        self.starts("for ") || self.starts("for\n")
    }

    /// Whatever stands there, to where it ends.
    fn computed(&mut self, in_brackets: bool) -> Result<Node, Unread> {
        let (place, start) = (self.place(), self.mark.at);
        let mut open = 0_usize;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.quoted()?;
                }
                '<' if self.starts("<<") => {
                    self.heredoc()?;
                }
                '#' => self.blanks(false),
                '/' if self.starts("//") || self.starts("/*") => self.blanks(false),
                '\n' if open == 0 && !in_brackets => break,
                ',' | ')' | ']' | '}' if open == 0 => break,
                _ => {
                    open += usize::from(matches!(c, '(' | '[' | '{'));
                    open -= usize::from(matches!(c, ')' | ']' | '}'));
                    self.bump();
                }
            }
        }
        if open > 0 {
            return Err(self.wrong("a bracket is not closed"));
        }
        if self.text[start..self.mark.at].trim().is_empty() {
            return Err(self.wrong("a value was expected"));
        }
        Ok(self.scalar(place, start, Some(COMPUTED)))
    }

    /// What was read since, as a value without quotes.
    fn scalar(&self, place: Place, start: usize, tag: Option<&str>) -> Node {
        let text = self.text[start..self.mark.at].trim_end().to_owned();
        let kind = Kind::Scalar { text, plain: true, literal: false };
        Node { place, tag: tag.map(str::to_owned), kind }
    }

    fn count(&mut self) -> Result<(), Unread> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(self.wrong(&format!("there are more than {VALUES_MAX} values")));
        }
        Ok(())
    }

    fn deep(&self, depth: usize) -> Result<(), Unread> {
        if depth > DEPTH_MAX {
            return Err(self.wrong(&format!("it is nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(())
    }

    fn wrong(&self, why: &str) -> Unread {
        Unread { place: self.place(), why: format!("is not read as HCL: {why}") }
    }
}

#[cfg(test)]
mod tests;
