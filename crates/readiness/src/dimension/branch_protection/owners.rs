//! CODEOWNERS: whether everything has an owner. The last line that names a file decides about it; in GitLab's sections
//! the last one of each, and optional sections ask nobody.

use crate::finding::Evidence;
use crate::pipeline::{glob_matches, is_prose};
use crate::tree::{Tree, has_end, name};

/// Files, the forge reads the first of these.
const FILES: [&str; 4] =
    [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// What comparing patterns with files may cost, where one that is spelled out costs 1.
const COST_MAX: usize = 60_000_000;

/// What a pattern with stars costs.
const WILD_COST: usize = 200;

/// Beginnings of names that stand for somebody who is still to be named.
const PLACEHOLDERS: [&str; 6] = ["@your", "@<", "@todo", "@changeme", "@example", "@placeholder"];

/// A line that is no comment.
struct Line<'a> {
    at: usize,
    section: usize,
    pattern: &'a str,
    is_owned: bool,
}

/// The line that gives everything an owner, or why there is none.
pub(super) fn catch_all(tree: &Tree) -> Option<Result<Evidence, (Evidence, String)>> {
    let file = FILES.into_iter().find(|file| tree.has(file))?;
    let text = tree.text(file).unwrap_or_default();
    let shown = |at: usize| Evidence::line(file, text, at);
    let lines = lines(text);
    let is_all = |line: &Line<'_>| {
        matches!(line.pattern, "*" | "**" | "/**" | "/**/*" | "**/*" | "/") && line.is_owned
    };
    let mut why = None;
    let mut left = COST_MAX;
    let behind = behind(&lines);
    // Of several sections with such a line one that nothing is taken out of is enough.
    for (i, all) in lines.iter().enumerate().filter(|(_, line)| is_all(line)) {
        let later = &lines[i + 1..behind[i].end];
        match taken(tree, later, behind[i], &mut left) {
            Taken::Nothing => return Some(Ok(shown(all.at))),
            Taken::Again => {}
            Taken::By(line, path) => {
                let reason = format!("a later line of CODEOWNERS takes the owner of {path} away");
                why = Some((line, reason));
            }
            Taken::TooMuch => {
                let reason = "CODEOWNERS has more lines for more files than are compared";
                why = Some((all.at, reason.to_owned()));
            }
        }
    }
    let hidden = text.lines().position(|line| {
        let line = line.trim_start();
        line.starts_with('#') && line.trim_start_matches('#').trim_start().starts_with("* @")
    });
    let placeholder = text.lines().position(|line| {
        let line = without_comment(line);
        line.starts_with('*') && line.split_whitespace().skip(1).any(is_placeholder)
    });
    Some(Err(match (why, hidden, placeholder) {
        (Some((line, reason)), _, _) => (shown(line), reason),
        (None, _, Some(line)) => {
            (shown(line), "the owner of everything in CODEOWNERS is a placeholder".into())
        }
        (None, Some(line), _) => {
            (shown(line), "the line of CODEOWNERS for everything is a comment".into())
        }
        (None, None, None) => {
            (Evidence::file(file, text), "CODEOWNERS has no line for everything".into())
        }
    }))
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut all = Vec::new();
    // The first section has no name; of optional ones no line counts.
    let (mut section, mut is_optional, mut is_owned_by_default) = (0, false, false);
    for (at, line) in text.lines().enumerate() {
        let line = without_comment(line);
        if line.is_empty() {
            continue;
        }
        if let Some(owners) = header(line) {
            section += 1;
            is_optional = line.starts_with('^') || line.contains("][0]");
            is_owned_by_default = owners.split_whitespace().any(is_owner);
            continue;
        }
        if is_optional {
            continue;
        }
        let mut words = line.split_whitespace();
        let pattern = words.next().unwrap_or_default();
        let owners: Vec<&str> = words.collect();
        let is_owned =
            owners.iter().any(|owner| is_owner(owner)) || owners.is_empty() && is_owned_by_default;
        all.push(Line { at, section, pattern, is_owned });
    }
    all
}

fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    let comment = line.char_indices().find(|(_, c)| {
        let begins = *c == '#' && before.is_whitespace();
        before = *c;
        begins
    });
    line[..comment.map_or(line.len(), |(at, _)| at)].trim()
}

/// The owners behind the name of a section of GitLab's: `[Docs][2] @writers`, or `^[Docs]`.
fn header(line: &str) -> Option<&str> {
    let (name, rest) = line.trim_start_matches('^').strip_prefix('[')?.split_once(']')?;
    let rest = match rest.strip_prefix('[') {
        Some(count) => count.split_once(']')?.1,
        None => rest,
    };
    (!name.is_empty() && (rest.is_empty() || rest.starts_with(char::is_whitespace))).then_some(rest)
}

/// `@name`, `@organization/team`, `@@role` of GitLab, or an address.
fn is_owner(word: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "-_.+".contains(c))
    };
    match word.trim_start_matches('@') {
        name if name.len() < word.len() => {
            word.len() - name.len() <= 2 && name.split('/').all(is_part) && !is_placeholder(word)
        }
        address => {
            let parts = address.split_once('@');
            parts.is_some_and(|(user, host)| is_part(user) && is_part(host) && host.contains('.'))
        }
    }
}

fn is_placeholder(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|start| word.starts_with(start))
}

/// What lines after the one for everything leave without an owner.
enum Taken {
    Nothing,
    /// A line for everything comes again.
    Again,
    By(usize, String),
    TooMuch,
}

/// What is known of the lines behind a line in its section without a look at files.
#[derive(Debug, Clone, Copy)]
struct Behind {
    /// Where its section ends.
    end: usize,
    are_owned: bool,
    /// A line for everything is among them.
    again: bool,
}

/// By line. Looked at from the end, so that many lines for everything cost no more than one.
fn behind(lines: &[Line<'_>]) -> Vec<Behind> {
    let none = |end: usize| Behind { end, are_owned: true, again: false };
    let mut all = Vec::with_capacity(lines.len());
    let mut known = none(lines.len());
    for (i, line) in lines.iter().enumerate().rev() {
        if lines.get(i + 1).is_some_and(|next| next.section != line.section) {
            known = none(i + 1);
        }
        all.push(known);
        known.are_owned &= line.is_owned;
        known.again |= line.is_owned && line.pattern == "*";
    }
    all.reverse();
    all
}

fn taken(tree: &Tree, later: &[Line<'_>], behind: Behind, left: &mut usize) -> Taken {
    if behind.are_owned {
        return Taken::Nothing;
    }
    if behind.again {
        return Taken::Again;
    }
    for path in tree.paths().filter(|path| !is_of_no_matter(path)) {
        for line in later.iter().rev() {
            let cost = if is_wild(line.pattern) { WILD_COST } else { 1 };
            let Some(less) = left.checked_sub(cost) else { return Taken::TooMuch };
            *left = less;
            if names(line.pattern, path) {
                if !line.is_owned {
                    return Taken::By(line.at, path.to_owned());
                }
                break;
            }
        }
    }
    Taken::Nothing
}

/// Text for people, and what programs write down: many leave those without owners on purpose.
fn is_of_no_matter(path: &str) -> bool {
    is_prose(path)
        || has_end(path, "lock")
        || matches!(name(path), "package-lock.json" | "pnpm-lock.yaml" | "go.sum")
}

/// Whether a pattern names a file, as in `.gitignore`, but that `docs/*` names nothing below `docs/a`.
fn names(pattern: &str, path: &str) -> bool {
    let is_dir = pattern.ends_with('/');
    let inner = pattern.trim_matches('/');
    let is_anchored = pattern.trim_end_matches('/').contains('/');
    if inner.is_empty() {
        return false;
    }
    let ends = path.match_indices('/').map(|(at, _)| (at, true)).chain([(path.len(), false)]);
    ends.into_iter().any(|(end, is_above)| {
        if is_dir && !is_above || is_above && is_anchored && inner.ends_with("/*") {
            return false;
        }
        let part = if is_anchored { &path[..end] } else { name(&path[..end]) };
        if is_wild(inner) { glob_matches(inner, part) } else { inner == part }
    })
}

fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '\\'])
}
