//! Patterns of branches, tags and paths, as GitHub and GitLab write them.

use std::cell::Cell;

/// Longest pattern, and most stars in one; more would only take time.
const PATTERN_MAX: usize = 256;
const STARS_MAX: usize = 12;

/// Longest text.
const TEXT_MAX: usize = 1024;

/// How much is compared: a text and a pattern that differ at first sight are one, others as many as may be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Cell<u64>);

/// What all patterns of paths of a repository may take together.
const COMPARED_MAX: u64 = 100_000_000;

/// How many steps of a comparison count as one.
const STEPS_PER_UNIT: usize = 4;

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(COMPARED_MAX))
    }
}

impl Budget {
    /// As much as at first.
    pub(crate) fn renew(&self) {
        self.0.set(COMPARED_MAX);
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    /// Whether a pattern names a text, as [`matches`] says; `None` when too much was compared before.
    pub(crate) fn matches(&self, pattern: &str, text: &str) -> Option<bool> {
        let may = may_name(pattern, text);
        let steps = if may { pattern.len() * text.len() } else { 0 };
        self.take(1 + (steps / STEPS_PER_UNIT) as u64)?;
        Some(may && matches(pattern, text))
    }

    /// Counts a comparison that needs no pattern.
    pub(crate) fn take(&self, cost: u64) -> Option<()> {
        self.0.set(self.0.get().saturating_sub(cost));
        (!self.is_spent()).then_some(())
    }
}

/// Whether a pattern may name a text, by what stands outside of its stars.
fn may_name(pattern: &str, text: &str) -> bool {
    let (begin, end) = fixed_ends(pattern);
    text.starts_with(begin) && text.ends_with(end) && has_pieces(pattern, text)
}

/// Whether a pattern names a text: `*` stays within a part, `**` does not, `?` makes the character before it optional
/// and is taken for any one character, `+` repeats and is taken for itself.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    if !may_name(pattern, text) {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let stars = pattern.iter().filter(|c| **c == '*').count();
    if pattern.len() > PATTERN_MAX || stars > STARS_MAX || text.len() > TEXT_MAX {
        return false;
    }
    let failed = vec![false; (pattern.len() + 1) * (text.len() + 1)];
    Walk { pattern: &pattern, text: &text, failed }.from(0, 0)
}

/// What a text begins and ends with when a pattern names it: most texts are told apart by that.
fn fixed_ends(pattern: &str) -> (&str, &str) {
    let special = ['*', '?', '[', ']', '\\', '+'];
    let Some(first) = pattern.find(special) else { return (pattern, pattern) };
    let last = pattern.rfind(special).unwrap_or(first);
    // What stands before `?` is optional, and before `+` repeated; a star names nothing too, with the slash behind it.
    let begin = &pattern[..first];
    let end = &pattern[last + 1..];
    let optional = pattern[first..].starts_with(['?', '+']);
    let begin = if optional { "" } else { begin };
    (begin, end.strip_prefix('/').unwrap_or(end))
}

/// Whether what stands between stars is in the text, one behind the other. Patterns with more than stars are not told.
fn has_pieces(pattern: &str, text: &str) -> bool {
    if pattern.contains(['?', '[', '\\', '+']) {
        return true;
    }
    let mut rest = text;
    pattern.split('*').all(|piece| {
        let piece = piece.strip_prefix('/').unwrap_or(piece);
        let found = rest.find(piece);
        rest = found.map_or("", |at| &rest[at + piece.len()..]);
        found.is_some()
    })
}

/// A comparison; from where it was found to fail is asked once.
struct Walk<'a> {
    pattern: &'a [char],
    text: &'a [char],
    failed: Vec<bool>,
}

impl Walk<'_> {
    fn from(&mut self, pattern: usize, text: usize) -> bool {
        let state = pattern * (self.text.len() + 1) + text;
        if self.failed[state] {
            return false;
        }
        let holds = self.step(pattern, text);
        self.failed[state] = !holds;
        holds
    }

    fn step(&mut self, at: usize, from: usize) -> bool {
        let (pattern, text) = (&self.pattern[at..], &self.text[from..]);
        match pattern {
            [] => text.is_empty(),
            // One more character at a time, so that no state is looked at from many others.
            ['*', '*', '/', ..] => {
                let next = text.iter().position(|c| *c == '/');
                self.from(at + 3, from) || next.is_some_and(|next| self.from(at, from + next + 1))
            }
            ['*', '*', ..] => {
                self.from(at + 2, from) || !text.is_empty() && self.from(at, from + 1)
            }
            ['*', ..] => {
                self.from(at + 1, from)
                    || text.first().is_some_and(|c| *c != '/') && self.from(at, from + 1)
            }
            ['?', ..] => {
                self.from(at + 1, from) || (!text.is_empty() && self.from(at + 1, from + 1))
            }
            ['[', ..] => {
                let Some(close) = pattern.iter().position(|c| *c == ']') else { return false };
                let class = &pattern[1..close];
                let run = text.iter().take_while(|c| in_class(class, **c)).count();
                match pattern.get(close + 1) {
                    Some('+') => (1..=run).any(|i| self.from(at + close + 2, from + i)),
                    _ => run > 0 && self.from(at + close + 1, from + 1),
                }
            }
            ['\\', c, ..] => text.first() == Some(c) && self.from(at + 2, from + 1),
            [c, ..] => text.first() == Some(c) && self.from(at + 1, from + 1),
        }
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            if (class[at]..=class[at + 2]).contains(&c) {
                return true;
            }
            at += 3;
        } else {
            if class[at] == c {
                return true;
            }
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_what_github_says_they_name() {
        for (pattern, text, expected) in [
            ("main", "main", true),
            ("main", "maintenance", false),
            ("*", "topic", true),
            ("*", "feature/topic", false),
            ("**", "feature/topic", true),
            ("release/**", "release/1.x/y", true),
            ("v*", "v1.0.0", true),
            ("v[0-9]+.[0-9]+.[0-9]+", "v1.22.3", true),
            ("v[0-9]+.[0-9]+.[0-9]+", "v1.x.3", false),
            ("**.rs", "src/a.rs", true),
            ("src/**", "src/a/b.rs", true),
            ("**/*.md", "README.md", true),
            ("docs/*", "docs/a/b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        for (pattern, text, expected) in [
            ("**/docs", "docs", true),
            ("src/**/a.rs", "src/a.rs", true),
            ("ab?c", "abc", true),
            ("v?", "v", true),
            ("v?", "", false),
            ("[ab]c", "bc", true),
            ("[ab]c", "cc", false),
            ("a\\*", "a*", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let budget = Budget::default();
        assert_eq!(budget.matches("", ""), Some(true));
        assert_eq!(budget.matches("src/**/a.rs", "src/b/c/a.rs"), Some(true));
        assert_eq!(budget.matches("docs/**", "src/a.rs"), Some(false));
        assert!(!matches("*a*b*c*d*e*f*g*h*", &"abcdefg".repeat(100)));
        let small = Budget(Cell::new(1_000));
        let text = "abcdefg".repeat(100);
        assert_eq!(small.matches("*a*x*", &text), Some(false));
        assert_eq!(small.0.get(), 999, "what differs at first sight is cheap");
        assert_eq!(small.matches("*a*b*c*d*e*f*g*a?", &text), None);
        assert!(small.is_spent() && small.matches("a", "a").is_none());
        small.renew();
        assert_eq!(small.matches("a", "a"), Some(true));
        assert!(!matches(&"*".repeat(60), &"a/".repeat(200)), "a bomb takes no time");
    }
}
