//! Words, texts and signs of a Groovy file.

use super::syntax::{Part, Text};
use crate::finding::Place;
use crate::yaml::Unread;

/// Deepest brackets in each other.
pub(super) const DEPTH_MAX: usize = 48;

/// Most words and signs of a file.
const TOKENS_MAX: usize = 400_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Text(Text),
    Number(String),
    Sign(&'static str),
    /// The end of a line, where it may end a statement.
    Line,
}

/// A token and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) place: Place,
}

/// Longest first.
const SIGNS: &[&str] = &[
    "==~", "<=>", "===", "!==", "<<=", "..<", "...", "**=", "?.", "?:", "?=", "*.", ".&", ".@",
    "::", "->", "==", "!=", "=~", "<=", ">=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=",
    "..", "<<", "**", "(", ")", "[", "]", "{", "}", ".", ",", ";", ":", "?", "=", "<", ">", "+",
    "-", "*", "/", "%", "!", "&", "|", "^", "~", "@",
];

/// The tokens of a file. Its brackets fit each other.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Unread> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        place: Place::START,
        open: Vec::new(),
        no_slash_before: 0,
        out: Vec::new(),
    };
    lexer.run()?;
    Ok(lexer.out)
}

/// How a kind of string is written.
#[derive(Clone, Copy)]
struct Quotes {
    open: &'static str,
    close: &'static str,
    interpolated: bool,
    lines: bool,
    escape: Escape,
}

#[derive(Clone, Copy, PartialEq)]
enum Escape {
    Backslash,
    /// Only the slash.
    Slash,
    Dollar,
}

#[rustfmt::skip]
const QUOTES: [Quotes; 5] = [
    Quotes { open: "'''", close: "'''", interpolated: false, lines: true, escape: Escape::Backslash },
    Quotes { open: "\"\"\"", close: "\"\"\"", interpolated: true, lines: true, escape: Escape::Backslash },
    Quotes { open: "'", close: "'", interpolated: false, lines: false, escape: Escape::Backslash },
    Quotes { open: "\"", close: "\"", interpolated: true, lines: false, escape: Escape::Backslash },
    Quotes { open: "$/", close: "/$", interpolated: true, lines: true, escape: Escape::Dollar },
];
const SLASHY: Quotes =
    Quotes { open: "/", close: "/", interpolated: true, lines: false, escape: Escape::Slash };

struct Lexer {
    chars: Vec<char>,
    at: usize,
    place: Place,
    /// Brackets that are open, and where.
    open: Vec<(char, Place)>,
    /// A slash that starts before here has none that ends it.
    no_slash_before: usize,
    out: Vec<Placed>,
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c))
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        if c == '\n' {
            self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
        } else {
            self.place.column = self.place.column.saturating_add(1);
        }
        Some(c)
    }

    fn skip(&mut self, chars: usize) {
        for _ in 0..chars {
            self.next();
        }
    }

    fn push(&mut self, token: Token, place: Place) -> Result<(), Unread> {
        if self.out.len() >= TOKENS_MAX {
            let why = format!("has more than {TOKENS_MAX} words and signs");
            return Err(Unread { place, why });
        }
        self.out.push(Placed { token, place });
        Ok(())
    }

    fn run(&mut self) -> Result<(), Unread> {
        if self.starts("\u{feff}") {
            self.at += 1;
        }
        if self.starts("#!") {
            self.skip_line();
        }
        while let Some(c) = self.peek(0) {
            let place = self.place;
            match c {
                '\n' => {
                    self.next();
                    // Between parentheses a line ends nothing.
                    if self.open.last().is_none_or(|(open, _)| *open == '{') {
                        self.push(Token::Line, place)?;
                    }
                }
                '\0' => return Err(Unread { place, why: "holds a NUL".into() }),
                _ if self.starts("//") => {
                    self.skip_line();
                }
                _ if self.starts("/*") => self.skip_comment()?,
                c if c.is_whitespace() || c == '\\' => self.skip(1),
                c if c.is_ascii_digit() => self.number(place)?,
                _ => self.text_name_or_sign(place)?,
            }
        }
        match self.open.last() {
            Some((open, place)) => {
                Err(Unread { place: *place, why: format!("has a `{open}` that nothing closes") })
            }
            None => Ok(()),
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    fn skip_comment(&mut self) -> Result<(), Unread> {
        let place = self.place;
        self.skip(2);
        while !self.starts("*/") {
            if self.next().is_none() {
                return Err(Unread { place, why: "has a comment that does not end".into() });
            }
        }
        self.skip(2);
        Ok(())
    }

    fn number(&mut self, place: Place) -> Result<(), Unread> {
        let mut text = String::new();
        while let Some(c) = self.peek(0) {
            let point = c == '.' && self.peek(1).is_some_and(|next| next.is_ascii_digit());
            if !c.is_alphanumeric() && c != '_' && !point {
                break;
            }
            text.push(c);
            self.next();
        }
        self.push(Token::Number(text), place)
    }

    fn text_name_or_sign(&mut self, place: Place) -> Result<(), Unread> {
        if let Some(quotes) = QUOTES.iter().find(|quotes| self.starts(quotes.open)) {
            let text = self.text(*quotes)?;
            return self.push(Token::Text(text), place);
        }
        if self.peek(0) == Some('/') && self.is_pattern() && self.slash_ends() {
            let text = self.text(SLASHY)?;
            return self.push(Token::Text(text), place);
        }
        if self.peek(0).is_some_and(starts_name) {
            let mut name = String::new();
            while let Some(c) = self.peek(0).filter(|c| in_name(*c)) {
                name.push(c);
                self.next();
            }
            return self.push(Token::Name(name), place);
        }
        let Some(&sign) = SIGNS.iter().find(|sign| self.starts(sign)) else {
            self.next();
            return Ok(());
        };
        self.bracket(sign, place)?;
        self.skip(sign.len());
        self.push(Token::Sign(sign), place)
    }

    fn bracket(&mut self, sign: &str, place: Place) -> Result<(), Unread> {
        let opening = match sign {
            "(" | "[" | "{" => {
                if self.open.len() >= DEPTH_MAX {
                    let why = format!("is nested deeper than {DEPTH_MAX} levels");
                    return Err(Unread { place, why });
                }
                self.open.extend(sign.chars().map(|c| (c, place)));
                return Ok(());
            }
            ")" => '(',
            "]" => '[',
            "}" => '{',
            _ => return Ok(()),
        };
        match self.open.pop() {
            Some((open, _)) if open == opening => Ok(()),
            _ => Err(Unread { place, why: format!("has a `{sign}` that closes nothing") }),
        }
    }

    /// A slash here starts a pattern, and does not divide.
    fn is_pattern(&self) -> bool {
        match self.out.last().map(|placed| &placed.token) {
            None | Some(Token::Line) => true,
            Some(Token::Sign(sign)) => !matches!(*sign, ")" | "]" | "}"),
            Some(Token::Name(name)) => {
                matches!(name.as_str(), "return" | "in" | "case" | "branch" | "tag" | "pattern")
            }
            Some(Token::Text(_) | Token::Number(_)) => false,
        }
    }

    /// Whether the slash here has one on its line that ends it.
    fn slash_ends(&mut self) -> bool {
        if self.at < self.no_slash_before {
            return false;
        }
        let mut at = self.at + 1;
        while let Some(c) = self.chars.get(at).copied().filter(|c| *c != '\n') {
            match c {
                '/' => return true,
                '\\' => at += 2,
                _ => at += 1,
            }
        }
        self.no_slash_before = at;
        false
    }

    fn text(&mut self, quotes: Quotes) -> Result<Text, Unread> {
        let start = self.place;
        let unended = |line: &str| Unread {
            place: start,
            why: format!("has a text that starts here and does not end{line}"),
        };
        self.skip(quotes.open.len());
        let mut text = Text { parts: Vec::new(), line: start.line, literal: true };
        let mut current = String::new();
        loop {
            if self.starts(quotes.close) {
                break;
            }
            let Some(c) = self.peek(0) else { return Err(unended("")) };
            match c {
                '\n' if !quotes.lines => return Err(unended(" on its line")),
                '\\' if quotes.escape == Escape::Backslash => {
                    self.escape(&mut current, &mut text);
                }
                '\\' if quotes.escape == Escape::Slash && self.peek(1) == Some('/') => {
                    self.skip(2);
                    current.push('/');
                }
                '$' if quotes.escape == Escape::Dollar
                    && matches!(self.peek(1), Some('$' | '/')) =>
                {
                    self.next();
                    current.extend(self.next());
                }
                '$' if quotes.interpolated && self.peek(1) == Some('{') => {
                    if !current.is_empty() {
                        text.parts.push(Part::Text(std::mem::take(&mut current)));
                    }
                    let before = self.place.line;
                    let code = self.code(start)?;
                    text.literal &= before == self.place.line;
                    text.parts.push(Part::Code(code));
                }
                '$' if quotes.interpolated && self.peek(1).is_some_and(starts_name) => {
                    if !current.is_empty() {
                        text.parts.push(Part::Text(std::mem::take(&mut current)));
                    }
                    text.parts.push(Part::Code(self.dotted()));
                }
                c => {
                    self.next();
                    current.push(c);
                }
            }
        }
        self.skip(quotes.close.len());
        if !current.is_empty() {
            text.parts.push(Part::Text(current));
        }
        Ok(text)
    }

    fn escape(&mut self, current: &mut String, text: &mut Text) {
        self.next();
        let Some(c) = self.next() else { return };
        match c {
            // The line goes on. A shell reads it so too, and its lines stay lines of the file.
            '\n' if current.is_empty() && text.parts.is_empty() => {
                text.line = text.line.saturating_add(1);
            }
            '\n' => current.push_str("\\\n"),
            'n' => {
                current.push('\n');
                text.literal = false;
            }
            't' => current.push('\t'),
            'r' | 'b' | 'f' => {}
            'u' => {
                let digits: String =
                    (0..4).map_while(|i| self.peek(i)).filter(char::is_ascii_hexdigit).collect();
                let value = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                if let Some(c) = value.and_then(char::from_u32) {
                    self.skip(4);
                    current.push(c);
                }
            }
            '\\' | '\'' | '"' | '$' => current.push(c),
            other => current.extend(['\\', other]),
        }
    }

    /// What stands between `${` and its `}`.
    fn code(&mut self, start: Place) -> Result<String, Unread> {
        self.skip(2);
        let mut code = String::new();
        let mut depth = 1_usize;
        let mut quote = None;
        while let Some(c) = self.next() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, '{') => depth += 1,
                (None, '}') => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(code.trim().to_owned());
                    }
                }
                _ => {}
            }
            code.push(c);
        }
        Err(Unread { place: start, why: "has a text with a `${` that does not end".into() })
    }

    /// `$a.b`, without its `$`.
    fn dotted(&mut self) -> String {
        self.next();
        let mut name = String::new();
        while let Some(c) = self.peek(0) {
            let is_dot = c == '.' && self.peek(1).is_some_and(|c| c.is_alphabetic() || c == '_');
            if !(c.is_alphanumeric() || c == '_' || is_dot) {
                break;
            }
            name.push(c);
            self.next();
        }
        name
    }
}
