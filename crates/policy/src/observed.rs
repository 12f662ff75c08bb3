//! The facts of one request: what was taken out of its arguments, and its circumstances.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::cedar::context::{Needs, THERE};
use crate::circumstances::{CIRCUMSTANCES, Circumstances};
use crate::condition::Subject;
use crate::facts::{Fact, FactType};
use crate::names::ArgumentName;
use crate::tools::Argument;

/// Why a fact is not known that no rule about the action looks at.
pub const UNASKED: &str = "no rule asks for it";

/// An argument's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedArgument {
    /// The argument.
    pub name: ArgumentName,
    /// What it is.
    pub of: FactType,
    /// Its facts, in the type's order; `None` when it was left out.
    pub facts: Option<Vec<Fact>>,
}

/// The facts of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// One for each declared argument, in the declaration's order.
    pub arguments: Vec<ObservedArgument>,
    /// One for each of [`CIRCUMSTANCES`].
    pub circumstances: Vec<Fact>,
}

/// What is seen of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// The argument was left out.
    Absent,
    /// The argument is there.
    Present,
    /// The fact, which may be unknown.
    Fact(&'a Fact),
}

impl Observed {
    /// Takes those facts that are needed out of arguments that were found to be declared. The others are [`UNASKED`].
    pub(crate) fn of(
        declared: &[(ArgumentName, Argument)],
        arguments: &Map<String, Value>,
        version: Option<&str>,
        circumstances: &Circumstances,
        needs: &Needs,
    ) -> Self {
        let needed = needs.arguments.iter().copied().chain(std::iter::repeat(0));
        let arguments = declared
            .iter()
            .zip(needed)
            .map(|((name, argument), needed)| ObservedArgument {
                name: name.clone(),
                of: argument.of,
                facts: arguments.get(name.as_str()).map(|value| facts(argument.of, value, needed)),
            })
            .collect();
        let circumstances = (0..CIRCUMSTANCES.len())
            .map(|index| match needs.circumstances & (1 << index) {
                0 => Fact::Unknown(UNASKED),
                _ => circumstances.fact(version, index),
            })
            .collect();
        Self { arguments, circumstances }
    }

    /// What is seen of a subject. What is not declared was never seen, and is absent.
    pub fn seen(&self, subject: &Subject) -> Seen<'_> {
        let argument = |name: &ArgumentName| self.arguments.iter().find(|one| one.name == *name);
        match subject {
            Subject::Argument { name } => match argument(name).map(|one| one.facts.is_some()) {
                Some(true) => Seen::Present,
                Some(false) | None => Seen::Absent,
            },
            Subject::Fact { argument: name, fact, .. } => {
                let facts = argument(name).and_then(|one| one.facts.as_ref());
                match facts.and_then(|facts| facts.get(*fact)) {
                    Some(fact) => Seen::Fact(fact),
                    None => Seen::Absent,
                }
            }
            Subject::Circumstance(index) => match self.circumstances.get(*index) {
                Some(fact) => Seen::Fact(fact),
                None => Seen::Absent,
            },
        }
    }
}

/// As many facts as the type has. One too few is unknown, not absent.
fn facts(of: FactType, value: &Value, needed: u64) -> Vec<Fact> {
    let length = of.facts().len();
    if needed & !THERE == 0 {
        return vec![Fact::Unknown(UNASKED); length];
    }
    let mut facts = of.extract_needed(value, needed, UNASKED);
    facts.resize(length, Fact::Unknown("not extracted"));
    facts
}

/// A fact as data; an unknown one as `{"unknown": "why"}`.
pub fn to_json(fact: &Fact) -> Value {
    match fact {
        Fact::Bool(value) => Value::Bool(*value),
        Fact::Long(value) => Value::from(*value),
        Fact::Text(value) => Value::from(value.as_str()),
        Fact::Texts(values) => values.iter().map(String::as_str).collect(),
        Fact::Unknown(why) => serde_json::json!({ "unknown": why }),
    }
}

/// `{"path.canonical": "/srv", …}`: what nobody said of the circumstances is left out, and what nobody asked for.
impl Serialize for Observed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for argument in &self.arguments {
            match &argument.facts {
                None => map.serialize_entry(argument.name.as_str(), &Value::Null)?,
                Some(facts) => {
                    let asked = |(_, fact): &(_, &Fact)| **fact != Fact::Unknown(UNASKED);
                    for ((name, _), fact) in argument.of.facts().iter().zip(facts).filter(asked) {
                        map.serialize_entry(&format!("{}.{name}", argument.name), &to_json(fact))?;
                    }
                }
            }
        }
        for (one, fact) in CIRCUMSTANCES.iter().zip(&self.circumstances) {
            if !matches!(fact, Fact::Unknown(_)) {
                map.serialize_entry(&format!("{}.{}", one.group, one.name), &to_json(fact))?;
            }
        }
        map.end()
    }
}
