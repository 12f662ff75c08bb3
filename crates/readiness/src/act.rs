//! What the steps of pipelines do, as far as a release needs to know: build, test, scan, deliver, look for drift.

mod action;
mod azure;
mod command;
mod config;
mod files;
mod flags;
mod hooks;
mod idle;
mod invoke;
mod measured;
mod orb;
mod reach;
mod runner;
mod script;
mod threshold;
mod tool;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use self::action::is_known;
use self::files::TestFiles;
pub(crate) use self::files::{Kinds, any as any_test, held as held_tests, is_test};
use self::invoke::Invoked;
use self::measured::Data;
use self::script::Makefiles;
use crate::finding::{Evidence, Place};
use crate::package::Roots;
use crate::pipeline::{Does, Job, Occasion, Occasions, Pipeline, Pipelines, Runs, Script, Step};
use crate::shell::{self, Blocking};
use crate::tree::Tree;

/// A kind of thing that a step may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Class {
    Build,
    /// Runs tests of these kinds.
    Test(Kinds),
    /// Fails below so much coverage, in percent; none when the number is not known.
    Threshold(Option<f64>),
    /// Sends coverage to Codecov, which judges it.
    Codecov,
    /// Looks for known faults of dependencies.
    Dependencies,
    /// Looks for secrets.
    Secrets,
    /// Looks for faults in code or templates.
    Code,
    /// Tries the running program, or feeds it inputs.
    Dynamic,
    /// Bill of materials, licences, policy, Scorecard.
    Compliance,
    Deliver,
    /// Compares what runs with its templates.
    Drift,
    /// Reviews changes by itself.
    Review,
    /// Checks that all other jobs passed.
    Aggregate,
    /// Checks sign-offs or signatures of commits.
    SignOff,
    /// May do anything.
    Opaque,
    /// May run tests, or build.
    OpaqueTests,
}

/// Something that a step does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Act {
    pub(crate) class: Class,
    pub(crate) evidence: Evidence,
    pub(crate) runs: Occasions,
    pub(crate) blocking: Blocking,
    /// What there is to say of it, such as why it is opaque, or the files that show it.
    pub(crate) why: String,
    /// More that shows it.
    pub(crate) also: Vec<Evidence>,
    /// The directory that it works in, where that matters.
    pub(crate) dir: Option<String>,
    /// The packages whose tests it runs, and which kinds of them; empty when they are not told apart.
    pub(crate) packages: BTreeMap<String, Kinds>,
    /// The file of the pipeline that it belongs to.
    pub(crate) pipeline: String,
    /// What it has to do with what coverage.py measured.
    data: Data,
}

/// All that the pipelines of a tree do.
pub(crate) fn all(tree: &Tree, pipelines: &Pipelines, roots: &Roots) -> Vec<Act> {
    let mut acts = Vec::new();
    let reader = Reader {
        tree,
        tests: TestFiles::default(),
        roots,
        left: Cell::new(invoke::COMMANDS_MAX),
        files_left: Cell::new(invoke::FILES_MAX),
        makefiles: Makefiles::default(),
        scripts: RefCell::new(BTreeMap::new()),
        lines: RefCell::new(BTreeMap::new()),
    };
    for pipeline in &pipelines.all {
        let mut jobs = Vec::new();
        for job in &pipeline.jobs {
            let from = acts.len();
            acts.extend(aggregate(tree, &pipeline.file, job));
            let around = Around {
                uploads: job.steps.iter().any(uploads_sarif),
                passing: job.steps.iter().any(makes_cluster),
            };
            let mut fetched = None;
            for step in &job.steps {
                if measured::fetches(step) {
                    fetched.get_or_insert(acts.len() - from);
                }
                acts.extend(reader.step(pipeline, job, step, around));
            }
            jobs.push(measured::OfJob { acts: from..acts.len(), fetched });
        }
        measured::weigh(&mut acts, &jobs, &pipeline.file);
    }
    for unread in &pipelines.unread {
        acts.push(Act {
            class: Class::Opaque,
            evidence: unread.evidence.clone(),
            runs: Occasions::from_fn(|_| Runs::Yes),
            blocking: Blocking::Yes,
            why: unread.why.clone(),
            also: Vec::new(),
            dir: None,
            packages: BTreeMap::new(),
            pipeline: unread.evidence.file.clone(),
            data: Data::None,
        });
    }
    acts
}

fn uploads_sarif(step: &Step) -> bool {
    matches!(&step.does, Does::Uses { what, .. } if what.starts_with("github/codeql-action/upload-sarif@"))
}

/// Whether a step makes a cluster that lives as long as the job.
fn makes_cluster(step: &Step) -> bool {
    match &step.does {
        Does::Uses { what, .. } => {
            ["kind-action", "setup-kind", "minikube", "k3d", "k3s", "microk8s"]
                .iter()
                .any(|part| what.contains(part))
        }
        Does::Script(script) => {
            ["kind create cluster", "minikube start", "k3d cluster create", "get.k3s.io"]
                .iter()
                .any(|part| script.text.contains(part))
        }
        Does::Opaque(_) => false,
    }
}

/// A job that waits for several others and runs whatever became of them is what a forge asks for by one name.
fn aggregate(tree: &Tree, pipeline: &str, job: &Job) -> Option<Act> {
    let first = job.steps.iter().find(|step| match &step.does {
        Does::Uses { what, .. } => what.starts_with("re-actors/alls-green@"),
        Does::Script(script) => {
            let words = ["exit 1", "result", "success"];
            words.iter().any(|word| script.text.contains(word)) && can_fail(script)
        }
        Does::Opaque(_) => false,
    })?;
    let on_changes = [Occasion::PullRequest, Occasion::MergeQueue];
    if !(job.always
        && job.needs.len() > 1
        && on_changes.iter().any(|on| *first.runs.on(*on) == Runs::Yes))
    {
        return None;
    }
    Some(Act {
        class: Class::Aggregate,
        evidence: Evidence::at(&job.file, tree.text(&job.file).unwrap_or_default(), job.place),
        runs: first.runs.clone(),
        blocking: first.blocking.clone(),
        why: format!("the job `{}` waits for {} others", job.name, job.needs.len()),
        also: Vec::new(),
        dir: None,
        packages: BTreeMap::new(),
        pipeline: pipeline.to_owned(),
        data: Data::None,
    })
}

/// Whether a script does more than to say something.
fn can_fail(script: &Script) -> bool {
    let commands = shell::commands(&script.text, script.options, &script.vars);
    commands.iter().any(|command| {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        match words.as_slice() {
            ["exit" | "return", code, ..] => *code != "0",
            ["echo" | "printf" | "true" | ":" | "cat" | "set" | "sleep", ..]
            | ["exit" | "return"] => false,
            _ => command.blocking == Blocking::Yes,
        }
    })
}

/// What the other steps of a job make of one.
#[derive(Clone, Copy)]
struct Around {
    /// Findings are handed to the forge.
    uploads: bool,
    /// A cluster lives as long as the job: what it gets is delivered to nobody, and nothing in it can drift.
    passing: bool,
}

struct Reader<'a> {
    tree: &'a Tree,
    tests: TestFiles,
    roots: &'a Roots,
    left: Cell<usize>,
    files_left: Cell<usize>,
    makefiles: Makefiles,
    /// Commands of scripts that many steps run, by what is asked of them.
    scripts: RefCell<BTreeMap<String, Vec<Invoked>>>,
    /// Lines of the files whose steps are shown; a pipeline may have thousands.
    lines: RefCell<BTreeMap<String, Rc<[&'a str]>>>,
}

impl<'a> Reader<'a> {
    fn line(&self, file: &str, index: usize) -> &'a str {
        let mut all = self.lines.borrow_mut();
        if !all.contains_key(file) {
            let lines = self.tree.text(file).unwrap_or_default().lines().collect();
            all.insert(file.to_owned(), lines);
        }
        all.get(file).and_then(|lines| lines.get(index)).copied().unwrap_or_default()
    }

    /// The line at a place.
    fn at(&self, file: &str, place: Place) -> Evidence {
        let index = usize::try_from(place.line).unwrap_or(usize::MAX).saturating_sub(1);
        Evidence::shown(file, self.line(file, index), place)
    }

    fn step(&self, pipeline: &Pipeline, job: &Job, step: &Step, around: Around) -> Vec<Act> {
        let Around { uploads, passing } = around;
        if pipeline.triggers.possible().next().is_none() || step.runs.possible().next().is_none() {
            return Vec::new();
        }
        let to = job.environment.as_ref().map(|environment| format!("to {environment}"));
        let act = |done: invoke::Done, evidence: Evidence, blocking: &Blocking| Act {
            class: done.class,
            evidence,
            runs: step.runs.clone(),
            blocking: step.blocking.and(blocking).and(&done.blocking),
            why: if done.class == Class::Deliver {
                to.clone().unwrap_or_default()
            } else {
                done.why
            },
            also: done.also,
            dir: done.dir,
            packages: done.packages,
            pipeline: pipeline.file.clone(),
            data: done.data,
        };
        match &step.does {
            Does::Opaque(why) => {
                let done = invoke::Done::new(Class::Opaque).why(why);
                vec![act(done, self.at(&step.file, step.place), &Blocking::Yes)]
            }
            Does::Uses { what, inputs } => {
                let mut all = action::done(self.tree, what, inputs, uploads);
                if all.is_empty() && what.contains("/.github/workflows/") {
                    all.push(
                        invoke::Done::new(Class::Opaque)
                            .why(format!("the workflow `{what}` is in another repository")),
                    );
                }
                all.retain(|done| !(passing && done.to_cluster));
                all.into_iter()
                    .map(|done| act(done, self.at(&step.file, step.place), &Blocking::Yes))
                    .collect()
            }
            Does::Script(script) => {
                let mut all = Vec::new();
                for invoked in self.script(script, job.services, uploads) {
                    if passing && invoked.done.to_cluster {
                        continue;
                    }
                    let index = usize::try_from(script.line).unwrap_or(0).saturating_sub(1);
                    let evidence = if script.literal {
                        {
                            let index = index + invoked.line;
                            Evidence::indented(&step.file, self.line(&step.file, index), index)
                        }
                    } else {
                        self.at(&step.file, step.place)
                    };
                    all.push(act(invoked.done, evidence, &invoked.blocking));
                }
                all
            }
        }
    }

    /// What the commands of a script do; matrices ask for the same many times.
    fn script(&self, script: &Script, services: bool, uploads: bool) -> Vec<Invoked> {
        let key = format!(
            "{:?}{:?}{:?}{services}{uploads}{}",
            script.dir, script.options, script.vars, script.text
        );
        if let Some(known) = self.scripts.borrow().get(&key) {
            return known.clone();
        }
        let none = BTreeMap::new();
        let asked = invoke::Asked {
            tree: self.tree,
            tests: &self.tests,
            roots: self.roots,
            left: &self.left,
            files_left: &self.files_left,
            makefiles: &self.makefiles,
            env: &none,
            services,
            uploads,
        };
        let mut all = Vec::new();
        for command in shell::commands(&script.text, script.options, &script.vars) {
            let dir = match (&script.dir, &command.dir) {
                (Some(base), Some(dir)) => crate::tree::join(base, dir),
                _ => None,
            };
            let asked = invoke::Asked { env: &command.env, ..asked };
            for done in asked.command(&command.words, dir.as_deref(), 0) {
                all.push(Invoked { done, line: command.line, blocking: command.blocking.clone() });
            }
        }
        let compared = threshold::compared(&script.text);
        all.extend(compared.map(|done| Invoked { done, line: 0, blocking: Blocking::Yes }));
        self.scripts.borrow_mut().insert(key, all.clone());
        all
    }
}
