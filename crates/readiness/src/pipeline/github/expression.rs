//! Expressions between `${{` and `}}`: read, and evaluated as far as the files say what they come to.

use crate::finding::excerpt;

/// Longer than any text that somebody wrote.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Deepest brackets and operators in each other.
const DEPTH_MAX: usize = 32;

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Bool(bool),
    Null,
    List(Vec<Value>),
    /// This repository, whatever its name is.
    Repository,
    /// A person who works on it: no robot, and nobody in particular.
    Person,
    /// Decided when it runs, by what has to be done: outputs of other jobs, kinds of machines.
    Open,
    /// Decided by somebody who set a variable or a secret outside the files.
    Setting,
}

impl Value {
    /// Whether it counts as true.
    pub(super) fn truth(&self) -> Truth {
        match self {
            Self::Text(text) => Truth::from(!text.is_empty() && text != "0"),
            Self::Bool(value) => Truth::from(*value),
            Self::Null => Truth::No,
            Self::List(_) | Self::Repository | Self::Person => Truth::Yes,
            Self::Open => Truth::Open,
            Self::Setting => Truth::Setting,
        }
    }

    /// The text that it becomes inside another text; `None` when it is not known.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Null => Some(String::new()),
            _ => None,
        }
    }

    fn unknown(&self) -> Option<Self> {
        matches!(self, Self::Open | Self::Setting).then(|| self.clone())
    }
}

/// Yes, no, or one of two ways not to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Open,
    Setting,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// What names mean.
pub(super) trait Names {
    /// The value of `a.b.c`, all in lower case but for the keys of maps.
    fn value(&self, path: &[String]) -> Value;
}

/// Evaluates an expression, without its `${{ }}`. What is no expression is open.
pub(super) fn evaluate(text: &str, names: &dyn Names) -> Value {
    let Some(tokens) = tokens(text) else { return Value::Open };
    let mut parser = Parser { tokens, at: 0, names, depth: 0 };
    let value = parser.or();
    if parser.at == parser.tokens.len() { value } else { Value::Open }
}

/// A text with its expressions put in; what is not known becomes `unknown`.
pub(super) fn interpolate(text: &str, names: &dyn Names, unknown: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        out.push_str(before);
        // Variables that hold variables twice grow fast.
        if out.len() > TEXT_BYTES_MAX {
            return unknown.to_string();
        }
        let Some((inner, after)) = after.split_once("}}") else {
            out.push_str("${{");
            rest = after;
            continue;
        };
        match evaluate(inner, names).text() {
            Some(value) => out.push_str(&value),
            None => out.push(unknown),
        }
        rest = after;
    }
    out.push_str(rest);
    if out.len() > TEXT_BYTES_MAX { unknown.to_string() } else { out }
}

/// A value of a file, which may be one expression whole.
pub(super) fn whole(text: &str, names: &dyn Names) -> Value {
    let trimmed = text.trim();
    if let Some(inner) = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"))
        && !inner.contains("${{")
    {
        return evaluate(inner, names);
    }
    if !text.contains("${{") {
        return Value::Text(text.to_owned());
    }
    let value = interpolate(text, names, crate::shell::UNKNOWN);
    if value.contains(crate::shell::UNKNOWN) { Value::Open } else { Value::Text(value) }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Sign(&'static str),
}

const SIGNS: &[&str] =
    &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", "."];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('\'') {
            let (value, after) = quoted(after)?;
            all.push(Token::Text(value));
            rest = after;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "_-*".contains(c)))
                .unwrap_or(rest.len());
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

/// Up to the closing quote; two quotes are one that belongs to the text.
pub(in super::super) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((value, after)),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    names: &'a dyn Names,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = match left.truth() {
                Truth::Yes => left,
                Truth::No => right,
                open if right.truth() == Truth::Yes => right_or(open, &right),
                open => undecided(open, right.truth()),
            };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.comparison();
        while self.take("&&") {
            let right = self.comparison();
            left = match left.truth() {
                Truth::Yes => right,
                Truth::No => left,
                _ if right.truth() == Truth::No => right,
                open => undecided(open, right.truth()),
            };
        }
        left
    }

    fn comparison(&mut self) -> Value {
        let left = self.unary();
        for sign in ["==", "!=", "<=", ">=", "<", ">"] {
            if self.take(sign) {
                let right = self.unary();
                return match (sign, equal(&left, &right)) {
                    ("==", Ok(equal)) => Value::Bool(equal),
                    ("!=", Ok(equal)) => Value::Bool(!equal),
                    ("==" | "!=", Err(unknown)) => unknown,
                    _ => Value::Open,
                };
            }
        }
        left
    }

    fn unary(&mut self) -> Value {
        if self.depth >= DEPTH_MAX {
            self.at = self.tokens.len() + 1;
            return Value::Open;
        }
        self.depth += 1;
        let value = if self.take("!") {
            match self.unary().truth() {
                Truth::Yes => Value::Bool(false),
                Truth::No => Value::Bool(true),
                Truth::Open => Value::Open,
                Truth::Setting => Value::Setting,
            }
        } else {
            self.primary()
        };
        self.depth -= 1;
        value
    }

    fn primary(&mut self) -> Value {
        if self.take("(") {
            let value = self.or();
            self.take(")");
            return value;
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Value::Text(text),
            Some(Token::Word(word)) => {
                if self.take("(") {
                    let mut arguments = Vec::new();
                    while self.at < self.tokens.len() && !self.take(")") {
                        arguments.push(self.or());
                        self.take(",");
                    }
                    return call(&word.to_ascii_lowercase(), &arguments);
                }
                match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ if word.parse::<f64>().is_ok() => Value::Text(word),
                    _ => self.path(&word),
                }
            }
            _ => Value::Open,
        }
    }

    fn path(&mut self, first: &str) -> Value {
        let mut path = vec![first.to_ascii_lowercase()];
        loop {
            if self.take(".") {
                match self.tokens.get(self.at) {
                    Some(Token::Word(word)) => path.push(word.clone()),
                    _ => return Value::Open,
                }
                self.at += 1;
            } else if self.take("[") {
                let key = self.or().text();
                self.take("]");
                let Some(key) = key else { return Value::Open };
                path.push(key);
            } else {
                return self.names.value(&path);
            }
        }
    }
}

/// What nobody knows of both: a setting, when one of the two is.
fn undecided(left: Truth, right: Truth) -> Value {
    if left == Truth::Setting || right == Truth::Setting { Value::Setting } else { Value::Open }
}

/// `open || 'text'` for a condition is true; for a text it is not known which.
fn right_or(open: Truth, right: &Value) -> Value {
    match (right, open) {
        (Value::Bool(true), _) => Value::Bool(true),
        (_, Truth::Setting) => Value::Setting,
        _ => Value::Open,
    }
}

/// Whether two values are equal, or the way in which that is not known.
fn equal(left: &Value, right: &Value) -> Result<bool, Value> {
    if let Some(unknown) = left.unknown().or(right.unknown()) {
        return Err(unknown);
    }
    match (left, right) {
        (Value::Repository, Value::Repository) | (Value::Person, Value::Person) => Ok(true),
        (Value::Repository, other) | (other, Value::Repository) => match other {
            Value::Null => Ok(false),
            _ => Err(Value::Open),
        },
        (Value::Person, Value::Text(text)) | (Value::Text(text), Value::Person) => {
            if text.ends_with("[bot]") || text.contains("-bot") {
                Ok(false)
            } else {
                Err(Value::Open)
            }
        }
        _ => match (left.text(), right.text()) {
            (Some(left), Some(right)) => Ok(left.eq_ignore_ascii_case(&right)),
            _ => Err(Value::Open),
        },
    }
}

fn call(name: &str, arguments: &[Value]) -> Value {
    let text = |at: usize| arguments.get(at).and_then(Value::text).map(|text| text.to_lowercase());
    match (name, arguments) {
        ("success" | "always", _) => Value::Bool(true),
        ("failure" | "cancelled", _) => Value::Bool(false),
        ("contains", [Value::List(items), needle]) => {
            let found: Vec<_> = items.iter().map(|item| equal(item, needle)).collect();
            if found.contains(&Ok(true)) {
                Value::Bool(true)
            } else {
                found.into_iter().find_map(Result::err).unwrap_or(Value::Bool(false))
            }
        }
        ("contains" | "startswith" | "endswith", [left, right]) => {
            if let (Value::Person, Value::Text(text)) = (left, right) {
                return if text.contains("bot") { Value::Bool(false) } else { Value::Open };
            }
            match (text(0), text(1)) {
                (Some(left), Some(right)) => Value::Bool(match name {
                    "contains" => left.contains(&right),
                    "startswith" => left.starts_with(&right),
                    _ => left.ends_with(&right),
                }),
                _ => left.unknown().or(right.unknown()).unwrap_or(Value::Open),
            }
        }
        ("format", [Value::Text(pattern), values @ ..]) => {
            let mut out = pattern.clone();
            for (i, value) in values.iter().enumerate() {
                let Some(value) = value.text() else { return Value::Open };
                out = out.replace(&format!("{{{i}}}"), &value);
            }
            // A pattern must not grow into something large.
            if out.len() > 64 * 1024 { Value::Open } else { Value::Text(out) }
        }
        ("fromjson", [Value::Text(text)]) => from_json(text),
        ("tojson", [value]) => value.text().map_or(Value::Open, Value::Text),
        _ => Value::Open,
    }
}

fn from_json(text: &str) -> Value {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => json(&value),
        Err(_) => Value::Open,
    }
}

fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Text(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(json).collect()),
        serde_json::Value::Object(_) => Value::Open,
    }
}

/// An expression as it is told to people.
pub(super) fn told(text: &str) -> String {
    excerpt(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Some3;

    impl Names for Some3 {
        fn value(&self, path: &[String]) -> Value {
            match path.join(".").as_str() {
                "github.event_name" => Value::Text("push".into()),
                "github.repository" => Value::Repository,
                "github.actor" => Value::Person,
                "labels.*.name" => Value::List(Vec::new()),
                "env.CARGO" => Value::Text("cargo".into()),
                "vars.X" => Value::Setting,
                "gone" => Value::Null,
                _ => Value::Open,
            }
        }
    }

    #[test]
    fn expressions_come_to_what_the_files_say() {
        for (text, expected) in [
            ("github.event_name == 'PUSH'", Truth::Yes),
            ("github.event_name != 'push' || needs.a.outputs.b", Truth::Open),
            ("github.event_name != 'push' && needs.a.outputs.b", Truth::No),
            ("!(github.event_name == 'push')", Truth::No),
            ("github['event_name'] == 'push' && always()", Truth::Yes),
            ("github.repository == 'a/b'", Truth::Open),
            ("github.repository == github.repository", Truth::Yes),
            ("github.actor != 'dependabot[bot]'", Truth::Yes),
            ("contains(labels.*.name, 'e2e')", Truth::No),
            ("contains(fromJSON('[\"push\", \"x\"]'), github.event_name)", Truth::Yes),
            ("startsWith(format('refs/{0}/x', 'tags'), 'refs/tags/')", Truth::Yes),
            ("vars.X == 'true'", Truth::Setting),
            ("vars.X == 'true' || true", Truth::Yes),
            ("vars.X && needs.a", Truth::Setting),
            ("failure()", Truth::No),
            ("gone", Truth::No),
            ("'it''s' == 'it''s'", Truth::Yes),
            ("this is none", Truth::Open),
            ("'open", Truth::Open),
            ("", Truth::Open),
        ] {
            assert_eq!(evaluate(text, &Some3).truth(), expected, "{text}");
        }
        let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(evaluate(&deep, &Some3), Value::Open);
        assert_eq!(
            interpolate("${{ env.CARGO }} test ${{ x }} ${{", &Some3, '?'),
            "cargo test ? ${{"
        );
        assert_eq!(
            whole("${{ github.event_name == 'push' && 'a' || 'b' }}", &Some3),
            Value::Text("a".into())
        );
    }
}
