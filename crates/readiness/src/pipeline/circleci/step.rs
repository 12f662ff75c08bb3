//! Steps of a job, with the commands that they come from.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::{Does, Occasions, Runs, Script, Step};
use super::condition;
use super::job::inputs;
use super::orb::{self, Element};
use super::scope::{Run, Scope, Value, filled, parameters, text, value};
use crate::finding::Place;
use crate::shell::program::started;
use crate::shell::{Blocking, Options, UNKNOWN};
use crate::tree::join;
use crate::yaml::Node;

/// Commands that call commands.
const DEPTH_MAX: usize = 10;

/// Steps of CircleCI itself that run nothing.
const HARMLESS: [&str; 10] = [
    "checkout",
    "setup_remote_docker",
    "save_cache",
    "restore_cache",
    "store_artifacts",
    "store_test_results",
    "persist_to_workspace",
    "attach_workspace",
    "add_ssh_keys",
    "unset",
];

/// What the steps of a job share, and what was read of them.
pub(super) struct Inside {
    runs: Runs,
    blocking: Blocking,
    vars: BTreeMap<String, String>,
    /// How its shell runs scripts.
    shell: (Options, Blocking),
    /// Where the repository is checked out, as the file writes it.
    root: Option<String>,
    /// Where steps run, from the root of the repository; `None` when it is not known.
    dir: Option<String>,
    depth: usize,
    pub(super) steps: Vec<Step>,
}

impl Inside {
    pub(super) fn new(runs: Runs) -> Self {
        Self {
            runs,
            blocking: Blocking::Yes,
            vars: BTreeMap::new(),
            shell: (Options { errexit: true, pipefail: true }, Blocking::Yes),
            root: None,
            dir: Some(String::new()),
            depth: 0,
            steps: Vec::new(),
        }
    }

    /// Takes the variables, the shell and the directory of a job or an executor.
    pub(super) fn adopt<'a>(&mut self, node: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        self.vars.extend(environment(node, scope, run));
        if let Some(shell) = node.get("shell").and_then(|shell| text(shell, scope, run)) {
            self.shell = started(&shell);
        }
        if let Some(dir) = node.get("working_directory") {
            self.root = text(dir, scope, run);
        }
    }

    /// Where the job works: in the directory that it checks out to, or below it.
    pub(super) fn place<'a>(&mut self, job: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        let steps = job.get("steps").map(Node::items).unwrap_or_default();
        let path = steps.iter().find_map(|step| step.at(&["checkout", "path"]));
        let Some(path) = path.and_then(|path| text(path, scope, run)) else { return };
        let work = self.root.replace(path.clone());
        self.dir = match work.as_deref().map(|work| work.strip_prefix(path.trim_end_matches('/'))) {
            Some(Some(rest)) => join("", rest.trim_start_matches('/')),
            _ => Some(String::new()),
        };
    }

    pub(super) fn steps<'a>(&mut self, list: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        // A parameter may be all steps of a list.
        if let Some(_) = list.text()
            && let Value::Part(steps, from) = value(list, scope, run)
        {
            self.steps(steps, &from, run);
            return;
        }
        for item in list.items() {
            if !run.spend() {
                return;
            }
            self.one(item, scope, run);
        }
    }

    fn one<'a>(&mut self, item: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        if let Some(name) = item.text() {
            match value(item, scope, run) {
                Value::Part(steps, from) => self.steps(steps, &from, run),
                Value::Unknown(why) => self.add(item.place, run, Does::Opaque(why)),
                _ => self.call(name, None, item.place, scope, run),
            }
            return;
        }
        let Some(entry) = item.entries().first() else { return };
        match entry.key.as_str() {
            "run" | "deploy" => self.run(&entry.value, scope, run),
            "steps" => self.steps(&entry.value, scope, run),
            key @ ("when" | "unless") => self.perhaps(&entry.value, key == "when", scope, run),
            name => {
                let given = Some(&entry.value).filter(|given| given.is_map());
                self.call(name, given, entry.key_place, scope, run);
            }
        }
    }

    /// Steps under a condition.
    fn perhaps<'a>(&mut self, node: &'a Node, wanted: bool, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        let Some(steps) = node.get("steps") else { return };
        let own = match node.get("condition").map(|asked| condition::holds(asked, scope, run)) {
            Some(Ok(holds)) if holds != wanted => return,
            Some(Err(why)) => Runs::Unsure(format!("a step runs on a condition: {why}")),
            _ => Runs::Yes,
        };
        let before = self.runs.clone();
        self.runs = before.and(&own);
        self.steps(steps, scope, run);
        self.runs = before;
    }

    /// A command by its name: of CircleCI itself, of the file, or of an orb.
    fn call<'a>(
        &mut self,
        name: &str,
        given: Option<&'a Node>,
        place: Place,
        scope: &Rc<Scope<'a>>,
        run: &Run<'a>,
    ) {
        if HARMLESS.contains(&name) {
            return;
        }
        match orb::element(name, "commands", scope.space) {
            Element::Read { .. } if self.depth >= DEPTH_MAX => {
                let why = format!("commands call each other more than {DEPTH_MAX} times");
                self.add(place, run, Does::Opaque(why));
            }
            Element::Read { node, space } => {
                let inner = parameters(node.get("parameters"), given, space, scope, run);
                self.depth += 1;
                if let Some(steps) = node.get("steps") {
                    self.steps(steps, &inner, run);
                }
                self.depth -= 1;
            }
            Element::Published { slug, name } => {
                if let Some(does) = orb::does(slug, &name, inputs(given, scope, run)) {
                    self.add(place, run, does);
                }
            }
            Element::Missing => {
                let why = format!("the command `{name}` is not in the file");
                self.add(place, run, Does::Opaque(why));
            }
        }
    }

    fn run<'a>(&mut self, node: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) {
        let command = node.get("command").unwrap_or(node);
        let Some(written) = command.text() else { return };
        let part = |key: &str| node.get(key).and_then(|node| text(node, scope, run));
        // A failure before it is what `on_fail` waits for.
        let own = if part("when").as_deref() == Some("on_fail") { Runs::No } else { Runs::Yes };
        let aside = node.get("background").and_then(Node::truth) == Some(true);
        let mut vars = self.vars.clone();
        vars.extend(environment(node, scope, run));
        let bytes: usize = vars.iter().map(|(name, value)| name.len() + value.len()).sum();
        run.spend_for(bytes);
        let shell = part("shell").map(|shell| started(&shell));
        let (options, of_shell) = shell.unwrap_or_else(|| self.shell.clone());
        let script = Script {
            text: filled(written, scope, run),
            line: command.lines_start(run.tree.text(run.file).unwrap_or_default()),
            literal: command.is_literal(),
            options,
            vars,
            dir: self.below(part("working_directory")),
        };
        let (runs, blocking) = (self.runs.clone(), self.blocking.clone());
        self.runs = runs.and(&own);
        self.blocking = blocking.and(&of_shell);
        if aside {
            self.blocking = Blocking::No("runs in the background".into());
        }
        self.add(command.place, run, Does::Script(script));
        (self.runs, self.blocking) = (runs, blocking);
    }

    /// A step's directory from the root of the repository.
    fn below(&self, given: Option<String>) -> Option<String> {
        let Some(given) = given else { return self.dir.clone() };
        let root = self.root.as_deref().unwrap_or("~/project").trim_end_matches('/');
        if given.contains(UNKNOWN) || given.contains('$') {
            return None;
        }
        match given.strip_prefix(root) {
            Some(rest) => join("", rest.trim_start_matches('/')),
            None if given.starts_with(['/', '~']) => None,
            None => join(self.dir.as_deref()?, &given),
        }
    }

    pub(super) fn add(&mut self, place: Place, run: &Run<'_>, does: Does) {
        self.steps.push(Step {
            file: run.file.to_owned(),
            place,
            runs: Occasions::only(run.occasion, self.runs.clone()),
            blocking: self.blocking.clone(),
            does,
        });
    }
}

/// Variables that a part sets, those that are known. They may be a map, or a list of maps.
fn environment<'a>(
    node: &'a Node,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
) -> BTreeMap<String, String> {
    let Some(all) = node.get("environment") else { return BTreeMap::new() };
    let entries = all.entries().iter().chain(all.items().iter().flat_map(Node::entries));
    let known = |text: &String| !text.contains(UNKNOWN) && !text.contains('$');
    entries
        .filter_map(|entry| {
            Some((entry.key.clone(), text(&entry.value, scope, run).filter(known)?))
        })
        .collect()
}
