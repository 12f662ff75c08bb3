//! Conditions decided here, without Cedar, in three values: to explain a decision clause by clause, and to
//! hold against what Cedar says of the same condition.

use serde::Serialize;
use serde_json::Value;

use crate::condition::{Clause, Condition, Literal, Test};
use crate::facts::Fact;
use crate::observed::{Observed, Seen, to_json};

/// Strong three-valued logic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// False whatever the unknown facts are.
    False,
    /// It depends on them.
    Unknown,
    /// True whatever they are.
    True,
}

impl Truth {
    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }

    fn rank(self) -> u8 {
        self as u8
    }
}

/// How a condition came out, part by part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traced {
    /// The test, or `all`, `any`, `not`.
    pub text: String,
    /// How it came out.
    pub truth: Truth,
    /// The fact that was tested; `null` for an argument that was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What it is put together from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Self>,
}

/// How a condition comes out.
pub(crate) fn truth(condition: &Condition, observed: &Observed) -> Truth {
    match condition {
        Condition::All(parts) => all(parts.iter().map(|part| truth(part, observed))),
        Condition::Any(parts) => any(parts.iter().map(|part| truth(part, observed))),
        Condition::Not(part) => truth(part, observed).not(),
        Condition::Clause(clause) => of_clause(clause, observed),
    }
}

/// The same, part by part.
pub(crate) fn trace(condition: &Condition, observed: &Observed) -> Traced {
    let group = |text: &str, parts: &[Condition]| Traced {
        text: text.to_owned(),
        truth: truth(condition, observed),
        value: None,
        parts: parts.iter().map(|part| trace(part, observed)).collect(),
    };
    match condition {
        Condition::All(parts) => group("all", parts),
        Condition::Any(parts) => group("any", parts),
        Condition::Not(part) => group("not", std::slice::from_ref(part)),
        Condition::Clause(clause) => Traced {
            text: clause.to_string(),
            truth: of_clause(clause, observed),
            value: Some(match observed.seen(&clause.subject) {
                Seen::Absent => Value::Null,
                Seen::Present => Value::from("present"),
                Seen::Fact(fact) => to_json(fact),
            }),
            parts: Vec::new(),
        },
    }
}

fn all(parts: impl Iterator<Item = Truth>) -> Truth {
    parts.min_by_key(|truth| truth.rank()).unwrap_or(Truth::True)
}

fn any(parts: impl Iterator<Item = Truth>) -> Truth {
    parts.max_by_key(|truth| truth.rank()).unwrap_or(Truth::False)
}

fn of_clause(clause: &Clause, observed: &Observed) -> Truth {
    let seen = observed.seen(&clause.subject);
    match (&clause.test, seen) {
        (Test::Present(is), _) => Truth::of((seen != Seen::Absent) == *is),
        (_, Seen::Absent | Seen::Present) => Truth::False,
        (Test::Known(is), Seen::Fact(fact)) => Truth::of(!matches!(fact, Fact::Unknown(_)) == *is),
        (_, Seen::Fact(Fact::Unknown(_))) => Truth::Unknown,
        (test, Seen::Fact(fact)) => Truth::of(holds(fact, test)),
    }
}

/// Whether a known fact passes a test. One that does not fit passes none; such are refused when read.
pub(crate) fn holds(fact: &Fact, test: &Test) -> bool {
    let is = |wanted: &Literal| match (wanted, fact) {
        (Literal::Bool(wanted), Fact::Bool(value)) => wanted == value,
        (Literal::Long(wanted), Fact::Long(value)) => wanted == value,
        (Literal::Text(wanted), Fact::Text(value)) => wanted == value,
        _ => false,
    };
    match (test, fact) {
        (Test::Is(wanted), _) => is(wanted),
        (Test::In(wanted), _) => wanted.iter().any(is),
        (Test::NotIn(wanted), _) => !wanted.iter().any(is),
        (Test::AtLeast(bound), Fact::Long(value)) => value >= bound,
        (Test::AtMost(bound), Fact::Long(value)) => value <= bound,
        (Test::Above(bound), Fact::Long(value)) => value > bound,
        (Test::Below(bound), Fact::Long(value)) => value < bound,
        (Test::Contains(one), Fact::Texts(set)) => set.contains(one),
        (Test::ContainsAny(texts), Fact::Texts(set)) => texts.iter().any(|text| set.contains(text)),
        (Test::ContainsAll(texts), Fact::Texts(set)) => texts.iter().all(|text| set.contains(text)),
        (Test::SubsetOf(texts), Fact::Texts(set)) => set.iter().all(|text| texts.contains(text)),
        (Test::Empty(wanted), Fact::Texts(set)) => set.is_empty() == *wanted,
        (Test::Matches(pattern), Fact::Text(value)) => pattern.fits(value),
        _ => false,
    }
}
