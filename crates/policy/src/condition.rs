//! What a rule asks for: tests of facts, put together with all, any and not.

use std::fmt;

use crate::circumstances::CIRCUMSTANCES;
use crate::facts::{FactType, Kind};
use crate::names::ArgumentName;
use crate::pattern::Pattern;

/// The most alternatives of one test.
pub const VALUES_MAX: usize = 256;
/// The most tests of one rule.
pub const CLAUSES_MAX: usize = 256;
/// The deepest nesting of all, any and not.
pub const DEPTH_MAX: usize = 12;

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Each of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// A test of one fact.
    Clause(Clause),
}

/// A test of one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// What is tested.
    pub subject: Subject,
    /// How.
    pub test: Test,
}

/// What is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whether an argument is there.
    Argument {
        /// Which.
        name: ArgumentName,
    },
    /// A fact of an argument.
    Fact {
        /// Which argument.
        argument: ArgumentName,
        /// What it is.
        of: FactType,
        /// Which fact, an index of [`FactType::facts`].
        fact: usize,
        /// Whether an action of the rule allows leaving it out.
        optional: bool,
    },
    /// An index of [`CIRCUMSTANCES`].
    Circumstance(usize),
}

/// A value that a test compares with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
}

/// How a fact is tested. Each fits facts of certain kinds only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The argument is there, or is not.
    Present(bool),
    /// The fact could be decided, or could not.
    Known(bool),
    /// Equal.
    Is(Literal),
    /// One of these.
    In(Vec<Literal>),
    /// None of these.
    NotIn(Vec<Literal>),
    /// ≥
    AtLeast(i64),
    /// ≤
    AtMost(i64),
    /// >
    Above(i64),
    /// <
    Below(i64),
    /// This is in the set.
    Contains(String),
    /// One of these is in the set.
    ContainsAny(Vec<String>),
    /// Each of these is in the set.
    ContainsAll(Vec<String>),
    /// Nothing but these is in the set.
    SubsetOf(Vec<String>),
    /// Nothing is in the set, or something is.
    Empty(bool),
    /// The text has this shape.
    Matches(Pattern),
}

impl Subject {
    /// The kind of value behind it; `None` for an argument as such.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Argument { .. } => None,
            Self::Fact { of, fact, .. } => of.facts().get(*fact).map(|(_, kind)| *kind),
            Self::Circumstance(index) => CIRCUMSTANCES.get(*index).map(|one| one.kind),
        }
    }
}

impl Condition {
    /// All its tests, whatever stands around them.
    pub fn clauses(&self) -> Vec<&Clause> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::clauses).collect(),
            Self::Not(part) => part.clauses(),
            Self::Clause(clause) => vec![clause],
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { name } => write!(f, "{name}"),
            Self::Fact { argument, of, fact, .. } => {
                let name = of.facts().get(*fact).map_or("?", |(name, _)| name);
                write!(f, "{argument}.{name}")
            }
            Self::Circumstance(index) => match CIRCUMSTANCES.get(*index) {
                Some(one) => write!(f, "{}.{}", one.group, one.name),
                None => f.write_str("?"),
            },
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value}"),
        }
    }
}

fn listed<T: fmt::Display>(values: &[T]) -> String {
    let shown: Vec<String> = values.iter().map(T::to_string).collect();
    format!("[{}]", shown.join(", "))
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(value) => write!(f, "present: {value}"),
            Self::Known(value) => write!(f, "known: {value}"),
            Self::Is(value) => write!(f, "is: {value}"),
            Self::In(values) => write!(f, "in: {}", listed(values)),
            Self::NotIn(values) => write!(f, "not_in: {}", listed(values)),
            Self::AtLeast(value) => write!(f, "at_least: {value}"),
            Self::AtMost(value) => write!(f, "at_most: {value}"),
            Self::Above(value) => write!(f, "above: {value}"),
            Self::Below(value) => write!(f, "below: {value}"),
            Self::Contains(value) => write!(f, "contains: {value}"),
            Self::ContainsAny(values) => write!(f, "contains_any: {}", listed(values)),
            Self::ContainsAll(values) => write!(f, "contains_all: {}", listed(values)),
            Self::SubsetOf(values) => write!(f, "subset_of: {}", listed(values)),
            Self::Empty(value) => write!(f, "empty: {value}"),
            Self::Matches(pattern) => write!(f, "matches: {pattern}"),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {{{}}}", self.subject, self.test)
    }
}
