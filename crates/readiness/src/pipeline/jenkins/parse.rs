//! Statements of a Groovy file. What is not understood becomes a statement that says so, up to its end; only what keeps
//! the whole file from being read is an error.

mod declaration;
mod expression;

use super::lex::{DEPTH_MAX, Placed, Token, tokens};
use super::syntax::{Block, Says, Statement, Value};
use crate::finding::Place;
use crate::yaml::Unread;

/// A file, and its tokens for those who look for words only.
pub(super) fn file(text: &str) -> Result<(Block, Vec<Placed>), Unread> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let block = parser.block()?;
    Ok((block, tokens))
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|placed| &placed.token)
    }

    fn place(&self) -> Place {
        let last = self.tokens.last().map_or(Place::START, |placed| placed.place);
        self.tokens.get(self.at).map_or(last, |placed| placed.place)
    }

    fn is(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.token(ahead), Some(Token::Sign(found)) if *found == sign)
    }

    fn name(&self, ahead: usize) -> Option<&str> {
        match self.token(ahead) {
            Some(Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let is = self.is(0, sign);
        self.at += usize::from(is);
        is
    }

    fn skip_lines(&mut self) {
        while matches!(self.token(0), Some(Token::Line)) {
            self.at += 1;
        }
    }

    /// Where the bracket that opens at a token closes.
    fn closes(&self, opens: usize) -> usize {
        let mut depth = 0_usize;
        for (i, placed) in self.tokens.iter().enumerate().skip(opens) {
            match placed.token {
                Token::Sign("(" | "[" | "{") => depth += 1,
                Token::Sign(")" | "]" | "}") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return i;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// Skips a bracket with all that is in it, or one token.
    fn skip_balanced(&mut self) {
        if matches!(self.token(0), Some(Token::Sign("(" | "[" | "{"))) {
            self.at = self.closes(self.at);
        }
        self.at += 1;
    }

    fn ends_statement(&self) -> bool {
        matches!(self.token(0), None | Some(Token::Line | Token::Sign(";" | "}" | ")" | "]")))
    }

    fn skip_statement(&mut self) {
        while !self.ends_statement() {
            self.skip_balanced();
        }
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unread>,
    ) -> Result<T, Unread> {
        // Brackets are bounded already; statements without any may stand in each other too.
        if self.depth > 4 * DEPTH_MAX {
            let why = "is nested deeper than is read".to_owned();
            return Err(Unread { place: self.place(), why });
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Statements up to a brace that closes, or to the end.
    fn block(&mut self) -> Result<Block, Unread> {
        let mut all = Block::new();
        loop {
            while matches!(self.token(0), Some(Token::Line | Token::Sign(";"))) {
                self.at += 1;
            }
            if matches!(self.token(0), None | Some(Token::Sign("}"))) {
                return Ok(all);
            }
            let before = self.at;
            let statement = self.deeper(Self::statement)?;
            if statement.says != Says::Nothing {
                all.push(statement);
            }
            if self.at == before {
                self.at += 1;
            }
        }
    }

    /// A block in braces, or the one statement that stands in its place.
    fn body(&mut self) -> Result<Block, Unread> {
        self.skip_lines();
        if self.take("{") {
            let block = self.block()?;
            self.take("}");
            return Ok(block);
        }
        Ok(vec![self.deeper(Self::statement)?])
    }

    fn statement(&mut self) -> Result<Statement, Unread> {
        let place = self.place();
        let word = self.name(0).unwrap_or_default().to_owned();
        // `if: …` is a key, and no statement.
        let is_key = self.is(1, ":");
        let says = match word.as_str() {
            _ if self.is(0, "@") => return self.annotated(),
            "class" | "interface" | "enum" | "trait" if self.name(1).is_some() => {
                while !self.ends_statement() && !self.is(0, "{") {
                    self.at += 1;
                }
                self.skip_lines();
                self.skip_balanced();
                Says::Nothing
            }
            "if" if !is_key => self.conditional()?,
            "for" | "while" | "switch" if self.is(1, "(") => {
                self.at = self.closes(self.at + 1) + 1;
                Says::Perhaps(self.body()?)
            }
            "do" if self.is(1, "{") => {
                self.at += 1;
                Says::Perhaps(self.body()?)
            }
            "case" | "default" if word == "case" || is_key => {
                while !self.ends_statement() && !self.is(0, ":") {
                    self.skip_balanced();
                }
                self.take(":");
                Says::Nothing
            }
            "try" if !is_key => self.trial()?,
            "return" if !is_key => {
                self.at += 1;
                let value = if self.ends_statement() { None } else { Some(self.command()?) };
                Says::Return(value)
            }
            "throw" => {
                self.skip_statement();
                Says::Throw
            }
            "import" | "package" | "break" | "continue" | "assert" => {
                self.skip_statement();
                Says::Nothing
            }
            _ => match self.declaration()? {
                Some(says) => says,
                None => self.plain()?,
            },
        };
        if self.ends_statement() || !matches!(says, Says::Expression(_) | Says::Assign { .. }) {
            return Ok(Statement { place, says });
        }
        self.skip_statement();
        Ok(Statement { place, says: Says::Unknown })
    }

    /// `@Library('name') _` and what stands behind other annotations.
    fn annotated(&mut self) -> Result<Statement, Unread> {
        let place = self.place();
        self.at += 1;
        let name = self.name(0).unwrap_or_default().to_owned();
        self.at += usize::from(!name.is_empty());
        while self.is(0, ".") && self.name(1).is_some() {
            self.at += 2;
        }
        let mut named = Vec::new();
        if self.is(0, "(") {
            let end = self.closes(self.at);
            for placed in &self.tokens[self.at..end] {
                if let Token::Text(text) = &placed.token {
                    named.extend(text.fixed());
                }
            }
            self.at = end + 1;
        }
        if name == "Library" {
            self.skip_statement();
            return Ok(Statement { place, says: Says::Library(named) });
        }
        self.skip_lines();
        if matches!(self.token(0), None | Some(Token::Sign("}"))) {
            return Ok(Statement { place, says: Says::Nothing });
        }
        self.deeper(Self::statement)
    }

    fn conditional(&mut self) -> Result<Says, Unread> {
        let mut branches = Vec::new();
        loop {
            self.at += 1;
            if !self.take("(") {
                return Ok(Says::Unknown);
            }
            let condition = self.expression()?;
            while !self.is(0, ")") && self.token(0).is_some() {
                self.skip_balanced();
            }
            self.take(")");
            branches.push((condition, self.body()?));
            let before = self.at;
            while matches!(self.token(0), Some(Token::Line | Token::Sign(";"))) {
                self.at += 1;
            }
            if self.name(0) != Some("else") {
                self.at = before;
                return Ok(Says::If { branches, otherwise: None });
            }
            self.at += 1;
            self.skip_lines();
            if self.name(0) != Some("if") {
                let otherwise = Some(self.body()?);
                return Ok(Says::If { branches, otherwise });
            }
        }
    }

    fn trial(&mut self) -> Result<Says, Unread> {
        self.at += 1;
        if self.is(0, "(") {
            self.skip_balanced();
        }
        let body = self.body()?;
        let (mut caught, mut last) = (Vec::new(), Block::new());
        loop {
            let before = self.at;
            self.skip_lines();
            match self.name(0) {
                Some("catch") => {
                    self.at += 1;
                    if self.is(0, "(") {
                        self.skip_balanced();
                    }
                    caught.push(self.body()?);
                }
                Some("finally") => {
                    self.at += 1;
                    last = self.body()?;
                }
                _ => {
                    self.at = before;
                    return Ok(Says::Try { body, caught, last });
                }
            }
        }
    }

    /// An expression, or an assignment.
    fn plain(&mut self) -> Result<Says, Unread> {
        let expression = self.command()?;
        let assigns = ["=", "+=", "-=", "?=", "<<=", "*="];
        if !assigns.iter().any(|sign| self.is(0, sign)) {
            return Ok(Says::Expression(expression));
        }
        let plain = self.is(0, "=");
        self.at += 1;
        self.skip_lines();
        let value = self.command()?;
        Ok(match (expression.path(), value.value) {
            (Some(name), Value::Closure(body)) if plain => {
                Says::Function { name, parameters: Vec::new(), body }
            }
            (target, inner) => {
                let value = super::syntax::Expression { place: value.place, value: inner };
                Says::Assign { target: target.filter(|_| plain), value }
            }
        })
    }
}

#[cfg(test)]
mod tests;
