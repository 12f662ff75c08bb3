//! Words of a command line, with their quotes taken off.

use crate::facts::{Decided, unicode};

/// A word, and whether it is what it will be.
#[derive(Default)]
pub(in crate::facts) struct Word {
    text: String,
    /// Some of it was quoted, so that it is no reserved word.
    pub(super) quoted: bool,
    /// That was before any `=`, so that it assigns nothing.
    pub(super) quoted_name: bool,
    /// It is expanded at run time.
    expanded: bool,
}

impl Word {
    /// A word that nothing expands.
    pub(in crate::facts) fn literal(text: &str) -> Self {
        let mut word = Self { quoted: true, quoted_name: true, ..Self::default() };
        text.chars().for_each(|c| word.quote(c));
        word
    }

    /// A quote begins here.
    pub(super) fn open_quote(&mut self) {
        self.quoted = true;
        self.quoted_name |= !self.text.contains('=');
    }

    /// A character that means itself.
    pub(super) fn quote(&mut self, c: char) {
        if unicode::ambiguous(c).is_some() && !matches!(c, '\n' | '\t') {
            self.expanded = true;
        }
        self.text.push(c);
    }

    /// A character without quotes: patterns, braces and home directories are expanded.
    pub(super) fn push(&mut self, c: char) {
        match c {
            '*' | '?' => self.expanded = true,
            '~' if self.text.is_empty() || self.text.ends_with(['=', ':']) => self.expanded = true,
            ']' if self.text.contains('[') => self.expanded = true,
            // bash makes several words of `{a,b}` and `{1..2}`
            ',' | '.' if self.text.contains('{') => self.expanded = true,
            _ => {}
        }
        self.quote(c);
    }

    /// Something is put in here at run time.
    pub(super) fn expand(&mut self) {
        self.expanded = true;
        self.quoted_name |= !self.text.contains('=');
    }

    /// As written, where it is what it will be.
    pub(super) fn fixed(&self) -> Decided<&str> {
        if self.expanded { Err("expanded at run time") } else { Ok(&self.text) }
    }

    pub(super) fn into_fixed(self) -> Decided<String> {
        if self.expanded { Err("expanded at run time") } else { Ok(self.text) }
    }

    /// The word if the shell may take it for a reserved one.
    pub(super) fn bare(&self) -> &str {
        if self.quoted || self.expanded { "" } else { &self.text }
    }

    /// What is written, for looking at an assignment's name.
    pub(super) fn written(&self) -> &str {
        &self.text
    }

    pub(super) fn is_expanded(&self) -> bool {
        self.expanded
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.quoted && !self.expanded
    }
}

/// The variable that a word assigns to.
pub(super) fn assigned(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('=')?;
    let first = name.bytes().next()?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && !first.is_ascii_digit()).then_some(name)
}
