//! What becomes of a failure that something else in the script catches.

use super::Blocking;
use super::lex::Raw;
use super::parse::{AndOr, Node, Pipeline};

pub(super) fn no(why: &str) -> Blocking {
    Blocking::No(why.to_owned())
}

/// Commands of PowerShell itself leave the status of the last program as it is.
pub(super) fn is_cmdlet(and_or: &AndOr) -> bool {
    let [Pipeline { parts, .. }] = and_or.pipelines.as_slice() else { return false };
    let Some(Node::Simple(simple)) = parts.first() else { return false };
    let name = simple.words.first().and_then(Raw::fixed).unwrap_or_default();
    let starts = |part: &str| part.starts_with(|c: char| c.is_ascii_uppercase());
    name.split_once('-').is_some_and(|(verb, noun)| starts(verb) && starts(noun))
}

/// What becomes of a failure that this catches.
pub(super) fn caught_by(fallback: &Pipeline, succeeds: Option<bool>) -> Blocking {
    match fallback.parts.first() {
        Some(Node::Simple(simple)) if simple.words.is_empty() => {
            Blocking::Unsure("the script keeps the failure for later".into())
        }
        Some(Node::Simple(simple)) => {
            let name = simple.words[0].fixed().unwrap_or_default();
            if succeeds == Some(true) {
                no(&format!("`|| {name}` catches a failure"))
            } else {
                Blocking::Unsure(format!("after a failure `{name}` decides"))
            }
        }
        _ if succeeds == Some(true) => no("what is behind `||` catches a failure"),
        _ => Blocking::Unsure("after a failure something else decides".into()),
    }
}
