//! Words, quotes, expansions, redirections and here-documents.

use super::Reader;
use crate::facts::Decided;
use crate::facts::shell::Word;

/// Ends a word where it is not quoted.
const ENDS: [char; 10] = [' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>'];

/// A here-document that was announced.
pub(super) struct Document {
    delimiter: String,
    /// Its text is expanded.
    expanded: bool,
    /// Tabs at the beginning of its lines are dropped.
    indented: bool,
}

impl Reader<'_, '_> {
    /// The word that comes next; an empty one without quotes where there is none.
    pub(super) fn word(&mut self) -> Decided<Word> {
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            if self.sees(&["<(", ">("]) && word.is_empty() {
                self.at += 2;
                self.substitution()?;
                word.expand();
                continue;
            }
            if ENDS.contains(&c) {
                break;
            }
            self.at += c.len_utf8();
            match c {
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(c) => {
                        word.open_quote();
                        word.quote(c);
                    }
                    None => return Err("an open quote"),
                },
                '$' | '`' => self.expansion(c, &mut word, false)?,
                _ => word.push(c),
            }
        }
        if !self.documents.is_empty() && word.written().contains('\n') {
            return Err("lines in quotes behind a here-document");
        }
        Ok(word)
    }

    fn single_quoted(&mut self, word: &mut Word) -> Decided<()> {
        word.open_quote();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) => word.quote(c),
                None => return Err("an open quote"),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Decided<()> {
        word.open_quote();
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => word.quote(c),
                    Some(c) => {
                        word.quote('\\');
                        word.quote(c);
                    }
                    None => return Err("an open quote"),
                },
                Some(c @ ('$' | '`')) => self.expansion(c, word, true)?,
                Some(c) => word.quote(c),
                None => return Err("an open quote"),
            }
        }
    }

    /// What follows `$` or a backtick.
    fn expansion(&mut self, sign: char, word: &mut Word, quoted: bool) -> Decided<()> {
        if sign == '`' {
            word.expand();
            return self.backticks();
        }
        if self.sees(&["((", "["]) {
            return Err("arithmetic");
        }
        if self.take("(") {
            word.expand();
            return self.substitution();
        }
        if self.take("{") {
            word.expand();
            return self.parameter();
        }
        match self.peek() {
            Some('\'' | '"') if !quoted => Err("shells read it differently"),
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?-$!".contains(c) => {
                word.expand();
                self.at += 1;
                if c.is_ascii_alphabetic() || c == '_' {
                    let rest = &self.text[self.at..];
                    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    self.at += rest.find(|c| !name(c)).unwrap_or(rest.len());
                }
                Ok(())
            }
            // a name may be continued on the next line
            Some('\\') => Err("shells read it differently"),
            _ => {
                word.quote('$');
                Ok(())
            }
        }
    }

    /// `${name}`, or with an operator and a plain word.
    fn parameter(&mut self) -> Decided<()> {
        let rest = &self.text[self.at..];
        let end = rest.find('}').ok_or("an open expansion")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_:-=+?#%./, ".contains(c);
        let inside = &rest[..end];
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            || !inside.chars().all(plain)
        {
            return Err("an expansion that is not plain");
        }
        // `${PATH:=/tmp}` assigns
        if inside.contains('=') {
            return Err("an expansion that is not plain");
        }
        self.at += end + 1;
        Ok(())
    }

    /// A list up to the parenthesis that closes it.
    fn substitution(&mut self) -> Decided<()> {
        self.found.substitutes = true;
        // documents announced before are read behind the line, not in here
        let outer = std::mem::take(&mut self.documents);
        if !outer.is_empty() {
            return Err("a substitution behind a here-document");
        }
        self.deeper(|reader| reader.list(&[]))?;
        self.close()
    }

    fn backticks(&mut self) -> Decided<()> {
        self.found.substitutes = true;
        let rest = &self.text[self.at..];
        let end = rest.find('`').ok_or("an open quote")?;
        let inside = &rest[..end];
        // backslashes and double quotes in here mean other things to other shells
        if inside.contains(['\\', '"']) {
            return Err("shells read it differently");
        }
        self.at += end + 1;
        super::script(inside, self.depth, self.found)
    }

    /// Takes a redirection, if one comes next.
    pub(super) fn redirection(&mut self) -> Decided<bool> {
        let begin = self.at;
        let rest = &self.text[begin..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits;
        if self.sees(&["<(", ">("]) || !self.sees(&["<", ">"]) {
            self.at = begin;
            return Ok(false);
        }
        if self.take("<<<") {
            return Err("shells read it differently");
        }
        if self.take("<<") {
            let indented = self.take("-");
            self.skip_blanks();
            let word = self.word()?;
            let expanded = !word.quoted;
            let delimiter = word.into_fixed()?;
            if delimiter.is_empty() || delimiter.contains('\n') {
                return Err("a here-document without an end");
            }
            self.documents.push(Document { delimiter, expanded, indented });
            return Ok(true);
        }
        if self.take("<&") || self.take(">&") {
            let word = self.word()?.into_fixed()?;
            let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            return if number || word == "-" {
                Ok(true)
            } else {
                Err("shells read it differently")
            };
        }
        let _ = self.take(">>")
            || self.take(">|")
            || self.take("<>")
            || self.take("<")
            || self.take(">");
        self.skip_blanks();
        let target = self.word()?;
        if target.is_empty() {
            return Err("a redirection without a file");
        }
        self.found.redirect(target);
        Ok(true)
    }

    /// The texts of the here-documents that the line before announced.
    pub(super) fn read_documents(&mut self) -> Decided<()> {
        for document in std::mem::take(&mut self.documents) {
            let mut text = String::new();
            loop {
                let rest = &self.text[self.at..];
                if rest.is_empty() {
                    return Err("a here-document without an end");
                }
                let length = rest.find('\n').unwrap_or(rest.len());
                self.at += (length + 1).min(rest.len());
                let line = &rest[..length];
                let line = if document.indented { line.trim_start_matches('\t') } else { line };
                if line == document.delimiter {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            if document.expanded {
                self.expand_document(&text)?;
            }
        }
        Ok(())
    }

    /// Runs what a here-document substitutes. Its text is expanded as if in double quotes.
    fn expand_document(&mut self, text: &str) -> Decided<()> {
        // an escaped end of line can join lines into a delimiter
        if text.contains("\\\n") {
            return Err("shells read it differently");
        }
        let mut inner =
            Reader { text, at: 0, depth: self.depth, documents: Vec::new(), found: self.found };
        let mut word = Word::default();
        inner.deeper(|inner| {
            while let Some(c) = inner.next() {
                match c {
                    '\\' => {
                        inner.next();
                    }
                    '$' | '`' => inner.expansion(c, &mut word, true)?,
                    _ => {}
                }
            }
            Ok(())
        })
    }
}
