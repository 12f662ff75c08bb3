//! Conditions as they were read, before it is known which action they are asked about.

use serde_json::{Value, json};

use crate::facts::Fact;
use crate::names::ArgumentName;
use crate::pattern::Pattern;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// It always comes out so.
    Const(bool),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// A test of the action's name.
    Action(Check),
    /// A test of an argument, and how it comes out when that was left out.
    Argument {
        name: ArgumentName,
        check: Check,
        absent: bool,
    },
    /// A test of a circumstance.
    Circumstance(&'static str, Check),
}

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Check {
    Yes(bool),
    Texts(Vec<String>),
    Numbers(Vec<i64>),
    AtLeast(i64),
    AtMost(i64),
    /// Shapes as [`Pattern`] writes them, one of which must fit.
    Shapes(Vec<String>),
}

impl Check {
    /// Tests as policy files write them, one of which must hold.
    fn tests(&self) -> Vec<Value> {
        match self {
            Self::Yes(value) => vec![json!({ "is": value })],
            Self::Texts(texts) => texts.chunks(256).map(|texts| json!({ "in": texts })).collect(),
            Self::Numbers(all) => all.chunks(256).map(|all| json!({ "in": all })).collect(),
            Self::AtLeast(bound) => vec![json!({ "at_least": bound })],
            Self::AtMost(bound) => vec![json!({ "at_most": bound })],
            Self::Shapes(shapes) => {
                shapes.iter().map(|shape| json!({ "matches": shape })).collect()
            }
        }
    }

    /// How it comes out for a text.
    fn of_text(&self, text: &str) -> bool {
        match self {
            Self::Texts(texts) => texts.iter().any(|one| one == text),
            Self::Shapes(shapes) => {
                shapes.iter().any(|one| Pattern::new(one).is_some_and(|shape| shape.fits(text)))
            }
            Self::Yes(_) | Self::Numbers(_) | Self::AtLeast(_) | Self::AtMost(_) => false,
        }
    }

    /// A fact of the kind that is tested, to tell types apart.
    pub(super) fn sample(&self) -> Fact {
        match self {
            Self::Yes(_) => Fact::Bool(true),
            Self::Texts(_) | Self::Shapes(_) => Fact::Text(String::new()),
            Self::Numbers(_) | Self::AtLeast(_) | Self::AtMost(_) => Fact::Long(0),
        }
    }
}

impl Expr {
    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// What is left of it for one action.
    pub(super) fn of_action(&self, action: &str) -> Self {
        match self {
            Self::Action(check) => Self::Const(check.of_text(action)),
            Self::Not(part) => match part.of_action(action) {
                Self::Const(value) => Self::Const(!value),
                part => part.not(),
            },
            Self::All(parts) => joined(parts, action, false, Self::All),
            Self::Any(parts) => joined(parts, action, true, Self::Any),
            Self::Const(_) | Self::Argument { .. } | Self::Circumstance(..) => self.clone(),
        }
    }

    /// The condition as a policy file writes it. What is left for an action has no [`Expr::Action`] in it.
    pub(super) fn to_json(&self) -> Value {
        let list = |parts: &[Self]| parts.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::All(parts) => json!({ "all": list(parts) }),
            Self::Any(parts) => json!({ "any": list(parts) }),
            Self::Not(part) => json!({ "not": part.to_json() }),
            Self::Argument { name, check, absent } => {
                // The long form is never taken for a circumstance.
                let subject = format!("arguments.{name}.value");
                let mut any: Vec<Value> =
                    check.tests().into_iter().map(|test| json!({ &subject: test })).collect();
                if *absent {
                    any.push(json!({ format!("arguments.{name}"): { "present": false } }));
                }
                one_or_any(any)
            }
            Self::Circumstance(subject, check) => one_or_any(
                check.tests().into_iter().map(|test| json!({ *subject: test })).collect(),
            ),
            // Whoever writes rules leaves these out: a rule that is always or never on needs no condition.
            Self::Const(_) | Self::Action(_) => json!({ "all": [] }),
        }
    }

    /// How many tests it has as a policy file, and how deep they lie.
    pub(super) fn size(&self) -> (usize, usize) {
        let of = |parts: &[Self]| {
            parts
                .iter()
                .map(Self::size)
                .fold((0, 0), |(tests, depth), (more, deep)| (tests + more, depth.max(deep + 1)))
        };
        match self {
            Self::All(parts) | Self::Any(parts) => of(parts),
            Self::Not(part) => of(std::slice::from_ref(&**part)),
            Self::Argument { check, absent, .. } => {
                let tests = check.tests().len() + usize::from(*absent);
                (tests, usize::from(tests > 1))
            }
            Self::Circumstance(_, check) => (check.tests().len(), 1),
            Self::Const(_) | Self::Action(_) => (0, 0),
        }
    }

    /// Every test of the action's name.
    pub(super) fn actions<'e>(&'e self, named: &mut Vec<&'e str>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.actions(named);
                }
            }
            Self::Not(part) => part.actions(named),
            Self::Action(Check::Texts(texts)) => named.extend(texts.iter().map(String::as_str)),
            Self::Const(_) | Self::Action(_) | Self::Argument { .. } | Self::Circumstance(..) => {}
        }
    }
}

/// The parts for one action. `decides` is what one of them alone makes of them all.
fn joined(parts: &[Expr], action: &str, decides: bool, join: fn(Vec<Expr>) -> Expr) -> Expr {
    let mut left = Vec::new();
    for part in parts {
        match part.of_action(action) {
            Expr::Const(value) if value == decides => return Expr::Const(decides),
            Expr::Const(_) => {}
            part => left.push(part),
        }
    }
    match left.len() {
        0 => Expr::Const(!decides),
        1 => left.remove(0),
        _ => join(left),
    }
}

fn one_or_any(mut any: Vec<Value>) -> Value {
    if any.len() == 1 { any.remove(0) } else { json!({ "any": any }) }
}
