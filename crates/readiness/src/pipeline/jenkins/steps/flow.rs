//! Statements: what a condition, a loop or a `catch` makes of what stands in it.

use super::super::super::{Occasion, Occasions, Runs};
use super::super::syntax::{Argument, Block, Expression, Says, Statement, Value};
use super::super::value::Known;
use super::method::{gives_itself, is_image, is_new};
use super::{Around, NAMES_MAX, Reader, Used, perhaps};
use crate::shell::Blocking;

impl<'a> Reader<'a> {
    pub(in super::super) fn block(&mut self, block: &'a [Statement], around: &Around) {
        let mut narrowed: Option<Around> = None;
        for statement in block {
            if self.visits == 0 {
                self.cut = true;
                return;
            }
            self.visits -= 1;
            let around = narrowed.as_ref().unwrap_or(around);
            match &statement.says {
                Says::Return(value) => {
                    if let Some(value) = value {
                        self.expression(value, around, Used::No);
                    }
                    return;
                }
                Says::Throw => return,
                Says::If { branches, otherwise } => {
                    if let Some(rest) = self.branches(branches, otherwise.as_ref(), around) {
                        narrowed = Some(around.when(&rest));
                    }
                }
                _ => self.statement(statement, around),
            }
        }
    }

    fn statement(&mut self, statement: &'a Statement, around: &Around) {
        match &statement.says {
            Says::Expression(expression) => self.expression(expression, around, Used::No),
            Says::Assign { target, value } => self.assign(target.as_deref(), value, around),
            Says::Function { name, parameters, body } => {
                self.functions.insert(name, (parameters, body));
                if let Some((map, _)) = name.rsplit_once('.') {
                    self.branches.push((map, body, around.runs.clone()));
                }
            }
            Says::Perhaps(body) => {
                let line = statement.place.line;
                self.block(body, &around.when(&perhaps(&format!("the loop in line {line}"))));
            }
            Says::Try { body, caught, last } => {
                let blocking = of_caught(caught, statement.place.line);
                self.block(body, &around.soft(&blocking));
                self.block(last, around);
            }
            Says::Library(names) => {
                for name in names {
                    self.library(statement.place, name.clone());
                }
            }
            Says::Unknown => {
                let line = statement.place.line;
                self.opaque(around, statement.place, format!("line {line} is not understood"));
            }
            Says::If { .. } | Says::Return(_) | Says::Throw | Says::Nothing => {}
        }
    }

    /// The branches of an `if`; on which occasions it goes on behind it, when one of them does not.
    fn branches(
        &mut self,
        branches: &'a [(Expression, Block)],
        otherwise: Option<&'a Block>,
        around: &Around,
    ) -> Option<Occasions> {
        let mut before = Occasions::from_fn(|_| Runs::Yes);
        let mut behind: Option<Occasions> = None;
        for (condition, body) in branches {
            self.expression(condition, around, Used::Told);
            let line = condition.place.line;
            let names = self.names(&around.env);
            let truths: Vec<Option<bool>> =
                Occasion::ALL.into_iter().map(|on| names.evaluate(condition, on).truth()).collect();
            let of = |wanted: bool| {
                Occasions::from_fn(|on| match truths[on as usize] {
                    Some(truth) if truth == wanted => Runs::Yes,
                    Some(_) => Runs::No,
                    None => Runs::Unsure(format!(
                        "the condition in line {line} is decided when it runs"
                    )),
                })
            };
            self.block(body, &around.when(&before.and(&of(true))));
            if leaves(body) {
                let rest = of(false);
                behind = Some(behind.map_or(rest.clone(), |behind| behind.and(&rest)));
            }
            before = before.and(&of(false));
        }
        if let Some(body) = otherwise {
            self.block(body, &around.when(&before));
        }
        behind
    }

    fn assign(&mut self, target: Option<&'a str>, value: &'a Expression, around: &Around) {
        self.expression(value, around, Used::Yes);
        let Some(target) = target else { return };
        if let Some(call) = value.call() {
            if is_image(call) {
                self.images.insert(target.to_owned());
            } else if matches!(call.name.as_str(), "load" | "library")
                || gives_itself(call)
                || is_new(call) && !self.libraries.is_empty()
            {
                self.foreign.insert(target.to_owned());
            }
        }
        let bare = target.strip_prefix("env.").unwrap_or(target);
        let once = self.assigned.get(bare).is_some_and(|times| *times == 1);
        if once && self.of_file.len() < NAMES_MAX {
            let known = self.names(&around.env).evaluate(value, Occasion::Main);
            if let Known::Text(text) = known {
                self.of_file.insert(target.to_owned(), text);
            }
        }
    }

    pub(super) fn expression(&mut self, expression: &'a Expression, around: &Around, used: Used) {
        match &expression.value {
            Value::Call(call) => self.call(call, expression.place, around, used),
            Value::Property(of, _) | Value::Not(of) => self.expression(of, around, used.inside()),
            Value::Chain(first, rest) => {
                self.expression(first, around, used.inside());
                for (_, part) in rest {
                    self.expression(part, around, used.inside());
                }
            }
            Value::Choice(parts) => {
                let open = around.when(&perhaps("a condition"));
                for (at, part) in parts.iter().enumerate() {
                    let around = if at == 0 { around } else { &open };
                    self.expression(part, around, used.inside());
                }
            }
            Value::List(items) => {
                for item in items {
                    self.expression(item, around, used.inside());
                }
            }
            Value::Map(entries) => self.arguments(entries, around),
            _ => {}
        }
    }

    /// What stands in arguments and is called there.
    pub(super) fn arguments(&mut self, arguments: &'a [Argument], around: &Around) {
        for argument in arguments {
            if !matches!(argument.value.value, Value::Closure(_)) {
                self.expression(&argument.value, around, Used::Told);
            }
        }
    }
}

/// What becomes of a failure that is caught.
fn of_caught(caught: &[Block], line: u32) -> Blocking {
    let mut all = Blocking::Yes;
    for body in caught {
        let blocking = match fails(body) {
            Some(true) => Blocking::Yes,
            Some(false) => Blocking::No(format!("the `catch` of line {line} goes on")),
            None => Blocking::Unsure(format!("the `catch` of line {line} decides")),
        };
        all = all.and(&blocking);
    }
    all
}

/// Whether a block does not let what follows it run.
fn leaves(block: &[Statement]) -> bool {
    block.iter().any(|statement| match &statement.says {
        Says::Return(_) | Says::Throw => true,
        Says::Expression(expression) => {
            expression.call().is_some_and(|call| call.of.is_none() && call.name == "error")
        }
        _ => false,
    })
}

/// Whether a `catch` lets the build fail; none when that depends on something.
fn fails(block: &[Statement]) -> Option<bool> {
    let mut nested = false;
    for statement in block {
        match &statement.says {
            Says::Throw => return Some(true),
            Says::Expression(expression) => {
                if let Some(call) = expression.call() {
                    if call.name == "error" {
                        return Some(true);
                    }
                    nested |= call.body().is_some_and(|body| fails(body) != Some(false));
                }
            }
            Says::Assign { target: Some(target), value }
                if target == "currentBuild.result" || target == "currentBuild.currentResult" =>
            {
                match value.text().as_deref() {
                    Some("FAILURE" | "FAILED" | "ABORTED") => return Some(true),
                    Some(_) => {}
                    None => nested = true,
                }
            }
            Says::If { branches, otherwise } => {
                nested |= branches
                    .iter()
                    .map(|(_, body)| body)
                    .chain(otherwise)
                    .any(|body| fails(body) != Some(false));
            }
            Says::Assign { .. } => nested = true,
            _ => {}
        }
    }
    if nested { None } else { Some(false) }
}
