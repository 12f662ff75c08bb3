//! The reader of command lines: lists, pipelines, groups, loops. Words are read in [`super::read::words`].

mod words;

use super::word::assigned;
use super::{DEPTH_MAX, Found, Word, builtin};
use crate::facts::Decided;

/// Reserved words of any shell, which are no programs where a command begins.
pub(super) const RESERVED: [&str; 23] = [
    "!", "{", "}", "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done",
    "case", "esac", "in", "function", "select", "coproc", "[[", "]]", "((", "repeat",
];

/// Reads a whole script.
pub(super) fn script(text: &str, depth: usize, found: &mut Found) -> Decided<()> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("control characters");
    }
    let mut reader = Reader { text, at: 0, depth, documents: Vec::new(), found };
    reader.deeper(|reader| reader.list(&[]))?;
    match reader.peek() {
        None if reader.documents.is_empty() => Ok(()),
        None => Err("a here-document without an end"),
        Some(_) => Err("not a command line"),
    }
}

pub(super) struct Reader<'a, 'f> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Here-documents whose text begins behind this line.
    documents: Vec<words::Document>,
    found: &'f mut Found,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes these characters if they come next.
    fn take(&mut self, expected: &str) -> bool {
        let found = self.text[self.at..].starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Whether one of these comes next.
    fn sees(&self, expected: &[&str]) -> bool {
        expected.iter().any(|one| self.text[self.at..].starts_with(one))
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Decided<T>) -> Decided<T> {
        if self.depth == DEPTH_MAX {
            return Err("too deep");
        }
        self.depth += 1;
        let read = inner(self);
        self.depth -= 1;
        read
    }

    /// Spaces, continued lines and comments.
    fn skip_blanks(&mut self) {
        loop {
            if self.take("\\\n") {
                continue;
            }
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('#') => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Also the ends of lines, and the here-documents behind them.
    fn skip_lines(&mut self) -> Decided<()> {
        loop {
            self.skip_blanks();
            if !self.take("\n") {
                return Ok(());
            }
            self.read_documents()?;
        }
    }

    /// The reserved word that comes next, without taking it.
    fn reserved(&self) -> &'static str {
        let rest = &self.text[self.at..];
        let ends = |c: char| c.is_ascii_whitespace() || ";&|()<>".contains(c);
        RESERVED
            .into_iter()
            .find(|word| {
                rest.strip_prefix(word)
                    .is_some_and(|after| after.is_empty() || after.starts_with(ends))
            })
            .unwrap_or_default()
    }

    fn expect(&mut self, word: &'static str) -> Decided<()> {
        if self.reserved() != word {
            return Err("not a command line");
        }
        self.at += word.len();
        Ok(())
    }

    /// Pipelines up to one of these reserved words, a parenthesis that closes, or the end.
    fn list(&mut self, ends: &[&str]) -> Decided<()> {
        self.skip_lines()?;
        loop {
            self.pipeline()?;
            self.skip_blanks();
            if self.take("&&") || self.take("||") {
                self.skip_lines()?;
                continue;
            }
            if self.sees(&["&>", ";;", ";&"]) {
                return Err("shells read it differently");
            }
            if self.take("&") {
                self.found.background = true;
            } else if !self.take(";") && self.peek() != Some('\n') {
                return Ok(());
            }
            self.skip_lines()?;
            let reserved = self.reserved();
            if matches!(self.peek(), None | Some(')'))
                || (!reserved.is_empty() && ends.contains(&reserved))
            {
                return Ok(());
            }
        }
    }

    fn pipeline(&mut self) -> Decided<()> {
        self.found.pipelines += 1;
        if self.reserved() == "!" {
            self.at += 1;
            self.skip_blanks();
        }
        loop {
            self.command()?;
            self.skip_blanks();
            if self.sees(&["||", "|&"]) || !self.take("|") {
                return if self.sees(&["|&"]) { Err("shells read it differently") } else { Ok(()) };
            }
            self.skip_lines()?;
        }
    }

    fn command(&mut self) -> Decided<()> {
        if self.sees(&["(("]) {
            return Err("arithmetic");
        }
        if self.take("(") {
            self.deeper(|reader| reader.list(&[]))?;
            self.close()?;
            return self.redirections();
        }
        match self.reserved() {
            "" => return self.simple(),
            "{" => self.group("{", "}")?,
            "if" => self.deeper(Self::condition)?,
            "while" | "until" => {
                self.at += 5;
                self.deeper(|reader| reader.list(&["do"]))?;
                self.group("do", "done")?;
            }
            "for" => self.each()?,
            _ => return Err("not a command that all shells have"),
        }
        self.redirections()
    }

    fn close(&mut self) -> Decided<()> {
        if !self.documents.is_empty() {
            return Err("a here-document without an end");
        }
        if self.take(")") { Ok(()) } else { Err("not a command line") }
    }

    fn group(&mut self, open: &'static str, close: &'static str) -> Decided<()> {
        self.expect(open)?;
        self.deeper(|reader| reader.list(&[close]))?;
        self.expect(close)
    }

    fn condition(&mut self) -> Decided<()> {
        self.expect("if")?;
        loop {
            self.list(&["then"])?;
            self.expect("then")?;
            self.list(&["elif", "else", "fi"])?;
            match self.reserved() {
                "elif" => self.at += 4,
                "else" => {
                    self.at += 4;
                    self.list(&["fi"])?;
                    return self.expect("fi");
                }
                _ => return self.expect("fi"),
            }
        }
    }

    fn each(&mut self) -> Decided<()> {
        self.expect("for")?;
        self.skip_blanks();
        let name = self.word()?.into_fixed()?;
        if assigned(&format!("{name}=")).is_none() {
            return Err("not a command line");
        }
        if builtin::steers(&name) {
            self.found.programs_unknown.get_or_insert("a variable that steers the shell");
        }
        self.skip_lines()?;
        if self.reserved() == "in" {
            self.at += 2;
            loop {
                self.skip_blanks();
                if self.word()?.is_empty() {
                    break;
                }
            }
        }
        self.skip_blanks();
        if !self.sees(&[";;"]) && self.take(";") {
            self.skip_blanks();
        }
        self.skip_lines()?;
        self.group("do", "done")
    }

    /// Redirections behind a group.
    fn redirections(&mut self) -> Decided<()> {
        loop {
            self.skip_blanks();
            if !self.redirection()? {
                return Ok(());
            }
        }
    }

    /// Assignments, words and redirections in any order.
    fn simple(&mut self) -> Decided<()> {
        let mut words: Vec<Word> = Vec::new();
        let mut anything = false;
        loop {
            self.skip_blanks();
            if self.redirection()? {
                anything = true;
                continue;
            }
            let word = self.word()?;
            if word.is_empty() {
                break;
            }
            anything = true;
            match assigned(word.written()) {
                Some(name) if words.is_empty() && !word.quoted_name => {
                    if builtin::steers(name) {
                        self.found
                            .programs_unknown
                            .get_or_insert("a variable that steers the shell");
                    }
                }
                _ => words.push(word),
            }
        }
        if !anything || self.peek() == Some('(') {
            return Err("not a command line");
        }
        if words.first().is_some_and(Word::is_expanded) {
            self.found.substitutes = true;
        }
        let depth = self.depth;
        self.found.run(&words, depth);
        Ok(())
    }
}
