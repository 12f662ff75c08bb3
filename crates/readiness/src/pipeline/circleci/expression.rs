//! Conditions in words: `pipeline.git.branch == "main" and not (pipeline.git.tag starts-with "v")`.

use std::rc::Rc;

use regex::RegexBuilder;

use super::scope::{Run, Scope, Value, named};

/// Deepest brackets and negations.
const DEPTH_MAX: usize = 32;

/// What an expression comes to.
pub(super) fn evaluate<'a>(text: &str, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Value<'a> {
    let none = || Value::Unknown(format!("`{}` is not understood", crate::finding::cut(text, 80)));
    let Some(tokens) = tokens(text) else { return none() };
    let mut parser = Parser { tokens, at: 0, scope, run, depth: 0 };
    match parser.or() {
        Some(value) if parser.at == parser.tokens.len() => value,
        _ => none(),
    }
}

/// Whether a text is an expression and no plain text.
pub(super) fn is_one(text: &str) -> bool {
    text.contains("pipeline.") && !text.contains("<<")
}

/// Whether a pattern fits a text: whole, or anywhere in it.
pub(super) fn fits(pattern: &str, text: &str, whole: bool) -> Result<bool, String> {
    let built = if whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
    let built = RegexBuilder::new(&built).size_limit(1 << 20).build();
    let why = || format!("the pattern `{}` is not understood", crate::finding::cut(pattern, 80));
    built.map(|built| built.is_match(text)).map_err(|_| why())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Pattern(String),
    Word(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let signs = ["==", "!=", "<=", ">=", "<", ">", "(", ")"];
        if let Some(sign) = signs.into_iter().find(|sign| rest.starts_with(sign)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if matches!(first, '"' | '\'' | '/') {
            let (inner, after) = rest[1..].split_once(first)?;
            let inner = inner.to_owned();
            all.push(if first == '/' { Token::Pattern(inner) } else { Token::Text(inner) });
            rest = after;
        } else {
            let part = |c: char| c.is_alphanumeric() || "._-".contains(c);
            let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            all.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(all)
}

struct Parser<'p, 'a> {
    tokens: Vec<Token>,
    at: usize,
    scope: &'p Rc<Scope<'a>>,
    run: &'p Run<'a>,
    depth: usize,
}

impl<'a> Parser<'_, 'a> {
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Option<Value<'a>> {
        let mut left = self.and()?;
        while self.word("or") {
            let right = self.and()?;
            left = either(&left, &right, true);
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Value<'a>> {
        let mut left = self.not()?;
        while self.word("and") {
            let right = self.not()?;
            left = either(&left, &right, false);
        }
        Some(left)
    }

    fn not(&mut self) -> Option<Value<'a>> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let value = if self.word("not") {
            let value = self.not()?;
            value.truth().map_or_else(Value::Unknown, |value| Value::Bool(!value))
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Some(value)
    }

    fn comparison(&mut self) -> Option<Value<'a>> {
        let left = self.operand()?;
        let sign = match self.tokens.get(self.at) {
            Some(Token::Sign(sign @ ("==" | "!="))) => (*sign).to_owned(),
            Some(Token::Word(word)) if matches!(word.as_str(), "starts-with" | "matches") => {
                word.clone()
            }
            _ => return Some(left),
        };
        self.at += 1;
        let right = self.operand()?;
        let (Some(a), Some(b)) = (left.text(), right.text()) else {
            let unknown = if left.text().is_none() { left } else { right };
            let why = unknown.truth().err();
            return Some(Value::Unknown(why.unwrap_or_else(|| "a list is compared".to_owned())));
        };
        Some(match sign.as_str() {
            "==" => Value::Bool(a == b),
            "!=" => Value::Bool(a != b),
            "starts-with" => Value::Bool(a.starts_with(&b)),
            _ => fits(&b, &a, false).map_or_else(Value::Unknown, Value::Bool),
        })
    }

    fn operand(&mut self) -> Option<Value<'a>> {
        if self.sign("(") {
            let value = self.or()?;
            return self.sign(")").then_some(value);
        }
        let token = self.tokens.get(self.at).cloned()?;
        self.at += 1;
        Some(match token {
            Token::Text(text) | Token::Pattern(text) => Value::Text(text),
            Token::Word(word) => match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ if word.contains('.') => named(&word, self.scope, self.run),
                _ => Value::Text(word),
            },
            Token::Sign(_) => return None,
        })
    }
}

/// `or` with true, `and` with false: what decides alone, or whether both do.
fn either<'a>(left: &Value<'a>, right: &Value<'a>, decides: bool) -> Value<'a> {
    match (left.truth(), right.truth()) {
        (Ok(value), _) | (_, Ok(value)) if value == decides => Value::Bool(decides),
        (Err(why), _) | (_, Err(why)) => Value::Unknown(why),
        _ => Value::Bool(!decides),
    }
}
