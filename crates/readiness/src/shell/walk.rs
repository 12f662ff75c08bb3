//! From a parsed script to its commands: variables get their values, functions are followed, and of every command it is
//! known what its failure does. What is not reached is no command.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::caught::{caught_by, is_cmdlet, no};
use super::flow::{Flow, Left, Runs};
use super::lex::{Raw, Word};
use super::parse::{AndOr, List, Node, Pipeline, Simple};
use super::rounds::ROUNDS_MAX;
use super::status::exits_with_variable;
use super::{Blocking, Command, Options, SWAYING, UNKNOWN};

/// Most commands of one script.
const COMMANDS_MAX: usize = 20_000;

/// Most commands that are looked at, when functions call functions that do nothing.
const VISITS_MAX: usize = 100_000;

/// Deepest calls of functions.
const CALLS_MAX: usize = 8;

/// Variables by which another program or nothing may be run under a name.
const REDIRECTING: [&str; 2] = ["PATH", "BASH_ENV"];

/// The commands of a script, and the directory that it ends in.
pub(super) fn walked(
    list: &List,
    options: Options,
    vars: &BTreeMap<String, String>,
) -> (Vec<Command>, Option<String>) {
    let redirected = REDIRECTING.iter().find(|name| vars.contains_key(**name));
    let blocking = redirected.map_or(Blocking::Yes, |name| {
        Blocking::Unsure(format!("`{name}` of the step decides which programs run"))
    });
    let swaying = vars.iter().filter(|(name, _)| SWAYING.contains(&name.as_str()));
    let mut walk = Walk {
        out: Vec::new(),
        functions: HashMap::new(),
        env: swaying.map(|(name, value)| (name.clone(), value.clone())).collect(),
        vars: vars.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        dir: Some(String::new()),
        dir_before: None,
        dirs: Vec::new(),
        options,
        rounds_left: ROUNDS_MAX,
        calls: 0,
        visited: 0,
        looks: Cell::new(0),
        arguments: None,
        aliases: BTreeSet::new(),
        trapped: Blocking::Yes,
        flow: Flow::default(),
        keeps_failures: exits_with_variable(list),
    };
    walk.list(list, &Context { blocking, last: true });
    (walk.out, walk.dir)
}

/// What surrounds a command.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) blocking: Blocking,
    /// Its status is the script's.
    pub(super) last: bool,
}

impl Context {
    fn with(&self, blocking: &Blocking) -> Self {
        Self { blocking: self.blocking.and(blocking), last: self.last }
    }
}

pub(super) struct Walk {
    out: Vec<Command>,
    pub(super) functions: HashMap<String, Node>,
    pub(super) vars: BTreeMap<String, Option<String>>,
    /// Of the variables that programs see, those that change what they do.
    pub(super) env: BTreeMap<String, String>,
    pub(super) dir: Option<String>,
    /// The one that `cd -` goes back to.
    pub(super) dir_before: Option<String>,
    /// Those that `popd` goes back to.
    pub(super) dirs: Vec<Option<String>>,
    pub(super) options: Options,
    pub(super) rounds_left: usize,
    pub(super) calls: usize,
    visited: usize,
    /// Pipelines that were asked what they come to.
    pub(super) looks: Cell<usize>,
    pub(super) arguments: Option<Vec<Word>>,
    pub(super) aliases: BTreeSet<String>,
    /// What a trap makes of a failure.
    pub(super) trapped: Blocking,
    pub(super) flow: Flow,
    /// The script ends with a status that it computed.
    keeps_failures: bool,
}

impl Walk {
    pub(super) fn list(&mut self, all: &List, context: &Context) {
        let last_that_counts = all.iter().rposition(|one| !is_cmdlet(one));
        for (i, one) in all.iter().enumerate() {
            self.visited += 1;
            if self.out.len() >= COMMANDS_MAX || self.visited > VISITS_MAX || self.flow.has_ended()
            {
                return;
            }
            let last = context.last && last_that_counts.is_none_or(|last| i >= last);
            self.and_or(one, &Context { blocking: context.blocking.clone(), last });
        }
    }

    fn and_or(&mut self, all: &AndOr, context: &Context) {
        let before = self.flow;
        let background = if all.background { no("runs in the background") } else { Blocking::Yes };
        let mut left: Option<Left> = None;
        for (k, pipeline) in all.pipelines.iter().enumerate() {
            let or = k.checked_sub(1).and_then(|at| all.ors.get(at)).copied().unwrap_or(false);
            let runs = left.map_or(Runs::Yes, |left| left.goes_on(or));
            if runs == Runs::No || self.flow.has_ended() {
                continue;
            }
            let next = Left {
                succeeds: self.ending(pipeline, left.and_then(|left| left.succeeds), 0).succeeds,
                asks: self.asks(pipeline),
            };
            let (own, caught) = self.after_failure(all, k, context.last);
            let last = caught || context.last && k + 1 == all.pipelines.len();
            let context = context.with(&background).with(&own);
            let context = Context { last, ..context };
            match runs {
                Runs::Perhaps => self.perhaps(&context, |walk, context| {
                    walk.pipeline(pipeline, context, next.succeeds);
                }),
                _ => self.pipeline(pipeline, &context, next.succeeds),
            }
            left = Some(left.map_or(next, |left| left.then(or, next)));
        }
        if all.background {
            self.flow = before;
        }
    }

    /// What becomes of a failure of the pipeline at `k`, and whether something behind `||` decides that.
    fn after_failure(&self, all: &AndOr, k: usize, last: bool) -> (Blocking, bool) {
        let fallbacks = (k..all.ors.len()).filter(|at| all.ors[*at]).map(|at| at + 1);
        let mut caught = false;
        for at in fallbacks {
            let Some(fallback) = all.pipelines.get(at) else { break };
            caught = true;
            let ending = self.ending(fallback, Some(false), 0);
            match (ending.exits, ending.succeeds) {
                (true, Some(false)) => return (Blocking::Yes, true),
                // It fails too: what follows it decides.
                (false, Some(false)) => {}
                // It is tried once more.
                _ if *fallback == all.pipelines[k] => {}
                _ => return (caught_by(fallback, ending.succeeds), true),
            }
        }
        let own = if last {
            Blocking::Yes
        } else if !caught && k + 1 < all.pipelines.len() {
            no("a failure before `&&` does not end the script")
        } else if self.options.errexit {
            Blocking::Yes
        } else if self.keeps_failures {
            Blocking::Unsure("the script computes its own status".into())
        } else {
            no("the script goes on after a failure")
        };
        (own, caught)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, context: &Context, succeeds: Option<bool>) {
        let negated =
            if pipeline.negated { no("its status is turned round by `!`") } else { Blocking::Yes };
        let before = self.flow;
        let piped = pipeline.parts.len() > 1;
        for (i, part) in pipeline.parts.iter().enumerate() {
            let lost = if i + 1 < pipeline.parts.len() && !self.options.pipefail {
                no("its status is lost in a pipe, without `pipefail`")
            } else {
                Blocking::Yes
            };
            self.node(part, &context.with(&negated).with(&lost), succeeds);
            if piped {
                self.flow = before;
            }
        }
    }

    fn node(&mut self, node: &Node, context: &Context, succeeds: Option<bool>) {
        let before = self.flow;
        match node {
            Node::Simple(simple) => self.simple(simple, context, succeeds),
            Node::Group { body, subshell: true } => {
                let (dir, dirs, options) = (self.dir.clone(), self.dirs.clone(), self.options);
                self.list(body, context);
                (self.dir, self.dirs, self.options, self.flow) = (dir, dirs, options, before);
            }
            Node::Group { body, subshell: false } => self.list(body, context),
            Node::If { branches, otherwise } => self.branches(branches, otherwise, context),
            Node::Loop { condition, until, body } => {
                let known = self.ending_of(condition, None, 0).succeeds;
                self.list(condition, &context.with(&no("only decides how long a loop runs")));
                let certain = known.map(|succeeds| succeeds != *until);
                self.rounds(body, certain.or(Some(true)), context);
            }
            Node::For { name, words, body } => {
                self.for_each(name.as_deref(), words.as_deref(), body, context);
            }
            Node::Case(body) => {
                let inner = Context { blocking: context.blocking.clone(), last: false };
                self.perhaps(&inner, |walk, context| walk.list(body, context));
            }
            Node::Function { name, body } => {
                self.functions.insert(name.clone(), (**body).clone());
            }
        }
    }

    /// Runs only when something holds that is not known.
    pub(super) fn perhaps(&mut self, context: &Context, run: impl FnOnce(&mut Self, &Context)) {
        let unsure = Blocking::Unsure("runs only when a condition of the script holds".into());
        let (vars, dir, flow) = (self.vars.clone(), self.dir.clone(), self.flow);
        run(self, &context.with(&unsure));
        for (name, value) in &mut self.vars {
            if vars.get(name) != Some(value) {
                *value = None;
            }
        }
        self.dir = dir;
        self.flow = self.flow.perhaps(flow);
    }

    fn branches(&mut self, branches: &[(List, List)], otherwise: &List, context: &Context) {
        let mut open = false;
        for (condition, body) in branches {
            let known = self.ending_of(condition, None, 0).succeeds;
            let negated = condition
                .iter()
                .any(|and_or| and_or.pipelines.iter().any(|pipeline| pipeline.negated));
            let on_failure = if negated { body } else { otherwise };
            let ending = self.ending_of(on_failure, None, 0);
            let asked = match (ending.exits, ending.succeeds) {
                (_, Some(false)) => Blocking::Yes,
                (true, None) => Blocking::Unsure("the script computes its own status".into()),
                _ => no("its status only chooses a branch"),
            };
            self.condition(condition, &context.with(&asked));
            match known {
                Some(true) if !open => return self.list(body, context),
                Some(false) => {}
                _ => {
                    open = true;
                    self.perhaps(context, |walk, context| walk.list(body, context));
                }
            }
        }
        if open {
            self.perhaps(context, |walk, context| walk.list(otherwise, context));
        } else {
            self.list(otherwise, context);
        }
    }

    /// Of a condition the `!` is no mask of its own: the branches say what a failure does.
    fn condition(&mut self, condition: &List, context: &Context) {
        let context = Context { last: true, ..context.clone() };
        for and_or in condition {
            for pipeline in &and_or.pipelines {
                let plain = Pipeline { negated: false, parts: pipeline.parts.clone() };
                self.pipeline(&plain, &context, None);
            }
        }
    }

    fn simple(&mut self, simple: &Simple, context: &Context, succeeds: Option<bool>) {
        let nested = if simple.words.is_empty() {
            Blocking::Yes
        } else {
            no("runs inside another command's words")
        };
        for list in &simple.nested {
            let (dir, flow) = (self.dir.clone(), self.flow);
            self.list(list, &Context { blocking: context.blocking.and(&nested), last: true });
            (self.dir, self.flow) = (dir, flow);
        }
        if simple.words.is_empty() {
            for (name, value) in self.assigned(simple) {
                if let Some(known) = self.env.get_mut(&name) {
                    *known = value.clone().unwrap_or_else(|| UNKNOWN.to_string());
                }
                self.vars.insert(name, value);
            }
            return;
        }
        let words = self.expand_all(&simple.words);
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
        let mut blocking = context.blocking.and(&self.trapped);
        if self.flow.is_doubtful() {
            blocking = blocking.and(&Blocking::Unsure("the script may end before it".into()));
        }
        if self.aliases.contains(&words[0].text) {
            let why = format!("an alias of the script decides what `{}` is", words[0].text);
            blocking = blocking.and(&Blocking::Unsure(why));
        }
        let mut env = self.env.clone();
        for (name, value) in self.assigned(simple) {
            if SWAYING.contains(&name.as_str()) {
                env.insert(name, value.unwrap_or_else(|| UNKNOWN.to_string()));
            }
        }
        self.end(&words, succeeds);
        let dir = self.dir.clone();
        self.out.push(Command { words, line: simple.line, dir, blocking, env });
    }

    /// What the assignments of a command give.
    fn assigned(&self, simple: &Simple) -> Vec<(String, Option<String>)> {
        let value = |value: &Raw| {
            let words = self.expand(value);
            let known = words.iter().all(Word::is_fixed);
            let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            known.then(|| texts.join(" "))
        };
        simple.assigns.iter().map(|(name, raw)| (name.clone(), value(raw))).collect()
    }

    fn call(&mut self, body: &Node, arguments: &[Word], context: &Context) {
        let flow = self.flow;
        self.calls += 1;
        let before = self.arguments.replace(arguments.to_vec());
        self.node(body, context, None);
        self.arguments = before;
        self.calls -= 1;
        self.flow = self.flow.called(flow);
    }
}
