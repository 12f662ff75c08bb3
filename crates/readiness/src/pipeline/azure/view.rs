//! Files as Azure Pipelines sees them when templates are expanded: what stands between `${{` and `}}` is put in,
//! conditions and loops are followed. Nothing is copied: a view is a node of a file with what its expressions mean.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::Runs;
use super::directive::{Chain, Directive, directive, directives};
use super::expression::{Names, Value, evaluate};
use super::names::predefined;
use super::run::Run;
use crate::shell::UNKNOWN;
use crate::yaml::{Kind, Node};

/// Longest text that expressions may make, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Variables by their names in lower case.
pub(super) type Variables<'a> = Rc<BTreeMap<String, Value<'a>>>;

/// What names mean in a file.
#[derive(Clone)]
pub(super) struct Around<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) file: &'a str,
    pub(super) parameters: Rc<BTreeMap<String, Value<'a>>>,
    pub(super) variables: Variables<'a>,
    /// Of the loops that it is in.
    pub(super) each: Vec<(String, Value<'a>)>,
    /// The files that include each other down to this one.
    pub(super) through: Rc<Vec<&'a str>>,
}

/// A node with what its expressions mean.
#[derive(Clone)]
pub(super) struct View<'a> {
    pub(super) node: &'a Node,
    pub(super) around: Rc<Around<'a>>,
    /// Why it is not known whether it is there at all.
    pub(super) unsure: Option<Rc<str>>,
}

impl<'a> View<'a> {
    pub(super) fn new(node: &'a Node, around: Rc<Around<'a>>) -> Self {
        Self { node, around, unsure: None }
    }

    fn inner(&self, node: &'a Node) -> Self {
        Self { node, ..self.clone() }
    }

    pub(super) fn unless_sure(mut self, why: Option<&Rc<str>>) -> Self {
        self.unsure = self.unsure.or_else(|| why.cloned());
        self
    }

    /// The same for one who has asked whether it is there. What is in it is known then.
    pub(super) fn sure(&self) -> Self {
        Self { unsure: None, ..self.clone() }
    }

    /// Whether it is there.
    pub(super) fn is_there(&self) -> Runs {
        self.unsure.as_ref().map_or(Runs::Yes, |why| Runs::Unsure(why.to_string()))
    }

    /// What an expression that is a list or a map stands for.
    pub(super) fn resolved(&self) -> Self {
        if let Kind::Scalar { text, .. } = &self.node.kind
            && let Some(inner) = whole(text)
            && let Value::Part(part) = evaluate(inner, &*self.around)
        {
            return part.unless_sure(self.unsure.as_ref());
        }
        self.clone()
    }

    pub(super) fn is_list(&self) -> bool {
        self.resolved().node.is_list()
    }

    /// A text with its expressions put in; what is not known is marked. None for what is no text, or nothing.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.node.text()?;
        if self.unsure.is_some() {
            return Some(UNKNOWN.to_string());
        }
        Some(interpolate(text, &self.around))
    }

    /// What it comes to.
    pub(super) fn value(&self) -> Value<'a> {
        if let (Kind::Scalar { .. }, Some(why)) = (&self.node.kind, &self.unsure) {
            return Value::Unknown(why.to_string());
        }
        match &self.node.kind {
            Kind::Scalar { text, plain, .. } => match (whole(text), self.node.truth()) {
                (Some(inner), _) => evaluate(inner, &*self.around),
                (None, Some(truth)) if *plain => Value::Bool(truth),
                _ if self.node.is_null() => Value::Null,
                _ => {
                    let text = interpolate(text, &self.around);
                    if text.contains(UNKNOWN) {
                        Value::Unknown("a part of it is only known when it runs".into())
                    } else {
                        Value::Text(text)
                    }
                }
            },
            _ => Value::Part(self.clone()),
        }
    }

    /// The entries of a map, with those of conditions that hold.
    pub(super) fn entries(&self) -> Vec<(String, Self)> {
        let own = self.resolved();
        let mut all = Vec::new();
        let mut chain = Chain::default();
        for entry in own.node.entries() {
            let value = own.inner(&entry.value);
            let asked = directive(&entry.key);
            if asked.is_some() && !own.around.run.spend() {
                break;
            }
            match asked {
                Some(Directive::Each(name, list)) => {
                    for value in value.each(name, list) {
                        all.extend(value.entries());
                    }
                }
                Some(Directive::Value("insert")) => all.extend(value.entries()),
                Some(Directive::Value(key)) => {
                    if let Some(key) = evaluate(key, &*own.around).text() {
                        all.push((key, value));
                    }
                }
                Some(asked) => {
                    if let Some(taken) = chain.take(&asked, value) {
                        all.extend(taken.entries());
                    }
                }
                None => all.push((entry.key.clone(), value)),
            }
        }
        all
    }

    /// The value of a key; of a repeated one, the last.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let own = self.resolved();
        if !own.node.entries().iter().any(|entry| entry.key.starts_with("${{")) {
            return own.node.get(key).map(|value| own.inner(value));
        }
        own.entries().into_iter().rfind(|(found, _)| found == key).map(|(_, value)| value)
    }

    /// The text of a key.
    pub(super) fn text_at(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// The items of a list, with those of conditions that hold and of lists that are put in.
    pub(super) fn items(&self) -> Vec<Self> {
        let own = self.resolved();
        let mut all = Vec::new();
        let mut chain = Chain::default();
        for node in own.node.items() {
            if !own.around.run.spend() {
                break;
            }
            let item = own.inner(node);
            let directives = directives(node);
            if directives.is_empty() {
                item.spliced(&mut all);
                continue;
            }
            for (asked, value) in directives {
                let value = item.inner(value);
                match asked {
                    Directive::Each(name, list) => {
                        for value in value.each(name, list) {
                            value.taken(&mut all);
                        }
                    }
                    asked => {
                        if let Some(taken) = chain.take(&asked, value) {
                            taken.taken(&mut all);
                        }
                    }
                }
            }
        }
        all
    }

    /// What stands under a condition: a list is put in item by item.
    fn taken(self, all: &mut Vec<Self>) {
        if self.is_list() { all.extend(self.items()) } else { all.push(self) }
    }

    /// An item; an expression that is a list is put in item by item.
    fn spliced(self, all: &mut Vec<Self>) {
        match whole(self.node.text().unwrap_or_default())
            .map(|inner| evaluate(inner, &*self.around))
        {
            Some(Value::Part(part)) if part.is_list() => {
                let part = part.unless_sure(self.unsure.as_ref());
                all.extend(part.items());
            }
            Some(Value::Part(part)) => all.push(part.unless_sure(self.unsure.as_ref())),
            _ => all.push(self),
        }
    }

    /// The texts of a list, or the one text in its place.
    pub(super) fn texts(&self) -> Vec<String> {
        let own = self.resolved();
        if own.node.is_list() {
            own.items().iter().filter_map(Self::text).collect()
        } else {
            own.text().into_iter().collect()
        }
    }

    /// The body of a loop, once for each item.
    fn each(&self, name: &str, list: &str) -> Vec<Self> {
        let values = match evaluate(list, &*self.around) {
            Value::List(values) => values,
            Value::Part(part) if part.is_list() => part.items().iter().map(Self::value).collect(),
            Value::Part(part) => {
                let entries = part.entries().into_iter();
                entries.map(|(key, value)| Value::Pair(key, Box::new(value.value()))).collect()
            }
            Value::Unknown(why) => {
                let unknown = Value::Unknown(why.clone());
                let unsure = Some(Rc::from(format!("a loop of a template is not known: {why}")));
                let once = self.with(name, unknown).unless_sure(unsure.as_ref());
                return vec![once];
            }
            _ => Vec::new(),
        };
        values.into_iter().map(|value| self.with(name, value)).collect()
    }

    fn with(&self, name: &str, value: Value<'a>) -> Self {
        let mut around = (*self.around).clone();
        around.each.push((name.to_owned(), value));
        Self { around: Rc::new(around), ..self.clone() }
    }
}

/// What stands in an expression that is the whole text.
pub(super) fn whole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("${{")?.strip_suffix("}}")?;
    (!inner.contains("${{")).then_some(inner.trim())
}

fn interpolate(text: &str, around: &Around<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        out.push_str(before);
        let Some((inner, after)) = after.split_once("}}") else {
            out.push_str("${{");
            rest = after;
            continue;
        };
        match evaluate(inner.trim(), around).text() {
            Some(value) => out.push_str(&value),
            None => out.push(UNKNOWN),
        }
        // Parameters that hold parameters twice grow fast.
        if out.len() > TEXT_BYTES_MAX {
            return UNKNOWN.to_string();
        }
        rest = after;
    }
    out.push_str(rest);
    around.run.spend_for(out.len());
    out
}

/// What is asked of a value, one key after the other.
pub(super) fn member<'a>(value: Value<'a>, keys: &[String]) -> Value<'a> {
    let Some((key, rest)) = keys.split_first() else { return value };
    let inner = match value {
        Value::Unknown(_) => return value,
        Value::Part(part) if part.is_list() => {
            let index: Option<usize> = key.parse().ok();
            index.and_then(|index| part.items().get(index).map(View::value))
        }
        Value::Part(part) => part.get(key).map(|found| found.value()),
        Value::List(items) => key.parse().ok().and_then(|index: usize| items.get(index).cloned()),
        Value::Pair(name, _) if key == "key" => Some(Value::Text(name)),
        Value::Pair(_, value) if key == "value" => Some(*value),
        _ => None,
    };
    inner.map_or(Value::Null, |inner| member(inner, rest))
}

impl<'a> Around<'a> {
    pub(super) fn variable(&self, variables: &Variables<'a>, name: &str) -> Value<'a> {
        let name = name.to_ascii_lowercase();
        if let Some(value) = variables.get(&name) {
            return value.clone();
        }
        predefined(self.run, &name)
    }
}

impl<'a> Names<'a> for Around<'a> {
    fn value(&self, first: &str, then: &[String]) -> Value<'a> {
        if let Some((_, value)) = self.each.iter().rfind(|(name, _)| name == first) {
            return member(value.clone(), then);
        }
        match (first.to_ascii_lowercase().as_str(), then) {
            ("parameters", [name, rest @ ..]) => {
                member(self.parameters.get(name).cloned().unwrap_or(Value::Null), rest)
            }
            // `variables.Build.Reason` is the same as `variables['Build.Reason']`.
            ("variables", [_, ..]) => self.variable(&self.variables, &then.join(".")),
            _ => {
                let name = [&[first.to_owned()], then].concat().join(".");
                Value::Unknown(format!("`{name}` is decided when it runs"))
            }
        }
    }

    fn status(&self, function: &str, _: &[String]) -> Value<'a> {
        // Templates are expanded before anything ran.
        Value::Unknown(format!("`{function}()` is decided when it runs"))
    }
}
