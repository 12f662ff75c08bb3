//! From a parsed script to its commands: variables get their values, functions are followed, and of every command it is
//! known what its failure does.

use std::collections::{BTreeMap, HashMap};

use super::lex::{Part, Raw, Word};
use super::parse::{AndOr, List, Node, Pipeline, Simple};
use super::{Blocking, Command, Options, UNKNOWN};
use crate::tree::join;

/// Most commands of one script.
const COMMANDS_MAX: usize = 20_000;

/// Most commands that are looked at, when functions call functions that do nothing.
const VISITS_MAX: usize = 100_000;

/// Longest word that variables may make.
const WORD_BYTES_MAX: usize = 16 * 1024;

/// Deepest calls of functions.
const CALLS_MAX: usize = 8;

pub(super) fn commands(
    list: &List,
    options: Options,
    vars: &BTreeMap<String, String>,
) -> Vec<Command> {
    let vars = vars.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    let keeps_failures = list.iter().any(exits_with_variable);
    let mut walk = Walk {
        out: Vec::new(),
        functions: HashMap::new(),
        vars,
        dir: Some(String::new()),
        options,
        calls: 0,
        visited: 0,
        arguments: None,
        keeps_failures,
    };
    walk.list(list, &Context { blocking: Blocking::Yes, last: true });
    walk.out
}

/// What surrounds a command.
#[derive(Clone)]
struct Context {
    blocking: Blocking,
    /// Its status is the script's.
    last: bool,
}

impl Context {
    fn with(&self, blocking: &Blocking) -> Self {
        Self { blocking: self.blocking.and(blocking), last: self.last }
    }
}

struct Walk {
    out: Vec<Command>,
    functions: HashMap<String, Node>,
    vars: BTreeMap<String, Option<String>>,
    dir: Option<String>,
    options: Options,
    calls: usize,
    visited: usize,
    arguments: Option<Vec<Word>>,
    /// The script ends with a status that it computed.
    keeps_failures: bool,
}

impl Walk {
    fn list(&mut self, all: &List, context: &Context) {
        for (i, one) in all.iter().enumerate() {
            self.visited += 1;
            if self.out.len() >= COMMANDS_MAX || self.visited > VISITS_MAX {
                return;
            }
            let last = context.last && i + 1 == all.len();
            self.and_or(one, &Context { blocking: context.blocking.clone(), last });
        }
    }

    fn and_or(&mut self, all: &AndOr, context: &Context) {
        let background = if all.background { no("runs in the background") } else { Blocking::Yes };
        for (k, pipeline) in all.pipelines.iter().enumerate() {
            let fallback =
                all.ors[k.min(all.ors.len())..].iter().position(|or| *or).map(|at| k + at + 1);
            let own = match fallback.and_then(|at| all.pipelines.get(at)) {
                Some(fallback) => caught(fallback),
                None if context.last => Blocking::Yes,
                None if k + 1 < all.pipelines.len() => {
                    no("a failure before `&&` does not end the script")
                }
                None if self.options.errexit => Blocking::Yes,
                None if self.keeps_failures => {
                    Blocking::Unsure("the script computes its own status".into())
                }
                None => no("the script goes on after a failure"),
            };
            let context = context.with(&background).with(&own);
            let last = context.last && k + 1 == all.pipelines.len();
            self.pipeline(pipeline, &Context { last: last || fallback.is_some(), ..context });
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, context: &Context) {
        let negated =
            if pipeline.negated { no("its status is turned round by `!`") } else { Blocking::Yes };
        for (i, part) in pipeline.parts.iter().enumerate() {
            let piped = if i + 1 < pipeline.parts.len() && !self.options.pipefail {
                no("its status is lost in a pipe, without `pipefail`")
            } else {
                Blocking::Yes
            };
            self.node(part, &context.with(&negated).with(&piped));
        }
    }

    fn node(&mut self, node: &Node, context: &Context) {
        match node {
            Node::Simple(simple) => self.simple(simple, context),
            Node::Group { body, subshell: true } => {
                let (dir, options) = (self.dir.clone(), self.options);
                self.list(body, context);
                (self.dir, self.options) = (dir, options);
            }
            Node::Group { body, subshell: false } => self.list(body, context),
            Node::If { branches, otherwise } => self.branches(branches, otherwise, context),
            Node::Body { condition, body, certain } => {
                self.list(condition, &context.with(&no("only decides how long a loop runs")));
                let inner = Context { blocking: context.blocking.clone(), last: false };
                if *certain { self.list(body, &inner) } else { self.perhaps(body, &inner) }
            }
            Node::Function { name, body } => {
                self.functions.insert(name.clone(), (**body).clone());
            }
        }
    }

    /// Runs only when something holds that is not known.
    fn perhaps(&mut self, body: &List, context: &Context) {
        let unsure = Blocking::Unsure("runs only when a condition of the script holds".into());
        let (vars, dir) = (self.vars.clone(), self.dir.clone());
        self.list(body, &context.with(&unsure));
        for (name, value) in &mut self.vars {
            if vars.get(name) != Some(value) {
                *value = None;
            }
        }
        if self.dir != dir {
            self.dir = dir;
        }
    }

    fn branches(&mut self, branches: &[(List, List)], otherwise: &List, context: &Context) {
        let mut open = false;
        for (condition, body) in branches {
            let truth = self.test(condition);
            let negated = condition
                .iter()
                .any(|and_or| and_or.pipelines.iter().any(|pipeline| pipeline.negated));
            let fails = if negated { surely_fails(body) } else { surely_fails(otherwise) };
            let asked = if fails { Blocking::Yes } else { no("its status only chooses a branch") };
            self.condition(condition, &context.with(&asked));
            match truth {
                Some(true) if !open => return self.list(body, context),
                Some(false) => {}
                _ => {
                    open = true;
                    self.perhaps(body, context);
                }
            }
        }
        if open { self.perhaps(otherwise, context) } else { self.list(otherwise, context) }
    }

    /// Of a condition the `!` is no mask of its own: the branches say what a failure does.
    fn condition(&mut self, condition: &List, context: &Context) {
        let context = Context { last: true, ..context.clone() };
        for and_or in condition {
            for pipeline in &and_or.pipelines {
                let plain = Pipeline { negated: false, parts: pipeline.parts.clone() };
                self.pipeline(&plain, &context);
            }
        }
    }

    /// What `[ a = b ]` and the like come to, when all words are known.
    fn test(&self, condition: &List) -> Option<bool> {
        let [AndOr { pipelines, .. }] = condition.as_slice() else { return None };
        let [Pipeline { negated, parts }] = pipelines.as_slice() else { return None };
        let [Node::Simple(simple)] = parts.as_slice() else { return None };
        let words: Vec<Word> = simple.words.iter().flat_map(|raw| self.expand(raw)).collect();
        if !words.iter().all(Word::is_fixed) {
            return None;
        }
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let holds = match texts.as_slice() {
            ["true"] => true,
            ["false"] => false,
            ["[", a, "=" | "==", b, "]"]
            | ["[[", a, "=" | "==", b, "]]"]
            | ["test", a, "=" | "==", b] => a == b,
            ["[", a, "!=", b, "]"] | ["[[", a, "!=", b, "]]"] | ["test", a, "!=", b] => a != b,
            ["[", "-n", a, "]"] | ["[[", "-n", a, "]]"] => !a.is_empty(),
            ["[", "-z", a, "]"] | ["[[", "-z", a, "]]"] => a.is_empty(),
            _ => return None,
        };
        Some(holds != *negated)
    }

    fn simple(&mut self, simple: &Simple, context: &Context) {
        let nested = if simple.words.is_empty() {
            Blocking::Yes
        } else {
            no("runs inside another command's words")
        };
        for list in &simple.nested {
            let dir = self.dir.clone();
            self.list(list, &Context { blocking: context.blocking.and(&nested), last: true });
            self.dir = dir;
        }
        if simple.words.is_empty() {
            for (name, value) in &simple.assigns {
                let words = self.expand(value);
                let known = words.iter().all(Word::is_fixed);
                let text =
                    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                self.vars.insert(name.clone(), known.then_some(text));
            }
            return;
        }
        let words: Vec<Word> = simple.words.iter().flat_map(|raw| self.expand(raw)).collect();
        if words.is_empty() || self.out.len() >= COMMANDS_MAX {
            return;
        }
        self.effects(&words);
        if let Some(body) = self.functions.get(&words[0].text).cloned() {
            if self.calls < CALLS_MAX {
                self.call(&body, &words[1..], context);
            }
            return;
        }
        let blocking = context.blocking.clone();
        self.out.push(Command { words, line: simple.line, dir: self.dir.clone(), blocking });
    }

    fn call(&mut self, body: &Node, arguments: &[Word], context: &Context) {
        self.calls += 1;
        let before = self.arguments.replace(arguments.to_vec());
        self.node(body, context);
        self.arguments = before;
        self.calls -= 1;
    }

    /// What a builtin does to the rest of the script.
    fn effects(&mut self, words: &[Word]) {
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match texts.as_slice() {
            ["cd" | "pushd", rest @ ..] => {
                let target = rest.iter().find(|word| !word.starts_with('-'));
                self.dir = match (target, &self.dir) {
                    (Some(target), _)
                        if target.contains(UNKNOWN) || target.starts_with(['/', '~']) =>
                    {
                        None
                    }
                    (Some(target), Some(dir)) => join(dir, target),
                    _ => None,
                };
            }
            ["set", rest @ ..] => {
                for (i, word) in rest.iter().enumerate() {
                    let Some(on) = word
                        .starts_with('-')
                        .then_some(true)
                        .or(word.starts_with('+').then_some(false))
                    else {
                        continue;
                    };
                    if word[1..].contains('e') {
                        self.options.errexit = on;
                    }
                    match rest.get(i + 1) {
                        Some(&"pipefail") => self.options.pipefail = on,
                        Some(&"errexit") => self.options.errexit = on,
                        _ => {}
                    }
                }
            }
            ["export" | "declare" | "local" | "readonly", rest @ ..] => {
                for (name, value) in rest.iter().filter_map(|word| word.split_once('=')) {
                    let value = (!value.contains(UNKNOWN)).then(|| value.to_owned());
                    self.vars.insert(name.to_owned(), value);
                }
            }
            ["shift", ..] => {
                if let Some(arguments) =
                    self.arguments.as_mut().filter(|arguments| !arguments.is_empty())
                {
                    arguments.remove(0);
                }
            }
            _ => {}
        }
    }

    /// The words that one word becomes.
    fn expand(&self, raw: &Raw) -> Vec<Word> {
        if raw.parts.is_empty() {
            return vec![Word::new("")];
        }
        if let ([Part::Arguments], Some(arguments)) = (raw.parts.as_slice(), &self.arguments) {
            return arguments.clone();
        }
        let mut words = vec![String::new()];
        for part in &raw.parts {
            let current = words.last_mut().expect("there is always one word");
            match part {
                Part::Text(text) => current.push_str(text),
                Part::Variable(name, quoted) => match self.vars.get(name) {
                    Some(Some(value)) if current.len() + value.len() > WORD_BYTES_MAX => {
                        current.push(UNKNOWN);
                    }
                    Some(Some(value)) if *quoted => current.push_str(value),
                    Some(Some(value)) => {
                        let mut pieces = value.split_whitespace();
                        current.push_str(pieces.next().unwrap_or_default());
                        words.extend(pieces.map(str::to_owned));
                    }
                    _ => current.push(UNKNOWN),
                },
                Part::Arguments | Part::Unknown | Part::Substitution(..) => current.push(UNKNOWN),
            }
        }
        let vanishes = words.len() == 1 && words[0].is_empty() && !raw.quoted;
        if vanishes { Vec::new() } else { words.into_iter().map(Word::new).collect() }
    }
}

fn no(why: &str) -> Blocking {
    Blocking::No(why.to_owned())
}

/// What becomes of a failure that this follows after `||`.
fn caught(fallback: &Pipeline) -> Blocking {
    if fails(fallback) {
        return Blocking::Yes;
    }
    let first = fallback.parts.first();
    match first {
        Some(Node::Simple(simple)) if simple.words.is_empty() => {
            Blocking::Unsure("the script keeps the failure for later".into())
        }
        Some(Node::Simple(simple)) => {
            let name = simple.words[0].fixed().unwrap_or_default();
            if matches!(name.as_str(), "true" | ":" | "echo" | "printf" | "exit" | "return") {
                no(&format!("`|| {name}` catches a failure"))
            } else {
                Blocking::Unsure(format!("after a failure `{name}` decides"))
            }
        }
        _ => Blocking::Unsure("after a failure something else decides".into()),
    }
}

fn surely_fails(list: &List) -> bool {
    list.iter().any(|and_or| and_or.pipelines.len() == 1 && fails(&and_or.pipelines[0]))
}

/// Whether it ends the script with a failure.
fn fails(pipeline: &Pipeline) -> bool {
    match pipeline.parts.last() {
        Some(Node::Simple(simple)) => {
            let words: Vec<String> =
                simple.words.iter().map(|raw| raw.fixed().unwrap_or_default()).collect();
            match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["false", ..] => !pipeline.negated,
                ["exit" | "return", status] => *status != "0",
                ["exit" | "return"] => true,
                _ => false,
            }
        }
        Some(Node::Group { body, .. }) => surely_fails(body),
        _ => false,
    }
}

/// `exit $status` anywhere at the outermost level, or in a condition of it.
fn exits_with_variable(and_or: &AndOr) -> bool {
    and_or.pipelines.iter().any(|pipeline| {
        pipeline.parts.iter().any(|node| match node {
            Node::Simple(Simple { words, .. }) => {
                words.len() == 2
                    && words[0].fixed().as_deref() == Some("exit")
                    && words[1].fixed().as_deref() != Some("0")
            }
            Node::Group { body, .. } => body.iter().any(exits_with_variable),
            Node::If { branches, otherwise } => {
                branches.iter().any(|(_, body)| body.iter().any(exits_with_variable))
                    || otherwise.iter().any(exits_with_variable)
            }
            _ => false,
        })
    })
}
