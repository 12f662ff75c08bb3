//! `if` of GitLab's rules: an expression of variables, texts and patterns.

use regex::RegexBuilder;

use super::super::Occasion;
use super::rules::{Value, Variables};

/// What an `if` comes to; none when it asks for what is not in the files.
pub(super) fn condition(text: &str, variables: &Variables, occasion: Occasion) -> Option<bool> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, variables, occasion, depth: 0 };
    let value = parser.or();
    if parser.at == parser.tokens.len() { value } else { None }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Variable(String),
    Text(String),
    Pattern(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let signs = ["&&", "||", "==", "!=", "=~", "!~", "(", ")"];
        if let Some(sign) = signs.iter().find(|sign| rest.starts_with(**sign)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (inner, after) = rest[1..].split_once(first)?;
            all.push(Token::Text(inner.to_owned()));
            rest = after;
        } else if first == '/' {
            let end = rest[1..]
                .char_indices()
                .find(|(i, c)| *c == '/' && !rest[1..=*i].ends_with('\\'))?
                .0
                + 2;
            let flags = rest[end..].chars().take_while(char::is_ascii_alphabetic).count();
            all.push(Token::Pattern(rest[..end + flags].to_owned()));
            rest = &rest[end + flags..];
        } else if first == '$' {
            let name: String = rest[1..]
                .trim_start_matches('{')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let braces = if rest[1..].starts_with('{') { 2 } else { 0 };
            rest = rest.get(1 + name.len() + braces..)?;
            all.push(Token::Variable(name));
        } else if let Some(after) = rest.strip_prefix("null") {
            all.push(Token::Sign("null"));
            rest = after;
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(all)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    variables: &'a Variables,
    occasion: Occasion,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Option<bool> {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        left
    }

    fn and(&mut self) -> Option<bool> {
        let mut left = self.comparison();
        while self.take("&&") {
            let right = self.comparison();
            left = match (left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        left
    }

    fn comparison(&mut self) -> Option<bool> {
        if self.depth < 32 && self.take("(") {
            self.depth += 1;
            let value = self.or();
            self.take(")");
            self.depth -= 1;
            return value;
        }
        let left = self.operand();
        for sign in ["==", "!=", "=~", "!~"] {
            if self.take(sign) {
                let right = self.operand();
                let (left, right) = (left?, right?);
                let same = match sign {
                    "==" | "!=" => left == right,
                    _ => matches(right.as_deref()?, left.as_deref().unwrap_or_default())?,
                };
                return Some(same == matches!(sign, "==" | "=~"));
            }
        }
        Some(left?.is_some_and(|text| !text.is_empty()))
    }

    /// A value; the inner one is none for null, the outer one for what is not known.
    #[expect(clippy::option_option, reason = "null and unknown are two things")]
    fn operand(&mut self) -> Option<Option<String>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token? {
            Token::Text(text) | Token::Pattern(text) => Some(Some(text)),
            Token::Variable(name) => match self.variables.value(&name, self.occasion) {
                Value::Text(text) => Some(Some(text)),
                Value::Null => Some(None),
                Value::Unknown => None,
            },
            Token::Sign("null") => Some(None),
            Token::Sign(_) => None,
        }
    }
}

/// Whether a text fits `/pattern/` or `/pattern/i`.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    let (pattern, flags) = pattern.strip_prefix('/')?.rsplit_once('/')?;
    let built = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .size_limit(1 << 20)
        .build()
        .ok()?;
    Some(built.is_match(text))
}
