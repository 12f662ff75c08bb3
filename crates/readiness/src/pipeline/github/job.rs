//! A job: its conditions and its steps, for every combination of its matrix.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::{Does, Job, Occasions, Step};
use super::condition::{blocking, is_always, runs};
use super::expression::{Value, interpolate, whole};
use super::matrix::combinations;
use super::scope::{Needed, Scope};
use super::{CALLS_MAX, Call, Reader, STEPS_MAX, refused};
use crate::finding::Place;
use crate::shell::{Blocking, UNKNOWN};
use crate::yaml::{Entry, Node};

/// Variables of a step that are kept.
const ENV_MAX: usize = 500;

/// What all steps of a list share.
pub(super) struct Around<'a> {
    pub(super) file: &'a str,
    pub(super) scope: &'a Scope,
    pub(super) runs: &'a Occasions,
    pub(super) blocking: &'a Blocking,
    /// `defaults.run` of the job, then of the workflow.
    pub(super) defaults: [Option<&'a Node>; 2],
    pub(super) depth: usize,
}

impl Reader<'_> {
    /// When the job itself runs, and the jobs that it becomes.
    pub(super) fn job(
        &mut self,
        file: &str,
        root: &Node,
        entry: &Entry,
        needed: &[&Occasions],
        call: &Call,
    ) -> (Occasions, Vec<Job>) {
        let node = &entry.value;
        let mut scope = Scope {
            main: self.main.clone(),
            inputs: call.inputs.clone(),
            known: Rc::clone(&self.known),
            needs: Rc::new(self::needs(root, node, needed)),
            schedules: schedules(root),
            ..Scope::default()
        };
        extend_env(&mut scope, root.get("env"));
        let (all, known) = combinations(node, &scope);
        let always = is_always(node.get("if"));
        let mut ever = Occasions::never();
        let mut called = Vec::new();
        let mut seen: BTreeMap<(String, Place), Vec<usize>> = BTreeMap::new();
        let mut job = Job {
            name: format!("{}{}", call.prefix, entry.key),
            file: file.to_owned(),
            place: entry.key_place,
            needs: node
                .get("needs")
                .map(|needs| needs.texts().into_iter().map(str::to_owned).collect())
                .unwrap_or_default(),
            always,
            environment: environment(node, &scope),
            services: node.get("services").is_some_and(|services| !services.entries().is_empty()),
            steps: Vec::new(),
        };
        for combination in all {
            let mut scope = Scope { matrix: combination, matrix_known: known, ..scope.clone() };
            scope.machine(node);
            extend_env(&mut scope, node.get("env"));
            let mut own = call.runs.and(&runs(node.get("if"), &scope));
            if !always {
                own = needed.iter().fold(own, |own, needed| own.and(needed));
            }
            ever = Occasions::from_fn(|occasion| ever.on(occasion).min(own.on(occasion)).clone());
            let fails = call.blocking.and(&blocking(node.get("continue-on-error"), &scope));
            if let Some(uses) = node.get("uses") {
                called.extend(self.call(file, node, uses, &scope, &own, &fails, call, &job));
                continue;
            }
            let around = Around {
                file,
                scope: &scope,
                runs: &own,
                blocking: &fails,
                defaults: [node.at(&["defaults", "run"]), root.at(&["defaults", "run"])],
                depth: 0,
            };
            for step in self.steps(node.get("steps"), &around) {
                // A matrix repeats most of its steps as they are.
                let same = seen.entry((step.file.clone(), step.place)).or_default();
                if !same.iter().any(|at| job.steps[*at] == step) {
                    same.push(job.steps.len());
                    job.steps.push(step);
                }
            }
        }
        called.push(job);
        (ever, called)
    }

    /// The jobs of the workflow that a job calls.
    #[expect(clippy::too_many_arguments, reason = "a call is all of this")]
    fn call(
        &mut self,
        file: &str,
        node: &Node,
        uses: &Node,
        scope: &Scope,
        own: &Occasions,
        fails: &Blocking,
        call: &Call,
        job: &Job,
    ) -> Vec<Job> {
        // Calls count as steps, so that many that call many end.
        self.steps += 1;
        let what = uses.text().unwrap_or_default();
        let opaque = |why: String| {
            let step = Step {
                file: file.to_owned(),
                place: uses.place,
                runs: own.clone(),
                blocking: fails.clone(),
                does: Does::Opaque(why),
            };
            vec![Job { steps: vec![step], ..job.clone() }]
        };
        let Some(path) = in_repository(what) else {
            let inputs = told(given(node.get("with"), scope));
            let does = Does::Uses { what: what.to_owned(), inputs };
            let step = Step {
                file: file.to_owned(),
                place: uses.place,
                runs: own.clone(),
                blocking: fails.clone(),
                does,
            };
            return vec![Job { steps: vec![step], ..job.clone() }];
        };
        if call.depth >= CALLS_MAX {
            return opaque(format!("workflows call each other more than {CALLS_MAX} times"));
        }
        let Some(root) = self.called(path) else {
            return opaque(format!("the workflow `{what}` cannot be read"));
        };
        if let Some(why) = refused::why_not_called(path, &root) {
            return opaque(why);
        }
        let declared = root.at(&["on", "workflow_call", "inputs"]);
        let inputs = inputs(declared, node.get("with"), scope);
        let inner = Call {
            runs: own.clone(),
            blocking: fails.clone(),
            inputs: Some(inputs),
            depth: call.depth + 1,
            prefix: format!("{} / ", job.name),
        };
        self.jobs(path, &root, &inner)
    }

    /// The steps of a list, with those of actions in the same repository.
    pub(super) fn steps(&mut self, list: Option<&Node>, around: &Around<'_>) -> Vec<Step> {
        let mut all = Vec::new();
        let mut ids = Rc::new(BTreeMap::new());
        let mut before = None;
        for node in list.map(Node::items).unwrap_or_default() {
            if self.steps >= STEPS_MAX {
                break;
            }
            self.steps += 1;
            if let Some((id, runs)) = before.take() {
                Rc::make_mut(&mut ids).insert(id, runs);
            }
            let mut scope = Scope { steps: Rc::clone(&ids), ..around.scope.clone() };
            extend_env(&mut scope, node.get("env"));
            let own = around.runs.and(&runs(node.get("if"), &scope));
            before = node.get("id").and_then(Node::text).map(|id| (id.to_owned(), own.clone()));
            let fails = around.blocking.and(&blocking(node.get("continue-on-error"), &scope));
            let step = |place, does| Step {
                file: around.file.to_owned(),
                place,
                runs: own.clone(),
                blocking: fails.clone(),
                does,
            };
            if let Some(run) = node.get("run") {
                if let Some((script, blocking)) = self.script(node, run, &scope, around) {
                    let step = step(run.place, Does::Script(script));
                    all.push(Step { blocking: step.blocking.and(&blocking), ..step });
                }
            } else if let Some(uses) = node.get("uses") {
                let what = interpolate(uses.text().unwrap_or_default(), &scope, UNKNOWN);
                let given = given(node.get("with"), &scope);
                if let Some(path) = in_repository(&what) {
                    let around = Around { scope: &scope, runs: &own, blocking: &fails, ..*around };
                    match self.action(path, &given, &around) {
                        Ok(steps) => all.extend(steps),
                        Err(why) => all.push(step(uses.place, Does::Opaque(why))),
                    }
                } else {
                    all.push(step(uses.place, Does::Uses { what, inputs: told(given) }));
                }
            }
        }
        all
    }
}

/// The path of what is in the same repository: `./` as it is checked out, `$/` as the workflow stands there.
fn in_repository(what: &str) -> Option<&str> {
    what.strip_prefix("./").or_else(|| what.strip_prefix("$/"))
}

fn told(given: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    given
        .into_iter()
        .map(|(name, value)| (name, value.text().unwrap_or_else(|| UNKNOWN.to_string())))
        .collect()
}

/// The jobs that a job needs, with what they hand on.
fn needs(root: &Node, job: &Node, runs: &[&Occasions]) -> BTreeMap<String, Needed> {
    let names = job.get("needs").map(Node::texts).unwrap_or_default();
    let all = names.into_iter().zip(runs).filter_map(|(name, runs)| {
        let job = root.at(&["jobs", name])?;
        let outputs = job.get("outputs").map(Node::entries).unwrap_or_default();
        let outputs = outputs.iter().map(|output| output.key.clone()).collect();
        let outputs = job.get("uses").is_none().then_some(outputs);
        Some((name.to_owned(), Needed { runs: (*runs).clone(), outputs }))
    });
    all.collect()
}

fn schedules(root: &Node) -> Rc<[String]> {
    let all = root.at(&["on", "schedule"]).map(Node::items).unwrap_or_default();
    all.iter().filter_map(|one| Some(one.get("cron")?.text()?.to_owned())).collect()
}

fn environment(job: &Node, scope: &Scope) -> Option<String> {
    let node = job.get("environment")?;
    let name = if node.is_map() { node.get("name")? } else { node };
    Some(interpolate(name.text()?, scope, UNKNOWN))
}

/// Adds what an `env` says; later ones win, and may refer to those before.
pub(super) fn extend_env(scope: &mut Scope, env: Option<&Node>) {
    for entry in env.map(Node::entries).unwrap_or_default() {
        if scope.env.len() >= ENV_MAX {
            return;
        }
        let value =
            entry.value.text().map_or(Value::Text(String::new()), |text| whole(text, scope));
        scope.env.insert(entry.key.clone(), value);
    }
}

fn given(with: Option<&Node>, scope: &Scope) -> BTreeMap<String, Value> {
    let entries = with.map(Node::entries).unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let value = match entry.value.truth() {
                Some(truth) => Value::Bool(truth),
                None => entry.value.text().map_or(Value::Null, |text| whole(text, scope)),
            };
            (entry.key.clone(), value)
        })
        .collect()
}

/// What a called workflow is given, with its own defaults.
fn inputs(declared: Option<&Node>, with: Option<&Node>, scope: &Scope) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for entry in declared.map(Node::entries).unwrap_or_default() {
        let default = entry.value.get("default");
        let value = match default.and_then(Node::truth) {
            Some(truth) => Value::Bool(truth),
            None => default
                .and_then(Node::text)
                .map_or(Value::Null, |text| Value::Text(text.to_owned())),
        };
        all.insert(entry.key.clone(), value);
    }
    all.extend(given(with, scope));
    all
}
