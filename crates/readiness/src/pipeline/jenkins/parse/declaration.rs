//! Names and functions that a file declares.

use super::super::lex::Token;
use super::super::syntax::{Says, Value};
use super::Parser;
use crate::yaml::Unread;

/// Words before a declaration.
const MODIFIERS: [&str; 9] = [
    "def",
    "final",
    "private",
    "public",
    "protected",
    "static",
    "synchronized",
    "abstract",
    "void",
];

const PRIMITIVES: [&str; 8] =
    ["int", "long", "boolean", "char", "byte", "short", "float", "double"];

impl Parser<'_> {
    /// `def x = …`, `String x = …`, `void f(x) { … }`; none when it is something else.
    pub(super) fn declaration(&mut self) -> Result<Option<Says>, Unread> {
        let before = self.at;
        while self.name(0).is_some_and(|name| MODIFIERS.contains(&name)) && !self.is(1, ":") {
            self.at += 1;
        }
        let modified = self.at > before;
        if modified && self.is(0, "(") {
            // `def (a, b) = …`
            self.skip_balanced();
            return if self.take("=") {
                self.skip_lines();
                Ok(Some(Says::Assign { target: None, value: self.command()? }))
            } else {
                self.at = before;
                Ok(None)
            };
        }
        let first = self.name(0).unwrap_or_default().to_owned();
        let typed = PRIMITIVES.contains(&first.as_str())
            || first.chars().next().is_some_and(char::is_uppercase);
        let after_type = self.after_type();
        let name_at = match after_type {
            Some(at) if typed || modified => at,
            _ if modified => self.at,
            _ => {
                self.at = before;
                return Ok(None);
            }
        };
        self.at = name_at;
        let Some(name) = self.name(0).map(str::to_owned) else {
            self.at = before;
            return Ok(None);
        };
        if self.is(1, "(") {
            return self.function(name, before);
        }
        self.at += 1;
        if self.take("=") {
            self.skip_lines();
            let value = self.command()?;
            return Ok(Some(match value.value {
                // A closure with a name is called like a function.
                Value::Closure(body) => Says::Function { name, parameters: Vec::new(), body },
                _ => Says::Assign { target: Some(name), value },
            }));
        }
        if self.ends_statement() || self.is(0, ",") {
            self.skip_statement();
            return Ok(Some(Says::Nothing));
        }
        self.at = before;
        Ok(None)
    }

    /// Where the name stands that follows a type; none when none does.
    fn after_type(&self) -> Option<usize> {
        self.name(0)?;
        let mut ahead = 1;
        while self.is(ahead, ".") && self.name(ahead + 1).is_some() {
            ahead += 2;
        }
        if self.is(ahead, "<") {
            let mut depth = 0_usize;
            loop {
                match self.token(ahead) {
                    Some(Token::Sign("<")) => depth += 1,
                    Some(Token::Sign(">")) => depth = depth.saturating_sub(1),
                    Some(Token::Name(_) | Token::Sign("," | "." | "?")) => {}
                    _ => return None,
                }
                ahead += 1;
                if depth == 0 {
                    break;
                }
            }
        }
        while self.is(ahead, "[") && self.is(ahead + 1, "]") {
            ahead += 2;
        }
        let operators = ["in", "instanceof", "as"];
        self.name(ahead).filter(|name| !operators.contains(name)).map(|_| self.at + ahead)
    }

    fn function(&mut self, name: String, before: usize) -> Result<Option<Says>, Unread> {
        let end = self.closes(self.at + 1);
        let mut parameters = Vec::new();
        let (mut last, mut in_default) = (None, false);
        for placed in &self.tokens[self.at + 2..end.max(self.at + 2)] {
            match &placed.token {
                Token::Name(name) if !in_default => last = Some(name.clone()),
                Token::Sign("=") => in_default = true,
                Token::Sign(",") => {
                    parameters.extend(last.take());
                    in_default = false;
                }
                _ => {}
            }
        }
        parameters.extend(last);
        self.at = end + 1;
        self.skip_lines();
        if !self.is(0, "{") {
            self.at = before;
            return Ok(None);
        }
        let body = self.body()?;
        Ok(Some(Says::Function { name, parameters, body }))
    }
}
