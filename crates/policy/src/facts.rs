//! What is known of an argument, by its declared type. Arguments are parsed, never searched as strings.
//!
//! A fact that cannot be decided is unknown, with the reason; that is a state of its own, not an empty text. Where two
//! programs that people use read the same argument differently, it cannot be decided.

mod argv;
mod email;
mod host;
mod json;
mod money;
mod path;
mod paths;
mod plain;
mod shell;
mod sql;
mod text;
mod unicode;
mod url;

use std::collections::BTreeSet;

use serde_json::Value;

/// What the declaration of a tool says an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactType {
    /// A text that is nothing more.
    Text,
    /// A path of a POSIX file system, read by a program that opens it as it is.
    Path,
    /// A list of such paths.
    Paths,
    /// An address of the web.
    Url,
    /// One or more statements of SQL.
    Sql,
    /// A command line of a POSIX shell.
    Shell,
    /// A program and its arguments, as a list.
    Argv,
    /// Addresses of electronic mail: a text with commas, or a list.
    Email,
    /// An amount in major units with its currency: `"12.34 EUR"` or `{"amount": "12.34", "currency": "EUR"}`.
    Money,
    /// A whole number of minor units.
    MoneyMinor,
    /// A whole number.
    Number,
    /// Yes or no.
    Bool,
    /// Any value, of which only the size matters.
    Size,
    /// Any value, of which the shape matters.
    Json,
    /// A list of texts.
    Texts,
}

/// What a fact's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Long,
    /// A text.
    Text,
    /// A set of texts.
    Texts,
}

/// A fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
    /// A set of texts.
    Texts(BTreeSet<String>),
    /// It cannot be decided, and why, in a few words.
    Unknown(&'static str),
}

/// The facts that a type has, by name, in order.
type Shape = &'static [(&'static str, Kind)];

/// What a fact is, or why it cannot be decided.
type Decided<T> = Result<T, &'static str>;

impl FactType {
    /// Every type.
    pub const ALL: [Self; 15] = [
        Self::Text,
        Self::Path,
        Self::Paths,
        Self::Url,
        Self::Sql,
        Self::Shell,
        Self::Argv,
        Self::Email,
        Self::Money,
        Self::MoneyMinor,
        Self::Number,
        Self::Bool,
        Self::Size,
        Self::Json,
        Self::Texts,
    ];

    /// As declarations call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Path => "path",
            Self::Paths => "paths",
            Self::Url => "url",
            Self::Sql => "sql",
            Self::Shell => "shell",
            Self::Argv => "argv",
            Self::Email => "email",
            Self::Money => "money",
            Self::MoneyMinor => "money_minor",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Size => "size",
            Self::Json => "json",
            Self::Texts => "texts",
        }
    }

    /// The type that declarations call so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }

    /// The facts that this type has, by name, in order.
    pub fn facts(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Text => text::FACTS,
            Self::Path => path::FACTS,
            Self::Paths => paths::FACTS,
            Self::Url => url::FACTS,
            Self::Sql => sql::FACTS,
            Self::Shell | Self::Argv => shell::FACTS,
            Self::Email => email::FACTS,
            Self::Money | Self::MoneyMinor => money::FACTS,
            Self::Number => plain::NUMBER,
            Self::Bool => plain::BOOL,
            Self::Size => plain::SIZE,
            Self::Json => json::FACTS,
            Self::Texts => plain::TEXTS,
        }
    }

    /// The facts of one argument: as many as [`FactType::facts`] has, in its order.
    pub fn extract(self, argument: &Value) -> Vec<Fact> {
        match self {
            Self::Text => text::extract(argument, u64::MAX, ""),
            Self::Path => path::extract(argument),
            Self::Paths => paths::extract(argument),
            Self::Url => url::extract(argument),
            Self::Sql => sql::extract(argument),
            Self::Shell => shell::extract(argument),
            Self::Argv => argv::extract(argument),
            Self::Email => email::extract(argument),
            Self::Money => money::extract(argument),
            Self::MoneyMinor => money::extract_minor(argument),
            Self::Number => plain::number(argument),
            Self::Bool => plain::yes_or_no(argument),
            Self::Size => plain::size(argument),
            Self::Json => json::extract(argument),
            Self::Texts => plain::texts(argument),
        }
    }
}

impl FactType {
    /// The facts whose bits are set, in the type's order. The others are unknown for that reason.
    pub(crate) fn extract_needed(
        self,
        argument: &Value,
        needed: u64,
        unasked: &'static str,
    ) -> Vec<Fact> {
        // Of the other types, one fact takes nearly as long as all.
        let mut facts = match self {
            Self::Text => text::extract(argument, needed, unasked),
            other => other.extract(argument),
        };
        for (index, fact) in facts.iter_mut().enumerate() {
            if needed & (1 << index) == 0 {
                *fact = Fact::Unknown(unasked);
            }
        }
        facts
    }
}

impl From<Decided<bool>> for Fact {
    fn from(decided: Decided<bool>) -> Self {
        decided.map_or_else(Self::Unknown, Self::Bool)
    }
}

impl From<Decided<i64>> for Fact {
    fn from(decided: Decided<i64>) -> Self {
        decided.map_or_else(Self::Unknown, Self::Long)
    }
}

impl From<Decided<String>> for Fact {
    fn from(decided: Decided<String>) -> Self {
        decided.map_or_else(Self::Unknown, Self::Text)
    }
}

impl From<Decided<BTreeSet<String>>> for Fact {
    fn from(decided: Decided<BTreeSet<String>>) -> Self {
        decided.map_or_else(Self::Unknown, Self::Texts)
    }
}

/// Every fact of a shape, unknown for one reason.
fn unknown(shape: Shape, why: &'static str) -> Vec<Fact> {
    vec![Fact::Unknown(why); shape.len()]
}

/// The argument as a text of bounded length.
fn text_of(argument: &Value, bytes_max: usize) -> Decided<&str> {
    match argument.as_str() {
        Some(text) if text.len() <= bytes_max => Ok(text),
        Some(_) => Err("too long"),
        None => Err("not a text"),
    }
}

/// A length as a fact.
fn long(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
