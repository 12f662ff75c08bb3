//! The context of a Cedar request, built from facts by constructors: JSON would take ten times as long.

use cedar_policy::{Context, RestrictedExpression};

use crate::circumstances::{CIRCUMSTANCES, GROUPS};
use crate::facts::Fact;
use crate::observed::Observed;

/// What the policies of a slice look at. What none looks at need not be built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// A bit for each argument of the action, in its order.
    pub(crate) arguments: u64,
    /// A bit for each of [`CIRCUMSTANCES`].
    pub(crate) circumstances: u32,
}

impl Needs {
    pub(crate) const ALL: Self = Self { arguments: u64::MAX, circumstances: u32::MAX };

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            arguments: self.arguments | other.arguments,
            circumstances: self.circumstances | other.circumstances,
        }
    }
}

/// The context, or why there is none, in Cedar's words.
pub(crate) fn context(observed: &Observed, needs: Needs) -> Result<Context, String> {
    let mut pairs = Vec::with_capacity(GROUPS.len() + 1);
    pairs.push(("arguments".to_owned(), arguments(observed, needs.arguments)?));
    for group in GROUPS {
        let known = CIRCUMSTANCES.iter().enumerate().filter_map(|(index, one)| {
            let wanted = one.group == *group && needs.circumstances & (1 << index) != 0;
            let value = wanted.then(|| value(observed.circumstances.get(index)?)).flatten()?;
            Some((one.name.to_owned(), value))
        });
        pairs.push(((*group).to_owned(), record(known)?));
    }
    Context::from_pairs(pairs).map_err(|error| error.to_string())
}

fn arguments(observed: &Observed, needed: u64) -> Result<RestrictedExpression, String> {
    let mut fields = Vec::new();
    for (index, argument) in observed.arguments.iter().enumerate() {
        let Some(facts) = &argument.facts else { continue };
        if needed & (1 << index) == 0 {
            continue;
        }
        let known = argument
            .of
            .facts()
            .iter()
            .zip(facts)
            .filter_map(|((name, _), fact)| Some(((*name).to_owned(), value(fact)?)));
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
