//! What `<< … >>` means at one place of the file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::Occasion;
use super::expression;
use crate::shell::UNKNOWN;
use crate::tree::Tree;
use crate::yaml::{Kind, Node};

/// Longest text that parameters may make, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of text that count as one step.
const BYTES_A_STEP: usize = 128;

/// What an ordinary person writes about an ordinary change.
const MESSAGE: &str = "Change something";

/// One reading of the file, on one occasion.
pub(super) struct Run<'a> {
    pub(super) tree: &'a Tree,
    pub(super) file: &'a str,
    pub(super) root: &'a Node,
    pub(super) main: &'a str,
    pub(super) release: &'a str,
    pub(super) occasion: Occasion,
    /// How many steps may still be looked at.
    pub(super) left: &'a Cell<usize>,
}

impl<'a> Run<'a> {
    pub(super) fn spend(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Takes for a text that was made, so that many long ones end.
    pub(super) fn spend_for(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes / BYTES_A_STEP));
    }

    /// The branch that was pushed; none for a tag.
    pub(super) fn branch(&self) -> Option<String> {
        Some(match self.occasion {
            Occasion::Tag | Occasion::Release => return None,
            Occasion::PullRequest | Occasion::Branch => "topic".to_owned(),
            Occasion::ReleaseBranch => self.release.to_owned(),
            Occasion::MergeQueue => format!("gh-readonly-queue/{}/pr-1", self.main),
            Occasion::Main | Occasion::Schedule | Occasion::Manual | Occasion::Other => {
                self.main.to_owned()
            }
        })
    }

    pub(super) fn tag(&self) -> Option<&'static str> {
        (self.occasion == Occasion::Tag).then_some("v1.0.0")
    }

    /// A value of the pipeline, by its name behind `pipeline.`.
    fn pipeline(&self, name: &str, scope: &Rc<Scope<'a>>) -> Value<'a> {
        let text = |text: &str| Value::Text(text.to_owned());
        match name {
            "git.branch" => text(&self.branch().unwrap_or_default()),
            "git.tag" => text(self.tag().unwrap_or_default()),
            "git.branch.is_default" => Value::Bool(self.branch().as_deref() == Some(self.main)),
            "git.commit.subject" | "git.commit.body" => text(MESSAGE),
            "trigger_source" => text(match self.occasion {
                Occasion::Schedule => "scheduled_pipeline",
                Occasion::Manual => "api",
                _ => "webhook",
            }),
            "schedule.name" | "schedule.id" if self.occasion != Occasion::Schedule => Value::Null,
            _ => match name.strip_prefix("parameters.") {
                Some(name) => {
                    let declared = self.root.at(&["parameters", name]);
                    declared.map_or(Value::Null, |node| default(name, node, scope))
                }
                None => Value::Unknown(format!("`pipeline.{name}` is decided when it runs")),
            },
        }
    }
}

/// What a parameter or a value of the pipeline is.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Text(String),
    Bool(bool),
    Null,
    /// Steps or a map, as they are where they were given.
    Part(&'a Node, Rc<Scope<'a>>),
    /// The files do not say; why.
    Unknown(String),
}

impl Value<'_> {
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Null => Some(String::new()),
            Self::Part(..) | Self::Unknown(_) => None,
        }
    }

    pub(super) fn truth(&self) -> Result<bool, String> {
        match self {
            Self::Text(text) => Ok(!matches!(text.as_str(), "" | "false" | "0" | "null")),
            Self::Bool(value) => Ok(*value),
            Self::Null => Ok(false),
            Self::Part(node, _) => Ok(!(node.items().is_empty() && node.entries().is_empty())),
            Self::Unknown(why) => Err(why.clone()),
        }
    }
}

/// Where names are looked up.
pub(super) struct Scope<'a> {
    /// The file, or an orb in it: what holds the commands, jobs and executors.
    pub(super) space: &'a Node,
    /// By `parameters.name` and `matrix.name`.
    pub(super) values: BTreeMap<String, Value<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(space: &'a Node) -> Rc<Self> {
        Rc::new(Self { space, values: BTreeMap::new() })
    }
}

/// What a declared parameter is when nothing is given.
fn default<'a>(name: &str, declared: &'a Node, scope: &Rc<Scope<'a>>) -> Value<'a> {
    match declared.get("default") {
        Some(node) => literal(node, scope),
        None => Value::Unknown(format!("the parameter `{name}` has no default")),
    }
}

/// A node without anything put in.
fn literal<'a>(node: &'a Node, scope: &Rc<Scope<'a>>) -> Value<'a> {
    match &node.kind {
        Kind::Scalar { plain: true, .. } if node.truth().is_some() => {
            Value::Bool(node.truth() == Some(true))
        }
        Kind::Scalar { text, .. } if !node.is_null() => Value::Text(text.clone()),
        Kind::Scalar { .. } => Value::Null,
        _ => Value::Part(node, scope.clone()),
    }
}

/// The parameters of a command, job or executor: what is declared, and what is given from `from`.
pub(super) fn parameters<'a>(
    declared: Option<&'a Node>,
    given: Option<&'a Node>,
    space: &'a Node,
    from: &Rc<Scope<'a>>,
    run: &Run<'a>,
) -> Rc<Scope<'a>> {
    let mut values = BTreeMap::new();
    for entry in declared.map(Node::entries).unwrap_or_default() {
        let value = default(&entry.key, &entry.value, from);
        values.insert(format!("parameters.{}", entry.key), value);
    }
    for entry in given.map(Node::entries).unwrap_or_default() {
        values.insert(format!("parameters.{}", entry.key), value(&entry.value, from, run));
    }
    Rc::new(Scope { space, values })
}

/// What `name` means, without the `<<` and `>>` around it.
pub(super) fn named<'a>(name: &str, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Value<'a> {
    if let Some(name) = name.strip_prefix("pipeline.") {
        return run.pipeline(name, scope);
    }
    match scope.values.get(name) {
        Some(value) => value.clone(),
        None => Value::Unknown(format!("`{name}` is not in the file")),
    }
}

/// What a node comes to.
pub(super) fn value<'a>(node: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Value<'a> {
    let Some(text) = node.text().filter(|text| text.contains("<<")) else {
        return literal(node, scope);
    };
    if let Some(inner) = whole(text) {
        return evaluated(inner, scope, run);
    }
    let text = filled(text, scope, run);
    if text.contains(UNKNOWN) {
        return Value::Unknown("a part of it is only known when it runs".to_owned());
    }
    Value::Text(text)
}

fn evaluated<'a>(inner: &str, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Value<'a> {
    if is_name(inner) {
        return named(inner, scope, run);
    }
    expression::evaluate(inner, scope, run)
}

fn whole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("<<")?.strip_suffix(">>")?;
    (!inner.contains("<<")).then_some(inner.trim())
}

fn is_name(text: &str) -> bool {
    text.contains('.') && text.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
}

/// A text with its values put in; what is not known is marked.
pub(super) fn filled<'a>(text: &str, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        // `\<<` is what a script has of its own.
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push_str("<<");
            rest = after;
            continue;
        }
        out.push_str(before);
        let inner = after.split_once(">>").map(|(inner, behind)| (inner.trim(), behind));
        let known = ["parameters.", "pipeline.", "matrix."];
        let asks = |inner: &str| known.iter().any(|start| inner.contains(start));
        if let Some((inner, behind)) = inner.filter(|(inner, _)| asks(inner)) {
            let made = evaluated(inner, scope, run).text();
            out.push_str(&made.unwrap_or_else(|| UNKNOWN.to_string()));
            rest = behind;
        } else {
            out.push_str("<<");
            rest = after;
        }
        // Parameters that hold parameters twice grow fast.
        if out.len() > TEXT_BYTES_MAX {
            return UNKNOWN.to_string();
        }
    }
    out.push_str(rest);
    run.spend_for(out.len());
    out
}

/// The text of a node with its values put in.
pub(super) fn text<'a>(node: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Option<String> {
    node.text().map(|text| filled(text, scope, run))
}
