//! Characters, names, and texts in quotes.

use super::{COMPUTED, Reader};
use crate::finding::Place;
use crate::yaml::{Kind, Node, Unread};

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.mark.at..].chars().next()
    }

    pub(super) fn starts(&self, with: &str) -> bool {
        self.text[self.mark.at..].starts_with(with)
    }

    pub(super) fn place(&self) -> Place {
        Place { line: self.mark.line, column: self.mark.column }
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.mark.at += c.len_utf8();
        if c == '\n' {
            self.mark.line = self.mark.line.saturating_add(1);
            self.mark.column = 1;
        } else {
            self.mark.column = self.mark.column.saturating_add(1);
        }
        Some(c)
    }

    pub(super) fn skip(&mut self, is: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is) {
            self.bump();
        }
    }

    /// Spaces and comments, and ends of lines where they mean nothing.
    pub(super) fn blanks(&mut self, lines: bool) {
        loop {
            self.skip(|c| c.is_whitespace() && (lines || c != '\n'));
            if self.starts("#") || self.starts("//") {
                self.skip(|c| c != '\n');
            } else if self.starts("/*") {
                while !self.starts("*/") && self.bump().is_some() {}
                self.bump();
                self.bump();
            } else {
                return;
            }
        }
    }

    /// A word, or a text in quotes in its place.
    pub(super) fn name(&mut self) -> Result<String, Unread> {
        match self.peek() {
            Some('"') => Ok(self.quoted()?.into_text().unwrap_or_default()),
            Some(c) if c.is_alphanumeric() || c == '_' => {
                let start = self.mark.at;
                self.skip(|c| c.is_alphanumeric() || "_-.".contains(c));
                Ok(self.text[start..self.mark.at].to_owned())
            }
            _ => Err(self.wrong("a name was expected")),
        }
    }

    /// A text in quotes. One with `${…}` or `%{…}` in it is computed, and stays as it is written.
    pub(super) fn quoted(&mut self) -> Result<Node, Unread> {
        let place = self.place();
        self.bump();
        let (mut text, mut is_template) = (String::new(), false);
        // Inside of a template there are texts again, and brackets.
        let mut inside: Vec<char> = Vec::new();
        loop {
            let Some(c) = self.bump() else { return Err(self.wrong("a text does not end")) };
            let in_code = inside.last() == Some(&'{');
            match c {
                '"' if inside.is_empty() => break,
                '"' if in_code => inside.push('"'),
                '"' => {
                    inside.pop();
                }
                '{' if in_code => inside.push('{'),
                '}' if in_code => {
                    inside.pop();
                }
                '$' | '%' if !in_code && self.starts("{") => {
                    let escaped = text.ends_with(c);
                    if !escaped {
                        is_template = true;
                        inside.push('{');
                        text.push(c);
                        self.bump();
                        text.push('{');
                        continue;
                    }
                }
                '\\' if inside.is_empty() => {
                    let next = self.bump();
                    text.push(match next {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(other) => other,
                        None => c,
                    });
                    continue;
                }
                '\\' if !in_code => {
                    text.push(c);
                    text.extend(self.bump());
                    continue;
                }
                '\n' if inside.is_empty() => return Err(self.wrong("a text does not end")),
                _ => {}
            }
            text.push(c);
        }
        let tag = is_template.then(|| COMPUTED.to_owned());
        Ok(Node { place, tag, kind: Kind::Scalar { text, plain: false, literal: false } })
    }

    /// `<<END`, its lines, and `END`.
    pub(super) fn heredoc(&mut self) -> Result<Node, Unread> {
        let place = self.place();
        self.skip(|c| c == '<' || c == '-');
        let start = self.mark.at;
        self.skip(|c| !c.is_whitespace());
        let end = &self.text[start..self.mark.at];
        if end.is_empty() {
            return Err(self.wrong("the end of a text is not named"));
        }
        self.skip(|c| c != '\n');
        let mut text = String::new();
        loop {
            if self.bump().is_none() {
                return Err(self.wrong("a text does not end"));
            }
            let from = self.mark.at;
            self.skip(|c| c != '\n');
            let line = &self.text[from..self.mark.at];
            if line.trim() == end {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        let plain = text.replace("$${", "").replace("%%{", "");
        let is_template = plain.contains("${") || plain.contains("%{");
        let tag = is_template.then(|| COMPUTED.to_owned());
        Ok(Node { place, tag, kind: Kind::Scalar { text, plain: false, literal: true } })
    }
}
