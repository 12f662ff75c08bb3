//! The context of a Cedar request, built from facts by constructors: JSON would take ten times as long.

use cedar_policy::{Context, RestrictedExpression};

use crate::circumstances::{CIRCUMSTANCES, Circumstance, GROUPS};
use crate::facts::Fact;
use crate::observed::Observed;

/// What the policies of a slice look at. What none looks at need not be built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// For each argument of the action, in its order: a bit for each fact, and [`THERE`].
    pub(crate) arguments: Vec<u64>,
    /// A bit for each of [`CIRCUMSTANCES`].
    pub(crate) circumstances: u32,
}

/// The bit that stands for an argument as such. No type has that many facts.
pub(crate) const THERE: u64 = 1 << 63;

impl Needs {
    /// Everything there is of so many arguments.
    pub(crate) fn everything(arguments: usize) -> Self {
        Self { arguments: vec![u64::MAX; arguments], circumstances: u32::MAX }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if self.arguments.len() < other.arguments.len() {
            self.arguments.resize(other.arguments.len(), 0);
        }
        for (mine, theirs) in self.arguments.iter_mut().zip(&other.arguments) {
            *mine |= theirs;
        }
        self.circumstances |= other.circumstances;
    }
}

/// The context, or why there is none, in Cedar's words. A group that nothing is needed of is left out.
pub(crate) fn context(observed: &Observed, needs: &Needs) -> Result<Context, String> {
    let mut pairs = Vec::with_capacity(GROUPS.len() + 1);
    pairs.push(("arguments".to_owned(), arguments(observed, &needs.arguments)?));
    for group in GROUPS {
        let wanted = |(index, one): &(usize, &Circumstance)| {
            one.group == *group && needs.circumstances & (1 << index) != 0
        };
        let mut wanted = CIRCUMSTANCES.iter().enumerate().filter(wanted).peekable();
        if wanted.peek().is_none() {
            continue;
        }
        let known = wanted.filter_map(|(index, one)| {
            Some((one.name.to_owned(), value(observed.circumstances.get(index)?)?))
        });
        pairs.push(((*group).to_owned(), record(known)?));
    }
    Context::from_pairs(pairs).map_err(|error| error.to_string())
}

fn arguments(observed: &Observed, needed: &[u64]) -> Result<RestrictedExpression, String> {
    let mut fields = Vec::new();
    for (argument, needed) in observed.arguments.iter().zip(needed) {
        let Some(facts) = argument.facts.as_ref().filter(|_| *needed != 0) else { continue };
        let names = argument.of.facts().iter().enumerate();
        let known = names.zip(facts).filter_map(|((index, (name, _)), fact)| {
            let wanted = needed & (1 << index) != 0;
            Some(((*name).to_owned(), wanted.then(|| value(fact)).flatten()?))
        });
        fields.push((argument.name.as_str().to_owned(), record(known)?));
    }
    record(fields.into_iter())
}

fn record(
    fields: impl Iterator<Item = (String, RestrictedExpression)>,
) -> Result<RestrictedExpression, String> {
    RestrictedExpression::new_record(fields).map_err(|error| error.to_string())
}

/// `None` for what is unknown: an attribute that is not there.
fn value(fact: &Fact) -> Option<RestrictedExpression> {
    Some(match fact {
        Fact::Bool(value) => RestrictedExpression::new_bool(*value),
        Fact::Long(value) => RestrictedExpression::new_long(*value),
        Fact::Text(value) => RestrictedExpression::new_string(value.clone()),
        Fact::Texts(values) => RestrictedExpression::new_set(
            values.iter().cloned().map(RestrictedExpression::new_string),
        ),
        Fact::Unknown(_) => return None,
    })
}
