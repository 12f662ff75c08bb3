//! Words and operators of a script.

use super::UNKNOWN;

/// Deepest substitutions in each other.
const DEPTH_MAX: usize = 16;

/// Part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A variable; whether it is quoted, and so stays one word.
    Variable(String, bool),
    /// All arguments, `$@` or `$*`.
    Arguments,
    /// What is only known when it runs.
    Unknown,
    /// A script in the word: its text and its first line.
    Substitution(String, usize),
}

/// A word before its variables have values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) parts: Vec<Part>,
    /// Some of it stands in quotes, so that it is no keyword.
    pub(super) quoted: bool,
}

impl Raw {
    /// The text, when nothing in it waits for a value.
    pub(super) fn fixed(&self) -> Option<String> {
        self.parts.iter().try_fold(String::new(), |text, part| match part {
            Part::Text(more) => Some(text + more),
            _ => None,
        })
    }

    /// The text of an unquoted word, which may be a keyword.
    pub(super) fn keyword(&self) -> Option<String> {
        if self.quoted { None } else { self.fixed() }
    }
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// With [`UNKNOWN`] where something is only known when it runs.
    pub(crate) text: String,
}

impl Word {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    pub(crate) fn is_fixed(&self) -> bool {
        !self.text.contains(UNKNOWN)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Raw),
    Operator(&'static str),
}

/// The tokens of a script with their lines, from `line`.
pub(super) fn tokens(text: &str, line: usize, depth: usize) -> Vec<(Token, usize)> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        line,
        depth,
        out: Vec::new(),
        heredocs: Vec::new(),
    };
    lexer.run();
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    depth: usize,
    out: Vec<(Token, usize)>,
    /// Ends of here-documents that start after this line; whether tabs before them go.
    heredocs: Vec<(String, bool)>,
}

/// Longest first.
const OPERATORS: &[&str] =
    &[";;&", ";;", ";&", "&&", "||", "|&", "&>>", "&>", ";", "&", "|", "(", ")"];

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c))
    }

    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.out.push((Token::Operator("\n"), self.line));
                    self.at += 1;
                    self.line += 1;
                    self.skip_heredocs();
                }
                '\\' if self.peek(1) == Some('\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                '#' => self.skip_comment(),
                c if c.is_whitespace() => self.at += 1,
                '<' | '>' => self.redirect(),
                _ => self.operator_or_word(),
            }
        }
    }

    fn skip_comment(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn operator_or_word(&mut self) {
        let operator = OPERATORS.iter().find(|operator| self.starts(operator));
        match operator {
            Some(&operator @ ("&>" | "&>>")) => {
                self.at += operator.len();
                self.skip_target();
            }
            Some(&operator) => {
                self.at += operator.len();
                self.out.push((Token::Operator(operator), self.line));
            }
            None => {
                let line = self.line;
                let before = self.at;
                let word = self.word();
                if self.at == before {
                    self.at += 1;
                }
                // A number right before a redirection belongs to it.
                let is_descriptor = matches!(self.peek(0), Some('<' | '>'))
                    && word.keyword().is_some_and(|text| text.chars().all(|c| c.is_ascii_digit()));
                if !is_descriptor {
                    self.out.push((Token::Word(word), line));
                }
            }
        }
    }

    /// A redirection with its target, which is no word of the command.
    fn redirect(&mut self) {
        if (self.starts("<(") || self.starts(">(")) && self.depth < DEPTH_MAX {
            let line = self.line;
            self.at += 2;
            let inner = self.balanced('(', ')');
            let parts = vec![Part::Substitution(inner, line)];
            self.out.push((Token::Word(Raw { parts, quoted: true }), line));
            return;
        }
        let here = self.starts("<<") && !self.starts("<<<");
        while matches!(self.peek(0), Some('<' | '>' | '&' | '|')) {
            self.at += 1;
        }
        if !here {
            return self.skip_target();
        }
        let strips = self.peek(0) == Some('-');
        if strips {
            self.at += 1;
        }
        self.skip_blanks();
        let end = self.word();
        let end: String = end
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                _ => "",
            })
            .collect();
        self.heredocs.push((end, strips));
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    fn skip_target(&mut self) {
        self.skip_blanks();
        if self.peek(0).is_some_and(|c| !matches!(c, '\n' | ';' | '|' | '&' | '(' | ')')) {
            self.word();
        }
    }

    fn skip_heredocs(&mut self) {
        for (end, strips) in std::mem::take(&mut self.heredocs) {
            while self.at < self.chars.len() {
                let from = self.at;
                self.skip_comment();
                let line: String = self.chars[from..self.at].iter().collect();
                self.at += 1;
                self.line += 1;
                let line = if strips { line.trim_start_matches('\t') } else { &line };
                if line == end {
                    break;
                }
            }
        }
    }

    fn word(&mut self) -> Raw {
        let mut raw = Raw::default();
        let mut text = String::new();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    raw.quoted = true;
                    self.at += 1;
                    self.until_quote(&mut text);
                }
                '"' => {
                    raw.quoted = true;
                    self.at += 1;
                    self.double_quoted(&mut raw, &mut text);
                }
                '\\' => {
                    match self.peek(1) {
                        Some('\n') => self.line += 1,
                        Some(next) => text.push(next),
                        None => {}
                    }
                    raw.quoted = true;
                    self.at += 2;
                }
                '$' | '`' => self.expansion(&mut raw, &mut text, false),
                // An array, or a function's name: `a=(…)` is no command.
                '(' if text.ends_with('=') => {
                    self.at += 1;
                    self.balanced('(', ')');
                    flush(&mut raw, &mut text);
                    raw.parts.push(Part::Unknown);
                }
                UNKNOWN => {
                    self.at += 1;
                    flush(&mut raw, &mut text);
                    raw.parts.push(Part::Unknown);
                }
                c if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                    break;
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        flush(&mut raw, &mut text);
        raw
    }

    fn until_quote(&mut self, text: &mut String) {
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '\'' => return,
                '\n' => self.line += 1,
                _ => {}
            }
            text.push(c);
        }
    }

    fn double_quoted(&mut self, raw: &mut Raw, text: &mut String) {
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    match self.peek(1) {
                        Some('\n') => self.line += 1,
                        Some(next @ ('"' | '\\' | '$' | '`')) => text.push(next),
                        Some(next) => text.extend(['\\', next]),
                        None => {}
                    }
                    self.at += 2;
                }
                '$' | '`' => self.expansion(raw, text, true),
                UNKNOWN => {
                    self.at += 1;
                    flush(raw, text);
                    raw.parts.push(Part::Unknown);
                }
                c => {
                    if c == '\n' {
                        self.line += 1;
                    }
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    fn expansion(&mut self, raw: &mut Raw, text: &mut String, quoted: bool) {
        flush(raw, text);
        let line = self.line;
        let backquote = self.peek(0) == Some('`');
        self.at += 1;
        if backquote {
            let inner = self.until_backquote();
            raw.parts.push(self.substitution(inner, line));
            return;
        }
        match self.peek(0) {
            Some('(') if self.peek(1) == Some('(') => {
                self.at += 2;
                self.balanced('(', ')');
                if self.peek(0) == Some(')') {
                    self.at += 1;
                }
                raw.parts.push(Part::Unknown);
            }
            Some('(') => {
                self.at += 1;
                let inner = self.balanced('(', ')');
                raw.parts.push(self.substitution(inner, line));
            }
            Some('{') => {
                self.at += 1;
                let inner = self.balanced('{', '}');
                raw.parts.push(match inner.as_str() {
                    "@" | "*" => Part::Arguments,
                    name if is_name(name) => Part::Variable(inner, quoted),
                    _ => Part::Unknown,
                });
            }
            Some('\'') if !quoted => {
                self.at += 1;
                raw.quoted = true;
                while let Some(c) = self.peek(0) {
                    self.at += if c == '\\' { 2 } else { 1 };
                    if c == '\'' {
                        break;
                    }
                }
                raw.parts.push(Part::Unknown);
            }
            Some('@' | '*') => {
                self.at += 1;
                raw.parts.push(Part::Arguments);
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let from = self.at;
                while self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.at += 1;
                }
                raw.parts.push(Part::Variable(self.chars[from..self.at].iter().collect(), quoted));
            }
            Some('?') => {
                self.at += 1;
                raw.parts.push(Part::Variable("?".to_owned(), quoted));
            }
            Some(c) if c.is_ascii_digit() || "#$!-".contains(c) => {
                self.at += 1;
                raw.parts.push(Part::Unknown);
            }
            _ => text.push('$'),
        }
    }

    fn substitution(&self, inner: String, line: usize) -> Part {
        if self.depth < DEPTH_MAX { Part::Substitution(inner, line) } else { Part::Unknown }
    }

    fn until_backquote(&mut self) -> String {
        let mut inner = String::new();
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '`' => break,
                '\\' if matches!(self.peek(0), Some('`' | '\\' | '$')) => {
                    inner.extend(self.peek(0));
                    self.at += 1;
                    continue;
                }
                '\n' => self.line += 1,
                _ => {}
            }
            inner.push(c);
        }
        inner
    }

    /// The text up to the bracket that closes, quotes respected.
    fn balanced(&mut self, open: char, close: char) -> String {
        let from = self.at;
        let mut depth = 1_usize;
        let mut quote = None;
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '\n' => self.line += 1,
                '\\' if quote != Some('\'') => self.at += 1,
                '\'' | '"' if quote.is_none() => quote = Some(c),
                _ if quote == Some(c) => quote = None,
                _ if quote.is_some() => {}
                _ if c == open => depth += 1,
                _ if c == close => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return self.chars[from..self.at - 1].iter().collect();
            }
        }
        self.at = self.chars.len();
        self.chars[from.min(self.at)..].iter().collect()
    }
}

fn flush(raw: &mut Raw, text: &mut String) {
    if !text.is_empty() {
        raw.parts.push(Part::Text(std::mem::take(text)));
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
