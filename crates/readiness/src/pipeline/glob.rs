//! Patterns of branches, tags and paths, as GitHub and GitLab write them.

/// Steps that one comparison may take.
const STEPS_MAX: u32 = 5_000;

/// Whether a pattern names a text: `*` stays within a part, `**` does not, `?` makes the character before it optional
/// and is taken for any one character, `+` repeats and is taken for itself.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // A pattern has few stars; more would only take time.
    if pattern.len() > 256 || pattern.iter().filter(|c| **c == '*').count() > 12 {
        return false;
    }
    walk(&pattern, &text, &mut { STEPS_MAX })
}

fn walk(pattern: &[char], text: &[char], steps: &mut u32) -> bool {
    if *steps == 0 {
        return false;
    }
    *steps -= 1;
    match pattern {
        [] => text.is_empty(),
        ['*', '*', '/', rest @ ..] => {
            walk(rest, text, steps)
                || (0..text.len()).any(|at| text[at] == '/' && walk(rest, &text[at + 1..], steps))
        }
        ['*', '*', rest @ ..] => (0..=text.len()).any(|at| walk(rest, &text[at..], steps)),
        ['*', rest @ ..] => {
            let end = text.iter().position(|c| *c == '/').unwrap_or(text.len());
            (0..=end).any(|at| walk(rest, &text[at..], steps))
        }
        ['?', rest @ ..] => {
            walk(rest, text, steps) || (!text.is_empty() && walk(rest, &text[1..], steps))
        }
        ['[', ..] => {
            let Some(close) = pattern.iter().position(|c| *c == ']') else { return false };
            let Some(first) = text.first() else { return false };
            in_class(&pattern[1..close], *first) && {
                let rest = &pattern[close + 1..];
                match rest {
                    ['+', after @ ..] => {
                        let run =
                            text.iter().take_while(|c| in_class(&pattern[1..close], **c)).count();
                        (1..=run).any(|at| walk(after, &text[at..], steps))
                    }
                    _ => walk(rest, &text[1..], steps),
                }
            }
        }
        ['\\', c, rest @ ..] | [c, rest @ ..] => {
            text.first() == Some(c) && walk(rest, &text[1..], steps)
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
        assert!(!matches(&"*".repeat(60), &"a/".repeat(200)), "a bomb takes no time");
    }
}
