//! What the fields of an imported condition mean here. A field that means nothing here is refused: what nobody knows
//! must not decide.

use std::collections::BTreeMap;

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::Place;

use super::Importing;
use super::expr::{Check, Expr};
use crate::facts::{Fact, FactType};
use crate::load::findings::{At, Findings, words};
use crate::names::ArgumentName;

/// Fields that hold the action's name. A context has one of them, and files that mix them mean two things.
const ACTION: [&str; 5] = ["action.type", "tool_name", "action", "action.name", "tool.name"];
/// Fields that are known here, and what as.
const CIRCUMSTANCES: [(&str, &str); 2] =
    [("delegation_depth", "delegation.depth"), ("delegation.depth", "delegation.depth")];
/// What stands before the name of an argument.
const ARGUMENT: [&str; 7] =
    ["args.", "arguments.", "params.", "parameters.", "tool_args.", "tool_input.", "input."];

/// Arguments as they are met, and the field that names the action.
pub(super) struct Fields<'i> {
    importing: &'i Importing,
    action: Option<String>,
    pub(super) arguments: BTreeMap<ArgumentName, FactType>,
}

impl<'i> Fields<'i> {
    pub(super) fn new(importing: &'i Importing) -> Self {
        Self { importing, action: None, arguments: BTreeMap::new() }
    }

    /// The test of a field. `absent` is how it comes out there when the field is not there.
    pub(super) fn test(
        &mut self,
        field: &str,
        check: Check,
        absent: bool,
        place: Place,
        at: At<'_>,
        found: &mut Findings,
    ) -> Option<Expr> {
        let mapped = self.importing.arguments.get(field).cloned();
        if mapped.is_none() && ACTION.contains(&field) {
            return self.action(field, check, place, at, found);
        }
        let known = CIRCUMSTANCES.iter().find(|(name, _)| mapped.is_none() && *name == field);
        if let Some((_, circumstance)) = known {
            if !matches!(check.sample(), Fact::Long(_)) {
                let message = format!("`{field}` is a whole number");
                found.error(at, place, message, "compare it with one".into());
                return None;
            }
            return Some(Expr::Circumstance(circumstance, check));
        }
        let prefixed = ARGUMENT.iter().find_map(|prefix| field.strip_prefix(prefix));
        let name = mapped.or_else(|| prefixed.and_then(ArgumentName::new));
        let Some(name) = name.filter(|name| prefixed.is_none() || !name.as_str().contains('.'))
        else {
            unknown(field, place, at, found);
            return None;
        };
        let of = match check.sample() {
            Fact::Bool(_) => FactType::Bool,
            Fact::Long(_) => FactType::Number,
            _ => FactType::Text,
        };
        let known = *self.arguments.entry(name.clone()).or_insert(of);
        if known != of {
            let message = format!(
                "`{field}` is compared as a {} here and as a {} before",
                of.name(),
                known.name()
            );
            found.error(at, place, message, "an argument has one type".into());
            return None;
        }
        Some(Expr::Argument { name, check, absent })
    }

    fn action(
        &mut self,
        field: &str,
        check: Check,
        place: Place,
        at: At<'_>,
        found: &mut Findings,
    ) -> Option<Expr> {
        if !matches!(check.sample(), Fact::Text(_)) {
            let message = format!("`{field}` is a name");
            found.error(at, place, message, "compare it with a text in quotes".into());
            return None;
        }
        let first = self.action.get_or_insert_with(|| field.to_owned());
        if first != field {
            let message = format!("both `{first}` and `{field}` name the action");
            let hint = "a call has one action here: write the same field everywhere".to_owned();
            found.error(at, place, message, hint);
            return None;
        }
        Some(Expr::Action(check))
    }
}

fn unknown(field: &str, place: Place, at: At<'_>, found: &mut Findings) {
    let shown: String = field.chars().take(80).collect();
    let known: Vec<&str> =
        ACTION.into_iter().chain(CIRCUMSTANCES.iter().map(|(name, _)| *name)).collect();
    let argument = format!(
        "if it is an argument of the action, say so with --argument {shown}=NAME; if not, nobody tells it here"
    );
    let hint = match did_you_mean(field, &known) {
        Some(close) => format!("{close} {argument}"),
        None => format!("known are {} and arguments as `args.NAME`; {argument}", words(&known)),
    };
    found.error(at, place, format!("nothing is known of `{shown}`"), hint);
}
