//! Conditions as Cedar expressions, in strong three-valued logic (Kleene, "Introduction to Metamathematics",
//! §64): a fact may be unknown, and what is not known is neither true nor false.
//!
//! Each condition has two expressions. `must` is true when it is true whatever the unknown facts are; `may`
//! is true unless it is false whatever they are. No expression can fail: it asks `has` before it looks.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Expr, Literal as Lit, NonEmpty, PatternElem, UnaryOp, Var};

use crate::circumstances::CIRCUMSTANCES;
use crate::condition::{Clause, Condition, Literal, Subject, Test};
use crate::pattern::Piece;

type Shared = Arc<Expr>;

/// True when the condition is true for sure.
pub(crate) fn must(condition: &Condition) -> Shared {
    match condition {
        Condition::All(parts) => fold(BinaryOp::And, parts.iter().map(must).collect()),
        Condition::Any(parts) => fold(BinaryOp::Or, parts.iter().map(must).collect()),
        Condition::Not(part) => not(may(part)),
        Condition::Clause(clause) => clause_must(clause),
    }
}

/// True unless the condition is false for sure.
pub(crate) fn may(condition: &Condition) -> Shared {
    match condition {
        Condition::All(parts) => fold(BinaryOp::And, parts.iter().map(may).collect()),
        Condition::Any(parts) => fold(BinaryOp::Or, parts.iter().map(may).collect()),
        Condition::Not(part) => not(must(part)),
        Condition::Clause(clause) => clause_may(clause),
    }
}

fn clause_must(clause: &Clause) -> Shared {
    if let Some(sure) = of_state(clause) {
        return sure;
    }
    let looked = Looked::at(&clause.subject);
    let test = test(looked.value(), &clause.test);
    looked.if_there(fold(BinaryOp::And, vec![looked.known(), test]))
}

fn clause_may(clause: &Clause) -> Shared {
    if let Some(sure) = of_state(clause) {
        return sure;
    }
    let looked = Looked::at(&clause.subject);
    let test = test(looked.value(), &clause.test);
    looked.if_there(Arc::new(Expr::IfThenElse {
        cond: looked.known(),
        then_expr: test,
        else_expr: literal(Lit::Bool(true)),
    }))
}

/// Tests of whether something is there or known are never unknown themselves.
fn of_state(clause: &Clause) -> Option<Shared> {
    match (&clause.test, &clause.subject) {
        (Test::Present(is), Subject::Argument { name }) => {
            Some(signed(has(&arguments(), name.as_str()), *is))
        }
        (Test::Known(is), subject) => {
            let looked = Looked::at(subject);
            Some(looked.if_there(signed(looked.known(), *is)))
        }
        _ => None,
    }
}

/// The record that a fact is in, whether that is sure to be there, and the fact's name.
struct Looked {
    record: Shared,
    guard: Option<Shared>,
    name: String,
}

impl Looked {
    fn at(subject: &Subject) -> Self {
        match subject {
            Subject::Fact { argument, of, fact, optional } => Self {
                record: get(&arguments(), argument.as_str()),
                guard: optional.then(|| has(&arguments(), argument.as_str())),
                name: of.facts().get(*fact).map_or("", |(name, _)| name).to_owned(),
            },
            Subject::Circumstance(index) => {
                let one = CIRCUMSTANCES.get(*index);
                let record = get(&context(), one.map_or("", |one| one.group));
                Self { record, guard: None, name: one.map_or("", |one| one.name).to_owned() }
            }
            // Only `present` looks at an argument as such, and needs no fact of it.
            Subject::Argument { name } => {
                Self { record: arguments(), guard: None, name: name.as_str().to_owned() }
            }
        }
    }

    fn value(&self) -> Shared {
        get(&self.record, &self.name)
    }

    fn known(&self) -> Shared {
        has(&self.record, &self.name)
    }

    /// An argument that is left out is known to be: no test of it is true.
    fn if_there(&self, then: Shared) -> Shared {
        match &self.guard {
            Some(guard) => fold(BinaryOp::And, vec![Arc::clone(guard), then]),
            None => then,
        }
    }
}

fn test(value: Shared, test: &Test) -> Shared {
    let binary = |op, right| Arc::new(Expr::BinaryOp { op, left: Arc::clone(&value), right });
    let long = |number: i64| literal(Lit::Long(number));
    match test {
        // Handled before a value is looked at.
        Test::Present(_) | Test::Known(_) => literal(Lit::Bool(false)),
        Test::Is(wanted) => binary(BinaryOp::Eq, of_literal(wanted)),
        Test::In(wanted) => one_of(wanted, value),
        Test::NotIn(wanted) => not(one_of(wanted, value)),
        Test::AtLeast(number) => binary(BinaryOp::GreaterEq, long(*number)),
        Test::AtMost(number) => binary(BinaryOp::LessEq, long(*number)),
        Test::Above(number) => binary(BinaryOp::Greater, long(*number)),
        Test::Below(number) => binary(BinaryOp::Less, long(*number)),
        Test::Contains(one) => binary(BinaryOp::Contains, literal(Lit::String(one.into()))),
        Test::ContainsAny(texts) => binary(BinaryOp::ContainsAny, text_set(texts)),
        Test::ContainsAll(texts) => binary(BinaryOp::ContainsAll, text_set(texts)),
        Test::SubsetOf(texts) => Arc::new(Expr::BinaryOp {
            op: BinaryOp::ContainsAll,
            left: text_set(texts),
            right: value,
        }),
        Test::Empty(is) => {
            signed(Arc::new(Expr::UnaryOp { op: UnaryOp::IsEmpty, expr: value }), *is)
        }
        Test::Matches(pattern) => {
            let pattern = pattern.pieces().iter().map(|piece| match piece {
                Piece::Any => PatternElem::Wildcard,
                Piece::Char(c) => PatternElem::Char(*c),
            });
            Arc::new(Expr::Like { expr: value, pattern: pattern.collect() })
        }
    }
}

/// Cedar puts a set of literals together each time it meets one: a few comparisons are quicker.
const COMPARED_MAX: usize = 8;

fn one_of(wanted: &[Literal], value: Shared) -> Shared {
    if wanted.len() <= COMPARED_MAX {
        let is = |wanted| {
            let (left, right) = (Arc::clone(&value), of_literal(wanted));
            Arc::new(Expr::BinaryOp { op: BinaryOp::Eq, left, right })
        };
        return fold(BinaryOp::Or, wanted.iter().map(is).collect());
    }
    let set = Arc::new(Expr::Set(wanted.iter().map(of_literal).collect()));
    Arc::new(Expr::BinaryOp { op: BinaryOp::Contains, left: set, right: value })
}

fn text_set(texts: &[String]) -> Shared {
    Arc::new(Expr::Set(texts.iter().map(|text| literal(Lit::String(text.into()))).collect()))
}

fn of_literal(wanted: &Literal) -> Shared {
    literal(match wanted {
        Literal::Bool(value) => Lit::Bool(*value),
        Literal::Long(value) => Lit::Long(*value),
        Literal::Text(value) => Lit::String(value.into()),
    })
}

pub(crate) fn literal(value: Lit) -> Shared {
    Arc::new(Expr::Literal(value))
}

fn context() -> Shared {
    Arc::new(Expr::Var(Var::Context))
}

fn arguments() -> Shared {
    get(&context(), "arguments")
}

fn get(of: &Shared, attr: &str) -> Shared {
    Arc::new(Expr::GetAttr { expr: Arc::clone(of), attr: attr.into() })
}

fn has(of: &Shared, attr: &str) -> Shared {
    Arc::new(Expr::HasAttr { expr: Arc::clone(of), attrs: NonEmpty::new(attr.into()) })
}

fn not(of: Shared) -> Shared {
    Arc::new(Expr::UnaryOp { op: UnaryOp::Not, expr: of })
}

fn signed(of: Shared, is: bool) -> Shared {
    if is { of } else { not(of) }
}

/// Joins halves of halves, so that many parts do not make a deep expression: Cedar bounds the depth.
fn fold(op: BinaryOp, mut parts: Vec<Shared>) -> Shared {
    let right = parts.split_off(parts.len() / 2);
    let half = |mut parts: Vec<Shared>| match parts.len() {
        1 => parts.remove(0),
        _ => fold(op, parts),
    };
    match (parts.is_empty(), right.is_empty()) {
        // What is read has at least one part.
        (true, true) => literal(Lit::Bool(op == BinaryOp::And)),
        (true, false) => half(right),
        _ => Arc::new(Expr::BinaryOp { op, left: half(parts), right: half(right) }),
    }
}
