//! From statements to steps: what runs plainly, what a condition, a loop or a `catch` makes unsure or soft, and what
//! nobody can see from here.

mod call;
mod flow;
mod method;
mod names;
mod plugin;
mod script;

pub(super) use self::call::catch_error;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::super::{Does, Job, Occasion, Occasions, Runs, Step};
use super::lex::Placed;
use super::syntax::{Block, Call, Says, Value};
use super::value::Names;
use crate::finding::Place;
use crate::shell::Blocking;
use crate::tree::Tree;

/// Most steps of all Jenkinsfiles together.
pub(super) const STEPS_MAX: usize = 10_000;

/// Most statements that are looked at for each step that may be found, when functions call functions.
const VISITS_MAX: usize = 200_000;

/// Functions that call each other.
const CALLS_MAX: usize = 16;

/// Most names that are remembered.
const NAMES_MAX: usize = 2_000;

/// What surrounds a statement.
#[derive(Debug, Clone)]
pub(super) struct Around {
    pub(super) runs: Occasions,
    pub(super) blocking: Blocking,
    /// The directory from the root; `None` when it is not known.
    pub(super) dir: Option<String>,
    pub(super) env: Rc<BTreeMap<String, String>>,
}

impl Around {
    pub(super) fn when(&self, runs: &Occasions) -> Self {
        Self { runs: self.runs.and(runs), ..self.clone() }
    }

    pub(super) fn soft(&self, blocking: &Blocking) -> Self {
        Self { blocking: self.blocking.and(blocking), ..self.clone() }
    }
}

/// What becomes of what a call returns.
#[derive(Clone, Copy, PartialEq)]
enum Used {
    /// It stands alone.
    No,
    /// Something looks at it.
    Yes,
    /// It is an argument or a condition: a call that is not known only tells something there.
    Told,
}

impl Used {
    fn inside(self) -> Self {
        if self == Self::Told { Self::Told } else { Self::Yes }
    }
}

pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    file: &'a str,
    pub(super) main: &'a str,
    functions: BTreeMap<&'a str, (&'a [String], &'a Block)>,
    /// How often each name gets a value; of one that changes no value is known.
    assigned: HashMap<String, usize>,
    /// Names that closures, loops and catches give values.
    bound: HashSet<String>,
    pub(super) of_file: BTreeMap<String, String>,
    /// Closures that maps hold, for `parallel`, and when they are put there.
    branches: Vec<(&'a str, &'a Block, Occasions)>,
    /// Names that hold images of Docker, and such as hold what another file or a library made.
    images: BTreeSet<String>,
    foreign: BTreeSet<String>,
    libraries: Vec<(Place, String)>,
    jobs: Vec<Job>,
    current: usize,
    /// On which occasions nobody has to say yes before it goes on.
    gate: Occasions,
    calls: usize,
    visits: usize,
    left: usize,
    /// A step that is known was seen.
    known: bool,
    /// The first step that is not.
    stranger: Option<(Place, String)>,
    cut: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        tree: &'a Tree,
        file: &'a str,
        main: &'a str,
        block: &'a Block,
        tokens: &[Placed],
        left: usize,
    ) -> Self {
        let mut functions = BTreeMap::new();
        for statement in block {
            if let Says::Function { name, parameters, body } = &statement.says {
                functions.insert(name.as_str(), (parameters.as_slice(), body));
            }
        }
        Self {
            tree,
            file,
            main,
            functions,
            assigned: names::assigned(tokens),
            bound: names::bound(tokens),
            of_file: BTreeMap::new(),
            branches: Vec::new(),
            images: BTreeSet::new(),
            foreign: BTreeSet::new(),
            libraries: Vec::new(),
            jobs: Vec::new(),
            current: 0,
            gate: Occasions::from_fn(|_| Runs::Yes),
            calls: 0,
            visits: VISITS_MAX,
            left,
            known: false,
            stranger: None,
            cut: false,
        }
    }

    /// Reads a whole file that is started on some occasions.
    pub(super) fn file(&mut self, block: &'a Block, triggers: &Occasions) {
        self.jobs.push(Job::new(self.file, self.file, Place::START));
        let around = Around {
            runs: triggers.clone(),
            blocking: Blocking::Yes,
            dir: Some(String::new()),
            env: Rc::default(),
        };
        self.block(block, &around);
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Why nothing of the file is known: it consists of what is no step of Jenkins.
    pub(super) fn opaque_whole(&self) -> Option<(Place, String)> {
        if self.known {
            return None;
        }
        let (place, step) = self.stranger.as_ref()?;
        let (place, whose) = match self.libraries.first() {
            Some((place, library)) => (*place, format!("the shared library `{library}`")),
            None => (*place, "a shared library or a plugin".to_owned()),
        };
        Some((place, format!("runs `{step}`, which {whose} brings: that is not in the repository")))
    }

    /// Why not all of it was read.
    pub(super) fn cut(&self) -> Option<String> {
        let why = "has more steps, or functions that call each other more often, than are read";
        self.cut.then(|| why.to_owned())
    }

    pub(super) fn jobs(self) -> Vec<Job> {
        self.jobs.into_iter().filter(|job| !job.steps.is_empty()).collect()
    }

    pub(super) fn names<'n>(&'n self, env: &'n BTreeMap<String, String>) -> Names<'n> {
        Names { of_file: &self.of_file, env, main: self.main }
    }

    /// Reads something as a job of its own.
    pub(super) fn stage(&mut self, name: String, place: Place, read: impl FnOnce(&mut Self)) {
        let before = self.current;
        self.jobs.push(Job::new(name, self.file, place));
        self.current = self.jobs.len() - 1;
        self.known = true;
        read(self);
        self.current = before;
    }

    pub(super) fn step(&mut self, around: &Around, place: Place, blocking: &Blocking, does: Does) {
        if self.left == 0 {
            self.cut = true;
            return;
        }
        let step = Step {
            file: self.file.to_owned(),
            place,
            runs: around.runs.and(&self.gate),
            blocking: around.blocking.and(blocking),
            does,
        };
        let Some(job) = self.jobs.get_mut(self.current) else { return };
        // The cells of a matrix repeat most steps as they are.
        if job.steps.iter().rev().take(64).any(|known| *known == step) {
            return;
        }
        self.left -= 1;
        job.steps.push(step);
    }

    pub(super) fn opaque(&mut self, around: &Around, place: Place, why: String) {
        self.step(around, place, &Blocking::Yes, Does::Opaque(why));
    }

    pub(super) fn library(&mut self, place: Place, name: String) {
        self.libraries.push((place, name));
    }

    /// From here on a person has to say yes, where this runs.
    pub(super) fn wait(&mut self, around: &Around) {
        self.gate = Occasions::from_fn(|on| match (self.gate.on(on), around.runs.on(on)) {
            (open, Runs::No) => open.clone(),
            (Runs::No, _) => Runs::No,
            _ if on == Occasion::Manual => Runs::Yes,
            (_, Runs::Unsure(why)) => Runs::Unsure(why.clone()),
            (_, Runs::Yes) => Runs::No,
        });
    }

    /// What is in the braces of a call.
    pub(super) fn inside(&mut self, call: &'a Call, around: &Around) {
        for argument in &call.arguments {
            if let Value::Closure(body) = &argument.value.value {
                self.block(body, around);
            }
        }
    }
}

/// Runs, or not: nobody can tell from here.
pub(super) fn perhaps(what: &str) -> Occasions {
    Occasions::from_fn(|_| Runs::Unsure(format!("whether {what} runs it is decided when it runs")))
}
