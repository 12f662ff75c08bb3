//! Texts that are nothing more: how long they are, and whether they hide something.

use serde_json::Value;

use super::{Fact, Kind, Shape, long, text_of, unicode, unknown};

/// A longer text has only its size.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// - `bytes`, `characters`: lengths in UTF-8 and in code points
/// - `folded`: without differences of case, compatible forms (NFKC) and invisible characters, for comparing loosely
/// - `has_bidi`: has characters that control direction
/// - `has_control`: has control characters other than tab, line feed and carriage return
/// - `has_invisible`: has characters that are shown as nothing, such as zero-width ones and tags
/// - `lines`: one more than there are line breaks, those of Unicode too; headers of mail and of the web are one line
/// - `scripts_mixed`: some word mixes scripts that no language writes together
/// - `value`: the text as it is
pub(super) const FACTS: Shape = &[
    ("bytes", Kind::Long),
    ("characters", Kind::Long),
    ("folded", Kind::Text),
    ("has_bidi", Kind::Bool),
    ("has_control", Kind::Bool),
    ("has_invisible", Kind::Bool),
    ("lines", Kind::Long),
    ("scripts_mixed", Kind::Bool),
    ("value", Kind::Text),
];

/// Those facts whose bits are set, in order; the others are unknown for that reason.
pub(super) fn extract(argument: &Value, needed: u64, unasked: &'static str) -> Vec<Fact> {
    let wanted = |index: usize| needed & (1 << index) != 0;
    let Some(whole) = argument.as_str() else { return unknown(FACTS, "not a text") };
    let text = match text_of(argument, BYTES_MAX) {
        Ok(text) => text,
        Err(why) => {
            let mut facts = unknown(FACTS, why);
            facts[0] = Fact::Long(long(whole.len()));
            return facts;
        }
    };
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let of: [&dyn Fn() -> Fact; 9] = [
        &|| Fact::Long(long(text.len())),
        &|| Fact::Long(long(text.chars().count())),
        &|| Fact::Text(unicode::loosest(text)),
        &|| Fact::Bool(text.chars().any(unicode::is_bidi)),
        &|| Fact::Bool(text.chars().any(control)),
        &|| Fact::Bool(text.chars().any(unicode::is_invisible)),
        &|| Fact::Long(long(lines(text))),
        &|| Fact::Bool(unicode::mixes_scripts(text)),
        &|| Fact::Text(text.to_owned()),
    ];
    let of = of.into_iter().enumerate();
    of.map(|(index, fact)| if wanted(index) { fact() } else { Fact::Unknown(unasked) }).collect()
}

/// Whatever breaks a line for some program counts; carriage return and line feed together are one break.
fn lines(text: &str) -> usize {
    let breaks = text.matches(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
    1 + breaks.count() - text.matches("\r\n").count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(argument: &Value) -> Vec<Fact> {
        extract(argument, u64::MAX, "")
    }

    #[test]
    fn a_text_that_is_too_long_keeps_its_size() {
        let facts = all(&json!("a".repeat(BYTES_MAX + 1)));
        assert_eq!(facts[0], Fact::Long(long(BYTES_MAX) + 1));
        assert!(facts[1..].iter().all(|fact| *fact == Fact::Unknown("too long")));
    }

    #[test]
    fn whatever_breaks_a_line_is_counted() {
        for (text, lines) in [
            ("", 1),
            ("one", 1),
            ("one\n", 2),
            ("Hello\r\nBcc: b@y.example", 2),
            ("a\rb", 2),
            ("a\u{2028}b\u{85}c", 3),
            ("a\n\r\n\rb", 4),
        ] {
            assert_eq!(all(&json!(text))[6], Fact::Long(lines), "{text:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_seen() {
        for (text, bidi, control, invisible, mixed) in [
            ("plain\ttext\r\n", false, false, false, false),
            ("\u{1b}[2J", false, true, false, false),
            ("x\u{202e}gpj.exe", true, false, true, false),
            ("a\u{200b}b", false, false, true, false),
            ("tag\u{e0041}", false, false, true, false),
            ("pаypal", false, false, false, true),
        ] {
            let facts = all(&json!(text));
            let seen = [3, 4, 5, 7].map(|at| facts[at].clone());
            assert_eq!(seen, [bidi, control, invisible, mixed].map(Fact::Bool), "{text:?}");
        }
    }
}
