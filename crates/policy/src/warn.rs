//! What files may say but hardly mean: rules that can never match, that never count, actions that nothing allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::Bundle;
use crate::circumstances::{CIRCUMSTANCES, NEVER_SERVED};
use crate::condition::{Clause, Condition, Literal, Subject, Test};
use crate::load::Draft;
use crate::load::declared::Declared;
use crate::load::findings::{At, Findings};
use crate::rule::{Effect, Rule, Scope};

/// Rules that can never match, and those that an unconditional denial makes idle.
pub(crate) fn unreachable(draft: &Draft, found: &mut Findings) {
    let denials: Vec<&Rule> = draft
        .rules
        .iter()
        .map(|placed| &placed.rule)
        .filter(|rule| rule.effect == Effect::Deny && rule.when.is_none())
        .collect();
    for placed in &draft.rules {
        let rule = &placed.rule;
        let at = At { file: &rule.file, path: rule.id.as_str() };
        if let Some(why) = rule.when.as_ref().and_then(never) {
            let message = format!("the rule `{}` can never match: {why}", rule.id);
            found.warning(at, placed.place, message, "correct it or remove it".into());
        }
        let idle = (rule.effect != Effect::Deny)
            .then(|| denials.iter().find(|denial| covers(denial, rule)))
            .flatten();
        if let Some(denial) = idle {
            let message =
                format!("the rule `{}` never counts: `{}` denies it all", rule.id, denial.id);
            found.warning(
                at,
                placed.place,
                message,
                "give that rule a condition, or remove one".into(),
            );
        }
    }
}

/// Rules that hang on what the server never knows.
pub(crate) fn never_served(draft: &Draft, found: &mut Findings) {
    for placed in &draft.rules {
        let rule = &placed.rule;
        let clauses = rule.when.as_ref().map(Condition::clauses).unwrap_or_default();
        let unknown: BTreeSet<String> = clauses
            .into_iter()
            .filter(|clause| is_never_served(&clause.subject))
            .map(|clause| format!("`{}`", clause.subject))
            .collect();
        if unknown.is_empty() {
            continue;
        }
        let unknown = unknown.into_iter().collect::<Vec<_>>().join(", ");
        let then = match rule.effect {
            Effect::Allow => "an allow that hangs on it never matches",
            Effect::Deny | Effect::Ask | Effect::Limit => {
                "where it hangs on that alone it always matches, and never beside `known: true`"
            }
        };
        let message = format!(
            "the rule `{}` tests {unknown}, which `lockgate serve` never knows: {then}",
            rule.id
        );
        let hint = "bound it with a rule of `effect: limit`, or leave it to requests that say it";
        let at = At { file: &rule.file, path: rule.id.as_str() };
        found.warning(at, placed.place, message, hint.into());
    }
}

fn is_never_served(subject: &Subject) -> bool {
    let Subject::Circumstance(index) = subject else { return false };
    CIRCUMSTANCES.get(*index).is_some_and(|one| NEVER_SERVED.contains(&one.group))
}

/// Whether `wide` is about everything that `rule` is about.
fn covers(wide: &Rule, rule: &Rule) -> bool {
    let scope = match (&wide.scope, &rule.scope) {
        (Scope::Everything, _) => true,
        (Scope::Tool(a), Scope::Tool(b) | Scope::Actions(b, _)) => a == b,
        (Scope::Actions(a, wide), Scope::Actions(b, narrow)) => {
            a == b && narrow.iter().all(|action| wide.contains(action))
        }
        _ => false,
    };
    let agents = wide.agents.is_empty()
        || (!rule.agents.is_empty() && rule.agents.iter().all(|agent| wide.agents.contains(agent)));
    scope && agents
}

/// What must hold of one number or text at once.
#[derive(Default)]
struct Bounds<'a> {
    least: Option<i64>,
    most: Option<i64>,
    is: Option<&'a Literal>,
    present: Option<bool>,
}

/// Why a condition can never hold, if its own tests say so. Only tests that must all hold are looked at.
fn never(condition: &Condition) -> Option<String> {
    let mut clauses = Vec::new();
    together(condition, &mut clauses);
    let mut bounds: BTreeMap<String, Bounds<'_>> = BTreeMap::new();
    for Clause { subject, test } in clauses {
        let name = match subject {
            Subject::Argument { name } => name.to_string(),
            other => other.to_string(),
        };
        let of = bounds.entry(name.clone()).or_default();
        let (least, most) = match test {
            Test::AtLeast(n) => (Some(*n), None),
            Test::Above(n) => (Some(n.saturating_add(1)), None),
            Test::AtMost(n) => (None, Some(*n)),
            Test::Below(n) => (None, Some(n.saturating_sub(1))),
            Test::Is(Literal::Long(n)) => (Some(*n), Some(*n)),
            _ => (None, None),
        };
        of.least = of.least.max(least);
        of.most = match (of.most, most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let (Some(least), Some(most)) = (of.least, of.most)
            && least > most
        {
            return Some(format!("`{name}` would be at least {least} and at most {most}"));
        }
        if let Test::Is(value) = test
            && let Some(other) = of.is.replace(value)
            && other != value
        {
            return Some(format!("`{name}` would be {other} and {value}"));
        }
        if let Test::Present(is) = test
            && of.present.replace(*is).is_some_and(|other| other != *is)
        {
            return Some(format!("`{name}` would be there and not there"));
        }
    }
    None
}

fn together<'c>(condition: &'c Condition, clauses: &mut Vec<&'c Clause>) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| together(part, clauses)),
        Condition::Clause(clause) => clauses.push(clause),
        Condition::Any(_) | Condition::Not(_) => {}
    }
}

/// Declared actions that no rule allows.
pub(crate) fn not_allowed(bundle: &Bundle, declared: &[Declared], found: &mut Findings) {
    let allows =
        |rule: usize| bundle.rules.get(rule).is_some_and(|rule| rule.effect == Effect::Allow);
    for Declared { tool, action, file, place } in declared {
        let reach = bundle.index.find(tool.as_str(), action.as_str());
        let silent = reach.is_ok_and(|reach| !reach.rules().any(allows));
        if silent {
            let path = format!("tools.{tool}");
            let message = format!("nothing allows `{action}` of `{tool}`");
            found.warning(
                At { file, path: &path },
                *place,
                message,
                "add a rule with `effect: allow`, or leave it so: what is not allowed is denied"
                    .into(),
            );
        }
    }
}
