//! The conditions of `governance.toolkit/v1`, as its documentation writes them: `not` before `and` before `or`,
//! parentheses, comparisons, `in`, `not in`, `contains`, `matches`, and a field alone for yes or no.

use lockgate_model::config::document::Place;

use super::expr::{Check, Expr};
use super::fields::Fields;
use crate::load::findings::{At, Findings};

/// The longest condition, in bytes.
pub(super) const BYTES_MAX: usize = 64 * 1024;
/// The deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: [&str; 12] = ["==", "!=", ">=", "<=", ">", "<", "(", ")", "[", "]", ",", "="];

/// Reads a condition. `None` when it is not understood; that has been said then.
pub(super) fn read(
    text: &str,
    place: Place,
    fields: &mut Fields<'_>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<Expr> {
    let read = if text.len() > BYTES_MAX {
        Err((format!("a condition has at most {BYTES_MAX} bytes"), "make two rules of it"))
    } else {
        tokens(text)
    };
    let tokens = match read {
        Ok(tokens) => tokens,
        Err((message, hint)) => {
            found.error(at, place, message, hint.into());
            return None;
        }
    };
    let mut parser = Parser { tokens: &tokens, next: 0, place, fields, at, found };
    let expr = parser.any(0)?;
    if let Some(token) = parser.peek() {
        let message = format!("the condition goes on with {}", shown(token));
        parser.error(message, "join tests with `and` or `or`");
        return None;
    }
    Some(expr)
}

type Wrong = (String, &'static str);

fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\'' || first == '"' {
            let (inner, length) = quoted(rest, first)?;
            tokens.push(Token::Text(inner));
            length
        } else if first.is_ascii_digit()
            || (first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let length = rest[1..].find(|c: char| !(c.is_ascii_digit() || c == '.'));
            let length = length.map_or(rest.len(), |at| at + 1);
            tokens.push(Token::Number(rest[..length].to_owned()));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            let message = format!("`{}` means nothing in a condition", first.escape_debug());
            return Err((message, "put texts in quotes"));
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

/// The text in quotes at the start, and how long it is with them. A backslash is refused: it is nothing special to some
/// readers, and to others it is.
fn quoted(text: &str, quote: char) -> Result<(String, usize), Wrong> {
    let inner = &text[1..];
    let end = inner.find(quote).ok_or_else(|| ("a quote is not closed".to_owned(), "close it"))?;
    if inner[..end].contains('\\') {
        return Err(("a backslash is in a text".into(), "write the rule here by hand"));
    }
    Ok((inner[..end].to_owned(), end + 2))
}

fn shown(token: &Token) -> String {
    let text = match token {
        Token::Word(text) | Token::Number(text) => text.as_str(),
        Token::Text(text) => text,
        Token::Sign(sign) => sign,
    };
    format!("`{}`", text.chars().take(40).collect::<String>().escape_debug())
}

struct Parser<'a, 'b, 'i> {
    tokens: &'a [Token],
    next: usize,
    place: Place,
    fields: &'a mut Fields<'i>,
    at: At<'b>,
    found: &'a mut Findings,
}

impl Parser<'_, '_, '_> {
    fn error(&mut self, message: String, hint: &str) {
        self.found.error(self.at, self.place, message, hint.to_owned());
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn is_word(&self, word: &str) -> bool {
        // Python's own words are in lower case, and people write them in either.
        matches!(self.peek(), Some(Token::Word(one)) if one.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.next += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(one)) if *one == sign);
        self.next += usize::from(is);
        is
    }

    fn any(&mut self, depth: usize) -> Option<Expr> {
        let mut parts = vec![self.all(depth)?];
        while self.word("or") {
            parts.push(self.all(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expr::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Option<Expr> {
        let mut parts = vec![self.one(depth)?];
        while self.word("and") {
            parts.push(self.one(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expr::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Option<Expr> {
        if depth > DEPTH_MAX {
            self.error("the condition is nested too deeply".into(), "make two rules of it");
            return None;
        }
        if self.word("not") {
            return self.one(depth + 1).map(Expr::not);
        }
        if self.sign("(") {
            let inner = self.any(depth + 1)?;
            if !self.sign(")") {
                self.error("a parenthesis is not closed".into(), "close it");
                return None;
            }
            return Some(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Option<Expr> {
        let field = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            Some(token) => {
                let message = format!("a test begins with {}", shown(token));
                self.error(message, "write FIELD OPERATOR VALUE, such as tool_name == 'search'");
                return None;
            }
            None => {
                self.error(
                    "the condition ends where a test should be".into(),
                    "write FIELD == 'value'",
                );
                return None;
            }
        };
        self.next += 1;
        for (word, value) in [("true", true), ("false", false)] {
            if field.eq_ignore_ascii_case(word) {
                return Some(Expr::Const(value));
            }
        }
        if self.sign("==") {
            let check = self.value()?;
            return self.is(&field, check, false);
        }
        if self.sign("!=") {
            let check = self.value()?;
            return self.is(&field, check, false).map(Expr::not);
        }
        if self.sign("=") {
            self.error("a single `=`".into(), "write ==");
            return None;
        }
        for sign in [">=", "<=", ">", "<"] {
            if self.sign(sign) {
                return self.order(&field, sign);
            }
        }
        if self.word("in") {
            let check = self.list()?;
            return self.is(&field, check, false);
        }
        if self.is_word("not") {
            self.next += 1;
            if !self.word("in") {
                self.error(
                    "`not` after a field".into(),
                    "write `not in`, or `not` before the test",
                );
                return None;
            }
            let check = self.list()?;
            return self.is(&field, check, false).map(Expr::not);
        }
        if self.word("contains") {
            let text = self.quoted()?;
            return self.is(&field, Check::Shapes(vec![within(&text)]), false);
        }
        if self.word("matches") {
            let pattern = self.quoted()?;
            let shapes = self.shapes(&pattern)?;
            return self.is(&field, Check::Shapes(shapes), false);
        }
        self.is(&field, Check::Yes(true), false)
    }

    fn is(&mut self, field: &str, check: Check, absent: bool) -> Option<Expr> {
        self.fields.test(field, check, absent, self.place, self.at, self.found)
    }

    /// A missing field counts as 0 there.
    fn order(&mut self, field: &str, sign: &str) -> Option<Expr> {
        let bound = match self.peek() {
            Some(Token::Number(number)) => number.parse::<f64>().ok(),
            _ => None,
        };
        self.next += 1;
        let check = bound.and_then(|bound| order(sign, bound));
        let Some((check, absent)) = check else {
            self.error(
                format!("`{field} {sign}` is not followed by a number"),
                "compare with a number",
            );
            return None;
        };
        self.is(field, check, absent)
    }

    fn quoted(&mut self) -> Option<String> {
        let text = match self.peek() {
            Some(Token::Text(text)) => Some(text.clone()),
            _ => None,
        };
        self.next += 1;
        if text.is_none() {
            self.error("a text in quotes is missing".into(), "write it in quotes");
        }
        text
    }

    fn value(&mut self) -> Option<Check> {
        let value = match self.peek() {
            Some(Token::Text(text)) => Some(Check::Texts(vec![text.clone()])),
            Some(Token::Number(number)) => number.parse().ok().map(|one| Check::Numbers(vec![one])),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Some(Check::Yes(true)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => {
                Some(Check::Yes(false))
            }
            _ => None,
        };
        self.next += 1;
        if value.is_none() {
            self.error(
                "a comparison has no value that can be one".into(),
                "compare with a text in quotes, a whole number, true or false",
            );
        }
        value
    }

    fn list(&mut self) -> Option<Check> {
        let (mut texts, mut numbers): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let mut whole: Vec<i64> = Vec::new();
        let mut good = self.sign("[");
        while good && !self.sign("]") {
            match self.peek() {
                Some(Token::Text(text)) => texts.push(text.clone()),
                Some(Token::Number(number)) => {
                    numbers.push(number.clone());
                    whole.extend(number.parse::<i64>().ok());
                }
                _ => good = false,
            }
            self.next += 1;
            good = good && (self.sign(",") || matches!(self.peek(), Some(Token::Sign("]"))));
        }
        if good && !texts.is_empty() && numbers.is_empty() {
            return Some(Check::Texts(texts));
        }
        if good && !whole.is_empty() && texts.is_empty() && whole.len() == numbers.len() {
            return Some(Check::Numbers(whole));
        }
        self.error(
            "a list of choices cannot be read".into(),
            "write texts in quotes or whole numbers, not both: ['a', 'b']",
        );
        None
    }

    fn shapes(&mut self, pattern: &str) -> Option<Vec<String>> {
        let shapes = shapes(pattern);
        if shapes.is_none() {
            let message = format!(
                "the pattern {} cannot be carried over",
                shown(&Token::Text(pattern.into()))
            );
            self.error(message, PATTERN_HINT);
        }
        shapes
    }
}

pub(super) const PATTERN_HINT: &str = "only plain words, a `^` before them and `|` between them are; write the rule here with a fact that says it";

/// The bound as whole numbers have it, and how it comes out for 0.
pub(super) fn order(sign: &str, bound: f64) -> Option<(Check, bool)> {
    /// Beyond it, numbers with a point have gaps.
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if bound.is_nan() || bound.abs() > WHOLE_MAX {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the bounds above")]
    let whole = |value: f64| value as i64;
    Some(match sign {
        ">" => (Check::AtLeast(whole(bound.floor()) + 1), 0.0 > bound),
        ">=" => (Check::AtLeast(whole(bound.ceil())), 0.0 >= bound),
        "<" => (Check::AtMost(whole(bound.ceil()) - 1), 0.0 < bound),
        _ => (Check::AtMost(whole(bound.floor())), 0.0 <= bound),
    })
}

/// The shape of a text that this is somewhere in.
pub(super) fn within(text: &str) -> String {
    format!("*{}*", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*")
}

/// The shapes of a regular expression that says no more than words: searched for, some at the start.
pub(super) fn shapes(pattern: &str) -> Option<Vec<String>> {
    pattern
        .split('|')
        .map(|part| {
            let (from_start, words) = match part.strip_prefix('^') {
                Some(rest) => (true, rest),
                None => (false, part),
            };
            let plain = |c: char| !"\\.^$*+?()[]{}|".contains(c);
            let good = !words.is_empty() && words.chars().all(plain);
            good.then(|| if from_start { format!("{}*", escaped(words)) } else { within(words) })
        })
        .collect()
}
