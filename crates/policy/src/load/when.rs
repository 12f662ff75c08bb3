//! `when`: what a rule asks for. Every test must fit the kind of the fact that it looks at.

use lockgate_model::config::did_you_mean;
use lockgate_model::config::document::{Entry, Node, Place};

use super::findings::{At, Findings, words};
use super::form;
use crate::circumstances::{CIRCUMSTANCES, GROUPS};
use crate::condition::{
    CLAUSES_MAX, Clause, Condition, DEPTH_MAX, Literal, Subject, Test, VALUES_MAX,
};
use crate::facts::{FactType, Kind};
use crate::names::{ActionName, ArgumentName};
use crate::pattern::Pattern;
use crate::tools::{Action, Argument};

/// The actions that the condition's rule is about; none when it is about every action there is.
pub(crate) type Actions<'a> = &'a [(&'a ActionName, &'a Action)];

/// Reads a condition. `None` when something in it is wrong; that has been said then.
pub(crate) fn read(
    node: &Node,
    actions: Actions<'_>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<Condition> {
    let mut reader = Reader { actions, at, found, clauses: 0, wrong: false };
    let condition = reader.map(node, 0);
    if reader.clauses > CLAUSES_MAX {
        let message = format!("a rule has at most {CLAUSES_MAX} tests, not {}", reader.clauses);
        reader.error(node.place, message, "make two rules of it".into());
    }
    condition.filter(|_| !reader.wrong)
}

/// The fact of an argument that a limit adds up. `None` when it is none, or no number; that has been said then.
pub(crate) fn summed(
    name: &str,
    place: Place,
    actions: Actions<'_>,
    at: At<'_>,
    found: &mut Findings,
) -> Option<Subject> {
    let mut reader = Reader { actions, at, found, clauses: 0, wrong: false };
    let subject = reader.subject(name, place)?;
    let is_number = matches!(subject, Subject::Fact { .. }) && subject.kind() == Some(Kind::Long);
    if !is_number {
        let message = format!("`{subject}` cannot be added up");
        let hint = "name a fact of an argument that is a number: amount.minor".to_owned();
        reader.error(place, message, hint);
    }
    is_number.then_some(subject)
}

struct Reader<'a, 'f> {
    actions: Actions<'a>,
    at: At<'a>,
    found: &'f mut Findings,
    clauses: usize,
    wrong: bool,
}

impl Reader<'_, '_> {
    fn error(&mut self, place: Place, message: String, hint: String) {
        self.wrong = true;
        self.found.error(self.at, place, message, hint);
    }

    /// What `form` found wrong counts here too.
    fn checked<T>(&mut self, read: Option<T>) -> Option<T> {
        self.wrong |= read.is_none();
        read
    }

    /// A map of conditions, each of which must hold.
    fn map(&mut self, node: &Node, depth: usize) -> Option<Condition> {
        if depth > DEPTH_MAX {
            let message = format!("a condition is at most {DEPTH_MAX} levels deep");
            self.error(node.place, message, "make two rules of it".into());
            return None;
        }
        let entries = form::map(node, "a condition", self.at, self.found);
        let entries = self.checked(entries)?;
        if entries.is_empty() {
            let hint = "leave `when` out if the rule always holds".to_owned();
            self.error(node.place, "a condition is empty".into(), hint);
            return None;
        }
        let parts = entries.iter().filter_map(|entry| self.entry(entry, depth)).collect();
        Some(all(parts))
    }

    fn entry(&mut self, entry: &Entry, depth: usize) -> Option<Condition> {
        match entry.key.as_str() {
            "all" => self.list(entry, depth).map(Condition::All),
            "any" => self.list(entry, depth).map(Condition::Any),
            "not" => self.map(&entry.value, depth + 1).map(|part| Condition::Not(Box::new(part))),
            _ => self.tests(entry),
        }
    }

    fn list(&mut self, entry: &Entry, depth: usize) -> Option<Vec<Condition>> {
        let items = form::list(&entry.value, &format!("`{}`", entry.key), self.at, self.found);
        let items = self.checked(items)?;
        if items.is_empty() {
            let message = format!("`{}` is an empty list", entry.key);
            self.error(entry.value.place, message, "write at least one condition".into());
            return None;
        }
        Some(items.iter().filter_map(|item| self.map(item, depth + 1)).collect())
    }

    /// `subject: {test: value, …}`
    fn tests(&mut self, entry: &Entry) -> Option<Condition> {
        let subject = self.subject(&entry.key, entry.key_place)?;
        let what = format!("the test of `{}`", entry.key);
        let tests = form::map(&entry.value, &what, self.at, self.found);
        let tests = self.checked(tests)?;
        if tests.is_empty() {
            let message = format!("`{}` is not tested", entry.key);
            let hint = format!("its tests are {}", words(&fitting(&subject)));
            self.error(entry.value.place, message, hint);
            return None;
        }
        self.clauses += tests.len();
        let parts = tests
            .iter()
            .filter_map(|test| {
                let test = self.test(&subject, test)?;
                Some(Condition::Clause(Clause { subject: subject.clone(), test }))
            })
            .collect();
        Some(all(parts))
    }

    fn subject(&mut self, written: &str, place: Place) -> Option<Subject> {
        let (key, explicit) = match written.strip_prefix("arguments.") {
            Some(rest) => (rest, true),
            None => (written, false),
        };
        let split = key.rsplit_once('.');
        if let (false, Some((group, name))) = (explicit, split)
            && GROUPS.contains(&group)
        {
            return self.circumstance(group, name, place);
        }
        // A name may have a dot: the argument as such goes before a fact of a shorter one.
        if self.actions.iter().any(|(_, action)| action.arguments.contains_key(key)) {
            let name = ArgumentName::new(key)?;
            return self.argument(key, place).map(|_| Subject::Argument { name });
        }
        let (name, fact) = split.unwrap_or((key, ""));
        let argument = self.argument(name, place)?;
        self.fact(ArgumentName::new(name)?, fact, argument, place)
    }

    fn circumstance(&mut self, group: &str, name: &str, place: Place) -> Option<Subject> {
        let index = CIRCUMSTANCES.iter().position(|one| one.group == group && one.name == name);
        if index.is_none() {
            let names: Vec<&str> =
                CIRCUMSTANCES.iter().filter(|one| one.group == group).map(|one| one.name).collect();
            let hint = did_you_mean(name, &names)
                .unwrap_or_else(|| format!("of `{group}` there are {}", words(&names)));
            self.error(place, format!("there is no `{group}.{name}`"), hint);
        }
        index.map(Subject::Circumstance)
    }

    /// The argument that all actions of the rule have. Of two that differ the rule would mean two things.
    fn argument(&mut self, name: &str, place: Place) -> Option<Argument> {
        let mut declared: Option<Argument> = None;
        let mut missing = Vec::new();
        for (action, Action { arguments, .. }) in self.actions {
            match (arguments.get(name), declared) {
                (None, _) => missing.push(action.as_str()),
                (Some(argument), None) => declared = Some(*argument),
                (Some(argument), Some(other)) if argument.of != other.of => {
                    let message = format!(
                        "`{name}` is {} of one action of the rule and {} of another",
                        other.of.name(),
                        argument.of.name()
                    );
                    self.error(place, message, "write a rule for each".into());
                    return None;
                }
                (Some(argument), Some(other)) => {
                    let optional = argument.optional || other.optional;
                    declared = Some(Argument { optional, ..other });
                }
            }
        }
        if declared.is_some() && missing.is_empty() {
            return declared;
        }
        let message = match (declared, self.actions.is_empty()) {
            (_, true) => format!("a rule about every tool cannot test `{name}`"),
            (Some(_), _) => format!("{} has no argument `{name}`", words(&missing)),
            (None, _) => format!("there is no argument `{name}`"),
        };
        let mut known: Vec<&str> = self
            .actions
            .iter()
            .flat_map(|(_, action)| action.arguments.keys().map(ArgumentName::as_str))
            .collect();
        known.sort_unstable();
        known.dedup();
        let hint = match (declared, did_you_mean(name, &known)) {
            (Some(_), _) => "name only actions that have it".to_owned(),
            (None, Some(close)) => close,
            (None, None) if known.is_empty() => {
                let names = CIRCUMSTANCES.iter().map(|one| format!("{}.{}", one.group, one.name));
                format!("it can test {}", words(&names.collect::<Vec<_>>()))
            }
            (None, None) => format!("the arguments are {}", words(&known)),
        };
        self.error(place, message, hint);
        None
    }

    fn fact(
        &mut self,
        argument: ArgumentName,
        fact: &str,
        declared: Argument,
        place: Place,
    ) -> Option<Subject> {
        let Argument { of, optional } = declared;
        let index = of.facts().iter().position(|(name, _)| *name == fact);
        if index.is_none() {
            let names: Vec<&str> = of.facts().iter().map(|(name, _)| *name).collect();
            let hint = did_you_mean(fact, &names)
                .unwrap_or_else(|| format!("the facts of a {} are {}", of.name(), words(&names)));
            self.error(place, format!("`{argument}` has no fact `{fact}`"), hint);
        }
        Some(Subject::Fact { argument, of, fact: index?, optional })
    }

    fn test(&mut self, subject: &Subject, entry: &Entry) -> Option<Test> {
        let node = &entry.value;
        let fitting = fitting(subject);
        if !fitting.contains(&entry.key.as_str()) {
            let message = if TESTS.contains(&entry.key.as_str()) {
                format!("`{}` does not fit `{subject}`, {}", entry.key, kind_of(subject))
            } else {
                format!("there is no test `{}`", entry.key)
            };
            let hint = did_you_mean(&entry.key, &fitting)
                .unwrap_or_else(|| format!("the tests that fit are {}", words(&fitting)));
            self.error(entry.key_place, message, hint);
            return None;
        }
        Some(match entry.key.as_str() {
            "present" => Test::Present(self.flag(node)?),
            "known" => Test::Known(self.flag(node)?),
            "empty" => Test::Empty(self.flag(node)?),
            "is" => Test::Is(self.literal(subject, node)?),
            "in" => Test::In(self.literals(subject, node)?),
            "not_in" => Test::NotIn(self.literals(subject, node)?),
            "at_least" => Test::AtLeast(self.whole(node)?),
            "at_most" => Test::AtMost(self.whole(node)?),
            "above" => Test::Above(self.whole(node)?),
            "below" => Test::Below(self.whole(node)?),
            "contains" => Test::Contains(self.text(node)?),
            "contains_any" => Test::ContainsAny(self.texts(node)?),
            "contains_all" => Test::ContainsAll(self.texts(node)?),
            "subset_of" => Test::SubsetOf(self.texts(node)?),
            _ => Test::Matches(self.pattern(node)?),
        })
    }

    fn flag(&mut self, node: &Node) -> Option<bool> {
        let read = form::flag(node, "this test", self.at, self.found);
        self.checked(read)
    }

    fn whole(&mut self, node: &Node) -> Option<i64> {
        let read = form::whole(node, "this test", self.at, self.found);
        self.checked(read)
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        let read = form::text(node, "this test", self.at, self.found).map(str::to_owned);
        self.checked(read)
    }

    fn literal(&mut self, subject: &Subject, node: &Node) -> Option<Literal> {
        Some(match subject.kind() {
            Some(Kind::Bool) => Literal::Bool(self.flag(node)?),
            Some(Kind::Long) => Literal::Long(self.whole(node)?),
            _ => Literal::Text(self.text(node)?),
        })
    }

    fn items<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        let items = form::list(node, "this test", self.at, self.found);
        let items = self.checked(items)?;
        if items.is_empty() || items.len() > VALUES_MAX {
            let message = format!("this test takes 1 to {VALUES_MAX} values, not {}", items.len());
            self.error(node.place, message, String::new());
            return None;
        }
        Some(items)
    }

    fn literals(&mut self, subject: &Subject, node: &Node) -> Option<Vec<Literal>> {
        let items = self.items(node)?;
        items.iter().map(|item| self.literal(subject, item)).collect()
    }

    fn texts(&mut self, node: &Node) -> Option<Vec<String>> {
        let items = self.items(node)?;
        items.iter().map(|item| self.text(item)).collect()
    }

    fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        let text = self.text(node)?;
        let pattern = Pattern::new(&text);
        match &pattern {
            Some(_) => self.found.warning(
                self.at,
                node.place,
                "`matches` compares characters and knows nothing of what they mean".into(),
                "prefer a fact that says it, such as a host or a folder".into(),
            ),
            None => self.error(
                node.place,
                "a `\\` stands before something other than `*` and `\\`".into(),
                "write `\\\\` for a `\\`".into(),
            ),
        }
        pattern
    }
}

/// One condition out of several that must all hold.
fn all(mut parts: Vec<Condition>) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => Condition::All(parts),
    }
}

const TESTS: &[&str] = &[
    "present",
    "known",
    "is",
    "in",
    "not_in",
    "at_least",
    "at_most",
    "above",
    "below",
    "contains",
    "contains_any",
    "contains_all",
    "subset_of",
    "empty",
    "matches",
];

/// The tests that a subject takes.
fn fitting(subject: &Subject) -> Vec<&'static str> {
    let of_kind: &[&str] = match subject.kind() {
        None => return vec!["present"],
        Some(Kind::Bool) => &["is"],
        Some(Kind::Long) => &["is", "in", "not_in", "at_least", "at_most", "above", "below"],
        Some(Kind::Text) if takes_matches(subject) => &["is", "in", "not_in", "matches"],
        Some(Kind::Text) => &["is", "in", "not_in"],
        Some(Kind::Texts) => &["contains", "contains_any", "contains_all", "subset_of", "empty"],
    };
    of_kind.iter().copied().chain(["known"]).collect()
}

/// Shapes are for plain texts: what has parts is tested by its parts.
fn takes_matches(subject: &Subject) -> bool {
    match subject {
        Subject::Fact { of, .. } => *of == FactType::Text,
        Subject::Argument { .. } | Subject::Circumstance(_) => false,
    }
}

fn kind_of(subject: &Subject) -> &'static str {
    match subject.kind() {
        None => "which is an argument",
        Some(Kind::Bool) => "which is yes or no",
        Some(Kind::Long) => "which is a whole number",
        Some(Kind::Text) => "which is a text",
        Some(Kind::Texts) => "which is a set of texts",
    }
}
