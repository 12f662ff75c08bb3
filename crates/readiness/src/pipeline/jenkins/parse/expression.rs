//! Expressions, and calls without parentheses.

use super::super::lex::Token;
use super::super::syntax::{Argument, Block, Call, Expression, Value};
use super::Parser;
use crate::yaml::Unread;

/// Longest chain of calls; what is longer is not understood.
const CHAIN_MAX: usize = 32;

/// Operators that bind tighter the higher they are.
const OPERATORS: [(&str, u8); 21] = [
    ("||", 1),
    ("&&", 2),
    ("==", 4),
    ("!=", 4),
    ("==~", 4),
    ("=~", 4),
    ("===", 4),
    ("!==", 4),
    ("<=>", 4),
    ("<", 5),
    (">", 5),
    ("<=", 5),
    (">=", 5),
    ("..", 6),
    ("..<", 6),
    ("<<", 6),
    ("+", 7),
    ("-", 7),
    ("*", 8),
    ("/", 8),
    ("%", 8),
];

impl Parser<'_> {
    /// An expression that may be a call without parentheses.
    pub(super) fn command(&mut self) -> Result<Expression, Unread> {
        let start = self.at;
        let first = self.expression()?;
        let is_callee = self.at > start
            && matches!(first.value, Value::Name(_) | Value::Property(..))
            && self.starts_argument();
        if !is_callee {
            return Ok(first);
        }
        let arguments = self.arguments(None)?;
        let place = first.place;
        Ok(Expression { place, value: called(first, arguments) })
    }

    /// Whether what comes next on this line is an argument, and no operator.
    fn starts_argument(&self) -> bool {
        match self.token(0) {
            Some(Token::Name(name)) => !matches!(name.as_str(), "in" | "instanceof" | "as"),
            Some(Token::Text(_) | Token::Number(_) | Token::Sign("[")) => true,
            _ => false,
        }
    }

    /// Arguments up to the sign that ends them, or to the end of the statement.
    fn arguments(&mut self, end: Option<&str>) -> Result<Vec<Argument>, Unread> {
        let mut all = Vec::new();
        loop {
            let ended = match end {
                Some(sign) => self.is(0, sign) || self.token(0).is_none(),
                None => self.ends_statement(),
            };
            if ended {
                return Ok(all);
            }
            let before = self.at;
            let name = self.argument_name();
            self.skip_lines();
            let value = self.deeper(Self::expression)?;
            let understood = self.is(0, ",")
                || end.map_or_else(|| self.ends_statement(), |sign| self.is(0, sign));
            if understood || end.is_none() {
                all.push(Argument { name, value });
            } else {
                let place = value.place;
                all.push(Argument { name, value: Expression { place, value: Value::Unknown } });
                while self.token(0).is_some()
                    && !self.is(0, ",")
                    && !matches!(self.token(0), Some(Token::Sign(")" | "]" | "}")))
                {
                    self.skip_balanced();
                }
            }
            if self.take(",") {
                self.skip_lines();
            } else if end.is_none() {
                return Ok(all);
            }
            if self.at == before {
                self.at += 1;
            }
        }
    }

    /// `name:`, `'name':` or `(expression):` before a value.
    fn argument_name(&mut self) -> Option<String> {
        if self.is(0, "*") && self.is(1, ":") {
            self.at += 2;
            return Some("*".to_owned());
        }
        if self.is(0, "(") {
            let end = self.closes(self.at);
            let is_key = matches!(
                self.tokens.get(end + 1).map(|placed| &placed.token),
                Some(Token::Sign(":"))
            );
            if is_key {
                self.at = end + 2;
                return Some(String::new());
            }
        }
        if !self.is(1, ":") {
            return None;
        }
        let name = match self.token(0)? {
            Token::Name(name) | Token::Number(name) => name.clone(),
            Token::Text(text) => text.fixed().unwrap_or_default(),
            _ => return None,
        };
        self.at += 2;
        Some(name)
    }

    pub(super) fn expression(&mut self) -> Result<Expression, Unread> {
        let condition = self.binary(0)?;
        if self.take("?:") {
            self.skip_lines();
            let otherwise = self.deeper(Self::expression)?;
            let place = condition.place;
            return Ok(Expression { place, value: Value::Choice(vec![condition, otherwise]) });
        }
        let before = self.at;
        self.skip_lines();
        if !self.take("?") {
            self.at = before;
            return Ok(condition);
        }
        self.skip_lines();
        let yes = self.deeper(Self::expression)?;
        self.skip_lines();
        let place = condition.place;
        if !self.take(":") {
            return Ok(Expression { place, value: Value::Unknown });
        }
        self.skip_lines();
        let no = self.deeper(Self::expression)?;
        Ok(Expression { place, value: Value::Choice(vec![condition, yes, no]) })
    }

    fn binary(&mut self, least: u8) -> Result<Expression, Unread> {
        let first = self.unary()?;
        let mut rest = Vec::new();
        while let Some((sign, level)) = self.operator().filter(|(_, level)| *level > least) {
            self.at += 1;
            self.skip_lines();
            rest.push((sign, self.binary(level)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let place = first.place;
        Ok(Expression { place, value: Value::Chain(Box::new(first), rest) })
    }

    fn operator(&self) -> Option<(&'static str, u8)> {
        match self.token(0)? {
            Token::Sign(sign) => OPERATORS.iter().copied().find(|(known, _)| known == sign),
            Token::Name(name) if name == "in" => Some(("in", 5)),
            Token::Name(name) if name == "as" || name == "instanceof" => Some(("as", 9)),
            _ => None,
        }
    }

    fn unary(&mut self) -> Result<Expression, Unread> {
        let place = self.place();
        let (mut not, mut changed, mut new) = (false, false, false);
        loop {
            match self.token(0) {
                Some(Token::Sign("!")) => not = !not,
                Some(Token::Sign("-" | "+" | "++" | "--" | "~" | "*" | "&")) => changed = true,
                Some(Token::Name(name)) if name == "new" && self.name(1).is_some() => new = true,
                _ => break,
            }
            self.at += 1;
        }
        let inner = self.postfix()?;
        let value = match inner.value {
            // An object is made: whatever its class does is not a step.
            Value::Call(Call { of: None, name, arguments }) if new => {
                let of = Expression { place, value: Value::Name("new".to_owned()) };
                Value::Call(Call { of: Some(Box::new(of)), name, arguments })
            }
            Value::Call(call) => Value::Call(call),
            _ if changed || new => Value::Unknown,
            value => value,
        };
        let inner = Expression { place, value };
        Ok(if not { Expression { place, value: Value::Not(Box::new(inner)) } } else { inner })
    }

    fn postfix(&mut self) -> Result<Expression, Unread> {
        let mut left = self.primary()?;
        for links in 0.. {
            let before = self.at;
            let place = left.place;
            self.skip_lines();
            let dots = ["?.", ".", "*.", ".&", "::", ".@"];
            let value = if dots.iter().any(|dot| self.is(0, dot)) {
                self.at += 1;
                self.skip_lines();
                self.member(left)
            } else {
                self.at = before;
                match self.token(0) {
                    Some(Token::Sign("(")) => {
                        self.at += 1;
                        let arguments = self.deeper(|parser| parser.arguments(Some(")")))?;
                        self.take(")");
                        called(left, arguments)
                    }
                    Some(Token::Sign("{")) if may_take_closure(&left) => {
                        let closure = self.closure()?;
                        let argument = Argument { name: None, value: closure };
                        match left.value {
                            Value::Call(mut call) => {
                                call.arguments.push(argument);
                                Value::Call(call)
                            }
                            _ => called(left, vec![argument]),
                        }
                    }
                    Some(Token::Sign("["))
                        if matches!(
                            left.value,
                            Value::Name(_) | Value::Property(..) | Value::Call(_)
                        ) && self.is_adjacent() =>
                    {
                        self.index(left)?
                    }
                    Some(Token::Sign("++" | "--")) => {
                        self.at += 1;
                        Value::Unknown
                    }
                    _ => return Ok(left),
                }
            };
            let value = if links < CHAIN_MAX { value } else { Value::Unknown };
            left = Expression { place, value };
        }
        Ok(left)
    }

    /// The bracket stands right behind a name, so that it is an index and no argument.
    fn is_adjacent(&self) -> bool {
        let Some(before) = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)) else {
            return false;
        };
        match &before.token {
            Token::Name(name) => {
                let here = self.place();
                let width = crate::finding::count(name.chars().count());
                here.line == before.place.line && here.column == before.place.column + width
            }
            _ => true,
        }
    }

    fn member(&mut self, of: Expression) -> Value {
        let name = match self.token(0) {
            Some(Token::Name(name)) => Some(name.clone()),
            Some(Token::Text(text)) => text.fixed(),
            _ => None,
        };
        if let Some(name) = name {
            self.at += 1;
            return Value::Property(Box::new(of), name);
        }
        if matches!(self.token(0), Some(Token::Text(_) | Token::Sign("("))) {
            self.skip_balanced();
        }
        Value::Unknown
    }

    /// `of['name']` is `of.name`; with any other index it is `of.*`.
    fn index(&mut self, of: Expression) -> Result<Value, Unread> {
        let end = self.closes(self.at);
        self.at += 1;
        let index = self.deeper(Self::expression)?;
        let whole = self.at == end;
        self.at = end + 1;
        let name = index.text().filter(|_| whole).unwrap_or_else(|| "*".to_owned());
        Ok(Value::Property(Box::new(of), name))
    }

    fn primary(&mut self) -> Result<Expression, Unread> {
        let place = self.place();
        let value = match self.token(0) {
            Some(Token::Text(text)) => Value::Text(text.clone()),
            Some(Token::Number(number)) => Value::Number(number.clone()),
            Some(Token::Name(name)) => match name.as_str() {
                "true" => Value::Truth(true),
                "false" => Value::Truth(false),
                "null" => Value::Null,
                _ => Value::Name(name.clone()),
            },
            Some(Token::Sign("{")) => return self.closure(),
            Some(Token::Sign("[")) => return self.list(),
            Some(Token::Sign("(")) => return self.parenthesized(),
            // Whoever asked for a value finds none, and the sign stays where it is.
            _ => return Ok(Expression { place, value: Value::Unknown }),
        };
        self.at += 1;
        Ok(Expression { place, value })
    }

    fn parenthesized(&mut self) -> Result<Expression, Unread> {
        let place = self.place();
        let end = self.closes(self.at);
        let after = |parser: &Self, sign: &str| matches!(parser.tokens.get(end + 1).map(|placed| &placed.token), Some(Token::Sign(found)) if *found == sign);
        if after(self, "->") {
            self.at = end + 2;
            return self.deeper(Self::expression);
        }
        self.at += 1;
        let inner = self.deeper(Self::command)?;
        let whole = self.at == end;
        self.at = end + 1;
        let is_cast = whole
            && inner.path().is_some_and(|path| path.starts_with(char::is_uppercase))
            && matches!(self.token(0), Some(Token::Name(_) | Token::Text(_)));
        if is_cast {
            return self.deeper(Self::unary);
        }
        Ok(if whole { inner } else { Expression { place, value: Value::Unknown } })
    }

    fn list(&mut self) -> Result<Expression, Unread> {
        let place = self.place();
        self.at += 1;
        if self.is(0, ":") {
            self.at += 1;
            self.take("]");
            return Ok(Expression { place, value: Value::Map(Vec::new()) });
        }
        let items = self.deeper(|parser| parser.arguments(Some("]")))?;
        self.take("]");
        let value = if items.iter().any(|item| item.name.is_some()) {
            Value::Map(items)
        } else {
            Value::List(items.into_iter().map(|item| item.value).collect())
        };
        Ok(Expression { place, value })
    }

    /// `{ a, b -> statements }`.
    fn closure(&mut self) -> Result<Expression, Unread> {
        let place = self.place();
        let end = self.closes(self.at);
        self.at += 1;
        let before = self.at;
        while matches!(
            self.token(0),
            Some(Token::Name(_) | Token::Line | Token::Sign("," | "<" | ">" | "." | "[" | "]"))
        ) {
            self.at += 1;
        }
        if !self.take("->") {
            self.at = before;
        }
        let body: Block = self.deeper(Self::block)?;
        self.at = end + 1;
        Ok(Expression { place, value: Value::Closure(body) })
    }
}

fn may_take_closure(left: &Expression) -> bool {
    matches!(left.value, Value::Name(_) | Value::Property(..) | Value::Call(_))
}

/// What is called, with its arguments.
fn called(callee: Expression, arguments: Vec<Argument>) -> Value {
    match callee.value {
        Value::Name(name) => Value::Call(Call { of: None, name, arguments }),
        Value::Property(of, name) => Value::Call(Call { of: Some(of), name, arguments }),
        _ => {
            let name = "call".to_owned();
            Value::Call(Call { of: Some(Box::new(callee)), name, arguments })
        }
    }
}
