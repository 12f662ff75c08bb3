//! Changes of a text by lines, as a patch without lines around it: nothing but what changes is shown.

use lockgate_model::config::document::{Entry, Kind, Node, Place};

/// Lines that others take the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// The first one, from 1. Where none are taken away, the one that new ones come after; 0 for the start.
    pub(super) line: usize,
    /// How many are taken away.
    pub(super) removed: usize,
    /// What comes instead.
    pub(super) added: Vec<String>,
}

/// A text after its changes, and the patch that makes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) text: String,
    pub(super) patch: String,
}

/// Makes the changes. `None` for texts whose lines a patch would tell wrongly: with carriage returns, or without an end of
/// the last line; and for changes that touch each other.
pub(super) fn apply(name: &str, text: &str, mut edits: Vec<Edit>) -> Option<Edited> {
    if text.contains('\r') || !text.ends_with('\n') || edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit| edit.line);
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    let mut patch = format!("--- {name}\n+++ {name}\n");
    let mut after = String::new();
    let (mut next, mut shift) = (1_usize, 0_isize);
    for edit in &edits {
        let first = if edit.removed == 0 { edit.line + 1 } else { edit.line };
        let kept = lines.get(next.checked_sub(1)?..first.checked_sub(1)?)?;
        let gone = lines.get(first - 1..(first - 1).checked_add(edit.removed)?)?;
        put(&mut after, "", kept);
        let added: Vec<&str> = edit.added.iter().map(String::as_str).collect();
        put(&mut after, "", &added);
        let at = edit.line.checked_add_signed(shift)?;
        let at = match (edit.removed, added.len()) {
            (0, _) => at + 1,
            (_, 0) => at - 1,
            _ => at,
        };
        let header = format!("@@ -{},{} +{at},{} @@", edit.line, edit.removed, added.len());
        put(&mut patch, "", &[&header]);
        put(&mut patch, "-", gone);
        put(&mut patch, "+", &added);
        next = first + edit.removed;
        shift += added.len().cast_signed() - edit.removed.cast_signed();
    }
    put(&mut after, "", lines.get(next - 1..)?);
    Some(Edited { text: after, patch })
}

fn put(text: &mut String, sign: &str, lines: &[&str]) {
    for line in lines {
        text.push_str(sign);
        text.push_str(line);
        text.push('\n');
    }
}

/// The entry of a map.
pub(super) fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
        _ => None,
    }
}

/// The values of a list.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => &[],
    }
}

/// A text value.
pub(super) fn word(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// The line with another value at a place, which must be a plain or quoted one on this line.
pub(super) fn value(text: &str, place: Place, new: &str) -> Option<Edit> {
    let line = text.split('\n').nth(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    let before: String = line.chars().take(usize::try_from(place.column).ok()? - 1).collect();
    let rest = line.strip_prefix(&before)?;
    let length = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].find(quote).filter(|_| !rest.contains('\\'))? + 2,
        '|' | '>' | '&' | '*' | '!' | '{' | '[' => return None,
        _ => rest
            .find([',', '}', ']'])
            .unwrap_or(rest.len())
            .min(rest.find(" #").unwrap_or(rest.len())),
    };
    let after = &rest[length..];
    let space = if rest[..length].ends_with(' ') { " " } else { "" };
    let added = vec![format!("{before}{new}{space}{after}")];
    Some(Edit { line: usize::try_from(place.line).ok()?, removed: 1, added })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_what_was_done() {
        let edits = vec![
            Edit { line: 3, removed: 1, added: vec!["C".into()] },
            Edit { line: 1, removed: 0, added: vec!["new".into(), "more".into()] },
            Edit { line: 4, removed: 1, added: vec![] },
        ];
        let edited = apply("f", "a\nb\nc\nd\n", edits).unwrap();
        assert_eq!(edited.text, "a\nnew\nmore\nb\nC\n");
        let patch = "--- f\n+++ f\n@@ -1,0 +2,2 @@\n+new\n+more\n@@ -3,1 +5,1 @@\n-c\n+C\n@@ -4,1 +5,0 @@\n-d\n";
        assert_eq!(edited.patch, patch);
        for text in ["a\r\n", "a", ""] {
            let edit = Edit { line: 1, removed: 1, added: vec![] };
            assert_eq!(apply("f", text, vec![edit]), None, "{text:?}");
        }
    }

    #[test]
    fn one_value_is_replaced_and_what_stands_around_it_stays() {
        let at = |text: &str, column: u32| {
            value(text, Place { line: 1, column }, "NEW").map(|edit| edit.added.concat())
        };
        assert_eq!(at("a: \"> 5%\"  # why", 4).as_deref(), Some("a: NEW  # why"));
        assert_eq!(at("a: '> 5%'", 4).as_deref(), Some("a: NEW"));
        assert_eq!(at("a: { b: \"x\", c: 1 }", 9).as_deref(), Some("a: { b: NEW, c: 1 }"));
        assert_eq!(at("a: ask", 4).as_deref(), Some("a: NEW"));
        assert_eq!(at("a: ask # now", 4).as_deref(), Some("a: NEW # now"));
        assert_eq!(at("a: {b: ask }", 8).as_deref(), Some("a: {b: NEW }"));
        assert_eq!(at("a: |", 4), None, "a block is no line");
        assert_eq!(at("a: \"x\\\"y\"", 4), None);
    }
}
