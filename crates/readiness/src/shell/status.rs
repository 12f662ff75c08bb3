//! What is known beforehand of the status of a command, a pipeline or a list, and whether it ends the script.

use super::lex::{Part, Raw, Word};
use super::parse::{List, Node, Pipeline, Simple};
use super::walk::Walk;

/// Deepest lists and functions that are looked into.
const DEPTH_MAX: usize = 10;

/// Most pipelines of a script that are looked at for what they come to.
const LOOKS_MAX: usize = 100_000;

/// What something comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// The script, or the function, ends there.
    pub(super) exits: bool,
    /// Whether it succeeds, where that is known.
    pub(super) succeeds: Option<bool>,
}

const OPEN: Ending = Ending { exits: false, succeeds: None };

impl Ending {
    fn exit(succeeds: Option<bool>) -> Self {
        Self { exits: true, succeeds }
    }

    fn goes_on(succeeds: Option<bool>) -> Self {
        Self { exits: false, succeeds }
    }
}

impl Walk {
    /// What a list comes to behind something that came to `prior`.
    pub(super) fn ending_of(&self, list: &List, prior: Option<bool>, depth: usize) -> Ending {
        let mut succeeds = prior;
        for and_or in list {
            if depth > DEPTH_MAX {
                return OPEN;
            }
            if let [one] = and_or.pipelines.as_slice() {
                let ending = self.ending(one, succeeds, depth + 1);
                if ending.exits {
                    return ending;
                }
                succeeds = ending.succeeds;
                continue;
            }
            let mut all = and_or.pipelines.iter().map(|one| self.ending(one, None, depth + 1));
            if all.any(|ending| ending.exits && ending.succeeds != Some(false)) {
                return Ending::exit(None);
            }
            succeeds = None;
        }
        Ending::goes_on(succeeds)
    }

    /// What a pipeline comes to.
    pub(super) fn ending(&self, pipeline: &Pipeline, prior: Option<bool>, depth: usize) -> Ending {
        self.looks.set(self.looks.get() + 1);
        let deep = depth > DEPTH_MAX || self.looks.get() > LOOKS_MAX;
        let Some(last) = pipeline.parts.last().filter(|_| !deep) else { return OPEN };
        let piped = pipeline.parts.len() > 1;
        let ending = match last {
            Node::Simple(simple) => self.ending_of_command(simple, prior, depth),
            Node::Group { body, subshell } => {
                let inner = self.ending_of(body, prior, depth + 1);
                Ending { exits: inner.exits && !subshell, ..inner }
            }
            Node::If { branches, otherwise } => {
                let bodies = branches.iter().map(|(_, body)| body).chain([otherwise]);
                self.of_some(bodies, depth)
            }
            Node::Loop { body, .. } | Node::For { body, .. } | Node::Case(body) => {
                self.of_some([body].into_iter(), depth)
            }
            Node::Function { .. } => Ending::goes_on(Some(true)),
        };
        if ending.exits && !piped {
            return ending;
        }
        Ending::goes_on(ending.succeeds.map(|succeeds| succeeds != pipeline.negated))
    }

    /// One of several lists runs, or none.
    fn of_some<'l>(&self, mut bodies: impl Iterator<Item = &'l List>, depth: usize) -> Ending {
        let passes = |body: &List| {
            let ending = self.ending_of(body, None, depth + 1);
            ending.exits && ending.succeeds != Some(false)
        };
        if bodies.any(passes) { Ending::exit(None) } else { OPEN }
    }

    fn ending_of_command(&self, simple: &Simple, prior: Option<bool>, depth: usize) -> Ending {
        if simple.words.is_empty() {
            return Ending::goes_on(simple.nested.is_empty().then_some(true));
        }
        let words = self.expand_all(&simple.words);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        if let Some(holds) = self.holds(simple) {
            return Ending::goes_on(Some(holds));
        }
        match texts.as_slice() {
            ["exit" | "return"] | ["exit", "/b" | "/B"] => Ending::exit(prior),
            ["exit" | "return", _] if is_status(&simple.words[1]) => Ending::exit(prior),
            ["exit" | "return", code] | ["exit", "/b" | "/B", code] => {
                Ending::exit(code.parse::<i64>().ok().map(|code| code % 256 == 0))
            }
            ["exec", _, ..] => Ending::exit(None),
            ["echo" | "printf" | "export" | "unset" | "set" | "shopt", ..] => {
                Ending::goes_on(Some(true))
            }
            [name, ..] => match self.functions.get(*name) {
                Some(body) => {
                    let body = Pipeline { negated: false, parts: vec![body.clone()] };
                    self.ending(&body, prior, depth + 1)
                }
                None => OPEN,
            },
            [] => Ending::goes_on(Some(true)),
        }
    }

    /// What `[ a = b ]` and the like come to, when all words are known.
    pub(super) fn holds(&self, simple: &Simple) -> Option<bool> {
        let words = self.expand_all(&simple.words);
        if !words.iter().all(Word::is_fixed) {
            return None;
        }
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match texts.as_slice() {
            ["true" | ":", ..] => Some(true),
            ["false", ..] => Some(false),
            ["[", a, "=" | "==", b, "]"]
            | ["[[", a, "=" | "==", b, "]]"]
            | ["test", a, "=" | "==", b] => Some(a == b),
            ["[", a, "!=", b, "]"] | ["[[", a, "!=", b, "]]"] | ["test", a, "!=", b] => {
                Some(a != b)
            }
            ["[", "-n", a, "]"] | ["[[", "-n", a, "]]"] | ["test", "-n", a] => Some(!a.is_empty()),
            ["[", "-z", a, "]"] | ["[[", "-z", a, "]]"] | ["test", "-z", a] => Some(a.is_empty()),
            _ => None,
        }
    }

    /// Whether a pipeline only asks something, so that either answer is an ordinary one.
    pub(super) fn asks(&self, pipeline: &Pipeline) -> bool {
        let Some(Node::Simple(simple)) = pipeline.parts.last() else { return pipeline.negated };
        let words = self.expand_all(&simple.words);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        pipeline.negated
            || matches!(
                texts.as_slice(),
                [
                    "[" | "[["
                        | "test"
                        | "grep"
                        | "egrep"
                        | "fgrep"
                        | "rg"
                        | "diff"
                        | "cmp"
                        | "which"
                        | "type"
                        | "hash",
                    ..
                ] | ["command", "-v" | "-V", ..]
                    | ["git", "diff" | "rev-parse" | "show-ref" | "merge-base" | "ls-remote", ..]
            )
    }
}

/// `$?`, the status of what was before.
fn is_status(raw: &Raw) -> bool {
    matches!(raw.parts.as_slice(), [Part::Variable(name, _)] if name == "?")
}

/// Whether commands of a list keep the status that they were given, as `status=$?` does.
pub(super) fn keeps_status(list: &List) -> bool {
    let has = |raw: &Raw| {
        raw.parts.iter().any(|part| matches!(part, Part::Variable(name, _) if name == "?"))
    };
    let of_node = |node: &Node| match node {
        Node::Simple(simple) => {
            simple.assigns.iter().map(|(_, value)| value).any(has)
                || simple.words.get(1).is_some_and(|raw| raw.parts.len() > 1 && has(raw))
        }
        Node::Group { body, .. } => keeps_status(body),
        _ => false,
    };
    list.iter()
        .flat_map(|and_or| &and_or.pipelines)
        .flat_map(|pipeline| &pipeline.parts)
        .any(of_node)
}

/// `exit $status`, or a status of failure, anywhere but in a function.
pub(super) fn exits_with_variable(list: &List) -> bool {
    let of_node = |node: &Node| match node {
        Node::Simple(Simple { words, .. }) => {
            let status = words.get(1).and_then(Raw::fixed);
            words.len() == 2
                && words[0].fixed().as_deref() == Some("exit")
                && status.is_none_or(|code| code.parse::<i64>().is_ok_and(|code| code % 256 != 0))
        }
        Node::Group { body, .. } => exits_with_variable(body),
        Node::If { branches, otherwise } => {
            branches.iter().any(|(_, body)| exits_with_variable(body))
                || exits_with_variable(otherwise)
        }
        Node::Loop { body, .. } | Node::For { body, .. } | Node::Case(body) => {
            exits_with_variable(body)
        }
        Node::Function { .. } => false,
    };
    list.iter()
        .flat_map(|and_or| &and_or.pipelines)
        .flat_map(|pipeline| &pipeline.parts)
        .any(of_node)
}
