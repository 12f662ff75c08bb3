//! Takes values out of a file's tree, each of the kind that is wanted, with errors at their places.

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Entry, Kind, Node, Place};

use super::findings::{At, Findings, words};

/// The longest text of a field.
const TEXT_BYTES_MAX: usize = 4_096;

/// A map whose fields are taken one by one; what is left over is refused.
pub(crate) struct Form<'n> {
    pub(crate) place: Place,
    entries: &'n [Entry],
    known: &'static [&'static str],
}

impl<'n> Form<'n> {
    /// Opens a map. Fields that it may not have are refused here.
    pub(crate) fn open(
        node: &'n Node,
        what: &str,
        known: &'static [&'static str],
        at: At<'_>,
        found: &mut Findings,
    ) -> Option<Self> {
        let entries = map(node, what, at, found)?;
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let hint = did_you_mean(&entry.key, known)
                .unwrap_or_else(|| format!("the fields here are {}", words(known)));
            found.error(at, entry.key_place, format!("{what} has no field `{}`", entry.key), hint);
        }
        Some(Self { place: node.place, entries, known })
    }

    /// The entry of a field.
    pub(crate) fn entry(&self, field: &str) -> Option<&'n Entry> {
        debug_assert!(self.known.contains(&field), "{field} would have been refused");
        self.entries.iter().find(|entry| entry.key == field)
    }

    /// The value of a field.
    pub(crate) fn get(&self, field: &str) -> Option<&'n Node> {
        self.entry(field).map(|entry| &entry.value)
    }

    /// The value of a field that must be there.
    pub(crate) fn need(
        &self,
        field: &str,
        hint: &str,
        at: At<'_>,
        found: &mut Findings,
    ) -> Option<&'n Node> {
        let node = self.get(field);
        if node.is_none() {
            found.error(at, self.place, format!("`{field}` is missing"), hint.to_owned());
        }
        node
    }
}

/// What a value is, in words.
pub(crate) fn kind(node: &Node) -> &'static str {
    match node.kind {
        Kind::Null => "nothing",
        Kind::Bool(_) => "true or false",
        Kind::Number(..) => "a number",
        Kind::Text(_) => "text",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a map",
    }
}

fn wrong(node: &Node, what: &str, wanted: &str, at: At<'_>, found: &mut Findings) {
    let message = format!("{what} must be {wanted}, not {}", kind(node));
    let hint = match (&node.kind, wanted) {
        (Kind::Number(_, written), "text") => format!("put it in quotes: \"{written}\""),
        (Kind::Bool(value), "text") => format!("put it in quotes: \"{value}\""),
        _ => String::new(),
    };
    found.error(at, node.place, message, hint);
}

pub(crate) fn map<'n>(
    node: &'n Node,
    what: &str,
    at: At<'_>,
    found: &mut Findings,
) -> Option<&'n [Entry]> {
    if let Kind::Map(entries) = &node.kind {
        return Some(entries);
    }
    wrong(node, what, "a map", at, found);
    None
}

pub(crate) fn list<'n>(
    node: &'n Node,
    what: &str,
    at: At<'_>,
    found: &mut Findings,
) -> Option<&'n [Node]> {
    if let Kind::List(items) = &node.kind {
        return Some(items);
    }
    wrong(node, what, "a list", at, found);
    None
}

pub(crate) fn text<'n>(
    node: &'n Node,
    what: &str,
    at: At<'_>,
    found: &mut Findings,
) -> Option<&'n str> {
    match &node.kind {
        Kind::Text(text) if text.len() <= TEXT_BYTES_MAX => Some(text),
        Kind::Text(text) => {
            let message =
                format!("{what} has {} bytes; at most {TEXT_BYTES_MAX} are taken", text.len());
            found.error(at, node.place, message, String::new());
            None
        }
        _ => {
            wrong(node, what, "text", at, found);
            None
        }
    }
}

pub(crate) fn flag(node: &Node, what: &str, at: At<'_>, found: &mut Findings) -> Option<bool> {
    if let Kind::Bool(value) = node.kind {
        return Some(value);
    }
    wrong(node, what, "true or false", at, found);
    None
}

pub(crate) fn whole(node: &Node, what: &str, at: At<'_>, found: &mut Findings) -> Option<i64> {
    let whole = match &node.kind {
        Kind::Number(number, _) => number.as_i64(),
        _ => None,
    };
    if whole.is_none() {
        wrong(node, what, "a whole number", at, found);
    }
    whole
}

/// One text or a list of texts, none of them twice.
pub(crate) fn texts<'n>(
    node: &'n Node,
    what: &str,
    at: At<'_>,
    found: &mut Findings,
) -> Option<Vec<(&'n str, Place)>> {
    let Kind::List(items) = &node.kind else {
        return text(node, what, at, found).map(|one| vec![(one, node.place)]);
    };
    if items.is_empty() {
        let hint = "leave the field out, or name at least one".to_owned();
        found.error(at, node.place, format!("{what} is an empty list"), hint);
        return None;
    }
    let mut read: Vec<(&str, Place)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut good = true;
    for item in items {
        match text(item, what, at, found) {
            Some(one) if seen.insert(one) => read.push((one, item.place)),
            Some(one) => {
                let message = format!("{what} names `{one}` twice");
                found.error(at, item.place, message, "keep one of them".to_owned());
                good = false;
            }
            None => good = false,
        }
    }
    good.then_some(read)
}
