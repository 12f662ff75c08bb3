//! What is known of an argument, by its declared type. Arguments are parsed, never searched as strings.
//!
//! A fact that cannot be decided is unknown, with the reason; that is a state of its own, not an empty text.

use std::collections::BTreeSet;

use serde_json::Value;

/// What the declaration of a tool says an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactType {
    /// A text that is nothing more.
    Text,
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

impl FactType {
    /// As declarations call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
        }
    }

    /// The facts that this type has, by name, in order.
    pub fn facts(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Text => &[("bytes", Kind::Long), ("value", Kind::Text)],
        }
    }

    /// The facts of one argument: as many as [`FactType::facts`] has, in its order.
    pub fn extract(self, argument: &Value) -> Vec<Fact> {
        match self {
            Self::Text => match argument.as_str() {
                Some(text) => vec![
                    Fact::Long(i64::try_from(text.len()).unwrap_or(i64::MAX)),
                    Fact::Text(text.to_owned()),
                ],
                None => vec![Fact::Unknown("not a text"), Fact::Unknown("not a text")],
            },
        }
    }
}

impl FactType {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Text];

    /// The type that declarations call so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| of.name() == name)
    }
}
