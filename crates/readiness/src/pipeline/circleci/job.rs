//! A job: its executor, its variables and its steps.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::{Does, Job, Runs};
use super::orb::{self, Element};
use super::scope::{Run, Scope, Value, parameters, text, value};
use super::step::Inside;
use super::workflow::Call;
use crate::shell::UNKNOWN;
use crate::yaml::Node;

/// Keys of a call that are no parameters.
const OWN: [&str; 10] = [
    "requires",
    "context",
    "filters",
    "name",
    "type",
    "matrix",
    "pre-steps",
    "post-steps",
    "override-with",
    "serial-group",
];

/// Kinds of jobs that run no steps.
const WITHOUT_STEPS: [&str; 5] = ["approval", "no-op", "lock", "unlock", "release"];

/// Whether a person has to say yes before the next job starts.
pub(super) fn waits(run: &Run<'_>, call: &Call<'_>) -> bool {
    kind(run, call) == Some("approval")
}

fn kind<'a>(run: &Run<'a>, call: &Call<'a>) -> Option<&'a str> {
    let own = call.given.and_then(|given| given.get("type"));
    own.or_else(|| run.root.at(&["jobs", call.job, "type"])).and_then(Node::text)
}

/// A job as a workflow calls it; none for one without steps.
pub(super) fn read<'a>(
    run: &Run<'a>,
    call: &Call<'a>,
    runs: &Runs,
    workflow: &str,
    needs: &[String],
) -> Option<Job> {
    if kind(run, call).is_some_and(|kind| WITHOUT_STEPS.contains(&kind)) {
        return None;
    }
    let mut job = Job {
        name: if workflow.is_empty() {
            call.name.clone()
        } else {
            format!("{workflow} / {}", call.name)
        },
        file: run.file.to_owned(),
        place: call.node.place,
        needs: needs.to_vec(),
        always: false,
        environment: None,
        services: false,
        steps: Vec::new(),
    };
    let mut inside = Inside::new(runs.clone());
    let around = |inside: &mut Inside, key: &str| {
        if let Some(list) = call.given.and_then(|given| given.get(key)) {
            inside.steps(list, &call.scope, run);
        }
    };
    match orb::element(call.job, "jobs", run.root) {
        Element::Read { node, space } => {
            let scope = given(node, call, space, run);
            let (executor, executor_scope) = executor(node, &scope, run);
            if let Some(executor) = executor {
                job.services |= has_services(executor);
                inside.adopt(executor, &executor_scope, run);
            }
            job.services |= has_services(node);
            inside.adopt(node, &scope, run);
            inside.place(node, &scope, run);
            around(&mut inside, "pre-steps");
            if let Some(steps) = node.get("steps") {
                inside.steps(steps, &scope, run);
            }
        }
        Element::Published { slug, name } => {
            around(&mut inside, "pre-steps");
            let inputs = inputs(call.given, &call.scope, run);
            if let Some(does) = orb::does(slug, &name, inputs) {
                inside.add(call.node.place, run, does);
            }
        }
        Element::Missing => {
            let why = format!("the job `{}` is not in the file", call.job);
            inside.add(call.node.place, run, Does::Opaque(why));
        }
    }
    around(&mut inside, "post-steps");
    job.steps = inside.steps;
    Some(job)
}

/// Images beside the first are servers for the job.
fn has_services(node: &Node) -> bool {
    node.get("docker").is_some_and(|images| images.items().len() > 1)
}

/// The parameters of a job, with those of its matrix.
fn given<'a>(
    definition: &'a Node,
    call: &Call<'a>,
    space: &'a Node,
    run: &Run<'a>,
) -> Rc<Scope<'a>> {
    let scope = parameters(definition.get("parameters"), None, space, &call.scope, run);
    let mut values = scope.values.clone();
    for entry in call.given.map(Node::entries).unwrap_or_default() {
        if !OWN.contains(&entry.key.as_str()) {
            let found = value(&entry.value, &call.scope, run);
            values.insert(format!("parameters.{}", entry.key), found);
        }
    }
    for (name, value) in &call.scope.values {
        if let Some(name) = name.strip_prefix("matrix.") {
            values.insert(format!("parameters.{name}"), value.clone());
        }
    }
    Rc::new(Scope { space, values })
}

/// The executor that a job names, with its own parameters.
fn executor<'a>(
    definition: &'a Node,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
) -> (Option<&'a Node>, Rc<Scope<'a>>) {
    let unknown = (None, scope.clone());
    let Some(node) = definition.get("executor") else { return unknown };
    let (node, from) = match value(node, scope, run) {
        Value::Part(node, from) => (node, from),
        _ => (node, scope.clone()),
    };
    let name_at = node.get("name").unwrap_or(node);
    let Some(name) = text(name_at, &from, run) else { return unknown };
    match orb::element(&name, "executors", scope.space) {
        Element::Read { node: found, space } => {
            let given = node.is_map().then_some(node);
            (Some(found), parameters(found.get("parameters"), given, space, &from, run))
        }
        _ => unknown,
    }
}

/// What is given to something published, as texts.
pub(super) fn inputs<'a>(
    given: Option<&'a Node>,
    scope: &Rc<Scope<'a>>,
    run: &Run<'a>,
) -> BTreeMap<String, String> {
    let entries = given.map(Node::entries).unwrap_or_default().iter();
    entries
        .filter(|entry| !OWN.contains(&entry.key.as_str()))
        .map(|entry| {
            let text = value(&entry.value, scope, run).text();
            (entry.key.clone(), text.unwrap_or_else(|| UNKNOWN.to_string()))
        })
        .collect()
}
