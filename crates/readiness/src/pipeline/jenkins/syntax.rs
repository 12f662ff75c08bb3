//! What a Groovy file says, as far as pipelines are written in it.

use crate::finding::Place;

/// Statements between braces, or of a whole file.
pub(super) type Block = Vec<Statement>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) place: Place,
    pub(super) says: Says,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    Expression(Expression),
    /// A name, or names with dots between them, gets a value; none for what is no such name.
    Assign {
        target: Option<String>,
        value: Expression,
    },
    Function {
        name: String,
        parameters: Vec<String>,
        body: Block,
    },
    If {
        branches: Vec<(Expression, Block)>,
        otherwise: Option<Block>,
    },
    /// `for`, `while` and the cases of a `switch`: what may run, or run again.
    Perhaps(Block),
    Try {
        body: Block,
        caught: Vec<Block>,
        last: Block,
    },
    Return(Option<Expression>),
    Throw,
    /// `@Library`, with what it names.
    Library(Vec<String>),
    /// It runs nothing: an import, a class.
    Nothing,
    /// What is not understood.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Text),
    Name(String),
    Truth(bool),
    Null,
    Number(String),
    List(Vec<Expression>),
    Map(Vec<Argument>),
    Closure(Block),
    Call(Call),
    Property(Box<Expression>, String),
    Not(Box<Expression>),
    /// A value with operators and operands behind it, from left to right.
    Chain(Box<Expression>, Vec<(&'static str, Expression)>),
    /// `condition ? this : that`, `this ?: that`.
    Choice(Vec<Expression>),
    Unknown,
}

/// `name(arguments)`, `of.name(arguments)`; a closure behind it is its last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) of: Option<Box<Expression>>,
    pub(super) name: String,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Expression,
}

/// A string of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) parts: Vec<Part>,
    /// The line of the file on which its first line stands.
    pub(super) line: u32,
    /// Its lines are lines of the file.
    pub(super) literal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// What stands between `${` and `}`, or behind `$`.
    Code(String),
}

impl Text {
    /// The text, when nothing in it waits for a value.
    pub(super) fn fixed(&self) -> Option<String> {
        self.parts.iter().try_fold(String::new(), |text, part| match part {
            Part::Text(more) => Some(text + more),
            Part::Code(_) => None,
        })
    }
}

impl Expression {
    /// The names of `a.b.c`, with their dots.
    pub(super) fn path(&self) -> Option<String> {
        match &self.value {
            Value::Name(name) => Some(name.clone()),
            Value::Property(of, name) => Some(format!("{}.{name}", of.path()?)),
            _ => None,
        }
    }

    /// The text, when it is one that waits for no value.
    pub(super) fn text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => text.fixed(),
            _ => None,
        }
    }

    pub(super) fn call(&self) -> Option<&Call> {
        match &self.value {
            Value::Call(call) => Some(call),
            _ => None,
        }
    }
}

impl Call {
    /// The argument of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Expression> {
        let is = |argument: &&Argument| argument.name.as_deref() == Some(name);
        self.arguments.iter().find(is).map(|argument| &argument.value)
    }

    /// The arguments without names that are no closures.
    pub(super) fn plain(&self) -> impl Iterator<Item = &Expression> {
        self.arguments
            .iter()
            .filter(|argument| argument.name.is_none())
            .map(|argument| &argument.value)
            .filter(|value| !matches!(value.value, Value::Closure(_)))
    }

    /// The closure behind it.
    pub(super) fn body(&self) -> Option<&Block> {
        self.arguments.iter().rev().find_map(|argument| match &argument.value.value {
            Value::Closure(body) if argument.name.is_none() => Some(body),
            _ => None,
        })
    }

    /// The one that it is called on is a step's own namespace, or there is none.
    pub(super) fn is_step(&self) -> bool {
        match &self.of {
            None => true,
            Some(of) => matches!(of.path().as_deref(), Some("this" | "steps" | "script")),
        }
    }
}
