//! Workflows: which jobs run, after which others, and with what.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::gather::in_order;
use super::super::{Job, Occasion, Runs};
use super::scope::{Run, Scope, Value, text, value};
use super::{condition, filter, job};
use crate::yaml::Node;

/// Combinations of a matrix that are looked at; CircleCI itself stops at 128.
const COMBINATIONS_MAX: usize = 128;

/// A job as a workflow calls it.
pub(super) struct Call<'a> {
    /// The job's name in the file, or an orb's with a `/` in it.
    pub(super) job: &'a str,
    pub(super) name: String,
    /// Where the call stands.
    pub(super) node: &'a Node,
    pub(super) given: Option<&'a Node>,
    pub(super) scope: Rc<Scope<'a>>,
}

/// When any workflow runs, and the jobs of all.
pub(super) fn all(run: &Run<'_>) -> (Runs, Vec<Job>) {
    let mut ever = Runs::No;
    let mut jobs = Vec::new();
    let scope = Scope::new(run.root);
    let Some(workflows) = run.root.get("workflows") else {
        // Without workflows the job `build` runs on every push.
        let Some(build) = run.root.at(&["jobs", "build"]) else { return (ever, jobs) };
        let pushed = !matches!(run.occasion, Occasion::Schedule | Occasion::Tag);
        let runs = if pushed { branches(build, run) } else { Runs::No };
        let call = Call { job: "build", name: "build".into(), node: build, given: None, scope };
        jobs.extend(job::read(run, &call, &runs, "", &[]));
        return (runs, jobs);
    };
    for entry in workflows.entries() {
        if entry.key == "version" || !entry.value.is_map() {
            continue;
        }
        let runs = runs(&entry.value, &scope, run);
        ever = ever.min(runs.clone());
        if runs != Runs::No {
            jobs.extend(workflow(run, &entry.key, &entry.value, &runs, &scope));
        }
    }
    (ever, jobs)
}

/// What a job itself says of branches, where there are no workflows.
fn branches(build: &Node, run: &Run<'_>) -> Runs {
    let branch = run.branch().unwrap_or_default();
    match filter::named(build.get("branches"), &branch) {
        Ok(true) => Runs::Yes,
        Ok(false) => Runs::No,
        Err(why) => Runs::Unsure(why),
    }
}

/// Whether a workflow runs.
fn runs<'a>(node: &'a Node, scope: &Rc<Scope<'a>>, run: &Run<'a>) -> Runs {
    if let Some(triggers) = node.get("triggers") {
        return filter::scheduled(triggers, run);
    }
    let mut runs = Runs::Yes;
    for (key, wanted) in [("when", true), ("unless", false)] {
        let Some(condition) = node.get(key) else { continue };
        let own = match condition::holds(condition, scope, run) {
            Ok(holds) if holds == wanted => Runs::Yes,
            Ok(_) => Runs::No,
            Err(why) => Runs::Unsure(format!("`{key}`: {why}")),
        };
        runs = runs.and(&own);
    }
    if run.occasion == Occasion::Schedule && runs != Runs::No {
        // Schedules of pipelines are settings of the project. Only who asks for one can be taken to have one.
        let mut all = Vec::new();
        node.get("when").into_iter().for_each(|node| super::texts(node, &mut all));
        let asks = all
            .iter()
            .any(|text| text.contains("scheduled_pipeline") || text.contains("pipeline.schedule"));
        return if asks {
            Runs::Unsure("its schedule is a setting of the project, and no file shows it".into())
        } else {
            Runs::No
        };
    }
    runs
}

fn workflow<'a>(
    run: &Run<'a>,
    name: &str,
    node: &'a Node,
    runs: &Runs,
    scope: &Rc<Scope<'a>>,
) -> Vec<Job> {
    let mut calls = Vec::new();
    let mut named: Vec<(String, Vec<String>)> = Vec::new();
    // A name may stand for all combinations of a matrix.
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in node.get("jobs").map(Node::items).unwrap_or_default() {
        let Some((job, given)) = called(item) else { continue };
        for call in combined(run, job, given, item, scope) {
            if let Some(matrix) = given.and_then(|given| given.get("matrix")) {
                let name = matrix.get("alias").and_then(Node::text).unwrap_or(job);
                groups.entry(name.to_owned()).or_default().push(call.name.clone());
            }
            named.push((call.name.clone(), required(given)));
            calls.push(call);
        }
    }
    for (_, needs) in &mut named {
        let all =
            needs.iter().flat_map(|need| groups.get(need).cloned().unwrap_or(vec![need.clone()]));
        *needs = all.collect();
    }
    let mut results: BTreeMap<String, Runs> = BTreeMap::new();
    let mut jobs = Vec::new();
    for at in in_order(&named) {
        let (call, needs) = (&calls[at], &named[at].1);
        let filters = call.given.and_then(|given| given.get("filters"));
        let mut own = runs.and(&filter::runs(filters, &call.scope, run));
        for need in needs {
            own = own.and(results.get(need).unwrap_or(&Runs::Yes));
        }
        if only_after_failure(call.given) {
            own = Runs::No;
        }
        let waits = job::waits(run, call) && run.occasion != Occasion::Manual;
        results.insert(call.name.clone(), if waits { Runs::No } else { own.clone() });
        jobs.extend(job::read(run, call, &own, name, needs));
    }
    jobs
}

/// A job's name and what it is given.
fn called(item: &Node) -> Option<(&str, Option<&Node>)> {
    match item.text() {
        Some(name) => Some((name, None)),
        None => item.entries().first().map(|entry| (entry.key.as_str(), Some(&entry.value))),
    }
}

/// A call for each combination of its matrix.
fn combined<'a>(
    run: &Run<'a>,
    job: &'a str,
    given: Option<&'a Node>,
    node: &'a Node,
    scope: &Rc<Scope<'a>>,
) -> Vec<Call<'a>> {
    let mut all: Vec<Vec<(&str, Value<'a>)>> = vec![Vec::new()];
    let matrix = given.and_then(|given| given.get("matrix"));
    let parameters = matrix.and_then(|matrix| matrix.get("parameters"));
    for entry in parameters.map(Node::entries).unwrap_or_default() {
        let list = match value(&entry.value, scope, run) {
            Value::Part(list, _) => list.items(),
            _ => entry.value.items(),
        };
        let mut longer = Vec::new();
        for before in &all {
            for item in list {
                let mut one = before.clone();
                one.push((entry.key.as_str(), value(item, scope, run)));
                longer.push(one);
            }
        }
        longer.truncate(COMBINATIONS_MAX);
        all = longer;
    }
    let out = matrix.and_then(|matrix| matrix.get("exclude")).map(Node::items).unwrap_or_default();
    let excluded = |one: &[(&str, Value<'a>)]| {
        out.iter().any(|out| {
            one.iter()
                .all(|(key, value)| out.get(key).and_then(Node::text) == value.text().as_deref())
        })
    };
    let is_matrix = parameters.is_some();
    all.retain(|one| !is_matrix || !excluded(one));
    all.into_iter()
        .map(|one| {
            let mut values = scope.values.clone();
            let mut suffix = String::new();
            for (key, value) in one {
                suffix.push('-');
                suffix.push_str(&value.text().unwrap_or_default());
                values.insert(format!("matrix.{key}"), value);
            }
            let scope = Rc::new(Scope { space: scope.space, values });
            let name = given.and_then(|given| text(given.get("name")?, &scope, run));
            let name = name.unwrap_or_else(|| format!("{job}{suffix}"));
            Call { job, name, node, given, scope }
        })
        .collect()
}

/// The jobs that must be through before.
fn required(given: Option<&Node>) -> Vec<String> {
    let all = given.and_then(|given| given.get("requires")).map(Node::items).unwrap_or_default();
    let named = |item: &Node| match item.text() {
        Some(name) => Some(name.to_owned()),
        None => item.entries().first().map(|entry| entry.key.clone()),
    };
    all.iter().filter_map(named).collect()
}

/// Whether it waits for another job to fail.
fn only_after_failure(given: Option<&Node>) -> bool {
    let all = given.and_then(|given| given.get("requires")).map(Node::items).unwrap_or_default();
    all.iter().flat_map(Node::entries).any(|entry| {
        let states = entry.value.texts();
        !states.is_empty() && !states.iter().any(|state| matches!(*state, "success" | "terminal"))
    })
}
