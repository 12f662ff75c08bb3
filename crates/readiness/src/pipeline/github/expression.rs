//! Expressions between `${{` and `}}`: read, and evaluated as far as the files say what they come to.

mod function;
mod token;

use self::function::{call, equal, ordered};
pub(in super::super) use self::token::quoted;
use self::token::{Token, tokens};
use super::number;
use crate::finding::excerpt;

/// Longer than any text that somebody wrote.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Deepest brackets and operators in each other.
const DEPTH_MAX: usize = 32;

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    Number(f64),
    Null,
    List(Vec<Value>),
    /// One of these, each at some time.
    OneOf(Vec<String>),
    /// This repository, by the name that the files have for it.
    Repository,
    /// Who owns it.
    Owner,
    /// A person who works on it: no robot, and nobody in particular.
    Person,
    /// Something that is there, whatever it is.
    Something,
    /// Decided when it runs, by what has to be done: outputs of other jobs and steps.
    Open,
    /// Not in the files, or no expression at all.
    Unknown,
    /// Decided by somebody who set a variable or a secret outside the files.
    Setting,
}

impl Value {
    /// Whether it counts as true.
    pub(super) fn truth(&self) -> Truth {
        match self {
            Self::Text(text) => Truth::from(!text.is_empty() && text != "0"),
            Self::Bool(value) => Truth::from(*value),
            Self::Number(value) => Truth::from(*value != 0.0 && !value.is_nan()),
            Self::Null => Truth::No,
            Self::List(_)
            | Self::OneOf(_)
            | Self::Repository
            | Self::Owner
            | Self::Person
            | Self::Something => Truth::Yes,
            Self::Open => Truth::Open,
            Self::Unknown => Truth::Unknown,
            Self::Setting => Truth::Setting,
        }
    }

    /// The text that it becomes inside another text; `None` when it is not known.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(value) => Some(number::text(*value)),
            Self::Null => Some(String::new()),
            _ => None,
        }
    }

    fn unknown(&self) -> Option<Self> {
        matches!(self, Self::Open | Self::Unknown | Self::Setting).then(|| self.clone())
    }
}

/// Yes, no, or one of three ways not to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Open,
    Unknown,
    Setting,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// What names mean.
pub(super) trait Names {
    /// The value of `a.b.c`, all in lower case but for the keys of maps.
    fn value(&self, path: &[String]) -> Value;

    /// Whether the files call this repository, or its owner, so: `owner/name` or `owner/`, in lower case.
    fn is_called(&self, _name: &str) -> bool {
        false
    }

    /// Whether a file of the repository fits a pattern of `hashFiles`.
    fn has_file(&self, _pattern: &str) -> bool {
        false
    }
}

/// Evaluates an expression, without its `${{ }}`. What is no expression is unknown: GitHub refuses it.
pub(super) fn evaluate(text: &str, names: &dyn Names) -> Value {
    let Some(tokens) = tokens(text) else { return Value::Unknown };
    let mut parser = Parser { tokens, at: 0, names, depth: 0, is_broken: false };
    let value = parser.or();
    let is_whole = parser.at == parser.tokens.len() && !parser.is_broken;
    if is_whole { value } else { Value::Unknown }
}

/// A text with its expressions put in; what is not known becomes `unknown`.
pub(super) fn interpolate(text: &str, names: &dyn Names, unknown: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        out.push_str(before);
        // Variables that hold variables twice grow fast.
        if out.len() > TEXT_BYTES_MAX {
            return unknown.to_string();
        }
        let Some((inner, after)) = after.split_once("}}") else {
            out.push_str("${{");
            rest = after;
            continue;
        };
        match evaluate(inner, names).text() {
            Some(value) => out.push_str(&value),
            None => out.push(unknown),
        }
        rest = after;
    }
    out.push_str(rest);
    if out.len() > TEXT_BYTES_MAX { unknown.to_string() } else { out }
}

/// A value of a file, which may be one expression whole.
pub(super) fn whole(text: &str, names: &dyn Names) -> Value {
    let trimmed = text.trim();
    if let Some(inner) = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"))
        && !inner.contains("${{")
    {
        return evaluate(inner, names);
    }
    if !text.contains("${{") {
        return Value::Text(text.to_owned());
    }
    let value = interpolate(text, names, crate::shell::UNKNOWN);
    if value.contains(crate::shell::UNKNOWN) { Value::Unknown } else { Value::Text(value) }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    names: &'a dyn Names,
    depth: usize,
    /// Something is not closed, or is missing.
    is_broken: bool,
}

impl Parser<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn close(&mut self, sign: &str) {
        self.is_broken |= !self.take(sign);
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = match left.truth() {
                Truth::Yes => left,
                Truth::No => right,
                open if right.truth() == Truth::Yes => right_or(open, &right),
                // Either is enough.
                open if open == Truth::Open || right.truth() == Truth::Open => Value::Open,
                open => undecided(open, right.truth()),
            };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.comparison();
        while self.take("&&") {
            let right = self.comparison();
            left = match left.truth() {
                Truth::Yes => right,
                Truth::No => left,
                _ if right.truth() == Truth::No => right,
                open => undecided(open, right.truth()),
            };
        }
        left
    }

    fn comparison(&mut self) -> Value {
        let left = self.unary();
        for sign in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.take(sign) {
                let right = self.unary();
                return match (sign, equal(&left, &right, self.names)) {
                    ("==", Ok(equal)) => Value::Bool(equal),
                    ("!=", Ok(equal)) => Value::Bool(!equal),
                    ("==" | "!=", Err(unknown)) => unknown,
                    _ => ordered(sign, &left, &right),
                };
            }
        }
        left
    }

    fn unary(&mut self) -> Value {
        if self.depth >= DEPTH_MAX {
            self.at = self.tokens.len() + 1;
            return Value::Unknown;
        }
        self.depth += 1;
        let value = if self.take("!") {
            match self.unary().truth() {
                Truth::Yes => Value::Bool(false),
                Truth::No => Value::Bool(true),
                Truth::Open => Value::Open,
                Truth::Unknown => Value::Unknown,
                Truth::Setting => Value::Setting,
            }
        } else {
            self.primary()
        };
        self.depth -= 1;
        value
    }

    fn primary(&mut self) -> Value {
        if self.take("(") {
            let value = self.or();
            self.close(")");
            return value;
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Value::Text(text),
            Some(Token::Number(value)) => Value::Number(value),
            Some(Token::Word(word)) => {
                if self.take("(") {
                    let arguments = self.arguments();
                    return call(&word.to_ascii_lowercase(), &arguments, self.names);
                }
                match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ => self.path(&word),
                }
            }
            _ => {
                self.is_broken = true;
                Value::Unknown
            }
        }
    }

    /// Up to the bracket that closes them.
    fn arguments(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        if self.take(")") {
            return all;
        }
        loop {
            all.push(self.or());
            if !self.take(",") || self.is_broken {
                self.close(")");
                return all;
            }
        }
    }

    fn path(&mut self, first: &str) -> Value {
        let mut path = vec![first.to_ascii_lowercase()];
        loop {
            if self.take(".") {
                let Some(Token::Word(word)) = self.tokens.get(self.at) else {
                    self.is_broken = true;
                    return Value::Unknown;
                };
                path.push(word.clone());
                self.at += 1;
            } else if self.take("[") {
                let key = self.or().text();
                self.close("]");
                let Some(key) = key else { return Value::Unknown };
                path.push(key);
            } else {
                return self.names.value(&path);
            }
        }
    }
}

/// What nobody knows of both: a setting, when one of the two is.
fn undecided(left: Truth, right: Truth) -> Value {
    if left == Truth::Setting || right == Truth::Setting {
        Value::Setting
    } else if left == Truth::Unknown || right == Truth::Unknown {
        Value::Unknown
    } else {
        Value::Open
    }
}

/// `open || 'text'` for a condition is true; for a text it is not known which.
fn right_or(open: Truth, right: &Value) -> Value {
    match (right, open) {
        (Value::Bool(true), _) => Value::Bool(true),
        (_, Truth::Setting) => Value::Setting,
        (_, Truth::Unknown) => Value::Unknown,
        _ => Value::Open,
    }
}

/// An expression as it is told to people.
pub(super) fn told(text: &str) -> String {
    excerpt(text)
}

#[cfg(test)]
mod tests;
