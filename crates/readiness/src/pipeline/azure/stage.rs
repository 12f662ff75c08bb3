//! Stages and jobs, with the templates that they come from.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::gather::in_order;
use super::super::{Does, Job, Occasion, Occasions, Runs, Step};
use super::run::Run;
use super::scope::{self, Scope};
use super::step::Inside;
use super::template::DEPTH_MAX;
use super::view::{Variables, View};
use crate::shell::Blocking;
use crate::yaml::Kind;

/// Combinations of a job's matrix that are looked at.
const COMBINATIONS_MAX: usize = 64;

/// What a part of a pipeline is made of, before it is looked at.
enum Part<'a> {
    View(View<'a>),
    /// A template that cannot be read; why.
    Opaque(View<'a>, String),
}

/// What a job is in: the pipeline, or a stage.
struct Within<'s, 'a> {
    stage: Option<&'s str>,
    runs: Runs,
    variables: Variables<'a>,
    /// What the stage waits for.
    needed: &'s [(String, Runs)],
}

/// Reads one pipeline on one occasion.
pub(super) struct Reader<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) jobs: Vec<Job>,
}

impl<'a> Reader<'a> {
    /// A root, or a template that a root extends.
    pub(super) fn pipeline(&mut self, root: &View<'a>, variables: &Variables<'a>) {
        let variables = self.extended(variables, root.get("variables").as_ref(), &[]);
        let root = with_variables(root, &variables);
        let (runs, root) = (root.is_there(), root.sure());
        let within = Within { stage: None, runs, variables: variables.clone(), needed: &[] };
        if let Some(extends) = root.get("extends") {
            match self.template(&extends) {
                Ok(inner) => self.pipeline(&inner, &variables),
                Err(why) => {
                    self.given(&extends, &why, &within);
                    self.opaque(&extends, why, &within);
                }
            }
        } else if let Some(stages) = root.get("stages") {
            self.stages(&stages, &within);
        } else if let Some(jobs) = root.get("jobs") {
            self.jobs(&jobs, &within);
        } else if root.get("steps").is_some() {
            self.job(&root, &within, &[]);
        }
    }

    /// What is given to a template that is not here: it may run all of it.
    fn given(&mut self, extends: &View<'a>, why: &str, within: &Within<'_, 'a>) {
        let Some(given) = extends.get("parameters") else { return };
        let unsure = Some(Rc::from(format!("{why}, and decides what it runs")));
        for key in ["stages", "jobs", "steps"] {
            let Some(list) = given.get(key) else { continue };
            let list = View { unsure: unsure.clone(), ..list.resolved() };
            match key {
                "stages" => self.stages(&list, within),
                "jobs" => {
                    self.jobs(&list, within);
                }
                _ => {
                    let root = View { unsure: unsure.clone(), ..given.clone() };
                    self.job(&root, within, &[]);
                }
            }
        }
    }

    /// Each stage waits for the one before it, unless it says something else.
    fn stages(&mut self, list: &View<'a>, within: &Within<'_, 'a>) {
        let mut all = Vec::new();
        let mut named: Vec<(String, Vec<String>)> = Vec::new();
        for part in self.flat(list, "stages", 0) {
            match part {
                Part::Opaque(view, why) => self.opaque(&view, why, within),
                Part::View(view) => {
                    let own = view.sure();
                    let name = own.text_at("stage").unwrap_or_else(|| format!("{}", named.len()));
                    let before = named.last().map(|(name, _)| name.clone());
                    let needs = match own.get("dependsOn") {
                        Some(needs) => needs.texts(),
                        None => before.into_iter().collect(),
                    };
                    named.push((name, needs));
                    all.push(view);
                }
            }
        }
        let mut results = BTreeMap::new();
        for at in in_order(&named) {
            let (name, needs) = &named[at];
            let needed = needed(needs, &results);
            let runs = self.stage(&all[at], name, within, &needed);
            results.insert(name.clone(), runs);
        }
    }

    /// Whether a stage runs at all.
    fn stage(
        &mut self,
        view: &View<'a>,
        name: &str,
        within: &Within<'_, 'a>,
        needed: &[(String, Runs)],
    ) -> Runs {
        let (there, view) = (view.is_there(), &view.sure());
        let variables = self.extended(&within.variables, view.get("variables").as_ref(), needed);
        let scope =
            Scope { around: &view.around, variables: &variables, needed, outer: within.needed };
        let mut own = scope::runs(view.get("condition").as_ref(), &scope);
        if view.text_at("trigger").as_deref() == Some("manual")
            && self.run.occasion != Occasion::Manual
        {
            own = Runs::No;
        }
        let runs = within.runs.and(&own).and(&there);
        let inner = Within { stage: Some(name), runs: runs.clone(), variables, needed };
        match view.get("jobs") {
            Some(jobs) => self.jobs(&jobs, &inner),
            None => runs,
        }
    }

    /// Whether any of the jobs runs.
    fn jobs(&mut self, list: &View<'a>, within: &Within<'_, 'a>) -> Runs {
        let mut all = Vec::new();
        let mut named: Vec<(String, Vec<String>)> = Vec::new();
        let mut ever = Runs::No;
        for part in self.flat(list, "jobs", 0) {
            match part {
                Part::Opaque(view, why) => {
                    self.opaque(&view, why, within);
                    ever = ever.min(within.runs.clone());
                }
                Part::View(view) => {
                    let own = view.sure();
                    let name = own.text_at("job").or_else(|| own.text_at("deployment"));
                    let name = name.unwrap_or_else(|| format!("{}", named.len()));
                    let needs = own.get("dependsOn").map(|needs| needs.texts());
                    named.push((name, needs.unwrap_or_default()));
                    all.push(view);
                }
            }
        }
        let mut results = BTreeMap::new();
        for at in in_order(&named) {
            let (name, needs) = &named[at];
            let needed = needed(needs, &results);
            let (runs, result) = self.job(&all[at], within, &needed);
            ever = ever.min(runs);
            results.insert(name.clone(), result);
        }
        ever
    }

    /// Whether a job runs, and whether those run that wait for it.
    fn job(
        &mut self,
        view: &View<'a>,
        within: &Within<'_, 'a>,
        needed: &[(String, Runs)],
    ) -> (Runs, Runs) {
        let (there, view) = (view.is_there(), &view.sure());
        let name_at = view.get("deployment").or_else(|| view.get("job"));
        let name = name_at.as_ref().and_then(View::text).unwrap_or_else(|| "job".to_owned());
        let variables = self.extended(&within.variables, view.get("variables").as_ref(), needed);
        let condition = view.get("condition");
        let scope =
            Scope { around: &view.around, variables: &variables, needed, outer: within.needed };
        let own = scope::runs(condition.as_ref(), &scope);
        let runs = within.runs.and(&own).and(&there);
        let place = name_at.as_ref().map_or(view.node.place, |name| name.node.place);
        let mut inside = Inside {
            runs: runs.clone(),
            blocking: scope::blocking(view.get("continueOnError").as_ref()),
            variables: variables.clone(),
            needed,
            depth: 0,
            waits: false,
            steps: Vec::new(),
        };
        for combination in self.combinations(view, &variables) {
            inside.variables = combination;
            self.strategy(view, &mut inside);
        }
        let waits = inside.waits && self.run.occasion != Occasion::Manual;
        let environment = view.get("environment").and_then(|node| {
            let name = node.get("name");
            name.as_ref().unwrap_or(&node).text()
        });
        self.jobs.push(Job {
            name: within.stage.map_or(name.clone(), |stage| format!("{stage} / {name}")),
            file: view.around.file.to_owned(),
            place,
            needs: needed.iter().map(|(name, _)| name.clone()).collect(),
            always: scope::is_always(condition.as_ref()),
            environment,
            services: view.get("services").is_some_and(|services| !services.entries().is_empty()),
            steps: inside.steps,
        });
        let result = if waits { Runs::No } else { runs.clone() };
        (runs, result)
    }

    /// The steps of a job, or those of a deployment's hooks in their order.
    fn strategy(&mut self, view: &View<'a>, inside: &mut Inside<'_, 'a>) {
        if let Some(steps) = view.get("steps") {
            self.steps(&steps, inside);
        }
        let Some(strategy) = view.get("strategy") else { return };
        let kinds = ["runOnce", "rolling", "canary"];
        let Some(hooks) = kinds.iter().find_map(|kind| strategy.get(kind)) else { return };
        for hook in ["preDeploy", "deploy", "routeTraffic", "postRouteTraffic"] {
            if let Some(steps) = hooks.get(hook).and_then(|hook| hook.get("steps")) {
                self.steps(&steps, inside);
            }
        }
        let on = hooks.get("on");
        if let Some(steps) = on.and_then(|on| on.get("success")?.get("steps")) {
            self.steps(&steps, inside);
        }
    }

    /// The variables of a job, for each combination of its matrix.
    fn combinations(&self, view: &View<'a>, variables: &Variables<'a>) -> Vec<Variables<'a>> {
        let matrix = view.get("strategy").and_then(|strategy| strategy.get("matrix"));
        let Some(matrix) = matrix else { return vec![variables.clone()] };
        let all: Vec<Variables<'a>> = matrix
            .entries()
            .into_iter()
            .take(COMBINATIONS_MAX)
            .map(|(_, combination)| self.extended(variables, Some(&combination), &[]))
            .collect();
        if all.is_empty() { vec![variables.clone()] } else { all }
    }

    /// The parts of a list, with those of templates.
    fn flat(&self, list: &View<'a>, key: &str, depth: usize) -> Vec<Part<'a>> {
        let mut all = Vec::new();
        for item in list.items() {
            if depth > DEPTH_MAX || !self.run.spend() {
                break;
            }
            if matches!(item.node.kind, Kind::Scalar { .. }) {
                if !item.node.is_null() && item.text().is_some_and(|text| !text.is_empty()) {
                    let why = format!("{key} are put in that are only known when it runs");
                    all.push(Part::Opaque(item, why));
                }
                continue;
            }
            if item.get("template").is_none() {
                all.push(Part::View(item));
                continue;
            }
            match self.template(&item) {
                Ok(inner) => {
                    if let Some(list) = inner.get(key) {
                        all.extend(self.flat(&list, key, depth + 1));
                    } else {
                        let why = format!("the template `{}` has no {key}", inner.around.file);
                        all.push(Part::Opaque(item, why));
                    }
                }
                Err(why) => all.push(Part::Opaque(item, why)),
            }
        }
        all
    }

    /// A part that cannot be read from here.
    fn opaque(&mut self, view: &View<'a>, why: String, within: &Within<'_, 'a>) {
        let runs = within.runs.and(&view.is_there());
        let place = view.get("template").map_or(view.node.place, |name| name.node.place);
        let step = Step {
            file: view.around.file.to_owned(),
            place,
            runs: Occasions::only(self.run.occasion, runs),
            blocking: Blocking::Yes,
            does: Does::Opaque(why),
        };
        let stage = within.stage.map(|stage| format!("{stage} / ")).unwrap_or_default();
        let job = Job::new(format!("{stage}template"), &step.file, place);
        self.jobs.push(Job { steps: vec![step], ..job });
    }
}

/// What was found of those that one waits for.
fn needed(names: &[String], results: &BTreeMap<String, Runs>) -> Vec<(String, Runs)> {
    let known = |name: &String| results.get(name).cloned().unwrap_or(Runs::Yes);
    names.iter().map(|name| (name.clone(), known(name))).collect()
}

fn with_variables<'a>(view: &View<'a>, variables: &Variables<'a>) -> View<'a> {
    let mut around = (*view.around).clone();
    around.variables = variables.clone();
    View { around: Rc::new(around), ..view.clone() }
}
