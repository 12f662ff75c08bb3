//! What Go leaves out of a run by itself: files with build constraints, and tests that no pattern names.

use super::super::flags;

/// Whether a file of Go is built with the tags of a command. Systems and compilers are taken as they usually are.
pub(super) fn is_built(text: &str, words: &[&str]) -> bool {
    let Some(constraint) = text.lines().take(40).find_map(|line| line.strip_prefix("//go:build "))
    else {
        return true;
    };
    let given: Vec<&str> = words
        .iter()
        .enumerate()
        .filter_map(|(i, word)| match word.trim_start_matches('-').split_once('=') {
            Some(("tags", value)) => Some(value),
            None if matches!(*word, "-tags" | "--tags") => words.get(i + 1).copied(),
            _ => None,
        })
        .flat_map(|value| value.split([',', ' ']))
        .collect();
    let holds = |tag: &str| {
        given.contains(&tag)
            || matches!(tag, "linux" | "unix" | "amd64" | "gc" | "cgo")
            || tag.starts_with("go1.")
    };
    // `a && !b || c`, without brackets, is what files have; anything else is taken to be built.
    if constraint.contains('(') {
        return true;
    }
    constraint.split("||").any(|all| {
        all.split("&&").all(|tag| match tag.trim().strip_prefix('!') {
            Some(tag) => !holds(tag.trim()),
            None => holds(tag.trim()),
        })
    })
}

/// Whether a plain pattern of `-run` names none of the tests in these files.
pub(super) fn names_none<'t>(words: &[&str], texts: impl Iterator<Item = &'t str>) -> bool {
    let Some(pattern) = flags::last(words, &["-run", "--run", "-test.run"]) else { return false };
    let plain = pattern.trim_start_matches('^').trim_end_matches('$');
    let is_plain = plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_plain || plain.is_empty() {
        return false;
    }
    !texts.flat_map(str::lines).any(|line| {
        // Suites have methods as their tests, which `-run` names by those that start them.
        let name =
            line.strip_prefix("func ").map(|rest| rest.split('(').next().unwrap_or_default());
        name.is_some_and(|name| name.contains(plain))
    })
}
