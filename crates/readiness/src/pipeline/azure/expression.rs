//! Expressions of Azure Pipelines: functions over parameters, variables and what earlier jobs came to.

use super::super::github::expression::quoted;
use super::function::{call, unknown_text};
use super::view::View;
use crate::shell::UNKNOWN;

/// Deepest calls in each other.
const DEPTH_MAX: usize = 32;

/// What an expression comes to.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Text(String),
    Bool(bool),
    Null,
    List(Vec<Self>),
    /// A list or a map of a file.
    Part(View<'a>),
    /// An entry of a map in a loop.
    Pair(String, Box<Self>),
    /// A branch, which some forges write with `refs/heads/` before it.
    Branch(String),
    /// The files do not say; why.
    Unknown(String),
}

impl Value<'_> {
    pub(super) fn truth(&self) -> Result<bool, String> {
        match self {
            Self::Text(text) => Ok(!text.is_empty()),
            Self::Bool(value) => Ok(*value),
            Self::Null => Ok(false),
            Self::Unknown(why) => Err(why.clone()),
            _ => Ok(true),
        }
    }

    /// The text that it becomes inside another text; `None` when it is not known.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Branch(text) => Some(text.clone()),
            Self::Bool(value) => Some(if *value { "True" } else { "False" }.to_owned()),
            Self::Null => Some(String::new()),
            _ => None,
        }
    }

    /// What is not known of it.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Unknown(why) => why.clone(),
            _ => "a list or a map stands where a text is asked for".to_owned(),
        }
    }
}

/// What names mean at one place.
pub(super) trait Names<'a> {
    /// The value of `first.then[…]`.
    fn value(&self, first: &str, then: &[String]) -> Value<'a>;

    /// What a function says of earlier jobs, of all of them when none is named.
    fn status(&self, function: &str, of: &[String]) -> Value<'a>;
}

/// Evaluates an expression without what stands around it.
pub(super) fn evaluate<'a>(text: &str, names: &dyn Names<'a>) -> Value<'a> {
    let none = || Value::Unknown(format!("`{}` is not understood", crate::finding::cut(text, 80)));
    let Some(tokens) = tokens(text) else { return none() };
    let mut parser = Parser { tokens, at: 0, names, depth: 0 };
    match parser.value() {
        Some(value) if parser.at == parser.tokens.len() => value,
        _ => none(),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Sign(char),
    Unknown,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            all.push(Token::Text(value));
            rest = after;
        } else if "(),.[]*".contains(first) {
            all.push(Token::Sign(first));
            rest = &rest[1..];
        } else if first == UNKNOWN {
            all.push(Token::Unknown);
            rest = &rest[first.len_utf8()..];
        } else {
            let is_number = first.is_ascii_digit() || first == '-';
            let part =
                |c: char| c.is_alphanumeric() || c == '_' || c == '-' || is_number && c == '.';
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            all.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(all)
}

struct Parser<'n, 'a> {
    tokens: Vec<Token>,
    at: usize,
    names: &'n dyn Names<'a>,
    depth: usize,
}

impl<'a> Parser<'_, 'a> {
    fn take(&mut self, sign: char) -> bool {
        let is = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Option<Value<'a>> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let token = self.tokens.get(self.at).cloned()?;
        self.at += 1;
        let value = match token {
            Token::Unknown => unknown_text(),
            Token::Text(text) if text.contains(UNKNOWN) => unknown_text(),
            Token::Text(text) if text.contains("$(") => {
                Value::Unknown(format!("`{text}` is put in when it runs"))
            }
            Token::Text(text) => Value::Text(text),
            Token::Word(word) if self.take('(') => self.call(&word)?,
            Token::Word(word) => self.named(word)?,
            Token::Sign(_) => return None,
        };
        self.depth -= 1;
        Some(value)
    }

    /// A literal, or a name with what is asked of it.
    fn named(&mut self, word: String) -> Option<Value<'a>> {
        match word.to_ascii_lowercase().as_str() {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            "null" => return Some(Value::Null),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                return Some(Value::Text(word));
            }
            _ => {}
        }
        let mut then = Vec::new();
        loop {
            if self.take('.') {
                match self.tokens.get(self.at) {
                    Some(Token::Word(word)) => then.push(word.clone()),
                    _ => return None,
                }
                self.at += 1;
            } else if self.take('[') {
                let key = self.value()?;
                if !self.take(']') {
                    return None;
                }
                match key.text() {
                    Some(key) => then.push(key),
                    None => return Some(Value::Unknown(key.why())),
                }
            } else {
                return Some(self.names.value(&word, &then));
            }
        }
    }

    fn call(&mut self, name: &str) -> Option<Value<'a>> {
        let mut arguments = Vec::new();
        if !self.take(')') {
            loop {
                arguments.push(self.value()?);
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return None;
                }
            }
        }
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "always" | "succeeded" | "failed" | "canceled" | "succeededorfailed" => {
                let of: Vec<String> = arguments.iter().filter_map(Value::text).collect();
                Some(self.names.status(&name, &of))
            }
            _ => call(&name, &arguments),
        }
    }
}
