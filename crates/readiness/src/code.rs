//! Code of programs, as far as brackets, comments and texts go: enough to see a call with the arguments that are written out,
//! and to tell code from what only looks like it. Nothing is run.

use crate::finding::Evidence;
use crate::tree::name;

/// Longest call, in bytes.
const CALL_BYTES_MAX: usize = 64 * 1024;

/// Most arguments of a call.
const ARGUMENTS_MAX: usize = 200;

/// How comments and texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Python,
    Ruby,
    /// Texts also in single quotes and in backticks.
    Script,
    /// Single quotes hold one character.
    Compiled,
    Bicep,
}

impl Syntax {
    /// The one of a file, by the end of its name.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Some(match name(path).rsplit_once('.')?.1 {
            "py" => Self::Python,
            "rb" => Self::Ruby,
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "tsx" | "jsx" | "php" => Self::Script,
            "rs" | "go" | "java" | "kt" | "cs" => Self::Compiled,
            "bicep" => Self::Bicep,
            _ => return None,
        })
    }

    /// What starts here and is no code: its beginning and its end. A text without an end of its own ends with the line.
    fn begins(self, rest: &str) -> Option<(&'static str, &'static str)> {
        let known: &[(&str, &str)] = match self {
            Self::Python => {
                &[("\"\"\"", "\"\"\""), ("'''", "'''"), ("#", "\n"), ("\"", "\""), ("'", "'")]
            }
            Self::Ruby => &[("#", "\n"), ("\"", "\""), ("'", "'")],
            Self::Script => &[("//", "\n"), ("/*", "*/"), ("\"", "\""), ("'", "'"), ("`", "`")],
            Self::Compiled => &[
                ("//", "\n"),
                ("/*", "*/"),
                ("r#\"", "\"#"),
                ("\"\"\"", "\"\"\""),
                ("\"", "\""),
                ("`", "`"),
            ],
            Self::Bicep => &[("//", "\n"), ("/*", "*/"), ("'''", "'''"), ("'", "'")],
        };
        known.iter().find(|(start, _)| rest.starts_with(start)).copied()
    }
}

/// Code with spaces in the place of comments and of what stands between quotes: the same lines, and the same bytes
/// everywhere else.
pub(crate) fn masked(text: &str, syntax: Syntax) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let Some((start, end)) = syntax.begins(&text[at..]) else {
            let quote =
                if syntax == Syntax::Compiled && c == '\'' { character(&text[at..]) } else { None };
            let length = quote.unwrap_or(c.len_utf8());
            if quote.is_some() {
                blank(&text[at..at + length], &mut out);
            } else {
                out.push(c);
            }
            at += length;
            continue;
        };
        let is_text = end != "\n" && end != "*/";
        if is_text {
            out.push_str(start);
        } else {
            blank(start, &mut out);
        }
        at += start.len();
        let inside = length_to(&text[at..], end, is_text);
        blank(&text[at..at + inside], &mut out);
        at += inside;
        if end != "\n" && text[at..].starts_with(end) {
            if is_text {
                out.push_str(end);
            } else {
                blank(end, &mut out);
            }
            at += end.len();
        }
    }
    out
}

/// `'x'` and `'\n'`, which are no lifetimes.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    if chars.next()?.1 == '\\' {
        chars.next()?;
    }
    let (at, last) = chars.next()?;
    (last == '\'').then_some(at + 1)
}

/// How many bytes there are to the end.
fn length_to(rest: &str, end: &str, is_text: bool) -> usize {
    // What stands in one quote ends with its line, unless it is a template.
    let one_line = is_text && matches!(end, "\"" | "'");
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if escaped {
            escaped = false;
        } else if is_text && c == '\\' {
            escaped = true;
        } else if rest[at..].starts_with(end) || one_line && c == '\n' {
            return at;
        }
    }
    rest.len()
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// A program, with and without its texts.
pub(crate) struct Code<'a> {
    path: &'a str,
    pub(crate) syntax: Syntax,
    pub(crate) text: &'a str,
    pub(crate) masked: String,
    /// Where lines begin, in bytes.
    starts: Vec<usize>,
}

/// One of the arguments of a call, or of the entries of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    pub(crate) key: Option<&'a str>,
    pub(crate) value: &'a str,
    /// Where the value begins, in bytes.
    pub(crate) at: usize,
}

impl<'a> Code<'a> {
    pub(crate) fn read(path: &'a str, text: &'a str) -> Option<Self> {
        let syntax = Syntax::of(path)?;
        let masked = masked(text, syntax);
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Some(Self { path, syntax, text, masked, starts })
    }

    /// Where words stand that are no part of a longer one, in bytes.
    pub(crate) fn words<'b>(&'b self, word: &'b str) -> impl Iterator<Item = usize> + 'b {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        self.masked.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let before = self.masked[..*at].chars().next_back();
            let after = self.masked[at + word.len()..].chars().next();
            !(word.starts_with(is_part) && before.is_some_and(is_part)
                || word.ends_with(is_part) && after.is_some_and(is_part))
        })
    }

    /// The line of a byte, from 0.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// A line without what is no code, counted from 0.
    pub(crate) fn masked_line(&self, line: usize) -> &str {
        self.cut(&self.masked, line)
    }

    fn cut<'b>(&self, text: &'b str, line: usize) -> &'b str {
        let start = self.starts.get(line).copied().unwrap_or(text.len());
        let rest = text.get(start..).unwrap_or_default();
        rest.split('\n').next().unwrap_or_default().trim_end_matches('\r')
    }

    pub(crate) fn shown(&self, at: usize) -> Evidence {
        self.shown_line(self.line(at))
    }

    /// A line, counted from 0.
    pub(crate) fn shown_line(&self, line: usize) -> Evidence {
        Evidence::indented(self.path, self.cut(self.text, line), line)
    }

    /// What stands between the first bracket at or after a byte and the one that closes it; `None` when it is not closed.
    pub(crate) fn arguments(&self, from: usize) -> Option<Vec<Argument<'_>>> {
        let open = from + self.masked.get(from..)?.find(['(', '{', '['])?;
        let mut depth = 0_usize;
        let mut start = open + 1;
        let mut all = Vec::new();
        for (at, byte) in self.masked.bytes().enumerate().skip(open).take(CALL_BYTES_MAX) {
            let ends = match byte {
                b'(' | b'{' | b'[' => {
                    depth += 1;
                    false
                }
                b')' | b'}' | b']' => {
                    depth -= 1;
                    depth == 0
                }
                b',' => depth == 1,
                _ => false,
            };
            if ends {
                all.extend(self.argument(start, at));
                start = at + 1;
                if depth == 0 {
                    return Some(all);
                }
                if all.len() == ARGUMENTS_MAX {
                    return None;
                }
            }
        }
        None
    }

    fn argument(&self, start: usize, end: usize) -> Option<Argument<'_>> {
        let code = self.masked.get(start..end)?;
        let blank = code.len() - code.trim_start().len();
        let word = code.trim_start().find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let keyed = word.filter(|length| *length > 0).and_then(|length| {
            let rest = code.trim_start()[length..].trim_start();
            let is_key = rest.starts_with(':')
                || rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>");
            is_key.then(|| (&code.trim_start()[..length], code.len() - rest.len() + 1))
        });
        let from = start + keyed.map_or(blank, |(_, after)| after);
        let value = self.text.get(from..end)?;
        let at = from + (value.len() - value.trim_start().len());
        (keyed.is_some() || !value.trim().is_empty()).then(|| Argument {
            key: keyed.map(|(key, _)| key),
            // A comment behind a value is none of it.
            value: self.uncommented(at, end),
            at,
        })
    }

    /// What stands there, to the last of it that is code.
    fn uncommented(&self, start: usize, end: usize) -> &str {
        let Some(code) = self.masked.get(start..end) else { return "" };
        let length = code.trim_end().len();
        self.text.get(start..start + length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_no_code_and_lines_stay() {
        for (path, text, code) in [
            ("a.py", "a = 'x(' # y(\n\"\"\"z(\n\"\"\"\nb", "a = '  '     \n\"\"\"  \n\"\"\"\nb"),
            ("a.ts", "a(`\n(${b}`) // c(\n/* d(\n */e", "a(`\n     `)      \n     \n   e"),
            ("a.rs", "f::<'a>('(', \"\\\"(\", r#\"\"(\"#)", "f::<'a>(   , \"   \", r#\"  \"#)"),
            ("a.bicep", "a: 'b(' // c\n", "a: '  '     \n"),
            ("a.py", "'not closed(\nb(", "'           \nb("),
            ("a.py", "'é(", "'   "),
        ] {
            let out = masked(text, Syntax::of(path).unwrap());
            assert_eq!(out, code, "{path}");
            assert_eq!(out.len(), text.len());
        }
    }

    #[test]
    fn arguments_are_split_where_the_call_itself_is() {
        let text = "f(a, b=[1, 2], c={'d': (1, 2)}, # no, e=1\n  g='x, y', h == 1, )";
        let code = Code::read("a.py", text).unwrap();
        let all = code.arguments(code.words("f").next().unwrap()).unwrap();
        let all: Vec<_> = all.iter().map(|one| (one.key, one.value)).collect();
        assert_eq!(
            all,
            [
                (None, "a"),
                (Some("b"), "[1, 2]"),
                (Some("c"), "{'d': (1, 2)}"),
                (Some("g"), "'x, y'"),
                (None, "h == 1")
            ]
        );
        assert_eq!(code.words("h").count(), 1);
        let open = Code::read("a.py", "f(a, b").unwrap();
        assert!(open.arguments(0).is_none());
        assert!(Code::read("a.py", "f)").unwrap().arguments(0).is_none());
        assert!(Code::read("a.md", "f(a)").is_none());
    }
}
