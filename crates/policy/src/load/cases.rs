//! `tests`: requests, and what must come out.

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Kind, Node, Place};

use super::findings::{At, Findings, words};
use super::form::{self, Form};
use crate::case::{Asked, Case};
use crate::decide::Verdict;
use crate::names::RuleId;

const FIELDS: &[&str] = &["name", "request", "expect", "rules"];

/// A test and the rules that it names, which may not exist.
pub(crate) struct Placed {
    pub(crate) case: Case,
    pub(crate) rules: Vec<Place>,
}

/// Reads `tests` of one file.
pub(crate) fn read(node: &Node, file: &str, cases: &mut Vec<Placed>, found: &mut Findings) {
    let items = form::list(node, "`tests`", At { file, path: "tests" }, found);
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let path = format!("tests[{index}]");
        cases.extend(case(item, At { file, path: &path }, found));
    }
}

fn case(node: &Node, at: At<'_>, found: &mut Findings) -> Option<Placed> {
    let form = Form::open(node, "a test", FIELDS, at, found)?;
    let name = form.need("name", "say what the test shows", at, found);
    let name = name.and_then(|name| form::text(name, "`name`", at, found));
    let request = form.need("request", "say what is asked", at, found);
    let asked = request.and_then(|request| asked(request, at, found));
    let expect = expect(&form, at, found);
    let named = match form.get("rules") {
        // No rule at all decides what is denied because nothing allows it.
        Some(Node { kind: Kind::List(items), .. }) if items.is_empty() => Some(Vec::new()),
        Some(node) => Some(form::texts(node, "`rules`", at, found)?),
        None => None,
    };
    let places = named.iter().flatten().map(|(_, place)| *place).collect();
    // A name that cannot be one is no rule's either, and is missed by whoever looks it up.
    let rules = named.map(|named| {
        named
            .iter()
            .map(|(id, place)| {
                let id = RuleId::new(id);
                if id.is_none() {
                    found.error(at, *place, "there is no such rule".into(), String::new());
                }
                id
            })
            .collect::<Option<Vec<_>>>()
    });
    let case = Case {
        name: name?.to_owned(),
        file: at.file.to_owned(),
        line: node.place.line,
        asked: asked?,
        expect: expect?,
        rules: match rules {
            Some(rules) => Some(rules?),
            None => None,
        },
    };
    Some(Placed { case, rules: places })
}

fn asked(node: &Node, at: At<'_>, found: &mut Findings) -> Option<Asked> {
    form::map(node, "`request`", at, found)?;
    match serde_json::from_value(node.to_json()) {
        Ok(asked) => Some(asked),
        Err(error) => {
            let hint = "a request has agent, version, tool, action, arguments, session, delegation, budget, time";
            found.error(
                at,
                node.place,
                format!("the request cannot be read: {error}"),
                hint.into(),
            );
            None
        }
    }
}

fn expect(form: &Form<'_>, at: At<'_>, found: &mut Findings) -> Option<Verdict> {
    let names = ["allow", "deny", "ask"];
    let node = form.need("expect", "say what must come out: allow, deny or ask", at, found)?;
    let text = form::text(node, "`expect`", at, found)?;
    Some(match text {
        "allow" => Verdict::Allow,
        "deny" => Verdict::Deny,
        "ask" => Verdict::Ask,
        _ => {
            let hint = did_you_mean(text, &names)
                .unwrap_or_else(|| format!("what comes out is {}", words(&names)));
            found.error(at, node.place, format!("a decision is never `{text}`"), hint);
            return None;
        }
    })
}
