//! Conditions as decisions need them: one after the other in memory, with what they look at resolved beforehand.
//!
//! With many rules a decision costs what it has to fetch. The trees that files are read into lie anywhere; here the
//! rules of a tool lie together. [`crate::truth`] says the same of a tree, part by part, and tests hold the two together.

use std::collections::HashMap;

use crate::cedar::context::{Needs, THERE};
use crate::condition::{Clause, Condition, Literal, Subject, Test};
use crate::facts::Fact;
use crate::names::ArgumentName;
use crate::observed::{Observed, Seen};
use crate::rule::{Effect, Rule, Scope};
use crate::truth::{self, Truth};

/// A part of [`Program::text`].
#[derive(Debug, Clone, Copy)]
struct Text {
    from: u32,
    to: u32,
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u32,
    to: u32,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// A fact of an argument of this number.
    Fact { argument: u32, fact: u8 },
    /// An index of [`crate::circumstances::CIRCUMSTANCES`].
    Circumstance(u8),
}

/// The tests that most rules have; any other is [`Check::Rare`].
#[derive(Debug, Clone, Copy)]
enum Check {
    Known(bool),
    IsBool(bool),
    IsText(Text),
    InTexts(Span),
    /// From the first up to the second, both included.
    Within(i64, i64),
    Contains(Text),
    /// An index of [`Program::rare`].
    Rare(u32),
}

/// A condition, its parts behind it.
#[derive(Debug, Clone, Copy)]
enum Op {
    All { end: u32 },
    Any { end: u32 },
    Not,
    Present { argument: u32, is: bool },
    Check { of: Slot, check: Check },
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its index in the bundle.
    pub(crate) rule: usize,
    pub(crate) effect: Effect,
    /// Whether only Cedar knows its condition.
    pub(crate) native: bool,
    agents: Span,
    code: Span,
}

/// The rules of one tool, or those about every tool.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) entries: Vec<Entry>,
    ops: Vec<Op>,
    texts: Vec<Text>,
    text: String,
    rare: Vec<Test>,
}

/// The numbers of a tool's arguments, in the order of their names. Actions share those of the same name.
pub(crate) type Numbers = HashMap<ArgumentName, u32>;

/// The facts of a request, by argument numbers.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) observed: &'a Observed,
    /// The numbers of the observed arguments, ascending.
    pub(crate) numbers: &'a [u32],
}

impl<'a> Facts<'a> {
    fn argument(&self, number: u32) -> Option<&'a [Fact]> {
        let at = self.numbers.binary_search(&number).ok()?;
        self.observed.arguments.get(at)?.facts.as_deref()
    }

    fn seen(&self, slot: Slot) -> Seen<'a> {
        let fact = match slot {
            Slot::Fact { argument, fact } => {
                self.argument(argument).and_then(|facts| facts.get(usize::from(fact)))
            }
            Slot::Circumstance(index) => self.observed.circumstances.get(usize::from(index)),
        };
        fact.map_or(Seen::Absent, Seen::Fact)
    }
}

impl Program {
    /// Adds a rule, and returns its index here. What an argument without a number is, nobody knows: it was never seen.
    pub(crate) fn add(&mut self, index: usize, rule: &Rule, numbers: &Numbers) -> usize {
        let agents = self.spans(&rule.agents);
        let from = length(&self.ops);
        if let Some(when) = &rule.when {
            self.condition(when, numbers);
        }
        self.entries.push(Entry {
            rule: index,
            effect: rule.effect,
            native: rule.scope == Scope::Native,
            agents,
            code: Span { from, to: length(&self.ops) },
        });
        self.entries.len() - 1
    }

    fn condition(&mut self, condition: &Condition, numbers: &Numbers) {
        let at = self.ops.len();
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                self.ops.push(Op::Not);
                for part in parts {
                    self.condition(part, numbers);
                }
                let end = length(&self.ops);
                let all = matches!(condition, Condition::All(_));
                self.ops[at] = if all { Op::All { end } } else { Op::Any { end } };
            }
            Condition::Not(part) => {
                self.ops.push(Op::Not);
                self.condition(part, numbers);
            }
            Condition::Clause(clause) => {
                let op = self.clause(clause, numbers);
                self.ops.push(op);
            }
        }
    }

    fn clause(&mut self, Clause { subject, test }: &Clause, numbers: &Numbers) -> Op {
        let number = |name: &ArgumentName| numbers.get(name).copied().unwrap_or(u32::MAX);
        let of = match subject {
            Subject::Argument { name } => {
                // Only `present` looks at an argument as such.
                let is = matches!(test, Test::Present(true));
                return Op::Present { argument: number(name), is };
            }
            Subject::Fact { argument, fact, .. } => {
                Slot::Fact { argument: number(argument), fact: narrow(*fact) }
            }
            Subject::Circumstance(index) => Slot::Circumstance(narrow(*index)),
        };
        let check = match test {
            Test::Known(is) => Check::Known(*is),
            Test::Is(Literal::Bool(value)) => Check::IsBool(*value),
            Test::Is(Literal::Long(value)) => Check::Within(*value, *value),
            Test::Is(Literal::Text(value)) => Check::IsText(self.text(value)),
            Test::AtLeast(bound) => Check::Within(*bound, i64::MAX),
            Test::AtMost(bound) => Check::Within(i64::MIN, *bound),
            Test::Contains(one) => Check::Contains(self.text(one)),
            Test::In(values) => match texts(values) {
                Some(texts) => Check::InTexts(self.spans(&texts)),
                None => self.rare(test),
            },
            _ => self.rare(test),
        };
        Op::Check { of, check }
    }

    fn rare(&mut self, test: &Test) -> Check {
        self.rare.push(test.clone());
        Check::Rare(length(&self.rare) - 1)
    }

    fn text(&mut self, text: &str) -> Text {
        let from = length(self.text.as_bytes());
        self.text.push_str(text);
        Text { from, to: length(self.text.as_bytes()) }
    }

    fn spans<T: AsRef<str>>(&mut self, texts: &[T]) -> Span {
        let from = length(&self.texts);
        for text in texts {
            let text = self.text(text.as_ref());
            self.texts.push(text);
        }
        Span { from, to: length(&self.texts) }
    }

    /// Whether the rule is about this agent and can have its effect: what allows must be sure, what is against it need
    /// not be. Of a native one only Cedar knows.
    pub(crate) fn can_match(&self, entry: &Entry, agent: &str, facts: Facts<'_>) -> bool {
        if entry.native {
            return true;
        }
        let mut agents = self.list(entry.agents);
        if agents.len() > 0 && !agents.any(|name| name == agent) {
            return false;
        }
        let truth = match entry.code {
            Span { from, to } if from == to => Truth::True,
            Span { from, .. } => self.truth(&mut (from as usize), facts),
        };
        match entry.effect {
            Effect::Allow => truth == Truth::True,
            Effect::Deny | Effect::Ask | Effect::Limit => truth != Truth::False,
        }
    }

    /// Adds what the rule looks at.
    pub(crate) fn add_needs(&self, entry: &Entry, numbers: &[u32], needs: &mut Needs) {
        let Span { from, to } = entry.code;
        for op in &self.ops[from as usize..to as usize] {
            let (argument, bits) = match op {
                Op::All { .. } | Op::Any { .. } | Op::Not => continue,
                Op::Present { argument, .. } => (argument, THERE),
                Op::Check { of: Slot::Fact { argument, fact }, .. } => {
                    (argument, THERE | 1 << fact)
                }
                Op::Check { of: Slot::Circumstance(index), .. } => {
                    needs.circumstances |= 1 << index;
                    continue;
                }
            };
            let at = numbers.binary_search(argument).ok();
            if let Some(needed) = at.and_then(|at| needs.arguments.get_mut(at)) {
                *needed |= bits;
            }
        }
    }

    /// How the condition at `at` comes out; moves behind it.
    fn truth(&self, at: &mut usize, facts: Facts<'_>) -> Truth {
        let op = self.ops[*at];
        *at += 1;
        match op {
            Op::All { end } => self.parts(at, end, Truth::True, Truth::False, facts),
            Op::Any { end } => self.parts(at, end, Truth::False, Truth::True, facts),
            Op::Not => self.truth(at, facts).not(),
            Op::Present { argument, is } => Truth::of(facts.argument(argument).is_some() == is),
            Op::Check { of, check } => self.check(facts.seen(of), check),
        }
    }

    /// The parts up to `end`: `last` as soon as one of them is that, else the nearest to it, from `first` on.
    fn parts(
        &self,
        at: &mut usize,
        end: u32,
        first: Truth,
        last: Truth,
        facts: Facts<'_>,
    ) -> Truth {
        let end = end as usize;
        let mut truth = first;
        while *at < end {
            let part = self.truth(at, facts);
            if part == last {
                *at = end;
                return last;
            }
            if part == Truth::Unknown {
                truth = Truth::Unknown;
            }
        }
        truth
    }

    fn check(&self, seen: Seen<'_>, check: Check) -> Truth {
        let fact = match (seen, check) {
            (Seen::Absent | Seen::Present, _) => return Truth::False,
            (Seen::Fact(fact), Check::Known(is)) => {
                return Truth::of(!matches!(fact, Fact::Unknown(_)) == is);
            }
            (Seen::Fact(Fact::Unknown(_)), _) => return Truth::Unknown,
            (Seen::Fact(fact), _) => fact,
        };
        Truth::of(match (check, fact) {
            (Check::IsBool(wanted), Fact::Bool(value)) => *value == wanted,
            (Check::IsText(wanted), Fact::Text(value)) => value == self.slice(wanted),
            (Check::InTexts(wanted), Fact::Text(value)) => {
                self.list(wanted).any(|one| one == value)
            }
            (Check::Within(least, most), Fact::Long(value)) => (least..=most).contains(value),
            (Check::Contains(wanted), Fact::Texts(set)) => set.contains(self.slice(wanted)),
            (Check::Rare(test), fact) => truth::holds(fact, &self.rare[test as usize]),
            // A test that does not fit passes no fact; such are refused when read.
            _ => false,
        })
    }

    fn slice(&self, Text { from, to }: Text) -> &str {
        &self.text[from as usize..to as usize]
    }

    fn list(&self, Span { from, to }: Span) -> impl ExactSizeIterator<Item = &str> {
        self.texts[from as usize..to as usize].iter().map(|text| self.slice(*text))
    }
}

/// The texts, when there is nothing else.
fn texts(values: &[Literal]) -> Option<Vec<&str>> {
    let mut texts = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Literal::Text(text) => texts.push(text.as_str()),
            Literal::Bool(_) | Literal::Long(_) => return None,
        }
    }
    Some(texts)
}

/// Files are bounded far below what does not fit.
fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// No type has as many facts as do not fit, nor are there as many circumstances.
fn narrow(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(u8::MAX)
}
