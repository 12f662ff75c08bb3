//! `limit`: how often actions may be done, and how much they may use.

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Kind, Node};

use super::findings::{At, Findings, words};
use super::form::{self, Form};
use super::when::{self, Actions};
use crate::rule::{self, BUDGET_MAX, Count, Limit, Of, Per, TIMES_MAX};

/// What can be counted, one of them.
const COUNTED: [&str; 4] = ["rate", "tokens", "usd", "sum"];
const SPANS: &str = "second, minute, hour or day";

/// Reads one. `None` when something in it is wrong; that has been said then.
pub(crate) fn read(
    node: &Node,
    about: Actions<'_>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<Limit> {
    let fields = &["rate", "tokens", "usd", "sum", "most", "otherwise", "count"];
    let form = Form::open(node, "`limit`", fields, at, found)?;
    let mut counted = COUNTED.into_iter().filter(|name| form.entry(name).is_some());
    let (first, second) = (counted.next(), counted.next());
    let count = count(&form, at, found);
    let Some(name) = first else {
        let message = "a limit says what it counts".to_owned();
        let hint = "add `rate: 100/hour`, `tokens: 100000/day`, `usd: 5.00/day`, or `sum: amount.minor` and `most: 5000/day`";
        found.error(at, form.place, message, hint.into());
        return None;
    };
    if let Some(entry) = second.and_then(|name| form.entry(name)) {
        let message = format!("a limit counts one thing, and this one `{name}` already");
        found.error(at, entry.key_place, message, "write a second rule for the other".into());
        return None;
    }
    for (field, of) in [("most", &["sum"][..]), ("otherwise", &["tokens", "usd"])] {
        if let Some(entry) = form.entry(field).filter(|_| !of.contains(&name)) {
            let message = format!("`{field}` is for {}", words(of));
            found.error(at, entry.key_place, message, "leave it out".into());
            return None;
        }
    }
    let (of, most, per) = of(&form, name, about, at, found)?;
    let otherwise = match form.get("otherwise") {
        Some(node) => Some(otherwise(node, &of, most, at, found)?),
        None => None,
    };
    Some(Limit { of, most, per, count: count?, otherwise })
}

fn of(
    form: &Form<'_>,
    name: &str,
    about: Actions<'_>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<(Of, u64, Per)> {
    let node = form.get(name)?;
    if name == "sum" {
        let text = form::text(node, "`sum`", at, found)?;
        let subject = when::summed(text, node.place, about, at, found)?;
        let most = form.need("most", "add `most: 5000/day`", at, found)?;
        let (most, per) = budget(most, "`most`", "5000/day", rule::whole, at, found)?;
        return Some((Of::Sum(subject), most, per));
    }
    if name == "rate" {
        let text = form::text(node, "`rate`", at, found)?;
        let Some((most, per)) = Limit::rate(text) else {
            let hint = format!("write 1 to {TIMES_MAX}, `/`, and {SPANS}: 100/hour");
            found.error(at, node.place, format!("`{text}` is not a rate"), hint);
            return None;
        };
        return Some((Of::Calls, most, per));
    }
    let (of, example, read): (_, _, fn(&str) -> Option<u64>) = match name {
        "tokens" => (Of::Tokens, "100000/day", rule::whole),
        _ => (Of::CostNanousd, "5.00/day", rule::nanousd),
    };
    let (most, per) = budget(node, &format!("`{name}`"), example, read, at, found)?;
    Some((of, most, per))
}

fn budget(
    node: &Node,
    what: &str,
    example: &str,
    read: fn(&str) -> Option<u64>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<(u64, Per)> {
    let text = form::text(node, what, at, found)?;
    let budget = Limit::budget(text, read);
    if budget.is_none() {
        let hint = format!("write an amount above 0, `/`, and {SPANS}: {example}");
        found.error(at, node.place, format!("{what} is no budget: `{text}`"), hint);
    }
    budget
}

/// What is reserved when nobody knows; more than the whole limit would be no other than to refuse.
fn otherwise(node: &Node, of: &Of, most: u64, at: At<'_>, found: &mut Findings) -> Option<u64> {
    let written = match &node.kind {
        Kind::Number(_, written) => written.as_str(),
        _ => form::text(node, "`otherwise`", at, found)?,
    };
    let read = if *of == Of::Tokens { rule::whole(written) } else { rule::nanousd(written) };
    let read = read.filter(|amount| (1..=most.min(BUDGET_MAX)).contains(amount));
    if read.is_none() {
        let message = format!("`otherwise` is no amount up to the whole limit: `{written}`");
        let hint = "write what one call can use at most".to_owned();
        found.error(at, node.place, message, hint);
    }
    read
}

fn count(limit: &Form<'_>, at: At<'_>, found: &mut Findings) -> Option<Count> {
    let Some(node) = limit.get("count") else { return Some(Count::default()) };
    let known = ["agent", "version", "session", "user", "call"];
    let text = form::text(node, "`count`", at, found)?;
    Some(match text {
        "agent" => Count::Agent,
        "version" => Count::Version,
        "session" => Count::Session,
        "user" => Count::User,
        "call" => Count::Call,
        _ => {
            let hint =
                did_you_mean(text, &known).unwrap_or_else(|| format!("count by {}", words(&known)));
            found.error(at, node.place, format!("nobody is counted by `{text}`"), hint);
            return None;
        }
    })
}
